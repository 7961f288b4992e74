// ratchet.home: the server and database that run these jobs, and the key with which the library
// seals what it writes (seal.h).
#pragma once

#include "pg/server.h"
#include "policy/sip_hash.h"

namespace ratchet::catalog {

enum class HomeFinding {
  kHere,
  kNew,        // nobody has run these jobs yet
  kElsewhere,  // the jobs came here in a copy of the database
  kCopied,     // the whole server is a copy, and nobody has said yet that they run here
};

// Needs a transaction. A server that pg_upgrade made from the old one is the same home.
HomeFinding CheckHome();
// A copy without jobs and channels (of a template database with the extension, say) has nothing to
// hold back: makes this the home then, and returns true. Called before the first one is defined.
bool SettleIfEmpty(TimestampTz now);
// Since when these jobs run here; 0: not known.
TimestampTz HomeSince();

// All jobs of the database are paused, beside those that are by themselves: ratchet.pause_all().
struct PauseOfAll {
  TimestampTz since = 0;  // 0: they are not
  Oid by = InvalidOid;
};
PauseOfAll FindPauseOfAll();
// The same for who must not wait for a lock: that somebody stands in the way counts as no pause.
PauseOfAll GlancePauseOfAll();
void SetPauseOfAll(const PauseOfAll& pause);

// What becomes of the key when a home is made.
enum class SealKey {
  kKeep,  // rows that were sealed before stay believed
  kNew,   // none of them is any more
};
// Makes this the home, and the only one. A home that has no key gets one.
void MakeHome(TimestampTz now, SealKey key);

// Null when there is none: nothing is sealed then, and nothing is believed. Valid until the next
// call. For use inside pg::Call.
const policy::SipKey* FindSealKey();
// The next look reads the table. Who is told of adopt() by its commit is told before the server
// says that the table has changed.
void ForgetSealKey();

}  // namespace ratchet::catalog
