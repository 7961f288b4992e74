#include "api/plan_check.h"

#include <string>

#include "api/job_settings.h"
#include "api/privilege.h"
#include "batch/analysis.h"
#include "pg/as_role.h"
#include "pg/subtransaction.h"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
}

namespace ratchet::api {
namespace {

// Who has a table locked is not waited for.
constexpr char kPatience[] = "50ms";

bool HasPlan(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
      return true;
    default:
      return false;
  }
}

// For use inside pg::Call. False when what comes next may need what this one does.
bool PlanStatement(RawStmt* statement, const char* text) {
  const bool is_call = IsA(statement->stmt, CallStmt);
  if (!is_call && !HasPlan(statement->stmt)) {
    return false;
  }
  Query* query = parse_analyze_fixedparams(statement, text, nullptr, 0, nullptr);
  if (is_call) {
    auto* call = castNode(CallStmt, query->utilityStmt);
    batch::RequireFunctions(reinterpret_cast<Node*>(call->funcexpr));
    return false;
  }
  if (query->commandType == CMD_UTILITY) {
    return false;  // SELECT INTO
  }
  const bool is_plain = !contain_volatile_functions(reinterpret_cast<Node*>(query));
  ListCell* cell;
  foreach (cell, pg_rewrite_query(query)) {
    Query* rewritten = lfirst_node(Query, cell);
    if (rewritten->commandType == CMD_UTILITY) {
      return false;  // NOTIFY of a rule
    }
    (void)batch::PlanPermitted(rewritten, text);
  }
  return is_plain;
}

// What is there, and may be used: what is wrong with values is for a run to tell.
bool IsOfNames(int sqlstate) {
  return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
         sqlstate == ERRCODE_INVALID_SCHEMA_NAME;
}

void Warn(const catalog::JobDefinition& job, const pg::PgError& error, int number, int count) {
  const std::string role = QuotedRoleName(job.owner);
  pg::Call([&] {
    ereport(WARNING, (errcode(error.sqlstate()),
                      errmsg("the command of job \"%s\" cannot be planned as role %s: %s",
                             job.job_name.c_str(), role.c_str(), error.what()),
                      count > 1 ? errdetail("In statement %d of %d.", number, count) : 0,
                      errhint("The job is defined. Its runs fail as long as that is so.")));
  });
}

}  // namespace

void WarnOfPlan(const catalog::JobDefinition& job) {
  pg::SettingList settings = SettingsInForce(job);
  settings.emplace_back("lock_timeout", kPatience);
  int number = 0;
  int count = 0;
  try {
    // Undone in any case, and so are the locks.
    const pg::Subtransaction attempt;
    pg::AsRole role(job.owner, settings);
    pg::Call([&] {
      const char* text = job.command.c_str();
      List* statements = pg_parse_query(text);
      count = list_length(statements);
      ListCell* cell;
      foreach (cell, statements) {
        number++;
        if (!PlanStatement(lfirst_node(RawStmt, cell), text)) {
          break;
        }
      }
    });
    role.End();
  } catch (const pg::PgError& error) {
    if (IsOfNames(error.sqlstate())) {
      Warn(job, error, number, count);
    } else if (error.sqlstate() == ERRCODE_QUERY_CANCELED) {
      throw;
    }
  }
}

}  // namespace ratchet::api
