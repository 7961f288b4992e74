#include "board/task_state.h"

namespace ratchet::board {
namespace {

// Fresh memory is zero: that must be a state.
static_assert(static_cast<int>(BufferState::kEmpty) == 0);
static_assert(static_cast<int>(StretchState::kFree) == 0);
static_assert(static_cast<int>(ClaimState::kFree) == 0);

// One that was left is emptied in whatever state it is.
[[maybe_unused]] constexpr bool MayBecome(BufferState from, BufferState to) {
  using enum BufferState;
  switch (from) {
    case kEmpty:
      return to == kFilled || to == kEmpty;
    case kFilled:
      return to == kTaken || to == kEmpty;
    case kTaken:
      return to == kAnswered || to == kEmpty;
    case kAnswered:
      return to == kEmpty;
  }
  return false;
}

// One whose extension is gone is free at once when its process leaves it.
[[maybe_unused]] constexpr bool MayBecome(StretchState from, StretchState to) {
  using enum StretchState;
  switch (from) {
    case kFree:
      return to == kOpen;
    case kOpen:
      return to == kLeft || to == kFree;
    case kLeft:
      return to == kFree;
  }
  return false;
}

[[maybe_unused]] constexpr bool MayBecome(ClaimState from, ClaimState to) {
  using enum ClaimState;
  switch (from) {
    case kFree:
      return to == kAsked;
    case kAsked:
      return to == kGranted || to == kFree;
    case kGranted:
      return to == kFree;
  }
  return false;
}

}  // namespace

void SetState(TaskBuffer* buffer, [[maybe_unused]] BufferState from, BufferState to) {
  Assert(buffer->state == from && MayBecome(from, to));
  buffer->state = to;
  if (to == BufferState::kEmpty) {
    buffer->count = 0;
  }
}

void SetState(StretchSlot* stretch, [[maybe_unused]] StretchState from, StretchState to) {
  Assert(stretch->state == from && MayBecome(from, to));
  stretch->state = to;
}

void SetState(ClaimSlot* claim, [[maybe_unused]] ClaimState from, ClaimState to) {
  Assert(claim->state == from && MayBecome(from, to));
  claim->state = to;
}

}  // namespace ratchet::board
