// Times, and spans of time as people and PostgreSQL write them: "10 s", "1.5 minutes", "00:01:30",
// "1 day 02:00:00".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace client::text {

std::optional<std::chrono::milliseconds> ParseSpan(std::string_view text);

// For an interval of PostgreSQL: "1500 ms".
std::string SpanLiteral(std::chrono::milliseconds span);

// For people: "12.5 s", "3 min 20 s", "2 h 5 min".
std::string SpanWords(double seconds);

// "2026-12-01T12:00:00Z"
std::string IsoTime(std::chrono::system_clock::time_point time);

}  // namespace client::text
