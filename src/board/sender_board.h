// Who delivers messages, in shared memory under a lock of its own: the programs that have claimed
// deliveries of late, and whose sessions wait for some. A transaction that has committed one wakes
// them.
//
// Nothing of it is the truth: whoever waits looks at the table again and again.
#pragma once

#include <string>
#include <vector>

#include "board/board.h"

namespace ratchet::board {

constexpr int kMostSenders = 32;

struct SenderSlot {
  Oid database;  // InvalidOid: free
  pid_t pid;
  int waiting_proc;  // kNone: it does not wait
  char name[kNameSize];
  char version[64];
  char missing[512];  // names of secrets that it does not have, ", " between them
  policy::SteadyTime called_at;
};

// ---- For the board, which has the hooks
void RequestSenderMemory();
void StartUpSenderMemory();

// ---- For sessions that deliver

struct SenderNote {
  std::string name;
  std::string version;
  std::string missing;
};
// This process delivers messages of its database. Of more than there is room for, the one that has
// not called for longest is forgotten, and of those that wait none. Texts that are too long are cut
// at any byte: the caller sees to it that none is. Does nothing without a board.
void NoteSender(const SenderNote& note, policy::SteadyTime now);

// While it lives, the latch of this process is set when a delivery is committed.
class SenderWait {
 public:
  SenderWait();
  SenderWait(const SenderWait&) = delete;
  SenderWait& operator=(const SenderWait&) = delete;
  ~SenderWait();
};

// ---- For everybody

// A delivery was committed in the database.
void WakeSenders(Oid database);

struct SenderView {
  std::string name;
  std::string version;
  std::string missing;
  pid_t pid;
  bool waits;
  policy::SteadyTime called_at;
};
void ListSenders(Oid database, std::vector<SenderView>* senders);

}  // namespace ratchet::board
