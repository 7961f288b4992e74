// What ends without anybody to say so: attempts of those who have died, leases, and tasks that were
// not done in time.
#include <algorithm>

#include "catalog/finished_task.h"
#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

// A row that somebody has in hand is looked at again after this time.
constexpr std::int64_t kLookAgain = 100'000;
constexpr int kMostEnds = 500;  // in one pass

ItemPointerData Anywhere() {
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  return tid;
}

}  // namespace

void QueueDesk::NoteEnd(TaskQueue* queue, catalog::HeldTask* held, policy::AttemptEnd how,
                        const std::string& sqlstate, const std::string& error) {
  catalog::Task& task = held->task;
  policy::EndedTask ended;
  ended.end = how;
  ended.error = policy::RetryClassOf(sqlstate);
  ended.ended_at = now_.wall;
  const policy::TaskVerdict verdict =
      policy::AfterAttempt({task.attempts, task.crashes, task.alone}, queue->rules.tasks, ended,
                           std::uniform_real_distribution<double>(0, 1)(random_));
  task.attempts = verdict.standing.attempts;
  task.crashes = verdict.standing.crashes;
  task.alone = verdict.standing.alone;
  task.lease_until = 0;
  if (how != policy::AttemptEnd::kCrashedTogether) {
    task.sqlstate = sqlstate;
    task.error = error;
  }
  if (verdict.next == policy::TaskVerdict::Next::kDead) {
    catalog::TaskEnd end;
    end.state = catalog::TaskState::kDead;
    end.finished_at = now_.wall;
    catalog::FinishTask(held, end);
  } else {
    task.run_at = std::max(task.run_at, verdict.run_at);
    catalog::UpdateTask(held);
  }
  Settle(queue, task.task_id, verdict);
}

// As it has been written in the transaction of the pass.
void QueueDesk::Settle(TaskQueue* queue, std::int64_t task_id, const policy::TaskVerdict& verdict) {
  queue->handed.erase(task_id);
  claimed_.erase(task_id);
  ForgetLease(task_id);
  Clear(queue, task_id);
  if (verdict.next == policy::TaskVerdict::Next::kDead) {
    queue->dead.Insert(task_id);
    queue->totals.failed++;
    queue->line.Finished(task_id, now_);
    queue->line.Remove(task_id, now_);
    return;
  }
  PutOff(queue, task_id, verdict.run_at);
  touched_.emplace(queue->queue_id, task_id);  // whether it is to be done alone
}

// ---- Leases

void QueueDesk::SetLease(TaskQueue* queue, std::int64_t task_id, TimestampTz until) {
  ForgetLease(task_id);
  leases_[task_id] = {queue->queue_id, until};
  lease_ends_.emplace(until, task_id);
}

void QueueDesk::ForgetLease(std::int64_t task_id) {
  const auto lease = leases_.find(task_id);
  if (lease != leases_.end()) {
    lease_ends_.erase({lease->second.until, task_id});
    leases_.erase(lease);
  }
}

void QueueDesk::ExpireLeases() {
  for (int i = 0; i < kMostEnds && !lease_ends_.empty() && lease_ends_.begin()->first <= now_.wall;
       i++) {
    const std::int64_t task_id = lease_ends_.begin()->second;
    TaskQueue* queue = Find(leases_.at(task_id).queue_id);
    if (queue == nullptr) {
      ForgetLease(task_id);
    } else if (!ExpireLease(queue, task_id)) {
      SetLease(queue, task_id, now_.wall + kLookAgain);
    }
    Changed();
  }
}

// The consumer has not come back in time: nobody knows whether it has died of the task. False when
// somebody has the row in hand.
bool QueueDesk::ExpireLease(TaskQueue* queue, std::int64_t task_id) {
  Begin();
  catalog::HeldTask held;
  switch (catalog::HoldTask(task_id, Anywhere(), pg::IfBusy::kGiveUp, &held)) {
    case pg::RowHold::kBusy:
      return false;
    case pg::RowHold::kGone:
      TakeGone(queue, task_id);
      return true;
    case pg::RowHold::kHeld:
      break;
  }
  if (!held.task.is_leased()) {
    ForgetLease(task_id);
    touched_.emplace(queue->queue_id, task_id);
  } else if (held.task.lease_until > now_.wall) {
    SetLease(queue, task_id, held.task.lease_until);
  } else {
    NoteEnd(
        queue, &held,
        held.task.alone ? policy::AttemptEnd::kCrashedAlone : policy::AttemptEnd::kCrashedTogether,
        "57P02", "its lease ended before the task did");
  }
  return true;
}

// ---- Tasks that were not done in time

void QueueDesk::ExpireTasks() {
  for (const auto& [id, queue] : queues_) {
    std::vector<std::int64_t> expired;
    queue->line.TakeExpired(kMostEnds, now_, &expired);
    for (const std::int64_t task_id : expired) {
      Begin();
      catalog::HeldTask held;
      switch (catalog::HoldTask(task_id, Anywhere(), pg::IfBusy::kGiveUp, &held)) {
        case pg::RowHold::kHeld:
          if (held.task.expires_at != 0 && held.task.expires_at <= now_.wall &&
              !held.task.is_leased()) {
            catalog::TaskEnd end;
            end.state = catalog::TaskState::kExpired;
            end.finished_at = now_.wall;
            catalog::FinishTask(&held, end);
            queue->line.Finished(task_id, now_);
            break;
          }
          queue->line.Finished(task_id, now_);
          touched_.emplace(id, task_id);
          break;
        case pg::RowHold::kBusy:
          SetLease(queue.get(), task_id, now_.wall + kLookAgain);
          break;
        case pg::RowHold::kGone:
          queue->line.Finished(task_id, now_);
          break;
      }
      Changed();
    }
  }
}

}  // namespace ratchet::scheduler
