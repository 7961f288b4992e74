// The task that this process has in hand, for the SQL functions that are called inside its handler.
#pragma once

#include <cstdint>
#include <string>

#include "pg/server.h"

namespace ratchet::worker {

// What the handler has said of the task, beside doing it or failing.
struct TaskWish {
  TimestampTz snoozed_until = 0;  // 0: not snoozed
  bool discarded = false;
  std::string reason;  // of the discard
  // Its row is deleted already, so that a new task could have its unique_key; not if what did so
  // was rolled back.
  bool gave_key = false;
};

struct CurrentTask {
  Oid owner;  // of the queue
  // Of one task, and not of several at once.
  std::int64_t task_id;
  std::int32_t attempt;  // from 1
  TaskWish* wish;        // of the part of the work that is undone if it fails
};

enum class InTask : std::uint8_t {
  kYes,
  kSeveral,  // a handler has several tasks in hand at once
  kNo,
};

// Where a handler is executed.
class TaskHost {
 public:
  TaskHost(const TaskHost&) = delete;
  TaskHost& operator=(const TaskHost&) = delete;

  virtual InTask FindTask(CurrentTask* task) = 0;
  // See IsInMyHands().
  virtual bool Holds(std::int64_t task_id) = 0;
  virtual std::int64_t queue_id() const = 0;
  // See LetGoOfKey().
  virtual bool LetGo(std::int64_t task_id) = 0;

 protected:
  // This process has one at a time.
  TaskHost();
  virtual ~TaskHost();
};

InTask FindCurrentTask(CurrentTask* task);

// Whether this process has the task in hand, which holds its row for itself: to what a handler
// calls it is as much in somebody's hands as to other sessions.
bool IsInMyHands(std::int64_t task_id);
// Of which it does tasks; 0: of none.
std::int64_t QueueInMyHands();

// For who is about to enqueue a task whose unique_key that task has: if this process is doing it,
// or has done it in this transaction, its row goes now, as it would at the commit, and the key is
// free. A handler that enqueues its own key has its task followed by another one. False: it is
// somebody else's, or stays because it has failed or was snoozed.
bool LetGoOfKey(std::int64_t task_id);

}  // namespace ratchet::worker
