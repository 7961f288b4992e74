// The states of stretches, their buffers and claims: the only place where one changes. task_board.h
// draws them, and a server with assertions checks each change. The callers hold the lock on tasks.
#pragma once

#include "board/task_board.h"

namespace ratchet::board {

void SetState(TaskBuffer* buffer, BufferState from, BufferState to);
void SetState(StretchSlot* stretch, StretchState from, StretchState to);
void SetState(ClaimSlot* claim, ClaimState from, ClaimState to);

}  // namespace ratchet::board
