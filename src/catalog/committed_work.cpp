#include "catalog/committed_work.h"

#include "catalog/checkpoint.h"

namespace ratchet::catalog {

void AddCommitted(RunRecord* record) {
  const auto checkpoint = FindCheckpoint(record->job_id, record->walk);
  if (!checkpoint || checkpoint->run_id != record->run_id || checkpoint->run_mark != record->mark) {
    return;
  }
  record->checkpoint_from = checkpoint->run_from;
  record->checkpoint_to = checkpoint->value;
  record->key = checkpoint->key;
  record->walk_began = checkpoint->first_run;
  record->has_usage = false;  // what it cost has died with it
  if (checkpoint->counters.batches > 0) {
    record->has_counters = true;
    record->counters.items_done = checkpoint->counters.items_done;
    record->counters.items_failed = checkpoint->counters.items_failed;
    record->counters.batches = checkpoint->counters.batches;
    record->counters.rows_affected = checkpoint->counters.rows_affected;
  }
}

}  // namespace ratchet::catalog
