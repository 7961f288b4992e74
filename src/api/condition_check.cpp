#include "api/condition_check.h"

#include "api/job_settings.h"
#include "batch/analysis.h"
#include "batch/table_place.h"
#include "catalog/table_changes.h"
#include "pg/as_role.h"
#include "pg/compat.h"
#include "pg/subtransaction.h"
#include "pg/table_storage.h"
#include "pg/text_context.h"

extern "C" {
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/pg_list.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

// ---- only_if. For use inside pg::Call.

int Example() {
  return errhint("For example: SELECT EXISTS (SELECT FROM orders WHERE NOT exported).");
}

RawStmt* ParseCondition(const char* text) {
  List* statements = pg_parse_query(text);
  if (list_length(statements) != 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    statements == NIL ? errmsg("only_if must not be empty")
                                      : errmsg("only_if must be one query, not several statements"),
                    Example()));
  }
  RawStmt* statement = linitial_node(RawStmt, statements);
  if (!IsA(statement->stmt, SelectStmt)) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("only_if must be a query, not %s",
                    GetCommandTagName(CreateCommandTag(reinterpret_cast<Node*>(statement)))),
             errdetail("It is evaluated in a read-only transaction, before the run."), Example()));
  }
  return statement;
}

Query* AnalyzeCondition(const char* text) {
  Query* query = parse_analyze_fixedparams(ParseCondition(text), text, nullptr, 0, nullptr);
  if (query->utilityStmt != nullptr) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("only_if must not be SELECT INTO"), errhint("Leave INTO out.")));
  }
  if (query->hasModifyingCTE) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("only_if must not change data in WITH"),
                    errdetail("It is evaluated in a read-only transaction, before the run.")));
  }
  if (query->rowMarks != NIL) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("only_if must not lock rows"),
                    errdetail("It is evaluated in a read-only transaction, before the run."),
                    errhint("Leave FOR UPDATE or FOR SHARE out.")));
  }
  return query;
}

void RequireOneBoolean(const Query* query) {
  int columns = 0;
  Oid type = InvalidOid;
  ListCell* cell;
  foreach (cell, query->targetList) {
    const TargetEntry* entry = lfirst_node(TargetEntry, cell);
    if (!entry->resjunk) {
      columns++;
      type = exprType(reinterpret_cast<Node*>(entry->expr));
    }
  }
  if (columns != 1) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("only_if must give one column of type boolean, not %d columns", columns),
                    Example()));
  }
  if (type != BOOLOID) {
    ereport(ERROR,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("only_if must give one column of type boolean, not %s", format_type_be(type)),
             Example()));
  }
}

// The planner evaluates what is constant. Data that is wrong today may be another one tomorrow, and
// what it raises at a run is recorded there: here it is worth a warning.
void PlanCondition(List* queries, const char* text) {
  try {
    pg::Subtransaction attempt;
    pg::Call([queries, text] {
      ListCell* cell;
      foreach (cell, queries) {
        batch::PlanPermitted(lfirst_node(Query, cell), text);
      }
    });
    attempt.Release();
  } catch (const pg::PgError& error) {
    if (ERRCODE_TO_CATEGORY(error.sqlstate()) != ERRCODE_DATA_EXCEPTION) {
      throw;
    }
    pg::Call([&error] {
      ereport(WARNING, (errcode(error.sqlstate()),
                        errmsg("only_if cannot be evaluated as it is: %s", error.what())));
    });
  }
}

void CheckOnlyIf(const JobDefinition& job) {
  pg::AsRole role(job.owner, SettingsInForce(job));
  {
    const char* text = job.only_if.c_str();
    const pg::TextContext context(text, "only_if", "a job");
    List* queries = pg::Call([text] {
      Query* query = AnalyzeCondition(text);
      RequireOneBoolean(query);
      return pg_rewrite_query(query);
    });
    PlanCondition(queries, text);
  }
  role.End();
}

// ---- watch. For use inside pg::Call.

const char* KindOf(char kind) {
  switch (kind) {
    case RELKIND_VIEW:
      return "a view";
    case RELKIND_FOREIGN_TABLE:
      return "a foreign table";
    case RELKIND_SEQUENCE:
      return "a sequence";
    case RELKIND_INDEX:
    case RELKIND_PARTITIONED_INDEX:
      return "an index";
    case RELKIND_COMPOSITE_TYPE:
      return "a composite type";
    default:
      return "no table";
  }
}

[[noreturn]] void RefuseKind(Oid table, const char* what, const char* hint) {
  ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                  errmsg("watch: \"%s\" is %s", get_rel_name(table), what),
                  errdetail("The server does not count its changes."), errhint("%s", hint)));
}

void RequireCounted(Oid table) {
  const char kind = get_rel_relkind(table);
  switch (kind) {
    case '\0':
      ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                      errmsg("watch: table with OID %u does not exist", table)));
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_MATVIEW:
      break;
    default:
      RefuseKind(table, KindOf(kind),
                 kind == RELKIND_VIEW ? "Watch the tables that the view reads, or use only_if."
                                      : "Use only_if for a query that finds out.");
  }
  if (IsCatalogRelationOid(table)) {
    RefuseKind(table, "a system catalog", "Use only_if for a query that finds out.");
  }
  if (get_rel_persistence(table) == RELPERSISTENCE_TEMP) {
    ereport(ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE),
             errmsg("watch: \"%s\" is a temporary table", get_rel_name(table)),
             errdetail("It ends with this session, and the job runs in a session of its own.")));
  }
}

void RequireWatchable(Oid table, Oid owner) {
  RequireCounted(table);
  if (!pg::MayRead(table, owner)) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("watch: permission denied for table \"%s\"", get_rel_name(table)),
             errdetail("Owner \"%s\" of the job may not read it.", GetUserNameFromId(owner, false)),
             errhint("Grant SELECT on the table to that role.")));
  }
  ListCell* cell;
  foreach (cell, catalog::WithDescendants(table)) {
    const Oid part = lfirst_oid(cell);
    const char* hint = part == table ? "Use only_if for a query that finds out."
                                     : "Watch the other parts of the table, or use only_if.";
    if (get_rel_relkind(part) == RELKIND_FOREIGN_TABLE) {
      RefuseKind(part, "a foreign table and part of a watched table", hint);
    }
    if (pg::IsStoredByExtension(part)) {
      RefuseKind(part, "stored by an extension's access method", hint);
    }
  }
}

}  // namespace

void CheckConditions(const JobDefinition& job, const JobDefinition* old) {
  const bool same_owner = old != nullptr && job.owner == old->owner;
  if (!job.only_if.empty() &&
      (!same_owner || job.only_if != old->only_if || job.settings != old->settings)) {
    CheckOnlyIf(job);
  }
  if (!same_owner || job.watch != old->watch) {
    for (const Oid table : job.watch) {
      pg::Call([&job, table] { RequireWatchable(table, job.owner); });
      if (batch::IsKeptElsewhere(table)) {
        pg::Call([table] {
          RefuseKind(table, "a table whose rows an extension keeps elsewhere",
                     "Use only_if for a query that finds out.");
        });
      }
    }
  }
}

}  // namespace ratchet::api
