#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "calendar_model.h"
#include "utc_text.h"

namespace ratchet::calendar {

// Occurrences of `schedule` in (after, until] by Next alone, which has to increase strictly.
inline std::vector<Instant> Chain(const Schedule& schedule, Instant after, Instant until,
                                  const Zone& zone, Instant anchor) {
  std::vector<Instant> chain;
  Instant t = after;
  for (;;) {
    const Instant next = schedule.Next(t, zone, anchor);
    EXPECT_GT(next, t);
    if (next <= t || next > until) {
      return chain;
    }
    chain.push_back(next);
    t = next;
  }
}

// Asks from arbitrary instants, and compares with the chain of all occurrences in the window.
inline void CheckQueries(Random* random, const Schedule& schedule,
                         const std::vector<Instant>& chain, Instant begin, Instant end,
                         const Zone& zone, Instant anchor) {
  for (int i = 0; i < 6; ++i) {
    Instant after = random->Pick(begin, end);
    Instant until = random->Pick(after, end);
    if (!chain.empty() && i % 2 == 0) {
      // Right before, at or after an occurrence.
      const auto pick = static_cast<std::size_t>(random->Pick(0, std::ssize(chain) - 1));
      after = std::max(begin, chain[pick] + random->Pick(-1, 1));
      until =
          std::max(after, chain[random->Pick(pick, std::ssize(chain) - 1)] + random->Pick(-1, 1));
    }
    const auto from = std::upper_bound(chain.begin(), chain.end(), after);
    const auto to = std::upper_bound(from, chain.end(), until);
    const Instant next = schedule.Next(after, zone, anchor);
    if (from != chain.end()) {
      ASSERT_EQ(next, *from) << "Next after " << UtcText(after);
    } else {
      ASSERT_GT(next, end) << "Next after " << UtcText(after);
    }
    ASSERT_EQ(UtcText(schedule.Last(after, until, zone, anchor)),
              UtcText(from == to ? kNever : *std::prev(to)))
        << "Last in " << UtcText(after) << " .. " << UtcText(until);
    ASSERT_EQ(schedule.Count(after, until, zone, anchor, 1000000), to - from)
        << "Count in " << UtcText(after) << " .. " << UtcText(until);
    ASSERT_EQ(schedule.Count(after, until, zone, anchor, 2), std::min<std::int64_t>(to - from, 2));
  }
}

}  // namespace ratchet::calendar
