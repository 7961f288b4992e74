// Databases whose tasks are handed out. The callers hold the lock on tasks.
#pragma once

#include "board/task_board.h"

namespace ratchet::board {

// Null when it has no entry; the first free entry for InvalidOid.
TaskDatabase* FindTasks(Oid database);
// To be read again by its scheduler.
void AddNotice(TaskDatabase* tasks, const TaskNotice& notice);
// If there is one that hands out its tasks: else the next one reads everything.
void WakeSchedulerOfTasks(Oid database);

// Of another incarnation of the extension; InvalidOid: all.
void ForgetStretches(Oid database, Oid incarnation);
void ForgetClaims(Oid database, Oid incarnation);

}  // namespace ratchet::board
