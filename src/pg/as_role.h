// The rights and the search_path of another role, for a while.
#pragma once

#include "pg/guard.h"

namespace ratchet::pg {

// Within a transaction that is somebody else's. What is looked up, planned and folded between the
// constructor and End() is done as this role and by this search_path, and can neither take other
// rights nor change the session. When an exception ends it instead, the abort of the transaction
// or subtransaction restores all, as the rules of pg::Call demand one.
class AsRole {
 public:
  // Null for `search_path` leaves the session's.
  AsRole(Oid role, const char* search_path);
  AsRole(const AsRole&) = delete;
  AsRole& operator=(const AsRole&) = delete;
  ~AsRole() = default;

  void End();

 private:
  Oid user_ = InvalidOid;
  int security_ = 0;
  int guc_level_ = 0;
};

}  // namespace ratchet::pg
