#pragma once

#include <cstdint>

#include "calendar/civil.h"
#include "calendar/instant.h"

namespace ratchet::calendar {

// A time zone, as much of it as schedules need. The backend implements it on PostgreSQL's own time
// zone database, tests on TZif files.
class Zone {
 public:
  Zone() = default;
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  virtual ~Zone();

  // Seconds east of UTC in force at t. RFC 8536 expects -25 to +26 hours; more is not supported.
  virtual int OffsetAt(Instant t) const = 0;

  // First change of the UTC offset strictly after t; false when there is none. At *at the new
  // offset is already in force. A transition that keeps the offset may be reported or left out.
  virtual bool NextTransition(Instant t, Instant* at, int* offset_before,
                              int* offset_after) const = 0;
};

// A zone without transitions: UTC, or '+05:30'.
class FixedZone final : public Zone {
 public:
  explicit FixedZone(int offset_seconds) : offset_(offset_seconds) {}
  int OffsetAt(Instant t) const override;
  bool NextTransition(Instant t, Instant* at, int* offset_before, int* offset_after) const override;

 private:
  int offset_;
};

enum class LocalKind : std::uint8_t {
  kUnique,    // the clock shows this reading once
  kGap,       // the clock is set forward over it
  kRepeated,  // the clock is set back behind it and shows it twice
};

struct Resolution {
  LocalKind kind = LocalKind::kUnique;
  // kUnique: the instant. kGap: the first valid instant after the gap. kRepeated: the first pass.
  Instant first = 0;
  // kRepeated: the second pass; otherwise the same as `first`.
  Instant second = 0;
  // kGap, kRepeated: the readings [local_begin, local_end) that are left out or shown twice.
  Local local_begin = 0;
  Local local_end = 0;
};

// The last transition in (from, until]; false when there is none.
bool LastTransition(const Zone& zone, Instant from, Instant until, Instant* at);

// What the clock of `zone` shows at t.
Local LocalAt(Instant t, const Zone& zone);

// When the clock of `zone` shows `local`.
Resolution Resolve(Local local, const Zone& zone);

}  // namespace ratchet::calendar
