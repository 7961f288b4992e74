// ratchet.export_jobs() and ratchet.apply_jobs()
#include <algorithm>
#include <map>
#include <optional>

#include "api/argument.h"
#include "api/define_job.h"
#include "api/define_queue.h"
#include "api/job_check.h"
#include "api/job_document.h"
#include "api/privilege.h"
#include "api/queue_document.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "catalog/role_rights.h"
#include "pg/subtransaction.h"
#include "policy/dependency_order.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
}

namespace ratchet::api {
namespace {

// Of a value in the column "detail".
constexpr int kLongestValue = 100;  // bytes

std::vector<catalog::JobDefinition> JobsOfCaller() {
  std::vector<catalog::JobDefinition> jobs;
  catalog::ScanJobs(
      [](void* argument, const catalog::JobDefinition& job) {
        if (!job.is_queue) {
          static_cast<std::vector<catalog::JobDefinition>*>(argument)->push_back(job);
        }
      },
      &jobs);
  std::map<Oid, bool> may;
  std::erase_if(jobs, [&may](const catalog::JobDefinition& job) {
    auto known = may.find(job.owner);
    if (known == may.end()) {
      known = may.emplace(job.owner, MayManage(job.owner)).first;
    }
    return !known->second;
  });
  std::sort(jobs.begin(), jobs.end(),
            [](const auto& a, const auto& b) { return a.job_name < b.job_name; });
  return jobs;
}

Datum ExportJobs() {
  const JobColumns columns;
  std::string document = "[";
  for (const catalog::JobDefinition& job : JobsOfCaller()) {
    document += (document.size() > 1 ? ", " : "") + ObjectOf(MembersOf(job, columns));
  }
  for (const Queue& queue : QueuesOfCaller()) {
    document += (document.size() > 1 ? ", " : "") + ObjectOf(MembersOf(queue, columns));
  }
  document += "]";
  return pg::Call(
      [&document] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(document.c_str())); });
}

// ---- Applying ----------------------------------------------------------------------------------

struct Change {
  std::string job_name;
  const char* change;
  std::string detail;
};

void SayWhich(void* argument) {
  errcontext("%s of the document", static_cast<const char*>(argument));
}

// What goes wrong in `step` says what it is about: job "nightly".
template <typename Step>
auto For(const std::string& title, Step step) {
  ErrorContextCallback context = {error_context_stack, SayWhich, const_cast<char*>(title.c_str())};
  error_context_stack = &context;
  try {
    auto result = step();
    error_context_stack = context.previous;
    return result;
  } catch (const pg::Error& error) {
    error_context_stack = context.previous;
    const std::string message = error.what();
    throw pg::Error(error.sqlstate(),
                    message.find(title) != std::string::npos ? message : title + ": " + message,
                    error.hint(), error.detail());
  } catch (...) {
    error_context_stack = context.previous;
    throw;
  }
}

std::string Shortened(const std::string& value) {
  if (value.size() <= kLongestValue) {
    return value;
  }
  const int length = pg::Call([&value] {
    return pg_mbcliplen(value.c_str(), static_cast<int>(value.size()), kLongestValue);
  });
  return value.substr(0, static_cast<std::size_t>(length)) + "...";
}

std::string ValueIn(const JobMembers& members, const std::string& key) {
  for (const auto& [name, value] : members) {
    if (name == key) {
      return Shortened(value);
    }
  }
  return "default";
}

// "timeout: default -> \"00:05:00\", …"
std::string DifferenceOf(const JobMembers& from, const JobMembers& to) {
  JobMembers all = to;
  for (const auto& member : from) {
    if (std::none_of(to.begin(), to.end(),
                     [&](const auto& other) { return other.first == member.first; })) {
      all.push_back(member);
    }
  }
  std::string difference;
  for (const auto& [key, value] : all) {
    const bool same = std::find(from.begin(), from.end(), std::pair(key, value)) != from.end() &&
                      std::find(to.begin(), to.end(), std::pair(key, value)) != to.end();
    if (!same) {
      difference += (difference.empty() ? "" : ", ") + key + ": " + ValueIn(from, key) + " -> " +
                    ValueIn(to, key);
    }
  }
  return difference;
}

template <typename Definition>
Change ChangeOf(const std::string& name, const Definition& defined, const JobColumns& columns) {
  if (!defined.old) {
    return Change{name, "created", ""};
  }
  if (!defined.changed) {
    return Change{name, "unchanged", ""};
  }
  return Change{name, "changed",
                DifferenceOf(MembersOf(*defined.old, columns), MembersOf(defined.now, columns))};
}

// What it changes is said in its result, and a dry run says it before.
Change Apply(const JobElement& element, const JobColumns& columns) {
  const Given given = {element.Gives("enabled"), element.Gives("run_as")};
  return For(element.Title(), [&] {
    if (element.is_queue) {
      CheckQueueName(element.job_name, "queue_name");
      return ChangeOf(catalog::JobNameOf(element.job_name),
                      DefineQueue(QueueOf(element, columns), given, AnothersJob::kRedefined),
                      columns);
    }
    CheckName(element.job_name, "job_name");
    return ChangeOf(element.job_name,
                    DefineJob(DefinitionOf(element, columns), given, AnothersJob::kRedefined),
                    columns);
  });
}

// Parents before their children, so that a job may depend on one further down in the document.
std::vector<std::size_t> OrderOf(const std::vector<JobElement>& elements) {
  std::vector<policy::Dependent> dependents;
  dependents.reserve(elements.size());
  for (const JobElement& element : elements) {
    const JsonMember* depends_on = element.Find("depends_on");
    dependents.push_back(
        {element.is_queue ? catalog::JobNameOf(element.job_name) : element.job_name,
         depends_on != nullptr ? depends_on->strings : std::vector<std::string>()});
  }
  policy::DependencyOrder order = policy::OrderByNeed(dependents);
  if (!order.circle.empty()) {
    std::string circle;
    for (const std::string& name : order.circle) {
      circle += (circle.empty() ? "\"" : " -> \"") + name + "\"";
    }
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "depends_on: the jobs depend on each other in a circle: " + circle);
  }
  return std::move(order.order);
}

// Children before their parents.
void Prune(const std::vector<JobElement>& elements, std::vector<Change>* changes) {
  std::vector<catalog::JobDefinition> jobs = JobsOfCaller();
  std::map<std::string, bool> kept;
  for (const JobElement& element : elements) {
    if (!element.is_queue) {
      kept[element.job_name] = true;
    }
  }
  std::erase_if(jobs, [&](const auto& job) { return kept.contains(job.job_name); });
  std::vector<policy::Dependent> dependents;
  dependents.reserve(jobs.size());
  for (const catalog::JobDefinition& job : jobs) {
    changes->push_back({job.job_name, "dropped", ""});
    dependents.push_back({job.job_name, job.depends_on});
  }
  std::vector<std::size_t> order = policy::OrderByNeed(dependents).order;
  std::reverse(order.begin(), order.end());
  for (const std::size_t i : order) {
    For("job \"" + jobs[i].job_name + "\"", [&] {
      ItemPointerData tid;
      if (const auto job = LockJobIfAny(jobs[i].job_name, &tid)) {
        DropJob(*job, &tid);
      }
      return true;
    });
  }
}

// Of all whose jobs may get other parents, in an order that is the same for everybody.
void LockDependenciesIn(const std::vector<JobElement>& elements) {
  std::map<Oid, Oid> owners;  // one of each group
  for (const JobElement& element : elements) {
    if (!element.Gives("depends_on")) {
      continue;
    }
    Oid owner = GetUserId();
    if (const JsonMember* run_as = element.Find("run_as")) {
      owner = pg::Call([run_as] { return get_role_oid(run_as->text.c_str(), true); });
    } else if (const auto job = catalog::FindJobByName(element.job_name)) {
      owner = MayManage(job->owner) ? job->owner : owner;
    }
    if (OidIsValid(owner)) {
      owners[catalog::GroupOf(owner)] = owner;
    }
  }
  for (const auto& [group, owner] : owners) {
    catalog::LockDependencies(owner);
  }
}

std::vector<Change> ApplyDocument(const std::vector<JobElement>& elements, bool prune) {
  const JobColumns columns;
  std::vector<Change> changes(elements.size());
  LockDependenciesIn(elements);  // before the lock on any name
  for (const std::size_t i : OrderOf(elements)) {
    changes[i] = Apply(elements[i], columns);
  }
  if (prune) {
    Prune(elements, &changes);
  }
  return changes;
}

void ApplyJobs(const Arguments& arguments) {
  enum Argument { kJobs, kPrune, kDryRun };
  RequireWritable("ratchet.apply_jobs()");
  if (arguments.IsNull(kJobs)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "jobs must not be null");
  }
  const std::vector<JobElement> elements = ReadDocument(arguments.Value(kJobs));
  const bool prune = arguments.BoolOr(kPrune, false);
  std::vector<Change> changes;
  if (arguments.BoolOr(kDryRun, false)) {
    // All of it is done, and undone.
    const pg::Subtransaction undone;
    changes = ApplyDocument(elements, prune);
  } else {
    changes = ApplyDocument(elements, prune);
  }
  RowSet rows(arguments.call());
  for (const Change& change : changes) {
    pg::Call([&] {
      Datum values[] = {CStringGetTextDatum(change.job_name.c_str()),
                        CStringGetTextDatum(change.change),
                        CStringGetTextDatum(change.detail.c_str())};
      bool nulls[] = {false, false, change.detail.empty()};
      rows.Add(values, nulls);
    });
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_export_jobs);
PGDLLEXPORT Datum ratchet_export_jobs(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return ratchet::api::SqlFunction([] { return ratchet::api::ExportJobs(); });
}

PG_FUNCTION_INFO_V1(ratchet_apply_jobs);
PGDLLEXPORT Datum ratchet_apply_jobs(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::ApplyJobs(ratchet::api::Arguments(fcinfo)); });
  return static_cast<Datum>(0);
}

}  // extern "C"
