#include "worker/error_cleanup.h"

#include "pg/guard.h"
#include "pg/transaction.h"
#include "worker/cancel_window.h"

extern "C" {
#include "jit/jit.h"
#include "replication/slot.h"
#include "utils/portal.h"
#include "utils/timeout.h"
}

namespace ratchet::worker {

void CleanUpAfterError() noexcept {
  RefuseCancels();
  disable_all_timeouts(false);
  pg::AbortOpenTransaction();
  try {
    pg::Call([] {
      PortalErrorCleanup();
      if (MyReplicationSlot != nullptr) {
        ReplicationSlotRelease();
      }
      jit_reset_after_error();
    });
  } catch (const pg::PgError& error) {
    ereport(FATAL, (errmsg("could not clean up after a run: %s", error.what())));
  }
}

}  // namespace ratchet::worker
