// What the server has made the session of a worker from: the row of its role, and the settings that
// ALTER ROLE and ALTER DATABASE have left for it. Whoever changes one of them, by whatever
// statement and in whatever way it commits, makes another row.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::worker {

class SessionIdentity {
 public:
  // In a transaction, as the catalogs are now. Nothing when the role is gone.
  static std::optional<SessionIdentity> Read(Oid database, Oid role);

  bool operator==(const SessionIdentity& other) const;
  bool is_superuser() const { return is_superuser_; }

 private:
  // A version of a row; without one, both are invalid.
  struct Row {
    TransactionId made_by = InvalidTransactionId;
    ItemPointerData place{};
  };

  Row role_;
  bool is_superuser_ = false;
  // Settings of the role in the database, of the role, of the database, of everybody.
  std::array<Row, 4> settings_;
};

// From then on this process hears of changes of roles. Called once, before it connects: what
// changes meanwhile is heard, too.
void ListenForRoleChanges();
// True once after any row of a role has changed, as far as this process has heard of it. Only for a
// process that is connected: before, it has no place among those that get the server's messages,
// and would read, and advance, what is in memory where that place would be.
bool RolesHaveChanged();

}  // namespace ratchet::worker
