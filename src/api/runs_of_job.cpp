#include "api/runs_of_job.h"

#include <algorithm>
#include <optional>

#include "api/privilege.h"
#include "board/run_view.h"
#include "catalog/run_log.h"
#include "catalog/run_queue.h"
#include "pg/passing_locks.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

struct RunUnderWay {
  std::int64_t run_id;
  Oid owner;
};

// The queue has all but those in the foreground, which only the board knows if they were given no
// payload.
std::vector<RunUnderWay> ListRunsUnderWay(std::int64_t job_id) {
  std::vector<RunUnderWay> found;
  std::vector<board::LiveRun> live;
  if (board::TheBoard() != nullptr) {
    board::ListRunsOfJob(MyDatabaseId, job_id, &live);
  }
  for (const board::LiveRun& run : live) {
    if (run.ticket.foreground && run.state != board::RunState::kReserved) {
      found.push_back({run.ticket.run_id, run.ticket.owner});
    }
  }
  std::vector<catalog::FoundRun> queued;
  catalog::FindQueuedRunsOf(job_id, &queued);
  for (const catalog::FoundRun& run : queued) {
    found.push_back({run.run.run_id, run.run.owner});
  }
  const auto by_number = [](const RunUnderWay& a, const RunUnderWay& b) {
    return a.run_id < b.run_id;
  };
  const auto same_number = [](const RunUnderWay& a, const RunUnderWay& b) {
    return a.run_id == b.run_id;
  };
  std::sort(found.begin(), found.end(), by_number);
  found.erase(std::unique(found.begin(), found.end(), same_number), found.end());
  return found;
}

}  // namespace

std::vector<std::int64_t> RunsUnderWay(std::int64_t job_id) {
  std::vector<std::int64_t> numbers;
  for (const RunUnderWay& run : ListRunsUnderWay(job_id)) {
    numbers.push_back(run.run_id);
  }
  return numbers;
}

std::int64_t NewestRunOf(const std::string& job_name) {
  // Who waits holds up nobody who rewrites the tables.
  const pg::PassingLocks locks;
  const auto job = catalog::FindJobByName(job_name);
  if (!job || job->is_queue || !MaySee(job->owner)) {
    NoSuchJob(job_name, job ? &*job : nullptr);
  }
  const std::vector<RunUnderWay> under_way = ListRunsUnderWay(job->job_id);
  const auto newest = std::find_if(under_way.rbegin(), under_way.rend(),
                                   [](const RunUnderWay& run) { return MaySee(run.owner); });
  if (newest != under_way.rend()) {
    return newest->run_id;
  }
  const auto record = catalog::FindNewestRecord(job->job_id, MaySee);
  if (!record) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "job \"" + job_name + "\" has no run",
                    "Use ratchet.trigger() to run it.");
  }
  return *record;
}

}  // namespace ratchet::api
