#include "pg/span.h"

#include <cmath>

namespace ratchet::pg {

bool SpanOf(const Interval& interval, std::int64_t* microseconds) {
  constexpr double kLargest = 9e18;
  const std::int64_t days = static_cast<std::int64_t>(interval.month) * 30 + interval.day;
  // Infinity, which PostgreSQL 17 knows, has the largest value in all three fields.
  if (std::fabs(static_cast<double>(days) * kMicrosecondsPerDay) > kLargest ||
      std::fabs(static_cast<double>(days) * kMicrosecondsPerDay +
                static_cast<double>(interval.time)) > kLargest) {
    return false;
  }
  *microseconds = days * kMicrosecondsPerDay + interval.time;
  return true;
}

Interval* IntervalOf(std::int64_t microseconds) {
  auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  interval->day = static_cast<int32>(microseconds / kMicrosecondsPerDay);
  interval->time = microseconds % kMicrosecondsPerDay;
  return interval;
}

}  // namespace ratchet::pg
