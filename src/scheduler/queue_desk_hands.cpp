// Who has what: hand-outs to stretches and what became of them, and claims of consumers.
#include <algorithm>
#include <cstring>

#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

using Begun = policy::TaskLine::Begun;

// Microseconds: by far longer than a hand-out is meant to take.
constexpr std::int64_t kLaidOutFor = 500'000;

ItemPointerData PlaceOf(const policy::TaskRow& row) {
  ItemPointerData tid;
  std::memcpy(&tid, &row, sizeof(tid));
  return tid;
}

policy::TaskRow RowOf(const ItemPointerData& tid) {
  policy::TaskRow row;
  std::memcpy(&row, &tid, sizeof(row));
  return row;
}

}  // namespace

// For a scheduler that begins: what others have in hand since before it was there.
void QueueDesk::FindHanded() {
  stretches_.clear();
  board::ListStretches(entry_->database, incarnation_, &stretches_);
  const auto take_out = [this](TaskQueue* queue, std::int64_t task_id) {
    ItemPointerData tid;
    const auto task = catalog::FindTask(task_id, &tid);
    if (task && task->queue_id == queue->queue_id) {
      queue->line.AddOut(LineTaskOf(*task, tid), now_);
    }
    return task.has_value();
  };
  for (const board::StretchView& stretch : stretches_) {
    TaskQueue* queue = Find(stretch.queue_id);
    std::vector<board::HandedTask> tasks;
    board::ListHanded(stretch.stretch, stretch.run_id, &tasks);
    for (const board::HandedTask& task : tasks) {
      if (queue != nullptr && take_out(queue, task.task_id)) {
        queue->handed.insert(task.task_id);
        if (task.alone) {
          tried_.insert(task.task_id);
        }
      }
    }
    busy_since_[stretch.stretch] = now_.steady;
  }
  std::vector<board::ClaimedTask> granted;
  board::ListGranted(entry_->database, incarnation_, &granted);
  for (const board::ClaimedTask& claimed : granted) {
    const auto task = catalog::FindTask(claimed.task_id);
    TaskQueue* queue = task ? Find(task->queue_id) : nullptr;
    if (queue != nullptr && take_out(queue, claimed.task_id)) {
      claimed_[claimed.task_id] = queue->queue_id;
    }
  }
}

void QueueDesk::TakeAnswers() {
  stretches_.clear();
  board::ListStretches(entry_->database, incarnation_, &stretches_);
  for (const auto& [id, queue] : queues_) {
    queue->stretches = 0;
  }
  for (const board::StretchView& stretch : stretches_) {
    TakeStretch(stretch);
  }
  std::erase_if(stretches_, [](const board::StretchView& stretch) {
    return stretch.state != board::StretchState::kOpen;
  });
  // With the buffers that are empty now.
  stretches_.clear();
  board::ListStretches(entry_->database, incarnation_, &stretches_);
  std::erase_if(stretches_, [](const board::StretchView& stretch) {
    return stretch.state != board::StretchState::kOpen;
  });
  for (const board::StretchView& stretch : stretches_) {
    if (TaskQueue* queue = Find(stretch.queue_id)) {
      queue->stretches++;
    }
  }
}

void QueueDesk::TakeStretch(const board::StretchView& stretch) {
  TaskQueue* queue = Find(stretch.queue_id);
  board::LeftTasks left{};
  if (stretch.state == board::StretchState::kOpen) {
    board::TakeAnswers(stretch.stretch, stretch.run_id, &left.answered);
  } else {
    board::TakeLeft(stretch.stretch, stretch.run_id, &left);
    busy_since_.erase(stretch.stretch);
  }
  for (const std::vector<board::HandedTask>* tasks : {&left.answered, &left.unused, &left.lost}) {
    for (const board::HandedTask& task : *tasks) {
      tried_.erase(task.task_id);
    }
  }
  if (queue == nullptr) {
    return;
  }
  for (const board::HandedTask& task : left.answered) {
    TakeAnswer(queue, task);
  }
  for (const board::HandedTask& task : left.unused) {
    queue->handed.erase(task.task_id);
    queue->line.Back(task.task_id, Begun::kNo, now_);
  }
  if (!left.lost.empty()) {
    NoteLost(queue, stretch.run_id, left);
  }
  if (!left.answered.empty()) {
    NoteTook(queue, stretch, std::ssize(left.answered));
    Changed();
  }
}

void QueueDesk::NoteTook(TaskQueue* queue, const board::StretchView& stretch, std::int64_t count) {
  const auto since = busy_since_.find(stretch.stretch);
  if (since != busy_since_.end()) {
    queue->NoteTook(now_.steady - since->second, count);
    since->second = now_.steady;
  }
}

void QueueDesk::TakeAnswer(TaskQueue* queue, const board::HandedTask& task) {
  if (queue->handed.erase(task.task_id) == 0) {
    return;
  }
  queue->line.SetRow(task.task_id, RowOf(task.tid));
  if (task.end != board::TaskEnd::kAgain && task.end != board::TaskEnd::kUnknown) {
    Clear(queue, task.task_id);
  }
  switch (task.end) {
    case board::TaskEnd::kDone:
      queue->totals.completed++;
      queue->line.Finished(task.task_id, now_);
      break;
    case board::TaskEnd::kDead:
      queue->totals.failed++;
      queue->dead.Insert(task.task_id);
      queue->line.Finished(task.task_id, now_);
      break;
    case board::TaskEnd::kGone:
      queue->line.Finished(task.task_id, now_);
      touched_.emplace(queue->queue_id, task.task_id);  // or somebody else has it
      break;
    case board::TaskEnd::kRetry:
      queue->totals.failed++;
      PutOff(queue, task.task_id, task.at);
      break;
    case board::TaskEnd::kSnoozed:
      PutOff(queue, task.task_id, task.at);
      break;
    case board::TaskEnd::kAgain:
    case board::TaskEnd::kUnknown:
      queue->line.Back(task.task_id, Begun::kPerhaps, now_);
      break;
  }
}

// Whoever has asked first is served first. A limit on how many work at once counts each task of a
// consumer as one who works.
void QueueDesk::GrantClaims() {
  std::vector<board::ClaimRequest> asked;
  board::ListClaims(entry_->database, incarnation_, &asked);
  std::vector<policy::TaskLine::Granted> granted;
  std::vector<board::ClaimedTask> tasks;
  for (const board::ClaimRequest& request : asked) {
    TaskQueue* queue = Find(request.queue_id);
    granted.clear();
    tasks.clear();
    int most = std::min(request.most, board::kMostTasks);
    if (queue != nullptr && queue->rules.concurrency > 0) {
      const std::int64_t held = queue->line.counts().out - std::ssize(queue->handed);
      most = static_cast<int>(
          std::clamp<std::int64_t>(queue->rules.concurrency - queue->stretches - held, 0, most));
    }
    if (queue != nullptr && may_grant_ && queue->rules.may_start) {
      queue->line.Grant(most, now_, &granted);
    }
    if (granted.empty() && !request.at_once) {
      continue;
    }
    for (const policy::TaskLine::Granted& task : granted) {
      tasks.push_back({task.id, PlaceOf(task.row)});
    }
    const bool is_taken = board::Grant(request, tasks);
    for (const board::ClaimedTask& task : tasks) {
      if (is_taken) {
        claimed_[task.task_id] = queue->queue_id;
      } else {
        queue->line.Back(task.task_id, Begun::kNo, now_);
      }
    }
    Changed();
  }
}

// Who is busy with a task for long leaves what is laid out before it to others.
void QueueDesk::TakeBackFromBusy() {
  stuck_at_ = {};
  for (board::StretchView& stretch : stretches_) {
    TaskQueue* queue = Find(stretch.queue_id);
    const auto since = busy_since_.find(stretch.stretch);
    if (!stretch.has_next || queue == nullptr || since == busy_since_.end()) {
      continue;
    }
    const policy::SteadyTime stuck_at = since->second + kLaidOutFor;
    if (now_.steady < stuck_at) {
      LookWhenStuck(stuck_at);
      continue;
    }
    std::vector<board::HandedTask> tasks;
    board::TakeBack(stretch.stretch, stretch.run_id, &tasks);
    for (const board::HandedTask& task : tasks) {
      tried_.erase(task.task_id);
      queue->handed.erase(task.task_id);
      queue->line.Back(task.task_id, Begun::kNo, now_);
    }
    stretch.empty_buffers += tasks.empty() ? 0 : 1;
    Changed();
  }
}

void QueueDesk::LookWhenStuck(policy::SteadyTime when) {
  stuck_at_ = stuck_at_.IsSet() ? std::min(stuck_at_, when) : when;
}

bool QueueDesk::IsStuck(const board::StretchView& stretch) const {
  const auto since = busy_since_.find(stretch.stretch);
  return since != busy_since_.end() && now_.steady >= since->second + kLaidOutFor;
}

// First those who have nothing to do, which share what there is; then, where tasks take no time,
// those who will want the next ones in a moment.
void QueueDesk::HandOut() {
  EndSurplus();
  TakeBackFromBusy();
  std::unordered_map<std::int64_t, std::int64_t> idle;  // stretches of queues
  for (const board::StretchView& stretch : stretches_) {
    idle[stretch.queue_id] += stretch.empty_buffers == board::kTaskBuffers ? 1 : 0;
  }
  for (const bool has_something : {false, true}) {
    for (const board::StretchView& stretch : stretches_) {
      TaskQueue* queue = Find(stretch.queue_id);
      const bool is_busy = stretch.empty_buffers < board::kTaskBuffers;
      if (queue == nullptr || stretch.end || stretch.empty_buffers == 0 ||
          is_busy != has_something || !may_grant_ || !queue->rules.may_start ||
          (is_busy && (!queue->IsLaidOut() || IsStuck(stretch)))) {
        continue;
      }
      const std::int64_t sharers = std::max<std::int64_t>(idle[stretch.queue_id], 1);
      const std::int64_t share = (queue->line.counts().waiting + sharers - 1) / sharers;
      HandOutTo(
          queue, stretch,
          static_cast<int>(std::clamp<std::int64_t>(share, 1, queue->WorthOf(stretch.wants))));
      idle[stretch.queue_id] -= is_busy ? 0 : 1;
    }
  }
}

// Tasks that may have brought down a process or the server are done beside none of their kind, so
// that it is known who was to blame when it happens again.
void QueueDesk::HandOutTo(TaskQueue* queue, const board::StretchView& stretch, int most) {
  std::vector<policy::TaskLine::Granted> granted;
  most = std::min(most, board::kMostTasks);
  if (queue->line.Grant(most, now_, &granted, !HasSuspectInHand()) == 0) {
    return;
  }
  if (granted.front().alone) {
    queue->line.GrantThese(suspects_.GroupOf(granted.front().id), now_, &granted);
  }
  std::vector<board::HandedTask> tasks;
  tasks.reserve(granted.size());
  for (const policy::TaskLine::Granted& task : granted) {
    tasks.push_back({task.id, 0, PlaceOf(task.row), task.alone, board::TaskEnd::kUnknown});
  }
  const bool is_taken = board::HandOut(stretch.stretch, stretch.run_id, tasks);
  for (const board::HandedTask& task : tasks) {
    if (is_taken) {
      queue->handed.insert(task.task_id);
      if (task.alone) {
        tried_.insert(task.task_id);
      }
    } else {
      queue->line.Back(task.task_id, Begun::kNo, now_);
    }
  }
  if (is_taken && stretch.empty_buffers == board::kTaskBuffers) {
    busy_since_[stretch.stretch] = now_.steady;
  } else if (is_taken) {
    LookWhenStuck(busy_since_[stretch.stretch] + kLaidOutFor);
  }
  Changed();
}

// More than may work at once, or of a queue of which nothing may be done.
void QueueDesk::EndSurplus() {
  for (board::StretchView& stretch : stretches_) {
    TaskQueue* queue = Find(stretch.queue_id);
    const bool is_surplus = queue != nullptr && queue->rules.concurrency > 0 &&
                            queue->stretches > queue->rules.concurrency;
    if (!stretch.end &&
        (queue == nullptr || is_surplus || !may_grant_ || !queue->rules.may_start)) {
      board::EndStretch(stretch.stretch, stretch.run_id);
      stretch.end = true;
      if (queue != nullptr) {
        queue->stretches--;
      }
    }
  }
}

}  // namespace ratchet::scheduler
