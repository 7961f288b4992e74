#include "board/claim_board.h"

#include <algorithm>

#include "board/task_list.h"
#include "board/task_state.h"
#include "pg/clock.h"
#include "pg/compat.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

// Those that follow are called with the lock.

ClaimSlot& MyClaim() { return Claims()[pg::MyPlaceInAllProcs()]; }

void FreeClaim(ClaimSlot* claim) {
  SetState(claim, claim->state, ClaimState::kFree);
  claim->count = 0;
  claim->pid = 0;
}

// Runs in whatever state the process is.
void GiveBackMine() {
  ClaimSlot& claim = MyClaim();
  TaskDatabase* tasks = FindTasks(claim.database);
  if (claim.state == ClaimState::kGranted && tasks != nullptr && OidIsValid(claim.incarnation)) {
    const ClaimedTask* granted = ClaimedTasks(pg::MyPlaceInAllProcs());
    for (int i = 0; i < claim.count; i++) {
      AddNotice(tasks,
                {TaskNotice::kTouched, claim.queue_id, granted[i].task_id, granted[i].task_id});
    }
    WakeProc(tasks->scheduler_proc);
  }
  FreeClaim(&claim);
}

void ProcessGone(int /*code*/, Datum /*argument*/) {
  const TaskLock lock;
  if (MyClaim().state != ClaimState::kFree) {
    GiveBackMine();
  }
}

bool IsOf(const ClaimSlot& claim, ClaimState state, Oid database, Oid incarnation) {
  return claim.state == state && claim.database == database && claim.incarnation == incarnation;
}

}  // namespace

Claim::Claim(Oid incarnation, std::int64_t queue_id, int most, bool at_once) {
  static bool installed = false;
  if (!installed) {
    before_shmem_exit(ProcessGone, 0);
    installed = true;
  }
  const policy::SteadyTime now = pg::SteadyNow();
  const TaskLock lock;
  ClaimSlot& claim = MyClaim();
  SetState(&claim, ClaimState::kFree, ClaimState::kAsked);
  claim = ClaimSlot{ClaimState::kAsked,
                    MyProcPid,
                    MyDatabaseId,
                    incarnation,
                    queue_id,
                    std::clamp(most, 1, kMostTasks),
                    0,
                    now,
                    at_once};
  if (TaskDatabase* tasks = FindTasks(MyDatabaseId)) {
    tasks->has_claims = true;
    WakeProc(tasks->scheduler_proc);
  }
}

Claim::~Claim() {
  const TaskLock lock;
  if (MyClaim().state != ClaimState::kFree) {
    GiveBackMine();
  }
}

bool Claim::Take(std::vector<ClaimedTask>* tasks) {
  Assert(tasks->capacity() >= static_cast<std::size_t>(kMostTasks));
  const TaskLock lock;
  ClaimSlot& claim = MyClaim();
  if (claim.state != ClaimState::kGranted) {
    return false;
  }
  const ClaimedTask* granted = ClaimedTasks(pg::MyPlaceInAllProcs());
  tasks->assign(granted, granted + claim.count);
  FreeClaim(&claim);
  return true;
}

// ---- For the scheduler

void ListClaims(Oid database, Oid incarnation, std::vector<ClaimRequest>* asked) {
  const std::size_t before = asked->size();
  asked->reserve(before + static_cast<std::size_t>(TheTaskBoard()->claims));
  {
    const TaskLock lock;
    TaskDatabase* tasks = FindTasks(database);
    if (tasks == nullptr || !tasks->has_claims) {
      return;
    }
    for (int i = 0; i < TheTaskBoard()->claims; i++) {
      const ClaimSlot& claim = Claims()[i];
      if (IsOf(claim, ClaimState::kAsked, database, incarnation)) {
        asked->push_back({i, claim.pid, claim.queue_id, claim.most, claim.since, claim.at_once});
      }
    }
    tasks->has_claims = asked->size() > before;
  }
  std::stable_sort(asked->begin(), asked->end(),
                   [](const ClaimRequest& a, const ClaimRequest& b) { return a.since < b.since; });
}

bool Grant(const ClaimRequest& request, std::span<const ClaimedTask> tasks) {
  Assert((!tasks.empty() || request.at_once) &&
         tasks.size() <= static_cast<std::size_t>(request.most));
  const TaskLock lock;
  ClaimSlot& claim = Claims()[request.claim];
  if (claim.state != ClaimState::kAsked || claim.pid != request.pid ||
      claim.since != request.since || claim.queue_id != request.queue_id) {
    return false;
  }
  std::copy(tasks.begin(), tasks.end(), ClaimedTasks(request.claim));
  claim.count = static_cast<int>(tasks.size());
  SetState(&claim, ClaimState::kAsked, ClaimState::kGranted);
  WakeProc(request.claim);
  return true;
}

void ListGranted(Oid database, Oid incarnation, std::vector<ClaimedTask>* tasks) {
  std::vector<ClaimedTask> granted(kMostTasks);
  for (int i = 0; i < TheTaskBoard()->claims; i++) {
    int count = 0;
    {
      const TaskLock lock(LW_SHARED);
      if (IsOf(Claims()[i], ClaimState::kGranted, database, incarnation)) {
        count = Claims()[i].count;
        std::copy_n(ClaimedTasks(i), count, granted.begin());
      }
    }
    tasks->insert(tasks->end(), granted.begin(), granted.begin() + count);
  }
}

// A session that waits goes on to wait, and finds when it looks at the tables that they are gone.
void ForgetClaims(Oid database, Oid incarnation) {
  for (int i = 0; i < TheTaskBoard()->claims; i++) {
    ClaimSlot& claim = Claims()[i];
    if (claim.state != ClaimState::kFree && claim.database == database &&
        (!OidIsValid(incarnation) || claim.incarnation != incarnation)) {
      claim.incarnation = InvalidOid;
      WakeProc(i);
    }
  }
}

}  // namespace ratchet::board
