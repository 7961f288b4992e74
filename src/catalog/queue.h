// ratchet.queue: what a task queue has beside what it shares with jobs.
//
// A queue has a row in ratchet.job, too, with the same number: its owner, its handler (action, per,
// batch_size, …), settings, retries and the like, and `is_queue`. Both are written together, by the
// functions that define queues.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::pg {
struct Row;
}

namespace ratchet::catalog {

// Spans are microseconds.
struct QueueDefinition {
  std::int64_t queue_id = 0;  // the job_id of its job
  std::string queue_name;
  std::int32_t concurrency = 0;          // workers at once; 0: as many as there are
  std::int32_t concurrency_per_key = 0;  // tasks of one group_key at once; 0: no limit
  std::int32_t rate = 0;                 // starts of tasks per rate_period; 0: no limit
  std::int64_t rate_period = 1000000;
  bool rate_per_key = false;  // for each group_key, and not for the queue
  std::int32_t max_crashes = 3;
  std::int64_t retention = 0;                           // of completed tasks; 0: gone at once
  std::int64_t keep_dead = 30LL * 24 * 3600 * 1000000;  // of dead, canceled and expired ones
  std::int64_t lease = 60LL * 1000000;
  std::vector<Oid> producers;  // who may enqueue, beside the owner
  std::vector<Oid> consumers;  // who may claim, beside the owner
  bool synchronous = true;     // what is completed is on disk before it is seen
  std::string http;            // what its requests are like, jsonb as text; empty: it has none
  bool quarantined = false;    // the row was not written by the library: see seal.h

  friend bool operator==(const QueueDefinition&, const QueueDefinition&) = default;
};

// The name of the job of a queue of this name: "queue mail".
std::string JobNameOf(const std::string& queue_name);

// Name clashes raise 23505. The names of queues are locked as those of their jobs are.
void InsertQueue(const QueueDefinition& queue);
void UpdateQueue(ItemPointer tid, const QueueDefinition& queue);
void DeleteQueue(ItemPointer tid);

// nullopt when there is none. With a place for its `tid` the row is held until the transaction
// ends.
std::optional<QueueDefinition> FindQueue(std::int64_t queue_id, ItemPointer tid = nullptr);
std::optional<QueueDefinition> FindQueueByName(const std::string& queue_name,
                                               ItemPointer tid = nullptr);

// For use inside pg::Call, by who writes what sessions remember of queues (api/known_queue.h): they
// hear of it when the transaction has committed, the own one at the next CommandCounterIncrement.
void AnnounceQueues();

// The row as it would be written. For use inside pg::Call.
void FillQueue(const QueueDefinition& queue, pg::Row* row);

// Takes roles that were dropped off the lists of producers and consumers: who gets the number of
// one of them is to inherit nothing. Waits for nobody: false when somebody has one of the rows in
// hand.
bool RemoveGoneRolesOfQueues();

// All queues as of now, in no order. `visit` must not raise an error, but may throw.
void ScanQueues(void (*visit)(void* context, const QueueDefinition& queue), void* context);

}  // namespace ratchet::catalog
