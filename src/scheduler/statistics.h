// ratchet.job_stat: counters per job, gathered in memory and written behind.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

#include "catalog/job_stat.h"
#include "policy/job_day.h"
#include "scheduler/run_end.h"

namespace ratchet::scheduler {

class Statistics {
 public:
  void CountRun(std::int64_t job_id, const RunEnd& end);
  void CountSkipped(std::int64_t job_id, std::int64_t occurrences);
  // Skipped, too: there was nothing to do.
  void CountNotNeeded(std::int64_t job_id, std::int64_t occurrences);
  void Forget(std::int64_t job_id);
  // What the pass in hand has counted is of a transaction that has committed, or has not. What was
  // gathered before it stays until it is written.
  void Keep();
  void TakeBack() {
    counted_.clear();
    places_.clear();
  }
  // All that was counted is of jobs that are not there any more.
  void Clear() {
    TakeBack();
    gathered_.clear();
  }
  // Starts again from zero; 0: for all jobs. In the transaction that is open.
  void Reset(std::int64_t job_id, TimestampTz now);
  bool empty() const { return gathered_.empty() && counted_.empty(); }
  // Writes what was gathered since the last call, in the transaction that is open; it is dropped
  // only by Written(), after the commit.
  void Write();
  void Written() { gathered_.clear(); }

 private:
  struct Gathered {
    catalog::JobStat counters;  // without its day, which is not encoded yet
    policy::JobDay day;
  };
  // A run that has ended, or occurrences that were left out.
  struct Counted {
    std::int64_t job_id = 0;
    std::int64_t skipped = 0;
    std::int64_t not_needed = 0;
    bool is_run = false;
    bool is_replay = false;
    policy::RunStatus status = policy::RunStatus::kSkipped;
    board::RunCounters counters{};
    TimestampTz finished_at = 0;
    std::int64_t duration = 0;
    std::int64_t lag = 0;
  };
  void Gather(const Counted& counted);
  void WriteRow(std::int64_t job_id, const Gathered& gathered);

  std::vector<Counted> counted_;  // by the pass in hand
  std::unordered_map<std::int64_t, Gathered> gathered_;
  // Where the rows are, so that dead versions under an old snapshot need not be walked.
  std::unordered_map<std::int64_t, ItemPointerData> places_;
};

}  // namespace ratchet::scheduler
