#include "pg/near_zone.h"

#include <vector>

#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "pgtime.h"
}

namespace ratchet::pg {
namespace {

// As it is compared: without regard to case, and "New York" as "new_york".
std::string Plain(std::string name) {
  for (char& letter : name) {
    letter = letter == ' ' ? '_' : static_cast<char>(pg_ascii_tolower(letter));
  }
  return name;
}

// Some systems have all zones once more in these folders.
bool IsCopy(const std::string& name) {
  return name.rfind("posix/", 0) == 0 || name.rfind("right/", 0) == 0;
}

std::vector<std::string> ZoneNames() {
  std::vector<std::string> names;
  Call([&names] {
    pg_tzenum* zones = pg_tzenumerate_start();
    while (pg_tz* zone = pg_tzenumerate_next(zones)) {
      CHECK_FOR_INTERRUPTS();
      names.emplace_back(pg_get_timezone_name(zone));
    }
    pg_tzenumerate_end(zones);
  });
  return names;
}

}  // namespace

NearName NearZone(const std::string& name) {
  NearName near(Plain(name));
  for (const std::string& zone : ZoneNames()) {
    if (!IsCopy(zone)) {
      near.OfferAs(zone, Plain(zone));
      near.OfferAs(zone, Plain(zone.substr(zone.rfind('/') + 1)));
    }
  }
  return near;
}

}  // namespace ratchet::pg
