// What becomes of a batch that has failed as a whole, and not for an item.
#include "batch/failure_words.h"
#include "batch/in_the_way.h"
#include "batch/walk.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "policy/error_class.h"

namespace ratchet::batch {
namespace {

std::string TextOr(const char* text, const char* other) { return text != nullptr ? text : other; }

// The error of the server says what it had no room for.
[[noreturn]] void RefuseTooBig(const ErrorData& error) {
  throw pg::Error(
      error.sqlerrcode,
      "a batch of one item is too big for the memory: " + TextOr(error.message, ""),
      TextOr(error.hint, "Give the server more memory, or let the action do less for one item."),
      TextOr(error.detail, ""));
}

}  // namespace

// Whether what is done already is committed, and a smaller batch goes on behind it.
bool Walk::CutsShort(policy::ErrorClass what) {
  if (what == policy::ErrorClass::kRetry) {
    size_.Shrink();
  } else if (what == policy::ErrorClass::kSmaller) {
    size_.Bound(items_.size() / 2);
  } else {
    return false;
  }
  return true;
}

// The tables may be locked, too, before there is a batch.
bool Walk::TryOpen() {
  clean_ = false;
  tried_items_ = 0;
  try {
    Open();
    return true;
  } catch (const pg::PgError& error) {
    if (!RollBack(error)) {
      throw;
    }
  } catch (const InTheWay&) {
    if (!TryAgainWithoutError()) {
      throw;
    }
  } catch (const pg::OldSnapshot&) {
    if (!TryAgainWithoutError()) {
      throw;
    }
  }
  return false;
}

// Whether the batch is to be tried again after the error. Then its transaction is over, without
// effects, and so is the pause that others need.
bool Walk::RollBack(const pg::PgError& error) {
  switch (ClassOf(error)) {
    case policy::ErrorClass::kRetry:
      size_.Shrink();
      return TryAgainLater();
    case policy::ErrorClass::kSmaller:
      return TrySmaller(error.data());
    default:
      return false;
  }
}

// The server stops, and the batch did not come to its end in time, or a process on which it depends
// has gone. What has committed before it is what the run has done.
bool Walk::RollBackForStop(const pg::PgError& error) {
  if (!host_.HasToEnd() || !host_.IsByStop(error.sqlstate()) || !host_.Abort(clean_ && !saving_)) {
    return false;
  }
  ended_ = false;
  TakeBack();
  ends_ = 0;
  return true;
}

bool Walk::TryAgainLater() {
  ended_ = false;
  if (!retry_.MayTryAgain(pg::AwakeNow().micros) || !host_.Abort(clean_ && !saving_)) {
    return false;
  }
  TakeBack();
  ends_ = 0;
  Wait(retry_.NextWait());
  return true;
}

// Nothing has failed in the backend, so that the transaction can be ended anywhere.
bool Walk::TryAgainWithoutError() {
  clean_ = true;
  return TryAgainLater();
}

// What did not fit once will not fit later in this walk.
bool Walk::TrySmaller(const ErrorData& error) {
  ended_ = false;
  if (tried_items_ == 1) {
    RefuseTooBig(error);
  }
  if (tried_items_ == 0 || !host_.Abort(clean_ && !saving_)) {
    return false;
  }
  size_.Bound(tried_items_ / 2);
  TakeBack();
  ends_ = 0;
  return true;
}

// Others get time to do what they hold the lock for.
void Walk::Wait(std::int64_t micros) {
  const policy::AwakeTime until = pg::AwakeNow() + micros;
  WaitWhile(run_.slot, board::RunWait::kLock,
            [&] { return host_.HasToEnd() ? 0 : until - pg::AwakeNow(); });
}

}  // namespace ratchet::batch
