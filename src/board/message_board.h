// The last messages of a live run, and of one that has ended until the scheduler has recorded it.
// Only the process of the run writes them, without a lock: it may have a hundred thousand.
#pragma once

#include <vector>

#include "board/board.h"
#include "policy/kept_messages.h"

namespace ratchet::board {

// For use where nothing may be raised or allocated.
void ShowMessage(int slot, const policy::Message& message) noexcept;

struct LiveMessages {
  std::int64_t before = 0;  // that are not here any more
  std::vector<policy::Message> messages;
};
// Texts as the process wrote them, which need not be valid in the encoding of the database. Nothing
// when the slot has another run by now.
LiveMessages MessagesOf(int slot, std::int64_t run_id);

// For a slot that nobody has in hand.
void ForgetMessages(LastMessages* messages) noexcept;

}  // namespace ratchet::board
