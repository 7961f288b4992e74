// What somebody outside says that has gone wrong, as it is kept: cut at so many bytes, and never
// within a character.
#pragma once

#include <string>

namespace ratchet::api {

constexpr std::size_t kLongestError = 8000;

std::string ShortenedTo(std::string text, std::size_t longest);
inline std::string Shortened(std::string text) {
  return ShortenedTo(std::move(text), kLongestError);
}

}  // namespace ratchet::api
