#include "text/plain.h"

#include <cstdint>

namespace client::text {

namespace {

bool IsContinuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

struct Character {
  std::size_t length = 0;  // 0: the byte does not begin one
  std::uint32_t code = 0;
};

Character CharacterAt(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    return {1, first};
  }
  std::size_t length = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if ((first & 0xF0) == 0xE0) {
    length = 3;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
  } else {
    return {};
  }
  std::uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; i++) {
    if (!IsContinuation(text, at + i)) {
      return {};
    }
    code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return {};
  }
  return {length, code};
}

// Control characters, line and paragraph separators, and what turns the direction of the text.
bool IsControl(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

template <typename Replace>
std::string Map(std::string_view text, Replace replace) {
  std::string mapped;
  mapped.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character character = CharacterAt(text, at);
    if (character.length == 0) {
      mapped += '?';
      at++;
      continue;
    }
    if (const char instead = replace(character.code); instead != 0) {
      mapped += instead;
    } else {
      mapped += text.substr(at, character.length);
    }
    at += character.length;
  }
  return mapped;
}

}  // namespace

std::string ValidUtf8(std::string_view text) {
  return Map(text, [](std::uint32_t) { return '\0'; });
}

std::string Shortened(std::string_view text, std::size_t max_bytes) {
  std::string valid = ValidUtf8(text);
  if (valid.size() <= max_bytes) {
    return valid;
  }
  constexpr std::string_view kMark = "...";
  std::size_t end = max_bytes > kMark.size() ? max_bytes - kMark.size() : 0;
  while (end > 0 && IsContinuation(valid, end)) {
    end--;
  }
  valid.resize(end);
  return valid.append(kMark.substr(0, max_bytes - end));
}

std::string OneLine(std::string_view text) {
  return Map(text, [](std::uint32_t code) { return IsControl(code) ? ' ' : '\0'; });
}

std::string Lines(std::string_view text) {
  std::string unix_lines;
  unix_lines.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\r') {
      unix_lines += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      unix_lines += '\n';
    }
  }
  return Map(unix_lines, [](std::uint32_t code) {
    return code != '\n' && code != '\t' && IsControl(code) ? ' ' : '\0';
  });
}

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return true;
    }
  }
  return false;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return lower;
}

}  // namespace client::text
