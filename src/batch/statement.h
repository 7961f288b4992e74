// A statement that a walk executes again and again.
//
// Its plan is made once, for all values, and kept while it is valid, if all of it is PostgreSQL's
// own (batch/plan_parts.h) and it can be made for all values. Otherwise a plan is made for each
// execution, as by EXECUTE in PL/pgSQL. A kept plan in which an extension has had a hand may leave
// rows out: TimescaleDB takes rows out of the compressed part of a chunk when they are updated, and
// a plan from before knows of no other part.
//
// The question is put to the plan that is used, and again whenever the server has thrown that one
// away: the table may have been converted in the middle of the walk.
#pragma once

#include <string>
#include <vector>

#include "pg/statement_log.h"

extern "C" {
#include "executor/spi.h"
#include "utils/plancache.h"
}

namespace ratchet::batch {

class Statement {
 public:
  Statement() = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // One statement. In a transaction, connected to SPI. Options: CURSOR_OPT_GENERIC_PLAN, or 0 to
  // let the server choose by cost between a plan for all values and one for those at hand. `name`
  // is a literal: that by which the server's log knows it.
  void Prepare(const char* name, const std::string& text, const std::vector<Oid>& types,
               int options);
  bool is_prepared() const { return plan_ != nullptr; }
  int parameters() const { return source_->num_params; }

  // Before it is executed, in the same transaction, with a snapshot. It may be executed several
  // times while IsChosen holds. Throws PgError: class 40 if the subtransaction has to be begun
  // again.
  void ChoosePlan();
  bool IsChosen() const { return anew_ ? !IsOutdated() : IsSeen(); }

  // The rest is for use inside pg::Call.

  // Returns SPI's code.
  int Execute(const SPIExecuteOptions& options) const;
  // For one execution; Execute has its own.
  pg::StatementLog LogOf(ParamListInfo parameters) const {
    return pg::StatementLog({text_.c_str(), log_level_, name_, parameters});
  }
  // After it was executed: whether that was by a plan that will do. If not, what has been read is
  // not to be relied on.
  bool WasRight();
  // Says in pg_stat_activity that it is what the session executes, by the number under which
  // pg_stat_statements counts it.
  void ShowQueryId() const;
  // Its kept plan, null when there is none to be used.
  CachedPlanSource* kept() const { return anew_ ? nullptr : source_; }

 private:
  void Forget() noexcept;
  bool IsOutdated() const;
  bool IsSeen() const;
  void RequirePermanentTables() const;
  void Look();
  void LookForTheFirstTime();

  const char* name_ = "";
  std::string text_;
  int log_level_ = LOGSTMT_ALL;
  SPIPlanPtr plan_ = nullptr;
  CachedPlanSource* source_ = nullptr;  // of plan_
  int seen_ = 0;                        // the generation of the plan that was looked at
  bool anew_ = false;                   // it will not do
};

}  // namespace ratchet::batch
