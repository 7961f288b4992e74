// The end of a run, as far as it matters to its job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "catalog/run_log.h"
#include "policy/watch.h"

namespace ratchet::scheduler {

struct RunEnd : policy::RunIdentity {
  policy::RunStatus status = policy::RunStatus::kSucceeded;
  TimestampTz started_at = 0;  // 0: it never started
  TimestampTz finished_at = 0;
  bool by_stop = false;    // the server was shut down
  bool lag_known = false;  // started_at is exact
  std::string payload;     // its own, for what goes on with it: its row in the queue goes before
  board::RunCounters counters{};
  int sqlstate = 0;                       // as the server packs it, 0: none
  std::optional<policy::TableMark> seen;  // of the tables that its job watches, before it started
  policy::OwnChanges own{};               // in them

  bool Progressed() const { return counters.items_done > 0 || counters.batches > 0; }
  // Canceled before a worker took it: no run of the job has been.
  bool WasCalledOff() const { return status == policy::RunStatus::kCanceled && started_at == 0; }
};

RunEnd EndOf(const catalog::RunRecord& record);

}  // namespace ratchet::scheduler
