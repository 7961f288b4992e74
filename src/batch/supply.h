// Where the items of a run come from: the source, in the order of its key, or the failed items of
// an earlier run. Positions are JSON, empty for the beginning.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batch/isolated_work.h"
#include "batch/item_text.h"
#include "batch/source.h"
#include "board/board.h"
#include "catalog/failed_item.h"

namespace ratchet::batch {

class Supply {
 public:
  Supply() = default;
  Supply(const Supply&) = delete;
  Supply& operator=(const Supply&) = delete;
  virtual ~Supply() = default;

  // In a transaction, connected to SPI. Up to `limit` items behind the position; *more: there are
  // others.
  virtual void Fetch(const std::string& at, int limit, Items* items, bool* more) = 0;
  // The position behind the first `handled` of the items that were fetched last (`at` when there
  // are none).
  virtual std::string PositionBehind(const Items& items, int handled, const std::string& at) = 0;
  // Writes down what became of the first `handled` of those items, in the batch's transaction.
  // Failures get the numbers under which they are found.
  virtual void Save(const Items& items, int handled, std::vector<Failure>& failures) = 0;
  // How many items there may be behind the position.
  virtual double Estimate(const std::string& at) = 0;
  // The key is another object now. Returns the position as that one writes it; throws when it does
  // not mean the same any more.
  virtual std::string Translate(Key& key, const std::string& signature, const std::string& at) = 0;
};

// Up to the key `until`; empty: no items.
std::unique_ptr<Supply> FromSource(Source& source, const ItemText& text, std::string until,
                                   const board::RunTicket& ticket, const std::string& job_name);
// `signature` is that under which their keys were written.
std::unique_ptr<Supply> FromFailedItems(Source& source, const Key& key, std::string signature,
                                        const board::RunTicket& ticket,
                                        const std::string& job_name);

// What a job's own walk needs that cannot go on, as a hint.
std::string ResetCheckpointHint(const std::string& job_name);
// The same for any other walk.
std::string TriggerHint(const std::string& job_name);

}  // namespace ratchet::batch
