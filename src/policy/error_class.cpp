#include "policy/error_class.h"

namespace ratchet::policy {
namespace {

constexpr ErrorClass kItem = ErrorClass::kItem;
constexpr ErrorClass kRetry = ErrorClass::kRetry;
constexpr ErrorClass kSmaller = ErrorClass::kSmaller;
constexpr ErrorClass kEndRun = ErrorClass::kEndRun;
constexpr ErrorClass kFailRun = ErrorClass::kFailRun;

// All classes of errcodes.h, PostgreSQL 15 to 18.
constexpr ErrorDecision kDecisions[] = {
    // Not errors. The server raises none of them as one, so that user code did, about an item.
    {"00", kItem},  // successful completion
    {"01", kItem},  // warning
    {"02", kItem},  // no data

    {"03", kFailRun},  // SQL statement not yet complete: how the action is written
    {"08", kEndRun},   // connection: a foreign server went away, and may be back for the next run
    {"09", kItem},     // triggered action: a trigger refuses a row (contrib's refint does)
    {"0A", kFailRun},  // feature not supported: how the action is written
    {"0B", kFailRun},  // invalid transaction initiation: how the action is written
    {"0F", kItem},     // locator: a value, and raised by user code only
    {"0L", kFailRun},  // invalid grantor: who the owner is
    {"0P", kFailRun},  // invalid role: the owner's settings or SET ROLE in the action
    {"0Z", kFailRun},  // diagnostics outside of a handler: how the action is written
    {"10", kItem},     // XQuery: a path or a style sheet that may come from the item
    {"20", kItem},     // PL/pgSQL's CASE without ELSE, for a value that nobody thought of
    {"21", kItem},     // cardinality: more than one row for this item
    {"22", kItem},     // data
    {"2200H", kFailRun},  // a sequence is used up: the next item needs a number, too
    {"23", kItem},        // constraint
    {"24", kItem},        // cursor state: a path through the action that this item took
    {"25", kFailRun},     // transaction state: a read-only server, COMMIT where there can be none
    {"26", kFailRun},     // no such prepared statement
    {"27", kItem},        // a trigger changed the row that was to be changed
    {"28", kFailRun},     // authorization: who the owner is
    {"2B", kFailRun},     // dependent objects: DDL, not data
    {"2D", kFailRun},     // COMMIT or ROLLBACK inside of the action
    {"2F", kItem},        // SQL routine: a function that found no RETURN for this item
    {"34", kItem},        // cursor name: as 24
    {"38", kItem},        // external routine: user code in another language
    {"39", kItem},        // external routine's invocation: what such code returned
    {"3B", kFailRun},     // savepoint: they are not the action's business
    {"3D", kFailRun},     // no such database
    {"3F", kFailRun},     // no such schema
    {"40", kRetry},       // serialization failure, deadlock: another session's timing
    {"42", kFailRun},     // syntax, names, types, privileges: the action does not fit the database
    {"44", kItem},        // WITH CHECK OPTION: data, as 23
    {"53", kEndRun},      // out of memory, disk, connections: more work makes it worse
    {"53200", kSmaller},  // out of memory, or of room for locks
    {"54", kItem},        // program limit: this row is too big, this recursion too deep
    {"55", kFailRun},     // an object is not in the state that the action needs: as 42
    {"55P03", kRetry},    // lock time-out, or NOWAIT: another session's timing
    {"57", kEndRun},      // cancel, time-out, shutdown
    {"58", kEndRun},      // the operating system: I/O
    {"72", kRetry},       // snapshot too old: the next attempt has a new one
    {"F0", kEndRun},      // the server's configuration file
    {"HV", kFailRun},     // foreign data: the wrapper's or the table's options
    {"P0", kItem},        // PL/pgSQL: RAISE, ASSERT, STRICT
    {"XX", kEndRun},      // internal error, corruption: not to be written over
};

// Limits of the server under SQLSTATEs that an item's own faults have, too. Whether there is a
// partition for a row may depend on the row; but who has none for the rows of today has none for
// those of tomorrow, and one that is set aside is not inserted by itself when there is one. Without
// a constraint's name it is told from a row that violates a CHECK by what the server says.
struct ServerLimit {
  std::string_view sqlstate;
  std::string_view part;  // of the message's format
  ErrorClass error_class;
};
constexpr ServerLimit kServerLimits[] = {
    {"23514", "no partition of relation", kFailRun},
    {"54000", "wraparound", kEndRun},  // transaction ids, multixact ids
    {"54000", "multixact", kEndRun},   // members of them
};

}  // namespace

std::span<const ErrorDecision> ErrorDecisions() { return kDecisions; }

ErrorClass ClassOf(std::string_view sqlstate, std::string_view format) {
  for (const ServerLimit& limit : kServerLimits) {
    if (limit.sqlstate == sqlstate && format.find(limit.part) != std::string_view::npos) {
      return limit.error_class;
    }
  }
  ErrorClass result = kItem;
  for (const ErrorDecision& decision : kDecisions) {
    if (decision.code == sqlstate) {
      return decision.error_class;
    }
    if (decision.code == sqlstate.substr(0, 2)) {
      result = decision.error_class;
    }
  }
  return result;
}

}  // namespace ratchet::policy
