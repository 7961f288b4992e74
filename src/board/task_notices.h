// What the scheduler of a database is to read again of ratchet.task.
//
// No notice is lost. A writer tells after its commit is visible, and a scheduler opens its entry
// before it reads the tables for the first time: a writer that finds no entry has committed before
// that. Ranges that lie close to each other become one, so that a burst of enqueues does not fill
// the ring: ids between them are looked at in vain, or are those of transactions that will tell of
// them as well.
#pragma once

#include <span>
#include <vector>

#include "board/task_board.h"

namespace ratchet::board {

// ---- For sessions ------------------------------------------------------------------------------

// After the end of a transaction. Wakes the scheduler, or the launcher when there is none. Does
// nothing without a board.
void NoteTasks(Oid database, std::span<const TaskNotice> notices);
// What was written is not known: everything is to be read again.
void NoteAllTasks(Oid database);

// ---- For the scheduler -------------------------------------------------------------------------

// This process is the scheduler of the database, and hands out its tasks, until it exits or closes
// them. What an earlier one was to read is forgotten: everything is to be read. False when there is
// no room, which cannot be: there is one entry for each of the databases on the board.
bool OpenTasks(Oid database);
// There are no queues any more: who enqueues later wakes it by other means.
// Whether a scheduler of this database has settled, since the server has started, what was in hand
// when it crashed: what is found later was not in hand then.
bool IsCrashJudged(Oid database);
void NoteCrashJudged(Oid database);
void CloseTasks(Oid database);
// Appends what was told since the last call; true when everything must be read.
bool TakeTaskNotices(Oid database, std::vector<TaskNotice>* notices);

// What is on the board of queues of the database, but for those of this incarnation of the
// extension; InvalidOid: all of it.
void ForgetTasks(Oid database, Oid incarnation);

}  // namespace ratchet::board
