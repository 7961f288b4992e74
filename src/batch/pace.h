// A batch job as a good neighbour: what it waits for between two batches, when it holds no
// transaction, no snapshot and no lock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "batch/host.h"
#include "board/board.h"
#include "catalog/job.h"
#include "policy/steady_time.h"

extern "C" {
#include "access/xlogdefs.h"
}

namespace ratchet::batch {

// When a run has to end in between: after a time, when its active window closes, or when the server
// stops. The first is a span, the second one of the calendar.
struct RunLimit {
  const Host* host;
  policy::AwakeTime time_over{};  // not set: none
  TimestampTz closes_at = 0;      // 0: none

  bool IsClosed() const;
  // Microseconds; negative if it is over.
  std::int64_t Left() const;
};

// Waits as long as `left` gives more than 0 microseconds, and shows in ratchet.running for what.
// It is asked again and again. Interrupts are served: throws PgError when the run is canceled.
void WaitWhile(int slot, board::RunWait why, const std::function<std::int64_t()>& left);
void Sleep(int slot, board::RunWait why, std::int64_t micros);

class Pace {
 public:
  Pace(const catalog::BatchDefinition& batch, int slot) : batch_(batch), slot_(slot) {}

  // After a batch that took `busy` microseconds and has committed; until the limit at the latest
  void Rest(std::int64_t busy, const RunLimit& limit);

 private:
  struct Committed {
    XLogRecPtr end;
    policy::SteadyTime at;
  };
  double PauseRatio() const;
  std::int64_t MaxLag() const;
  std::int64_t Lag();
  void WaitForStandbys(const RunLimit& limit);

  const catalog::BatchDefinition& batch_;
  int slot_;
  std::deque<Committed> committed_;  // not yet applied by every standby, oldest first
};

}  // namespace ratchet::batch
