// What the desk tells of its queues, and what of their past it throws away.
#include <algorithm>
#include <cstring>

#include "board/queue_counters.h"
#include "catalog/finished_task.h"
#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

constexpr std::int64_t kRateEvery = 5 * USECS_PER_SEC;
constexpr std::int64_t kPurgeEvery = 30 * USECS_PER_SEC;
constexpr std::int64_t kPurgeSoon = 20'000;
constexpr std::int64_t kMostPurged = 500;
// Dead tasks are counted up to here.
constexpr std::int64_t kMostDead = 100'000;

double Blend(double before, std::int64_t count, std::int64_t micros) {
  constexpr double kWeight = 0.3;
  const double now = static_cast<double>(count) * USECS_PER_SEC / static_cast<double>(micros);
  const double rate = before + kWeight * (now - before);
  return rate < 0.01 ? 0 : rate;
}

}  // namespace

void QueueDesk::CountDead(TaskQueue* queue) {
  queue->dead.Clear();
  Begin();
  catalog::ScanFinishedTasks(
      queue->queue_id, catalog::TaskState::kDead,
      [](void* context, const catalog::FinishedTask& task, const ItemPointerData& /*tid*/) {
        auto* dead = static_cast<policy::TaskSet*>(context);
        dead->Insert(task.task.task_id);
        return dead->size() < kMostDead;
      },
      &queue->dead);
}

// Of what changes by itself, as time goes by, nobody has told.
void QueueDesk::LookAtTime() {
  for (const auto& [id, queue] : queues_) {
    queue->line.Advance(now_);
    const policy::TaskLine::Counts& counts = queue->line.counts();
    if (queue->is_counted && !tell_at_.IsSet() &&
        (counts.waiting + queue->CountBehind() != queue->totals.ready ||
         counts.blocked != queue->totals.blocked || counts.out != queue->totals.running)) {
      Changed();
    }
  }
}

void QueueDesk::TellCounters() {
  LookAtTime();
  if (!tell_at_.IsSet() || now_.steady < tell_at_) {
    return;
  }
  bool goes_on = false;
  for (const auto& [id, queue] : queues_) {
    goes_on = Tell(queue.get()) || goes_on;
  }
  tell_at_ = goes_on ? now_.steady + kRateEvery : policy::kNoSteadyTime;
}

// Whether its rates are to be told again, though nothing happens.
bool QueueDesk::Tell(TaskQueue* queue) {
  if (!queue->is_counted) {
    queue->is_counted = true;
    queue->counters = board::OpenCounters(entry_->database, queue->queue_id);
    queue->totals.counted_since = now_.wall;
    queue->rated_at = now_.steady;
  }
  board::QueueCounters& totals = queue->totals;
  const policy::TaskLine::Counts& counts = queue->line.counts();
  totals.ready = counts.waiting + queue->CountBehind();
  totals.scheduled = counts.delayed + queue->later.size() + queue->CountAsleep();
  totals.blocked = counts.blocked;
  totals.running = counts.out;
  totals.dead = queue->dead.size();
  totals.oldest_ready = counts.waiting > 0 ? now_.wall - queue->line.OldestWait(now_) : 0;
  const std::int64_t span = now_.steady - queue->rated_at;
  if (span >= kRateEvery) {
    totals.enqueued_per_second =
        Blend(totals.enqueued_per_second, totals.enqueued - queue->rated_enqueued, span);
    totals.completed_per_second =
        Blend(totals.completed_per_second, totals.completed - queue->rated_completed, span);
    queue->rated_enqueued = totals.enqueued;
    queue->rated_completed = totals.completed;
    queue->rated_at = now_.steady;
  }
  const char* waits_for = "";
  if (counts.waiting > 0 && !queue->line.HasGrant(now_)) {
    waits_for = queue->rules.line.rate.starts > 0 ? "its rate" : "tasks of the same group_key";
  }
  std::memset(totals.waits_for, 0, sizeof(totals.waits_for));
  strlcpy(totals.waits_for, waits_for, sizeof(totals.waits_for));
  if (queue->counters != board::kNone) {
    board::SetCounters(queue->counters, totals);
  }
  return totals.enqueued_per_second > 0 || totals.completed_per_second > 0 ||
         totals.enqueued != queue->rated_enqueued || totals.completed != queue->rated_completed;
}

void QueueDesk::Purge() {
  if (purge_at_.IsSet() && now_.steady < purge_at_) {
    return;
  }
  bool is_left = false;
  for (const auto& [id, queue] : queues_) {
    if (queue->purge_at.IsSet() && now_.steady < queue->purge_at) {
      continue;
    }
    Begin();
    bool more = false;
    for (const catalog::TaskState state :
         {catalog::TaskState::kCompleted, catalog::TaskState::kDead, catalog::TaskState::kCanceled,
          catalog::TaskState::kExpired}) {
      const std::int64_t keep =
          state == catalog::TaskState::kCompleted ? queue->rules.retention : queue->rules.keep_dead;
      // What the clock says now is not old enough to go because it has just been set.
      const TimestampTz before = entry_->clock.Believed(now_) - keep;
      more = catalog::PurgeFinishedTasks(id, state, before, kMostPurged) >= kMostPurged || more;
    }
    if (!more) {
      CountDead(queue.get());
      Changed();
    }
    queue->purge_at = now_.steady + (more ? 0 : kPurgeEvery);
    is_left = is_left || more;
    break;  // one queue in a pass
  }
  bool is_due = false;
  for (const auto& [id, queue] : queues_) {
    is_due = is_due || !queue->purge_at.IsSet() || queue->purge_at <= now_.steady;
  }
  purge_at_ = now_.steady + (is_left || is_due ? kPurgeSoon : kPurgeEvery);
}

}  // namespace ratchet::scheduler
