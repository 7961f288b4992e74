// ratchet._superusers_only(): the trigger that guards the tables against writers other than the
// library
#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "catalog/queue.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "replication/origin.h"
#include "utils/rel.h"
}

namespace ratchet::api {
namespace {

// Whether another server has written it, and a subscription brings it here. Some that are not built
// in show themselves by their origin only.
bool IsReceived() { return IsLogicalWorker() || pg::WritesForAnother(); }

// Rows that were written elsewhere say how jobs are there: which runs are under way, which number
// comes next, whose server it is. Here they would be lies. They are left out, so that the
// subscription goes on. A statement cannot be left out, and TRUNCATE would take the jobs of this
// database.
HeapTuple LeaveOut(const TriggerData* trigger) {
  if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event)) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    std::string("table \"") + RelationGetRelationName(trigger->tg_relation) +
                        "\" is not truncated by a subscription",
                    "Take the tables of schema ratchet out of the publication, refresh the "
                    "subscription, and skip the transaction by ALTER SUBSCRIPTION ... SKIP.");
  }
  // Who restores a dump in a session with an origin is to know that nothing comes of it.
  static bool told = false;
  if (!IsLogicalWorker() && !told) {
    told = true;
    ereport(NOTICE, (errmsg("rows of table \"%s\" are left out, because the session replays what "
                            "another server has written",
                            RelationGetRelationName(trigger->tg_relation))));
  }
  return nullptr;
}

bool IsTable(const TriggerData* trigger, const char* name) {
  return std::strcmp(RelationGetRelationName(trigger->tg_relation), name) == 0;
}

bool IsAmong(const char* name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](const char* each) { return std::strcmp(name, each) == 0; });
}

// What a row that comes from elsewhere cannot say here. Null is no seal: what a superuser writes or
// restores may come from somebody else, and is held back until ratchet.adopt(). An update keeps the
// seal, which then fits or does not. In a dump the owner of a checkpoint is a number, which may be
// another role's here: until it is adopted it has none. A task is in nobody's hands here.
enum class Meaning { kKept, kNull, kNobody };
Meaning MeaningOf(const TriggerData* trigger, const char* column) {
  if (IsAmong(column, {"seal"}) ||
      (IsTable(trigger, "task") &&
       IsAmong(column, {"enqueued_by", "token", "lease_until", "claimed_by", "claimed_at"}))) {
    return Meaning::kNull;
  }
  return IsTable(trigger, "job_checkpoint") && IsAmong(column, {"owner"}) ? Meaning::kNobody
                                                                          : Meaning::kKept;
}

HeapTuple WithoutSeal(const TriggerData* trigger) {
  return pg::Call([trigger] {
    TupleDesc columns = RelationGetDescr(trigger->tg_relation);
    HeapTuple tuple = trigger->tg_trigtuple;
    for (int i = 0; i < columns->natts; i++) {
      const Form_pg_attribute column = TupleDescAttr(columns, i);
      const Meaning meaning = MeaningOf(trigger, NameStr(column->attname));
      if (!column->attisdropped && meaning != Meaning::kKept) {
        int number = i + 1;
        Datum none = ObjectIdGetDatum(InvalidOid);
        bool is_null = meaning == Meaning::kNull;
        tuple = heap_modify_tuple_by_cols(tuple, columns, 1, &number, &none, &is_null);
      }
    }
    return tuple;
  });
}

// The row goes on, without a seal when it is a new one; a statement has none.
HeapTuple RefuseOthers(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) {
    throw pg::Error(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                    "ratchet._superusers_only() can only be called by a trigger");
  }
  const auto* trigger = reinterpret_cast<const TriggerData*>(call->context);
  if (IsReceived()) {
    return LeaveOut(trigger);
  }
  if (!pg::Call([] { return superuser(); })) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    std::string("table \"") + RelationGetRelationName(trigger->tg_relation) +
                        "\" is written by the library alone",
                    "Use the functions of schema ratchet. A superuser may write it, to restore a "
                    "dump.");
  }
  if (IsAmong(RelationGetRelationName(trigger->tg_relation), {"job", "queue"})) {
    pg::Call([] { catalog::AnnounceQueues(); });
  }
  if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event)) {
    // The key to the seals is made by the library, here.
    return IsTable(trigger, "home") ? nullptr : WithoutSeal(trigger);
  }
  return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_superusers_only);
PGDLLEXPORT Datum ratchet_superusers_only(PG_FUNCTION_ARGS) {
  return PointerGetDatum(
      ratchet::pg::Entry([fcinfo] { return ratchet::api::RefuseOthers(fcinfo); }));
}

}  // extern "C"
