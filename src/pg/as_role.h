// The rights and the settings of another role, for a while.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.h"

namespace ratchet::pg {

// Names and values, in the order in which they are set: the last one counts.
using SettingList = std::vector<std::pair<std::string, std::string>>;

// What a session of this role in this database begins with, as ALTER ROLE and ALTER DATABASE have
// set it. In a transaction.
SettingList SettingsAtLogin(Oid role);

// Within a transaction that is somebody else's. What is looked up, planned and folded between the
// constructor and End() is done as this role and under these settings, and can neither take other
// rights nor change the session. When an exception ends it instead, the abort of the transaction
// or subtransaction restores all, as the rules of pg::Call demand one.
class AsRole {
 public:
  // Only those settings are made that the role itself may make, and that end with this: others, and
  // values that the server refuses, are left out.
  AsRole(Oid role, const SettingList& settings);
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
