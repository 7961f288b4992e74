// ratchet._is_quarantined(), ratchet._is_channel_held() and ratchet._is_alert_held(): whether a
// job, a channel or an alert is held back until ratchet.adopt()
#include "api/argument.h"
#include "api/held_back.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/alert.h"
#include "catalog/channel.h"
#include "catalog/job.h"
#include "pg/guard.h"

namespace ratchet::api {
namespace {

bool IsQuarantined(std::int64_t job_id) {
  const auto job = catalog::FindJob(job_id);
  return job && MaySee(job->owner) && (job->quarantined || IsCopy());
}

bool IsChannelHeld(std::int64_t channel_id) {
  const auto channel = catalog::FindChannel(channel_id);
  return channel && MaySee(channel->owner) && (channel->quarantined || IsCopy());
}

bool IsAlertHeld(std::int64_t alert_id) {
  const auto alert = catalog::FindAlert(alert_id);
  return alert && MaySee(alert->owner) && (alert->quarantined || IsCopy());
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_is_quarantined);
PGDLLEXPORT Datum ratchet_is_quarantined(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::IsQuarantined(PG_GETARG_INT64(0)); }));
}

PG_FUNCTION_INFO_V1(ratchet_is_channel_held);
PGDLLEXPORT Datum ratchet_is_channel_held(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::IsChannelHeld(PG_GETARG_INT64(0)); }));
}

PG_FUNCTION_INFO_V1(ratchet_is_alert_held);
PGDLLEXPORT Datum ratchet_is_alert_held(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::IsAlertHeld(PG_GETARG_INT64(0)); }));
}

}  // extern "C"
