// One statement executed again and again with other parameters, within one start of the executor.
//
// Starting and ending the executor costs more than most statements on one row. Here it is started
// once for a slice, and its scans are begun anew for each item, as the inner side of a nested loop
// is for each outer row. Every item is still a command of its own: it sees what the items before it
// did, and its triggers are fired at its end. What differs from single statements: rows that others
// commit in the meantime are seen from the next slice on, as by one statement over the whole slice.
//
// Possible for plans whose nodes remember nothing from one item to the next, and while nobody
// watches: an extension that has itself called when the executor starts and ends (such as
// pg_stat_statements, pgaudit, auto_explain) would see one statement, without values and time.
#pragma once

#include <cstdint>

#include "pg/server.h"

extern "C" {
#include "executor/execdesc.h"
#include "nodes/params.h"
#include "utils/plancache.h"
}

namespace ratchet::batch {

// Whether an extension has itself called for each statement that is executed. Which of them would
// rather not be, by their settings, they do not tell.
bool ExecutionIsWatched();

// All of it is for use inside pg::Call, within one subtransaction: an error leaves the rest to the
// rollback.
class RepeatedPlan {
 public:
  // False when the statement has to be executed in the ordinary way.
  bool Start(CachedPlanSource* source, ParamListInfo parameters);
  // With the values that are in the parameters now.
  void Execute();
  // Returns how many rows were inserted, updated, deleted or merged.
  std::int64_t End();

 private:
  void Rescan();

  CachedPlan* plan_ = nullptr;
  QueryDesc* query_ = nullptr;
  bool changes_ = false;  // not a SELECT
  bool first_ = true;
};

}  // namespace ratchet::batch
