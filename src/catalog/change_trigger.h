// Change triggers: ordinary triggers on tables of users that call ratchet._change(). All there is
// to know of one is in its arguments, so that pg_dump carries it with its table:
//
//   _change('42', '1000 ms', '843562342342001', 'refresh', 'alice', '16385/7331924581034')
//
// the job's id; the debounce; when the job was made, in microseconds since 2000 (job and trigger go
// together through a dump, and a table that is copied to another database must not run a job there
// which happens to have the same id); the name that the job had, for people; who has made the
// trigger: by name, and by number on the server with this identifier, where the role may have got
// another name since.
//
// A trigger asks for runs as long as its maker may: it needs the privilege TRIGGER on the table,
// which is looked at when it fires, and the privileges of the job's owner, for which the scheduler
// looks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/server.h"

namespace ratchet::catalog {

struct ChangeTarget {
  std::int64_t job_id;
  std::int64_t job_born;
  std::int64_t debounce;  // microseconds
  Oid made_by;            // none: that role is not known here

  friend bool operator==(const ChangeTarget&, const ChangeTarget&) = default;
};

// Of a trigger's arguments; false when they are none of ours. For use inside pg::Call.
bool ParseChangeTarget(char* const* arguments, int count, ChangeTarget* target);

struct ChangeTrigger {
  Oid trigger;
  Oid table;
  char fires;    // as in pg_trigger.tgenabled
  bool enabled;  // in some mode
  ChangeTarget target;
  std::string name;
  std::string job_name;  // as it was then
};

// Appends those of a table, or of the whole database (InvalidOid).
void FindChangeTriggers(Oid table, std::vector<ChangeTrigger>* triggers);

// Makes it, or gives the one of that name another target: `fires` is as in ChangeTrigger. The
// caller has checked who asks. Locks the table against writers until the transaction ends. Event
// triggers see CREATE TRIGGER and DROP TRIGGER, by whoever asks.
void MakeChangeTrigger(const ChangeTrigger& trigger, bool replace);
void DropChangeTrigger(const ChangeTrigger& trigger);

// Of this database: what they have changed is not known.
bool HasPreparedTransactions();

}  // namespace ratchet::catalog
