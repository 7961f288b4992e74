#include "board/task_board_check.h"

#include <algorithm>

#include "board/task_board.h"

extern "C" {
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

class Check {
 public:
  explicit Check(Complaints* complaints) : complaints_(*complaints) {
    handed_.reserve(static_cast<std::size_t>(TheTaskBoard()->stretches) * kTaskBuffers *
                    kMostTasks);
  }

  void All() {
    CheckDatabases();
    for (int i = 0; i < TheTaskBoard()->stretches; i++) {
      CheckStretch(i);
    }
    CheckHanded();
    for (int i = 0; i < TheTaskBoard()->claims; i++) {
      CheckClaim(i);
    }
    CheckQueues();
  }

 private:
  struct Handed {
    Oid database;
    std::int64_t task_id;
    auto operator<=>(const Handed&) const = default;
  };

  void CheckDatabases();
  void CheckStretch(int index);
  void CheckBuffers(int index);
  void CheckHanded();
  void CheckClaim(int index);
  void CheckQueues();

  Complaints& complaints_;
  std::vector<Handed> handed_;
};

void Check::CheckDatabases() {
  for (int i = 0; i < TheTaskBoard()->databases; i++) {
    const TaskDatabase& tasks = TaskDatabases()[i];
    if (!OidIsValid(tasks.database)) {
      continue;
    }
    if (i >= TheTaskBoard()->used_databases || tasks.scheduler_proc == kNone) {
      complaints_.Add("tasks of database %u are in entry %d, and nobody hands them out",
                      tasks.database, i);
    }
    if (tasks.notice_count < 0 || tasks.notice_count > kTaskNotices ||
        (tasks.lost && tasks.notice_count != 0)) {
      complaints_.Add("database %u counts %d notices of tasks", tasks.database, tasks.notice_count);
    }
    for (int other = 0; other < i; other++) {
      if (TaskDatabases()[other].database == tasks.database) {
        complaints_.Add("tasks of database %u have two entries", tasks.database);
      }
    }
  }
}

void Check::CheckBuffers(int index) {
  const StretchSlot& slot = Stretches()[index];
  int taken = 0;
  for (const TaskBuffer& buffer : slot.buffers) {
    const bool is_empty = buffer.state == BufferState::kEmpty;
    if (buffer.count < 0 || buffer.count > kMostTasks || is_empty != (buffer.count == 0)) {
      complaints_.Add("stretch %d has a buffer of %d tasks in state %d", index, buffer.count,
                      static_cast<int>(buffer.state));
      continue;
    }
    if (slot.state == StretchState::kFree && !is_empty) {
      complaints_.Add("stretch %d is free, and has %d tasks", index, buffer.count);
    }
    taken += buffer.state == BufferState::kTaken ? 1 : 0;
    // What has been answered may be in other hands already.
    if (buffer.state == BufferState::kFilled || buffer.state == BufferState::kTaken) {
      for (int i = 0; i < buffer.count; i++) {
        handed_.push_back({slot.database, buffer.tasks[i].task_id});
      }
    }
    if (buffer.state == BufferState::kTaken && slot.waiting) {
      complaints_.Add("stretch %d waits with %d tasks in hand", index, buffer.count);
    }
  }
  if (taken > 1) {
    complaints_.Add("stretch %d has taken %d buffers", index, taken);
  }
}

void Check::CheckStretch(int index) {
  const StretchSlot& slot = Stretches()[index];
  CheckBuffers(index);
  if (slot.state != StretchState::kOpen) {
    if (slot.pid != 0 || slot.proc != kNone) {
      complaints_.Add("stretch %d is nobody's, and has process %d", index,
                      static_cast<int>(slot.pid));
    }
    return;
  }
  const RunSlot& run = Runs()[slot.run];
  if (run.state != RunState::kRunning || run.ticket.run_id != slot.run_id || run.pid != slot.pid ||
      run.ticket.database != slot.database) {
    complaints_.Add("stretch %d of run %lld is in process %d, and its run slot has run %lld in %d",
                    index, static_cast<long long>(slot.run_id), static_cast<int>(slot.pid),
                    static_cast<long long>(run.ticket.run_id), static_cast<int>(run.pid));
  }
}

void Check::CheckHanded() {
  std::sort(handed_.begin(), handed_.end());
  for (std::size_t i = 1; i < handed_.size(); i++) {
    if (handed_[i] == handed_[i - 1]) {
      complaints_.Add("task %lld of database %u is in two hands",
                      static_cast<long long>(handed_[i].task_id), handed_[i].database);
    }
  }
}

void Check::CheckClaim(int index) {
  const ClaimSlot& claim = Claims()[index];
  const bool is_free = claim.state == ClaimState::kFree;
  if (is_free != (claim.pid == 0) ||
      ((claim.state == ClaimState::kGranted) != (claim.count > 0) && !claim.at_once) ||
      claim.count > kMostTasks) {
    complaints_.Add("claim %d is in state %d, and has process %d and %d tasks", index,
                    static_cast<int>(claim.state), static_cast<int>(claim.pid), claim.count);
  }
  if (!is_free && ProcGlobal->allProcs[index].pid != claim.pid) {
    complaints_.Add("claim %d is of process %d, where process %d is", index,
                    static_cast<int>(claim.pid), ProcGlobal->allProcs[index].pid);
  }
}

void Check::CheckQueues() {
  for (int i = 0; i < TheTaskBoard()->used_queues; i++) {
    const QueueSlot& slot = Queues()[i];
    if (!OidIsValid(slot.database)) {
      continue;
    }
    const QueueCounters& counters = slot.counters;
    if (std::min({counters.ready, counters.scheduled, counters.blocked, counters.running,
                  counters.dead, counters.enqueued, counters.completed, counters.failed}) < 0) {
      complaints_.Add("queue %lld of database %u has a counter below zero",
                      static_cast<long long>(slot.queue_id), slot.database);
    }
    for (int other = 0; other < i; other++) {
      if (Queues()[other].database == slot.database && Queues()[other].queue_id == slot.queue_id) {
        complaints_.Add("queue %lld of database %u is counted twice",
                        static_cast<long long>(slot.queue_id), slot.database);
      }
    }
  }
}

}  // namespace

void CheckTasks(Complaints* complaints) {
  Check check(complaints);
  const Lock runs(LW_SHARED);
  const TaskLock lock(LW_SHARED);
  check.All();
}

}  // namespace ratchet::board
