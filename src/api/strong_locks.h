// Keeps those who own nothing of the extension from locking its relations in a mode that is in the
// library's way.
//
// PostgreSQL takes the lock of some statements before it asks whether the caller may (CREATE RULE,
// REFERENCES, ATTACH PARTITION, ...), and lets some roles lock or rewrite each table of a database
// (its owner, pg_write_all_data, pg_maintain). While one of them waits for an open transaction that
// has read a table of ours, the scheduler and every run wait behind it. So the question comes
// first here, and is answered in the server's words.
//
// What is looked up by name here may be another relation when the server looks it up: whoever gets
// a lock that way is the scheduler's to deal with (catalog/lock_blockers.h).
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/plannodes.h"
#include "tcop/utility.h"
}

namespace ratchet::api {

// The statement to be executed: the one that was given, a copy that leaves our tables out, or null
// when nothing is left of it. Raises an error when it names what the caller may not lock. Called in
// the hook on utility statements, outside of pg::Call.
PlannedStmt* KeepOffOurTables(PlannedStmt* statement, ProcessUtilityContext context);

}  // namespace ratchet::api
