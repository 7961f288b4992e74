// The states of runs, workers and databases: the only place where one changes. A server with
// assertions checks each change.
//
// A run (RunSlot). Those above the line are the scheduler's and the workers' doing; below is what a
// scheduler does at a shutdown, and what ForgetDatabase() and AdoptIncarnation() do with the runs
// of an extension that is gone.
//
//             Reserve          Publish         Take              End              Free
//   kFree ──────────▶ kReserved ──────▶ kReady ─────▶ kRunning ──────▶ kEnded ─────────▶ kFree
//     │                │ │ Unreserve       │ Cancel, EndReadyOfPool      ▲ ▲
//     │                │ └─▶ kFree         └─────────────────────────────┘ │
//     │                └─ Cancel before Publish, EndReserved ──────────────┤
//     └─── BeginForeground ──▶ kRunning ── End, or its process has died ───┘
//   ─────────────────────────────────────────────────────────────────────────────────────────
//   kReady ── WithdrawUnstarted, when the server stops ──▶ kReserved
//   kReserved, kReady, kEnded ──▶ kFree         kRunning ── when it ends ──▶ kEnded ──▶ kFree
//
// A worker (WorkerSlot). From every state kFree: its process exits, or has not come.
//
//          ReserveWorker          AttachWorker           Take
//   kFree ──────────────▶ kStarting ─────────▶ kWoken ───────────▶ kBusy (again with each run)
//                             │                 │  ▲                │  ▲
//                             │            Take │  │ WakeIdleWorker │  │ Take
//                             │                 ▼  │                ▼  │
//                             │               kIdle ◀───────────────── │
//                             ▼                 ▼  Take: nothing left  ▼
//                          kLeaving ◀── asked to go, or done: Leave, Take, DismissWorkers
//
// A database (DatabaseEntry).
//
//   (new) ─▶ kUnknown ─launcher─▶ kStarting ─its scheduler─▶ kActive ─RetireScheduler─▶ kResting,
//               ▲                   │         AttachToDatabase   │                        kAbsent
//               │                   │ its process has not come   │                           │
//               │                   └─▶ kResting, kUnknown       │                           │
//               └──── its process died, or something has changed there ◀─────────────────────┘
#pragma once

#include "board/board.h"

namespace ratchet::board {

// The callers hold the board's lock.

void SetState(RunSlot* run, RunState from, RunState to);

// Counts the idle ones of its pool.
void SetState(WorkerSlot* worker, WorkerState from, WorkerState to);

void SetState(DatabaseEntry* entry, DatabaseState from, DatabaseState to);

}  // namespace ratchet::board
