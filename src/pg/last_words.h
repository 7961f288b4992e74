// The error of which a process dies, for whoever has to say why it did.
//
// The server tells it to its log, where a hook hears it; with log_min_messages = panic the client
// alone is told. What is always asked is error_context_stack.
#pragma once

namespace ratchet::pg {

// For as long as the process lives; a second call replaces the receiver. `receiver` is called in
// the middle of an ereport() of level FATAL or PANIC: it may neither raise an error nor allocate.
// No text is null. Throws PgError.
using LastWordsReceiver = void (*)(int sqlstate, const char* message, const char* detail) noexcept;
void ListenForLastWords(LastWordsReceiver receiver);

// To be called by a callback in error_context_stack.
void HearLastWords();

}  // namespace ratchet::pg
