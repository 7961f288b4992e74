// What one role may do with the jobs of another, as the library asks it again whenever it matters:
// a right that is lost is lost then.
#pragma once

#include "pg/server.h"

namespace ratchet::catalog {

// Whether the role manages the jobs of that owner: it is the owner, has its privileges, or is a
// superuser; the jobs of a superuser are managed by superusers only. Needs a transaction.
bool MayManageJobsOf(Oid role, Oid owner);

// Roles that may manage each other's jobs have the same number: all superusers, and else each role
// its own, as no role is a member of its members.
Oid GroupOf(Oid role);

}  // namespace ratchet::catalog
