// Jobs with the option watch: their tables, and what their last success has seen of them.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "catalog/job.h"
#include "catalog/job_state.h"
#include "catalog/table_changes.h"
#include "policy/watch.h"
#include "scheduler/job_table.h"

namespace ratchet::scheduler {

class WatchedJobs {
 public:
  void Clear() { *this = {}; }
  // As the job is defined now; one that watches nothing is none of these.
  void Set(const catalog::JobDefinition& definition);
  void Remove(std::int64_t job_id) { jobs_.erase(job_id); }

  // Null when the job watches nothing, as in what follows. Valid until the job is set again.
  const std::vector<Oid>* TablesOf(std::int64_t job_id) const;
  // Valid until the job is removed.
  policy::Watch* Find(std::int64_t job_id);
  // What is known of the job's runs after a start of the scheduler.
  void Resume(const catalog::JobState& state);
  // While track_counts is off nobody counts, and the epoch of the statistics will not tell: what
  // was seen says nothing any more. Returns the jobs that have forgotten it.
  std::vector<std::int64_t> ForgetUncounted();

  // The tables of a job that watches, as of the transaction that is open. Warns once of one that is
  // gone. Throws PgError.
  policy::TableMark MarkOf(const Job& job);
  void TransactionEnded() { changes_.reset(); }

 private:
  struct Watched {
    std::vector<Oid> tables;
    policy::Watch watch;
    bool warned = false;  // that one of the tables is gone
  };
  std::unordered_map<std::int64_t, Watched> jobs_;
  std::optional<catalog::TableChanges> changes_;
};

}  // namespace ratchet::scheduler
