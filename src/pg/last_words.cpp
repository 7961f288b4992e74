#include "pg/last_words.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "port.h"
#include "utils/guc.h"
}

namespace ratchet::pg {
namespace {

bool listens = false;
LastWords last_words;
const LastWords* volatile instead = nullptr;
emit_log_hook_type next_log_hook = nullptr;

// For a copy of the error, which the server shows to nobody else. Its first block is there from the
// start.
MemoryContext copies = nullptr;
constexpr Size kCopySize = 8192;

// Who has ended the process, which the server knows since 19, is in the detail for the log. In the
// middle of an ereport() of level FATAL or PANIC: nothing may raise an error or allocate.
void Keep(const ErrorData& error) {
  if (error.elevel < FATAL) {
    return;
  }
  if (instead != nullptr) {
    last_words = *instead;
    return;
  }
  const char* detail = error.detail != nullptr ? error.detail : error.detail_log;
  last_words.sqlstate = error.sqlerrcode;
  strlcpy(last_words.message, error.message != nullptr ? error.message : "",
          sizeof(last_words.message));
  strlcpy(last_words.detail, detail != nullptr ? detail : "", sizeof(last_words.detail));
}

void AtLogMessage(ErrorData* error) {
  Keep(*error);
  if (next_log_hook != nullptr) {
    next_log_hook(error);
  }
}

}  // namespace

void ListenForLastWords() {
  if (listens) {
    return;
  }
  copies = Call([] {
    MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ratchet last words", kCopySize,
                                                  kCopySize, kCopySize);
    // A PANIC comes out of a critical section, mostly.
    MemoryContextAllowInCriticalSection(context, true);
    return context;
  });
  listens = true;
  next_log_hook = emit_log_hook;
  emit_log_hook = AtLogMessage;
}

// The level of a message is not to be had without a copy of all of it, which is made only if the
// hook will not be called.
void HearLastWords() {
  if (!listens || LogLevel() <= FATAL) {
    return;
  }
  MemoryContext old = MemoryContextSwitchTo(copies);
  Keep(*CopyErrorData());
  MemoryContextSwitchTo(old);
  MemoryContextReset(copies);
}

const LastWords& TheLastWords() { return last_words; }

void ForgetLastWords() { last_words = LastWords{}; }

void SayInstead(const LastWords* words) { instead = words; }

}  // namespace ratchet::pg
