// ratchet.backfill: occurrences of the past that are still to be run. A row is made by a session
// and moves on with the scheduler, which deletes it when the last of its runs has ended.
#pragma once

#include <cstdint>
#include <vector>

#include "catalog/job.h"
#include "pg/row_lock.h"
#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

struct Backfill {
  std::int64_t backfill_id = 0;
  std::int64_t job_id = 0;
  Oid owner = InvalidOid;
  TimestampTz after_time = 0;  // every occurrence up to here has been queued
  TimestampTz to_time = 0;     // 0: until it has caught up with the schedule
  bool holds_schedule = false;
  TimestampTz requested_at = 0;
  Oid requested_by = InvalidOid;  // none: nobody has, the definition of the job does
  bool quarantined = false;       // the row was not written by the library: see seal.h
  ItemPointerData tid{};
};

// Fills in backfill_id and tid.
void InsertBackfill(Backfill* backfill);
// Those of the job, or all for 0, in the order in which they were asked for.
void FindBackfills(std::int64_t job_id, std::vector<Backfill>* backfills);
// Until the transaction ends. Who changes or deletes a row holds this.
pg::RowLock LockBackfill(const Backfill& backfill, bool wait);
void UpdateBackfill(Backfill* backfill);
void DeleteBackfill(const Backfill& backfill);

// After a job was inserted or updated: when its backfill_from is another one than before, the
// schedule waits from now on until all that was due since then has run; without it, it waits no
// longer. `old` is null for a new job. Raises an error for a schedule that has no past.
void StartBackfillOf(const JobDefinition& job, const JobDefinition* old);

}  // namespace ratchet::catalog
