// Where a walk begins and ends.
#include "catalog/run_log.h"
#include "pg/guard.h"

#include "batch/in_the_way.h"
#include "batch/pinned_columns.h"
#include "batch/walk.h"
#include "batch/walk_check.h"

extern "C" {
#include "utils/lsyscache.h"
}

namespace ratchet::batch {

// Source, key and action as they are now, in the places where others hold on to them.
void Walk::LookUp() {
  watch_.Begin();
  shape_ = ShapeOf(definition_);
  key_.emplace(shape_, run_.memory);
  text_.emplace(shape_, *key_, run_.memory);
  source_.emplace(definition_.source, shape_, *key_);
  const ColumnTypeContext context(shape_, definition_.columns);
  action_.emplace(definition_.action, shape_, definition_.per);
}

// A source that asks for the logical time has other items for each occurrence: those of one which
// has failed on its way are not what this one begins with.
bool Walk::IsOfAnotherTime(const catalog::Checkpoint& saved) const {
  if (definition_.mode != catalog::BatchMode::kFull || catalog::EndsWithItsRun(run_.ticket->walk)) {
    return false;
  }
  const auto first = catalog::ReadRunRecord(saved.first_run);
  return first && first->scheduled_at != run_.ticket->scheduled_at &&
         source_->WhatItReads().depends_on_time;
}

// Of a run that was under way when the job was told to walk all items, and has saved that it has
// done the new ones.
bool Walk::WasIncremental(const catalog::Checkpoint& saved) const {
  if (definition_.mode != catalog::BatchMode::kFull) {
    return false;
  }
  const auto record = catalog::ReadRunRecord(saved.run_id);
  const auto version =
      record ? catalog::FindJobVersion(record->job_id, record->version) : std::nullopt;
  return version && version->mode == catalog::BatchMode::kIncremental;
}

// The walk's checkpoint, written as the key writes it now. Throws when it does not mean the same
// any more: neither is what was done done again, nor anything left out.
std::optional<catalog::Checkpoint> Walk::GoOnBehind() {
  const board::RunTicket& ticket = *run_.ticket;
  auto saved = catalog::FindOwnCheckpoint(ticket.job_id, ticket.walk, &now_.checkpoint);
  if (ticket.walk_began != 0 && (!saved || saved->first_run != ticket.walk_began)) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    std::string("nothing is left to be done: ") + catalog::kWalkHasEnded);
  }
  if (!saved) {
    ItemPointerSetInvalid(&now_.checkpoint);
    return saved;
  }
  const KeyOrder before = ParseKeyOrder(saved->key);
  // Of a run that went on by the old key when somebody gave the job another one, and was told that
  // its next run begins at the start.
  const bool is_of_another_key =
      saved->key.empty() || (!before.empty() && !HasSameColumns(before, key_->order()));
  if (is_of_another_key || IsOfAnotherTime(*saved) || WasIncremental(*saved)) {
    saved.reset();
  } else if (!over_failed_items()) {
    const std::string& name = definition_.job_name;
    saved->value = key_->Translate(
        saved->value, saved->key, "the checkpoint of job \"" + name + "\"",
        catalog::EndsWithItsRun(ticket.walk) ? TriggerHint(name) : ResetCheckpointHint(name));
    key_->MakeRoomFor(saved->value);
  }
  return saved;
}

void Walk::Open() {
  host_.Begin();
  if (catalog::CheckpointIsBeingChanged(run_.ticket->job_id, run_.ticket->walk)) {
    throw InTheWay("another transaction has the checkpoint of job \"" + definition_.job_name +
                   "\" in hand");
  }
  snapshot_watch_.Begin();
  LookUp();
  const auto saved = GoOnBehind();
  from_ = saved ? saved->value : std::string();
  first_run_ = saved ? saved->first_run : run_.ticket->run_id;
  if (over_failed_items()) {
    const auto original = catalog::ReadRunRecord(run_.ticket->items_of);
    supply_ = FromFailedItems(*source_, *key_, original ? original->key : std::string(),
                              *run_.ticket, definition_.job_name);
  } else {
    std::string last = EndOfRange(saved.has_value());
    FindDoubts(last);
    supply_ = FromSource(*source_, *text_, std::move(last), *run_.ticket, definition_.job_name);
  }
  key_may_be_null_ =
      !over_failed_items() && run_.ticket->replay_of == 0 && KeyMayBeNull(definition_, shape_);
  now_.at = from_;
  now_.signature = key_->signature();
  now_.walk_began = saved ? saved->first_run : 0;
  committed_ = now_;
  progress_.Begin(*supply_, from_, saved ? saved->walk_items + saved->counters.items_done : 0);
  snapshot_watch_.Check(false);
  snapshot_watch_.End();
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
    const Reads reads = source_->WhatItReads();
    RequireLocalWriters(reads);
    if (reads.function.empty()) {
      writers_ = WritersOf(reads.tables);
    } else {
      writers_ = WritersOfAll();
      RequireNoForeignTable();
    }
  }
  return last;
}

// What a function has read to find the last item it has read from here on, most likely.
void Walk::RequireNoForeignTable() {
  const Oid table = ForeignTableInUse();
  if (OidIsValid(table)) {
    RefuseForeignTable(pg::Call([table] {
      return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                        get_rel_name(table));
    }));
  }
}

// Exactly the range that the original has walked.
std::string Walk::EndOfReplay(bool goes_on) {
  const auto original = catalog::ReadRunRecord(run_.ticket->replay_of);
  if (!original) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "run " + std::to_string(run_.ticket->replay_of) + " does not exist", {},
                    "Its record says which items it did, and is not there any more.");
  }
  const std::string what =
      "the range of run " + std::to_string(run_.ticket->replay_of) + ", which is to be replayed,";
  const std::string hint = TriggerHint(definition_.job_name);
  if (!goes_on) {
    from_ = key_->Translate(original->checkpoint_from, original->key, what, hint);
    key_->MakeRoomFor(from_);
  }
  nothing_to_do_ = original->checkpoint_to.empty();
  std::string last = key_->Translate(original->checkpoint_to, original->key, what, hint);
  key_->MakeRoomFor(last);
  return last;
}

// What makes it doubtful that the walk comes to all items, without being an error.
void Walk::FindDoubts(const std::string& last) {
  doubt_.clear();
  if (definition_.mode == catalog::BatchMode::kIncremental && run_.ticket->replay_of == 0 &&
      !from_.empty() && !last.empty() && key_->IsBefore(last, from_)) {
    doubt_ = "the largest key of the source, " + last + ", lies before the checkpoint " + from_;
    return;
  }
  doubt_ = key_->OutdatedOrder();
}

}  // namespace ratchet::batch
