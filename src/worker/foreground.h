// CALL ratchet.run(): a run in the session of the job's owner, with the same record as any other.
//
// The effects and the record commit with the caller's transaction. When it is rolled back there is
// nothing in which a record could be written: then the board takes the outcome to the scheduler.
#pragma once

#include <string>

namespace ratchet::worker {

struct ForegroundRequest {
  std::string job_name;
  std::string payload;  // jsonb as text; empty: that of the job
  bool dry_run = false;
  bool can_commit = false;  // called at top level, and not inside of a transaction block
};

void RunInForeground(const ForegroundRequest& request);

}  // namespace ratchet::worker
