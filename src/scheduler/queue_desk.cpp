#include "scheduler/queue_desk.h"

#include <algorithm>

#include "board/queue_counters.h"
#include "catalog/incarnation.h"
#include "pg/clock.h"
#include "pg/settings.h"
#include "scheduler/extension_replaced.h"

namespace ratchet::scheduler {

QueueDesk::QueueDesk(board::DatabaseEntry* entry)
    : entry_(entry), random_(static_cast<std::uint64_t>(pg::Now().wall) ^ MyProcPid) {}

void QueueDesk::Open(Oid incarnation, const std::string& environment) {
  Forget();
  incarnation_ = incarnation;
  environment_ = environment;
  is_open_ = true;
}

void QueueDesk::Forget() {
  transaction_.reset();
  is_open_ = false;
  load_ = true;
  queues_.clear();
  changed_.clear();
  notices_.clear();
  new_.clear();
  strangers_.clear();
  touched_.clear();
  leases_.clear();
  lease_ends_.clear();
  claimed_.clear();
  lost_.clear();
  suspects_.Forget();
  emptied_.clear();
  tried_.clear();
  stretches_.clear();
  busy_since_.clear();
  stuck_at_ = {};
  wanted_.clear();
}

void QueueDesk::Rest(policy::SteadyTime until) {
  const Oid incarnation = incarnation_;
  Open(incarnation, std::string(environment_));
  rests_until_ = until;
}

TaskQueue* QueueDesk::Find(std::int64_t queue_id) {
  const auto found = queues_.find(queue_id);
  return found != queues_.end() ? found->second.get() : nullptr;
}

// Its first tasks may be told of before its definition is.
TaskQueue* QueueDesk::FindOrLearn(std::int64_t queue_id) {
  if (TaskQueue* queue = Find(queue_id)) {
    return queue;
  }
  Begin();
  const auto queue = catalog::FindQueue(queue_id);
  const auto job = catalog::FindJob(queue_id);
  if (!queue || !job) {
    return nullptr;
  }
  Put(*queue, *job, false);
  return Find(queue_id);
}

void QueueDesk::Begin() {
  if (!transaction_) {
    transaction_.emplace();
  }
}

void QueueDesk::Commit() {
  if (!transaction_) {
    return;
  }
  if (catalog::FindIncarnation() != incarnation_) {
    throw ExtensionReplaced();
  }
  transaction_->Commit(pg::Durability::kAsynchronous);
  transaction_.reset();
}

void QueueDesk::Changed() {
  constexpr std::int64_t kTellAfter = 100'000;
  const policy::SteadyTime at = now_.steady + kTellAfter;
  tell_at_ = tell_at_.IsSet() ? std::min(tell_at_, at) : at;
}

void QueueDesk::Pass(const policy::Moment& now, bool may_grant) {
  wanted_.clear();
  if (!is_open_ || now.steady < rests_until_) {
    return;
  }
  now_ = now;
  may_grant_ = may_grant;
  if (load_) {
    Load();
  }
  TakeDefinitions();
  if (queues_.empty()) {
    Commit();
    if (has_opened_) {
      board::CloseTasks(entry_->database);
      board::CloseAllCounters(entry_->database);
      has_opened_ = false;
    }
    return;
  }
  if (!has_opened_ && !board::OpenTasks(entry_->database)) {
    throw pg::Error(ERRCODE_INTERNAL_ERROR, "no room on the board for the tasks of a database");
  }
  has_opened_ = true;
  TakeAnswers();
  TakeNotices();
  SettleLost();
  ExpireLeases();
  ExpireTasks();
  Commit();
  NoteJudged();
  ReadTouched();
  ReadSpans();
  TakeStrangers();
  ReadDue();
  ReadBehind();
  Commit();
  GrantClaims();
  HandOut();
  WantStretches();
  TellCounters();
  Purge();
  Commit();
}

// ---- Definitions

void QueueDesk::Load() {
  Begin();
  std::vector<std::int64_t> ids;
  catalog::ScanQueues(
      [](void* context, const catalog::QueueDefinition& queue) {
        static_cast<std::vector<std::int64_t>*>(context)->push_back(queue.queue_id);
      },
      &ids);
  if (!ids.empty()) {
    // Before anything is read: what is committed later is told.
    if (!board::OpenTasks(entry_->database)) {
      throw pg::Error(ERRCODE_INTERNAL_ERROR, "no room on the board for the tasks of a database");
    }
    board::CloseAllCounters(entry_->database);
    has_opened_ = true;
  }
  for (const std::int64_t id : ids) {
    const auto queue = catalog::FindQueue(id);
    const auto job = catalog::FindJob(id);
    if (queue && job) {
      Put(*queue, *job, true);
    }
  }
  if (!queues_.empty()) {
    FindHanded();
    TakeClaimsOfDead();
  }
  load_ = false;
}

void QueueDesk::TakeDefinitions() {
  while (!changed_.empty()) {
    const std::int64_t id = *changed_.begin();
    Begin();
    const auto job = catalog::FindJob(id);
    const auto queue = catalog::FindQueue(id);
    if (queue && job) {
      Put(*queue, *job, false);
    } else {
      Drop(id);
    }
    changed_.erase(id);
  }
}

// What has started before this process was there is not known: at its start a rate allows nothing
// until all of that lies behind it.
void QueueDesk::Put(const catalog::QueueDefinition& queue, const catalog::JobDefinition& job,
                    bool at_load) {
  const QueueRules rules = RulesOf(queue, job, environment_);
  TaskQueue* known = Find(queue.queue_id);
  if (known == nullptr) {
    const policy::SteadyTime blind_until =
        at_load ? now_.steady + rules.line.rate.period : policy::kNoSteadyTime;
    const auto added = queues_.emplace(
        queue.queue_id, std::make_unique<TaskQueue>(queue.queue_id, rules, blind_until));
    CountDead(added.first->second.get());
  } else {
    // What a stretch has read of it when it began is not valid any more.
    board::EndStretchesOf(entry_->database, incarnation_, queue.queue_id);
    known->rules = rules;
    known->line.SetRules(rules.line, now_);
  }
  Changed();
}

void QueueDesk::Drop(std::int64_t queue_id) {
  TaskQueue* queue = Find(queue_id);
  if (queue == nullptr) {
    return;
  }
  board::EndStretchesOf(entry_->database, incarnation_, queue_id);
  if (queue->counters != board::kNone) {
    board::CloseCounters(queue->counters);
  }
  std::erase_if(claimed_, [queue_id](const auto& task) { return task.second == queue_id; });
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    if (lease->second.queue_id == queue_id) {
      lease_ends_.erase({lease->second.until, lease->first});
      lease = leases_.erase(lease);
    } else {
      ++lease;
    }
  }
  for (const Lost& lost : lost_) {
    if (lost.queue_id == queue_id) {
      catalog::DeleteTaskClaim(lost.run_id);
    }
  }
  std::erase_if(lost_, [queue_id](const Lost& lost) { return lost.queue_id == queue_id; });
  DropSuspectsOf(queue_id);
  queues_.erase(queue_id);
}

// One more at a time, when those that are there have enough to do: when it has begun, there is
// another pass.
void QueueDesk::WantStretches() {
  for (const auto& [id, queue] : queues_) {
    if (!may_grant_ || !queue->rules.may_start || !queue->rules.has_handler ||
        !queue->line.HasGrant(now_)) {
      continue;
    }
    const int most = queue->rules.concurrency > 0 ? queue->rules.concurrency
                                                  : std::max(1, pg::settings.max_workers);
    const int held = queue->rules.concurrency > 0
                         ? static_cast<int>(queue->line.counts().out - std::ssize(queue->handed))
                         : 0;
    if (queue->stretches + held < most) {
      wanted_.push_back({id, queue->stretches + 1});
    }
  }
}

std::int64_t QueueDesk::NextLook(const policy::Moment& now) const {
  std::int64_t next = INT64_MAX;
  const auto after = [&](policy::SteadyTime time) {
    if (time.IsSet()) {
      next = std::min(next, std::max<std::int64_t>(time - now.steady, 0));
    }
  };
  const auto at = [&](TimestampTz time) {
    next = std::min(next, std::max<std::int64_t>(time - now.wall, 0));
  };
  if (!is_open_) {
    return 0;
  }
  if (now.steady < rests_until_) {
    return rests_until_ - now.steady;
  }
  if (load_ || !changed_.empty()) {
    return 0;
  }
  if (queues_.empty()) {
    return next;
  }
  if (!new_.empty() || !touched_.empty()) {
    return 0;
  }
  at(read_due_at_);
  if (!lease_ends_.empty()) {
    at(lease_ends_.begin()->first);
  }
  if (!lost_.empty() || settle_at_.IsSet()) {
    after(settle_at_);
  }
  after(stuck_at_);
  after(tell_at_);
  after(purge_at_);
  for (const auto& [id, queue] : queues_) {
    if (queue->WantsMore()) {
      return 0;
    }
    at(queue->NextWake());
    next = std::min(next, queue->line.NextLook(now));
  }
  return next;
}

bool QueueDesk::IsIdle() const {
  if (!is_open_ || load_ || !changed_.empty() || !new_.empty() || !touched_.empty() ||
      !lost_.empty()) {
    return false;
  }
  return std::all_of(queues_.begin(), queues_.end(), [](const auto& queue) {
    return queue.second->stretches == 0 && queue.second->line.counts().out == 0 &&
           queue.second->line.counts().waiting == 0 && queue.second->CountBehind() == 0;
  });
}

}  // namespace ratchet::scheduler
