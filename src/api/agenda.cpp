// ratchet._agenda(): what will start, of all jobs that the caller may see; ratchet.agenda() puts it
// into words
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "api/argument.h"
#include "api/job_outlook.h"
#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "board/board.h"
#include "board/run_view.h"
#include "catalog/backfill.h"
#include "catalog/missing_job.h"
#include "catalog/role_rights.h"
#include "catalog/run_queue.h"
#include "pg/clock.h"
#include "policy/forecast.h"

extern "C" {
#include "miscadmin.h"
#include "utils/builtins.h"
}

namespace ratchet::api {
namespace {

using calendar::Instant;

enum Argument { kUntil, kJobName, kRunsPerJob, kMaxRows };

struct Wish {
  Instant now;
  Instant until;
  int runs_per_job;
  int max_rows;
  std::int64_t job_id = 0;  // 0: of all jobs
};

struct Entry {
  Instant at = 0;
  std::int32_t priority = 0;
  std::int64_t job_id = 0;
  policy::Cause cause = policy::Cause::kSchedule;
  std::int64_t run_id = 0;  // of a run that waits already; 0: it does not
  bool after_backfill = false;
  bool more = false;  // the job starts more often than is told
};

struct JobName {
  std::int64_t job_id;
  Oid owner;
};

// A job that has no schedule of its own, and starts when those on which it depends have succeeded.
struct Child {
  catalog::JobDefinition job;
  catalog::JobState state;
};

int CountIn(const Arguments& arguments, int i, const char* name, int most) {
  if (arguments.IsNull(i) || DatumGetInt32(arguments.Value(i)) < 1 ||
      DatumGetInt32(arguments.Value(i)) > most) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    std::string(name) + " must be between 1 and " + std::to_string(most));
  }
  return DatumGetInt32(arguments.Value(i));
}

// What a run of it takes: as long as its last one.
std::int64_t TakesOf(const catalog::JobState& state) {
  return std::max<std::int64_t>(state.last_finished_at - state.last_run_at, 0);
}

class Agenda {
 public:
  explicit Agenda(const Wish& wish) : wish_(wish) {
    board::ListRuns(MyDatabaseId, &live_);
    std::vector<catalog::Backfill> backfills;
    catalog::FindBackfills(0, &backfills);
    for (const catalog::Backfill& backfill : backfills) {
      if (backfill.holds_schedule) {
        held_.insert(backfill.job_id);
      }
    }
  }

  void AddSchedules();
  void AddChildren();
  void AddWaitingRuns();
  // In the order in which it comes.
  std::vector<Entry> Take();

 private:
  void AddJob(const catalog::JobDefinition& job);
  bool AddChild(const Child& child);
  Instant EndOfLiveRun(std::int64_t job_id, std::int64_t takes) const;
  std::vector<Instant> EndsOf(const catalog::JobDefinition& parent, Instant since) const;

  Wish wish_;
  std::vector<board::LiveRun> live_;
  std::set<std::int64_t> held_;
  std::vector<Entry> entries_;
  std::vector<Child> children_;
  std::map<std::int64_t, std::vector<Instant>> ends_;  // of the runs of a job, in order
};

std::vector<JobName> VisibleJobs() {
  std::vector<JobName> jobs;
  catalog::ScanJobs(
      [](void* argument, const catalog::JobDefinition& job) {
        if (job.enabled && !job.is_queue) {
          static_cast<std::vector<JobName>*>(argument)->push_back({job.job_id, job.owner});
        }
      },
      &jobs);
  std::map<Oid, bool> may;
  std::erase_if(jobs, [&may](const JobName& job) {
    auto known = may.find(job.owner);
    if (known == may.end()) {
      known = may.emplace(job.owner, MaySee(job.owner)).first;
    }
    return !known->second;
  });
  return jobs;
}

// 0: none is under way.
Instant Agenda::EndOfLiveRun(std::int64_t job_id, std::int64_t takes) const {
  Instant end = 0;
  for (const board::LiveRun& run : live_) {
    if (run.ticket.job_id == job_id && run.state != board::RunState::kEnded) {
      const Instant began = run.started_at != 0 ? run.started_at : wish_.now;
      end = std::max({end, began + takes, wish_.now});
    }
  }
  return end;
}

void Agenda::AddSchedules() {
  for (const JobName& name : VisibleJobs()) {
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
    const auto job = catalog::FindJob(name.job_id);
    if (job && job->enabled) {
      AddJob(*job);
    }
  }
}

// Never an error: one job whose schedule cannot be read must not take the answer away from all
// others.
void Agenda::AddJob(const catalog::JobDefinition& job) try {
  const catalog::JobState state = StateOf(job);
  const catalog::Timing timing = catalog::ReadTiming(
      {job.job_name, job.schedule, job.time_zone, job.active_window, job.calendar});
  const policy::JobPlan plan = PlanOf(job, timing, state);
  if (!plan.here) {
    return;
  }
  if (timing.schedule.kind() == calendar::Kind::kManual && !job.depends_on.empty()) {
    children_.push_back({job, state});
    return;
  }
  const std::int64_t takes = TakesOf(state);
  policy::Forecast forecast(plan, wish_.now, takes, EndOfLiveRun(job.job_id, takes));
  for (int i = 0; i <= wish_.runs_per_job; i++) {
    const auto start = forecast.Next(wish_.until);
    if (!start) {
      return;
    }
    if (i == wish_.runs_per_job) {
      entries_.back().more = true;
      return;
    }
    Entry entry;
    entry.at = start->at;
    entry.priority = job.priority;
    entry.job_id = job.job_id;
    entry.cause = start->catchup ? policy::Cause::kCatchup : policy::Cause::kSchedule;
    entry.after_backfill = held_.contains(job.job_id);
    entries_.push_back(entry);
    ends_[job.job_id].push_back(start->at + takes);
  }
} catch (const calendar::ScheduleError&) {
}

// What it has done since the child's last run counts as done now.
std::vector<Instant> Agenda::EndsOf(const catalog::JobDefinition& parent, Instant since) const {
  const auto known = ends_.find(parent.job_id);
  std::vector<Instant> ends = known != ends_.end() ? known->second : std::vector<Instant>();
  if (StateOf(parent).last_success_at > since) {
    ends.insert(ends.begin(), wish_.now);
  }
  return ends;
}

// False as long as it depends on another child that has not been looked at yet.
bool Agenda::AddChild(const Child& child) {
  const catalog::JobDefinition& job = child.job;
  const Instant since = child.state.depends_since != 0
                            ? child.state.depends_since
                            : std::max(child.state.last_run_at, job.created_at);
  std::vector<std::vector<Instant>> ends;
  for (const std::string& name : job.depends_on) {
    const auto parent = catalog::FindJobByName(name);
    if (!parent || !catalog::MayManageJobsOf(job.owner, parent->owner)) {
      return true;  // it starts never
    }
    if (std::any_of(children_.begin(), children_.end(),
                    [&parent](const Child& other) { return other.job.job_id == parent->job_id; })) {
      return false;
    }
    ends.push_back(EndsOf(*parent, since));
  }
  const catalog::Timing timing = catalog::ReadTiming(
      {job.job_name, job.schedule, job.time_zone, job.active_window, job.calendar});
  const policy::JobPlan plan = PlanOf(job, timing, child.state);
  int told = 0;
  for (const Instant start : policy::StartsAfterAll(ends)) {
    const Instant at = plan.Opening(start);
    if (at > wish_.until) {
      break;
    }
    if (told++ == wish_.runs_per_job) {
      entries_.back().more = true;
      break;
    }
    Entry entry;
    entry.at = at;
    entry.priority = job.priority;
    entry.job_id = job.job_id;
    entry.cause = policy::Cause::kDependency;
    entries_.push_back(entry);
    ends_[job.job_id].push_back(at + TakesOf(child.state));
  }
  return true;
}

void Agenda::AddChildren() {
  for (std::size_t left = children_.size() + 1; children_.size() < left;) {
    left = children_.size();
    for (std::size_t i = 0; i < children_.size();) {
      const Child child = std::move(children_[i]);
      children_[i].job.job_id = 0;  // it does not wait for itself
      if (AddChild(child)) {
        children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        children_[i++] = child;
      }
    }
  }
}

void Agenda::AddWaitingRuns() {
  std::vector<catalog::QueuedRun> waiting;
  catalog::ScanQueuedRuns(
      [](void* argument, const catalog::FoundRun& found) {
        if (found.run.claimed_at == 0) {
          static_cast<std::vector<catalog::QueuedRun>*>(argument)->push_back(found.run);
        }
      },
      &waiting);
  if (wish_.job_id != 0) {
    std::erase_if(waiting, [this](const auto& run) { return run.job_id != wish_.job_id; });
  }
  // The rest would not be told.
  std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
    return std::tie(a.run_at, a.run_id) < std::tie(b.run_at, b.run_id);
  });
  waiting.resize(std::min(waiting.size(), static_cast<std::size_t>(wish_.max_rows)));
  for (const catalog::QueuedRun& run : waiting) {
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
    const auto job = catalog::FindJob(run.job_id);
    if (!job || job->is_queue || !MaySee(run.owner) || !MaySee(job->owner) ||
        run.run_at > wish_.until) {
      continue;
    }
    Entry entry;
    entry.at = std::max(run.run_at, wish_.now);
    try {
      const catalog::Timing timing =
          catalog::ReadTiming({job->job_name, "@manual", job->time_zone, job->active_window, {}});
      entry.at = PlanOf(*job, timing, {}).Opening(entry.at);
    } catch (const calendar::ScheduleError&) {
      continue;
    }
    entry.priority = job->priority;
    entry.job_id = run.job_id;
    entry.cause = run.cause;
    entry.run_id = run.run_id;
    if (entry.at <= wish_.until) {
      entries_.push_back(entry);
    }
  }
}

std::vector<Entry> Agenda::Take() {
  if (wish_.job_id != 0) {
    std::erase_if(entries_, [this](const Entry& entry) { return entry.job_id != wish_.job_id; });
  }
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.at, a.priority, a.job_id, a.run_id) <
           std::tie(b.at, b.priority, b.job_id, b.run_id);
  });
  if (entries_.size() > static_cast<std::size_t>(wish_.max_rows)) {
    entries_.resize(static_cast<std::size_t>(wish_.max_rows));
  }
  return std::move(entries_);
}

// pg_monitor sees jobs that it may not manage.
std::int64_t VisibleJob(const std::string& job_name) {
  const auto job = catalog::FindJobByName(job_name);
  if (!job || !MaySee(job->owner)) {
    throw catalog::MissingJob(job_name);
  }
  return job->job_id;
}

void WriteAgenda(FunctionCallInfo call) {
  const Arguments arguments(call);
  Wish wish;
  wish.now = pg::Now().wall;
  wish.until = arguments.Time(kUntil, "until");
  wish.runs_per_job = CountIn(arguments, kRunsPerJob, "runs_per_job", 10'000);
  wish.max_rows = CountIn(arguments, kMaxRows, "max_rows", 100'000);
  if (!arguments.IsNull(kJobName)) {
    wish.job_id = VisibleJob(arguments.Text(kJobName, "job_name"));
  }
  RowSet rows(call);
  if (board::TheBoard() == nullptr) {
    return;  // nothing starts
  }
  Agenda agenda(wish);
  agenda.AddSchedules();
  agenda.AddChildren();
  agenda.AddWaitingRuns();
  for (const Entry& entry : agenda.Take()) {
    pg::Call([&rows, &entry] {
      const std::string_view cause = policy::Name(entry.cause);
      Datum values[] = {
          TimestampTzGetDatum(entry.at),
          Int64GetDatum(entry.job_id),
          PointerGetDatum(cstring_to_text_with_len(cause.data(), static_cast<int>(cause.size()))),
          Int64GetDatum(entry.run_id),
          BoolGetDatum(entry.after_backfill),
          BoolGetDatum(entry.more)};
      bool nulls[] = {false, false, false, entry.run_id == 0, false, false};
      rows.Add(values, nulls);
    });
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_agenda);
PGDLLEXPORT Datum ratchet_agenda(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::WriteAgenda(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
