#include "api/job_change.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "api/job_document.h"
#include "api/queue_document.h"
#include "catalog/job_change.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

// Of a longer value it is said how long it is.
constexpr std::size_t kLongestValue = 1'000'000;

const std::string* Find(const JobMembers& members, std::string_view key) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const auto& member) { return member.first == key; });
  return found != members.end() ? &found->second : nullptr;
}

const catalog::JobDefinition& JobOf(const catalog::JobDefinition& job) { return job; }
const catalog::JobDefinition& JobOf(const Queue& queue) { return queue.job; }

// Whether it is enabled is always said.
template <typename Definition>
JobMembers ValuesOf(const Definition& definition, const JobColumns& columns) {
  JobMembers values = MembersOf(definition, columns);
  if (Find(values, "enabled") == nullptr) {
    values.emplace_back("enabled", "true");
  }
  return values;
}

struct Values {
  JobMembers old;
  JobMembers now;
};

// Those that differ. What one side leaves out has its default there: null.
Values DifferenceOf(const JobMembers& old, const JobMembers& now) {
  Values difference;
  const auto compare = [&](const std::string& key) {
    const std::string* before = Find(old, key);
    const std::string* after = Find(now, key);
    if (before == nullptr || after == nullptr || *before != *after) {
      difference.old.emplace_back(key, before != nullptr ? *before : "null");
      difference.now.emplace_back(key, after != nullptr ? *after : "null");
    }
  };
  for (const auto& [key, value] : now) {
    compare(key);
  }
  for (const auto& [key, value] : old) {
    if (Find(now, key) == nullptr) {
      compare(key);
    }
  }
  return difference;
}

const char* ActionOf(const JobMembers& now) {
  if (Find(now, "run_as") != nullptr) {
    return "owner changed";
  }
  const bool is_alone = now.size() == 1;
  if (is_alone && now.front().first == "enabled") {
    return now.front().second == "true" ? "resumed" : "paused";
  }
  const bool is_name =
      is_alone && (now.front().first == "job_name" || now.front().first == "queue_name");
  return is_name ? "renamed" : "altered";
}

// Empty: none.
std::string TextOf(const JobMembers& members) {
  JobMembers kept;
  for (const auto& [key, value] : members) {
    const bool fits = value.size() <= kLongestValue;
    kept.emplace_back(key, fits ? value : Escaped("(" + std::to_string(value.size()) + " bytes)"));
  }
  return kept.empty() ? std::string() : ObjectOf(kept);
}

void Insert(const catalog::JobDefinition& job, Oid owner, const char* action,
            const Values& values) {
  catalog::JobChange change;
  change.job_id = job.job_id;
  change.job_name = job.job_name;
  change.owner = owner;
  change.changed_at = GetCurrentTransactionStartTimestamp();
  change.changed_by = GetUserId();
  change.action = action;
  change.old_values = TextOf(values.old);
  change.new_values = TextOf(values.now);
  catalog::InsertJobChange(&change);
}

JobMembers OwnerIn(const JobMembers& members) { return {{"run_as", *Find(members, "run_as")}}; }

// Each owner sees of it what was theirs, or is.
void InsertChangeOfOwner(const catalog::JobDefinition& old, const catalog::JobDefinition& now,
                         const char* action, const Values& values) {
  Insert(now, old.owner, action, {values.old, OwnerIn(values.now)});
  Insert(now, now.owner, action, {OwnerIn(values.old), values.now});
}

template <typename Definition>
void Record(const Definition* old, const Definition* now) {
  const JobColumns columns;
  if (old == nullptr) {
    Insert(JobOf(*now), JobOf(*now).owner, "defined", {{}, ValuesOf(*now, columns)});
    return;
  }
  if (now == nullptr) {
    Insert(JobOf(*old), JobOf(*old).owner, "dropped", {ValuesOf(*old, columns), {}});
    return;
  }
  const Values values = DifferenceOf(ValuesOf(*old, columns), ValuesOf(*now, columns));
  if (values.now.empty()) {
    return;
  }
  if (JobOf(*old).owner != JobOf(*now).owner && Find(values.now, "run_as") != nullptr) {
    InsertChangeOfOwner(JobOf(*old), JobOf(*now), ActionOf(values.now), values);
  } else {
    Insert(JobOf(*now), JobOf(*now).owner, ActionOf(values.now), values);
  }
}

}  // namespace

void RecordChange(const catalog::JobDefinition* old, const catalog::JobDefinition* now) {
  Record(old, now);
}

void RecordChange(const Queue* old, const Queue* now) { Record(old, now); }

void RecordAdoption(const std::vector<std::int64_t>& job_ids) {
  const JobColumns columns;
  for (const std::int64_t job_id : job_ids) {
    const auto job = catalog::FindJob(job_id);
    if (!job) {
      continue;
    }
    const auto queue = job->is_queue ? FindQueue(job_id) : std::nullopt;
    Insert(*job, job->owner, "adopted",
           {{}, queue ? ValuesOf(*queue, columns) : ValuesOf(*job, columns)});
  }
}

}  // namespace ratchet::api
