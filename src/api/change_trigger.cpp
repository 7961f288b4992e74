// ratchet.trigger_on_change(), ratchet.drop_trigger_on_change(), and the trigger itself
#include "catalog/change_trigger.h"
#include "api/argument.h"
#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "batch/table_place.h"
#include "catalog/commit_notice.h"
#include "catalog/role_rights.h"
#include "pg/compat.h"
#include "pg/span.h"
#include "worker/current_run.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace ratchet::api {
namespace {

enum Argument { kTable, kJobName, kDebounce, kIfExists = kDebounce };

struct Table {
  Oid oid;
  char kind;
  char persistence;
  std::string name;
};

Table RequireTable(Oid oid) {
  Table table{oid, '\0', '\0', std::to_string(oid)};
  const bool exists = pg::Call([&table] {
    char* name = get_rel_name(table.oid);
    if (name == nullptr) {
      return false;
    }
    table.kind = get_rel_relkind(table.oid);
    table.persistence = get_rel_persistence(table.oid);
    table.name = name;
    return true;
  });
  if (!exists) {
    throw pg::Error(ERRCODE_UNDEFINED_TABLE,
                    "table_name: table with OID " + std::to_string(oid) + " does not exist");
  }
  return table;
}

void RequireSuitable(const Table& table) {
  if (table.kind != RELKIND_RELATION && table.kind != RELKIND_PARTITIONED_TABLE) {
    throw pg::Error(ERRCODE_WRONG_OBJECT_TYPE, "table_name: \"" + table.name + "\" is not a table",
                    "Only ordinary and partitioned tables say when they change.");
  }
  if (table.persistence == RELPERSISTENCE_TEMP) {
    throw pg::Error(ERRCODE_WRONG_OBJECT_TYPE,
                    "table_name: \"" + table.name + "\" is a temporary table",
                    "The run of a job has a session of its own, which cannot see it.");
  }
}

// The library writes its tables without firing triggers. Days that are left out are written by
// people.
void RefuseOwnTable(const Table& table) {
  const bool is_own = pg::Call([&table] {
    return get_rel_namespace(table.oid) == get_namespace_oid("ratchet", true) &&
           table.oid != get_relname_relid("calendar_days", get_rel_namespace(table.oid));
  });
  if (is_own) {
    throw pg::Error(ERRCODE_WRONG_OBJECT_TYPE,
                    "table_name: \"ratchet." + table.name + "\" does not say when it changes",
                    "A job with watch or only_if sees what has changed there whenever it is due; "
                    "to follow another "
                    "job use depends_on.");
  }
}

void RequireFiring(const Table& table) {
  if (batch::IsKeptElsewhere(table.oid)) {
    throw pg::Error(
        ERRCODE_WRONG_OBJECT_TYPE,
        "table_name: the rows of \"" + table.name + "\" are kept elsewhere, by an extension",
        "Call ratchet.trigger() where they are written, or let the job's schedule ask "
        "by only_if.",
        "Triggers of the table are not fired when they change.");
  }
}

// For use inside pg::Call.
bool MayMakeTriggers(Oid role, Oid table) {
  return pg_class_aclcheck(table, role, ACL_TRIGGER) == ACLCHECK_OK;
}

void RequireMayMakeTriggers(const Table& table) {
  if (!pg::Call([&table] { return MayMakeTriggers(GetUserId(), table.oid); })) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for table " + table.name,
                    "It needs the privilege TRIGGER on the table.");
  }
}

std::int64_t DebounceIn(const Arguments& arguments) {
  if (arguments.IsNull(kDebounce)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "debounce must not be null");
  }
  std::int64_t debounce = 0;
  if (!pg::SpanOf(*DatumGetIntervalP(arguments.Value(kDebounce)), &debounce) ||
      debounce > pg::kMicrosecondsPerDay) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "debounce must not be longer than 1 day");
  }
  if (debounce < 0) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "debounce must not be negative");
  }
  return debounce;
}

const catalog::ChangeTrigger* FindOf(const std::vector<catalog::ChangeTrigger>& triggers,
                                     std::int64_t job_id) {
  for (const catalog::ChangeTrigger& trigger : triggers) {
    if (trigger.target.job_id == job_id) {
      return &trigger;
    }
  }
  return nullptr;
}

// Whether its maker may still have it there, and the job run by it.
bool IsInForce(const catalog::ChangeTrigger& trigger, Oid owner) {
  const Oid maker = trigger.target.made_by;
  return catalog::MayManageJobsOf(maker, owner) &&
         pg::Call([&] { return MayMakeTriggers(maker, trigger.table); });
}

// Whether it does what is wanted, whoever has made it.
bool IsWanted(const catalog::ChangeTrigger& found, const catalog::ChangeTrigger& wanted) {
  catalog::ChangeTarget target = wanted.target;
  target.made_by = found.target.made_by;
  return found.target == target && found.job_name == wanted.job_name;
}

// What is so already is left alone, without a lock on the table.
std::string TriggerOnChange(const Arguments& arguments) {
  RequireWritable("ratchet.trigger_on_change()");
  const Oid oid = arguments.ObjectId(kTable, "table_name");
  const catalog::JobDefinition job = RequireJob(arguments.Text(kJobName, "job_name"));
  const std::int64_t debounce = DebounceIn(arguments);
  Table table = RequireTable(oid);
  RequireSuitable(table);
  RequireMayMakeTriggers(table);
  RefuseOwnTable(table);
  RequireFiring(table);

  catalog::ChangeTrigger wanted{InvalidOid,
                                oid,
                                TRIGGER_FIRES_ON_ORIGIN,
                                true,
                                {job.job_id, job.created_at, debounce, GetUserId()},
                                "ratchet_change_" + std::to_string(job.job_id),
                                job.job_name};
  std::vector<catalog::ChangeTrigger> triggers;
  catalog::FindChangeTriggers(oid, &triggers);
  const catalog::ChangeTrigger* found = FindOf(triggers, job.job_id);
  if (found != nullptr && IsWanted(*found, wanted) && IsInForce(*found, job.owner)) {
    return found->name;
  }
  pg::Call([oid] { LockRelationOid(oid, ShareRowExclusiveLock); });
  table = RequireTable(oid);  // it may be gone, or another one's
  RequireMayMakeTriggers(table);
  triggers.clear();
  catalog::FindChangeTriggers(oid, &triggers);
  found = FindOf(triggers, job.job_id);
  if (found != nullptr) {
    wanted.name = found->name;
    wanted.fires = found->fires;
  }
  catalog::MakeChangeTrigger(wanted, found != nullptr);
  return wanted.name;
}

// Of a job that is gone it is found by the name that the job had. Who owns the table may get rid of
// whatever hangs on it, and who manages the job of whatever asks for it.
bool DropTriggerOnChange(const Arguments& arguments) {
  RequireWritable("ratchet.drop_trigger_on_change()");
  const Table table = RequireTable(arguments.ObjectId(kTable, "table_name"));
  const std::string job_name = arguments.Text(kJobName, "job_name");
  const bool owner = pg::Call([&table] { return pg::OwnsTable(table.oid, GetUserId()); });
  const auto job = catalog::FindJobByName(job_name);
  if (!owner && !(job && MayManage(job->owner))) {
    RequireMayMakeTriggers(table);
    if (job) {
      RequireMayManage(*job);
    }
  }
  std::vector<catalog::ChangeTrigger> triggers;
  catalog::FindChangeTriggers(table.oid, &triggers);
  bool dropped = false;
  for (const catalog::ChangeTrigger& trigger : triggers) {
    const bool matches =
        job ? trigger.target.job_id == job->job_id
            : trigger.job_name == job_name && !catalog::FindJob(trigger.target.job_id);
    if (matches) {
      catalog::DropChangeTrigger(trigger);
      dropped = true;
    }
  }
  if (!dropped && !arguments.BoolOr(kIfExists, false)) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "changes of table \"" + table.name +
                                                  "\" do not trigger job \"" + job_name + "\"");
  }
  return dropped;
}

// Why the trigger asks for no runs of a job of this owner; empty: it does.
std::string WhyNot(const catalog::ChangeTrigger& trigger, Oid owner) {
  const Oid maker = trigger.target.made_by;
  if (!pg::Call([maker] { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(maker)); })) {
    return "the role that has made it does not exist";
  }
  if (!catalog::MayManageJobsOf(maker, owner)) {
    return "role \"" + RoleName(maker) + "\", which has made it, may not manage the job";
  }
  if (!pg::Call([&] { return MayMakeTriggers(maker, trigger.table); })) {
    return "role \"" + RoleName(maker) +
           "\", which has made it, has no privilege TRIGGER on the table";
  }
  return {};
}

// One row: who has made the trigger, and why it asks for nothing.
void DescribeTrigger(FunctionCallInfo call) {
  const Arguments arguments(call);
  const Oid table = arguments.ObjectId(0, "table_name");
  const Oid wanted = arguments.ObjectId(1, "trigger_oid");
  const Oid owner = arguments.ObjectId(2, "job_owner");
  std::vector<catalog::ChangeTrigger> triggers;
  catalog::FindChangeTriggers(table, &triggers);
  RowSet rows(call);
  for (const catalog::ChangeTrigger& trigger : triggers) {
    if (trigger.trigger == wanted) {
      const std::string why = WhyNot(trigger, owner);
      pg::Call([&] {
        Datum values[] = {ObjectIdGetDatum(trigger.target.made_by),
                          why.empty() ? static_cast<Datum>(0) : CStringGetTextDatum(why.c_str())};
        bool nulls[] = {false, why.empty()};
        rows.Add(values, nulls);
      });
    }
  }
}

// The writer's statement must never fail because of us: whatever does not fit is left out. What a
// run of the job changes itself asks for no further run, or there would be no end.
void OnChange(const Trigger& trigger, Oid table) {
  catalog::ChangeTarget target;
  const bool is_ours = pg::Call([&] {
    return catalog::ParseChangeTarget(trigger.tgargs, trigger.tgnargs, &target) &&
           MayMakeTriggers(target.made_by, table);
  });
  if (!is_ours) {
    return;
  }
  const worker::CurrentRun* run = worker::TheCurrentRun();
  if (run != nullptr && run->ticket.job_id == target.job_id) {
    return;
  }
  catalog::NoteTableChange({target.job_id, target.job_born, target.made_by, target.debounce});
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_trigger_on_change);
PGDLLEXPORT Datum ratchet_trigger_on_change(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    const std::string name = ratchet::api::TriggerOnChange(ratchet::api::Arguments(fcinfo));
    return ratchet::pg::Call([&name] { return CStringGetTextDatum(name.c_str()); });
  });
}

PG_FUNCTION_INFO_V1(ratchet_drop_trigger_on_change);
PGDLLEXPORT Datum ratchet_drop_trigger_on_change(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return BoolGetDatum(ratchet::api::DropTriggerOnChange(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_describe_trigger);
PGDLLEXPORT Datum ratchet_describe_trigger(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::DescribeTrigger(fcinfo); });
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(ratchet_change);
PGDLLEXPORT Datum ratchet_change(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
      throw ratchet::pg::Error(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                               "ratchet._change() can only be called by a trigger");
    }
    const auto* call = reinterpret_cast<const TriggerData*>(fcinfo->context);
    ratchet::api::OnChange(*call->tg_trigger, call->tg_relation->rd_id);
  });
  return static_cast<Datum>(0);
}

}  // extern "C"
