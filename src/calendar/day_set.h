#pragma once

#include <cstdint>
#include <vector>

#include "calendar/civil.h"
#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// Days that are left out: holidays, say. Immutable, to be shared by all jobs that name them. An
// instant belongs to the day that the clock of the zone shows at it. All look-ups cost the
// logarithm of the number of stretches of days.
class DaySet {
 public:
  DaySet() = default;
  // Days since 2000-01-01, as PostgreSQL's type date has them, in any order; infinity is ignored.
  explicit DaySet(std::vector<std::int32_t> days);

  bool empty() const { return stretches_.empty(); }

  bool IsLeftOut(Instant t, const Zone& zone) const;

  // The first instant at or after `from` that is left out, or is not; kNever when there is none.
  Instant FirstLeftOut(Instant from, const Zone& zone) const;
  Instant FirstKept(Instant from, const Zone& zone) const;

  // The last instant in (after, until] that is not left out, or kNever.
  Instant LastKept(Instant after, Instant until, const Zone& zone) const;

  friend bool operator==(const DaySet&, const DaySet&) = default;

  // [begin, end)
  struct Stretch {
    std::int32_t begin;
    std::int32_t end;

    friend bool operator==(const Stretch&, const Stretch&) = default;
  };

 private:
  // Sorted; there are other days between two of them.
  std::vector<Stretch> stretches_;
};

}  // namespace ratchet::calendar
