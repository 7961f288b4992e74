// What of a job goes by the rights of its owner over other roles: whose mutex it shares, and on
// whose jobs it depends. A right that is lost is lost with the next pass.
#include "scheduler/scheduler.h"

#include "catalog/mutex_owner.h"
#include "catalog/role_rights.h"
#include "policy/mutex_name.h"
#include "scheduler/role_changes.h"

namespace ratchet::scheduler {
namespace {

// Roles may change all the time: they are looked at again no more often than this.
constexpr std::int64_t kLookEvery = USECS_PER_SEC;

}  // namespace

// The number of the job's mutex.
std::uint32_t Scheduler::MutexOf(const catalog::JobDefinition& definition) {
  if (policy::MutexName(definition.mutex).is_shared) {
    sharing_[definition.job_id] = definition.mutex;
  } else {
    sharing_.erase(definition.job_id);
  }
  return mutexes_.Find(catalog::MutexKey(definition.mutex, definition.owner));
}

// Jobs that the child's owner may not manage are no parents for it, whatever their name.
void Scheduler::JudgeParents(std::int64_t child) {
  const std::uint32_t index = jobs_.Find(child);
  if (index == JobTable::kNoJob) {
    return;
  }
  std::set<std::string> strangers;
  for (const std::string& name : dependencies_.ParentsOf(child)) {
    const std::uint32_t parent = jobs_.Find(dependencies_.JobOf(name));
    if (parent != JobTable::kNoJob &&
        !catalog::MayManageJobsOf(jobs_[index].owner, jobs_[parent].owner)) {
      strangers.insert(name);
    }
  }
  if (dependencies_.SetStrangers(child, std::move(strangers))) {
    children_to_look_at_.insert(child);
  }
}

// Of the job, and of those that depend on one of its name.
void Scheduler::JudgeFamilyOf(std::int64_t job_id) {
  JudgeParents(job_id);
  for (const std::int64_t child : dependencies_.ChildrenOf(job_id)) {
    JudgeParents(child);
  }
}

void Scheduler::JudgeAll() {
  for (const std::int64_t child : dependencies_.Children()) {
    JudgeParents(child);
  }
}

void Scheduler::LookAtShared(TimestampTz now) {
  shared_due_ = {};
  if (dependencies_.empty() && sharing_.empty()) {
    return;
  }
  const std::uint32_t version = RolesVersion();
  if (version == shared_version_) {
    return;
  }
  if (shared_seen_.IsSet() && clock_.steady - shared_seen_ < kLookEvery) {
    shared_due_ = shared_seen_ + kLookEvery;
    return;
  }
  shared_version_ = version;
  shared_seen_ = clock_.steady;
  Begin();
  JudgeAll();
  std::erase_if(sharing_, [this](const auto& shared) {
    const std::uint32_t index = jobs_.Find(shared.first);
    return index == JobTable::kNoJob || jobs_[index].dropped;
  });
  for (const auto& [job_id, mutex] : sharing_) {
    const std::uint32_t index = jobs_.Find(job_id);
    const std::uint32_t found = mutexes_.Find(catalog::MutexKey(mutex, jobs_[index].owner));
    if (found != jobs_[index].mutex) {
      Unready(index);  // it is in the line of another one
      jobs_[index].mutex = found;
      ReadyAgain(index, now);
      Reconsider(index, now);
    }
  }
}

}  // namespace ratchet::scheduler
