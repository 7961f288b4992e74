// What does not agree on the board, at most so much of it. Nothing is allocated while a lock is
// held: the texts have their memory before.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

namespace ratchet::board {

class Complaints {
 public:
  Complaints() { texts_.reserve(kMost); }

  __attribute__((format(printf, 2, 3))) void Add(const char* format, ...) {
    if (texts_.size() == kMost) {
      return;
    }
    Text text{};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text.bytes, sizeof(text.bytes), format, arguments);
    va_end(arguments);
    texts_.push_back(text);
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> result;
    result.reserve(texts_.size());
    for (const Text& text : texts_) {
      result.emplace_back(text.bytes);
    }
    return result;
  }

 private:
  static constexpr std::size_t kMost = 50;
  struct Text {
    char bytes[200];
  };
  std::vector<Text> texts_;
};

}  // namespace ratchet::board
