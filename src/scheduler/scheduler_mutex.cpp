// Jobs that share a mutex: one run at a time of all of them.
//
// A turn that comes to its role's head while the mutex is taken, or while others wait for it, goes
// into the mutex's line (policy::MutexTable), and the next of that role has its turn. The end of
// the run that holds the mutex is what moves the line on.
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// The work of one transaction: others want to be heard in between.
constexpr int kMostClaims = 500;

}  // namespace

// True: it is not the caller's any more.
bool Scheduler::WaitsForMutex(Oid role_id, const policy::Turn& turn, TimestampTz now) {
  const std::uint32_t index = jobs_.Find(turn.id);
  if (index == JobTable::kNoJob) {
    return false;
  }
  const Job& job = jobs_[index];
  // What a run of the job itself keeps from starting is a matter of `overlap`.
  const bool overlaps = job.running > 0 && job.overlap != catalog::Overlap::kAllow;
  if (job.mutex == 0 || overlaps ||
      (mutexes_.IsFree(job.mutex) && !mutexes_.AnybodyWaits(job.mutex))) {
    return false;
  }
  mutexes_.Wait(job.mutex, {role_id, turn});
  PassOn(job.mutex, now);
  return true;
}

void Scheduler::OpenMutexes(TimestampTz now) {
  const std::set<std::uint32_t> open = mutexes_.open();
  for (const std::uint32_t mutex : open) {
    PassOn(mutex, now);
  }
}

// The next in line has its turn, if the mutex is free.
void Scheduler::PassOn(std::uint32_t mutex, TimestampTz now) {
  bool others_wait = false;  // for more than a worker of their own role
  const auto has_room = [&](Oid role_id) {
    Role& role = roles_[role_id];
    const board::PoolView view = board::ViewPool(entry_->database, role_id, clock_.steady);
    if (role.in_flight < RoomOf(role, view) || ProblemOf(role_id, &role).has_value()) {
      return true;
    }
    if (view.role_is_full) {
      HoldBack(role_id, view);
    } else {
      others_wait = true;
    }
    return false;
  };
  // Not every turn becomes a run that holds the mutex.
  for (int turns = 0; mutexes_.open().contains(mutex); turns++) {
    const auto next = turns < kMostClaims ? mutexes_.TakeNext(mutex, has_room) : std::nullopt;
    if (!next) {
      backlog_ = backlog_ || others_wait || turns >= kMostClaims;
      return;
    }
    if (!ClaimTurn(next->turn, now)) {
      mutexes_.Wait(mutex, *next);
      backlog_ = true;
      return;
    }
  }
}

void Scheduler::ReleaseMutex(const board::RunSlot& run) {
  if (run.ticket.mutex[0] != '\0') {
    mutexes_.Release(mutexes_.Find(run.ticket.mutex), run.ticket.run_id);
  }
}

}  // namespace ratchet::scheduler
