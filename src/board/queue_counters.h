// How much is where in a queue: written by the scheduler of its database, read by the views.
#pragma once

#include <vector>

#include "board/task_board.h"

namespace ratchet::board {

// Takes the place of the queue's counters, or finds the one that it has: kNone when all
// ratchet.max_queues of them are taken, and then its work goes on without them.
int OpenCounters(Oid database, std::int64_t queue_id);
void SetCounters(int place, const QueueCounters& counters);
// The queue is gone.
void CloseCounters(int place);
// A scheduler begins, and knows no places.
void CloseAllCounters(Oid database);

struct CountedQueue {
  std::int64_t queue_id;
  QueueCounters counters;
};
void ListCounters(Oid database, std::vector<CountedQueue>* queues);

}  // namespace ratchet::board
