// Tasks whose process, or whose server, has died while they were in hand: who is to blame, and what
// becomes of the others.
//
// - A process that is ended by itself says on its way out what it was at (board::StretchDeath).
// - After a crash of the server there are the claims of what was in hand. Halves of them are
//   suspects (policy/task_suspects.h), kept as claims of numbers below 0, so that the next crash
//   finds them.
#include <algorithm>

#include "scheduler/queue_desk.h"

namespace ratchet::scheduler {
namespace {

using Begun = policy::TaskLine::Begun;

// A row that somebody has in hand is looked at again after this time.
constexpr std::int64_t kLookAgain = 100'000;

ItemPointerData Anywhere() {
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  return tid;
}

std::vector<catalog::TaskClaim> AllClaims() {
  std::vector<catalog::TaskClaim> claims;
  catalog::ScanTaskClaims(
      [](void* context, const catalog::TaskClaim& claim) {
        static_cast<std::vector<catalog::TaskClaim>*>(context)->push_back(claim);
      },
      &claims);
  return claims;
}

// Of one that was in hand: whether it still is to be done, and was not done in the meantime.
bool IsLeft(const std::optional<catalog::Task>& task, std::int64_t queue_id, TimestampTz now) {
  return task && task->queue_id == queue_id && !task->is_leased() && task->run_at <= now;
}

}  // namespace

void QueueDesk::LoadSuspects(const catalog::TaskClaim& claim) {
  Tasks left;
  for (const std::int64_t task_id : claim.task_ids) {
    if (catalog::FindTask(task_id)) {
      left.push_back(task_id);
    }
  }
  if (left.empty()) {
    emptied_.push_back(-claim.run_id);
  } else {
    suspects_.Add(-claim.run_id, left);
  }
}

// Whose process lives still answers for its own.
void QueueDesk::TakeClaimsOfDead() {
  const std::vector<catalog::TaskClaim> claims = AllClaims();
  for (const catalog::TaskClaim& claim : claims) {
    if (claim.run_id < 0) {
      LoadSuspects(claim);
    }
  }
  std::vector<bool> is_suspected;
  const std::size_t first = lost_.size();
  for (const catalog::TaskClaim& claim : claims) {
    TaskQueue* queue = Find(claim.queue_id);
    const bool lives = std::any_of(
        stretches_.begin(), stretches_.end(),
        [&claim](const board::StretchView& stretch) { return stretch.run_id == claim.run_id; });
    if (claim.run_id < 0 || lives) {
      continue;
    }
    Lost lost{claim.run_id, claim.queue_id, {}, Verdict::kNotGuilty, {}};
    bool suspected = false;
    for (const std::int64_t task_id : claim.task_ids) {
      ItemPointerData tid;
      const auto task = catalog::FindTask(task_id, &tid);
      if (queue != nullptr && IsLeft(task, claim.queue_id, now_.wall)) {
        suspected = suspected || task->alone || suspects_.Includes(task_id);
        lost.tasks.push_back(task_id);
        queue->line.AddOut(LineTaskOf(*task, tid), now_);
        queue->handed.insert(task_id);
      }
    }
    lost_.push_back(std::move(lost));
    is_suspected.push_back(suspected);
  }
  judges_ = !board::IsCrashJudged(entry_->database);
  if (!judges_) {
    return;  // how these processes have died was lost with the pass that was told: nobody is blamed
  }
  // Of what has nothing left nobody can have died.
  std::vector<bool> judged;
  for (std::size_t i = first; i < lost_.size(); i++) {
    if (!lost_[i].tasks.empty()) {
      judged.push_back(is_suspected[i - first]);
    }
  }
  const std::vector<Verdict> verdicts = policy::TaskSuspects::Judge(judged);
  auto verdict = verdicts.begin();
  for (std::size_t i = first; i < lost_.size(); i++) {
    if (!lost_[i].tasks.empty()) {
      lost_[i].verdict = *verdict++;
      lost_[i].death.kind = board::StretchDeath::kUnknown;
    }
  }
}

void QueueDesk::NoteLost(TaskQueue* queue, std::int64_t run_id, const board::LeftTasks& left) {
  Lost lost{run_id, queue->queue_id, {}, Verdict::kGuilty, left.death};
  for (const board::HandedTask& task : left.lost) {
    lost.tasks.push_back(task.task_id);
  }
  lost_.push_back(std::move(lost));
}

void QueueDesk::SettleLost() {
  if (!lost_.empty() && now_.steady >= settle_at_) {
    Begin();
    std::erase_if(lost_, [this](const Lost& lost) { return SettleLost(lost); });
    settle_at_ = lost_.empty() ? policy::kNoSteadyTime : now_.steady + kLookAgain;
  }
  DeleteEmptied();
}

// Once that is committed.
void QueueDesk::NoteJudged() {
  if (judges_ && lost_.empty()) {
    judges_ = false;
    board::NoteCrashJudged(entry_->database);
  }
}

// False when somebody has the culprit in hand.
bool QueueDesk::SettleLost(const Lost& lost) {
  TaskQueue* queue = Find(lost.queue_id);
  if (queue == nullptr) {
    catalog::DeleteTaskClaim(lost.run_id);
    return true;
  }
  Tasks left;
  Tasks gone;
  for (const std::int64_t task_id : lost.tasks) {
    const bool is_left = IsLeft(catalog::FindTask(task_id), lost.queue_id, now_.wall);
    (is_left ? left : gone).push_back(task_id);
  }
  const bool is_known = lost.death.kind != board::StretchDeath::kUnknown;
  const bool is_guilty = !is_known && lost.verdict == Verdict::kGuilty;
  std::int64_t culprit = is_known ? lost.death.culprit : 0;
  if (is_guilty && left.size() == 1) {
    culprit = left.front();
  }
  if (std::erase(left, culprit) > 0 && !SettleCulprit(queue, lost, culprit)) {
    return false;
  }
  for (const std::int64_t task_id : gone) {  // done: the process has died after its commit
    queue->handed.erase(task_id);
    queue->line.Finished(task_id, now_);
    touched_.emplace(queue->queue_id, task_id);
  }
  if (is_guilty || (!is_known && lost.verdict == Verdict::kSuspected)) {
    Suspect(queue, left);
  }
  for (const std::int64_t task_id : left) {
    queue->handed.erase(task_id);
    queue->line.Back(task_id, Begun::kPerhaps, now_);
  }
  catalog::DeleteTaskClaim(lost.run_id);
  Changed();
  return true;
}

bool QueueDesk::SettleCulprit(TaskQueue* queue, const Lost& lost, std::int64_t task_id) {
  catalog::HeldTask held;
  switch (catalog::HoldTask(task_id, Anywhere(), pg::IfBusy::kGiveUp, &held)) {
    case pg::RowHold::kBusy:
      return false;
    case pg::RowHold::kGone:
      queue->handed.erase(task_id);
      queue->line.Finished(task_id, now_);
      touched_.emplace(queue->queue_id, task_id);
      return true;
    case pg::RowHold::kHeld:
      break;
  }
  const board::StretchDeath& death = lost.death;
  if (death.kind == board::StretchDeath::kFailed) {
    NoteEnd(queue, &held, policy::AttemptEnd::kFailed, unpack_sql_state(death.sqlstate),
            death.error);
    return true;
  }
  std::string error = "the process that did it ended before the task did";
  if (death.error[0] != '\0') {
    error += std::string(": ") + death.error;
  }
  NoteEnd(queue, &held, policy::AttemptEnd::kCrashedAlone, "57P02", error);  // crash_shutdown
  return true;
}

void QueueDesk::Suspect(TaskQueue* queue, const Tasks& tasks) {
  if (tasks.empty()) {
    return;
  }
  for (const Tasks& group : policy::TaskSuspects::Halves(tasks)) {
    const std::int64_t number = catalog::NextTaskId();  // which nothing else has
    suspects_.Add(number, group);
    catalog::InsertTaskClaim(-number, queue->queue_id, group);
    for (const std::int64_t task_id : group) {
      queue->line.SetAlone(task_id, true);
    }
  }
}

void QueueDesk::Clear(TaskQueue* queue, std::int64_t task_id) {
  if (!suspects_.Includes(task_id)) {
    return;
  }
  if (const std::int64_t emptied = suspects_.Clear(task_id); emptied != 0) {
    emptied_.push_back(emptied);
  }
  queue->line.SetAlone(task_id, false);
}

void QueueDesk::DeleteEmptied() {
  const Tasks emptied = suspects_.TakeEmptied();
  emptied_.insert(emptied_.end(), emptied.begin(), emptied.end());
  for (const std::int64_t number : emptied_) {
    Begin();
    catalog::DeleteTaskClaim(-number);
  }
  emptied_.clear();
}

void QueueDesk::DropSuspectsOf(std::int64_t queue_id) {
  for (const catalog::TaskClaim& claim : AllClaims()) {
    if (claim.run_id < 0 && claim.queue_id == queue_id) {
      for (const std::int64_t task_id : claim.task_ids) {
        suspects_.Clear(task_id);
      }
      catalog::DeleteTaskClaim(claim.run_id);
    }
  }
}

}  // namespace ratchet::scheduler
