// Who is in the way of a lock that a process of ours needs on one of the extension's tables, and
// what is done about it. Nobody of ours waits without a bound: a process gives up the lock after
// about a second, looks here, and tries again.
#pragma once

#include <string>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/lock.h"
}

#include "policy/steady_time.h"

namespace ratchet::catalog {

struct LockWait {
  LOCKTAG tag;
  LOCKMODE mode;
};

// That on a table of the extension.
LockWait WaitForTable(const char* name, LOCKMODE mode);

// A session that holds the lock in a mode that conflicts, or waits for it in one: who comes later
// waits behind it.
struct Blocker {
  pid_t pid;  // 0: a prepared transaction
  Oid role;   // with which it has logged in; InvalidOid: a process of the server itself
  LOCKMODE mode;
  bool holds;

  bool operator==(const Blocker&) const = default;
};

class LockBlockers {
 public:
  // Names who is in the way, in the server's log once for each. The statement of a role that is no
  // superuser is canceled; if its session is still in the way when it is asked for again, it is
  // terminated, for it may be idle in its transaction. Superusers know what they do: they are only
  // named. Returns "process 12 of role "x" holds AccessExclusiveLock on table ratchet.run_log"; an
  // empty text when nobody is in the way any more. In a transaction.
  std::string MakeWay(const LockWait& wait, policy::SteadyTime now);
  // The first of those that are known; 0: none, or a prepared transaction.
  pid_t first() const { return known_.empty() ? 0 : known_.front().blocker.pid; }

 private:
  enum class Step { kNamed, kCanceled, kTerminated };
  struct Known {
    LOCKTAG tag;
    Blocker blocker;
    Step step;
    policy::SteadyTime since;  // of the step
  };

  void Proceed(const LockWait& wait, const std::string& what, policy::SteadyTime now, Known* known);

  std::vector<Known> known_;
};

}  // namespace ratchet::catalog
