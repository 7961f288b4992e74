#include "policy/channel_rate.h"

#include <algorithm>
#include <cctype>
#include <span>
#include <string>
#include <vector>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
constexpr Unit kUnits[] = {{"ms", 1000},
                           {"millisecond", 1000},
                           {"s", kSecond},
                           {"sec", kSecond},
                           {"second", kSecond},
                           {"min", 60 * kSecond},
                           {"minute", 60 * kSecond},
                           {"h", 3600 * kSecond},
                           {"hour", 3600 * kSecond},
                           {"day", 86400 * kSecond}};

std::int64_t UnitOf(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (name == unit.name || (name == std::string(unit.name) + "s" && unit.name.size() > 2)) {
      return unit.micros;
    }
  }
  return 0;
}

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
      return words;
    }
    text.remove_prefix(begin);
    const bool is_number = std::isdigit(static_cast<unsigned char>(text.front())) != 0;
    std::size_t end = 0;
    while (end < text.size() && text[end] != ' ' &&
           (std::isdigit(static_cast<unsigned char>(text[end])) != 0) == is_number) {
      end++;
    }
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// 0: none of at most six digits.
std::int32_t NumberOf(std::string_view word) {
  constexpr std::size_t kDigits = 6;
  if (word.empty() || word.size() > kDigits || !std::all_of(word.begin(), word.end(), [](char c) {
        return std::isdigit(static_cast<unsigned char>(c)) != 0;
      })) {
    return 0;
  }
  return std::stoi(std::string(word));
}

// Of "5 minutes", and of "minute".
std::int64_t SpanOf(std::span<const std::string_view> words, bool number_needed) {
  if (words.size() == 2) {
    return NumberOf(words[0]) * UnitOf(words[1]);
  }
  return words.size() == 1 && !number_needed ? UnitOf(words[0]) : 0;
}

}  // namespace

std::optional<ChannelRate> ParseRate(std::string_view text) {
  const std::vector<std::string_view> words = WordsOf(text);
  if (words.size() < 3 || words[1] != "per") {
    return std::nullopt;
  }
  const ChannelRate rate{NumberOf(words[0]), SpanOf(std::span(words).subspan(2), false)};
  return rate && rate.period > 0 ? std::optional(rate) : std::nullopt;
}

std::optional<std::int64_t> ParseSpan(std::string_view text) {
  const std::int64_t span = SpanOf(WordsOf(text), true);
  return span > 0 ? std::optional(span) : std::nullopt;
}

}  // namespace ratchet::policy
