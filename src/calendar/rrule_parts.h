#pragma once

#include <string>
#include <string_view>

#include "calendar/rrule.h"

namespace ratchet::calendar {

// Throws ScheduleError: 'invalid <what> "<part>" in schedule "<whole>"'.
[[noreturn]] void FailInRule(const char* what, std::string_view part, std::string_view whole,
                             const std::string& hint);

// '19970902T090000', '19970902T090000Z' or '19970902'. False for anything else.
bool ParseRuleTime(std::string_view value, RuleTime* time);

// 'FREQ=DAILY;COUNT=10', what is behind 'RRULE:'. `whole` is the schedule as messages show it.
void ParseRuleParts(std::string_view parts, std::string_view whole, RuleText* rule);

}  // namespace ratchet::calendar
