// The error of which this process dies, for whoever has to say why it did.
//
// The server tells it to its log, where a hook hears it; with log_min_messages = panic the client
// alone is told. What is always asked is error_context_stack.
#pragma once

namespace ratchet::pg {

// The message and its detail are cut to fit.
struct LastWords {
  int sqlstate = 0;  // 0: none were said
  char message[256] = "";
  char detail[256] = "";
};

// From now on they are kept. A second call is no harm. Throws PgError.
void ListenForLastWords();

// To be called by a callback in error_context_stack.
void HearLastWords();

// What was said since the process began, or since they were forgotten. In an exit callback, too.
const LastWords& TheLastWords();
void ForgetLastWords();

// Whatever this process says as its last words, it is to be these, which live as long as it does.
// May be called in a signal handler.
void SayInstead(const LastWords* words);

}  // namespace ratchet::pg
