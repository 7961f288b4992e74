// Whether the server is on its way down.
#pragma once

namespace ratchet::pg {

// The postmaster was told to stop, whichever way: it says so in postmaster.pid, where pg_ctl reads
// it, before it sends its processes the first signal. So who is terminated by it finds that here,
// and who is terminated by pg_terminate_backend() does not. False when the file cannot be read.
//
// May be called in a signal handler, once it has been called outside of one.
bool ServerIsStopping();

}  // namespace ratchet::pg
