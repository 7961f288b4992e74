// News of runs: how they have ended, what was not run, what is late, and heartbeats.
#include <algorithm>

#include "catalog/commit_notice.h"
#include "catalog/job_stat.h"
#include "catalog/outbox.h"
#include "catalog/queue.h"
#include "catalog/role_rights.h"
#include "pg/guard.h"
#include "policy/job_day.h"
#include "policy/json_text.h"
#include "scheduler/message_desk.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "miscadmin.h"
}

namespace ratchet::scheduler {
namespace {

using policy::AlertEvent;
using policy::RunStatus;

// Bytes of an error that go into a message.
constexpr std::size_t kLongestError = 8000;

// A run is slow that takes so many times as long as 95 of 100, and what is over in a moment is not.
constexpr int kSlow = 2;
constexpr std::int64_t kLeastSlow = USECS_PER_SEC;
// Before that so many must have run within the day.
constexpr std::int64_t kLeastRuns = 20;

std::string Cut(std::string text) {
  if (text.size() > kLongestError) {
    text.resize(static_cast<std::size_t>(pg::Call([&text] {
      return pg_mbcliplen(text.c_str(), static_cast<int>(text.size()),
                          static_cast<int>(kLongestError));
    })));
  }
  return text;
}

std::string RoleNameOf(Oid role) {
  std::string name;
  pg::Call([&name, role] {
    const char* found = GetUserNameFromId(role, true);
    name = found != nullptr ? found : "";
  });
  return name;
}

// An element of "incidents".
policy::JsonText BeginDetails(AlertEvent event, const catalog::JobDefinition& job) {
  policy::JsonText text;
  text.Text("event", policy::Name(event));
  if (job.is_queue) {
    text.Raw("job", "null").Text("queue", job.job_name.substr(catalog::JobNameOf("").size()));
  } else {
    text.Text("job", job.job_name).Raw("queue", "null");
  }
  text.Text("owner", RoleNameOf(job.owner)).Text("time_zone", job.time_zone);
  return text;
}

std::string DetailsOf(AlertEvent event, const catalog::JobDefinition& job, const RunEnd& end,
                      const MessageDesk::Standing& standing) {
  policy::JsonText text = BeginDetails(event, job);
  text.Number("run_id", end.run_id);
  catalog::AddTime(&text, "scheduled_at", end.scheduled_at);
  catalog::AddTime(&text, "started_at", end.started_at);
  catalog::AddTime(&text, "ended_at", end.finished_at);
  text.Text("status", policy::Name(end.status));
  const auto record = catalog::ReadOwnRunRecord(end.run_id, end.mark);
  const std::string sqlstate =
      record && record->error.sqlstate != 0 ? unpack_sql_state(record->error.sqlstate) : "";
  text.TextOrNull("sqlstate", sqlstate)
      .TextOrNull(
          "error",
          record ? Cut(record->error.message.empty() ? record->reason : record->error.message) : "")
      .TextOrNull("context", record ? Cut(record->error.context) : "")
      .Number("failures_in_a_row", standing.failures)
      .Number("rows", end.counters.rows_affected)
      .Number("items_failed", end.counters.items_failed);
  catalog::AddTime(&text, "next_run_at", standing.next_run_at);
  const std::string number = std::to_string(end.run_id);
  text.Text("inspect", "SELECT * FROM ratchet.runs WHERE run_id = " + number)
      .Text("replay", "SELECT ratchet.replay(" + number + ")");
  return text.Done();
}

}  // namespace

void MessageDesk::FindForRun(AlertEvent event, const RunEnd& end, const Standing& standing,
                             Count count) {
  const catalog::JobDefinition* job = WantsAny(event) ? JobOf(end.job_id) : nullptr;
  if (job == nullptr) {
    return;
  }
  std::string details;
  for (Watched& watched : alerts_) {
    const bool is_enough = count == Count::kEach ||
                           standing.failures >= watched.alert.after_failures ||
                           watched.episodes.Find(KeyOf(event, end.job_id)) != nullptr;
    if (!watched.Wants(event) || !is_enough || !IsAbout(watched, *job)) {
      continue;
    }
    if (details.empty()) {
      details = DetailsOf(event, *job, end, standing);
    }
    Bad(&watched, {event, SubjectOf(*job), end.run_id, details, end.finished_at});
  }
}

void MessageDesk::FailureOf(const RunEnd& end, const Standing& standing) {
  const AlertEvent event = end.status == RunStatus::kCrashed    ? AlertEvent::kCrashed
                           : end.status == RunStatus::kTimedOut ? AlertEvent::kTimedOut
                                                                : AlertEvent::kFailed;
  FindForRun(event, end, standing, Count::kAfterFailures);
}

// Of a job that has run often enough for that to mean something.
void MessageDesk::FindSlow(const RunEnd& end, const Standing& standing) {
  if (!WantsAny(AlertEvent::kSlow)) {
    return;
  }
  const std::int64_t took = end.finished_at - end.started_at;
  policy::JobDay::Summary usual;
  catalog::JobStat stat;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  if (catalog::FindJobStat(end.job_id, &tid, &stat)) {
    usual = policy::JobDay::Decode(stat.day).Summarize(end.finished_at);
  }
  if (usual.runs >= kLeastRuns && took > kSlow * usual.p95_duration && took >= kLeastSlow) {
    FindForRun(AlertEvent::kSlow, end, standing, Count::kEach);
  } else {
    GoodEverywhere(AlertEvent::kSlow, end.job_id, end.finished_at);
  }
}

void MessageDesk::SuccessOf(const RunEnd& end, const Standing& standing) {
  GoodEverywhere(AlertEvent::kFailed, end.job_id, end.finished_at);
  GoodEverywhere(AlertEvent::kMissed, end.job_id, end.finished_at);
  if (standing.was_failing) {
    FindForRun(AlertEvent::kRecovered, end, standing, Count::kEach);
  }
  FindSlow(end, standing);
}

void MessageDesk::RunEnded(const RunEnd& end, const Standing& standing) {
  if (policy::IsFailure(end.status)) {
    FailureOf(end, standing);
  } else if (end.status == RunStatus::kSucceeded || end.status == RunStatus::kPartial) {
    SuccessOf(end, standing);
  }
  if (end.counters.items_failed > 0) {
    FindForRun(AlertEvent::kFailedItems, end, standing, Count::kEach);
  } else if (end.status == RunStatus::kSucceeded) {
    GoodEverywhere(AlertEvent::kFailedItems, end.job_id, end.finished_at);
  }
}

void MessageDesk::FindForJob(AlertEvent event, const catalog::JobDefinition& job,
                             std::int64_t run_id, const std::string& details, TimestampTz at) {
  for (Watched& watched : alerts_) {
    if (watched.Wants(event) && IsAbout(watched, job)) {
      Bad(&watched, {event, SubjectOf(job), run_id, details, at});
    }
  }
}

void MessageDesk::RunMissed(const Missed& missed, TimestampTz now) {
  const catalog::JobDefinition* job =
      WantsAny(AlertEvent::kMissed) ? JobOf(missed.job_id) : nullptr;
  if (job == nullptr) {
    return;
  }
  policy::JsonText text = BeginDetails(AlertEvent::kMissed, *job);
  text.NumberOrNull("run_id", missed.run_id);
  catalog::AddTime(&text, "scheduled_at", missed.scheduled_at);
  text.Text("status", "skipped").Text("error", missed.reason);
  FindForJob(AlertEvent::kMissed, *job, missed.run_id, text.Done(), now);
}

// Late is said once, when the deadline has passed; that it will be, while there is still time.
void MessageDesk::LookAtDeadline(const Deadline& deadline, TimestampTz now) {
  const bool is_late = now >= deadline.deadline;
  const bool is_at_risk = !is_late && deadline.expected > deadline.deadline;
  const AlertEvent event = is_late ? AlertEvent::kLate : AlertEvent::kAtRisk;
  if (!is_late) {
    GoodEverywhere(AlertEvent::kLate, deadline.job_id, now);
  }
  if (!is_at_risk) {
    GoodEverywhere(AlertEvent::kAtRisk, deadline.job_id, now);
  }
  const catalog::JobDefinition* job =
      (is_late || is_at_risk) && WantsAny(event) ? JobOf(deadline.job_id) : nullptr;
  if (job == nullptr) {
    return;
  }
  policy::JsonText text = BeginDetails(event, *job);
  text.NumberOrNull("run_id", deadline.run_id);
  catalog::AddTime(&text, "scheduled_at", deadline.scheduled_at);
  catalog::AddTime(&text, "deadline", deadline.deadline);
  catalog::AddTime(&text, "expected_at", deadline.expected);
  text.Text("status", deadline.run_id != 0 ? "running" : "not started");
  const std::string details = text.Done();
  for (Watched& watched : alerts_) {
    // What is known is not found again.
    const policy::Incident* known = watched.episodes.Find(KeyOf(event, deadline.job_id));
    if (watched.Wants(event) && (known == nullptr || !known->is_open()) && IsAbout(watched, *job)) {
      Bad(&watched,
          {event, SubjectOf(*job), deadline.run_id, details, is_late ? deadline.deadline : now});
    }
  }
}

void MessageDesk::InTime(std::int64_t job_id, TimestampTz now) {
  GoodEverywhere(AlertEvent::kLate, job_id, now);
  GoodEverywhere(AlertEvent::kAtRisk, job_id, now);
}

// A channel that is gone, or may not be used any more, hears nothing: the run is not kept from
// anything.
void MessageDesk::Heartbeat(const Beat& beat, TimestampTz now) {
  const catalog::JobDefinition& job = *beat.job;
  const auto channel = catalog::FindChannelByName(job.heartbeat);
  if (!channel || !catalog::MayManageJobsOf(job.owner, channel->owner)) {
    return;
  }
  catalog::Delivery delivery = catalog::NewDelivery(*channel, job.owner, "heartbeat", now);
  const policy::MessageId run =
      catalog::MessageIds().Add("run").Add(beat.run->run_id).Add(beat.run->mark).Make();
  delivery.message_id = catalog::MessageIds()
                            .Add("heartbeat")
                            .Add(policy::TextOf(run))
                            .Add(beat.notice)
                            .Add(channel->channel_name)
                            .Make();
  const bool has_failed = std::string_view(beat.notice) == "failure";
  policy::JsonText text;
  text.Text("type", "heartbeat")
      .Text("notice", beat.notice)
      .Text("rid", policy::TextOf(run))
      .Text("job", job.job_name)
      .Number("run_id", beat.run->run_id)
      .Number("exit_code", has_failed ? 1 : 0);
  catalog::AddOrigin(&text);
  catalog::AddTime(&text, "scheduled_at", beat.run->scheduled_at);
  catalog::AddTime(&text, "started_at", beat.started_at);
  catalog::AddTime(&text, "ended_at", beat.finished_at);
  text.Text("subject", "job " + job.job_name + ": " + beat.notice)
      .TextOrNull("body", Cut(beat.error));
  delivery.message = text.Done();
  catalog::InsertDelivery(&delivery);
  catalog::NoteDelivery();
}

MessageDesk::Subject MessageDesk::SubjectOf(const catalog::JobDefinition& job) {
  return {job.job_id,
          job.is_queue ? job.job_name.substr(catalog::JobNameOf("").size()) : job.job_name,
          job.owner};
}

}  // namespace ratchet::scheduler
