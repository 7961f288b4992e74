#include <cstdint>
#include <string>
#include <vector>

#include "calendar/civil.h"
#include "calendar/describe_cron.h"
#include "calendar/describe_words.h"
#include "calendar/parse.h"
#include "calendar/schedule.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

std::string DescribeOnce(const Once& once) {
  return "once at " + ReadingText(once.time) + (once.is_instant ? " UTC" : "");
}

// 'every minute', but 'every 1 hour 30 minutes'.
std::string DescribeInterval(const Interval& interval) {
  const std::string text = FormatInterval(interval);
  const std::size_t space = text.find(' ');
  const bool is_single = text.find(' ', space + 1) == std::string::npos;
  return "every " + (is_single && text.substr(0, space) == "1" ? text.substr(space + 1) : text);
}

}  // namespace

std::string Schedule::Describe() const {
  switch (kind_) {
    case Kind::kInterval:
      return DescribeInterval(interval());
    case Kind::kAfterCompletion:
      return FormatInterval(interval()) + " after completion";
    case Kind::kCron:
      return DescribeCron(cron(), {});
    case Kind::kRule:
      return rule().Describe();
    case Kind::kOnce:
      return DescribeOnce(once());
    case Kind::kStartup:
      return "at server start";
    case Kind::kContinuous:
      return "again as soon as it has finished";
    case Kind::kManual:
      break;
  }
  return "only when triggered";
}

std::string DescribeSchedule(std::string_view text) {
  if (!DependsOnName(text)) {
    return Schedule::Parse(text).Describe();
  }
  std::vector<HashedItem> hashed;
  const Cron cron = ParseHashedCron(Trim(text), &hashed);
  return DescribeCron(cron, hashed);
}

}  // namespace ratchet::calendar
