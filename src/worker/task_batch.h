// The tasks that a stretch has in hand: their rows, held for the transaction of a batch, and what
// is written of them in it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "batch/isolated_work.h"
#include "batch/items.h"
#include "board/task_board.h"
#include "catalog/finished_task.h"
#include "catalog/task.h"
#include "policy/task_outcome.h"
#include "worker/current_task.h"

namespace ratchet::worker {

struct TaskBatchRules {
  policy::TaskRules task;
  bool keeps_completed = false;
  std::int64_t run_id = 0;
};

class TaskBatch {
 public:
  // For transactions to come. What has an end already is left out.
  explicit TaskBatch(std::vector<board::HandedTask>& tasks) : tasks_(tasks) {}
  TaskBatch(const TaskBatch&) = delete;
  TaskBatch& operator=(const TaskBatch&) = delete;

  // In a transaction, connected to SPI: holds the rows of up to `most` tasks without an end. Of
  // those that are not to be done it writes what becomes of them.
  void Hold(std::size_t most, std::int64_t run_id);
  const batch::Items& items() const { return items_; }

  std::int64_t IdOf(int item) const { return held_[At(item)].task.task_id; }
  std::int32_t AttemptOf(int item) const { return held_[At(item)].task.attempts + 1; }
  TaskWish& WishOf(int item) { return wishes_[At(item)]; }
  // Deletes the row of one that is to go with this transaction, before it is saved. False: it
  // stays.
  bool LetGo(int item);
  // JSON text in the memory of the transaction; null: none.
  void SetResult(int item, const char* json) { results_[At(item)] = json; }

  // In the same transaction: writes what became of the first items.
  void Save(const batch::BatchDone& done, const TaskBatchRules& rules);
  // It is committed: the tasks have their ends.
  void Committed();
  // It is not.
  void RolledBack() { ends_.clear(); }
  // Whether all of them have one.
  bool IsDone() const;
  // As it would be once this transaction has committed.
  bool WillBeDone() const { return tasks_.size() == ended_ + ends_.size(); }

  std::int64_t completed() const { return completed_; }  // in this transaction
  std::int64_t failed() const { return failed_; }

 private:
  struct End {
    std::size_t task;  // in tasks_
    board::TaskEnd end;
    TimestampTz at;
    ItemPointerData tid;
  };

  static std::size_t At(int item) { return static_cast<std::size_t>(item); }
  bool IsToBeDone(catalog::HeldTask* held, std::int64_t run_id, End* end) const;
  catalog::TaskPayload ResultOf(int item) const;
  void SaveOne(int item, const catalog::RunError* error, const TaskBatchRules& rules);
  bool IsDeleted(int item) const;
  void Note(const End& end) { ends_.push_back(end); }

  std::vector<board::HandedTask>& tasks_;
  std::size_t ended_ = 0;
  // Of the transaction.
  TimestampTz begun_ = 0;
  batch::Items items_;
  std::deque<catalog::HeldTask> held_;  // of each item
  std::vector<std::size_t> places_;     // of each item in tasks_
  std::vector<TaskWish> wishes_;
  std::vector<const char*> results_;
  std::vector<End> ends_;
  std::int64_t completed_ = 0;
  std::int64_t failed_ = 0;
};

}  // namespace ratchet::worker
