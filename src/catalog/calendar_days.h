// ratchet.calendar_days: days that jobs leave out, by the name of a calendar.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ratchet::catalog {

// Days since 2000-01-01, in no order; none for a name that nobody uses. Needs a transaction.
std::vector<std::int32_t> FindCalendarDays(const std::string& calendar);

}  // namespace ratchet::catalog
