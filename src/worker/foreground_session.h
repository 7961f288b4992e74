// What a foreground run leaves to do until the caller's transaction is over.
//
//           Begin               Finish               commit
//   kNone ─────────▶ kExecuting ───────▶ kFinished ─────────▶ ended on the board, recorded
//                        │ Fail              │ rollback
//                        ▼                   ▼
//                     kFailed ─────────▶ ended on the board, for the scheduler to record
//
// A run stays live on the board until then, so that no other run of the job begins while its
// effects are undecided. If the process dies, the exit callback ends it as lost.
#pragma once

#include <optional>

#include "batch/walk.h"
#include "board/board.h"
#include "catalog/job.h"
#include "catalog/run_log.h"
#include "worker/foreground_settings.h"
#include "worker/run_scope.h"

namespace ratchet::worker {

class ForegroundSession {
 public:
  // The session's only run; the slot on the board is its from now on. `payload` is the run's own.
  static ForegroundSession& Begin(const catalog::JobDefinition& job, const board::RunTicket& ticket,
                                  const std::string& payload, int slot);

  LentSettings& settings() { return settings_; }
  // As long as the run is in hand: until the end of the caller's transaction.
  RunScope& scope() { return *scope_; }

  // The job's text has been executed: returns the record to be written.
  catalog::RunRecord& Finish(std::int64_t rows_affected, const std::string& result);
  // What happens in between is the job's only_if, not its text.
  void BeginCondition() { in_condition_ = true; }
  void EndCondition() { in_condition_ = false; }
  // It was false: returns the record to be written.
  catalog::RunRecord& FinishNotNeeded();
  // The error will be raised and abort the transaction.
  void Fail(catalog::RunError error);

 private:
  enum class Phase { kNone, kExecuting, kFinished, kFailed };

  static void AtTransactionEvent(XactEvent event, void* self);
  void NoteErrorOfCommit() noexcept;
  static void AtExit(int code, Datum self);
  static ForegroundSession& The();

  void InstallCallbacks();
  void End(bool recorded) noexcept;

  Phase phase_ = Phase::kNone;
  std::optional<RunScope> scope_;
  LentSettings settings_;
  bool in_condition_ = false;
};

}  // namespace ratchet::worker
