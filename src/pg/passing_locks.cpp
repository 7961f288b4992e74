#include "pg/passing_locks.h"

#include "pg/guard.h"

namespace ratchet::pg {

PassingLocks::PassingLocks() : outer_(CurrentResourceOwner) {
  own_ = Call([] { return ResourceOwnerCreate(CurrentResourceOwner, "ratchet look"); });
  CurrentResourceOwner = own_;
}

PassingLocks::~PassingLocks() {
  CurrentResourceOwner = outer_;
  try {
    Call([this] {
      // As in an abort: nothing is handed to the outer one, and nothing that is left over is told
      // of.
      ResourceOwnerRelease(own_, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
      ResourceOwnerRelease(own_, RESOURCE_RELEASE_LOCKS, false, false);
      ResourceOwnerRelease(own_, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
      ResourceOwnerDelete(own_);
    });
  } catch (const PgError& error) {
    ereport(FATAL, (errmsg("could not release locks: %s", error.what())));
  }
}

}  // namespace ratchet::pg
