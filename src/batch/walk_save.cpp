// What a batch leaves in the extension's tables, in its own transaction.
#include <algorithm>

#include "batch/in_the_way.h"
#include "batch/walk.h"
#include "board/run_board.h"
#include "catalog/failed_item.h"
#include "catalog/run_log.h"
#include "pg/clock.h"
#include "pg/guard.h"

extern "C" {
#include "storage/proc.h"
#include "utils/json.h"
}

namespace ratchet::batch {
namespace {

constexpr std::size_t kMostSamples = 10;

// While it waits to be saved, a batch holds the locks of its action: no longer than it would wait
// for another lock, and not for long in a session that has no limit. Microseconds.
constexpr std::int64_t kLongestHold = 1'000'000;
constexpr std::int64_t kBetweenLooks = 5'000;

std::int64_t LongestHold() {
  return LockTimeout > 0 ? std::min(LockTimeout * std::int64_t{1000}, kLongestHold) : kLongestHold;
}

}  // namespace

// What is saved is saved where nothing can be canceled any more. So whatever it might wait for is
// taken before, in plain sight, as long as cancels, time-outs and another try are possible.
void Walk::HoldForSave() {
  const policy::AwakeTime until = pg::AwakeNow() + LongestHold();
  while (!dry_run() && !TryHoldForSave()) {
    table_wait_.Blocked({"run_log", "job_checkpoint", "failed_item"}, RowExclusiveLock);
    if (pg::AwakeNow() >= until) {
      throw InTheWay("another transaction has the checkpoint of job \"" + definition_.job_name +
                     "\" or the extension's tables in hand");
    }
    Sleep(run_.slot, board::RunWait::kLock, kBetweenLooks);
  }
  table_wait_.Over();
}

bool Walk::TryHoldForSave() {
  const bool items = !done_.failures.empty() || over_failed_items() || takes_back_;
  return catalog::HoldCheckpoint(run_.ticket->job_id, run_.ticket->walk) &&
         (!items || catalog::HoldFailedItemTable()) && (!ended_ || catalog::HoldRunLog());
}

void Walk::Save() {
  if (dry_run()) {
    for (const Failure& failure : done_.failures) {
      if (samples_.size() < kMostSamples) {
        samples_.push_back(failure);
      }
    }
    return;
  }
  supply_->Save(items_, done_.items, done_.failures);
  if (takes_back_) {
    catalog::TakeBackFailedItems(run_.ticket->run_id, earlier_alike_.item_ids);
  }
  const bool goes_away = ended_ && ending_ == Ending::kComplete && !keeps_checkpoint();
  const bool changed = done_.items > 0 || now_.at != committed_.at;
  if (changed && !goes_away) {
    SaveCheckpoint();
  }
}

void Walk::SaveCheckpoint() {
  catalog::Checkpoint checkpoint;
  checkpoint.job_id = run_.ticket->job_id;
  checkpoint.walk = run_.ticket->walk;
  checkpoint.owner = run_.ticket->owner;
  checkpoint.run_id = run_.ticket->run_id;
  checkpoint.run_mark = run_.ticket->mark;
  checkpoint.value = now_.at;
  checkpoint.run_from = from_;
  checkpoint.counters = now_.counters;
  checkpoint.walk_items = progress_.earlier();
  checkpoint.first_run = first_run_;
  checkpoint.key = now_.signature;
  catalog::SaveCheckpoint(checkpoint, &now_.checkpoint);
  now_.walk_began = first_run_;
}

void Walk::NoteCommit() {
  NoteAlike();
  committed_ = now_;
  board::SetWalkBegan(run_.slot, committed_.walk_began);
  retry_.Progressed();
  renewals_ = 0;
  progress_.Show(committed_.counters, ended_ && ending_ == Ending::kComplete);
}

std::string Walk::FailuresSeen() const {
  std::string list;
  for (const Failure& failure : samples_) {
    pg::Call([&] {
      StringInfoData text;
      initStringInfo(&text);
      appendStringInfo(&text,
                       "{\"item\": %s, \"sqlstate\": \"%s\", \"error\": ", failure.row.c_str(),
                       unpack_sql_state(failure.error.sqlstate));
      escape_json(&text, failure.error.message.c_str());
      appendStringInfoChar(&text, '}');
      list += (list.empty() ? "" : ", ");
      list += text.data;
      pfree(text.data);
    });
  }
  return list.empty() ? list : "{\"failed_items\": [" + list + "]}";
}

}  // namespace ratchet::batch
