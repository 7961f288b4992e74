// Runs the text of a job inside of a procedure call, which has the top level already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/server.h"
#include "worker/commit_hint.h"

namespace ratchet::worker {

class ForegroundStatements {
 public:
  // Throws for what cannot run inside of a procedure call.
  ForegroundStatements(const std::string& command, bool per_statement, bool dry_run);

  // Connected to SPI, as one that may commit. Throws PgError.
  void Run();

  std::int64_t rows_affected() const { return rows_affected_; }
  const std::string& result() const { return result_; }
  int statement() const { return statement_; }
  // Why they cannot commit.
  OneTransaction why_one_transaction() const {
    return dry_run_                              ? OneTransaction::kDryRun
           : !per_statement_ && statements() > 1 ? OneTransaction::kStatements
                                                 : OneTransaction::kNot;
  }
  int statements() const { return static_cast<int>(statements_.size()); }

 private:
  struct Statement {
    std::size_t start;
    std::size_t length;
    bool may_commit;
  };
  void Parse(bool per_statement);
  void RunAll();
  void RunAndRollBack();
  void RunOne(const Statement& statement);

  const std::string& command_;
  int log_level_ = 0;
  bool per_statement_;
  bool dry_run_;
  std::vector<Statement> statements_;
  int statement_ = 0;
  std::int64_t rows_affected_ = 0;
  std::string result_;
};

}  // namespace ratchet::worker
