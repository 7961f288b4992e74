#include "board/sender_board.h"

#include <algorithm>
#include <cstring>

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
}

namespace ratchet::board {
namespace {

constexpr char kTranche[] = "pg_ratchet_senders";

struct SenderBoard {
  LWLock* lock;
  SenderSlot senders[kMostSenders];
};

SenderBoard* the_board = nullptr;

// The slot of this process, kNone: it has none.
int my_slot = kNone;

class SenderLock {
 public:
  explicit SenderLock(LWLockMode mode = LW_EXCLUSIVE) { LWLockAcquire(the_board->lock, mode); }
  SenderLock(const SenderLock&) = delete;
  SenderLock& operator=(const SenderLock&) = delete;
  ~SenderLock() { LWLockRelease(the_board->lock); }
};

// Those that follow are called with the lock.

bool IsMine(const SenderSlot& slot) {
  return slot.database == MyDatabaseId && slot.pid == MyProcPid;
}

// Which slot is taken first: its own; that of a sender of this name that is not at it; a free one;
// one of this database; one of another database. Who waits keeps its slot.
int RankOf(const SenderSlot& slot, const char* name) {
  if (!OidIsValid(slot.database)) {
    return 3;
  }
  if (IsMine(slot)) {
    return 5;
  }
  if (slot.waiting_proc != kNone) {
    return 0;
  }
  if (slot.database != MyDatabaseId) {
    return 1;
  }
  return std::strcmp(slot.name, name) == 0 ? 4 : 2;
}

// Of several the one that has not called for longest. kNone: all wait.
int FindSlot(const char* name) {
  int best = kNone;
  int best_rank = 0;
  for (int i = 0; i < kMostSenders; i++) {
    const SenderSlot& slot = the_board->senders[i];
    const int rank = RankOf(slot, name);
    const bool is_older = best != kNone && rank == best_rank && OidIsValid(slot.database) &&
                          slot.called_at < the_board->senders[best].called_at;
    if (rank > best_rank || is_older) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

void StopWaiting() {
  if (my_slot != kNone && IsMine(the_board->senders[my_slot])) {
    the_board->senders[my_slot].waiting_proc = kNone;
  }
}

void ProcessGone(int /*code*/, Datum /*argument*/) {
  const SenderLock lock;
  StopWaiting();
}

}  // namespace

void RequestSenderMemory() {
  RequestAddinShmemSpace(MAXALIGN(sizeof(SenderBoard)));
  RequestNamedLWLockTranche(kTranche, 1);
}

void StartUpSenderMemory() {
  bool found = false;
  the_board =
      static_cast<SenderBoard*>(ShmemInitStruct("pg_ratchet senders", sizeof(SenderBoard), &found));
  if (!found) {
    MemSet(the_board, 0, sizeof(SenderBoard));
    the_board->lock = &(GetNamedLWLockTranche(kTranche))->lock;
    for (SenderSlot& slot : the_board->senders) {
      slot.waiting_proc = kNone;
    }
  }
}

void NoteSender(const SenderNote& note, policy::SteadyTime now) {
  if (the_board == nullptr) {
    return;
  }
  static bool installed = false;
  if (!installed) {
    before_shmem_exit(ProcessGone, 0);
    installed = true;
  }
  const SenderLock lock;
  my_slot = FindSlot(note.name.c_str());
  if (my_slot == kNone) {
    return;
  }
  SenderSlot& slot = the_board->senders[my_slot];
  slot.database = MyDatabaseId;
  slot.pid = MyProcPid;
  slot.waiting_proc = kNone;
  strlcpy(slot.name, note.name.c_str(), sizeof(slot.name));
  strlcpy(slot.version, note.version.c_str(), sizeof(slot.version));
  strlcpy(slot.missing, note.missing.c_str(), sizeof(slot.missing));
  slot.called_at = now;
}

SenderWait::SenderWait() {
  if (the_board == nullptr) {
    return;
  }
  const SenderLock lock;
  if (my_slot != kNone && IsMine(the_board->senders[my_slot])) {
    the_board->senders[my_slot].waiting_proc = pg::MyPlaceInAllProcs();
  }
}

SenderWait::~SenderWait() {
  if (the_board != nullptr) {
    const SenderLock lock;
    StopWaiting();
  }
}

void WakeSenders(Oid database) {
  if (the_board == nullptr) {
    return;
  }
  const SenderLock lock(LW_SHARED);
  for (const SenderSlot& slot : the_board->senders) {
    if (slot.database == database) {
      WakeProc(slot.waiting_proc);
    }
  }
}

void ListSenders(Oid database, std::vector<SenderView>* senders) {
  if (the_board == nullptr) {
    return;
  }
  std::vector<SenderSlot> slots(kMostSenders);
  {
    const SenderLock lock(LW_SHARED);
    std::copy(std::begin(the_board->senders), std::end(the_board->senders), slots.begin());
  }
  for (const SenderSlot& slot : slots) {
    if (slot.database == database) {
      senders->push_back({slot.name, slot.version, slot.missing, slot.pid,
                          slot.waiting_proc != kNone, slot.called_at});
    }
  }
}

}  // namespace ratchet::board
