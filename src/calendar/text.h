#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ratchet::calendar {

// Characters as schedules are written in: ASCII, whatever the locale of the server says.

constexpr bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool IsLetter(char c) { return ToLower(c) >= 'a' && ToLower(c) <= 'z'; }

std::string_view Trim(std::string_view text);
bool EqualsIgnoringCase(std::string_view a, std::string_view b);
bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix);

// Takes the next word off the front of `rest`, with the space around it; empty at the end.
std::string_view TakeWord(std::string_view* rest);

// The number that `text` consists of. False when it is anything else, or has more than nine digits.
bool ParseNumber(std::string_view text, int* number);

// `text` in double quotes, as messages show it: cut short, and with '?' for every byte that is not
// part of a printable UTF-8 character.
std::string Quote(std::string_view text);

}  // namespace ratchet::calendar
