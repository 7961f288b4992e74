#include "scheduler/watched_jobs.h"

extern "C" {
#include "pgstat.h"
}

namespace ratchet::scheduler {

void WatchedJobs::Set(const catalog::JobDefinition& definition) {
  if (definition.watch.empty()) {
    Remove(definition.job_id);
    return;
  }
  Watched& watched = jobs_[definition.job_id];
  watched.tables = definition.watch;
  watched.warned = false;
}

const std::vector<Oid>* WatchedJobs::TablesOf(std::int64_t job_id) const {
  const auto found = jobs_.find(job_id);
  return found != jobs_.end() ? &found->second.tables : nullptr;
}

policy::Watch* WatchedJobs::Find(std::int64_t job_id) {
  const auto found = jobs_.find(job_id);
  return found != jobs_.end() ? &found->second.watch : nullptr;
}

void WatchedJobs::Resume(const catalog::JobState& state) {
  if (policy::Watch* watch = Find(state.job_id)) {
    watch->Resume(policy::TableMark::Decode(state.watch_seen), state.last_status);
  }
}

std::vector<std::int64_t> WatchedJobs::ForgetUncounted() {
  std::vector<std::int64_t> forgotten;
  if (pgstat_track_counts) {
    return forgotten;
  }
  for (auto& [job_id, watched] : jobs_) {
    if (watched.watch.success().certain) {
      watched.watch.Resume({}, policy::RunStatus::kQueued);
      forgotten.push_back(job_id);
    }
  }
  return forgotten;
}

policy::TableMark WatchedJobs::MarkOf(const Job& job) {
  Watched& watched = jobs_.at(job.job_id);
  if (!changes_) {
    changes_.emplace();
  }
  Oid missing = InvalidOid;
  const policy::TableMark mark = changes_->MarkOf(watched.tables, job.version, &missing);
  if (OidIsValid(missing) && !watched.warned) {
    watched.warned = true;
    ereport(WARNING,
            (errcode(ERRCODE_UNDEFINED_TABLE),
             errmsg("job \"%s\" watches a table that does not exist any more", job.name),
             errdetail("Its OID was %u. Until that is mended the job runs whenever it is due.",
                       missing),
             errhint("Use ratchet.alter_job() to give the job other tables to watch, or reset => "
                     "'{watch}' to watch none.")));
  }
  return mark;
}

}  // namespace ratchet::scheduler
