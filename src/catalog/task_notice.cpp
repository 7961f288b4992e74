#include "catalog/task_notice.h"

#include <algorithm>
#include <vector>

#include "board/task_notices.h"
#include "pg/guard.h"
#include "pg/never_destroyed.h"

extern "C" {
#include "access/xact.h"
}

namespace ratchet::catalog {
namespace {

using board::TaskNotice;

// Less than the ring has.
constexpr std::size_t kMostNotices = 128;
// Tasks of few queues are written by turns.
constexpr std::size_t kLookBack = 4;

// The notices of a transaction. A range has no other ids in it than those that were noted, until
// there are too many of them: then one of all between the first and the last is enough.
class Notices {
 public:
  bool empty() const { return ranges_.empty() && !everything_; }
  void Clear() {
    ranges_.clear();
    everything_ = false;
  }
  void Add(TaskNotice::Kind kind, std::int64_t queue_id, std::int64_t task_id) {
    if (everything_ || Extend(kind, queue_id, task_id)) {
      return;
    }
    if (ranges_.size() == kMostNotices) {
      Collapse();
    }
    ranges_.push_back({kind, queue_id, task_id, task_id});
  }
  void Tell() const {
    if (everything_) {
      board::NoteAllTasks(MyDatabaseId);
    } else {
      board::NoteTasks(MyDatabaseId, ranges_);
    }
  }

 private:
  bool Extend(TaskNotice::Kind kind, std::int64_t queue_id, std::int64_t task_id);
  void Collapse();

  std::vector<TaskNotice> ranges_;
  bool everything_ = false;
};

bool Notices::Extend(TaskNotice::Kind kind, std::int64_t queue_id, std::int64_t task_id) {
  const auto begin = ranges_.size() > kLookBack ? ranges_.end() - kLookBack : ranges_.begin();
  for (auto range = ranges_.end(); range != begin;) {
    --range;
    if (range->kind == kind && range->queue_id == queue_id && task_id >= range->first - 1 &&
        task_id <= range->last + 1) {
      range->first = std::min(range->first, task_id);
      range->last = std::max(range->last, task_id);
      return true;
    }
  }
  return false;
}

// One for each kind and queue.
void Notices::Collapse() {
  std::vector<TaskNotice> whole;
  for (const TaskNotice& range : ranges_) {
    const auto same = std::find_if(whole.begin(), whole.end(), [&](const TaskNotice& other) {
      return other.kind == range.kind && other.queue_id == range.queue_id;
    });
    if (same == whole.end()) {
      whole.push_back(range);
    } else {
      same->first = std::min(same->first, range.first);
      same->last = std::max(same->last, range.last);
    }
  }
  ranges_ = std::move(whole);
  if (ranges_.size() > kMostNotices / 2) {
    ranges_.clear();
    everything_ = true;
  }
}

struct Pending {
  Notices at_commit;
  Notices at_end;  // told after a rollback, too
};

Pending& ThePending() {
  static pg::NeverDestroyed<Pending> pending;
  return *pending;
}

void AtTransactionEnd(XactEvent event, void* /*argument*/) {
  Pending& pending = ThePending();
  if (pending.at_commit.empty() && pending.at_end.empty()) {
    return;
  }
  switch (event) {
    case XACT_EVENT_PRE_PREPARE:
      if (!pending.at_end.empty()) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot PREPARE a transaction that has claimed tasks"),
                        errhint("Claim them in a transaction of its own.")));
      }
      break;
    case XACT_EVENT_COMMIT:
      pending.at_commit.Tell();
      [[fallthrough]];
    case XACT_EVENT_ABORT:
      pending.at_end.Tell();
      [[fallthrough]];
    // After COMMIT PREPARED everything is read (board::NotePreparedCommit).
    case XACT_EVENT_PREPARE:
      pending.at_commit.Clear();
      pending.at_end.Clear();
      break;
    default:
      break;
  }
}

}  // namespace

void NoteTaskEnqueued(std::int64_t queue_id, std::int64_t task_id) {
  ThePending().at_commit.Add(TaskNotice::kEnqueued, queue_id, task_id);
}
void NoteTaskTouched(std::int64_t queue_id, std::int64_t task_id) {
  ThePending().at_commit.Add(TaskNotice::kTouched, queue_id, task_id);
}
void NoteTaskClaimed(std::int64_t queue_id, std::int64_t task_id) {
  ThePending().at_end.Add(TaskNotice::kTouched, queue_id, task_id);
}

void InstallTaskNotice() { RegisterXactCallback(AtTransactionEnd, nullptr); }

}  // namespace ratchet::catalog
