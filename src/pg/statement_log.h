// Statements in the server's log: as log_statement, log_duration, log_min_duration_statement,
// log_min_duration_sample with log_statement_sample_rate, and log_transaction_sample_rate ask for
// it.
//
// The server looks at these settings in the loop that reads the commands of a client, and nowhere
// else: what a job executes would be in no log, whatever the settings say.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/params.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
}

namespace ratchet::pg {

// Whether any of the settings asks for something.
inline bool StatementsAreLogged() {
  return log_statement != LOGSTMT_NONE || log_duration || log_min_duration_statement >= 0 ||
         log_min_duration_sample >= 0 || xact_is_sampled;
}

// What is executed. All of it outlives the execution.
struct LoggedStatement {
  const char* text;
  int level;                           // the least log_statement that has it, a LogStmtLevel
  const char* name = nullptr;          // as that of a client's prepared statement; null: it is none
  ParamListInfo parameters = nullptr;  // null: none
};

// One execution of it. For use inside pg::Call.
class StatementLog {
 public:
  explicit StatementLog(const LoggedStatement& statement) : statement_(statement) {}

  void Begin();
  // As with a client, not for what fails.
  void End() const;

 private:
  void Write(const char* duration, bool with_statement) const;

  LoggedStatement statement_;
  TimestampTz began_ = 0;
  bool was_logged_ = false;  // with its text
};

}  // namespace ratchet::pg
