#include "work/worker.h"

#include <poll.h>
#include <sysexits.h>

#include <algorithm>
#include <csignal>

#include "journal/journal.h"
#include "postgres/patience.h"
#include "text/span.h"

namespace client::work {

namespace {

using postgres::Answer;
using postgres::Value;
using std::chrono::milliseconds;

// Between SIGTERM and SIGKILL.
constexpr milliseconds kToEnd{10000};
constexpr const char* kStale = "55000";

int ExitStatusOf(const std::string& sqlstate) {
  return sqlstate == "42501"                                 ? EX_NOPERM
         : sqlstate.starts_with("42") || sqlstate == "3F000" ? EX_CONFIG
                                                             : 0;
}

}  // namespace

Worker::Worker(WorkerOptions options)
    : options_(std::move(options)),
      claim_session_(options_.connect, "claims tasks of " + options_.queue),
      report_session_(options_.connect, "reports"),
      reports_(report_session_) {}

void Worker::Claim() {
  const std::size_t room = static_cast<std::size_t>(options_.concurrency) - tasks_.size();
  claim_session_.Run(
      "SELECT task_id, token, payload, attempt, ordering_key, group_key"
      " FROM ratchet.claim($1, $2::integer, $3::interval, $4::interval)",
      {options_.queue, std::to_string(room), text::SpanLiteral(options_.lease),
       text::SpanLiteral(options_.once ? milliseconds(0) : postgres::kClaimWait)},
      postgres::kPatience, [this](const Answer& answer) { Take(answer); });
}

void Worker::Take(const Answer& answer) {
  if (!answer.ok) {
    if (!answer.lost && !stopping_) {
      journal::Error(
          "tasks cannot be claimed",
          {{"queue", options_.queue}, {"sqlstate", answer.sqlstate}, {"error", answer.message}});
      refusal_ = answer.sqlstate;
      next_claim_ = Clock::now() + std::chrono::seconds(5);
    }
    return;
  }
  found_nothing_ = answer.rows.empty();
  for (const std::vector<Value>& row : answer.rows) {
    Start(row);
  }
}

void Worker::Start(const std::vector<Value>& row) {
  const Clock::time_point now = Clock::now();
  Task task;
  task.lease = {row.at(0).value_or(""), row.at(1).value_or("")};
  task.extend_at = now + options_.lease / 3;
  task.end_at = options_.timeout.count() > 0 ? now + options_.timeout : Clock::time_point::max();
  task.kill_at = Clock::time_point::max();
  std::vector<std::pair<std::string, std::string>> environment = {
      {"RATCHET_QUEUE", options_.queue},
      {"RATCHET_TASK_ID", task.lease.id},
      {"RATCHET_ATTEMPT", row.at(3).value_or("")}};
  if (row.at(4)) {
    environment.emplace_back("RATCHET_ORDERING_KEY", *row.at(4));
  }
  if (row.at(5)) {
    environment.emplace_back("RATCHET_GROUP_KEY", *row.at(5));
  }
  try {
    task.child = std::make_unique<Child>(options_.command, environment, row.at(2).value_or("null"));
  } catch (const std::runtime_error& problem) {
    reports_.Tell("SELECT ratchet.fail($1::bigint, $2::bigint, $3)",
                  {task.lease.id, task.lease.token, problem.what()}, [](const Answer&) {});
    return;
  }
  journal::Debug("begun", {{"task", task.lease.id}});
  tasks_.push_back(std::move(task));
}

void Worker::EndChild(Task& task, const std::string& why, Clock::time_point now) {
  if (!task.why_ended.empty()) {
    return;
  }
  task.why_ended = why;
  task.kill_at = now + kToEnd;
  task.child->Signal(SIGTERM);
}

void Worker::Extend(Task& task, Clock::time_point now) {
  task.extend_at = now + options_.lease / 3;
  reports_.Tell("SELECT ratchet.extend($1::bigint, $2::bigint, $3::interval)",
                {task.lease.id, task.lease.token, text::SpanLiteral(options_.lease)},
                [this, lease = task.lease](const Answer& answer) {
                  if (answer.ok) {
                    return;
                  }
                  journal::Warning("a lease could not be made longer",
                                   {{"task", lease.id}, {"error", answer.message}});
                  // The same task may be there twice, ours under an older token.
                  for (Task& running : tasks_) {
                    if (answer.sqlstate == kStale && running.lease.id == lease.id &&
                        running.lease.token == lease.token) {
                      running.lost = true;
                      EndChild(running, "the task was given to another consumer, or canceled",
                               Clock::now());
                    }
                  }
                });
}

void Worker::Report(const Task& task, int status) {
  if (task.lost) {
    journal::Warning("a command was ended, because its task is in other hands",
                     {{"task", task.lease.id}});
    return;
  }
  const auto told = [id = task.lease.id](const Answer& answer) {
    if (!answer.ok) {
      journal::Warning("the end of a task could not be told",
                       {{"task", id}, {"error", answer.message}});
    }
  };
  if (status == 0 && task.why_ended.empty()) {
    journal::Debug("done", {{"task", task.lease.id}});
    reports_.Tell("SELECT ratchet.complete($1::bigint, $2::bigint)",
                  {task.lease.id, task.lease.token}, told);
    return;
  }
  const std::string error = task.why_ended.empty()
                                ? ErrorOf(status, task.child->last_lines())
                                : task.why_ended + ": " + ErrorOf(status, task.child->last_lines());
  journal::Warning("a command failed", {{"task", task.lease.id}, {"error", error}});
  // What ended because we do is tried at once by whoever is there.
  reports_.Tell("SELECT ratchet.fail($1::bigint, $2::bigint, $3, $4::interval)",
                {task.lease.id, task.lease.token, error,
                 stopping_ && !task.why_ended.empty() ? Value("0 s") : Value()},
                told);
}

void Worker::StepTasks(Clock::time_point now) {
  for (auto task = tasks_.begin(); task != tasks_.end();) {
    task->child->GiveInput();
    task->child->ReadErrors();
    if (const auto status = task->child->Ended()) {
      Report(*task, *status);
      task = tasks_.erase(task);
      continue;
    }
    if (now >= task->extend_at && !task->lost) {
      Extend(*task, now);
    }
    if (now >= task->end_at) {
      EndChild(*task,
               "it took longer than " +
                   text::SpanWords(static_cast<double>(options_.timeout.count()) / 1000),
               now);
    }
    if (now >= task->kill_at) {
      task->child->Signal(SIGKILL);
      task->kill_at = now + kToEnd;
    }
    ++task;
  }
}

void Worker::Wait(process::Signals& signals, milliseconds at_most) {
  std::vector<pollfd> descriptors;
  const auto add = [&](int descriptor, short events) {
    if (descriptor >= 0) {
      descriptors.push_back({descriptor, events, 0});
    }
  };
  add(signals.descriptor(), POLLIN);
  add(claim_session_.socket(), POLLIN);
  add(report_session_.socket(), POLLIN);
  for (const Task& task : tasks_) {
    add(task.child->input(), POLLOUT);
    add(task.child->errors(), POLLIN);
  }
  poll(descriptors.data(), descriptors.size(), static_cast<int>(at_most.count()));
}

void Worker::HandleSignal(int signal, Clock::time_point now) {
  if (signal == SIGCHLD) {
    return;
  }
  if (!stopping_) {
    stopping_ = true;
    stop_until_ = now + options_.grace;
    journal::Info("ending: what has begun is let finish",
                  {{"signal", std::to_string(signal)}, {"tasks", std::to_string(tasks_.size())}});
    claim_session_.Cancel();
    return;
  }
  // Once more: now.
  stop_until_ = now;
}

int Worker::Run(process::Signals& signals) {
  while (true) {
    const Clock::time_point now = Clock::now();
    milliseconds idle =
        std::min({postgres::kLongestSleep, claim_session_.Step(now), report_session_.Step(now)});
    if (!stopping_ && claim_session_.ready() && now >= next_claim_ &&
        tasks_.size() < static_cast<std::size_t>(options_.concurrency) &&
        !(options_.once && found_nothing_)) {
      Claim();
    }
    StepTasks(now);
    reports_.Step();
    if (stopping_ && now >= stop_until_) {
      for (Task& task : tasks_) {
        EndChild(task, "the consumer ends", now);
      }
    }
    const bool done = tasks_.empty() && reports_.empty();
    if (done && !refusal_.empty() && ExitStatusOf(refusal_) != 0) {
      return ExitStatusOf(refusal_);
    }
    if (done && ((stopping_ && !claim_session_.busy()) || (options_.once && found_nothing_))) {
      return EX_OK;
    }
    // Without a database nobody can be told; the lease ends by itself.
    if (stopping_ && tasks_.empty() && now >= stop_until_ + kToEnd) {
      return EX_UNAVAILABLE;
    }
    Wait(signals, idle);
    while (const int signal = signals.Take()) {
      HandleSignal(signal, Clock::now());
    }
  }
}

}  // namespace client::work
