// What the parser and the planner know of source and action. Everything here is for use inside
// pg::Call, in a transaction.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
}

namespace ratchet::batch {

// The source, which is one query with rows and changes nothing, or an error. Names are looked up as
// the current user. Nothing is rewritten: views are still views.
Query* AnalyzeSource(const char* source);

// Plans a rewritten query without parameter values, and raises an error when the current user may
// not run the plan: neither parser nor planner look at privileges. The query is scribbled on.
PlannedStmt* PlanPermitted(Query* query, const char* text);

// Raises an error when the current user may not call a function in this tree.
void RequireFunctions(Node* tree);

}  // namespace ratchet::batch
