// Looks whether the board agrees with itself: what the functions of this folder must leave as it is
// between any two of them. For ratchet._board_check(), which tests call.
#pragma once

#include <string>
#include <vector>

namespace ratchet::board {

// What does not agree, at most so many; nothing when all is well. The board's lock is held
// meanwhile, and then that on tasks.
std::vector<std::string> CheckBoard();

}  // namespace ratchet::board
