// What a run is, whoever has it in hand: its row in the queue, its ticket on the board, the process
// that runs it, its record, and the scheduler when it has ended. All of them are one, so that a run
// is handed on by one assignment, and what is added here goes all the way.
//
// The payload that a run was given is not in it: it may be large, and stays in its row of
// ratchet.run_queue, where catalog::PayloadOf() finds it.
#pragma once

#include <cstdint>

#include "policy/run.h"

namespace ratchet::policy {

// Times are microseconds as in calendar::Instant. 0 stands for none in previous_scheduled_at,
// replay_of, retry_of, items_of, backfill_id, walk_began and requested_by.
struct RunIdentity {
  std::int64_t run_id = 0;
  std::int64_t mark = 0;  // random: another run with the same number has another one
  std::int64_t job_id = 0;
  std::int32_t version = 0;  // of the definition; 0: the one in force when it is claimed
  std::uint32_t owner = 0;   // the role
  Cause cause = Cause::kSchedule;
  bool dry_run = false;
  bool has_payload = false;  // its own one; false: it has that of its definition
  std::int32_t attempt = 1;
  // Who has asked for it, or for the backfill or the run that it goes on with; none: nobody has, it
  // follows from the definition of the job.
  std::uint32_t requested_by = 0;
  std::int64_t scheduled_at = 0;
  std::int64_t previous_scheduled_at = 0;
  std::int64_t queued_at = 0;
  std::int64_t replay_of = 0;
  std::int64_t retry_of = 0;
  std::int64_t walk = 0;         // whose checkpoint it goes on behind: see catalog/checkpoint.h
  std::int64_t walk_began = 0;   // with this run: it is nothing when that walk has ended; 0: any
  std::int64_t items_of = 0;     // it does the failed items of this run only; 0: all
  std::int64_t backfill_id = 0;  // the backfill whose occurrence it is for

  RunIdentity& identity() { return *this; }
  const RunIdentity& identity() const { return *this; }
};

}  // namespace ratchet::policy
