#include "board/queue_counters.h"

#include <algorithm>

namespace ratchet::board {

int OpenCounters(Oid database, std::int64_t queue_id) {
  const TaskLock lock;
  int free = kNone;
  for (int i = 0; i < TheTaskBoard()->queues; i++) {
    QueueSlot& slot = Queues()[i];
    const bool is_used = i < TheTaskBoard()->used_queues && OidIsValid(slot.database);
    if (is_used && slot.database == database && slot.queue_id == queue_id) {
      return i;
    }
    if (!is_used && free == kNone) {
      free = i;
    }
    if (i >= TheTaskBoard()->used_queues) {
      break;
    }
  }
  if (free != kNone) {
    TheTaskBoard()->used_queues = std::max(TheTaskBoard()->used_queues, free + 1);
    Queues()[free] = QueueSlot{database, queue_id, {}};
  }
  return free;
}

void SetCounters(int place, const QueueCounters& counters) {
  const TaskLock lock;
  Queues()[place].counters = counters;
}

void CloseCounters(int place) {
  const TaskLock lock;
  Queues()[place].database = InvalidOid;
}

void CloseAllCounters(Oid database) {
  const TaskLock lock;
  for (int i = 0; i < TheTaskBoard()->used_queues; i++) {
    if (Queues()[i].database == database) {
      Queues()[i].database = InvalidOid;
    }
  }
}

void ListCounters(Oid database, std::vector<CountedQueue>* queues) {
  if (TheTaskBoard() == nullptr) {
    return;
  }
  queues->reserve(queues->size() + static_cast<std::size_t>(TheTaskBoard()->queues));
  const TaskLock lock(LW_SHARED);
  for (int i = 0; i < TheTaskBoard()->used_queues; i++) {
    if (Queues()[i].database == database) {
      queues->push_back({Queues()[i].queue_id, Queues()[i].counters});
    }
  }
}

}  // namespace ratchet::board
