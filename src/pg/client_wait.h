// Sleeping for a client that may go meanwhile.
#pragma once

namespace ratchet::pg {

// Until the latch of the process is set or the time is over. It ends the session, as FATAL, when
// its client has closed the connection, where the platform can tell. Inside of pg::Call.
void SleepForClient(long milliseconds);

}  // namespace ratchet::pg
