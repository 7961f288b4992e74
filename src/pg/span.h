// interval values as spans: a number of microseconds.
#pragma once

#include <cstdint>

#include "pg/server.h"

namespace ratchet::pg {

constexpr std::int64_t kMicrosecondsPerDay = 86'400'000'000;

// A month counts 30 days and a day 24 hours. False when it does not fit, and for infinity.
bool SpanOf(const Interval& interval, std::int64_t* microseconds);

// In days and hours; for use inside pg::Call only.
Interval* IntervalOf(std::int64_t microseconds);

}  // namespace ratchet::pg
