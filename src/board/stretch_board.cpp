#include "board/stretch_board.h"

#include <algorithm>

#include "board/task_list.h"
#include "board/task_state.h"
#include "pg/clock.h"
#include "pg/compat.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

int my_stretch = kNone;
StretchDeath my_death{StretchDeath::kUnknown, 0, 0, {}};

// Those that follow are called with the lock.

TaskBuffer* FindBuffer(StretchSlot* slot, BufferState state) {
  TaskBuffer* found = nullptr;
  for (TaskBuffer& buffer : slot->buffers) {
    if (buffer.state == state && (found == nullptr || buffer.number < found->number)) {
      found = &buffer;
    }
  }
  return found;
}

void FreeStretch(StretchSlot* slot) {
  for (TaskBuffer& buffer : slot->buffers) {
    SetState(&buffer, buffer.state, BufferState::kEmpty);
  }
  SetState(slot, slot->state, StretchState::kFree);
  slot->proc = kNone;
  slot->pid = 0;
  slot->run = kNone;
}

// Runs in whatever state the process is.
void Leave(StretchSlot* slot, const StretchDeath& death) {
  if (!OidIsValid(slot->incarnation)) {
    FreeStretch(slot);  // nobody would ask for it
    return;
  }
  SetState(slot, StretchState::kOpen, StretchState::kLeft);
  slot->death = death;
  slot->end = true;
  slot->waiting = false;
  slot->proc = kNone;
  slot->pid = 0;
  slot->run = kNone;
  WakeSchedulerOfTasks(slot->database);
}

void StretchGone(int /*code*/, Datum /*argument*/) {
  if (my_stretch != kNone) {
    const TaskLock lock;
    Leave(&Stretches()[my_stretch], my_death);
    my_stretch = kNone;
  }
}

// Null when the slot has another one by now.
StretchSlot* OfRun(int stretch, std::int64_t run_id) {
  StretchSlot& slot = Stretches()[stretch];
  return slot.state != StretchState::kFree && slot.run_id == run_id ? &slot : nullptr;
}

void Append(const TaskBuffer& buffer, std::vector<HandedTask>* tasks) {
  tasks->insert(tasks->end(), buffer.tasks, buffer.tasks + buffer.count);
}

// So that nothing is allocated under the lock.
void MakeRoom(std::vector<HandedTask>* tasks) {
  tasks->reserve(tasks->size() + static_cast<std::size_t>(kTaskBuffers) * kMostTasks);
}

}  // namespace

int OpenStretch(int run, std::int64_t queue_id, int wants) {
  static bool installed = false;
  if (!installed) {
    on_shmem_exit(StretchGone, 0);
    installed = true;
  }
  const RunTicket& ticket = Runs()[run].ticket;
  const TaskLock lock;
  for (int i = 0; i < TheTaskBoard()->stretches; i++) {
    StretchSlot& slot = Stretches()[i];
    if (slot.state != StretchState::kFree) {
      continue;
    }
    SetState(&slot, StretchState::kFree, StretchState::kOpen);
    slot.end = slot.waiting = false;
    slot.death = {};
    slot.database = ticket.database;
    slot.incarnation = ticket.incarnation;
    slot.queue_id = queue_id;
    slot.run_id = ticket.run_id;
    slot.run = run;
    slot.proc = pg::MyPlaceInAllProcs();
    slot.pid = MyProcPid;
    slot.wants = wants;
    slot.waiting_since = {};
    slot.hand_outs = 0;
    my_stretch = i;
    WakeSchedulerOfTasks(slot.database);
    return i;
  }
  return kNone;
}

void LeaveStretch(int stretch) {
  my_stretch = kNone;
  const TaskLock lock;
  Leave(&Stretches()[stretch], {});
}

void SayHowItDies(const StretchDeath& death, std::span<const HandedTask> taken) {
  my_death = death;
  if (my_stretch == kNone) {
    return;
  }
  const TaskLock lock;
  TaskBuffer* buffer = FindBuffer(&Stretches()[my_stretch], BufferState::kTaken);
  if (buffer != nullptr && buffer->count == static_cast<int>(taken.size())) {
    std::copy(taken.begin(), taken.end(), buffer->tasks);
  }
}

StretchTurn TakeTasks(int stretch, std::vector<HandedTask>* tasks) {
  Assert(tasks->capacity() >= static_cast<std::size_t>(kMostTasks));
  tasks->clear();
  const policy::SteadyTime now = pg::SteadyNow();
  const TaskLock lock;
  StretchSlot& slot = Stretches()[stretch];
  if (slot.end || !OidIsValid(slot.incarnation)) {
    return StretchTurn::kEnd;
  }
  TaskBuffer* buffer = FindBuffer(&slot, BufferState::kFilled);
  if (buffer == nullptr) {
    if (!slot.waiting) {
      slot.waiting = true;
      slot.waiting_since = now;
      WakeSchedulerOfTasks(slot.database);
    }
    return StretchTurn::kNothing;
  }
  slot.waiting = false;
  SetState(buffer, BufferState::kFilled, BufferState::kTaken);
  Append(*buffer, tasks);
  return StretchTurn::kTasks;
}

bool StopWaiting(int stretch) {
  const TaskLock lock;
  StretchSlot& slot = Stretches()[stretch];
  if (!slot.end && FindBuffer(&slot, BufferState::kFilled) != nullptr) {
    return false;
  }
  slot.end = true;
  slot.waiting = false;
  return true;
}

void Answer(int stretch, std::span<const HandedTask> tasks, int wants) {
  const TaskLock lock;
  StretchSlot& slot = Stretches()[stretch];
  TaskBuffer* buffer = FindBuffer(&slot, BufferState::kTaken);
  Assert(buffer != nullptr && buffer->count == static_cast<int>(tasks.size()));
  std::copy(tasks.begin(), tasks.end(), buffer->tasks);
  SetState(buffer, BufferState::kTaken, BufferState::kAnswered);
  slot.wants = wants;
  WakeSchedulerOfTasks(slot.database);
}

bool StretchHasToEnd(int stretch) {
  const TaskLock lock(LW_SHARED);
  return Stretches()[stretch].end;
}

// ---- For the scheduler

void ListStretches(Oid database, Oid incarnation, std::vector<StretchView>* stretches) {
  stretches->reserve(stretches->size() + static_cast<std::size_t>(TheTaskBoard()->stretches));
  const TaskLock lock(LW_SHARED);
  for (int i = 0; i < TheTaskBoard()->stretches; i++) {
    const StretchSlot& slot = Stretches()[i];
    if (slot.state == StretchState::kFree || slot.database != database ||
        slot.incarnation != incarnation) {
      continue;
    }
    int empty = 0;
    int filled = 0;
    int taken = 0;
    for (const TaskBuffer& buffer : slot.buffers) {
      empty += buffer.state == BufferState::kEmpty ? 1 : 0;
      filled += buffer.state == BufferState::kFilled ? 1 : 0;
      taken += buffer.state == BufferState::kTaken ? 1 : 0;
    }
    stretches->push_back({i, slot.state, slot.end, slot.waiting, slot.waiting_since, slot.queue_id,
                          slot.run_id, slot.pid, slot.wants, empty, filled > 0 && taken > 0});
  }
}

void ListHanded(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks) {
  MakeRoom(tasks);
  const TaskLock lock(LW_SHARED);
  const StretchSlot* slot = OfRun(stretch, run_id);
  if (slot == nullptr) {
    return;
  }
  for (const TaskBuffer& buffer : slot->buffers) {
    if (buffer.state == BufferState::kFilled || buffer.state == BufferState::kTaken) {
      Append(buffer, tasks);
    }
  }
}

bool HandOut(int stretch, std::int64_t run_id, std::span<const HandedTask> tasks) {
  Assert(!tasks.empty() && tasks.size() <= static_cast<std::size_t>(kMostTasks));
  const TaskLock lock;
  StretchSlot* slot = OfRun(stretch, run_id);
  if (slot == nullptr || slot->state != StretchState::kOpen || slot->end ||
      !OidIsValid(slot->incarnation)) {
    return false;
  }
  TaskBuffer* buffer = FindBuffer(slot, BufferState::kEmpty);
  if (buffer == nullptr) {
    return false;
  }
  std::copy(tasks.begin(), tasks.end(), buffer->tasks);
  buffer->count = static_cast<int>(tasks.size());
  buffer->number = ++slot->hand_outs;
  SetState(buffer, BufferState::kEmpty, BufferState::kFilled);
  if (slot->waiting) {
    slot->waiting = false;
    WakeProc(slot->proc);
  }
  return true;
}

void TakeAnswers(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks) {
  MakeRoom(tasks);
  const TaskLock lock;
  StretchSlot* slot = OfRun(stretch, run_id);
  if (slot == nullptr) {
    return;
  }
  while (TaskBuffer* buffer = FindBuffer(slot, BufferState::kAnswered)) {
    Append(*buffer, tasks);
    SetState(buffer, BufferState::kAnswered, BufferState::kEmpty);
  }
}

void TakeBack(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks) {
  MakeRoom(tasks);
  const TaskLock lock;
  StretchSlot* slot = OfRun(stretch, run_id);
  if (slot == nullptr || FindBuffer(slot, BufferState::kTaken) == nullptr) {
    return;
  }
  while (TaskBuffer* buffer = FindBuffer(slot, BufferState::kFilled)) {
    Append(*buffer, tasks);
    SetState(buffer, BufferState::kFilled, BufferState::kEmpty);
  }
}

void TakeLeft(int stretch, std::int64_t run_id, LeftTasks* left) {
  for (std::vector<HandedTask>* tasks : {&left->answered, &left->unused, &left->lost}) {
    MakeRoom(tasks);
  }
  const TaskLock lock;
  StretchSlot* slot = OfRun(stretch, run_id);
  if (slot == nullptr || slot->state != StretchState::kLeft) {
    return;
  }
  left->death = slot->death;
  for (const TaskBuffer& buffer : slot->buffers) {
    for (int i = 0; i < buffer.count; i++) {
      const bool is_known = buffer.tasks[i].end != TaskEnd::kUnknown;
      (buffer.state == BufferState::kFilled                 ? left->unused
       : buffer.state == BufferState::kAnswered || is_known ? left->answered
                                                            : left->lost)
          .push_back(buffer.tasks[i]);
    }
  }
  FreeStretch(slot);
}

void EndStretch(int stretch, std::int64_t run_id) {
  const TaskLock lock;
  StretchSlot* slot = OfRun(stretch, run_id);
  if (slot != nullptr && slot->state == StretchState::kOpen) {
    slot->end = true;
    WakeProc(slot->proc);
  }
}

void EndStretchesOf(Oid database, Oid incarnation, std::int64_t queue_id) {
  const TaskLock lock;
  for (int i = 0; i < TheTaskBoard()->stretches; i++) {
    StretchSlot& slot = Stretches()[i];
    if (slot.state == StretchState::kOpen && slot.database == database &&
        slot.incarnation == incarnation && slot.queue_id == queue_id) {
      slot.end = true;
      WakeProc(slot.proc);
    }
  }
}

void ForgetStretches(Oid database, Oid incarnation) {
  for (int i = 0; i < TheTaskBoard()->stretches; i++) {
    StretchSlot& slot = Stretches()[i];
    if (slot.state == StretchState::kFree || slot.database != database ||
        (OidIsValid(incarnation) && slot.incarnation == incarnation)) {
      continue;
    }
    if (slot.state == StretchState::kLeft) {
      FreeStretch(&slot);
    } else {
      slot.incarnation = InvalidOid;
      slot.end = true;
      WakeProc(slot.proc);
    }
  }
}

}  // namespace ratchet::board
