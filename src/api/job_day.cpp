// ratchet._job_day(): reads the day that the scheduler keeps for each job.
#include "policy/job_day.h"

#include "api/sql_function.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/span.h"

extern "C" {
#include "funcapi.h"
#include "utils/varlena.h"
}

namespace ratchet::api {
namespace {

Datum JobDayRow(FunctionCallInfo fcinfo) {
  policy::JobDay::Summary summary;
  if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1)) {
    const bytea* bytes = pg::Call([&] { return PG_GETARG_BYTEA_PP(0); });
    summary = policy::JobDay::Decode({VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)})
                  .Summarize(PG_GETARG_TIMESTAMPTZ(1));
  }
  return pg::Call([&] {
    TupleDesc descriptor = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    Datum values[9];
    bool nulls[9] = {};
    values[0] = Int64GetDatum(summary.runs);
    values[1] = Int64GetDatum(summary.failures);
    const int64 spans[] = {
        summary.average_duration, summary.p95_duration,    summary.average_lag,     summary.max_lag,
        summary.median_duration,  summary.slower_duration, summary.earlier_duration};
    for (int i = 0; i < 7; i++) {
      values[i + 2] = IntervalPGetDatum(pg::IntervalOf(spans[i]));
      nulls[i + 2] = summary.runs == 0 || (i > 4 && summary.slower_duration == 0);
    }
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
  });
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_job_day);
PGDLLEXPORT Datum ratchet_job_day(PG_FUNCTION_ARGS);

Datum ratchet_job_day(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([&] { return ratchet::api::JobDayRow(fcinfo); });
}

}  // extern "C"
