// The desk at which the tasks of all queues of a database are handed out: to the runs that do them
// (stretches), and to the sessions of consumers that ask for some (claims).
//
// It belongs to the scheduler, and does its part of a pass in transactions of its own, so that what
// goes wrong with a queue stops no job. The tables are the truth: Forget(), and it reads them
// again, in portions, beside its work.
//
//   definitions ─▶ answers ─▶ what was told of tasks, what died, whose time is over ─▶ commit ─▶
//   claims, hand-outs ─▶ counters
//
// What it has read and what it has heard come in this order for a reason: an answer is given when
// its transaction has committed, so that a row that is read after it is taken is not an old one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "board/claim_board.h"
#include "board/database_board.h"
#include "board/stretch_board.h"
#include "board/task_notices.h"
#include "catalog/task.h"
#include "catalog/task_claim.h"
#include "pg/transaction.h"
#include "policy/task_spans.h"
#include "policy/task_suspects.h"
#include "scheduler/task_queue.h"

namespace ratchet::scheduler {

class QueueDesk {
 public:
  explicit QueueDesk(board::DatabaseEntry* entry);
  QueueDesk(const QueueDesk&) = delete;
  QueueDesk& operator=(const QueueDesk&) = delete;

  // The tables are those of this incarnation; the next pass reads them.
  void Open(Oid incarnation, const std::string& environment);
  bool IsOpen() const { return is_open_; }
  // Throws away what it knows.
  void Forget();
  // The definition of the queue, or of a job that may be one, was changed or dropped.
  void NoteDefinition(std::int64_t job_id) { changed_.insert(job_id); }
  bool Knows(std::int64_t job_id) const { return queues_.contains(job_id); }

  // Throws ExtensionReplaced, and what the backend raises. may_grant: work may begin.
  void Pass(const policy::Moment& now, bool may_grant);
  // The pass has failed: it knows nothing any more, and rests for a while.
  void Rest(policy::SteadyTime until);
  // In how many microseconds it has something to do.
  std::int64_t NextLook(const policy::Moment& now) const;
  // Whether nobody misses it before then.
  bool IsIdle() const;

  // How many runs of a queue are worth having, as of the last pass.
  struct Wanted {
    std::int64_t queue_id;
    int stretches;
  };
  const std::vector<Wanted>& wanted() const { return wanted_; }

 private:
  using TaskName = std::pair<std::int64_t, std::int64_t>;  // queue and task
  using Queues = std::map<std::int64_t, std::unique_ptr<TaskQueue>>;

  TaskQueue* Find(std::int64_t queue_id);
  TaskQueue* FindOrLearn(std::int64_t queue_id);
  void Begin();
  void Commit();
  void Changed();

  // ---- queue_desk.cpp: definitions
  void Load();
  void TakeDefinitions();
  void Put(const catalog::QueueDefinition& queue, const catalog::JobDefinition& job, bool at_load);
  void Drop(std::int64_t queue_id);
  void WantStretches();

  // ---- queue_desk_reads.cpp: what is in the tables
  void ReadAll();
  void TakeNotices();
  void ReadSpans();
  void TakeStrangers();
  bool TakeRow(const catalog::Task& task, const ItemPointerData& tid, bool is_told);
  void ReadTouched();
  void ReadAgain(const TaskName& name);
  void TakeTouched(TaskQueue* queue, const catalog::Task& task, const ItemPointerData& tid);
  void TakeGone(TaskQueue* queue, std::int64_t task_id);
  void PutOff(TaskQueue* queue, std::int64_t task_id, TimestampTz run_at);
  void PutInLine(TaskQueue* queue, const catalog::Task& task, const ItemPointerData& tid,
                 std::int64_t waited);
  void ReadDue();

  // ---- queue_desk_backlog.cpp: what stands behind the lines
  std::int64_t WaitedSince(TimestampTz ready);
  void ReadBehind();
  int ReadBehind(TaskQueue* queue, policy::TaskSet* behind, int most);

  // ---- queue_desk_hands.cpp: who has what
  void FindHanded();
  void TakeAnswers();
  void NoteTook(TaskQueue* queue, const board::StretchView& stretch, std::int64_t count);
  void TakeAnswer(TaskQueue* queue, const board::HandedTask& task);
  void TakeStretch(const board::StretchView& stretch);
  void GrantClaims();
  void HandOut();
  void HandOutTo(TaskQueue* queue, const board::StretchView& stretch, int most);
  void TakeBackFromBusy();
  void LookWhenStuck(policy::SteadyTime when);
  bool IsStuck(const board::StretchView& stretch) const;
  void EndSurplus();

  // ---- queue_desk_lost.cpp: tasks whose process, or whose server, has died
  using Tasks = policy::TaskSuspects::Tasks;
  using Verdict = policy::TaskSuspects::Verdict;
  struct Lost {
    std::int64_t run_id;
    std::int64_t queue_id;
    Tasks tasks;
    Verdict verdict;
    board::StretchDeath death;  // when that is known
  };
  void TakeClaimsOfDead();
  void LoadSuspects(const catalog::TaskClaim& claim);
  void NoteLost(TaskQueue* queue, std::int64_t run_id, const board::LeftTasks& left);
  void SettleLost();
  void NoteJudged();
  bool SettleLost(const Lost& lost);
  bool SettleCulprit(TaskQueue* queue, const Lost& lost, std::int64_t task_id);
  void Suspect(TaskQueue* queue, const Tasks& tasks);
  void Clear(TaskQueue* queue, std::int64_t task_id);
  void DeleteEmptied();
  void DropSuspectsOf(std::int64_t queue_id);
  bool HasSuspectInHand() const { return !tried_.empty(); }

  // ---- queue_desk_ends.cpp: what ends without anybody to say so
  void NoteEnd(TaskQueue* queue, catalog::HeldTask* held, policy::AttemptEnd how,
               const std::string& sqlstate, const std::string& error);
  void ExpireTasks();
  void SetLease(TaskQueue* queue, std::int64_t task_id, TimestampTz until);
  void ForgetLease(std::int64_t task_id);
  void ExpireLeases();
  bool ExpireLease(TaskQueue* queue, std::int64_t task_id);
  void Settle(TaskQueue* queue, std::int64_t task_id, const policy::TaskVerdict& verdict);

  // ---- queue_desk_counts.cpp: what is told, and what is kept
  void LookAtTime();
  void TellCounters();
  bool Tell(TaskQueue* queue);
  void CountDead(TaskQueue* queue);
  void Purge();

  board::DatabaseEntry* const entry_;
  Oid incarnation_ = InvalidOid;
  std::string environment_;
  bool is_open_ = false;  // the tables may be read
  bool load_ = true;
  bool has_opened_ = false;  // on the board
  policy::SteadyTime rests_until_{};
  policy::Moment now_{};
  std::int64_t clocks_apart_ = 0;  // wall and steady clock, as they were when last set
  Queues queues_;
  std::set<std::int64_t> changed_;
  std::optional<pg::Transaction> transaction_;
  std::mt19937_64 random_;

  std::vector<board::TaskNotice> notices_;
  std::vector<policy::TaskSpan> new_;       // numbers that may be those of tasks not known yet
  bool reads_all_ = false;                  // among them those of all tasks, from before
  std::set<TaskName> strangers_;            // read, of queues that are not known yet
  std::set<TaskName> touched_;              // to be read in any case
  TimestampTz read_until_ = 0;              // delayed tasks up to here are in the lines
  std::int64_t read_until_id_ = INT64_MAX;  // of those with that very time: up to this number
  TimestampTz read_due_at_ = 0;             // when to go on with them

  struct Lease {
    std::int64_t queue_id;
    TimestampTz until;
  };
  std::unordered_map<std::int64_t, Lease> leases_;  // by task
  std::set<std::pair<TimestampTz, std::int64_t>> lease_ends_;
  std::unordered_map<std::int64_t, std::int64_t> claimed_;  // tasks of consumers: of which queue
  std::vector<Lost> lost_;
  bool judges_ = false;  // among them what the server has crashed with
  policy::TaskSuspects suspects_;
  Tasks emptied_;                           // groups of them whose claims are to be deleted
  std::unordered_set<std::int64_t> tried_;  // suspects in the hands of a stretch
  policy::SteadyTime settle_at_{};          // when to try again what somebody had in hand
  std::vector<board::StretchView> stretches_;
  std::unordered_map<int, policy::SteadyTime> busy_since_;  // stretches with something in hand
  policy::SteadyTime stuck_at_{};  // when to take back what lies before busy ones; not set: nothing
  std::vector<Wanted> wanted_;
  bool may_grant_ = false;
  policy::SteadyTime tell_at_{};   // counters; not set: nothing has changed
  policy::SteadyTime purge_at_{};  // what is kept for a while only
};

}  // namespace ratchet::scheduler
