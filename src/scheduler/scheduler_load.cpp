// Reading the tables: at the start, after an error, and what a committed transaction has touched.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "board/database_end.h"
#include "catalog/committed_work.h"
#include "catalog/home.h"
#include "catalog/incarnation.h"
#include "catalog/installation.h"
#include "catalog/numbers.h"
#include "pg/clock.h"
#include "pg/settings.h"
#include "policy/numbers.h"

namespace ratchet::scheduler {
namespace {

// So soon after the tables were read, history is looked for that has to go.
constexpr std::int64_t kPurgeDelay = 10 * USECS_PER_SEC;

const char* WhatIsCopied(policy::Copy copy) {
  switch (copy) {
    case policy::Copy::kRestored:
      return "This server was restored from a backup.";
    case policy::Copy::kBackup:
      return "This server was started from a base backup of another one.";
    case policy::Copy::kDirectory:
      return "The data directory of this server is a copy of another one.";
    case policy::Copy::kNone:
      break;
  }
  return "The jobs of this database were scheduled on another server or in another database.";
}

}  // namespace

// Returns false when the extension is not there or does not fit the library.
bool Scheduler::Load(TimestampTz now) {
  Forget();
  Begin();
  catalog::ForgetSealKey();
  const catalog::Installation installation = catalog::FindInstallation();
  absent_ = installation.fit == catalog::Fit::kAbsent;
  TellMisfit(installation);
  if (installation.fit != catalog::Fit::kFits) {
    Commit();
    entry_->quarantined_jobs = 0;
    entry_->quarantined_rows = 0;
    load_ = !absent_;
    return false;
  }
  environment_ = pg::settings.environment != nullptr ? pg::settings.environment : "";
  quarantined_ = false;
  all_paused_ = catalog::FindPauseOfAll().since != 0;
  quarantined_rows_ = 0;
  incarnation_ = catalog::FindIncarnation();
  if (incarnation_ != entry_->incarnation) {
    statistics_.Clear();
  }
  board::AdoptIncarnation(entry_, incarnation_);
  CheckHome(now);
  board::FreeReserved(entry_->database);
  std::vector<std::pair<std::int64_t, ItemPointerData>> left;
  messages_.Read(now);
  const std::vector<ToldTime> told = LoadJobs(&left);
  LoadBackfills(now);
  LoadRuns(now);
  TellIfQuarantined();
  DropLeftovers(left, now);
  FindLostSuccesses();
  LoadTableChanges(now);
  TakeClockOfJobs(starts_anew_);
  FindStaleStates(told);
  for (std::uint32_t i = 0; i < jobs_.end(); i++) {
    if (jobs_[i].alive) {
      Reconsider(i, now);
    }
  }
  purge_.ScanAt(entry_->clock.Believed(clock_) + kPurgeDelay);
  JobTable::GiveBackMemory();
  clock_set_by_ = 0;
  starts_anew_ = false;
  load_ = false;
  return true;
}

// Said once, also when schedulers take turns in this database.
void Scheduler::TellMisfit(const catalog::Installation& installation) {
  const bool misfit =
      installation.fit != catalog::Fit::kAbsent && installation.fit != catalog::Fit::kFits;
  const bool told = entry_->misfit && (misfit_.message.empty() || misfit_ == installation);
  entry_->misfit = misfit;
  misfit_ = misfit ? installation : catalog::Installation{};
  if (misfit && !told) {
    ereport(WARNING, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg_internal("%s", installation.message.c_str()),
                      errdetail_internal("%s", installation.detail.c_str()),
                      errhint("%s", installation.hint.c_str())));
  }
}

std::vector<Scheduler::ToldTime> Scheduler::LoadJobs(
    std::vector<std::pair<std::int64_t, ItemPointerData>>* left) {
  struct Context {
    Scheduler* self;
    std::vector<std::pair<std::int64_t, ItemPointerData>>* left;
    std::int64_t newest_run = 0;
    TimestampTz newest = 0;  // end of a run, as far as it does not lie in the future
    std::vector<ToldTime> told{};
    std::vector<std::uint32_t> mended{};  // had a schedule problem
  } context{this, left};
  catalog::ScanJobs(
      [](void* argument, const catalog::JobDefinition& definition) {
        auto* seen = static_cast<Context*>(argument);
        seen->self->gone_owners_.Know(definition.owner);
        const std::uint32_t index =
            seen->self->jobs_.Put(definition, seen->self->environment_, seen->self->clock_.wall);
        seen->self->jobs_[index].mutex = seen->self->MutexOf(definition);
        seen->self->Watch(index, definition);
        seen->self->LoadDependencies(definition);
      },
      &context);
  BindParents();
  JudgeAll();
  catalog::ScanJobStates(
      [](void* argument, const catalog::JobState& state, const ItemPointerData& tid) {
        auto* seen = static_cast<Context*>(argument);
        auto* self = seen->self;
        if (state.last_run_id <= policy::kGreatestNumber) {
          seen->newest_run = std::max(seen->newest_run, state.last_run_id);
        }
        const std::uint32_t index = self->jobs_.Find(state.job_id);
        if (index == JobTable::kNoJob) {
          seen->left->emplace_back(state.job_id, tid);
          return;
        }
        seen->told.emplace_back(index, state.next_run_at);
        if (!state.schedule_problem.empty()) {
          seen->mended.push_back(index);
        }
        Job& job = self->jobs_[index];
        job.state_tid = tid;
        job.watermark =
            policy::AccountedFor(state.last_scheduled_at, job.watermark, self->clock_.wall);
        job.last_finished = state.LastEnd();
        seen->newest =
            std::max(seen->newest, std::min<TimestampTz>(job.last_finished, self->clock_.wall));
        job.backoff_until = state.backoff_until;
        job.run_count = state.run_count;
        self->LoadDependencyState(state);
        self->jobs_.SetFailures(index, state.consecutive_failures);
        job.crash_streak = static_cast<std::uint16_t>(
            std::min(state.crash_streak, static_cast<std::int32_t>(UINT16_MAX)));
        self->watched_.Resume(state);
      },
      &context);
  for (const std::int64_t job_id : watched_.ForgetUncounted()) {
    StateOf(jobs_.Find(job_id)).watch_seen.clear();
  }
  catalog::LearnRunIds(context.newest_run);
  entry_->jobs = static_cast<std::int64_t>(jobs_.size());
  const TimestampTz home_since = catalog::HomeSince();
  for (std::uint32_t i = 0; i < jobs_.end(); i++) {
    // What a copied job missed before it was told to run here is not to be caught up.
    const bool is_known = ItemPointerIsValid(&jobs_[i].state_tid);
    jobs_[i].watermark = policy::AccountedFor(
        is_known ? jobs_[i].watermark : 0, std::max(jobs_[i].watermark, home_since), clock_.wall);
    if (jobs_[i].alive && !is_known) {
      stale_states_.push_back(jobs_[i].job_id);
    }
  }
  for (const std::uint32_t index : context.mended) {
    NoteProblem(index, clock_.wall);
  }
  for (std::uint32_t i = 0; i < jobs_.end() && jobs_.problems() > 0; i++) {
    if (jobs_[i].alive && jobs_.ProblemOf(jobs_[i]) != nullptr) {
      NoteProblem(i, clock_.wall);
    }
  }
  if (starts_anew_ && context.newest != 0) {
    entry_->clock.DoubtSince(context.newest, clock_);
  }
  return std::move(context.told);
}

// Days that are left out, the environment, the rules of a time zone or the clock may have changed.
void Scheduler::FindStaleStates(const std::vector<ToldTime>& told) {
  for (const auto& [index, next_run_at] : told) {
    const Job& job = jobs_[index];
    if ((quarantined_ || job.quarantined || jobs_.TimingOf(job).schedule.HasFixedTimes()) &&
        NextRunAt(job) != next_run_at) {
      stale_states_.push_back(job.job_id);
    }
  }
}

// A schedule that cannot be read has no occurrences that could be skipped. What is known goes into
// one record, and into the job's row, which tells the next scheduler that there is one. When the
// schedule can be read again, what it has missed goes by its misfire policy.
void Scheduler::NoteProblem(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  if (quarantined_ || job.quarantined) {
    return;
  }
  const catalog::RunError* problem = jobs_.ProblemOf(job);
  const catalog::JobState& state = StateOf(index);
  if (problem == nullptr || problem->message == state.schedule_problem) {
    return;
  }
  ereport(WARNING, (errcode(problem->sqlstate),
                    errmsg("job \"%s\" stands still: %s", job.name, problem->message.c_str()),
                    errhint("%s", problem->hint.c_str())));
  catalog::RunRecord record = SkipRecordOf(&job, now);
  record.cause = policy::Cause::kSchedule;
  record.status = policy::RunStatus::kFailed;
  record.scheduled_at = now;
  record.error = *problem;
  record.reason = "its schedule stands still";
  catalog::InsertRunRecord(record);
  recorded_ = true;
  purge_.Expect(job.job_id, now);
}

void Scheduler::LoadRuns(TimestampTz now) {
  std::vector<catalog::FoundRun> rows;
  catalog::ScanQueuedRuns(
      [](void* argument, const catalog::FoundRun& run) {
        static_cast<std::vector<catalog::FoundRun>*>(argument)->push_back(run);
      },
      &rows);
  std::sort(rows.begin(), rows.end(), [](const catalog::FoundRun& a, const catalog::FoundRun& b) {
    return a.run.run_id < b.run.run_id;
  });
  // After the rows: a session's run is on the board before its row can be seen, and until we free
  // it.
  std::vector<board::LiveRun> on_board;
  board::ListRuns(entry_->database, &on_board);
  std::unordered_map<std::int64_t, board::LiveRun> live;
  for (const board::LiveRun& run : on_board) {
    live.emplace(run.ticket.run_id, run);
  }
  // Committed since the jobs were read: it is not a run of a job that was dropped, and the notices
  // of both are on their way.
  const auto is_of_newer_job = [this](const catalog::QueuedRun& run) {
    return jobs_.Find(run.job_id) == JobTable::kNoJob && catalog::FindJob(run.job_id);
  };
  for (catalog::FoundRun& row : rows) {
    if (row.run.quarantined) {
      quarantined_rows_++;
    } else if (row.run.claimed_at == 0 && is_of_newer_job(row.run)) {
      continue;
    } else if (row.run.claimed_at == 0) {
      const std::int64_t run_id = row.run.run_id;
      row.run.run_at =
          policy::DueAfterStepBack(row.run.run_at, row.run.queued_at, now, IsForFixedTime(row.run));
      CountPutBack(row.run);
      waiting_.Add(std::move(row.run), row.tid);
      CallOff(run_id, now);
    } else {
      AdoptClaimedRun(row.run, row.tid, now, live);
    }
  }
  std::vector<int> slots;
  board::CollectAllEnded(entry_, &slots);
  for (const int slot : slots) {
    ended_.push_back(slot);
    HandleEnded(slot, now);
  }
}

// The claim may not have reached the job's state (see StateForClaim).
void Scheduler::CountClaim(std::uint32_t index, const catalog::QueuedRun& run) {
  Job& job = jobs_[index];
  const bool occurrence =
      run.retry_of == 0 && run.replay_of == 0 &&
      (run.cause == policy::Cause::kSchedule || run.cause == policy::Cause::kCatchup);
  if (occurrence && run.scheduled_at > job.watermark) {
    StateOf(index).last_occurrence = run.scheduled_at;
    job.run_count++;
    job.watermark = run.scheduled_at;
  }
}

// The same for one that had been claimed, and waits again (PutBackUnstarted).
void Scheduler::CountPutBack(const catalog::QueuedRun& run) {
  const std::uint32_t index = jobs_.Find(run.job_id);
  if (index != JobTable::kNoJob && run.version != 0) {
    CountClaim(index, run);
  }
}

// A run that was claimed before this scheduler was there: it is still under way, or its record says
// how it ended, or it died with its server. One that a session has in hand is none of ours yet.
void Scheduler::AdoptClaimedRun(const catalog::QueuedRun& run, ItemPointerData tid, TimestampTz now,
                                const std::unordered_map<std::int64_t, board::LiveRun>& live) {
  const std::uint32_t index = FindOrRecall(run);
  if (index != JobTable::kNoJob) {
    CountClaim(index, run);
    NoteChildStarted(index, run);
  }
  if (const auto on_board = live.find(run.run_id);
      on_board != live.end() && on_board->second.ticket.mark == run.mark) {
    if (on_board->second.ticket.foreground) {
      return;
    }
    const std::uint32_t mutex = mutexes_.Find(on_board->second.ticket.mutex);
    flights_[run.run_id] = {run, tid, mutex, std::nullopt};
    if (mutex != 0) {
      mutexes_.Hold(mutex, run.run_id);
    }
    roles_[run.owner].in_flight++;
    if (index != JobTable::kNoJob) {
      jobs_[index].running++;
      jobs_[index].past_run = run.backfill_id != 0;
      jobs_[index].claimed_at = std::max<std::int64_t>(jobs_[index].claimed_at, run.claimed_at);
    }
    return;
  }
  catalog::RunRecord record;
  if (auto found = catalog::ReadOwnRunRecord(run.run_id, run.mark)) {
    record = std::move(*found);
    record.identity() = run;  // which knows more than the log
  } else {
    record = catalog::RecordOf(
        run,
        index != JobTable::kNoJob ? TermsOf(jobs_[index], run).job_name : NameOfDropped(run.job_id),
        run.payload);
    record.status = policy::RunStatus::kCrashed;
    record.started_at = std::min(run.claimed_at, now);  // the clock may have been ahead then
    record.finished_at = now;
    record.reason = starts_anew_ || run.claimed_at <= board::TheBoard()->server_start
                        ? "the server stopped or crashed during the run"
                        : "the process that ran it ended before the run did";
    catalog::AddCommitted(&record);
    catalog::InsertRunRecordAnyway(&record);
    recorded_ = true;
  }
  catalog::DeleteQueuedRun(run.run_id, run.mark, &tid);
  purge_.Expect(run.job_id, now);
  if (index != JobTable::kNoJob) {
    const RunEnd end = EndOf(record);
    if (record.status == policy::RunStatus::kSkipped) {
      EndNotNeeded(index, end, now);
    } else {
      Settle(index, end, now);
    }
  }
}

// Whether these jobs are at home here. A copy made by pg_restore or from a template database
// carries the row of where it came from, and holds still until ratchet.adopt(). So does one of the
// whole server (policy/data_directory.h).
void Scheduler::CheckHome(TimestampTz now) {
  catalog::SettleIfEmpty(now);
  switch (catalog::CheckHome()) {
    case catalog::HomeFinding::kHere:
      break;
    case catalog::HomeFinding::kNew:
      catalog::MakeHome(now, catalog::SealKey::kKeep);
      break;
    case catalog::HomeFinding::kElsewhere:
      HoldBack(policy::Copy::kNone);
      break;
    case catalog::HomeFinding::kCopied:
      HoldBack(board::TheBoard()->copy);
      break;
  }
}

// Jobs that were restored, and whatever else was written by hand: what it leads to does not start.
void Scheduler::TellIfQuarantined() {
  entry_->quarantined = quarantined_;
  const std::int64_t rows = jobs_.quarantined() + quarantined_rows_;
  if (rows > entry_->quarantined_rows) {
    ereport(WARNING,
            (errmsg("jobs that were not written by pg_ratchet in this database are held back"),
             errdetail("%lld jobs, and %lld waiting runs and backfills, were restored from a dump "
                       "or written to the tables by hand.",
                       static_cast<long long>(jobs_.quarantined()),
                       static_cast<long long>(quarantined_rows_)),
             errhint("Look at them, and run SELECT ratchet.adopt() to let them run here.")));
  }
}

void Scheduler::HoldBack(policy::Copy copy) {
  quarantined_ = true;
  entry_->copy = copy;
  if (!entry_->quarantined) {
    ereport(WARNING,
            (errmsg("jobs of a copied database are held back"), errdetail("%s", WhatIsCopied(copy)),
             errhint("Run SELECT ratchet.adopt() in it to let them run here.")));
  }
}

void Scheduler::TakeChanges(TimestampTz now) {
  if (board::TakeChanges(entry_, &changes_)) {
    load_ = true;
  }
  for (const board::Change& change : changes_) {
    if (change.kind == board::Change::kStatReset) {
      resets_.push_back(change.id);
    }
  }
  if (load_) {
    Load(now);
  } else {
    FollowChanges(now);
  }
  if (!absent_ && !load_) {
    for (const std::int64_t job_id : resets_) {
      Begin();
      statistics_.Reset(job_id, now);
    }
  }
}

void Scheduler::FollowChanges(TimestampTz now) {
  for (const board::Change& change : changes_) {
    Begin();
    if (change.kind == board::Change::kJob) {
      RefreshJob(change.id, now);
    } else if (change.kind == board::Change::kRun) {
      RefreshRun(change.id, now);
    } else if (change.kind == board::Change::kTableChange) {
      RunOnChange(change, now);
    }
  }
}

void Scheduler::RefreshJob(std::int64_t job_id, TimestampTz now) {
  const auto definition = catalog::FindJob(job_id);
  const std::uint32_t known = jobs_.Find(job_id);
  if (!definition) {
    if (known != JobTable::kNoJob) {
      DropJob(known, now);
    }
    return;
  }
  bool is_given_away = false;
  if (known != JobTable::kNoJob) {
    Unready(known);  // its place in the line may be another one now
    is_given_away = jobs_[known].owner != definition->owner;
  }
  const std::uint32_t index = jobs_.Put(*definition, environment_, now);
  Watch(index, *definition);
  jobs_.TakeClock(index, now, 0, false);
  jobs_[index].skip_noted = false;
  jobs_[index].mutex = MutexOf(*definition);
  dropped_.erase(job_id);
  gone_owners_.Know(definition->owner);
  if (is_given_away) {
    CallOffRunsOf(index, now);
  }
  RefreshBackfills(index, now);
  RefreshDependencies(index, *definition);
  JudgeFamilyOf(job_id);
  StateOf(index);
  NoteProblem(index, now);
  purge_.LookAgain(job_id, entry_->clock.Believed(clock_));
  ReadyAgain(index, now);
  LookForTableChanges(job_id, now);
  EndLostRetries(index, now);  // with another key there is another walk
  Reconsider(index, now);
}

void Scheduler::RefreshRun(std::int64_t run_id, TimestampTz now) {
  auto found = catalog::FindQueuedRun(run_id);
  const WaitingRuns::Run* known = waiting_.Find(run_id);
  if (!found || found->run.claimed_at != 0 || found->run.quarantined) {
    if (known != nullptr) {
      // Canceled: its record is written already.
      const std::uint32_t index = jobs_.Find(known->run.job_id);
      if (index != JobTable::kNoJob) {
        NoteCanceled(index, known->run, now);
      }
      Withdraw(run_id);
      if (index != JobTable::kNoJob) {
        Reconsider(index, now);
      }
    }
    return;
  }
  if (known != nullptr) {
    if (known->place == Place::kOut) {
      PutOff(run_id, std::max(now, found->run.run_at));  // a session held it, and has let it go
    }
  } else if (!flights_.contains(run_id)) {
    waiting_.Add(std::move(found->run), found->tid);
    CallOff(run_id, now);  // who asked for it may have committed after the job was gone
  }
}

void Scheduler::Queue(catalog::QueuedRun run) {
  ItemPointerData tid;
  catalog::InsertQueuedRun(run, &tid);
  waiting_.Add(std::move(run), tid);
}

}  // namespace ratchet::scheduler
