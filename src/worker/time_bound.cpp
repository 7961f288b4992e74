#include "worker/time_bound.h"

#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::worker {

bool BoundRunTime(board::RunTicket* ticket) {
  const std::int64_t bound = static_cast<std::int64_t>(pg::settings.max_run_time) * 1000;
  if (bound == 0 || (ticket->timeout > 0 && ticket->timeout <= bound) ||
      pg::Call([ticket] { return superuser_arg(ticket->owner); })) {
    return false;
  }
  ticket->timeout = bound;
  ticket->is_bound = true;
  return true;
}

const char* TimeoutMessage(const board::RunTicket& ticket) {
  return ticket.is_bound ? "run was canceled because it exceeded ratchet.max_run_time"
                         : "run was canceled because it exceeded its timeout";
}

const char* TimeoutHint(const board::RunTicket& ticket) {
  return ticket.is_bound
             ? "The administrator of the server bounds with it how long runs take. Let the job do "
               "less in each run: a batch job keeps what it has done, and goes on behind it."
             : "";
}

}  // namespace ratchet::worker
