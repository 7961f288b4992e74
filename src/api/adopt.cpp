// Where the jobs are at home, and what was written by other means: ratchet.adopt(), the trigger on
// ratchet.job
#include "api/argument.h"
#include "api/not_loaded.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"
#include "catalog/installation.h"
#include "pg/compat.h"

extern "C" {
#include "commands/trigger.h"
}

namespace ratchet::api {
namespace {

void Adopt() {
  RequireWritable("ratchet.adopt()");
  const bool allowed = pg::Call([] { return superuser() || pg::OwnsDatabase(GetUserId()); });
  if (!allowed) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of the database to let its jobs run here");
  }
  catalog::MakeHome(GetCurrentTransactionStartTimestamp(), true);
  catalog::NoteEverythingChanged();
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
  (void)fcinfo;
  ratchet::api::SqlFunction([] { ratchet::api::Adopt(); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_tables_changed);
PGDLLEXPORT Datum ratchet_tables_changed(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] { ratchet::api::TablesChanged(fcinfo); });
  return PointerGetDatum(nullptr);
}

// Called at the end of the install script: these jobs are at home here, and a scheduler starts as
// soon as CREATE EXTENSION has committed.
PG_FUNCTION_INFO_V1(ratchet_extension_created);
PGDLLEXPORT Datum ratchet_extension_created(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  ratchet::pg::Entry([] {
    ratchet::api::WarnIfNotLoaded();
    ratchet::catalog::MakeHome(GetCurrentTransactionStartTimestamp(), false);
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
