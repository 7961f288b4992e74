#include "pg/client_wait.h"

#include "pg/server.h"

// Of Port only the first field is used, whose place does not depend on these; the headers they need
// are not needed for anything else here.
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL

extern "C" {
#include "libpq/libpq.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace ratchet::pg {
namespace {

// A worker has a port of ours, and nobody behind it.
bool CanSeeClient() {
  return MyProcPort != nullptr && MyProcPort->sock != PGINVALID_SOCKET && FeBeWaitSet != nullptr &&
         WaitEventSetCanReportClosed();
}

}  // namespace

void SleepForClient(long milliseconds) {
  const int wake = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  if (CanSeeClient()) {
    (void)WaitLatchOrSocket(MyLatch, wake | WL_SOCKET_CLOSED, MyProcPort->sock, milliseconds,
                            PG_WAIT_EXTENSION);
    // Also when it was the latch that has woken us.
    if (!pq_check_connection()) {
      ClientConnectionLost = 1;
      InterruptPending = 1;
    }
  } else {
    (void)WaitLatch(MyLatch, wake, milliseconds, PG_WAIT_EXTENSION);
  }
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

}  // namespace ratchet::pg
