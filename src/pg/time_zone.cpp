#include "pg/time_zone.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

FileMark MarkOf(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size,
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

// Whether the name is that of a file of the time zone database; writes its right spelling. Null: it
// is spelled so already. The empty name is that of the directory.
bool FindZoneFile(const char* name, char* spelling, FileMark* mark) {
  const int file = pg_open_tzfile(name, spelling);
  if (file < 0) {
    return false;
  }
  struct stat status = {};
  const bool is_there = fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || name[0] == '\0');
  close(file);
  *mark = MarkOf(status);
  return is_there;
}

pg_tz* LoadZone(const char* name, char* spelling, FileMark* mark) {
  return Call([=]() -> pg_tz* {
    if (!FindZoneFile(name, spelling, mark)) {
      return nullptr;
    }
    pg_tz* zone = pg_tzset(spelling);
    // Zones that count leap seconds do not fit the server's timestamps.
    return zone != nullptr && pg_tz_acceptable(zone) ? zone : nullptr;
  });
}

// By the right spelling, which is what jobs keep. Never destroyed, as everything static here.
std::map<std::string, std::unique_ptr<const PgZone>>& Zones() {
  static auto* zones = new std::map<std::string, std::unique_ptr<const PgZone>>();
  return *zones;
}

// Names that were looked for in vain, and the file of that name, if there was one.
std::map<std::string, FileMark>& MissingZones() {
  static auto* names = new std::map<std::string, FileMark>();
  return *names;
}

constexpr std::size_t kMostMissing = 1000;

bool HasOtherFile(const PgZone& zone) {
  FileMark mark;
  return !FindZoneFile(zone.name().c_str(), nullptr, &mark) || mark != zone.mark();
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
  const auto known = Zones().find(name);
  if (known != Zones().end()) {
    return known->second.get();
  }
  if (name.empty() || name.size() > TZ_STRLEN_MAX) {
    return nullptr;
  }
  char spelling[TZ_STRLEN_MAX + 1] = "";
  FileMark mark;
  pg_tz* zone = LoadZone(name.c_str(), spelling, &mark);
  if (zone == nullptr) {
    if (MissingZones().size() < kMostMissing) {
      MissingZones().insert_or_assign(name, mark);
    }
    return nullptr;
  }
  std::unique_ptr<const PgZone>& entry = Zones()[spelling];
  if (entry == nullptr) {
    entry = std::make_unique<const PgZone>(zone, spelling, mark, !IsUnderPostmaster);
  }
  return entry.get();
}

void NoteInheritedZones() {
  for (pg_tz* zone : {session_timezone, log_timezone}) {
    if (zone != nullptr) {
      FindZone(pg_get_timezone_name(zone));
    }
  }
}

bool ZonesHaveChanged() {
  return std::any_of(Zones().begin(), Zones().end(),
                     [](const auto& known) {
                       return !known.second->is_inherited() && HasOtherFile(*known.second);
                     }) ||
         std::any_of(MissingZones().begin(), MissingZones().end(), [](const auto& missing) {
           FileMark mark;
           char spelling[TZ_STRLEN_MAX + 1] = "";
           FindZoneFile(missing.first.c_str(), spelling, &mark);
           return mark != missing.second;
         });
}

bool ZoneDirectoryHasChanged() {
  static FileMark last;
  FileMark mark;
  Call([&mark] { FindZoneFile("", nullptr, &mark); });
  const bool has_changed = last != FileMark{} && mark != last;
  last = mark;
  return has_changed;
}

std::vector<std::string> OutdatedZones() {
  std::vector<std::string> names;
  for (const auto& [name, zone] : Zones()) {
    if (zone->is_inherited() && Call([&zone = zone] { return HasOtherFile(*zone); })) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace ratchet::pg
