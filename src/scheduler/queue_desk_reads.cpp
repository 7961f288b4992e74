// What the desk reads in the tables: tasks that are new, those of which something was told, and
// those whose time comes.
#include <algorithm>

#include "catalog/finished_task.h"
#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

// Rows in one pass: jobs want their turn.
constexpr int kMostRows = 5'000;
constexpr std::size_t kMostTouched = 2'000;
constexpr std::int64_t kMostTold = 100'000;

// Delayed tasks are read when they are due within this time; those of a key stand in its line from
// the beginning.
constexpr std::int64_t kAhead = 20 * USECS_PER_SEC;

}  // namespace

// What is in somebody's hands stays there; of everything else the tables know more.
void QueueDesk::ReadAll() {
  for (const auto& [id, queue] : queues_) {
    queue->line.ForgetAllButOut(now_);
    queue->ForgetBehind();
    queue->later.Clear();
    CountDead(queue.get());
  }
  for (const auto& [task_id, queue_id] : claimed_) {
    touched_.emplace(queue_id, task_id);
  }
  new_ = {{1, INT64_MAX}};
  reads_all_ = true;
  read_until_ = now_.wall + kAhead;
  read_until_id_ = INT64_MAX;
  read_due_at_ = now_.wall + kAhead / 2;
}

void QueueDesk::TakeNotices() {
  notices_.clear();
  if (board::TakeTaskNotices(entry_->database, &notices_)) {
    ReadAll();
  }
  for (const board::TaskNotice& notice : notices_) {
    if (notice.kind == board::TaskNotice::kEnqueued) {
      new_.push_back({notice.first, notice.last});
      continue;
    }
    if (notice.last - notice.first > kMostTold) {
      ReadAll();  // some of so many, which a transaction has written
      continue;
    }
    for (std::int64_t id = notice.first; id <= notice.last; id++) {
      touched_.emplace(notice.queue_id, id);
    }
  }
  new_ = policy::MergeSpans(std::move(new_));
}

void QueueDesk::ReadSpans() {
  struct Visit {
    QueueDesk* desk;
    int left;
    std::int64_t last;
  } visit{this, kMostRows, 0};
  while (!new_.empty() && visit.left > 0) {
    Begin();
    policy::TaskSpan& span = new_.front();
    catalog::ScanTaskRange(
        span.first, span.last,
        [](void* context, const catalog::Task& task, const ItemPointerData& tid) {
          auto* seen = static_cast<Visit*>(context);
          seen->desk->TakeRow(task, tid, !seen->desk->reads_all_);
          seen->last = task.task_id;
          return --seen->left > 0;
        },
        &visit);
    if (visit.left > 0 || visit.last == span.last) {
      new_.erase(new_.begin());
    } else {
      span.first = visit.last + 1;
    }
  }
  reads_all_ = reads_all_ && !new_.empty();
}

void QueueDesk::TakeStrangers() {
  const std::set<TaskName> strangers = std::move(strangers_);
  strangers_.clear();
  for (const TaskName& name : strangers) {
    if (FindOrLearn(name.first) != nullptr) {
      new_.push_back({name.second, name.second});
    }
  }
}

// One that may be known already. is_told: it has just been committed. Returns whether it was not.
bool QueueDesk::TakeRow(const catalog::Task& task, const ItemPointerData& tid, bool is_told) {
  TaskQueue* queue = Find(task.queue_id);
  if (queue == nullptr) {
    strangers_.emplace(task.queue_id, task.task_id);
    return false;
  }
  if (task.quarantined || queue->line.Knows(task.task_id) || queue->IsBehind(task.task_id)) {
    return false;
  }
  if (task.is_leased()) {
    queue->line.AddOut(LineTaskOf(task, tid), now_);
    queue->later.Erase(task.task_id);
    claimed_[task.task_id] = task.queue_id;
    SetLease(queue, task.task_id, task.lease_until);
  } else if (task.run_at <= read_until_ || !task.ordering_key.empty()) {
    const std::int64_t ready = std::max(task.enqueued_at, task.run_at);
    PutInLine(queue, task, tid, is_told ? 0 : WaitedSince(ready));
  } else if (!queue->later.Insert(task.task_id)) {
    return false;
  }
  queue->totals.enqueued += is_told ? 1 : 0;
  Changed();
  return true;
}

void QueueDesk::ReadTouched() {
  for (std::size_t i = 0; i < kMostTouched && !touched_.empty(); i++) {
    const TaskName name = *touched_.begin();
    ReadAgain(name);
    touched_.erase(name);
  }
}

void QueueDesk::ReadAgain(const TaskName& name) {
  TaskQueue* queue = FindOrLearn(name.first);
  if (queue == nullptr) {
    return;
  }
  Begin();
  ItemPointerData tid;
  const auto task = catalog::FindTask(name.second, &tid);
  if (task && task->queue_id == queue->queue_id) {
    TakeTouched(queue, *task, tid);
  } else {
    TakeGone(queue, name.second);
  }
  Changed();
}

// Who has it in hand says what becomes of it: a stretch by its answer, a consumer by the notice at
// the end of its transaction. Until that comes somebody else may have told of the row.
void QueueDesk::TakeTouched(TaskQueue* queue, const catalog::Task& task,
                            const ItemPointerData& tid) {
  const std::int64_t id = task.task_id;
  if (queue->handed.contains(id)) {
    return;
  }
  queue->dead.Erase(id);
  queue->TakeFromBehind(id);
  if (task.quarantined) {
    queue->line.Remove(id, now_);
    queue->later.Erase(id);
    return;
  }
  if (task.is_leased()) {
    Clear(queue, id);
    queue->later.Erase(id);
    queue->line.AddOut(LineTaskOf(task, tid), now_);
    queue->line.Started(id, now_);
    claimed_[id] = queue->queue_id;
    SetLease(queue, id, task.lease_until);
    return;
  }
  if (queue->line.IsOut(id)) {
    if (catalog::IsTaskBeingChanged(tid)) {
      return;
    }
    ForgetLease(id);
    claimed_.erase(id);
    queue->line.Back(id, policy::TaskLine::Begun::kPerhaps, now_);
  }
  if (task.run_at <= read_until_ || !task.ordering_key.empty()) {
    PutInLine(queue, task, tid, 0);
  } else {
    queue->line.Remove(id, now_);
    queue->later.Insert(id);
  }
}

// In the line, or behind it. Its place among the delayed ones is given up.
void QueueDesk::PutInLine(TaskQueue* queue, const catalog::Task& task, const ItemPointerData& tid,
                          std::int64_t waited) {
  policy::TaskLine::Task in_line = LineTaskOf(task, tid);
  in_line.alone = in_line.alone || suspects_.Includes(task.task_id);
  if (in_line.alone || !queue->PutBehind(task, now_.wall)) {
    queue->line.Add(in_line, now_, waited);
  }
  queue->later.Erase(task.task_id);
}

void QueueDesk::TakeGone(TaskQueue* queue, std::int64_t task_id) {
  if (queue->handed.contains(task_id)) {
    return;
  }
  Clear(queue, task_id);
  queue->TakeFromBehind(task_id);
  ForgetLease(task_id);
  queue->later.Erase(task_id);
  const auto finished = catalog::FindFinishedTask(task_id);
  const auto state = finished ? finished->state : catalog::TaskState::kCompleted;
  const bool is_dead = state == catalog::TaskState::kDead;
  is_dead ? queue->dead.Insert(task_id) : queue->dead.Erase(task_id);
  if (claimed_.erase(task_id) > 0) {
    queue->totals.failed += is_dead ? 1 : 0;
    queue->totals.completed += state == catalog::TaskState::kCompleted ? 1 : 0;
  }
  queue->line.Finished(task_id, now_);
  queue->line.Remove(task_id, now_);
}

// The task, which is out, is to be done again then.
void QueueDesk::PutOff(TaskQueue* queue, std::int64_t task_id, TimestampTz run_at) {
  if (run_at == 0) {
    queue->line.Back(task_id, policy::TaskLine::Begun::kPerhaps, now_);
  } else if (run_at <= read_until_ || queue->line.IsKeyed(task_id)) {
    queue->line.Delay(task_id, run_at, now_);
  } else {
    queue->line.Finished(task_id, now_);  // until ReadDue() comes to it
    queue->later.Insert(task_id);
  }
}

// By the index on run_at, from where the last look has ended: what lies before, dead versions
// included, is not read again.
void QueueDesk::ReadDue() {
  if (now_.wall < read_due_at_) {
    return;
  }
  struct Visit {
    QueueDesk* desk;
    int left;
    TimestampTz last;
    std::int64_t last_id;
  } visit{this, kMostRows, read_until_, read_until_id_};
  const TimestampTz until = std::max(read_until_, now_.wall + kAhead);
  Begin();
  const TimestampTz from = read_until_;
  read_until_ = until;  // near enough to get in line
  catalog::ScanTasksDue(
      from, read_until_id_, until,
      [](void* context, const catalog::Task& task, const ItemPointerData& tid) {
        auto* seen = static_cast<Visit*>(context);
        seen->last = task.run_at;
        seen->last_id = task.task_id;
        seen->desk->TakeRow(task, tid, false);
        return --seen->left > 0;
      },
      &visit);
  read_until_id_ = INT64_MAX;
  if (visit.left <= 0) {
    read_until_ = visit.last;
    read_until_id_ = visit.last_id;
    read_due_at_ = now_.wall;
  } else {
    read_due_at_ = until - kAhead / 2;
  }
}

}  // namespace ratchet::scheduler
