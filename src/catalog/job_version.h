// ratchet.job_version: what a run ran, kept after the job was altered or dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "catalog/job.h"
#include "pg/row_change.h"

namespace ratchet::catalog {

struct JobVersion : PinnedDefinition {
  std::int64_t job_id = 0;
  std::int32_t version = 0;
  // Of a job that was dropped, in one of its versions: microseconds, -1: that of the setting.
  std::int64_t keep_history = -1;
};

// Keeps the job's definition as it is in ratchet.job, if it has this version and is not kept yet.
// Those who pin the same job do so one after the other, and for that moment only: nobody holds a
// lock for it until his transaction ends. False when the job has another version by now, or is
// gone; with kGiveUp also when another transaction, which has not ended, has pinned it.
bool PinJobVersion(std::int64_t job_id, std::int32_t version,
                   pg::IfBusy if_busy = pg::IfBusy::kWait);
// nullopt also when the row was not written by the library: see seal.h.
std::optional<JobVersion> FindJobVersion(std::int64_t job_id, std::int32_t version);
std::optional<JobVersion> FindNewestVersion(std::int64_t job_id);
// Every job that has a version here, perhaps more than once, and its owner in that. `visit` must
// not raise an error.
void ScanVersionedJobs(void (*visit)(void* context, std::int64_t job_id, Oid owner), void* context);
// The name under which the newest version of the job ran.
std::optional<std::string> FindVersionedName(std::int64_t job_id);
// The job is being dropped: its history goes by its own time, if it has one.
void KeepHistoryOf(const JobDefinition& job);
// For how long the history of a dropped job is kept; -1: as long as the setting says.
std::int64_t FindKeptHistory(std::int64_t job_id);
// After the last record of a dropped job is gone.
void DeleteJobVersions(std::int64_t job_id);

}  // namespace ratchet::catalog
