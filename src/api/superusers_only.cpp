// ratchet._superusers_only(): the trigger that guards the tables against writers other than the
// library
#include "pg/guard.h"

extern "C" {
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "replication/origin.h"
#include "utils/rel.h"
}

namespace ratchet::api {
namespace {

// Whether another server has written it, and a subscription brings it here. Some that are not built
// in show themselves by their origin only.
bool IsReceived() { return IsLogicalWorker() || replorigin_session_origin != InvalidRepOriginId; }

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

// The row goes on as it came; a statement has none.
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
