// One run of a queue: batch after batch of tasks that the scheduler hands out, until there have
// been none for a moment. Each batch is a transaction that commits the effects of the handler, what
// became of its tasks, and the tasks that it has enqueued together.
//
//             ┌──────────────── tasks left of the hand-out ─────────────┐
//             ▼                                                         │
//   Take ─ claim (a transaction) ─ Hold rows ─ slices with isolation ─ Close ─ Save ─ Commit ─
//   Answer
//    ▲ │ none: waits                   │ any error that is no task's: the run fails, its tasks    │
//    │ ▼                                 are given back                                           │
//    │ ends: asked to (also because its queue has been altered), no tasks for a moment, a worker  │
//    │       is waited for, lasts for long enough                                                 │
//    └────────────────────────────────────────────────────────────────────────────────────────────┘
//
// The claim (catalog/task_claim.h) says which tasks were in hand when the server dies, and goes in
// the transaction in which the last of them is done. When this process alone is ended, it says on
// its way out whose fault that is (board::StretchDeath).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "batch/action.h"
#include "batch/host.h"
#include "batch/isolated_work.h"
#include "board/task_board.h"
#include "catalog/job_version.h"
#include "policy/batch_size.h"
#include "policy/error_class.h"
#include "worker/current_task.h"
#include "worker/result_receiver.h"
#include "worker/run_scope.h"
#include "worker/task_batch.h"
#include "worker/task_limits.h"

namespace ratchet::worker {

class TaskStretch : private batch::IsolatedWork::Owner, private TaskHost {
 public:
  // All of it outlives the stretch.
  TaskStretch(RunScope& scope, const catalog::JobVersion& definition, batch::Host& host);
  TaskStretch(const TaskStretch&) = delete;
  TaskStretch& operator=(const TaskStretch&) = delete;
  // Gives back what is in hand.
  ~TaskStretch() override;

  // At top level. When it throws, a transaction may be open: once that is aborted, GiveBack.
  void Run();
  // Outside of transactions: what was in hand and is not done is nobody's fault.
  void GiveBack();

  // What has committed.
  const board::RunCounters& counters() const { return counters_; }
  void AddErrorContext() const;

 private:
  bool Open();
  static void AtExit(int code, Datum argument);
  board::StretchDeath HowItDies() const;
  int ItemInHand() const;
  bool GoesOn() const;
  bool Wait();
  void DoHandOut();
  void Claim();
  void EndClaim();
  bool IsToBeFlushed() const;
  void DoBatch();
  void Work();
  void CloseBatch();
  void NameTimeouts();
  void NameMessages();
  void NoteCommit();
  void Answer();
  int Wants() const;

  // ---- IsolatedWork::Owner
  std::int64_t Execute(int first, int count, int* in_hand) override;
  policy::ErrorClass ClassOf(const pg::PgError& error) override;
  bool EndsBefore(const batch::BatchDone& done) override;
  bool CutsShort(policy::ErrorClass /*what*/) override { return false; }
  // ---- TaskHost
  InTask FindTask(CurrentTask* task) override;
  bool Holds(std::int64_t task_id) override;
  std::int64_t queue_id() const override { return definition_.job_id; }
  bool LetGo(std::int64_t task_id) override;

  void Prepare();
  static void BeginItem(void* self, int item);
  void NoteResult();
  void ForgetSettings();
  bool IsHandlersFault() const;

  RunScope& scope_;
  const catalog::JobVersion& definition_;
  batch::Host& host_;
  TaskBatchRules rules_;
  bool synchronous_ = true;
  TaskLimits limits_;
  std::int64_t longest_ = 0;  // of the stretch, microseconds
  std::optional<batch::Action> action_;
  batch::IsolatedWork work_;
  policy::BatchSize size_;
  int stretch_ = board::kNone;
  bool claimed_ = false;
  ItemPointerData claim_{};
  board::RunCounters counters_{};
  policy::AwakeTime idle_since_{};

  std::vector<board::HandedTask> tasks_;  // the hand-out
  std::optional<TaskBatch> batch_;        // of it
  batch::BatchDone done_;
  // While the handler is executed: the item, or less than 0, and the only one, or less than 0.
  const int* in_hand_ = nullptr;
  int only_one_ = -1;
  int settings_of_item_ = 0;  // nest level of what it has set; 0: none
  int slice_end_ = 0;         // behind the last of those that the handler is executed for
  ResultReceiver receiver_{};
  int result_of_ = -1;  // the item whose result the receiver has, or will have
};

}  // namespace ratchet::worker
