// The action of a batch job, prepared once per run.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "batch/items.h"
#include "batch/shape.h"
#include "batch/statement.h"

extern "C" {
#include "nodes/params.h"
#include "tcop/dest.h"
}

namespace ratchet::batch {

// Who wants to know when an item is begun with, where each is executed by itself. It is called
// inside pg::Call.
struct ItemWatch {
  void (*begin)(void* self, int item) = nullptr;
  void* self = nullptr;
};

class Action {
 public:
  // In a transaction, connected to SPI. An error in the text is the job's, not an item's.
  Action(const std::string& text, const Shape& shape, catalog::Per per);
  Action(const Action&) = delete;
  Action& operator=(const Action&) = delete;

  // It is executed by a function of a statement, and not at top level.
  void BeInsideStatement() { inside_statement_ = true; }
  // The rows of what it returns are of interest, item by item.
  void SendRowsTo(DestReceiver* receiver) {
    receiver_ = receiver;
    repeatable_ = false;
  }
  void WatchItems(const ItemWatch& watch) { watch_ = watch; }

  // Executes it for items first to first + count - 1, once for each or once for all of them, and
  // the deferred triggers of what it did. When it throws, *in_hand is the item that it was at: -1
  // when that is not known. Returns how many rows it has inserted, updated, deleted or merged.
  std::int64_t Execute(const Items& items, int first, int count, int* in_hand);

 private:
  std::int64_t ExecuteForEach(const Items& items, int first, int count, int* in_hand);
  std::int64_t ExecuteForAll(const Items& items, int first, int count);
  std::int64_t ExecuteOnce(ParamListInfo parameters);
  bool Repeat(const Items& items, int first, int count, int* in_hand, std::int64_t* rows);
  ParamListInfo NewParameters() const;
  void Begin(int item, int* in_hand) const;
  void FireDeferredTriggers() const;

  catalog::Per per_;
  std::vector<Oid> element_types_;  // of arrays of each column's values
  std::vector<Oid> parameter_types_;
  std::deque<Statement> statements_;
  bool repeatable_ = true;  // as far as is known
  bool inside_statement_ = false;
  DestReceiver* receiver_ = nullptr;
  ItemWatch watch_;
};

}  // namespace ratchet::batch
