#include "pg/time_zone.h"

#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>

#include "pg/guard.h"

extern "C" {
#include "datatype/timestamp.h"

// Of src/timezone/pgtz.h, which is not installed. Finds the file of a zone in any spelling.
int pg_open_tzfile(const char* name, char* canonname);
}

namespace ratchet::pg {
namespace {

constexpr std::int64_t kEpochShift =
    static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
// Behind it an instant in microseconds would overflow.
constexpr pg_time_t kLastSecond = calendar::kEndInstant / calendar::kSecond + kEpochShift;

// What pg_next_dst_boundary says about a second; it allocates nothing and raises no error.
struct Stretch {
  bool ends = false;
  pg_time_t end = 0;
  long int offset = 0;
  long int next_offset = 0;
};

Stretch StretchAt(calendar::Instant t, const pg_tz* zone) {
  const pg_time_t second = calendar::FloorDiv(t, calendar::kSecond) + kEpochShift;
  Stretch stretch;
  int is_dst = 0;
  int next_is_dst = 0;
  stretch.ends = pg_next_dst_boundary(&second, &stretch.offset, &is_dst, &stretch.end,
                                      &stretch.next_offset, &next_is_dst, zone) > 0 &&
                 stretch.end <= kLastSecond;
  return stretch;
}

// Whether the name is that of a file of the time zone database; writes its right spelling.
bool FindZoneFile(const char* name, char* spelling) {
  const int file = pg_open_tzfile(name, spelling);
  if (file < 0) {
    return false;
  }
  struct stat status = {};
  const bool is_file = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  close(file);
  return is_file;
}

pg_tz* LoadZone(const char* name, char* spelling) {
  return Call([name, spelling]() -> pg_tz* {
    if (!FindZoneFile(name, spelling)) {
      return nullptr;
    }
    pg_tz* zone = pg_tzset(spelling);
    // Zones that count leap seconds do not fit the server's timestamps.
    return zone != nullptr && pg_tz_acceptable(zone) ? zone : nullptr;
  });
}

}  // namespace

int PgZone::OffsetAt(calendar::Instant t) const {
  return static_cast<int>(StretchAt(t, zone_).offset);
}

bool PgZone::NextTransition(calendar::Instant t, calendar::Instant* at, int* offset_before,
                            int* offset_after) const {
  const Stretch stretch = StretchAt(t, zone_);
  if (!stretch.ends) {
    return false;
  }
  *at = (stretch.end - kEpochShift) * calendar::kSecond;
  *offset_before = static_cast<int>(stretch.offset);
  *offset_after = static_cast<int>(stretch.next_offset);
  return true;
}

const PgZone* FindZone(const std::string& name) {
  // By the right spelling, which is what jobs keep. Never destroyed, as everything static here.
  static auto* zones = new std::map<std::string, std::unique_ptr<const PgZone>>();
  const auto known = zones->find(name);
  if (known != zones->end()) {
    return known->second.get();
  }
  if (name.empty() || name.size() > TZ_STRLEN_MAX) {
    return nullptr;
  }
  char spelling[TZ_STRLEN_MAX + 1] = "";
  pg_tz* zone = LoadZone(name.c_str(), spelling);
  if (zone == nullptr) {
    return nullptr;
  }
  std::unique_ptr<const PgZone>& entry = (*zones)[spelling];
  if (entry == nullptr) {
    entry = std::make_unique<const PgZone>(zone, spelling);
  }
  return entry.get();
}

}  // namespace ratchet::pg
