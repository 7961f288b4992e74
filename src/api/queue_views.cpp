// What the views of queues and tasks show of shared memory: ratchet._queue_counters() and
// ratchet._tasks_in_hand()
#include <unordered_map>
#include <vector>

#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "board/queue_counters.h"
#include "board/stretch_board.h"
#include "catalog/incarnation.h"
#include "catalog/job.h"

extern "C" {
#include "miscadmin.h"
#include "utils/builtins.h"
}

namespace ratchet::api {
namespace {

// Of queues, each of which is looked up once.
class Visible {
 public:
  bool Includes(std::int64_t queue_id) {
    const auto known = known_.find(queue_id);
    if (known != known_.end()) {
      return known->second;
    }
    const auto job = catalog::FindJob(queue_id);
    const bool visible = job && MaySee(job->owner);
    known_.emplace(queue_id, visible);
    return visible;
  }

 private:
  std::unordered_map<std::int64_t, bool> known_;
};

void AddCounters(const board::CountedQueue& queue, RowSet* rows) {
  const board::QueueCounters& counters = queue.counters;
  pg::Call([&] {
    Datum values[] = {Int64GetDatum(queue.queue_id),
                      Int64GetDatum(counters.ready),
                      Int64GetDatum(counters.scheduled),
                      Int64GetDatum(counters.blocked),
                      Int64GetDatum(counters.running),
                      Int64GetDatum(counters.dead),
                      TimestampTzGetDatum(counters.oldest_ready),
                      Int64GetDatum(counters.enqueued),
                      Int64GetDatum(counters.completed),
                      Int64GetDatum(counters.failed),
                      TimestampTzGetDatum(counters.counted_since),
                      Float8GetDatum(counters.enqueued_per_second),
                      Float8GetDatum(counters.completed_per_second),
                      CStringGetTextDatum(counters.waits_for)};
    bool nulls[14] = {};
    nulls[6] = counters.oldest_ready == 0;
    nulls[10] = counters.counted_since == 0;
    nulls[13] = counters.waits_for[0] == '\0';
    rows->Add(values, nulls);
  });
}

void QueueCounters(FunctionCallInfo call) {
  RowSet rows(call);
  std::vector<board::CountedQueue> queues;
  board::ListCounters(MyDatabaseId, &queues);
  Visible visible;
  for (const board::CountedQueue& queue : queues) {
    if (visible.Includes(queue.queue_id)) {
      AddCounters(queue, &rows);
    }
  }
}

void AddTask(const board::StretchView& stretch, const board::HandedTask& task, pid_t pid,
             RowSet* rows) {
  pg::Call([&] {
    Datum values[] = {Int64GetDatum(task.task_id), Int64GetDatum(stretch.queue_id),
                      Int64GetDatum(stretch.run_id), Int32GetDatum(pid)};
    bool nulls[4] = {};
    rows->Add(values, nulls);
  });
}

void TasksInHand(FunctionCallInfo call) {
  RowSet rows(call);
  if (board::TheTaskBoard() == nullptr) {
    return;
  }
  std::vector<board::StretchView> stretches;
  board::ListStretches(MyDatabaseId, catalog::FindIncarnation(), &stretches);
  Visible visible;
  std::vector<board::HandedTask> tasks;
  for (const board::StretchView& stretch : stretches) {
    if (stretch.state != board::StretchState::kOpen || !visible.Includes(stretch.queue_id)) {
      continue;
    }
    tasks.clear();
    board::ListHanded(stretch.stretch, stretch.run_id, &tasks);
    for (const board::HandedTask& task : tasks) {
      AddTask(stretch, task, stretch.pid, &rows);
    }
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_queue_counters);
PGDLLEXPORT Datum ratchet_queue_counters(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::QueueCounters(fcinfo); });
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(ratchet_tasks_in_hand);
PGDLLEXPORT Datum ratchet_tasks_in_hand(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::TasksInHand(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
