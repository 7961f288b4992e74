// Which rows of tasks the scheduler has to read, from what it was told of them.
#pragma once

#include <cstdint>
#include <vector>

namespace ratchet::policy {

// Numbers of tasks, both ends included. A transaction tells of those that it has written once it
// has committed; there may be others between them, of transactions that are not over. So a span is
// read as it is: what can be seen is taken, and what is known already is passed over.
struct TaskSpan {
  std::int64_t first;
  std::int64_t last;
  friend bool operator==(const TaskSpan&, const TaskSpan&) = default;
};

// The same numbers in as few spans as there can be, in order.
std::vector<TaskSpan> MergeSpans(std::vector<TaskSpan> spans);

}  // namespace ratchet::policy
