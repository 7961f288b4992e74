// Which relations a utility statement names in a place where PostgreSQL locks them in a mode that
// keeps out writers, or autovacuum.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace ratchet::api {

// What PostgreSQL wants of the caller, or is about to find out that it lacks.
enum class Needs { kOwnership, kReferences, kTrigger, kLock };

// Called for each name. The node is part of the statement, or made for the call (comments and
// labels name objects by lists).
using VisitName = void (*)(RangeVar* name, Needs needs, void* context);

// VACUUM and ANALYZE are another matter: see api/vacuum_list.h.
void VisitLockedNames(Node* statement, VisitName visit, void* context);

}  // namespace ratchet::api
