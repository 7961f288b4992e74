#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "calendar/parse.h"
#include "calendar/schedule.h"
#include "calendar/text.h"
#include "calendar/window.h"

namespace ratchet::calendar {

namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kMinutesOfWeek = 7 * kMinutesOfDay;

constexpr char kFormHint[] =
    "Write \"22:00-06:00\", \"Sat,Sun\", \"Mon-Fri 22:00-06:00\", or several of them with "
    "semicolons "
    "in between.";
constexpr char kDayHint[] =
    "Days are Mon, Tue, Wed, Thu, Fri, Sat and Sun, or their full names. Without days the times "
    "are "
    "meant for every day.";
constexpr char kTimeHint[] =
    "Times are hours and minutes from 00:00 to 23:59, such as 22:00-06:00; 24:00 may end a range.";

class WindowParser {
 public:
  explicit WindowParser(std::string_view text) : whole_(text), rest_(text) {}

  std::vector<ActiveWindow::Range> Parse() {
    do {
      ParseGroup();
    } while (Take(';'));
    return Merged();
  }

 private:
  [[noreturn]] void Fail(const char* what, std::string_view part, const char* hint) const {
    throw ScheduleError(
        std::string(what) + ' ' + Quote(part) + " in active_window " + Quote(whole_), hint);
  }

  bool AtEndOfGroup() const { return rest_.empty() || rest_.front() == ';'; }

  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) {
      return false;
    }
    rest_ = Trim(rest_.substr(1));
    return true;
  }

  // What stands before the next space or separator.
  std::string_view TakePart() {
    const std::size_t length = std::min(rest_.find_first_of(" \t\n\v\f\r,;-"), rest_.size());
    const std::string_view part = rest_.substr(0, length);
    rest_ = Trim(rest_.substr(length));
    return part;
  }

  // For messages: never empty, unless nothing is left.
  std::string_view NextPart() const {
    const std::size_t length = std::min(rest_.find_first_of(" \t\n\v\f\r,;-"), rest_.size());
    return rest_.substr(0, std::max<std::size_t>(length, 1));
  }

  void ParseGroup() {
    rest_ = Trim(rest_);
    if (AtEndOfGroup()) {
      throw ScheduleError("active_window " + Quote(whole_) + " has an empty part",
                          "A semicolon stands between two parts, such as \"Mon-Fri 22:00-06:00; "
                          "Sat,Sun\".");
    }
    const bool has_days = !IsDigit(rest_.front());
    const unsigned days = has_days ? ParseDays() : 0x7f;
    if (has_days && AtEndOfGroup()) {
      AddRange(days, 0, kMinutesOfDay);
      return;
    }
    do {
      ParseRange(days);
    } while (Take(','));
    if (!AtEndOfGroup()) {
      Fail("unexpected", NextPart(), kFormHint);
    }
  }

  // Bit 0 is Monday.
  unsigned ParseDays() {
    unsigned days = 0;
    do {
      const int from = ParseDay();
      const int to = Take('-') ? ParseDay() : from;
      for (int day = from;; day = (day + 1) % 7) {
        days |= 1U << day;
        if (day == to) {
          break;
        }
      }
    } while (Take(','));
    return days;
  }

  int ParseDay() {
    int weekday = 0;
    const std::string_view next = NextPart();
    if (!FindWeekday(TakePart(), &weekday)) {
      Fail("invalid day", next,
           !next.empty() && IsDigit(next.front())
               ? "A space, and no comma, stands between days and times: \"Mon,Wed 22:00-06:00\"."
               : kDayHint);
    }
    return (weekday + 6) % 7;
  }

  void ParseRange(unsigned days) {
    const std::string_view start = rest_;
    if (!rest_.empty() && IsLetter(rest_.front())) {
      Fail("invalid time", NextPart(),
           "A semicolon stands in front of further days: \"Mon-Fri 22:00-06:00; Sat,Sun\".");
    }
    const int begin = ParseTime(false);
    if (!Take('-')) {
      Fail("no end of the time range", Trim(start.substr(0, start.size() - rest_.size())),
           kTimeHint);
    }
    int end = ParseTime(true);
    if (begin == end) {
      Fail("empty time range", Trim(start.substr(0, start.size() - rest_.size())),
           "For whole days write the days alone, such as \"Sat,Sun\", or 00:00-24:00.");
    }
    end += end < begin ? kMinutesOfDay : 0;
    AddRange(days, begin, end);
  }

  // In minutes.
  int ParseTime(bool is_end) {
    const std::string_view next = NextPart();
    const std::string_view part = TakePart();
    const std::size_t colon = std::min(part.find(':'), part.size());
    int hour = 0;
    int minute = 0;
    if (colon > 2 || part.size() != colon + 3 || !ParseNumber(part.substr(0, colon), &hour) ||
        !ParseNumber(part.substr(colon + 1), &minute) || minute > 59 || hour > 24 ||
        (hour == 24 && minute != 0)) {
      Fail("invalid time", next, kTimeHint);
    }
    if (hour == 24 && !is_end) {
      Fail("invalid time", next, "A day begins at 00:00.");
    }
    return hour * 60 + minute;
  }

  void AddRange(unsigned days, int begin, int end) {
    for (int day = 0; day < 7; ++day) {
      if ((days >> day & 1) == 0) {
        continue;
      }
      const int from = day * kMinutesOfDay + begin;
      const int to = day * kMinutesOfDay + end;
      Add(from, std::min(to, kMinutesOfWeek));
      if (to > kMinutesOfWeek) {
        Add(0, to - kMinutesOfWeek);
      }
    }
  }

  void Add(int begin, int end) {
    ranges_.push_back({static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end)});
  }

  std::vector<ActiveWindow::Range> Merged() {
    std::sort(ranges_.begin(), ranges_.end(), [](const auto& a, const auto& b) {
      return a.begin < b.begin || (a.begin == b.begin && a.end < b.end);
    });
    std::vector<ActiveWindow::Range> merged;
    for (const ActiveWindow::Range& range : ranges_) {
      if (!merged.empty() && range.begin <= merged.back().end) {
        merged.back().end = std::max(merged.back().end, range.end);
      } else {
        merged.push_back(range);
      }
    }
    return merged;
  }

  std::string_view whole_;
  std::string_view rest_;
  std::vector<ActiveWindow::Range> ranges_;
};

}  // namespace

ActiveWindow ActiveWindow::Parse(std::string_view text) {
  if (text.size() > kMaxScheduleLength) {
    throw ScheduleError(
        "active_window " + Quote(text) + " is too long",
        "An active window has at most " + std::to_string(kMaxScheduleLength) + " bytes.");
  }
  const std::string_view whole = Trim(text);
  if (whole.empty()) {
    throw ScheduleError("active_window is empty", kFormHint);
  }
  return ActiveWindow(WindowParser(whole).Parse());
}

}  // namespace ratchet::calendar
