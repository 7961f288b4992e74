// What the program says, on standard error: a line of text or of JSON each.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace client::journal {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

struct Field {
  std::string_view name;
  std::string value;
};

void SetUp(Format format, Level lowest);

// Control characters of strangers do not make lines of their own.
void Write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void Debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarning, message, fields);
}
inline void Error(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, message, fields);
}

// A line as it is written, without the line break, for `now` in microseconds since 1970.
std::string LineOf(Format format, long long now, Level level, std::string_view message,
                   std::initializer_list<Field> fields);

}  // namespace client::journal
