// Putting tasks into a queue, one way for all who do.
#pragma once

#include <memory>
#include <string>

#include "api/queue_access.h"
#include "catalog/task.h"

namespace ratchet::api {

// When another unfinished task of the queue has the unique_key.
enum class OnConflict {
  kSkip,
  kReplace,  // what that one is about, unless somebody has it in hand
  kRaise,    // 23505
};

// For who is about to enqueue: the queue, which from here on is not dropped before the transaction
// ends.
std::shared_ptr<const Queue> OpenQueue(const std::string& queue_name);

struct Enqueued {
  std::int64_t task_id;  // of the task, or of the one that has its unique_key
  bool is_in;            // it was put in, or replaced the other one
};
// `task` has everything but its number, if that is 0.
Enqueued Enqueue(const Queue& queue, catalog::Task* task, catalog::TaskPayload payload,
                 OnConflict on_conflict);

// "task 7 of queue …" has this unique_key.
[[noreturn]] void RaiseTaken(const Queue& queue, const std::string& unique_key,
                             std::int64_t holder);

}  // namespace ratchet::api
