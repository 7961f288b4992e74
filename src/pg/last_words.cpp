#include "pg/last_words.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "utils/guc.h"
}

namespace ratchet::pg {
namespace {

LastWordsReceiver the_receiver = nullptr;
emit_log_hook_type next_log_hook = nullptr;

// For a copy of the error, which the server shows to nobody else. Its first block is there from the
// start.
MemoryContext copies = nullptr;
constexpr Size kCopySize = 8192;

// Who has ended the process, which the server knows since 19, is in the detail for the log.
void Tell(const ErrorData& error) {
  if (error.elevel >= FATAL) {
    const char* detail = error.detail != nullptr ? error.detail : error.detail_log;
    the_receiver(error.sqlerrcode, error.message != nullptr ? error.message : "",
                 detail != nullptr ? detail : "");
  }
}

void AtLogMessage(ErrorData* error) {
  Tell(*error);
  if (next_log_hook != nullptr) {
    next_log_hook(error);
  }
}

}  // namespace

void ListenForLastWords(LastWordsReceiver receiver) {
  const bool listens = the_receiver != nullptr;
  if (!listens) {
    copies = Call([] {
      MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ratchet last words",
                                                    kCopySize, kCopySize, kCopySize);
      // A PANIC comes out of a critical section, mostly.
      MemoryContextAllowInCriticalSection(context, true);
      return context;
    });
  }
  the_receiver = receiver;
  if (!listens) {
    next_log_hook = emit_log_hook;
    emit_log_hook = AtLogMessage;
  }
}

// The level of a message is not to be had without a copy of all of it, which is made only if the
// hook will not be called.
void HearLastWords() {
  if (the_receiver == nullptr || LogLevel() <= FATAL) {
    return;
  }
  MemoryContext old = MemoryContextSwitchTo(copies);
  Tell(*CopyErrorData());
  MemoryContextSwitchTo(old);
  MemoryContextReset(copies);
}

}  // namespace ratchet::pg
