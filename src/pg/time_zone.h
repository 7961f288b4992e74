// The server's time zones, as schedules need them.
#pragma once

#include <string>

#include "calendar/zone.h"
#include "pg/server.h"

extern "C" {
#include "pgtime.h"
}

namespace ratchet::pg {

class PgZone final : public calendar::Zone {
 public:
  PgZone(pg_tz* zone, std::string name) : zone_(zone), name_(std::move(name)) {}

  int OffsetAt(calendar::Instant t) const override;
  bool NextTransition(calendar::Instant t, calendar::Instant* at, int* offset_before,
                      int* offset_after) const override;

  // As the time zone database spells it.
  const std::string& name() const { return name_; }

 private:
  pg_tz* zone_;  // in the server's own cache, which lives as long as the process
  std::string name_;
};

// The zone of this name in the time zone database, in any case; null when there is none. Valid for
// the life of the process. PostgreSQL itself also takes every word for a zone ('foo' is UTC by
// another name to it), and POSIX rules: these are not zones to us.
const PgZone* FindZone(const std::string& name);

}  // namespace ratchet::pg
