// ratchet.silence(), ratchet.unsilence() and ratchet.acknowledge()
#include "catalog/silence.h"
#include "api/argument.h"
#include "api/channel_access.h"
#include "api/job_check.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "api/text_list.h"
#include "calendar/interval.h"
#include "catalog/commit_notice.h"
#include "catalog/incident.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

// One without an end would be forgotten.
constexpr std::int64_t kLongestSilence = 366 * calendar::kDay;

std::int64_t MakeSilence(const Arguments& arguments) {
  enum Argument { kUntil, kReason, kJobs, kTags };
  RequireWritable("ratchet.silence()");
  catalog::Silence silence;
  silence.until = arguments.Time(kUntil, "until");
  silence.reason = RequireText(arguments.Text(kReason, "reason"), "reason");
  RequireVisible(silence.reason, "reason");
  silence.jobs = NamesIn(arguments, kJobs, "jobs");
  silence.has_jobs = !silence.jobs.empty();
  silence.tags = NamesIn(arguments, kTags, "tags");
  silence.has_tags = !silence.tags.empty();
  silence.owner = GetUserId();
  RefuseSender(silence.owner);
  silence.created_at = GetCurrentTimestamp();
  if (silence.until <= silence.created_at || silence.until > silence.created_at + kLongestSilence) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "until must be in the future, and within a year");
  }
  for (const std::string& name : silence.jobs) {
    RequireJob(name);
  }
  catalog::InsertSilence(&silence);
  catalog::NoteMessagesChanged();
  return silence.silence_id;
}

bool Unsilence(const Arguments& arguments) {
  RequireWritable("ratchet.unsilence()");
  const std::int64_t silence_id = arguments.Int64(0, "silence_id");
  const auto may_end = [silence_id](const catalog::Silence& silence) {
    if (!MayManage(silence.owner)) {
      throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                      "must be owner of silence " + std::to_string(silence_id));
    }
  };
  const auto seen = catalog::FindSilence(silence_id);
  if (!seen) {
    return false;
  }
  may_end(*seen);
  ItemPointerData tid;
  const auto silence = catalog::FindSilence(silence_id, &tid);
  if (!silence) {
    return false;
  }
  may_end(*silence);
  catalog::DeleteSilence(&tid);
  catalog::NoteMessagesChanged();
  return true;
}

// Whoever may manage the alert, or the job that it is about.
void RequireMayAcknowledge(const catalog::IncidentRow& incident) {
  const auto job = incident.job_id != 0 ? catalog::FindJob(incident.job_id) : std::nullopt;
  if (!MayManage(incident.owner) && !(job && MayManage(job->owner))) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of incident " + std::to_string(incident.standing.incident_id));
  }
}

void Acknowledge(const Arguments& arguments) {
  RequireWritable("ratchet.acknowledge()");
  const std::int64_t incident_id = arguments.Int64(0, "incident_id");
  const auto seen = catalog::FindIncident(incident_id);
  if (!seen) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "incident " + std::to_string(incident_id) + " does not exist");
  }
  RequireMayAcknowledge(*seen);
  ItemPointerData tid;
  auto incident = catalog::HoldIncident(incident_id, &tid);
  if (!incident || incident->standing.acknowledged_at != 0) {
    return;
  }
  incident->standing.acknowledged_at = GetCurrentTimestamp();
  incident->acknowledged_by = RoleName(GetUserId());
  catalog::UpdateIncident(&tid, *incident);
  catalog::NoteMessagesChanged();
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_silence);
PGDLLEXPORT Datum ratchet_silence(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::MakeSilence(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_unsilence);
PGDLLEXPORT Datum ratchet_unsilence(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::Unsilence(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_acknowledge);
PGDLLEXPORT Datum ratchet_acknowledge(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::Acknowledge(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
