// The run that this process has in hand, in a worker or in the foreground of a session: all that
// belongs to the run, and to the process only as long as it has that in hand. Nothing else of a run
// is kept by the process.
#pragma once

#include <memory>
#include <string>

#include "catalog/run_log.h"
#include "worker/cancel_window.h"
#include "worker/current_run.h"
#include "worker/job_lock.h"
#include "worker/own_changes.h"
#include "worker/quiet_locks.h"
#include "worker/transaction_watch.h"
#include "worker/usage.h"

namespace ratchet::worker {

class RunScope {
 public:
  // Begins what is said, counted and timed of the run, which the board has given to this process.
  // `open_level`: see CancelWindow. Throws PgError.
  RunScope(int slot, const board::RunTicket& ticket, unsigned int open_level);
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  ~RunScope();

  // Null when there is none.
  static RunScope* InHand();
  // Once per process, before its first run.
  static void InstallCallbacks();

  int slot() const { return run_.slot; }
  const board::RunTicket& ticket() const { return run_.ticket; }
  policy::SteadyTime begun() const { return begun_; }
  policy::AwakeTime time_since() const { return time_since_; }
  // For parse trees, plans and the result: outlives the transactions of the run.
  MemoryContext memory() const { return memory_; }
  catalog::RunRecord& record() { return record_; }
  const catalog::RunRecord& record() const { return record_; }

  JobLock& job_lock() { return job_lock_; }
  TransactionWatch& transactions() { return transactions_; }
  OwnChanges& own_changes() { return own_changes_; }
  CancelWindow& cancels() { return cancels_; }

  // What the run is told when it asks; the record has it only if it is the run's own.
  void SetPayload(std::string own, const std::string& of_definition);
  // Shortens the time-out to the administrator's bound. In a transaction. Throws PgError.
  void BoundTime();
  // Starts the timer of the run, if it has a time-out. Throws PgError.
  void StartTimer();

  // From here on the functions that are called are called by text of the job.
  void EnterText() { in_text_ = true; }
  void LeaveText() { in_text_ = false; }
  const CurrentRun* told() const { return in_text_ ? &run_ : nullptr; }

  // Before a batch is written down: what was asked for until now is heard now, and not later by
  // somebody else; what is asked for from now on once the batch has committed. Throws PgError.
  void CloseBatch();
  // It is committed, rolled back or given up: no harm when none was closed.
  void OpenAfterBatch();
  // The limit on waits for locks is as it was.
  void EndQuiet() { quiet_locks_.End(); }

  // Nothing of the job is executed any more: the record gets what was said and counted, and the
  // status of a run that has not failed. May be called again.
  void Close();
  // The same for a run that was not needed.
  void CloseNotNeeded(const char* reason);
  // After Close(): how it has failed.
  void SetFailure(catalog::RunError error, bool in_condition);

 private:
  static void AtTransactionEvent(XactEvent event, void* argument);
  static void AtExit(int code, Datum argument);

  CurrentRun run_;
  bool in_text_ = false;
  MemoryContext memory_;
  UsageMark usage_;
  policy::SteadyTime begun_;
  policy::AwakeTime time_since_;
  catalog::RunRecord record_;
  JobLock job_lock_;
  TransactionWatch transactions_;
  OwnChanges own_changes_;
  CancelWindow cancels_;
  QuietLocks quiet_locks_;
};

}  // namespace ratchet::worker
