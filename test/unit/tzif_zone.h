#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "calendar/civil.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// A zone of the system's time zone database: reads TZif files (RFC 8536), and continues them by the
// rule in their footer until 2100.
class TzifZone final : public Zone {
 public:
  explicit TzifZone(const std::string& name) : name_(name) {
    const std::string path = "/usr/share/zoneinfo/" + name;
    std::ifstream file(path, std::ios::binary);
    data_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (data_.compare(0, 4, "TZif") != 0 || data_.size() < 44 || data_[4] < '2') {
      throw std::runtime_error("no TZif file of version 2 or later: " + path);
    }
    // The first block has 32-bit times, for old readers.
    ReadBlock(ReadBlock(0, 4, false), 8, true);
    data_.clear();
  }

  const std::string& name() const { return name_; }

  struct Transition {
    Instant at;
    int before;
    int after;
  };
  const std::vector<Transition>& transitions() const { return transitions_; }

  int OffsetAt(Instant t) const override {
    const auto next = Upper(t);
    return next == transitions_.begin() ? first_offset_ : std::prev(next)->after;
  }

  bool NextTransition(Instant t, Instant* at, int* before, int* after) const override {
    const auto next = Upper(t);
    if (next == transitions_.end()) {
      return false;
    }
    *at = next->at;
    *before = next->before;
    *after = next->after;
    return true;
  }

 private:
  static constexpr std::int64_t kUnixEpoch = 946684800;  // 2000-01-01 in Unix time

  std::vector<Transition>::const_iterator Upper(Instant t) const {
    return std::upper_bound(transitions_.begin(), transitions_.end(), t,
                            [](Instant value, const Transition& x) { return value < x.at; });
  }

  std::int64_t Number(std::size_t position, int bytes) const {
    std::uint64_t value = (data_.at(position) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (int i = 0; i < bytes; ++i) {
      value = value << 8 | static_cast<unsigned char>(data_.at(position + i));
    }
    return static_cast<std::int64_t>(value);
  }

  // Returns the position behind the block.
  std::size_t ReadBlock(std::size_t header, int time_size, bool keep) {
    const std::int64_t utc_flags = Number(header + 20, 4);
    const std::int64_t standard_flags = Number(header + 24, 4);
    const std::int64_t leaps = Number(header + 28, 4);
    const std::int64_t times = Number(header + 32, 4);
    const std::int64_t types = Number(header + 36, 4);
    const std::int64_t characters = Number(header + 40, 4);
    const std::size_t time = header + 44;
    const std::size_t index = time + times * time_size;
    const std::size_t type = index + times;
    const std::size_t end =
        type + types * 6 + characters + leaps * (time_size + 4) + standard_flags + utc_flags;
    if (keep) {
      first_offset_ = static_cast<int>(Number(type, 4));
      int offset = first_offset_;
      for (std::int64_t i = 0; i < times; ++i) {
        const int next = static_cast<int>(Number(type + 6 * data_.at(index + i), 4));
        // zic writes a "big bang" and no-op entries; only changes of the offset count.
        if (next != offset) {
          AddTransition((Number(time + i * time_size, time_size) - kUnixEpoch) * kSecond, next);
        }
        offset = next;
      }
      ReadFooter(data_.substr(end));
    }
    return end;
  }

  void AddTransition(Instant at, int offset) {
    const int before = transitions_.empty() ? first_offset_ : transitions_.back().after;
    transitions_.push_back({at, before, offset});
  }

  // "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; POSIX counts offsets west of Greenwich.
  void ReadFooter(const std::string& footer) {
    const char* p = footer.c_str() + 1;
    SkipName(&p);
    const int standard = -ReadTime(&p);
    if (*p == '\n' || *p == '\0') {
      return;
    }
    SkipName(&p);
    const int summer = *p == ',' ? standard + 3600 : -ReadTime(&p);
    const std::string start = ReadRule(&p);
    const std::string stop = ReadRule(&p);
    for (std::int64_t year = 1970; year < 2100; ++year) {
      const Instant to_summer = RuleInstant(start, year, standard);
      const Instant to_standard = RuleInstant(stop, year, summer);
      AddIfLater(std::min(to_summer, to_standard), to_summer < to_standard ? summer : standard);
      AddIfLater(std::max(to_summer, to_standard), to_summer < to_standard ? standard : summer);
    }
  }

  void AddIfLater(Instant at, int offset) {
    const int current = transitions_.empty() ? first_offset_ : transitions_.back().after;
    if ((transitions_.empty() || at > transitions_.back().at) && offset != current) {
      AddTransition(at, offset);
    }
  }

  static void SkipName(const char** p) {
    if (**p == '<') {
      while (*(*p)++ != '>') {
      }
      return;
    }
    while (std::isalpha(static_cast<unsigned char>(**p)) != 0) {
      ++*p;
    }
  }

  // '[-]hh[:mm[:ss]]' in seconds.
  static int ReadTime(const char** p) {
    const bool negative = **p == '-';
    if (negative || **p == '+') {
      ++*p;
    }
    int seconds = 0;
    for (int unit = 3600; unit > 0; unit /= 60) {
      seconds += unit * ReadNumber(p);
      if (**p != ':') {
        break;
      }
      ++*p;
    }
    return negative ? -seconds : seconds;
  }

  static int ReadNumber(const char** p) {
    char* end = nullptr;
    const long number = std::strtol(*p, &end, 10);
    *p = end;
    return static_cast<int>(number);
  }

  static std::string ReadRule(const char** p) {
    std::string rule;
    for (++*p; **p != ',' && **p != '\n' && **p != '\0'; ++*p) {
      rule += **p;
    }
    return rule;
  }

  // 'M3.5.0/2' or 'J79/24'.
  static Instant RuleInstant(const std::string& rule, std::int64_t year, int offset) {
    const char* p = rule.c_str() + 1;
    std::int64_t day = 0;
    if (rule[0] == 'M') {
      const int month = ReadNumber(&p);
      const int week = ReadNumber(&++p);
      const int weekday = ReadNumber(&++p);
      const std::int64_t first = DaysFromCivil({year, month, 1});
      day = first + (weekday - WeekdayFromDays(first) + 7) % 7 + 7 * (week - 1);
      while (day >= first + DaysInMonth(year, month)) {
        day -= 7;
      }
    } else if (rule[0] == 'J') {
      const int number = ReadNumber(&p);
      day = DaysFromCivil({year, 1, 1}) + number - 1 + (IsLeapYear(year) && number > 59 ? 1 : 0);
    } else {
      throw std::runtime_error("unsupported rule " + rule);
    }
    int time = 2 * 3600;
    if (*p == '/') {
      ++p;
      time = ReadTime(&p);
    }
    return day * kDay + (time - offset) * kSecond;
  }

  std::string name_;
  std::string data_;
  std::vector<Transition> transitions_;
  int first_offset_ = 0;
};

}  // namespace ratchet::calendar
