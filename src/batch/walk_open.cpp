// Where a walk begins and ends.
#include "catalog/run_log.h"
#include "pg/guard.h"

#include "batch/walk.h"
#include "batch/walk_check.h"

namespace ratchet::batch {

void Walk::Open() {
  host_.Begin();
  shape_ = ShapeOf(definition_);
  key_.emplace(shape_, run_.memory);
  text_.emplace(shape_, *key_, run_.memory);
  source_.emplace(definition_.source, shape_, *key_);
  action_.emplace(definition_.action, shape_, definition_.per);
  auto saved = catalog::FindCheckpoint(run_.ticket->job_id, run_.ticket->walk, &now_.checkpoint);
  if (!saved) {
    ItemPointerSetInvalid(&now_.checkpoint);
  } else if (saved->key != key_->signature()) {
    saved.reset();  // of a run that went on by the old key when the job got another one
  }
  from_ = saved ? saved->value : std::string();
  first_run_ = saved ? saved->first_run : run_.ticket->run_id;
  if (over_failed_items()) {
    supply_ = FromFailedItems(*source_, *run_.ticket, definition_.job_name);
  } else {
    supply_ = FromSource(*source_, *text_, EndOfRange(saved.has_value()), *run_.ticket,
                         definition_.job_name);
  }
  key_may_be_null_ =
      !over_failed_items() && run_.ticket->replay_of == 0 && KeyMayBeNull(definition_, shape_);
  now_.at = from_;
  committed_ = now_;
  progress_.Begin(*supply_, from_, saved ? saved->walk_items + saved->counters.items_done : 0);
  host_.Close();
  host_.Commit();
  NoteCommit();
  WaitForWriters(writers_, run_.slot);
}

// The last item that is there now.
std::string Walk::EndOfRange(bool goes_on) {
  if (run_.ticket->replay_of != 0) {
    return EndOfReplay(goes_on);
  }
  // An action that adds items, or moves them ahead, does not keep the run from ending.
  std::string last = source_->LastKey();
  nothing_to_do_ = last.empty();
  if (definition_.mode == catalog::BatchMode::kIncremental) {
    // Who is writing now may commit keys below the last one that is there now. Once those
    // transactions have ended nobody can any more: what begins later gets greater keys. What comes
    // into an empty source meanwhile has writers of its own.
    writers_ = WritersOf(source_->Tables());
  }
  return last;
}

// Exactly the range that the original has walked.
std::string Walk::EndOfReplay(bool goes_on) {
  const auto original = catalog::ReadRunRecord(run_.ticket->replay_of);
  if (!original) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "run " + std::to_string(run_.ticket->replay_of) + " does not exist", {},
                    "Its record says which items it did, and is not there any more.");
  }
  if (!goes_on) {
    from_ = original->checkpoint_from;
  }
  nothing_to_do_ = original->checkpoint_to.empty();
  return original->checkpoint_to;
}

}  // namespace ratchet::batch
