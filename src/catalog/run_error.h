// The error with which a run or an item failed, as it is recorded.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

#include "pg/guard.h"

namespace ratchet::catalog {

struct RunError {
  int sqlstate = 0;  // 0: none
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;
};

RunError ErrorOf(const ErrorData& error);
// Of what was caught: an error of the server, of ours or of the C++ library.
RunError ErrorOf(const std::exception& error);

// Each text is made valid in the database's encoding and cut to this many bytes when it is
// recorded.
constexpr std::size_t kMaxErrorText = 8000;
constexpr int kMaxResultText = 8000;

bool IsStorable(std::string_view text, std::size_t limit);
// The text as the database can store it: bytes that are no character of its encoding become '?',
// and the whole is cut at a character's end. Texts of errors come from anywhere, and an insert that
// is refused for one bad byte would lose the record.
std::string Storable(std::string_view text, std::size_t limit);

}  // namespace ratchet::catalog
