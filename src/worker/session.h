// The session of a worker: connected as the owner of the jobs that it runs, and scrubbed between
// runs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "board/board.h"
#include "worker/session_identity.h"
#include "worker/transaction_watch.h"

namespace ratchet::worker {

class Session {
 public:
  // Connects the process. A failure is FATAL, and its message is what the scheduler records.
  Session(Oid database, Oid role);

  // Undoes what a run may have left in the session, at top level. False when something of it is
  // still there, or was not to be undone: the process must not run anything else.
  bool Reset(TransactionWatch& transactions) noexcept;

  // False when the process should make place for a fresh one: its role has changed, or the settings
  // that roles and databases give to its session, or its right to be the role that they name, or
  // the libraries that sessions load when they begin, or time zones, or it has grown. Outside of
  // transactions.
  bool IsFresh(bool look_at_memory);

 private:
  bool IsClean() const;
  bool IsInItsDirectory() const;
  bool IsAsItWas();
  bool HasItsLibraries() const;
  bool MayStillBeItsUser() const;

  Oid database_;
  Oid role_;
  Oid user_ = InvalidOid;  // the role, unless its settings name another one
  dev_t device_ = 0;
  ino_t directory_ = 0;  // the working directory
  std::uint32_t zones_epoch_;
  std::uint32_t epoch_;  // of the last look at what the session was made from
  std::optional<SessionIdentity> made_from_;
  std::string libraries_;        // session_preload_libraries
  std::string local_libraries_;  // local_preload_libraries
};

}  // namespace ratchet::worker
