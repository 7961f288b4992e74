#include "scheduler/worker_starter.h"

#include <algorithm>
#include <utility>

#include "board/worker_grants.h"

namespace ratchet::scheduler {
namespace {

// One message about a shortage, and then silence for so long.
constexpr std::int64_t kTellEvery = 600 * USECS_PER_SEC;
// A shortage is worth a message once work has waited for this long.
constexpr std::int64_t kPatience = USECS_PER_SEC;

// Between two tries where none can connect.
constexpr std::int64_t kShortestPause = 5 * USECS_PER_SEC;
constexpr std::int64_t kLongestPause = 60 * USECS_PER_SEC;
// A start that is to be given up is given up within this time (worker/start_watch.h).
constexpr std::int64_t kLongestTry = 3 * USECS_PER_SEC;

}  // namespace

WorkerStarter::Result WorkerStarter::Start(Oid database, Oid role, policy::SteadyTime now) {
  if (IsPaused(now)) {
    board::StandAside(database, role);
    return Result::kPaused;
  }
  int worker = board::kNone;
  std::uint32_t generation = 0;
  switch (board::ReserveWorker(database, role, now, &worker, &generation)) {
    case board::WorkerGrant::kNoPool:
      return Result::kDone;
    case board::WorkerGrant::kRoleIsFull:
      return Result::kRoleIsFull;
    case board::WorkerGrant::kAllInUse:
      TellOnce(now, Shortage::kWorkers);
      return Result::kHasToWait;
    case board::WorkerGrant::kNoProcess:
      TellOnce(now, Shortage::kProcesses);
      return Result::kHasToWait;
    case board::WorkerGrant::kNotItsTurn:
      TellOnce(now, Shortage::kTurn);
      return Result::kHasToWait;
    case board::WorkerGrant::kGranted:
      break;
  }
  process::Started process = process::Start(board::ProcessKind::kWorker, Int32GetDatum(worker),
                                            &generation, sizeof(generation));
  if (!process) {
    board::UnreserveWorker(worker, now);
    TellOnce(now, Shortage::kProcesses);
    return Result::kHasToWait;
  }
  short_since_ = {};
  starting_.push_back({std::move(process), worker, generation});
  if (is_stuck()) {
    try_ends_ = now + kLongestTry;
  }
  return Result::kDone;
}

bool WorkerStarter::IsPaused(policy::SteadyTime now) {
  if (try_ends_.IsSet() && now >= try_ends_) {
    next_try_ = {};
    try_ends_ = {};
    pause_ = 0;
    ereport(LOG, (errmsg("workers can connect to this database again")));
  }
  return is_stuck() && (try_ends_.IsSet() || now < next_try_);
}

void WorkerStarter::NoteStuckStart(policy::SteadyTime now) {
  if (is_stuck() && !try_ends_.IsSet()) {
    return;  // it began together with the first one
  }
  if (!is_stuck()) {
    ereport(LOG, (errmsg("runs wait: no worker can connect to this database, as a system catalog "
                         "is locked"),
                  errhint("pg_locks says by whom. It may be REINDEX SYSTEM, or what waits for a "
                          "transaction that has read the catalog.")));
  }
  pause_ = std::clamp(pause_ * 2, kShortestPause, kLongestPause);
  next_try_ = now + pause_;
  try_ends_ = {};
}

void WorkerStarter::NoteWaitingWork(policy::SteadyTime now, bool waits) {
  if (waits) {
    TellOnce(now, Shortage::kWorkers);
  } else {
    short_since_ = {};
  }
}

void WorkerStarter::Reap(policy::SteadyTime now) {
  std::erase_if(starting_, [now](const Starting& starting) {
    const bool ended = starting.process.HasEnded();
    const bool attached = board::HasAttached(starting.worker, starting.generation);
    if (ended && !attached) {
      board::UnreserveUnattached(starting.worker, starting.generation, now);
    }
    return attached || ended;
  });
}

void WorkerStarter::TellOnce(policy::SteadyTime now, Shortage of) {
  if (!short_since_.IsSet()) {
    short_since_ = now;
  }
  if (now - short_since_ < kPatience || (told_at_.IsSet() && now - told_at_ < kTellEvery)) {
    return;
  }
  told_at_ = now;
  constexpr char kMoreWorkers[] = "You might need to increase ratchet.max_workers.";
  switch (of) {
    case Shortage::kProcesses:
      ereport(LOG, (errmsg("runs wait for a worker: no background process can be started"),
                    errhint("You might need to increase max_worker_processes.")));
      break;
    case Shortage::kWorkers:
      ereport(LOG, (errmsg("runs wait for a worker: all %d workers are in use",
                           board::TheBoard()->workers),
                    errhint("%s", kMoreWorkers)));
      break;
    case Shortage::kTurn:
      ereport(LOG, (errmsg("runs wait for a worker: another role or database has the next one"),
                    errhint("%s", kMoreWorkers)));
      break;
  }
}

}  // namespace ratchet::scheduler
