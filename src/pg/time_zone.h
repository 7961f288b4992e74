// The server's time zones, as schedules need them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "calendar/zone.h"
#include "pg/server.h"

extern "C" {
#include "pgtime.h"
}

namespace ratchet::pg {

// Tells a file from the one that was in its place, also if it was written over.
struct FileMark {
  dev_t device = 0;
  ino_t number = 0;
  off_t size = 0;
  std::int64_t changed = 0;

  friend bool operator==(const FileMark&, const FileMark&) = default;
};

class PgZone final : public calendar::Zone {
 public:
  PgZone(pg_tz* zone, std::string name, const FileMark& mark, bool inherited)
      : zone_(zone), name_(std::move(name)), mark_(mark), inherited_(inherited) {}

  int OffsetAt(calendar::Instant t) const override;
  bool NextTransition(calendar::Instant t, calendar::Instant* at, int* offset_before,
                      int* offset_after) const override;

  // As the time zone database spells it.
  const std::string& name() const { return name_; }
  // Of the file from which its rules were read.
  const FileMark& mark() const { return mark_; }
  // Read by the postmaster: each process has it from there.
  bool is_inherited() const { return inherited_; }

 private:
  pg_tz* zone_;  // in the server's own cache, which lives as long as the process
  std::string name_;
  FileMark mark_;
  bool inherited_;
};

// The zone of this name in the time zone database, in any case; null when there is none. Valid for
// the life of the process. PostgreSQL itself also takes every word for a zone ('foo' is UTC by
// another name to it), and POSIX rules: these are not zones to us.
const PgZone* FindZone(const std::string& name);

// A process reads the rules of a zone once. What the postmaster has read, each process inherits:
// called while preloading, so that it is known which those are.
void NoteInheritedZones();
// Whether another process would find other rules than this one has, because files of the time zone
// database were replaced, or because a zone that was looked for here in vain has come.
bool ZonesHaveChanged();
// Whether the database has another top directory than at the last call: some file has changed,
// perhaps.
bool ZoneDirectoryHasChanged();
// Inherited zones whose file is another one by now: nothing but a restart of the server helps.
std::vector<std::string> OutdatedZones();

}  // namespace ratchet::pg
