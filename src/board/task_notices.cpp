#include "board/task_notices.h"

#include <algorithm>

#include "board/database_board.h"
#include "board/queue_counters.h"
#include "board/task_list.h"
#include "pg/compat.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

// Ids that lie this close are read in one look, those between them in vain.
constexpr std::int64_t kClose = 64;
// Sessions that enqueue into several queues at once tell of them by turns.
constexpr int kLookBack = 8;

Oid my_database = InvalidOid;  // whose tasks this process hands out

// Tasks that others have in hand would be looked at in vain again and again, new ones at most once.
std::int64_t Gap(TaskNotice::Kind kind) { return kind == TaskNotice::kEnqueued ? kClose : 1; }

bool Join(TaskNotice* into, const TaskNotice& notice) {
  if (into->kind != notice.kind || into->queue_id != notice.queue_id) {
    return false;
  }
  const std::int64_t gap = Gap(notice.kind);
  if (notice.first > into->last + gap || into->first > notice.last + gap) {
    return false;
  }
  into->first = std::min(into->first, notice.first);
  into->last = std::max(into->last, notice.last);
  return true;
}

// False: nobody hands them out at the moment.
bool Tell(Oid database, std::span<const TaskNotice> notices, bool all) {
  const TaskLock lock;
  TaskDatabase* tasks = FindTasks(database);
  if (tasks == nullptr || tasks->scheduler_proc == kNone) {
    return false;
  }
  if (all) {
    tasks->lost = true;
    tasks->notice_count = 0;
  }
  for (const TaskNotice& notice : notices) {
    AddNotice(tasks, notice);
  }
  WakeProc(tasks->scheduler_proc);
  return true;
}

// A scheduler that begins reads everything. If there is one, it has found no queue so far.
void TellOrWake(Oid database, std::span<const TaskNotice> notices, bool all) {
  if (TheTaskBoard() != nullptr && !Tell(database, notices, all)) {
    NoteChanges(database, {}, false);
  }
}

void SchedulerGone(int /*code*/, Datum /*argument*/) {
  if (OidIsValid(my_database)) {
    CloseTasks(my_database);
  }
}

}  // namespace

TaskDatabase* FindTasks(Oid database) {
  const int end = OidIsValid(database) ? TheTaskBoard()->used_databases : TheTaskBoard()->databases;
  for (int i = 0; i < end; i++) {
    if (TaskDatabases()[i].database == database) {
      TheTaskBoard()->used_databases = std::max(TheTaskBoard()->used_databases, i + 1);
      return &TaskDatabases()[i];
    }
  }
  return nullptr;
}

void AddNotice(TaskDatabase* tasks, const TaskNotice& notice) {
  if (tasks->lost) {
    return;
  }
  const int begin = std::max(0, tasks->notice_count - kLookBack);
  for (int i = tasks->notice_count - 1; i >= begin; i--) {
    if (Join(&tasks->notices[i], notice)) {
      return;
    }
  }
  if (tasks->notice_count == kTaskNotices) {
    tasks->lost = true;
    tasks->notice_count = 0;
    return;
  }
  tasks->notices[tasks->notice_count++] = notice;
}

void WakeSchedulerOfTasks(Oid database) {
  if (const TaskDatabase* tasks = FindTasks(database)) {
    WakeProc(tasks->scheduler_proc);
  }
}

void NoteTasks(Oid database, std::span<const TaskNotice> notices) {
  if (!notices.empty()) {
    TellOrWake(database, notices, false);
  }
}

void NoteAllTasks(Oid database) { TellOrWake(database, {}, true); }

bool OpenTasks(Oid database) {
  static bool installed = false;
  if (!installed) {
    on_shmem_exit(SchedulerGone, 0);
    installed = true;
  }
  const TaskLock lock;
  TaskDatabase* tasks = FindTasks(database);
  if (tasks == nullptr) {
    tasks = FindTasks(InvalidOid);
  }
  if (tasks == nullptr) {
    return false;
  }
  tasks->database = my_database = database;
  tasks->scheduler_proc = pg::MyPlaceInAllProcs();
  tasks->lost = true;
  tasks->has_claims = true;
  tasks->notice_count = 0;
  return true;
}

bool IsCrashJudged(Oid database) {
  const TaskLock lock(LW_SHARED);
  const TaskDatabase* tasks = FindTasks(database);
  return tasks != nullptr && tasks->judged;
}

void NoteCrashJudged(Oid database) {
  const TaskLock lock;
  if (TaskDatabase* tasks = FindTasks(database)) {
    tasks->judged = true;
  }
}

void CloseTasks(Oid database) {
  my_database = InvalidOid;
  const TaskLock lock;
  TaskDatabase* tasks = FindTasks(database);
  if (tasks != nullptr && tasks->scheduler_proc == pg::MyPlaceInAllProcs()) {
    *tasks = TaskDatabase{};
    tasks->scheduler_proc = kNone;
  }
}

bool TakeTaskNotices(Oid database, std::vector<TaskNotice>* notices) {
  const std::size_t before = notices->size();
  notices->resize(before + kTaskNotices);
  const TaskLock lock;
  TaskDatabase* tasks = FindTasks(database);
  if (tasks == nullptr) {
    notices->resize(before);
    return true;
  }
  std::copy_n(tasks->notices, tasks->notice_count, notices->data() + before);
  notices->resize(before + static_cast<std::size_t>(tasks->notice_count));
  const bool lost = tasks->lost;
  tasks->lost = false;
  tasks->notice_count = 0;
  return lost;
}

void ForgetTasks(Oid database, Oid incarnation) {
  if (TheTaskBoard() == nullptr) {
    return;
  }
  if (!OidIsValid(incarnation)) {
    CloseAllCounters(database);
  }
  const TaskLock lock;
  ForgetStretches(database, incarnation);
  ForgetClaims(database, incarnation);
}

}  // namespace ratchet::board
