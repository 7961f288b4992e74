// ratchet._waits_for_mutex(), ratchet._waits_for_jobs(), ratchet._waits_for_worker() and
// ratchet._waits_for_window(): what the views say a job waits for
#include <algorithm>

#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/pool_view.h"
#include "board/run_board.h"
#include "board/run_view.h"
#include "calendar/window.h"
#include "catalog/job_state.h"
#include "catalog/mutex_owner.h"
#include "catalog/role_rights.h"
#include "catalog/run_queue.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/time_zone.h"
#include "policy/dependency_words.h"

namespace ratchet::api {
namespace {

catalog::JobState StateOf(std::int64_t job_id) {
  catalog::JobState state;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  catalog::FindJobState(job_id, &tid, &state);
  return state;
}

// Something of the job is to start now.
bool IsDue(const catalog::JobDefinition& job) {
  const TimestampTz now = GetCurrentTimestamp();
  const TimestampTz next = StateOf(job.job_id).next_run_at;
  if (job.enabled && next != 0 && next <= now) {
    return true;
  }
  std::vector<catalog::FoundRun> runs;
  catalog::FindQueuedRunsOf(job.job_id, &runs);
  return std::any_of(runs.begin(), runs.end(), [now](const catalog::FoundRun& found) {
    return found.run.claimed_at == 0 && found.run.run_at <= now;
  });
}

// mutex "m", held by run 12 of job "a"
std::string MutexWait(std::int64_t job_id) {
  const auto job = catalog::FindJob(job_id);
  board::RunInTheWay holder{};
  if (!job || job->mutex.empty() || board::TheBoard() == nullptr || !MaySee(job->owner) ||
      !board::FindMutexHolder(MyDatabaseId, catalog::MutexKey(job->mutex, job->owner).c_str(),
                              &holder) ||
      !IsDue(*job)) {
    return {};
  }
  // Another owner's job has no name for the caller.
  return "mutex \"" + job->mutex + "\", held by run " + std::to_string(holder.run_id) +
         (MaySee(holder.owner) ? " of job \"" + std::string(holder.job_name) + "\"" : "");
}

// Something of the job is to start now, and no run of it keeps it from that.
bool WantsWorker(const catalog::JobDefinition& job) {
  std::vector<board::LiveRun> runs;
  board::ListRunsOfJob(MyDatabaseId, job.job_id, &runs);
  bool waits = false;
  for (const board::LiveRun& run : runs) {
    if (run.state == board::RunState::kRunning && job.overlap != catalog::Overlap::kAllow) {
      return false;  // the next one waits for this one
    }
    waits = waits || run.state == board::RunState::kReady;
  }
  return waits || IsDue(job);
}

// a worker: role app has all 3 that ratchet.max_workers_per_role gives it
// a worker: all 4 of ratchet.max_workers are busy
std::string WorkerWait(std::int64_t job_id) {
  if (board::TheBoard() == nullptr) {
    return {};
  }
  std::vector<board::HeldPool> pools = board::ListHeldPools();
  std::erase_if(pools, [](const board::HeldPool& pool) { return pool.database != MyDatabaseId; });
  const bool is_short = board::WorkersShortSince().IsSet();
  const auto job = pools.empty() && !is_short ? std::nullopt : catalog::FindJob(job_id);
  if (!job || !MaySee(job->owner)) {
    return {};
  }
  const auto held = std::find_if(pools.begin(), pools.end(), [&job](const board::HeldPool& pool) {
    return pool.role == job->owner;
  });
  if ((held == pools.end() && !is_short) || !WantsWorker(*job)) {
    return {};
  }
  if (held == pools.end()) {
    return "a worker: all " + std::to_string(pg::settings.max_workers) +
           " of ratchet.max_workers are busy";
  }
  return "a worker: role " + QuotedRoleName(job->owner) + " has all " +
         std::to_string(held->role_workers) + " that ratchet.max_workers_per_role gives it";
}

// The first of the jobs that the job depends on which has not succeeded since the job's last run;
// of those that are in trouble, if it is about these.
std::string JobsWait(std::int64_t job_id, bool trouble_only) {
  const auto job = catalog::FindJob(job_id);
  if (!job || job->depends_on.empty() || !MaySee(job->owner)) {
    return {};
  }
  const catalog::JobState state = StateOf(job_id);
  const TimestampTz since =
      state.depends_since != 0 ? state.depends_since : std::max(state.last_run_at, job->created_at);
  for (const std::string& name : job->depends_on) {
    auto parent = catalog::FindJobByName(name);
    if (parent && !catalog::MayManageJobsOf(job->owner, parent->owner)) {
      parent.reset();  // as if it was not there
    }
    policy::MissingSuccess missing;
    missing.parent = name;
    missing.exists = parent.has_value();
    missing.child_run = state.last_run_id;
    if (parent) {
      const catalog::JobState of_parent = StateOf(parent->job_id);
      if (of_parent.last_success_at > since) {
        continue;
      }
      missing.parent_run = of_parent.last_run_id;
      missing.parent_status = of_parent.last_status;
    }
    if (!trouble_only || policy::IsTrouble(missing)) {
      return policy::WhatItWaitsFor(missing);
    }
  }
  return {};
}

// active window "22:00-06:00", which opens at 2026-05-02 22:00:00+02. Never an error: one job must
// not take the view away from all others.
std::string WindowWait(const std::string& text, const std::string& zone_name) {
  const pg::PgZone* zone = pg::FindZone(zone_name);
  if (zone == nullptr) {
    return {};
  }
  try {
    const TimestampTz now = GetCurrentTimestamp();
    const calendar::Instant opening = calendar::ActiveWindow::Parse(text).NextOpening(now, *zone);
    if (opening <= now) {
      return {};
    }
    std::string words = "active window \"" + text + "\", which ";
    if (opening == calendar::kNever) {
      return words + "never opens";
    }
    return words + "opens at " + pg::Call([opening] {
             return DatumGetCString(
                 DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(opening)));
           });
  } catch (const calendar::ScheduleError&) {
    return {};
  }
}

template <typename Say>
Datum TextOrNull(FunctionCallInfo fcinfo, Say say) {
  text* result = SqlFunction([&]() -> text* {
    const std::string words = say();
    return words.empty() ? nullptr : pg::Call([&] {
      return cstring_to_text_with_len(words.data(), static_cast<int>(words.size()));
    });
  });
  if (result == nullptr) {
    PG_RETURN_NULL();
  }
  PG_RETURN_TEXT_P(result);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_waits_for_mutex);
PGDLLEXPORT Datum ratchet_waits_for_mutex(PG_FUNCTION_ARGS) {
  return ratchet::api::TextOrNull(fcinfo,
                                  [fcinfo] { return ratchet::api::MutexWait(PG_GETARG_INT64(0)); });
}

PG_FUNCTION_INFO_V1(ratchet_waits_for_worker);
PGDLLEXPORT Datum ratchet_waits_for_worker(PG_FUNCTION_ARGS) {
  return ratchet::api::TextOrNull(
      fcinfo, [fcinfo] { return ratchet::api::WorkerWait(PG_GETARG_INT64(0)); });
}

PG_FUNCTION_INFO_V1(ratchet_waits_for_window);
PGDLLEXPORT Datum ratchet_waits_for_window(PG_FUNCTION_ARGS) {
  return ratchet::api::TextOrNull(fcinfo, [fcinfo] {
    const ratchet::api::Arguments arguments(fcinfo);
    return ratchet::api::WindowWait(arguments.TextOrEmpty(0), arguments.TextOrEmpty(1));
  });
}

PG_FUNCTION_INFO_V1(ratchet_waits_for_jobs);
PGDLLEXPORT Datum ratchet_waits_for_jobs(PG_FUNCTION_ARGS) {
  return ratchet::api::TextOrNull(
      fcinfo, [fcinfo] { return ratchet::api::JobsWait(PG_GETARG_INT64(0), PG_GETARG_BOOL(1)); });
}

}  // extern "C"
