// Where the jobs are at home, and what was written by other means: ratchet.adopt(), the trigger on
// ratchet.job
#include <vector>

#include "api/argument.h"
#include "api/job_change.h"
#include "api/not_loaded.h"
#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "catalog/adoption.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"
#include "catalog/installation.h"
#include "pg/compat.h"

extern "C" {
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
}

namespace ratchet::api {
namespace {

bool IsRole(Oid role) {
  return pg::Call([role] { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)); });
}

// A job of a role that does not exist would be that of whoever gets its number.
bool MayAdopt(Oid owner) { return IsRole(owner) && MayManage(owner); }

void Adopt(FunctionCallInfo call) {
  RequireWritable("ratchet.adopt()");
  RowSet rows(call);
  const bool allowed = pg::Call([] { return superuser() || pg::OwnsDatabase(GetUserId()); });
  if (!allowed) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of the database to let its jobs run here");
  }
  const bool everybody = pg::Call([] { return superuser(); });
  const std::vector<catalog::AdoptedJob> adopted =
      catalog::Adopt(GetCurrentTransactionStartTimestamp(), everybody, MayAdopt);
  catalog::NoteEverythingChanged();
  std::vector<std::int64_t> job_ids;
  for (const catalog::AdoptedJob& job : adopted) {
    job_ids.push_back(job.job_id);
    pg::Call([&] {
      Datum values[] = {CStringGetTextDatum(job.job_name.c_str()), ObjectIdGetDatum(job.owner)};
      bool nulls[] = {false, false};
      rows.Add(values, nulls);
    });
  }
  RecordAdoption(job_ids);
}

void TablesChanged(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) {
    throw pg::Error(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                    "ratchet._tables_changed must be called as a trigger");
  }
  catalog::NoteEverythingChanged();
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_adopt);
PGDLLEXPORT Datum ratchet_adopt(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::Adopt(fcinfo); });
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(ratchet_tables_changed);
PGDLLEXPORT Datum ratchet_tables_changed(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] { ratchet::api::TablesChanged(fcinfo); });
  return static_cast<Datum>(0);
}

// Called at the end of the install script: these jobs are at home here, and a scheduler starts as
// soon as CREATE EXTENSION has committed.
PG_FUNCTION_INFO_V1(ratchet_extension_created);
PGDLLEXPORT Datum ratchet_extension_created(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  ratchet::pg::Entry([] {
    ratchet::api::WarnIfNotLoaded();
    ratchet::catalog::MakeHome(GetCurrentTransactionStartTimestamp(),
                               ratchet::catalog::SealKey::kNew);
    ratchet::catalog::NoteEverythingChanged();
  });
  PG_RETURN_VOID();
}

// The first thing that every install and upgrade script does.
PG_FUNCTION_INFO_V1(ratchet_require_library);
PGDLLEXPORT Datum ratchet_require_library(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] {
    ratchet::catalog::RequireLibrary(ratchet::api::Arguments(fcinfo).Text(0, "version"));
  });
  PG_RETURN_VOID();
}

// The last thing that every upgrade script does: jobs go on as soon as ALTER EXTENSION has
// committed.
PG_FUNCTION_INFO_V1(ratchet_extension_updated);
PGDLLEXPORT Datum ratchet_extension_updated(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  ratchet::pg::Entry([] {
    ratchet::catalog::ForgetVersion();
    ratchet::catalog::NoteEverythingChanged();
  });
  PG_RETURN_VOID();
}

}  // extern "C"
