// The lines of queues have a length beyond which tasks stand behind them (scheduler/task_queue.h):
// they are read again when it is their turn.
#include <algorithm>
#include <cstdlib>

#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

// Rows in one pass, and in one look into the index.
constexpr int kMostRows = 5'000;
constexpr int kMostAtOnce = 1'000;

// Microseconds by which the clocks may drift apart before it shows in how long tasks have waited.
constexpr std::int64_t kDrift = 100'000;

}  // namespace

// The clocks drift apart by microseconds from one look to the next: tasks that came in one order,
// or at one moment, are not to be read in another one by that.
std::int64_t QueueDesk::WaitedSince(TimestampTz ready) {
  const std::int64_t apart = now_.wall - now_.steady.micros;
  if (std::abs(apart - clocks_apart_) > kDrift) {
    clocks_apart_ = apart;
  }
  return std::max<std::int64_t>(now_.steady.micros - (ready - clocks_apart_), 0);
}

void QueueDesk::ReadBehind() {
  int left = kMostRows;
  for (const auto& [id, queue] : queues_) {
    queue->WakeSleepers(now_.wall);
    policy::TaskSet* behind = nullptr;
    while (left > 0 && (behind = queue->NextBehind()) != nullptr) {
      Begin();
      left -= ReadBehind(queue.get(), behind, std::min(left, kMostAtOnce));
    }
  }
}

// What is not found is gone: who has ended it tells of it. What has changed is told of, too, and is
// read again in any case.
int QueueDesk::ReadBehind(TaskQueue* queue, policy::TaskSet* behind, int most) {
  struct Visit {
    QueueDesk* desk;
    TaskQueue* queue;
    policy::TaskSet* behind;
    int read;
  } visit{this, queue, behind, 1};
  const policy::TaskSet::Range range = behind->First(most);
  catalog::ScanTaskRange(
      range.first, range.last,
      [](void* context, const catalog::Task& task, const ItemPointerData& tid) {
        auto* seen = static_cast<Visit*>(context);
        seen->read++;
        if (!seen->behind->Erase(task.task_id)) {
          return true;
        }
        const TimestampTz now = seen->desk->now_.wall;
        if (task.quarantined || task.is_leased() || task.run_at > now ||
            !TaskQueue::MayStandBehind(task) || seen->desk->suspects_.Includes(task.task_id)) {
          seen->desk->touched_.emplace(task.queue_id, task.task_id);
          return true;
        }
        const std::int64_t ready = std::max(task.enqueued_at, task.run_at);
        seen->queue->line.AddLast(LineTaskOf(task, tid), seen->desk->now_,
                                  seen->desk->WaitedSince(ready));
        return true;
      },
      &visit);
  behind->EraseRange(range);
  return visit.read;
}

}  // namespace ratchet::scheduler
