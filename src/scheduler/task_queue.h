// A queue as the scheduler of its database knows it: its tasks that are to be done, and in whose
// hands they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "board/task_board.h"
#include "catalog/job.h"
#include "catalog/queue.h"
#include "catalog/task.h"
#include "policy/task_line.h"
#include "policy/task_outcome.h"
#include "policy/task_set.h"

namespace ratchet::scheduler {

// What the definition says, as far as it matters here.
struct QueueRules {
  std::int32_t concurrency = 0;  // 0: as many as there are workers
  bool has_handler = false;
  bool may_start = false;  // not paused, not held back, and meant for this environment
  policy::TaskRules tasks;
  policy::TaskLine::Rules line;
  std::int64_t retention = 0;
  std::int64_t keep_dead = 0;
  std::int32_t version = 0;
};

QueueRules RulesOf(const catalog::QueueDefinition& queue, const catalog::JobDefinition& job,
                   const std::string& environment);

policy::TaskLine::Task LineTaskOf(const catalog::Task& task, const ItemPointerData& tid);

class TaskQueue {
 public:
  TaskQueue(std::int64_t id, const QueueRules& rules, policy::SteadyTime blind_until)
      : queue_id(id), rules(rules), line(rules.line, blind_until) {}
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  // How many tasks a worker gets at once: what keeps it busy for a moment, and no more, for they
  // are in nobody else's hands. A task of which nothing is known is taken for a slow one.
  int WorthOf(int wants) const;
  // Whether a worker that has something to do gets the next tasks laid out beside it.
  bool IsLaidOut() const;
  // So many tasks have taken so long, in microseconds.
  void NoteTook(std::int64_t micros, std::int64_t count);

  // ---- Those that wait behind the line, because that is long enough.
  // Whether it could: it has to wait for nothing but its time and its turn.
  static bool MayStandBehind(const catalog::Task& task);
  // Whether it does so from now on.
  bool PutBehind(const catalog::Task& task, TimestampTz now);
  bool IsBehind(std::int64_t task_id) const;
  // Whether it did so.
  bool TakeFromBehind(std::int64_t task_id);
  void WakeSleepers(TimestampTz now);
  // The next ones of a priority that are to be read, as there is room for them in the line; null:
  // none are.
  policy::TaskSet* NextBehind();
  bool WantsMore() const;
  // When sleepers are to be woken; INT64_MAX: there are none.
  TimestampTz NextWake() const;
  void ForgetBehind();
  std::int64_t CountBehind() const;
  std::int64_t CountAsleep() const;

  const std::int64_t queue_id;
  QueueRules rules;
  policy::TaskLine line;
  std::unordered_set<std::int64_t> handed;  // of those that are out: stretches have them
  policy::TaskSet later;                    // delayed ones that are not in the line yet
  policy::TaskSet dead;                     // as far as they are counted
  board::QueueCounters totals{};            // enqueued, completed, failed, and their rates
  std::int64_t rated_enqueued = 0;
  std::int64_t rated_completed = 0;
  policy::SteadyTime rated_at{};
  int counters = -1;        // place on the board
  bool is_counted = false;  // that has been asked for
  int stretches = 0;        // open ones
  policy::SteadyTime purge_at{};

 private:
  double mean_task_ = 20'000;                       // microseconds
  std::map<std::int32_t, policy::TaskSet> behind_;  // by priority
  // Of those that are due soon, more than the line has: by the time, a little later, when they are
  // put behind it, and by priority.
  std::map<std::pair<TimestampTz, std::int32_t>, policy::TaskSet> asleep_;
};

}  // namespace ratchet::scheduler
