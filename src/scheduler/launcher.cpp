#include "scheduler/launcher.h"

#include <algorithm>
#include <climits>
#include <iterator>
#include <unordered_map>
#include <utility>
#include <vector>

#include "board/change_board.h"
#include "board/database_board.h"
#include "board/database_end.h"
#include "board/process_board.h"
#include "board/worker_grants.h"
#include "catalog/databases.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/transaction.h"
#include "policy/rotation.h"
#include "process/process.h"
#include "process/start.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "utils/backend_status.h"
}

namespace ratchet::scheduler {
namespace {

// The clock may be set: nobody sleeps for longer than this.
constexpr std::int64_t kLongestSleep = 10 * USECS_PER_SEC;
constexpr std::int64_t kCheckStarting = 100'000;
// So many schedulers start at the same time: each must look into its database first.
constexpr int kMostStarting = 4;
constexpr std::int64_t kRetry = USECS_PER_SEC;
// After a process could not be started, places are shared out for this long.
constexpr std::int64_t kShortageLasts = 10 * USECS_PER_SEC;
constexpr std::int64_t kTellEvery = 600 * USECS_PER_SEC;
// Of the background processes the server takes one itself, for logical replication.
constexpr int kOfServer = 1;
// So many each database has.
constexpr int kOfDatabase = board::MostProcesses(1, 0) - board::MostProcesses(0, 0);

class Launcher {
 public:
  // Returns when there is something to do next.
  policy::SteadyTime Pass(const policy::Moment& moment);

 private:
  void ReadDatabases();
  bool MustRead();
  bool MayBeIn(Oid database) const;
  void CheckStarting(policy::SteadyTime now);
  int MostSchedulers(policy::SteadyTime now);
  void SortByTurn(policy::SteadyTime now);
  Oid OwnerOf(Oid database) const;
  bool StartScheduler(Oid database, policy::SteadyTime now);
  void MakeRoom(policy::SteadyTime now);
  void TellShortage(policy::SteadyTime now);

  std::vector<board::DatabaseView> views_;
  struct Known {
    bool may_be_in;  // a scheduler
    Oid owner;
  };
  std::unordered_map<Oid, Known> databases_;            // as of the last look
  bool is_short_ = false;                               // of processes
  std::unordered_map<Oid, process::Started> starting_;  // schedulers
  policy::SteadyTime told_at_{};
  policy::ClockWatch clock_{};
};

// Adds the databases that may have jobs to the board, and takes those that are gone from it.
void Launcher::ReadDatabases() {
  pg::Transaction transaction;
  const std::vector<catalog::FoundDatabase> found = catalog::FindDatabases();
  transaction.Commit();
  databases_.clear();
  bool full = false;
  for (const auto& [database, owner, may_be_in] : found) {
    databases_[database] = {may_be_in, owner};
    full = (may_be_in && !board::AddDatabase(database)) || full;
  }
  if (full) {
    ereport(LOG, (errmsg("there are more databases than ratchet.max_databases (%d)",
                         board::TheBoard()->databases),
                  errhint("Increase ratchet.max_databases and restart the server.")));
  }
  board::ListDatabases(&views_);
  for (const board::DatabaseView& view : views_) {
    if (!databases_.contains(view.database)) {
      board::ForgetDatabase(view.database);
      board::ForgetChangedJobs(view.database);
    }
  }
}

bool Launcher::MustRead() {
  bool read = board::TakeNewDatabases();
  for (const board::DatabaseView& view : views_) {
    // A scheduler that died: perhaps its database is gone.
    const bool died = view.state == board::DatabaseState::kUnknown && view.rest_until.IsSet();
    read = read || !databases_.contains(view.database) || (died && MayBeIn(view.database));
  }
  return read;
}

bool Launcher::MayBeIn(Oid database) const {
  const auto known = databases_.find(database);
  return known != databases_.end() && known->second.may_be_in;
}

Oid Launcher::OwnerOf(Oid database) const {
  const auto known = databases_.find(database);
  return known != databases_.end() ? known->second.owner : InvalidOid;
}

bool IsThere(const board::DatabaseView& view) {
  return view.state == board::DatabaseState::kActive ||
         view.state == board::DatabaseState::kStarting;
}

bool IsWanted(const board::DatabaseView& view) {
  return view.state == board::DatabaseState::kUnknown ||
         view.state == board::DatabaseState::kResting;
}

void Launcher::CheckStarting(policy::SteadyTime now) {
  for (auto it = starting_.begin(); it != starting_.end();) {
    const bool ended = it->second.HasEnded();
    if (ended) {
      board::MarkStopped(it->first, now + kRetry);
    }
    const auto view = std::find_if(views_.begin(), views_.end(), [&](const board::DatabaseView& v) {
      return v.database == it->first;
    });
    const bool arrived = view != views_.end() && view->state != board::DatabaseState::kStarting;
    it = ended || arrived ? starting_.erase(it) : std::next(it);
  }
}

// When processes are short, half of them are left to the workers: schedulers alone get nothing
// done.
int Launcher::MostSchedulers(policy::SteadyTime now) {
  const policy::SteadyTime short_at = board::TheBoard()->processes_short_at;
  if (short_at.IsSet() && now - short_at <= kShortageLasts) {
    is_short_ = true;
  } else if (is_short_) {
    // It would be so again at once.
    const auto wanted = std::count_if(views_.begin(), views_.end(), [&](const auto& view) {
      return IsThere(view) ||
             (MayBeIn(view.database) && IsWanted(view) && view.rest_until - now < kShortageLasts);
    });
    const int ours = board::MostProcesses(static_cast<int>(wanted), board::TheBoard()->workers);
    is_short_ = kOfServer + ours > max_worker_processes;
  }
  return is_short_ ? std::max(1, (max_worker_processes - kOfServer) / 2 / kOfDatabase) : INT_MAX;
}

// Who comes first: whose owner has fewer schedulers, and of one owner whose last turn is the
// longest ago.
void Launcher::SortByTurn(policy::SteadyTime now) {
  std::sort(views_.begin(), views_.end(),
            [](const board::DatabaseView& a, const board::DatabaseView& b) {
              return a.active_since < b.active_since;
            });
  std::unordered_map<Oid, int> shares;
  for (const board::DatabaseView& view : views_) {
    shares[OwnerOf(view.database)] += IsThere(view) ? 1 : 0;
  }
  std::unordered_map<Oid, int> places;
  for (const board::DatabaseView& view : views_) {
    if (IsWanted(view) && view.rest_until <= now) {
      places[view.database] = ++shares[OwnerOf(view.database)];
    }
  }
  std::stable_sort(views_.begin(), views_.end(),
                   [&places](const board::DatabaseView& a, const board::DatabaseView& b) {
                     const auto place = [&places](const board::DatabaseView& view) {
                       const auto found = places.find(view.database);
                       return found != places.end() ? found->second : 0;
                     };
                     return place(a) < place(b);
                   });
}

bool Launcher::StartScheduler(Oid database, policy::SteadyTime now) {
  board::MarkStarting(database, now);
  process::Started scheduler =
      process::Start(board::ProcessKind::kScheduler, ObjectIdGetDatum(database));
  if (!scheduler) {
    board::MarkStopped(database, policy::kNoSteadyTime);
    return false;
  }
  starting_[database] = std::move(scheduler);
  return true;
}

// More databases than processes: the schedulers take turns.
void Launcher::MakeRoom(policy::SteadyTime now) {
  std::vector<policy::SchedulerTurn> turns;
  for (const board::DatabaseView& view : views_) {
    if (view.state == board::DatabaseState::kActive) {
      turns.push_back({view.database, view.active_since.micros, view.rest_until.micros,
                       OwnerOf(view.database)});
    }
  }
  const std::uint32_t database = policy::WhoRests(turns, now.micros);
  if (database != 0) {
    board::AskToRest(database);
  }
  TellShortage(now);
}

void Launcher::TellShortage(policy::SteadyTime now) {
  if (!told_at_.IsSet() || now - told_at_ >= kTellEvery) {
    told_at_ = now;
    ereport(LOG, (errmsg("databases with jobs wait for a scheduler: no background process can be "
                         "started"),
                  errhint("You might need to increase max_worker_processes.")));
  }
}

policy::SteadyTime Launcher::Pass(const policy::Moment& moment) {
  const policy::SteadyTime now = moment.steady;
  if (clock_.Look(moment) != 0) {
    board::EndRests();  // what is due when, each scheduler has said by another clock
  }
  board::ListDatabases(&views_);
  if (MustRead()) {
    ReadDatabases();
    board::ListDatabases(&views_);
  }
  CheckStarting(now);
  board::ReapLost(now);
  policy::SteadyTime next = now + kLongestSleep;
  bool short_of_processes = false;
  int schedulers = static_cast<int>(std::count_if(views_.begin(), views_.end(), IsThere));
  const int most = MostSchedulers(now);
  SortByTurn(now);
  for (const board::DatabaseView& view : views_) {
    if (!MayBeIn(view.database)) {
      board::AskToRest(view.database);
      continue;
    }
    if (!IsWanted(view) || view.held || starting_.contains(view.database)) {
      continue;
    }
    if (view.rest_until > now) {
      next = std::min(next, view.rest_until);
    } else if (starting_.size() >= kMostStarting) {
      next = std::min(next, now + kCheckStarting);
    } else if (short_of_processes || schedulers >= most || !StartScheduler(view.database, now)) {
      short_of_processes = true;
    } else {
      schedulers++;
    }
  }
  if (short_of_processes || schedulers > most) {
    MakeRoom(now);
    next = std::min(next, now + kCheckStarting);
  }
  return starting_.empty() ? next : std::min(next, now + kCheckStarting);
}

class LauncherProcess : public process::Process {
 public:
  explicit LauncherProcess(Datum stands_in)
      : Process(board::ProcessKind::kLauncher, "launching schedulers"),
        stands_in_(DatumGetBool(stands_in)) {}

  bool Attach() override {
    pg::Call([this] {
      pg::IgnoreTransactionTimeout();
      BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
      pgstat_report_appname(process::TitleOf(kind()));
    });
    return board::AttachToServer(kind(), stands_in_);
  }

  process::Next Turn(bool /*reloaded*/) override {
    if (!board::IsAttachedToServer(kind())) {
      return {process::Then::kLeave};
    }
    return {process::Then::kSleep, launcher_.Pass(pg::Now())};
  }

  void Detach() noexcept override { board::DetachFromServer(kind()); }

  // The server's own is started again, unless it says that it is done.
  int ExitCode() const override { return stands_in_ ? 0 : 1; }

 private:
  const bool stands_in_;
  Launcher launcher_;
};

}  // namespace

policy::SteadyTime StandInForLauncher(policy::SteadyTime now, policy::SteadyTime wake) {
  const policy::SteadyTime missed_at = board::LauncherMissedAt();
  if (!missed_at.IsSet()) {
    return wake;
  }
  if (missed_at > now) {
    return std::min(wake, missed_at);
  }
  if (board::TakeLauncherStart(now) &&
      process::Start(board::ProcessKind::kLauncher, BoolGetDatum(true))) {
    ereport(LOG, (errmsg("the launcher did not come back: another one stands in for it")));
  }
  return std::min(wake, now + kRetry);
}

}  // namespace ratchet::scheduler

extern "C" PGDLLEXPORT void ratchet_launcher_main(Datum stands_in);

void ratchet_launcher_main(Datum stands_in) {
  ratchet::process::Main<ratchet::scheduler::LauncherProcess>(stands_in);
}
