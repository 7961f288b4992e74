// Hears what the server tells the client of a session: NOTICE, WARNING, INFO, and whatever else
// client_min_messages lets through.
//
// In a process without a client the server tells nobody, and does not even make up the text of a
// message that the log does not want. While such a process listens, it has a client that takes
// everything and reads nothing. A session with a client keeps it, and that hears all as ever. What
// goes to the server's log is the same with and without.
#pragma once

#include "policy/kept_messages.h"

namespace ratchet::pg {

// Texts of the server in the encoding of the database; null: none.
struct HeardMessage {
  policy::MessageLevel level;
  int sqlstate;
  const char* text;
  const char* detail;
  const char* hint;
};

// `receiver` is called in the middle of an ereport(): it may allocate, but neither raise an error
// nor write a message. Throws PgError.
void BeginListening(void (*receiver)(const HeardMessage& message) noexcept);
void EndListening() noexcept;

// To be called by a callback in error_context_stack, which is where the server shows a message
// before it is sent.
void Hear();

}  // namespace ratchet::pg
