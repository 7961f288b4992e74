// The scheduler of one database: the only one who decides what runs there.
//
// It owns its picture of the jobs and of the runs that are asked for or under way. The tables are
// the truth: when a pass fails, or something is missing, the picture is thrown away and read again
// (Load). A pass writes everything it decides in one transaction, which commits asynchronously, and
// only then shows its runs to the workers:
//
//   changes ─▶ ended runs ─▶ due jobs ─▶ backfills ─▶ claims ─▶ job states ─▶ commit ─▶ publish,
//   start workers
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "board/database_board.h"
#include "board/pool_view.h"
#include "board/run_board.h"
#include "board/run_view.h"
#include "catalog/backfill.h"
#include "catalog/installation.h"
#include "catalog/job_state.h"
#include "catalog/job_version.h"
#include "catalog/run_log.h"
#include "catalog/run_queue.h"
#include "pg/transaction.h"
#include "policy/dependency_graph.h"
#include "policy/dependency_words.h"
#include "policy/mutex_table.h"
#include "policy/turn_line.h"
#include "policy/watch.h"
#include "scheduler/extension_replaced.h"
#include "scheduler/gone_owners.h"
#include "scheduler/history_purge.h"
#include "scheduler/job_table.h"
#include "scheduler/message_desk.h"
#include "scheduler/queue_desk.h"
#include "scheduler/run_end.h"
#include "scheduler/statistics.h"
#include "scheduler/waiting_runs.h"
#include "scheduler/watched_jobs.h"
#include "scheduler/worker_starter.h"

namespace ratchet::scheduler {

enum class PassResult {
  kGoOn,
  kLeave,   // held, or another database needs the place
  kAbsent,  // the extension is not there any more
  kAfresh,  // another process must take over, which knows the time zones as they are now
};

// A claim is committed asynchronously. The commit of a short run makes it durable; for a longer one
// it is flushed after this time, so that a crash finds its mark.
constexpr std::int64_t kFlushAfter = 20'000;
// Counters are written when nothing else is to do, and at least this often.
constexpr std::int64_t kStatisticsDelay = 5 * USECS_PER_SEC;

class Scheduler {
 public:
  explicit Scheduler(board::DatabaseEntry* entry);

  // One round. `now` is the only time that it looks at. Throws ExtensionReplaced.
  PassResult Pass(const policy::Moment& now);

  // Throws away the picture; the next pass reads everything.
  void Forget();

  // In how many microseconds the next pass is due if nothing happens before.
  std::int64_t NextWake(const policy::Moment& now) const;
  // False: nothing starts, what runs is let finish.
  bool MayStart() const;
  // Why runs do not start although passes succeed; null: they do.
  const char* Trouble() const {
    return starter_.is_stuck() ? "no worker can connect, as a system catalog is locked" : nullptr;
  }
  // When a scheduler must be here again if this one leaves now; not set: at once.
  policy::SteadyTime RestUntil(const policy::Moment& now) const;
  // Shows the launcher how long this scheduler could rest.
  void TellNextWork(const policy::Moment& now) { entry_->rest_until = RestUntil(now); }
  // Called by the main loop for what is due between passes: runs whose time is over.
  void Watch();
  // Leaves nothing in memory that belongs into the tables.
  void Finish();
  // The same for a process that is ending, perhaps in the middle of a pass: it waits for nobody.
  void LastWords();
  // Settings were read again: the environment may be another one.
  void SettingsChanged() { load_ = true; }

 private:
  using Place = WaitingRuns::Place;
  // A claimed run.
  struct Flight {
    policy::RunIdentity run;
    ItemPointerData queue_tid;
    std::uint32_t mutex;  // which it holds, 0: none
    std::optional<policy::TableMark> seen;

    // A replay, or a new try of failed items.
    bool needs_history() const { return run.replay_of != 0 || run.items_of != 0; }
  };
  // Why a run fails without being started.
  struct Hindrance {
    catalog::RunError error;
    const char* reason;
  };
  // A place on the board, or why there is none.
  struct Permit {
    int slot;
    std::optional<Hindrance> hindrance;
  };
  struct Role {
    policy::TurnLine ready;
    int in_flight = 0;
    double mean_run_time = 10'000;             // microseconds, moving average
    policy::SteadyTime checked_at{};           // when `problem` was found out
    std::uint32_t checked_version = 0;         // what was known of roles then
    std::optional<catalog::RunError> problem;  // why nothing can run as this role
  };

  // ---- scheduler_load.cpp: reading the tables
  bool Load(TimestampTz now);
  using ToldTime = std::pair<std::uint32_t, TimestampTz>;  // a job, and its next_run_at
  // States of jobs that are not there, in *left.
  std::vector<ToldTime> LoadJobs(std::vector<std::pair<std::int64_t, ItemPointerData>>* left);
  void FindStaleStates(const std::vector<ToldTime>& told);
  void LoadRuns(TimestampTz now);
  void CountClaim(std::uint32_t index, const catalog::QueuedRun& run);
  void CountPutBack(const catalog::QueuedRun& run);
  void AdoptClaimedRun(const catalog::QueuedRun& run, ItemPointerData tid, TimestampTz now,
                       const std::unordered_map<std::int64_t, board::LiveRun>& live);
  void CheckHome(TimestampTz now);
  void TellIfQuarantined();
  void HoldBack(policy::Copy copy);
  void TellMisfit(const catalog::Installation& installation);
  void NoteProblem(std::uint32_t index, TimestampTz now);
  void TakeChanges(TimestampTz now);
  void FollowChanges(TimestampTz now);
  void RefreshJob(std::int64_t job_id, TimestampTz now);
  void RefreshRun(std::int64_t run_id, TimestampTz now);
  void Queue(catalog::QueuedRun run);  // a new one: in the table, too

  // ---- scheduler_changes.cpp: runs that change triggers ask for
  void LoadTableChanges(TimestampTz now);
  void SweepChangeTriggers(TimestampTz now);
  void LookForTableChanges(std::int64_t job_id, TimestampTz now);
  bool IsRefused(const board::Change& change, TimestampTz now);
  void ForgetTableChangesOfGone(std::int64_t job_id);
  void RunOnChange(const board::Change& change, TimestampTz now);
  void ChangeRunLeaves(const catalog::QueuedRun& run);

  // ---- scheduler_called_off.cpp: what waits of a job that was dropped or given away, or for
  // somebody who has lost the right to ask for it
  std::string WhyCalledOff(const catalog::QueuedRun& run);
  std::string WhyCalledOff(const Job& job, const catalog::Backfill& backfill) const;
  bool CallOff(std::int64_t run_id, TimestampTz now);
  void CallOffRunsOf(std::uint32_t index, TimestampTz now);
  bool IsOfFormerOwner(const Job& job, const RunEnd& end) const;
  void SettleFormerOwners(std::uint32_t index, const RunEnd& end, TimestampTz now);
  void EndCalledOffBackfill(std::uint32_t index, const catalog::Backfill& backfill,
                            const std::string& reason, TimestampTz now);

  // ---- scheduler_dropped.cpp: jobs that were dropped, and what still runs of them
  std::uint32_t FindOrRecall(const catalog::QueuedRun& run);
  void DropJob(std::uint32_t index, TimestampTz now);
  void DropLeftovers(const std::vector<std::pair<std::int64_t, ItemPointerData>>& states,
                     TimestampTz now);
  void ForgetDropped(TimestampTz now);
  static std::string NameOfDropped(std::int64_t job_id);

  // ---- scheduler_backfill.cpp: occurrences of the past
  void LoadBackfills(TimestampTz now);
  void RefreshBackfills(std::uint32_t index, TimestampTz now);
  void LookAtBackfills(std::int64_t job_id, TimestampTz at);
  void FeedBackfills(TimestampTz now);
  void FeedJob(std::uint32_t index, TimestampTz now);
  bool FeedFrom(std::uint32_t index, catalog::Backfill* backfill, TimestampTz now);
  void QueueBackfillRun(std::uint32_t index, catalog::Backfill* backfill, TimestampTz at,
                        TimestampTz now);
  int UnfinishedRuns(std::int64_t job_id, std::int64_t backfill_id) const;

  // ---- scheduler_ended.cpp: what becomes of ended runs
  void TakeEnded(TimestampTz now);
  void HandleEnded(int slot, TimestampTz now);
  void EndFlight(int slot, std::uint32_t index, RunEnd* end);
  static policy::Work WorkOf(const RunEnd& end);
  void Settle(std::uint32_t index, const RunEnd& end, TimestampTz now);
  void TakeStanding(std::uint32_t index, const RunEnd& end, const policy::Standing& standing);
  void QueueRetry(const Job& job, const RunEnd& end, const policy::Verdict& verdict,
                  TimestampTz now);

  // ---- scheduler_stop.cpp: when the process is being ended
  void WriteLastStatistics();
  void PutBackUnstarted();

  // ---- scheduler_walks.cpp: what goes on with the walk of an earlier run
  bool JoinsWalk(const Job& job, const RunEnd& end, catalog::QueuedRun* retry) const;
  void EndIfWalkHasEnded(std::uint32_t index, std::int64_t run_id, TimestampTz now);
  void EndLostRetries(std::uint32_t index, TimestampTz now);
  void CancelWaiting(std::int64_t run_id, policy::RunStatus status, const std::string& reason,
                     TimestampTz now);

  // ---- scheduler_watch.cpp: occurrences for which there is nothing to do
  bool WatchSaysRun(std::uint32_t index);
  void PassOver(std::uint32_t index, const policy::Step& due, TimestampTz now);
  std::optional<policy::TableMark> SeenBy(std::uint32_t index, const catalog::QueuedRun& run);
  void LearnFromRun(std::uint32_t index, const RunEnd& end);
  void EndNotNeeded(std::uint32_t index, const RunEnd& end, TimestampTz now);

  // ---- scheduler_due.cpp: what is due
  void Reconsider(std::uint32_t index, TimestampTz now);
  void TakeDue(TimestampTz now);
  void AtDue(std::uint32_t index, TimestampTz now);
  policy::JobPlan PlanOf(const Job& job) const;
  std::string ReasonOf(const Job& job, policy::SkipReason reason);
  void Skip(std::uint32_t index, const policy::Step& step, const std::string& reason,
            TimestampTz now);
  void RecordClosed(std::uint32_t index, const calendar::ClosedOccurrences& closed,
                    TimestampTz now);
  void RecordSkipped(std::uint32_t index, std::int64_t count, TimestampTz first, TimestampTz last,
                     const std::string& reason, TimestampTz now);
  catalog::RunRecord SkipRecordOf(Job* job, TimestampTz now);
  std::string BlockingRun(const Job& job) const;
  TimestampTz NextRunAt(const Job& job) const;

  // ---- scheduler_claim.cpp: what starts
  void Claim(TimestampTz now);
  bool ClaimRole(Oid role_id, Role* role, TimestampTz now);
  bool ClaimTurn(const policy::Turn& turn, TimestampTz now);
  static int RoomOf(const Role& role, const board::PoolView& view);
  void HoldBack(Oid role_id, const board::PoolView& view);
  bool ClaimOccurrence(std::uint32_t index, TimestampTz now);
  bool ClaimWaiting(std::int64_t run_id, TimestampTz now);
  static bool IsContent(const Job& job, const WaitingRuns::Run& waiting);
  bool MayStart(std::uint32_t index, std::int64_t run_id, TimestampTz now);
  // What a run is told on its way, as far as it is known before it is claimed.
  struct Terms {
    std::string job_name;
    std::int64_t timeout;
  };
  Terms TermsOf(const Job& job, const catalog::QueuedRun& run) const;
  bool Reserve(std::uint32_t index, const catalog::QueuedRun& run, int* slot,
               std::string* blocked_by);
  void Start(std::uint32_t index, catalog::QueuedRun* run, ItemPointer tid, const Permit& permit,
             TimestampTz now);
  bool Pin(Job* job);

  // ---- scheduler_rights.cpp: what an owner may not do any more
  const std::optional<catalog::RunError>& ProblemOf(Oid role_id, Role* role);
  std::optional<Hindrance> HindranceOf(Oid role_id);
  std::optional<Hindrance> HindranceOfWatch(std::uint32_t index);
  void LookAtOwners(TimestampTz now);
  bool DisownJobsOf(Oid role, TimestampTz now);
  void FailWithoutStart(std::uint32_t index, const catalog::QueuedRun& run, ItemPointer tid,
                        const Hindrance& hindrance, TimestampTz now);

  // ---- scheduler_shared.cpp: what a job shares with those of other owners
  std::uint32_t MutexOf(const catalog::JobDefinition& definition);
  void JudgeParents(std::int64_t child);
  void JudgeFamilyOf(std::int64_t job_id);
  void JudgeAll();
  void LookAtShared(TimestampTz now);

  // ---- scheduler_mutex.cpp: one run at a time of all jobs of a mutex
  bool WaitsForMutex(Oid role_id, const policy::Turn& turn, TimestampTz now);
  void OpenMutexes(TimestampTz now);
  void PassOn(std::uint32_t mutex, TimestampTz now);
  void ReleaseMutex(const board::RunSlot& run);

  // ---- scheduler_depends.cpp: jobs that wait for others to succeed
  void LoadDependencies(const catalog::JobDefinition& definition);
  void BindParents();
  void LoadDependencyState(const catalog::JobState& state);
  void RefreshDependencies(std::uint32_t index, const catalog::JobDefinition& definition);
  void FindLostSuccesses();
  void FindParent(const std::string& name);
  void ForgetDependencies(std::int64_t job_id);
  void LookAtChildrenOf(std::int64_t job_id);
  TimestampTz NoteChildStarts(std::uint32_t index, const catalog::QueuedRun& run, TimestampTz now);
  void NoteChildStarted(std::uint32_t index, const catalog::QueuedRun& run);
  void TellChildren(std::uint32_t index, const RunEnd& end, bool goes_on, TimestampTz now);
  bool FollowsAtOnce(const Job& job) const;
  void StartChildren(TimestampTz now);
  bool HasDependencyRun(std::int64_t job_id) const;
  void QueueDependencyRun(std::uint32_t index, TimestampTz now);
  TimestampTz ScheduleOfSuccess(std::int64_t parent);
  bool MayFollow(std::uint32_t index, std::int64_t run_id, TimestampTz now);
  void FollowsNoMore(std::uint32_t index, TimestampTz now);
  void NoteCanceled(std::uint32_t index, const catalog::QueuedRun& run, TimestampTz now);
  bool PassOverFollower(std::uint32_t index, std::int64_t run_id,
                        std::optional<Hindrance>* hindrance, TimestampTz now);
  void SkipChildren(std::uint32_t index, const RunEnd& end, TimestampTz now);
  std::string ReasonOfParents(const Job& job);
  void ParentsHaveSucceeded(Job* job);
  policy::MissingSuccess CulpritOf(std::uint32_t index);

  // ---- scheduler_line.cpp: the order in which it starts
  void MakeReady(std::uint32_t index, std::int64_t due);
  void GetInLine(std::uint32_t index, std::int64_t run_id);
  void CallAside(std::uint32_t index);
  void Unready(std::uint32_t index);
  void LeaveLine(const Job& job, Oid role_id, const policy::Turn& turn);
  void LeaveLine(std::uint32_t index, const catalog::QueuedRun& run);
  void ReadyAgain(std::uint32_t index, TimestampTz now);
  void StepOut(std::int64_t run_id);
  void PutOff(std::int64_t run_id, TimestampTz until);
  void Withdraw(std::int64_t run_id);
  void EraseWaiting(std::int64_t run_id);
  policy::Turn KeyOf(const Job& job, std::int64_t run_id, std::int64_t due) const;
  // As whom it runs: a replay as the owner that it has pinned, others as the job's.
  static Oid OwnerOf(const Job& job, const catalog::QueuedRun& run) {
    return run.version != 0 ? run.owner : job.owner;
  }

  // ---- scheduler_queues.cpp: runs that do the tasks of queues
  void ServeQueues();
  void FollowQueues(TimestampTz now);
  void StartStretch(std::uint32_t index, TimestampTz now);
  policy::RetryRules RetryRulesOf(const Job& job) const;

  // ---- scheduler_messages.cpp: what alerts, deadlines and heartbeats are told
  void Watch(std::uint32_t index, const catalog::JobDefinition& definition);
  void Unwatch(std::int64_t job_id, TimestampTz now);
  void ServeMessages(TimestampTz now);
  void WatchAgain(TimestampTz now);
  void TellOfEnd(std::uint32_t index, const RunEnd& end, bool was_failing);
  void TellOfMissed(std::uint32_t index, const policy::Step& step, const std::string& reason,
                    TimestampTz now);
  void BeatAtStart(std::uint32_t index, const catalog::QueuedRun& run, TimestampTz now);
  void BeatAtEnd(const RunEnd& end, TimestampTz now);
  void LookAtDeadlineOf(std::int64_t job_id);
  void LookAtDeadlines(TimestampTz now);
  TimestampTz LookAtDeadline(std::uint32_t index, std::int64_t span, TimestampTz now);
  void FindUnfinished(const Job& job, MessageDesk::Deadline* oldest) const;
  TimestampTz NextMessageLook(const policy::Moment& now) const;

  // ---- scheduler_clock.cpp: what follows when the clock is set
  void LookAtClock();
  void TakeClock();
  void TakeClockOfJobs(bool starts_anew);
  static bool IsForFixedTime(const catalog::QueuedRun& run);

  // ---- scheduler.cpp
  void Decide(TimestampTz now);
  void Begin();
  void Commit();
  void Publish();
  void StartWorkers();
  void FailedStarts(Oid role_id, Role* role, TimestampTz now);
  // The job's row, which is written at the end of this pass.
  catalog::JobState& StateOf(std::uint32_t index);
  // The same for a claim: written with the end of the run, or once the run has taken a while. Until
  // then the run's row in ratchet.run_queue tells what a crash must not forget (AdoptClaimedRun).
  catalog::JobState& StateForClaim(std::uint32_t index);
  void WriteStates();
  void ShowCounts();
  void WriteStatistics();
  void FlushClaims();
  void Maintain();
  bool WriteStaleStates();
  bool NeedsHistory(std::int64_t job_id) const;

  board::DatabaseEntry* const entry_;
  JobTable jobs_;
  struct TouchedState {
    catalog::JobState state;
    bool write;
  };
  std::unordered_map<std::int64_t, TouchedState> states_;  // read, and not written yet
  WaitingRuns waiting_;
  std::unordered_map<std::int64_t, Flight> flights_;
  std::set<std::int64_t> dropped_;  // jobs that are in jobs_ only for what still runs of them
  std::unordered_map<std::int64_t, std::vector<catalog::Backfill>> backfills_;  // by job
  std::set<std::pair<TimestampTz, std::int64_t>> feeds_;  // jobs by when to look at their backfills
  WatchedJobs watched_;
  std::map<Oid, Role> roles_;
  policy::MutexTable mutexes_;
  std::unordered_map<std::int64_t, std::string>
      sharing_;                       // jobs with a mutex of a role that is named
  std::uint32_t shared_version_ = 0;  // of what LookAtShared() has seen
  policy::SteadyTime shared_seen_{};
  policy::SteadyTime shared_due_{};  // when it looks again; not set: when it hears of a change
  policy::DependencyGraph dependencies_;
  std::set<std::int64_t> children_to_look_at_;                          // may have become ready
  std::unordered_map<std::int64_t, std::string> gate_reasons_;          // why a due child waits
  std::unordered_map<std::int64_t, TimestampTz> success_scheduled_at_;  // of parents, as known
  std::vector<int> reserved_;  // slots of claims that are not committed
  std::vector<int> ended_;     // slots to be freed after the commit
  std::vector<board::Change> changes_;
  std::set<std::pair<std::int64_t, Oid>> refused_makers_;  // of change triggers: job and role
  std::vector<std::int64_t> resets_;  // of jobs' statistics, until they are committed
  Statistics statistics_;
  WorkerStarter starter_;
  GoneOwners gone_owners_;
  HistoryPurge purge_{&jobs_, &gone_owners_};
  QueueDesk desk_{entry_};
  MessageDesk messages_{entry_};
  struct Timed {
    std::int64_t deadline;  // microseconds after the logical time
    TimestampTz look_at;
  };
  std::unordered_map<std::int64_t, Timed> timed_;  // jobs with a deadline
  TimestampTz next_deadline_ = 0;                  // the first look at one of them
  std::mt19937_64 random_;
  std::optional<pg::Transaction> transaction_;
  // Jobs whose row of ratchet.job_state is missing, or tells of another next run.
  std::vector<std::int64_t> stale_states_;
  std::string environment_;
  bool load_ = true;
  bool absent_ = false;
  Oid incarnation_ = InvalidOid;  // of the extension whose tables have been read
  catalog::Installation misfit_;  // what has been told
  bool quarantined_ = false;
  bool all_paused_ = false;            // ratchet.pause_all()
  std::int64_t quarantined_rows_ = 0;  // runs and backfills; of jobs, the table knows
  bool recorded_ = false;              // this pass has written records that somebody may wait for
  bool backlog_ = false;               // ready work was left for want of a worker or a slot
  // Steady clock: nothing starts before, for the server stops and has not told this process yet.
  policy::SteadyTime starts_again_at_{};
  bool held_back_ = false;  // ready work was left because its role has all that it may have

  struct Unflushed {
    policy::SteadyTime since;
    XLogRecPtr lsn;
    std::int64_t run_id;
  };
  std::deque<Unflushed> unflushed_;
  policy::Moment clock_{};         // of the pass
  std::int64_t clock_set_by_ = 0;  // since the one before
  bool starts_anew_ = false;       // nobody has read the tables since the server was started
  policy::AwakeTime next_limit_{};
  policy::AwakeTime last_watch_{};
  policy::SteadyTime statistics_written_{};  // or tried
  bool statistics_unwritten_ = false;        // that failed
  policy::SteadyTime counts_due_{};  // the server's own counters of our tables; not set: handed on
};

}  // namespace ratchet::scheduler
