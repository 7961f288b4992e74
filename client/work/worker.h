// ratchet work: a consumer that runs a command for each task.
#pragma once

#include <chrono>
#include <list>
#include <memory>

#include "deliver/leases.h"
#include "deliver/reports.h"
#include "postgres/session.h"
#include "process/signals.h"
#include "work/child.h"

namespace client::work {

struct WorkerOptions {
  postgres::ConnectOptions connect;
  std::string queue;
  std::vector<std::string> command;
  int concurrency = 1;
  std::chrono::milliseconds lease{60000};
  std::chrono::milliseconds timeout{0};  // of one task; 0: none
  std::chrono::milliseconds grace{30000};
  bool once = false;  // until the queue is empty
};

class Worker {
 public:
  explicit Worker(WorkerOptions options);
  int Run(process::Signals& signals);

 private:
  using Clock = postgres::Session::Clock;
  struct Task {
    deliver::Lease lease;
    std::unique_ptr<Child> child;
    Clock::time_point extend_at, end_at, kill_at;
    std::string why_ended;  // by us; empty: by itself
    bool lost = false;      // somebody else has it
  };

  void Claim();
  void Take(const postgres::Answer& answer);
  void Start(const std::vector<postgres::Value>& row);
  void Extend(Task& task, Clock::time_point now);
  void EndChild(Task& task, const std::string& why, Clock::time_point now);
  void StepTasks(Clock::time_point now);
  void Report(const Task& task, int status);
  void Wait(process::Signals& signals, std::chrono::milliseconds at_most);
  void HandleSignal(int signal, Clock::time_point now);

  WorkerOptions options_;
  postgres::Session claim_session_;
  postgres::Session report_session_;
  deliver::Reports reports_;
  std::list<Task> tasks_;
  Clock::time_point next_claim_{};
  bool stopping_ = false;
  bool found_nothing_ = false;
  Clock::time_point stop_until_{};
  std::string refusal_;
};

}  // namespace client::work
