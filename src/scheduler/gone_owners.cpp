#include "scheduler/gone_owners.h"

#include "catalog/gone_owner.h"
#include "pg/transaction.h"

namespace ratchet::scheduler {

std::vector<Oid> GoneOwners::Find(std::uint32_t version) {
  if (checked_version_ != version) {
    for (auto it = known_.begin(); it != known_.end();) {
      if (catalog::RoleExists(*it)) {
        ++it;
      } else {
        gone_.insert(*it);
        it = known_.erase(it);
      }
    }
    checked_version_ = version;
  }
  return {gone_.begin(), gone_.end()};
}

void GoneOwners::JobsAreDone(Oid role) {
  gone_.erase(role);
  to_do_.insert(role);
}

bool GoneOwners::Step() {
  if (to_do_.empty()) {
    return false;
  }
  const Oid role = *to_do_.begin();
  pg::Transaction transaction;
  if (!has_jobs_) {
    std::vector<std::int64_t> found;
    catalog::FindJobsThatRanAs(role, &found);
    jobs_ = {found.begin(), found.end()};
    has_jobs_ = true;
  }
  if (jobs_.empty()) {
    to_do_.erase(to_do_.begin());
    has_jobs_ = false;
  } else {
    const catalog::Disowning end = catalog::DisownHistory(*jobs_.begin(), role, &behind_);
    is_held_up_ = end == catalog::Disowning::kLeft;
    if (end == catalog::Disowning::kDone) {
      jobs_.erase(jobs_.begin());
      behind_ = 0;
    }
  }
  transaction.Commit(pg::Durability::kAsynchronous);
  return !is_held_up_;
}

}  // namespace ratchet::scheduler
