#include "api/batch_check.h"

#include "api/action_check.h"
#include "api/job_settings.h"
#include "batch/shape.h"
#include "catalog/checkpoint.h"
#include "pg/as_role.h"

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

[[noreturn]] void Refuse(const std::string& message, const std::string& hint,
                         const std::string& detail = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, hint, detail);
}

// Checked before the texts are: mending them may change what the texts mean.
void CheckOptions(const JobDefinition& job, bool descending) {
  if (job.transaction == catalog::TransactionMode::kPerStatement) {
    Refuse("transaction => 'per_statement' cannot be used for a batch job", "Leave the option out.",
           "Each batch is one transaction.");
  }
  if (job.mode != catalog::BatchMode::kIncremental) {
    return;
  }
  if (job.overlap == catalog::Overlap::kAllow) {
    Refuse("mode => 'incremental' cannot be used together with overlap => 'allow'",
           "Use overlap => 'queue', or mode => 'full'.",
           "Two runs would go on behind the same checkpoint.");
  }
  if (descending) {
    Refuse("mode => 'incremental' cannot be used with a descending key",
           "Use a key that grows with new items, or mode => 'full'.",
           "New items would never be behind the last checkpoint.");
  }
}

template <typename F>
void AsOwner(const JobDefinition& job, F&& check) {
  const std::optional<std::string> search_path = SearchPathIn(job.settings);
  pg::AsRole role(job.owner, search_path ? search_path->c_str() : nullptr);
  check();
  role.End();
}

void Warn(const char* message, const char* detail, const char* hint) {
  pg::Call([=] {
    ereport(WARNING, (errmsg("%s", message), detail != nullptr ? errdetail("%s", detail) : 0,
                      hint != nullptr ? errhint("%s", hint) : 0));
  });
}

// Whether source and action still do what they did when they were checked.
bool MeansTheSame(const JobDefinition& a, const JobDefinition& b) {
  return a.source == b.source && a.action == b.action && a.key == b.key && a.per == b.per &&
         a.owner == b.owner && a.settings == b.settings && a.mode == b.mode &&
         a.overlap == b.overlap && a.transaction == b.transaction;
}

}  // namespace

void CompleteBatch(JobDefinition* job) {
  if (!job->is_batch() || !job->key.empty()) {
    return;
  }
  batch::Shape shape;
  AsOwner(*job, [&] { shape = batch::ShapeOf(*job); });
  job->key.push_back(shape.columns[static_cast<std::size_t>(shape.key.front())].name);
}

void CheckBatch(const JobDefinition& job, const JobDefinition* old) {
  if (old != nullptr && MeansTheSame(job, *old)) {
    return;
  }
  CheckOptions(job, false);
  bool uses_items = false;
  AsOwner(job, [&] {
    const batch::Shape shape = batch::ShapeOf(job);
    CheckOptions(job, shape.descending);
    uses_items = CheckAction(job.action, shape, job.per);
  });
  if (!uses_items) {
    Warn("the action does not use any column of the source", "It does the same for each item.",
         "Its parameters are $1, $2, and so on.");
  }
}

void DropVoidCheckpoint(const JobDefinition& job, const JobDefinition& old) {
  const bool changed_kind = job.is_batch() != old.is_batch();
  if (!changed_kind && job.key == old.key) {
    return;
  }
  const bool was_there = catalog::FindCheckpoint(job.job_id, 0).has_value();
  catalog::DeleteCheckpoints(job.job_id);
  if (was_there) {
    const char* name = job.job_name.c_str();
    pg::Call([=] {
      ereport(NOTICE, (errmsg("checkpoint of job \"%s\" is dropped", name),
                       changed_kind ? errdetail("It is of what the job did before.")
                                    : errdetail("It is of another key."),
                       errhint("The next run begins at the beginning.")));
    });
  }
}

}  // namespace ratchet::api
