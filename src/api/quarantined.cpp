// ratchet._is_quarantined(): whether a job is held back until ratchet.adopt()
#include "api/argument.h"
#include "api/held_back.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/job.h"
#include "pg/guard.h"

namespace ratchet::api {
namespace {

bool IsQuarantined(std::int64_t job_id) {
  const auto job = catalog::FindJob(job_id);
  return job && MaySee(job->owner) && (job->quarantined || IsCopy());
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_is_quarantined);
PGDLLEXPORT Datum ratchet_is_quarantined(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::IsQuarantined(PG_GETARG_INT64(0)); }));
}

}  // extern "C"
