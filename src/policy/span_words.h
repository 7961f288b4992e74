// A span of time in few letters, for tables that people read: "250ms", "59s", "15h".
#pragma once

#include <cstdint>
#include <string>

namespace ratchet::policy {

// At most five letters, one more below zero. What is smaller than the last digit is left out, so
// that nothing is said to have lasted longer than it has.
std::string SpanWords(std::int64_t microseconds);

}  // namespace ratchet::policy
