#include "board/run_view.h"

#include "pg/clock.h"

namespace ratchet::board {
namespace {

// As the wall clock counts now; 0: it has not started.
TimestampTz StartOf(const RunSlot& run, const policy::Moment& now) {
  return run.started_at == 0 ? 0 : policy::OnClockOf(now, {run.started_at, run.begun});
}

bool IsOf(const RunSlot& run, Oid database) {
  return run.state != RunState::kFree && run.ticket.database == database &&
         OidIsValid(run.ticket.incarnation);
}

LiveRun Copy(int slot, const policy::Moment& now) {
  const RunSlot& run = Runs()[slot];
  return {
      slot,     run.state,         run.cancel,        run.terminated,         run.ticket,
      run.pid,  StartOf(run, now), run.progress_done, run.progress_remaining, run.walks,
      run.wait, run.in_the_way,    run.committed,     run.walk_done,          run.outcome.status};
}

// Room for all is taken before the lock: nothing may be allocated while it is held.
template <typename Filter>
void ListThose(std::vector<LiveRun>* out, Filter filter) {
  out->clear();
  out->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const policy::Moment now = pg::Now();
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->runs; i++) {
    if (filter(Runs()[i])) {
      out->push_back(Copy(i, now));
    }
  }
}

}  // namespace

void ListRuns(Oid database, std::vector<LiveRun>* out) {
  ListThose(out, [database](const RunSlot& run) { return IsOf(run, database); });
}

void ListRunsOfJob(Oid database, std::int64_t job_id, std::vector<LiveRun>* out) {
  ListThose(out, [database, job_id](const RunSlot& run) {
    return IsOf(run, database) && run.ticket.job_id == job_id;
  });
}

std::optional<LiveRun> FindRun(Oid database, std::int64_t run_id) {
  const policy::Moment now = pg::Now();
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->runs; i++) {
    if (IsOf(Runs()[i], database) && Runs()[i].ticket.run_id == run_id) {
      return Copy(i, now);
    }
  }
  return std::nullopt;
}

}  // namespace ratchet::board
