#include "calendar/text.h"

#include <cstddef>

namespace ratchet::calendar {

namespace {

constexpr std::size_t kMaxQuoted = 60;

// Length of the well-formed UTF-8 character at the front of `text` (RFC 3629), 0 for none.
std::size_t CharacterLength(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  }
  const std::size_t length = lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : 2);
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates, and what is beyond U+10FFFF; U+0080 to U+009F are control
  // characters.
  const unsigned second = byte(1);
  const bool refused = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
                       (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90) ||
                       (lead == 0xc2 && second < 0xa0);
  return refused ? 0 : length;
}

}  // namespace

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsSpace(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && StartsWithIgnoringCase(a, b);
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) {
    return false;
  }
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (ToLower(text[i]) != ToLower(prefix[i])) {
      return false;
    }
  }
  return true;
}

std::string_view TakeWord(std::string_view* rest) {
  *rest = Trim(*rest);
  std::size_t length = 0;
  while (length < rest->size() && !IsSpace((*rest)[length])) {
    ++length;
  }
  const std::string_view word = rest->substr(0, length);
  *rest = Trim(rest->substr(length));
  return word;
}

bool ParseNumber(std::string_view text, int* number) {
  if (text.empty() || text.size() > 9) {
    return false;
  }
  int value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) {
      return false;
    }
    value = value * 10 + (c - '0');
  }
  *number = value;
  return true;
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    if (quoted.size() > kMaxQuoted) {
      quoted += "...";
      break;
    }
    const std::size_t length = CharacterLength(text);
    if (length == 0) {
      // Space of other kinds separates as well as a blank does.
      quoted += IsSpace(text.front()) ? ' ' : '?';
    } else {
      quoted += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return quoted + '"';
}

}  // namespace ratchet::calendar
