// ratchet.job_change: who has defined, altered or dropped which job or queue. Append only.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/run_log.h"
#include "pg/server.h"

namespace ratchet::catalog {

// Texts of values are jsonb, and empty: none.
struct JobChange {
  std::int64_t change_id = 0;
  std::int64_t job_id = 0;
  std::string job_name;
  Oid owner = InvalidOid;  // who sees it
  TimestampTz changed_at = 0;
  Oid changed_by = InvalidOid;
  std::string action;
  std::string old_values;
  std::string new_values;
};

// In the calling transaction. Gives it its number.
void InsertJobChange(JobChange* change);

// The job of every change here, many of them more than once, and its owner then. `visit` must not
// raise an error.
void ScanChangedJobs(void (*visit)(void* context, std::int64_t job_id, Oid owner), void* context);

// Changes of the job that were those of a role which was dropped become nobody's: see gone_owner.h.
// False: somebody has one of them in hand.
bool DisownJobChanges(std::int64_t job_id, Oid role);

// Deletes the oldest changes of the job, as PurgeRunRecords() does its records. One of the future
// stays until its time has come and is over, and keeps no other one from going.
Purged PurgeJobChanges(std::int64_t job_id, const PurgeLimits& limits);

}  // namespace ratchet::catalog
