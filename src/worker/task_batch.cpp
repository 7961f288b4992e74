#include "worker/task_batch.h"

#include <algorithm>
#include <cstring>

#include "pg/guard.h"

extern "C" {
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "utils/elog.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
}

namespace ratchet::worker {
namespace {

constexpr int kColumns = 2;  // see batch/task_shape.h

// Somebody changes or cancels the task: it is asked for again after this.
constexpr std::int64_t kBusyRest = 200'000;

double RandomUnit() { return pg_prng_double(&pg_global_prng_state); }

std::string SqlstateOf(int code) { return unpack_sql_state(code); }

}  // namespace

// What was written since the scheduler has read it may be for later, or of another key, of which
// somebody has a task in hand: that is for the scheduler to say.
bool TaskBatch::IsToBeDone(catalog::HeldTask* held, std::int64_t run_id, End* end) const {
  catalog::Task& task = held->task;
  end->end = board::TaskEnd::kGone;
  if (task.is_leased() || task.quarantined) {
    return false;
  }
  if (task.expires_at != 0 && task.expires_at <= begun_) {
    catalog::TaskEnd finish;
    finish.state = catalog::TaskState::kExpired;
    finish.finished_at = begun_;
    finish.run_id = run_id;
    catalog::FinishTask(held, finish);
    return false;
  }
  return true;
}

void TaskBatch::Hold(std::size_t most, std::int64_t run_id) {
  begun_ = GetCurrentTransactionStartTimestamp();
  items_.Clear();
  items_.columns = kColumns;
  held_.clear();
  places_.clear();
  wishes_.clear();
  results_.clear();
  ends_.clear();
  completed_ = failed_ = 0;
  for (std::size_t i = 0; i < tasks_.size() && held_.size() < most; i++) {
    board::HandedTask& task = tasks_[i];
    if (task.end != board::TaskEnd::kUnknown) {
      continue;
    }
    catalog::HeldTask& held = held_.emplace_back();
    End end{i, board::TaskEnd::kGone, 0, task.tid};
    const pg::RowHold hold = catalog::HoldTask(task.task_id, task.tid, pg::IfBusy::kGiveUp, &held);
    if (hold == pg::RowHold::kBusy) {
      end.end = board::TaskEnd::kSnoozed;
      end.at = begun_ + kBusyRest;
    }
    const bool is_as_handed = ItemPointerEquals(&held.tid, &task.tid);
    if (hold != pg::RowHold::kHeld || !is_as_handed || !IsToBeDone(&held, run_id, &end)) {
      Note(end);
      held_.pop_back();
      continue;
    }
    const catalog::TaskPayload payload = held.payload();
    items_.values.push_back(payload.value);
    items_.nulls.push_back(static_cast<char>(payload.is_null));
    items_.values.push_back(Int64GetDatum(held.task.task_id));
    items_.nulls.push_back(0);
    places_.push_back(i);
  }
  wishes_.resize(held_.size());
  results_.resize(held_.size(), nullptr);
}

void TaskBatch::Save(const batch::BatchDone& done, const TaskBatchRules& rules) {
  auto failure = done.failures.begin();
  for (int item = 0; item < done.items; item++) {
    const bool failed = failure != done.failures.end() && failure->item == item;
    SaveOne(item, failed ? &failure->error : nullptr, rules);
    if (failed) {
      ++failure;
    }
  }
}

bool TaskBatch::LetGo(int item) {
  TaskWish& wish = wishes_[At(item)];
  if (wish.snoozed_until != 0) {
    return false;
  }
  catalog::DeleteTask(held_[At(item)]);
  wish.gave_key = true;
  return true;
}

// What has let it go may have been rolled back since.
bool TaskBatch::IsDeleted(int item) const {
  return wishes_[At(item)].gave_key && !catalog::FindTask(IdOf(item));
}

// One that is so long that it was cut is none.
catalog::TaskPayload TaskBatch::ResultOf(int item) const {
  const char* json = results_[At(item)];
  if (json == nullptr ||
      std::strlen(json) + MAX_MULTIBYTE_CHAR_LEN > static_cast<Size>(catalog::kMaxResultText)) {
    return {};
  }
  return {pg::Call([json] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json)); }), false};
}

void TaskBatch::SaveOne(int item, const catalog::RunError* error, const TaskBatchRules& rules) {
  catalog::HeldTask& held = held_[At(item)];
  catalog::Task& task = held.task;
  const TaskWish& wish = wishes_[At(item)];
  policy::EndedTask ended;
  ended.ended_at = GetCurrentTimestamp();
  if (error != nullptr) {
    ended.end = policy::AttemptEnd::kFailed;
    ended.error = policy::RetryClassOf(SqlstateOf(error->sqlstate));
    task.sqlstate = SqlstateOf(error->sqlstate);
    task.error = catalog::Storable(error->message, catalog::kMaxErrorText);
  } else if (wish.discarded) {
    ended.end = policy::AttemptEnd::kDiscarded;
    task.sqlstate.clear();
    task.error = catalog::Storable(wish.reason, catalog::kMaxErrorText);
  } else if (wish.snoozed_until != 0) {
    ended.end = policy::AttemptEnd::kSnoozed;
    ended.asked = wish.snoozed_until;
  }
  const policy::TaskVerdict verdict = policy::AfterAttempt(
      {task.attempts, task.crashes, task.alone}, rules.task, ended, RandomUnit());
  task.attempts = verdict.standing.attempts;
  task.crashes = verdict.standing.crashes;
  task.alone = verdict.standing.alone;

  End end{places_[At(item)], board::TaskEnd::kDone, 0, held.tid};
  catalog::TaskEnd finish;
  finish.finished_at = ended.ended_at;
  finish.started_at = begun_;
  finish.is_deleted = IsDeleted(item);
  finish.run_id = rules.run_id;
  switch (verdict.next) {
    case policy::TaskVerdict::Next::kCompleted:
      finish.result = ResultOf(item);
      if (rules.keeps_completed) {
        catalog::FinishTask(&held, finish);
      } else if (!finish.is_deleted) {
        catalog::DeleteTask(held);
      }
      completed_++;
      break;
    case policy::TaskVerdict::Next::kDead:
      finish.state = catalog::TaskState::kDead;
      catalog::FinishTask(&held, finish);
      end.end = board::TaskEnd::kDead;
      failed_++;
      break;
    case policy::TaskVerdict::Next::kAgain:
      task.run_at = verdict.run_at;
      catalog::UpdateTask(&held);
      end.end = error != nullptr ? board::TaskEnd::kRetry : board::TaskEnd::kSnoozed;
      end.at = verdict.run_at;
      end.tid = held.tid;
      failed_ += error != nullptr ? 1 : 0;
      break;
  }
  Note(end);
}

void TaskBatch::Committed() {
  for (const End& end : ends_) {
    board::HandedTask& task = tasks_[end.task];
    task.end = end.end;
    task.at = end.at;
    task.tid = end.tid;
  }
  ended_ += ends_.size();
  ends_.clear();
}

bool TaskBatch::IsDone() const { return ended_ == tasks_.size(); }

}  // namespace ratchet::worker
