// A batch job as a good neighbour: what it waits for between two batches, when it holds no
// transaction, no snapshot and no lock.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "board/board.h"
#include "catalog/job.h"

extern "C" {
#include "access/xlogdefs.h"
#include "storage/lock.h"
}

namespace ratchet::batch {

// Waits, and shows in ratchet.running for what. Interrupts are served: throws PgError when the run
// is canceled.
void Sleep(int slot, board::RunWait why, std::int64_t micros);

class Pace {
 public:
  Pace(const catalog::BatchDefinition& batch, int slot) : batch_(batch), slot_(slot) {}

  // After a batch that took `busy` microseconds and has committed.
  void Rest(std::int64_t busy);

 private:
  struct Committed {
    XLogRecPtr end;
    TimestampTz at;
  };
  double PauseRatio() const;
  std::int64_t MaxLag() const;
  std::int64_t Lag();
  void WaitForStandbys();

  const catalog::BatchDefinition& batch_;
  int slot_;
  std::deque<Committed> committed_;  // not yet applied by every standby, oldest first
};

// Transactions that may have written rows to the tables and have not ended.
std::vector<VirtualTransactionId> WritersOf(const std::vector<Oid>& tables);
// Until each of them has ended.
void WaitForWriters(const std::vector<VirtualTransactionId>& writers, int slot);

}  // namespace ratchet::batch
