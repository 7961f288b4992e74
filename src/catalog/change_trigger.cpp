#include "catalog/change_trigger.h"

#include <cstdlib>
#include <cstring>

#include "pg/as_role.h"
#include "pg/guard.h"
#include "pg/span.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace ratchet::catalog {
namespace {

constexpr char kSchema[] = "ratchet";
constexpr char kFunction[] = "_change";
constexpr int kArguments = 6;
constexpr std::int64_t kMillisecond = 1000;

bool ParseNumber(const char* text, std::int64_t* number, char** end) {
  errno = 0;
  *number = std::strtoll(text, end, 10);
  return errno == 0 && *end != text;
}

// All that follows is for use inside pg::Call.

Oid MakerOf(const char* name, const char* number) {
  char* end = nullptr;
  const auto role = static_cast<Oid>(std::strtoul(number, &end, 10));
  const bool is_of_this_server =
      *end == '/' && std::strtoull(end + 1, nullptr, 10) == GetSystemIdentifier();
  return is_of_this_server ? role : get_role_oid(name, true);
}

// Not list_make2(): clang calls what it expands to an extension.
List* FunctionName() {
  return lappend(lappend(NIL, makeString(pstrdup(kSchema))), makeString(pstrdup(kFunction)));
}

// InvalidOid in an installation that does not have it.
Oid FunctionOid() { return LookupFuncName(FunctionName(), 0, nullptr, true); }

// The arguments, each ended by a zero byte in a bytea.
int SplitArguments(HeapTuple tuple, Relation catalog, char** arguments) {
  bool null = false;
  const Datum value = heap_getattr(tuple, Anum_pg_trigger_tgargs, RelationGetDescr(catalog), &null);
  const int count = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple))->tgnargs;
  if (null || count != kArguments) {
    return 0;
  }
  bytea* bytes = DatumGetByteaPP(value);
  char* next = VARDATA_ANY(bytes);
  const char* end = next + VARSIZE_ANY_EXHDR(bytes);
  for (int i = 0; i < count; i++) {
    auto* zero = static_cast<char*>(std::memchr(next, 0, end - next));
    if (zero == nullptr) {
      return 0;
    }
    arguments[i] = next;
    next = zero + 1;
  }
  return count;
}

void Append(HeapTuple tuple, Relation catalog, std::vector<ChangeTrigger>* triggers) {
  char* arguments[kArguments];
  const int count = SplitArguments(tuple, catalog, arguments);
  const auto* form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
  ChangeTarget target;
  if (!ParseChangeTarget(arguments, count, &target)) {
    return;
  }
  triggers->push_back({form->oid, form->tgrelid, form->tgenabled,
                       form->tgenabled != TRIGGER_DISABLED, target, NameStr(form->tgname),
                       arguments[3]});
}

List* ArgumentList(const ChangeTrigger& trigger) {
  const ChangeTarget& target = trigger.target;
  char* debounce = target.debounce % kMillisecond == 0
                       ? psprintf(INT64_FORMAT " ms", target.debounce / kMillisecond)
                       : psprintf(INT64_FORMAT " us", target.debounce);
  List* arguments = NIL;
  for (char* text :
       {psprintf(INT64_FORMAT, target.job_id), debounce, psprintf(INT64_FORMAT, target.job_born),
        pstrdup(trigger.job_name.c_str()), GetUserNameFromId(target.made_by, false),
        psprintf("%u/" UINT64_FORMAT, target.made_by, GetSystemIdentifier())}) {
    arguments = lappend(arguments, makeString(text));
  }
  return arguments;
}

CreateTrigStmt* CreateStatement(const ChangeTrigger& trigger, bool replace) {
  CreateTrigStmt* statement = makeNode(CreateTrigStmt);
  statement->replace = replace;
  statement->trigname = pstrdup(trigger.name.c_str());
  statement->relation = makeRangeVar(get_namespace_name(get_rel_namespace(trigger.table)),
                                     get_rel_name(trigger.table), -1);
  statement->funcname = FunctionName();
  statement->args = ArgumentList(trigger);
  statement->timing = TRIGGER_TYPE_AFTER;
  statement->events =
      TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE;
  return statement;
}

DropStmt* DropStatement(const ChangeTrigger& trigger) {
  List* name = NIL;
  for (char* part : {get_namespace_name(get_rel_namespace(trigger.table)),
                     get_rel_name(trigger.table), pstrdup(trigger.name.c_str())}) {
    name = lappend(name, makeString(part));
  }
  DropStmt* statement = makeNode(DropStmt);
  statement->removeType = OBJECT_TRIGGER;
  statement->objects = lappend(NIL, name);
  statement->behavior = DROP_RESTRICT;
  return statement;
}

// ------------------------------------------------------------------------------------------------

// What a statement would do is done in the sight of event triggers. They run as whoever
// asks, before and behind it, as they do for the statement: never with the rights by which it is
// done.
class WatchedStatement {
 public:
  explicit WatchedStatement(Node* statement)
      : statement_(statement),
        collects_(pg::Call([] { return EventTriggerBeginCompleteQuery(); })) {}
  WatchedStatement(const WatchedStatement&) = delete;
  WatchedStatement& operator=(const WatchedStatement&) = delete;
  // Also after an error: nothing else would take back what has begun.
  ~WatchedStatement() {
    if (collects_) {
      EventTriggerEndCompleteQuery();
    }
  }

  void Begin() {
    pg::Call([this] { EventTriggerDDLCommandStart(statement_); });
  }
  void Note(const ObjectAddress& made) {
    pg::Call([&] { EventTriggerCollectSimpleCommand(made, InvalidObjectAddress, statement_); });
  }
  void End() {
    pg::Call([this] {
      CommandCounterIncrement();
      EventTriggerSQLDrop(statement_);
      EventTriggerDDLCommandEnd(statement_);
    });
  }

 private:
  Node* statement_;
  const bool collects_;
};

}  // namespace

bool ParseChangeTarget(char* const* arguments, int count, ChangeTarget* target) {
  char* end = nullptr;
  if (count != kArguments || !ParseNumber(arguments[0], &target->job_id, &end) ||
      !ParseNumber(arguments[2], &target->job_born, &end) ||
      !ParseNumber(arguments[1], &target->debounce, &end)) {
    return false;
  }
  if (std::strcmp(end, " ms") == 0 && target->debounce <= pg::kMicrosecondsPerDay / kMillisecond) {
    target->debounce *= kMillisecond;
  } else if (std::strcmp(end, " us") != 0) {
    return false;
  }
  target->made_by = MakerOf(arguments[4], arguments[5]);
  return target->debounce >= 0 && target->debounce <= pg::kMicrosecondsPerDay;
}

void FindChangeTriggers(Oid table, std::vector<ChangeTrigger>* triggers) {
  pg::Call([table, triggers] {
    const Oid function = FunctionOid();
    if (!OidIsValid(function)) {
      return;
    }
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(table));
    Relation catalog = table_open(TriggerRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(catalog, TriggerRelidNameIndexId, OidIsValid(table),
                                          nullptr, OidIsValid(table) ? 1 : 0, &key);
    HeapTuple tuple = nullptr;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
      if (reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple))->tgfoid == function) {
        Append(tuple, catalog, triggers);
      }
    }
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
  });
}

// Nobody but superusers may call _change() in a trigger, or everybody could run everybody's jobs:
// so the trigger is made with the rights of one. No code of users runs meanwhile.
void MakeChangeTrigger(const ChangeTrigger& trigger, bool replace) {
  CreateTrigStmt* statement = pg::Call([&] { return CreateStatement(trigger, replace); });
  WatchedStatement watched(reinterpret_cast<Node*>(statement));
  watched.Begin();
  pg::AsRole superuser(BOOTSTRAP_SUPERUSERID, {});
  const ObjectAddress made = pg::Call([&] {
    return CreateTriggerFiringOn(statement, nullptr, trigger.table, InvalidOid, InvalidOid,
                                 InvalidOid, InvalidOid, InvalidOid, nullptr, false, false,
                                 trigger.fires);
  });
  superuser.End();
  watched.Note(made);
  watched.End();
}

void DropChangeTrigger(const ChangeTrigger& trigger) {
  DropStmt* statement = pg::Call([&] { return DropStatement(trigger); });
  WatchedStatement watched(reinterpret_cast<Node*>(statement));
  watched.Begin();
  pg::Call([&trigger] {
    const ObjectAddress address = {TriggerRelationId, trigger.trigger, 0};
    performDeletion(&address, DROP_RESTRICT, 0);
  });
  watched.End();
}

bool HasPreparedTransactions() {
  return pg::Call([] {
    if (max_prepared_xacts == 0) {
      return false;
    }
    PushActiveSnapshot(GetTransactionSnapshot());
    SPI_connect();
    const bool found =
        SPI_execute(
            "SELECT FROM pg_catalog.pg_prepared_xacts"
            " WHERE database OPERATOR(pg_catalog.=) pg_catalog.current_database() LIMIT 1",
            true, 1) == SPI_OK_SELECT &&
        SPI_processed > 0;
    SPI_finish();
    PopActiveSnapshot();
    return found;
  });
}

}  // namespace ratchet::catalog
