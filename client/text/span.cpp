#include "text/span.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include "text/plain.h"

namespace client::text {

namespace {

// No time-out is longer than this, and sums stay far from overflow.
constexpr double kLongest = 366.0 * 86400 * 1000;

std::optional<double> UnitMilliseconds(std::string_view unit) {
  static constexpr std::array<std::pair<std::string_view, double>, 19> kUnits{{
      {"ms", 1},         {"msec", 1},        {"millisecond", 1}, {"milliseconds", 1},
      {"", 1000},        {"s", 1000},        {"sec", 1000},      {"secs", 1000},
      {"second", 1000},  {"seconds", 1000},  {"m", 60000},       {"min", 60000},
      {"mins", 60000},   {"minute", 60000},  {"minutes", 60000}, {"h", 3600000},
      {"hour", 3600000}, {"hours", 3600000}, {"d", 86400000},
  }};
  if (unit == "day" || unit == "days") {
    return 86400000;
  }
  for (const auto& [name, milliseconds] : kUnits) {
    if (name == unit) {
      return milliseconds;
    }
  }
  return std::nullopt;
}

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
}

std::optional<double> TakeNumber(std::string_view& text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || number < 0) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// hh:mm or hh:mm:ss[.fff], of which the hours were read already.
std::optional<double> TakeClock(double hours, std::string_view& text) {
  double milliseconds = hours * 3600000;
  for (const double unit : {60000.0, 1000.0}) {
    if (text.empty() || text.front() != ':') {
      break;
    }
    text.remove_prefix(1);
    const auto part = TakeNumber(text);
    if (!part || *part >= 60) {
      return std::nullopt;
    }
    milliseconds += *part * unit;
  }
  return milliseconds;
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseSpan(std::string_view text) {
  double sum = 0;
  SkipBlanks(text);
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    const auto number = TakeNumber(text);
    if (!number) {
      return std::nullopt;
    }
    std::optional<double> part;
    if (!text.empty() && text.front() == ':') {
      part = TakeClock(*number, text);
    } else {
      SkipBlanks(text);
      std::size_t letters = 0;
      while (letters < text.size() && ((text[letters] >= 'a' && text[letters] <= 'z') ||
                                       (text[letters] >= 'A' && text[letters] <= 'Z'))) {
        letters++;
      }
      part = UnitMilliseconds(Lower(text.substr(0, letters)));
      text.remove_prefix(letters);
      if (part) {
        *part *= *number;
      }
    }
    if (!part) {
      return std::nullopt;
    }
    sum += *part;
    SkipBlanks(text);
  }
  if (sum > kLongest) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(std::llround(sum));
}

std::string SpanLiteral(std::chrono::milliseconds span) {
  return std::to_string(span.count()) + " ms";
}

std::string SpanWords(double seconds) {
  std::array<char, 64> words{};
  if (seconds < 60) {
    std::snprintf(words.data(), words.size(), "%.3g s", seconds);
    return words.data();
  }
  const auto whole = static_cast<long long>(seconds);
  const long long days = whole / 86400;
  const long long hours = whole / 3600 % 24;
  const long long minutes = whole / 60 % 60;
  if (days > 0) {
    std::snprintf(words.data(), words.size(), "%lld d %lld h", days, hours);
  } else if (hours > 0) {
    std::snprintf(words.data(), words.size(), "%lld h %lld min", hours, minutes);
  } else {
    std::snprintf(words.data(), words.size(), "%lld min %lld s", minutes, whole % 60);
  }
  return words.data();
}

std::string IsoTime(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace client::text
