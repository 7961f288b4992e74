// Owners of jobs and of runs that were dropped: what is theirs becomes nobody's, so that a role
// that gets the number of one of them inherits nothing (catalog/gone_owner.h). The jobs at once,
// the history a few records at a time, when nothing else is due.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "pg/server.h"

namespace ratchet::scheduler {

class GoneOwners {
 public:
  void Clear() { *this = {}; }
  // The role has jobs here, or had.
  void Know(Oid role) {
    if (OidIsValid(role) && known_.insert(role).second) {
      checked_version_ = 0;
    }
  }
  // Whether Find() may find any: `version` tells whether roles have changed since it was called.
  bool MustLook(std::uint32_t version) const {
    return checked_version_ != version || !gone_.empty();
  }
  // In a transaction: those that are not there any more, and whose jobs have not been done yet.
  std::vector<Oid> Find(std::uint32_t version);
  // Something is left of roles that are gone: MustLook() stays true.
  void LookAgain() { checked_version_ = 0; }
  // All of the role's jobs are nobody's; its history is left.
  void JobsAreDone(Oid role);

  // A small step through the history, in a transaction of its own; false when there is nothing to
  // do. Throws PgError.
  bool Step();
  // Whether the next step may be done at once: nobody has in hand what it needs.
  bool GoesOn() const { return !to_do_.empty() && !is_held_up_; }

 private:
  std::set<Oid> known_;
  std::set<Oid> gone_;   // and have jobs
  std::set<Oid> to_do_;  // and have no jobs, perhaps a history
  std::uint32_t checked_version_ = 0;
  // Of the first role in to_do_, once they were looked for.
  std::set<std::int64_t> jobs_;
  bool has_jobs_ = false;
  std::int64_t behind_ = 0;
  bool is_held_up_ = false;
};

}  // namespace ratchet::scheduler
