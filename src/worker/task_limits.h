// How long the handler of a queue may take for a task, and what becomes of one that takes longer.
//
// Beside the timeout of its queue, those of the session hold for a task: statement_timeout, for its
// handler is what a client would send as a statement, and transaction_timeout (17), for whoever
// sets it does not know that a transaction does many tasks. What ends at either fails alone.
//
//   limit ──▶ the task is canceled, by an ERROR
//   and ratchet.cancel_grace later, if the handler has caught that and goes on:
//         ──▶ the process is ended, and the task has failed by its timeout (task_stretch.cpp)
#pragma once

#include <cstdint>

#include "pg/guard.h"

namespace ratchet::worker {

class TaskLimits {
 public:
  TaskLimits() = default;
  TaskLimits(const TaskLimits&) = delete;
  TaskLimits& operator=(const TaskLimits&) = delete;

  // Microseconds; 0: none.
  void SetTimeout(std::int64_t timeout) { timeout_ = timeout; }
  // At the beginning of a transaction that does tasks: what the settings of the session say now, of
  // which the server's own timers are stopped. Inside pg::Call.
  void TakeSession();
  bool HasAny() const { return timeout_ > 0 || OfSession() > 0; }

  // Around the execution of a handler for so many tasks. Inside pg::Call.
  void Start(int tasks) const;
  // `slot`: the run on the board. What went off when the task had come to its end is meant for
  // nobody.
  static void Stop(int slot);

  // Whether the error is that of a limit, and nobody has canceled the run.
  bool IsBy(const pg::PgError& error, int slot) const;
  // Whether this process is ended because of one.
  static bool EndsProcess();
  // What a single task says that has failed by it.
  const char* Message() const;

 private:
  std::int64_t OfSession() const;

  std::int64_t timeout_ = 0;
  std::int64_t statement_ = 0;
  std::int64_t transaction_ = 0;
};

}  // namespace ratchet::worker
