#include "scheduler/message_desk.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "catalog/commit_notice.h"
#include "catalog/outbox.h"
#include "catalog/role_rights.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "policy/json_text.h"
#include "policy/json_value.h"
#include "policy/notice_text.h"

namespace ratchet::scheduler {
namespace {

using policy::AlertEvent;

// In one message; how many more there are is said.
constexpr std::size_t kMostMembers = 20;

// What somebody had in hand is tried again after this time.
constexpr std::int64_t kTryAgain = 2 * USECS_PER_SEC;

// Results of incidents that were closed no longer ago than this are remembered.
constexpr std::int64_t kRemembers = 7 * USECS_PER_DAY;

bool Has(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool HaveOneInCommon(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&b](const std::string& word) { return Has(b, word); });
}

int RankOf(std::string_view severity) {
  return severity == "critical" ? 3 : severity == "error" ? 2 : severity == "warning" ? 1 : 0;
}

std::int32_t FailuresIn(const std::string& details) {
  const auto parsed = policy::ParseJson(details);
  const policy::JsonValue* number = parsed ? parsed->Find("failures_in_a_row") : nullptr;
  return number != nullptr && number->Is(policy::JsonValue::Type::kNumber)
             ? std::atoi(number->text.c_str())
             : 0;
}

}  // namespace

MessageDesk::Watched::Watched(catalog::Alert definition)
    : alert(std::move(definition)),
      episodes({alert.group_wait, alert.repeat_every, alert.resolved}) {
  for (const std::string& name : alert.events) {
    if (const auto event = policy::AlertEventOf(name)) {
      events[static_cast<std::size_t>(*event)] = true;
    }
  }
}

void MessageDesk::Forget() {
  alerts_.clear();
  silences_.clear();
  jobs_.clear();
  unwritten_.clear();
  retry_at_ = 0;
}

std::string MessageDesk::KeyOf(AlertEvent event, std::int64_t job_id) {
  return std::string(policy::ClassOf(event)) + ":" + std::to_string(job_id);
}

void MessageDesk::Read(TimestampTz now) {
  Forget();
  for (catalog::Alert& alert : catalog::ListAlerts()) {
    if (!alert.quarantined && OidIsValid(alert.owner)) {
      alerts_.emplace_back(std::move(alert));
    }
  }
  silences_ = catalog::ListSilences();
  for (catalog::IncidentRow& row : catalog::ListIncidents(now - kRemembers)) {
    const auto watched = std::find_if(
        alerts_.begin(), alerts_.end(),
        [&row](const Watched& candidate) { return candidate.alert.alert_id == row.alert_id; });
    const auto event = policy::AlertEventOf(row.event);
    if (watched != alerts_.end() && event) {
      row.standing.key = KeyOf(*event, row.job_id);
      watched->episodes.Load(row.standing);
      if (!row.standing.closed) {
        watched->rows[row.standing.key] = std::move(row);
      }
    } else if (!row.standing.closed) {
      // Its alert was dropped: nothing more is said of it.
      row.standing.closed = true;
      row.standing.resolved_at = row.standing.resolved_at != 0 ? row.standing.resolved_at : now;
      unwritten_.push_back(std::move(row));
    }
  }
}

// ---- Who is watched
// ------------------------------------------------------------------------------

bool MessageDesk::WantsAny(AlertEvent event) const {
  return std::any_of(alerts_.begin(), alerts_.end(),
                     [event](const Watched& watched) { return watched.Wants(event); });
}

bool MessageDesk::IsAbout(const Watched& watched, const catalog::JobDefinition& job) const {
  const catalog::Alert& alert = watched.alert;
  const bool is_for_all = !alert.has_jobs && !alert.has_tags && !alert.has_queues;
  const bool is_named =
      job.is_queue ? Has(alert.queues, SubjectOf(job).name) : Has(alert.jobs, job.job_name);
  return (is_for_all || is_named || HaveOneInCommon(alert.tags, job.tags)) &&
         catalog::MayManageJobsOf(alert.owner, job.owner);
}

bool MessageDesk::Watches(const catalog::JobDefinition& job) const {
  return std::any_of(alerts_.begin(), alerts_.end(), [&](const Watched& watched) {
    bool wants_runs = false;
    for (int i = 0; i < policy::kAlertEvents; i++) {
      wants_runs = wants_runs || (policy::IsOfRun(static_cast<AlertEvent>(i)) &&
                                  watched.events[static_cast<std::size_t>(i)]);
    }
    return wants_runs && IsAbout(watched, job);
  });
}

const catalog::JobDefinition* MessageDesk::JobOf(std::int64_t job_id) {
  const auto [place, is_new] = jobs_.try_emplace(job_id);
  if (is_new) {
    place->second = catalog::FindJob(job_id);
  }
  return place->second ? &*place->second : nullptr;
}

// ---- What is found
// -------------------------------------------------------------------------------

void MessageDesk::Bad(Watched* watched, const Finding& finding) {
  const bool is_point = finding.event == AlertEvent::kRecovered;
  const std::string key = KeyOf(finding.event, finding.subject.job_id);
  const bool is_new = watched->episodes.Find(key) == nullptr;
  watched->episodes.Bad(key, finding.at, is_point);
  catalog::IncidentRow& row = watched->rows[key];
  if (is_new) {
    row = catalog::IncidentRow{};
    row.alert_id = watched->alert.alert_id;
    row.alert_name = watched->alert.alert_name;
    row.owner = watched->alert.owner;
    row.job_id = finding.subject.job_id;
    row.subject = finding.subject.name;
  }
  row.event = policy::Name(finding.event);
  row.run_id = finding.run_id;
  row.details = finding.details;
}

void MessageDesk::Good(Watched* watched, AlertEvent event, std::int64_t job_id, TimestampTz at) {
  if (!watched->episodes.IsIdle()) {
    watched->episodes.Good(KeyOf(event, job_id), at);
  }
}

void MessageDesk::GoodEverywhere(AlertEvent event, std::int64_t job_id, TimestampTz at) {
  for (Watched& watched : alerts_) {
    Good(&watched, event, job_id, at);
  }
}

void MessageDesk::JobGone(std::int64_t job_id, TimestampTz now) {
  for (Watched& watched : alerts_) {
    for (int i = 0; i < policy::kAlertEvents && !watched.episodes.IsIdle(); i++) {
      watched.episodes.Forget(KeyOf(static_cast<AlertEvent>(i), job_id), now);
    }
  }
}

// ---- What is said
// --------------------------------------------------------------------------------

TimestampTz MessageDesk::SilencedUntil(const catalog::IncidentRow& row, TimestampTz now) {
  TimestampTz until = 0;
  for (const catalog::Silence& silence : silences_) {
    if (silence.until <= now) {
      continue;
    }
    const catalog::JobDefinition* job = row.job_id != 0 ? JobOf(row.job_id) : nullptr;
    const bool is_for_all = !silence.has_jobs && !silence.has_tags;
    const bool is_named = job != nullptr && (Has(silence.jobs, job->job_name) ||
                                             HaveOneInCommon(silence.tags, job->tags));
    const Oid owner = job != nullptr ? job->owner : row.owner;
    if ((is_for_all || is_named) && catalog::MayManageJobsOf(silence.owner, owner)) {
      until = std::max(until, silence.until);
    }
  }
  return until;
}

policy::MessageId MessageDesk::EpisodeId(const catalog::Alert& alert, std::int64_t episode_at) {
  return catalog::MessageIds().Add("episode").Add(alert.alert_name).Add(episode_at).Make();
}

std::string MessageDesk::MessageOf(const Watched& watched, const policy::Notice& notice) const {
  std::vector<policy::Said> said;
  std::string list = "[";
  std::string severity = "info";
  for (const std::string& key : notice.members) {
    const auto found = watched.rows.find(key);
    const auto event =
        found != watched.rows.end() ? policy::AlertEventOf(found->second.event) : std::nullopt;
    if (!event) {
      continue;
    }
    const catalog::IncidentRow& row = found->second;
    said.push_back({*event, row.subject, FailuresIn(row.details)});
    if (said.size() <= kMostMembers) {
      list += (list.size() > 1 ? ", " : "") + row.details;
    }
    if (RankOf(policy::SeverityOf(*event)) > RankOf(severity)) {
      severity = policy::SeverityOf(*event);
    }
  }
  const bool is_over = notice.kind == policy::NoticeKind::kResolved;
  const std::int64_t lasts = (is_over ? notice.resolved_at : notice.said_at) - notice.opened_at;
  policy::JsonText text;
  text.Text("type", "incident")
      .Text("notice", policy::Name(notice.kind))
      .Text("episode", policy::TextOf(EpisodeId(watched.alert, notice.episode_at)))
      .Number("number", notice.number)
      .Text("alert", watched.alert.alert_name)
      .Text("severity", severity);
  catalog::AddOrigin(&text);
  catalog::AddTime(&text, "opened_at", notice.opened_at);
  catalog::AddTime(&text, "resolved_at", is_over ? notice.resolved_at : 0);
  text.Seconds("duration_s", lasts)
      .Raw("incidents", list + "]")
      .Number("more", static_cast<std::int64_t>(said.size() - std::min(said.size(), kMostMembers)))
      .Text("subject", policy::SubjectOf(notice.kind, pg::settings.environment, said, lasts))
      .Raw("body", "null")
      .Raw("details", "{}");
  return text.Done();
}

void MessageDesk::Put(const catalog::Channel& channel, const Watched& watched,
                      const policy::Notice& notice, TimestampTz now) {
  catalog::Delivery delivery =
      catalog::NewDelivery(channel, watched.alert.owner, policy::Name(notice.kind), now);
  delivery.message_id = catalog::MessageIds()
                            .Add("alert")
                            .Add(watched.alert.alert_name)
                            .Add(notice.episode_at)
                            .Add(policy::Name(notice.kind))
                            .Add(notice.number)
                            .Add(channel.channel_name)
                            .Make();
  delivery.message = MessageOf(watched, notice);
  catalog::InsertDelivery(&delivery);
  catalog::NoteDelivery();
}

void MessageDesk::Deliver(const Watched& watched, const policy::Notice& notice, TimestampTz now) {
  for (const std::string& name : watched.alert.channels) {
    const auto channel = catalog::FindChannelByName(name);
    // Who may not use it any more has lost that.
    if (channel && catalog::MayManageJobsOf(watched.alert.owner, channel->owner)) {
      Put(*channel, watched, notice, now);
    }
  }
}

void MessageDesk::WriteIncidents(Watched* watched) {
  for (policy::Incident& incident : watched->episodes.TakeChanged()) {
    const auto found = watched->rows.find(incident.key);
    if (found == watched->rows.end()) {
      continue;
    }
    catalog::IncidentRow& row = found->second;
    row.standing = incident;
    row.episode = EpisodeId(watched->alert, incident.episode_at);
    if (!catalog::WriteIncident(&row)) {
      unwritten_.push_back(row);
    }
    policy::Incident* live = watched->episodes.Find(incident.key);
    if (incident.closed) {
      watched->rows.erase(found);
    } else if (live != nullptr) {
      live->incident_id = row.standing.incident_id;
    }
  }
}

void MessageDesk::SpeakOf(Watched* watched, TimestampTz now) {
  const auto silenced = [&](const policy::Incident& incident) {
    const auto found = watched->rows.find(incident.key);
    return found != watched->rows.end() ? SilencedUntil(found->second, now) : 0;
  };
  for (const policy::Notice& notice : watched->episodes.Take(now, silenced)) {
    Deliver(*watched, notice, now);
  }
  WriteIncidents(watched);
}

void MessageDesk::Speak(TimestampTz now) {
  if (retry_at_ <= now && !unwritten_.empty()) {
    for (catalog::IncidentRow& row : std::exchange(unwritten_, {})) {
      if (!catalog::WriteIncident(&row)) {
        unwritten_.push_back(std::move(row));
      }
    }
    retry_at_ = now + kTryAgain;
  }
  for (Watched& watched : alerts_) {
    if (watched.episodes.HasNews(now)) {
      SpeakOf(&watched, now);
    }
  }
  jobs_.clear();
}

}  // namespace ratchet::scheduler
