#include "api/batch_check.h"

#include <algorithm>

#include "api/action_check.h"
#include "api/job_settings.h"
#include "batch/key_order.h"
#include "batch/pinned_columns.h"
#include "batch/reads.h"
#include "batch/shape.h"
#include "batch/subquery.h"
#include "batch/walk_check.h"
#include "catalog/checkpoint.h"
#include "pg/as_role.h"
#include "pg/subtransaction.h"

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
  pg::AsRole role(job.owner, SettingsInForce(job));
  check();
  role.End();
}

void Warn(const std::string& message, const std::string& detail, const std::string& hint) {
  pg::Call([&] {
    ereport(WARNING, (errmsg("%s", message.c_str()), errdetail("%s", detail.c_str()),
                      hint.empty() ? 0 : errhint("%s", hint.c_str())));
  });
}

std::string CreateIndex(const batch::WalkFindings& walk) {
  const bool is_unique = walk.uniqueness == batch::Uniqueness::kNoIndex;
  return std::string("Run CREATE ") + (is_unique ? "UNIQUE " : "") + "INDEX " +
         (walk.takes_concurrently ? "CONCURRENTLY " : "") + "ON " + walk.table + " (" +
         walk.key_columns + ").";
}

std::string KeyOf(const JobDefinition& job) {
  std::string key;
  for (const std::string& column : job.key) {
    key += (key.empty() ? "" : ", ") + column;
  }
  return "key (" + key + ")";
}

void WarnOfKey(const JobDefinition& job, const batch::WalkFindings& walk) {
  if (walk.uniqueness == batch::Uniqueness::kNoIndex) {
    // The hint about the walk would be the same statement.
    Warn(KeyOf(job) + " may not identify one item",
         "Table " + walk.table + " has no unique index. A run fails when it meets a key twice.",
         walk.sorts != batch::Sorting::kNone && !walk.has_order ? "" : CreateIndex(walk));
  }
  if (walk.uniqueness == batch::Uniqueness::kPerTable) {
    Warn(KeyOf(job) + " may not identify one item",
         "Table " + walk.table +
             " has child tables, and no unique index spans them. A run fails when it meets a key "
             "twice.",
         "Add tableoid to the source and to the end of the key, or read ONLY the table.");
  }
  if (walk.nullable_count > 0) {
    Warn((walk.nullable_count == 1 ? "key column " : "key columns ") + walk.nullable +
             " may be null",
         "A run fails when it meets a row without a key.",
         "Leave such rows out of the source by IS NOT NULL, or declare NOT NULL.");
  }
}

void WarnOfWalk(const JobDefinition& job, const batch::WalkFindings& walk) {
  if (walk.has_limit) {
    Warn("the source has a LIMIT or OFFSET of its own",
         "It counts anew for each batch, with the items that are done among them.",
         "Leave it out: batch_size limits a batch, and max_run_time a run.");
  }
  if (walk.has_order) {
    // The sort is its own, and what an index could do shows without it.
    Warn("the source has an ORDER BY of its own",
         "It is not obeyed, as a walk goes in the order of its " + KeyOf(job) +
             ", and each batch sorts anew.",
         "Leave it out, or walk by its columns with the option key.");
    return;
  }
  if (walk.sorts == batch::Sorting::kNone) {
    return;
  }
  const bool all = walk.sorts == batch::Sorting::kAll;
  const std::string detail =
      (all ? "Each batch would read and sort all rows that are left:\n"
           : "Each batch would read and sort all rows that begin like the first of its keys:\n") +
      walk.plan;
  if (!walk.has_index && !walk.key_columns.empty()) {
    Warn("no index gives the order of " + KeyOf(job), detail, CreateIndex(walk));
  } else if (walk.sorted_rows > job.batch_size) {
    Warn("no index can give the order of " + KeyOf(job), detail,
         "Walk by indexed columns of a table, without ORDER BY, FOR UPDATE, DISTINCT, GROUP BY, "
         "UNION or LIMIT around them; or fill a table first and walk that.");
  }
}

void RequireUniqueKey(const JobDefinition& job, const batch::WalkFindings& walk) {
  if (walk.uniqueness == batch::Uniqueness::kNotUnique) {
    throw pg::Error(ERRCODE_INVALID_COLUMN_REFERENCE, KeyOf(job) + " does not identify one item",
                    "Rows of " + walk.table + " are told apart by (" + walk.unique_columns +
                        "): use these columns as the key.",
                    "No unique index of " + walk.table + " is covered by these columns.");
  }
}

void CheckWriters(const JobDefinition& job, const batch::Shape& shape) {
  const batch::Reads reads = batch::ReadsOf("SELECT 1" + batch::FromSource(job.source, shape));
  batch::RequireLocalWriters(reads);
  if (!reads.function.empty()) {
    pg::Call([&reads] {
      ereport(NOTICE,
              (errmsg("the source calls function \"%s\", which may read any table",
                      reads.function.c_str()),
               errdetail("Before its first batch each run waits for all transactions of the "
                         "database that have written something, to whatever table."),
               errhint("Read the tables in the source itself, or in a function that the planner "
                       "can put in line.")));
    });
  }
}

// Whether source and action still do what they did when they were checked.
bool MeansTheSame(const JobDefinition& a, const JobDefinition& b) {
  return a.source == b.source && a.action == b.action && a.key == b.key && a.per == b.per &&
         a.owner == b.owner && a.settings == b.settings && a.mode == b.mode &&
         a.overlap == b.overlap && a.transaction == b.transaction;
}

// Throws when something is gone that the job uses of its source. That a table is gone is for its
// runs to tell, as ever.
void RequirePins(const JobDefinition& job) {
  try {
    pg::Subtransaction attempt;
    AsOwner(job, [&] { (void)batch::ShapeOf(job); });
    attempt.Release();
  } catch (const pg::PgError& error) {
    if (ERRCODE_TO_CATEGORY(error.sqlstate()) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION) {
      throw;
    }
  }
}

// Whether the job's columns are those of its old definition, which are filled in then: who deploys
// the same again does not change what $3 means.
bool KeepsColumns(JobDefinition* job, const JobDefinition& old) {
  JobDefinition kept = *job;
  const std::vector<batch::PinnedColumn> pins = batch::ParsePins(old.columns);
  if (kept.key.empty() && !pins.empty()) {
    kept.key.push_back(pins.front().name);
  }
  kept.columns = old.columns;
  if (!MeansTheSame(kept, old)) {
    return false;
  }
  if (job->columns.empty() && !pins.empty()) {
    RequirePins(kept);
  }
  *job = std::move(kept);
  return true;
}

void WarnOfOtherColumns(const JobDefinition& job, const std::vector<batch::PinnedColumn>& before,
                        const batch::Shape& shape, const std::vector<bool>& used) {
  std::string others;
  for (std::size_t i = 0; i < used.size() && i < before.size(); i++) {
    const std::string& name = shape.columns[i].name;
    if (used[i] && name != before[i].name) {
      others += (others.empty() ? "$" : " $") + std::to_string(i + 1) + " was column \"" +
                before[i].name + "\", and is column \"" + name + "\" now.";
    }
  }
  if (!others.empty()) {
    Warn("the columns of the source of job \"" + job.job_name + "\" have changed", others,
         "Name the columns in the source, so that the action means what it did.");
  }
}

// The source may give other rows to another role, under other settings, or for another payload.
void NoteCheckpointKept(const JobDefinition& job, bool changed_source) {
  pg::Call([&] {
    ereport(NOTICE, (errmsg("job \"%s\" goes on behind its checkpoint", job.job_name.c_str()),
                     changed_source ? errdetail("Its source has changed, its key has not.")
                                    : errdetail("What its source gives may have changed."),
                     errhint("Use ratchet.reset_checkpoint() to let it begin at the start.")));
  });
}

bool MayGiveOtherRows(const JobDefinition& job, const JobDefinition& old) {
  return job.is_batch() &&
         (job.owner != old.owner || job.settings != old.settings || job.payload != old.payload);
}

// Whether the walk has begun in an order that the new source does not have.
bool IsOfAnotherOrder(const JobDefinition& job, const catalog::Checkpoint& checkpoint) {
  if (!job.is_batch() || checkpoint.key.empty()) {
    return false;
  }
  std::string why;
  AsOwner(job, [&] {
    why = batch::WhyOrderDiffers(batch::ParseKeyOrder(checkpoint.key),
                                 batch::OrderOf(batch::ShapeOf(job)));
  });
  return !why.empty();
}

}  // namespace

bool CompleteBatch(JobDefinition* job, const JobDefinition* old) {
  if (!job->is_batch()) {
    job->columns.clear();
    return true;
  }
  const bool was_batch = old != nullptr && old->is_batch();
  if (was_batch && KeepsColumns(job, *old)) {
    return true;
  }
  job->columns.clear();
  CheckOptions(*job, false);
  batch::Shape shape;
  std::vector<bool> used;
  AsOwner(*job, [&] {
    shape = batch::ShapeOf(*job);
    CheckOptions(*job, shape.descending);
    used = CheckAction(job->action, shape, job->per);
  });
  if (job->key.empty()) {
    job->key.push_back(shape.columns[static_cast<std::size_t>(shape.key.front())].name);
  }
  job->columns = batch::PinsOf(shape, used);
  if (was_batch && job->source == old->source) {
    WarnOfOtherColumns(*job, batch::ParsePins(old->columns), shape, used);
  }
  return std::find(used.begin(), used.end(), true) != used.end();
}

void CheckBatch(const JobDefinition& job, const JobDefinition* old, bool uses_items) {
  if (old != nullptr && MeansTheSame(job, *old)) {
    return;
  }
  batch::WalkFindings walk;
  AsOwner(job, [&] {
    const batch::Shape shape = batch::ShapeOf(job);
    walk = batch::CheckWalk(job, shape);
    if (job.mode == catalog::BatchMode::kIncremental) {
      CheckWriters(job, shape);
    }
  });
  RequireUniqueKey(job, walk);
  WarnOfKey(job, walk);
  WarnOfWalk(job, walk);
  if (!uses_items) {
    Warn("the action does not use any column of the source", "It does the same for each item.",
         "Its parameters are $1, $2, and so on.");
  }
}

void DropVoidCheckpoint(const JobDefinition& job, const JobDefinition& old) {
  if (job.owner != old.owner && !job.is_batch()) {
    // What a procedure has saved for itself is not for the runs of another role. One that is under
    // way and holds the row is the scheduler's to clean up after.
    catalog::DeleteCheckpoint(job.job_id, 0, pg::IfBusy::kGiveUp);
  }
  const bool changed_kind = job.is_batch() != old.is_batch();
  const bool walks_all = job.is_batch() && job.mode == catalog::BatchMode::kFull &&
                         old.mode == catalog::BatchMode::kIncremental;
  const auto checkpoint = catalog::FindCheckpoint(job.job_id, 0);
  const bool was_there = checkpoint.has_value();
  const bool changed_source = job.source != old.source;
  if (!changed_kind && !walks_all && job.key == old.key &&
      !(was_there && changed_source && IsOfAnotherOrder(job, *checkpoint))) {
    if (was_there && (changed_source || MayGiveOtherRows(job, old))) {
      NoteCheckpointKept(job, changed_source);
    }
    return;
  }
  // Replays walk as their run did, by the key of that time.
  if (changed_kind) {
    catalog::DeleteCheckpoints(job.job_id);
  } else {
    catalog::DeleteLastingCheckpoints(job.job_id);
  }
  if (was_there) {
    const char* name = job.job_name.c_str();
    pg::Call([=] {
      ereport(NOTICE, (errmsg("the checkpoint of job \"%s\" is void and has been deleted", name),
                       changed_kind ? errdetail("The job does something else now.")
                       : walks_all  ? errdetail("The job walks all items now.")
                                    : errdetail("The job walks by another key now."),
                       errhint("Its next run begins at the start.")));
    });
  }
}

}  // namespace ratchet::api
