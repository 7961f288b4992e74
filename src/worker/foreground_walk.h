// A batch job in a foreground session: each batch commits in the caller's session, the last one
// with the caller's CALL.
#pragma once

#include "catalog/job_version.h"
#include "worker/foreground_session.h"

namespace ratchet::worker {

// Connected to SPI, as one that may commit. Throws what went wrong; session.Fail() is the caller's.
void RunWalkInForeground(ForegroundSession& session, const board::RunTicket& ticket, int slot,
                         const catalog::JobVersion& definition);

}  // namespace ratchet::worker
