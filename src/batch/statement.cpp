#include "batch/statement.h"

#include "batch/plan_parts.h"
#include "pg/guard.h"
#include "pg/subtransaction.h"
#include "policy/error_class.h"

extern "C" {
#include "catalog/pg_class.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
}

namespace ratchet::batch {
namespace {

// For use inside pg::Call.
bool AllAreOurs(const CachedPlan* plan) {
  ListCell* cell;
  foreach (cell, plan->stmt_list) {
    if (!IsAllOurs(lfirst_node(PlannedStmt, cell))) {
      return false;
    }
  }
  return true;
}

// Another session's timing, a cancel, a shortage: that says nothing about the plan.
bool IsOfTheMoment(const pg::PgError& error) {
  const policy::ErrorClass what = policy::ClassOf(unpack_sql_state(error.sqlstate()));
  return what == policy::ErrorClass::kRetry || what == policy::ErrorClass::kEndRun;
}

}  // namespace

// For use inside pg::Call. One that hides a table has been made since the job was defined: by the
// action, or in the session of who runs the job.
void Statement::RequirePermanentTables() const {
  ListCell* cell;
  foreach (cell, source_->relationOids) {
    const Oid table = lfirst_oid(cell);
    if (get_rel_persistence(table) == RELPERSISTENCE_TEMP) {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("a batch job cannot use temporary table \"%s\"", get_rel_name(table)),
                      errdetail("It has been made in this session, and hides what had this name "
                                "when the job was defined."),
                      errhint("Write the schema in front of the name.")));
    }
  }
}

Statement::~Statement() { Forget(); }

void Statement::Forget() noexcept {
  if (plan_ != nullptr) {
    SPI_freeplan(plan_);
  }
  plan_ = nullptr;
  source_ = nullptr;
}

void Statement::Prepare(const char* name, const std::string& text, const std::vector<Oid>& types,
                        int options) {
  Forget();
  name_ = name;
  text_ = text;
  seen_ = 0;
  anew_ = false;
  pg::Call([&] {
    SPIPlanPtr prepared = SPI_prepare_cursor(text_.c_str(), static_cast<int>(types.size()),
                                             const_cast<Oid*>(types.data()), options);
    if (prepared == nullptr) {
      elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
    }
    if (SPI_keepplan(prepared) != 0) {
      elog(ERROR, "SPI_keepplan failed");
    }
    plan_ = prepared;
    source_ = static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(prepared)));
    log_level_ = GetCommandLogLevel(reinterpret_cast<Node*>(source_->raw_parse_tree));
    RequirePermanentTables();
  });
}

bool Statement::IsOutdated() const {
  return !source_->is_valid || (source_->gplan != nullptr && !source_->gplan->is_valid);
}

bool Statement::IsSeen() const {
  return source_->is_valid && source_->gplan != nullptr && source_->gplan->is_valid &&
         source_->gplan->generation == seen_;
}

// For use inside pg::Call. Takes the locks; what was changed by whoever held them makes the plan
// invalid, and it is made again.
void Statement::Look() {
  CachedPlan* plan = GetCachedPlan(source_, nullptr, CurrentResourceOwner, nullptr);
  if (plan->generation != seen_) {
    seen_ = plan->generation;
    anew_ = !AllAreOurs(plan);
    RequirePermanentTables();
  }
  ReleaseCachedPlan(plan, CurrentResourceOwner);
}

void Statement::ChoosePlan() {
  if (anew_ && !IsOutdated()) {
    return;
  }
  if (!IsSeen()) {
    LookForTheFirstTime();
    return;
  }
  try {
    pg::Call([this] { Look(); });
  } catch (const pg::PgError& error) {
    if (IsOfTheMoment(error)) {
      throw;
    }
    // It was made again after all, and could not be.
    pg::Call([] {
      ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                      errmsg("the plan of a batch is to be made again")));
    });
  }
}

// Such as CASE WHEN $1 > 0 THEN ... ELSE 1 / 0 END, which fails in the planner unless it knows $1.
void Statement::LookForTheFirstTime() {
  pg::Subtransaction savepoint;
  try {
    pg::Call([this] {
      MemoryContext scratch =
          AllocSetContextCreate(CurrentMemoryContext, "plan", ALLOCSET_DEFAULT_SIZES);
      MemoryContext old = MemoryContextSwitchTo(scratch);
      Look();
      MemoryContextSwitchTo(old);
      MemoryContextDelete(scratch);
    });
    savepoint.Release();
  } catch (const pg::PgError& error) {
    if (IsOfTheMoment(error)) {
      throw;
    }
    // If it is the statement's fault, its execution says so.
    anew_ = true;
  }
}

int Statement::Execute(const SPIExecuteOptions& options) const {
  SPIExecuteOptions given = options;
  if (given.params != nullptr && given.params->numParams == 0) {
    given.params = nullptr;  // as extensions know it of a statement without any
  }
  pg::StatementLog log = LogOf(given.params);
  log.Begin();
  const int code = anew_ ? SPI_execute_extended(text_.c_str(), &given)
                         : SPI_execute_plan_extended(plan_, &given);
  log.End();
  return code;
}

void Statement::ShowQueryId() const {
  if (source_->query_list != NIL) {
    pgstat_report_query_id(linitial_node(Query, source_->query_list)->queryId, true);
  }
}

// What happened in between may have made the plan invalid, and the server has made another one:
// by a change of search_path, for example.
bool Statement::WasRight() {
  const CachedPlan* plan = source_->gplan;
  if (anew_ || plan == nullptr || plan->generation == seen_) {
    return true;
  }
  seen_ = plan->generation;
  anew_ = !AllAreOurs(plan);
  RequirePermanentTables();
  return !anew_;
}

}  // namespace ratchet::batch
