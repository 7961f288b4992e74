// What the text of a job must not contain.
#pragma once

#include <string>

#include "pg/server.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace ratchet::worker {

// Parses the text, without looking at any table, and throws for a syntax error or what no run can
// execute. Usable outside of workers, inside of a transaction or not.
void CheckCommand(const std::string& command, bool per_statement);

// The same for what was parsed already. For use inside pg::Call.
void CheckStatements(List* statements, bool per_statement);

// True for a statement that cannot run inside of a transaction block, such as VACUUM.
bool NeedsTopLevel(const Node* statement);

}  // namespace ratchet::worker
