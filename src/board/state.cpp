#include "board/state.h"

#include <initializer_list>

namespace ratchet::board {
namespace {

// Fresh memory is zero: that must be a state.
static_assert(static_cast<int>(RunState::kFree) == 0);
static_assert(static_cast<int>(WorkerState::kFree) == 0);
static_assert(static_cast<int>(DatabaseState::kUnknown) == 0);

template <typename State>
constexpr bool IsOneOf(State state, std::initializer_list<State> states) {
  for (const State one : states) {
    if (one == state) {
      return true;
    }
  }
  return false;
}

[[maybe_unused]] constexpr bool MayBecome(RunState from, RunState to) {
  using enum RunState;
  switch (from) {
    case kFree:
      return IsOneOf(to, {kReserved, kRunning});
    case kReserved:
      return IsOneOf(to, {kReady, kEnded, kFree});
    case kReady:
      return IsOneOf(to, {kRunning, kEnded, kFree, kReserved});
    case kRunning:
      return to == kEnded;
    case kEnded:
      return to == kFree;
  }
  return false;
}

[[maybe_unused]] constexpr bool MayBecome(WorkerState from, WorkerState to) {
  using enum WorkerState;
  switch (from) {
    case kFree:
      return to == kStarting;
    case kStarting:
      return IsOneOf(to, {kWoken, kLeaving, kFree});
    case kWoken:
    case kBusy:
      return IsOneOf(to, {kBusy, kIdle, kLeaving, kFree});
    case kIdle:
      return IsOneOf(to, {kBusy, kWoken, kLeaving, kFree});
    case kLeaving:
      return IsOneOf(to, {kLeaving, kFree});
  }
  return false;
}

// A scheduler may come late, when the launcher has given it up already.
[[maybe_unused]] constexpr bool MayBecome(DatabaseState from, DatabaseState to) {
  using enum DatabaseState;
  switch (from) {
    case kUnknown:
      return IsOneOf(to, {kStarting, kActive, kAbsent});
    case kStarting:
      return IsOneOf(to, {kActive, kResting, kUnknown});
    case kActive:
      return IsOneOf(to, {kResting, kAbsent, kUnknown});
    case kResting:
    case kAbsent:
      return IsOneOf(to, {kStarting, kActive, kUnknown});
  }
  return false;
}

int IdleIn(WorkerState state) { return state == WorkerState::kIdle ? 1 : 0; }

}  // namespace

void SetState(RunSlot* run, [[maybe_unused]] RunState from, RunState to) {
  Assert(run->state == from && MayBecome(from, to));
  run->state = to;
}

void SetState(WorkerSlot* worker, WorkerState from, WorkerState to) {
  Assert(worker->state == from && MayBecome(from, to));
  worker->state = to;
  Pools()[worker->pool].idle += IdleIn(to) - IdleIn(from);
}

void SetState(DatabaseEntry* entry, [[maybe_unused]] DatabaseState from, DatabaseState to) {
  Assert(entry->database != InvalidOid);
  Assert(entry->state == from && MayBecome(from, to));
  entry->state = to;
}

}  // namespace ratchet::board
