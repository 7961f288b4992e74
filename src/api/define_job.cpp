#include "api/define_job.h"

#include "api/held_back.h"
#include "api/job_change.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/not_loaded.h"
#include "api/privilege.h"
#include "catalog/backfill.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "utils/builtins.h"
}

namespace ratchet::api {
namespace {

void Insert(catalog::JobDefinition* job, const std::string& search_path) {
  CompleteJob(job, nullptr, search_path);
  if (catalog::SettleIfEmpty(GetCurrentTransactionStartTimestamp())) {
    catalog::NoteEverythingChanged();
  } else {
    TellIfHeldBack(*job);
  }
  catalog::InsertJob(job);
  RecordChange(nullptr, job);
  catalog::StartBackfillOf(*job, nullptr);
  catalog::NoteJobChanged(job->job_id);
}

// A job of another role that the caller may manage, as superusers may all, is not changed by
// accident: its owner would read what is meant for nobody else, and could change it back.
void RefuseInAnothersName(const catalog::JobDefinition& old) {
  if (old.owner == GetUserId()) {
    return;
  }
  std::string owner;
  pg::Call([&] {
    const char* name = GetUserNameFromId(old.owner, true);
    owner = name != nullptr ? quote_identifier(name) : std::to_string(old.owner);
  });
  throw pg::Error(
      ERRCODE_DUPLICATE_OBJECT,
      "job \"" + old.job_name + "\" already exists, and belongs to role " + owner,
      "To change that job, name its owner by run_as. A job of your own needs another name.");
}

void RefuseAnothers(const catalog::JobDefinition& old, Given given, AnothersJob anothers_job) {
  if (old.is_queue) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT,
                    "\"" + old.job_name + "\" is the name of the runs of a queue",
                    "Use another name for the job.");
  }
  RequireMayManage(old);
  if (!given.owner && anothers_job == AnothersJob::kRefused) {
    RefuseInAnothersName(old);
  }
}

// Whose it will be.
Oid OwnerOf(const catalog::JobDefinition& job, const catalog::JobDefinition* old) {
  if (OidIsValid(job.owner)) {
    return job.owner;
  }
  return old != nullptr ? old->owner : GetUserId();
}

// Nobody waits for what is none of their business.
void LookBeforeLock(const catalog::JobDefinition& job, Given given, AnothersJob anothers_job) {
  const auto seen = catalog::FindJobByName(job.job_name);
  if (seen) {
    RefuseAnothers(*seen, given, anothers_job);
  }
  const Oid owner = OwnerOf(job, seen ? &*seen : nullptr);
  if (!job.depends_on.empty()) {
    catalog::LockDependencies(owner);
  }
  catalog::LockJobName(job.job_name, seen ? seen->owner : owner);
}

}  // namespace

Defined DefineJob(catalog::JobDefinition job, Given given, AnothersJob anothers_job) {
  WarnIfNotLoaded();
  const std::string path = SearchPathOfSession();
  LookBeforeLock(job, given, anothers_job);
  ItemPointerData tid;
  std::optional<catalog::JobDefinition> old = catalog::FindJobByName(job.job_name, &tid);
  if (!old) {
    catalog::RefuseTakenName(job.job_name, OwnerOf(job, nullptr));
    Insert(&job, path);
    return {std::move(old), std::move(job), true};
  }
  RefuseAnothers(*old, given, anothers_job);
  job.job_id = old->job_id;
  job.version = old->version;
  job.schedule_since = old->schedule_since;
  job.created_at = old->created_at;
  job.changed_at = old->changed_at;
  job.quarantined = old->quarantined;
  // Who deploys the same script again neither resumes what was paused nor takes the job over.
  if (!given.enabled) {
    job.enabled = old->enabled;
  }
  if (!given.owner) {
    job.owner = old->owner;
  }
  const bool changed = CompleteJob(&job, &*old, path);
  if (changed) {
    TellIfHeldBack(job);
    catalog::UpdateJob(&tid, job);
    RecordChange(&*old, &job);
    catalog::StartBackfillOf(job, &*old);
    catalog::NoteJobChanged(job.job_id);
  }
  return {std::move(old), std::move(job), changed};
}

}  // namespace ratchet::api
