#include "journal/journal.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "text/plain.h"

namespace client::journal {

namespace {

Format the_format = Format::kText;
Level the_lowest = Level::kInfo;

std::string_view NameOf(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      break;
  }
  return "error";
}

std::string TimeText(long long microseconds) {
  const std::time_t seconds = microseconds / 1000000;
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03lldZ", microseconds / 1000 % 1000);
  return std::string(text.data()) + fraction.data();
}

}  // namespace

std::string LineOf(Format format, long long now, Level level, std::string_view message,
                   std::initializer_list<Field> fields) {
  if (format == Format::kJson) {
    nlohmann::ordered_json line;
    line["@timestamp"] = TimeText(now);
    line["log.level"] = NameOf(level);
    line["message"] = text::OneLine(message);
    for (const Field& field : fields) {
      if (field.value.empty()) {
        continue;
      }
      line[std::string(field.name)] = text::ValidUtf8(field.value);
    }
    return line.dump();
  }
  std::string line =
      TimeText(now) + " " + std::string(NameOf(level)) + ": " + text::OneLine(message);
  for (const Field& field : fields) {
    if (field.value.empty()) {
      continue;
    }
    line += " " + std::string(field.name) + "=" + nlohmann::json(text::OneLine(field.value)).dump();
  }
  return line;
}

void SetUp(Format format, Level lowest) {
  the_format = format;
  the_lowest = lowest;
}

void Write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < the_lowest) {
    return;
  }
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const std::string line = LineOf(the_format, now, level, message, fields) + "\n";
  // In one call, so that lines of several processes do not mix. Nobody is told when nobody reads.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace client::journal
