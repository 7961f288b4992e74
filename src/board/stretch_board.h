// Hand-outs: how tasks get from the scheduler into the hands of a worker, and what became of them
// back to it. A worker has two buffers, so that the next tasks are there when it has done with the
// first ones.
//
// task_board.h draws the states. What is in a buffer is in nobody else's hands.
#pragma once

#include <span>
#include <vector>

#include "board/task_board.h"

namespace ratchet::board {

// ---- For the worker ----------------------------------------------------------------------------

// The run in this slot, which this process has taken, begins to do tasks: returns its stretch, and
// wakes the scheduler, or kNone when there is no room. It is left when the process exits, however
// it exits. `wants`: how many tasks it would like to have at once.
int OpenStretch(int run, std::int64_t queue_id, int wants);
// Tells the scheduler that nothing more is to be handed out, and that what is filled has not been
// looked at. Buffers that were taken must have been answered, or their tasks are those of a process
// that died.
void LeaveStretch(int stretch);
// For a callback of before_shmem_exit, once: how the stretch of this process dies (without it:
// kUnknown), and what became of the tasks that it has taken, in their order, or none of them.
void SayHowItDies(const StretchDeath& death, std::span<const HandedTask> taken);

enum class StretchTurn {
  kTasks,    // they are in *tasks
  kNothing,  // from now on until the next call it counts as waiting; its latch is set by a hand-out
  kEnd,      // it is to end
};
// The next buffer. *tasks has room for kMostTasks beforehand.
StretchTurn TakeTasks(int stretch, std::vector<HandedTask>* tasks);
// For a stretch that has waited for long enough: ends the wait. False when tasks are there now.
bool StopWaiting(int stretch);
// What became of those that were taken last, in their order; ends are committed.
void Answer(int stretch, std::span<const HandedTask> tasks, int wants);
// Whether the scheduler wants it to end, looked at between two batches.
bool StretchHasToEnd(int stretch);

// ---- For the scheduler -------------------------------------------------------------------------

struct StretchView {
  int stretch;
  StretchState state;
  bool end;
  bool waiting;
  policy::SteadyTime waiting_since;
  std::int64_t queue_id;
  std::int64_t run_id;
  pid_t pid;
  int wants;
  int empty_buffers;
  bool has_next;  // tasks laid out beside those that it is busy with
};
// Those of this database and incarnation of the extension.
void ListStretches(Oid database, Oid incarnation, std::vector<StretchView>* stretches);
// What is filled or taken there: for a scheduler that begins, and has to know who has what.
void ListHanded(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks);

// At most kMostTasks. False when it has no empty buffer, is to end, or is not that of this run any
// more: then nothing was handed out.
bool HandOut(int stretch, std::int64_t run_id, std::span<const HandedTask> tasks);
// Appends what became of the tasks of the buffers that have been answered, and empties these.
void TakeAnswers(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks);
// Appends the tasks that it was handed and has not looked at, while it is busy with others: they
// are the scheduler's again.
void TakeBack(int stretch, std::int64_t run_id, std::vector<HandedTask>* tasks);

// What one has left.
struct LeftTasks {
  std::vector<HandedTask> answered;
  std::vector<HandedTask> unused;  // were filled only
  std::vector<HandedTask> lost;    // were taken, and nothing is known of them
  StretchDeath death;
};
// Then the stretch is free.
void TakeLeft(int stretch, std::int64_t run_id, LeftTasks* left);
// Asks a stretch to end behind its batch in hand: it may have filled buffers left then.
void EndStretch(int stretch, std::int64_t run_id);
// All of a queue.
void EndStretchesOf(Oid database, Oid incarnation, std::int64_t queue_id);

}  // namespace ratchet::board
