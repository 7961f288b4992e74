// Rows of roles that were dropped. A role's number may come again one day, for a role that has
// nothing to do with the first one: what has the number then becomes nobody's (owner 0), which
// superusers and pg_monitor see, and nobody else.
//
// Nothing here waits. What somebody else has in hand is left, and the answer says so.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"

namespace ratchet::catalog {

bool RoleExists(Oid role);

// The definition of a job, its checkpoints and its backfills, as far as they are the role's. False:
// something was left.
bool DisownJob(std::int64_t job_id, Oid role);

// Channels, alerts, silences, incidents and deliveries of roles that are not there any more:
// silences end, the others become nobody's. `gone` are roles that are known to be gone already.
// True in *changed when an alert or a silence was one of them. False: something was left.
bool DisownMessages(std::vector<Oid> gone, bool* changed);

// The jobs that have run as the role or were changed as jobs of it, perhaps more than once.
void FindJobsThatRanAs(Oid role, std::vector<std::int64_t>* jobs);

// Of those: what has changed about them, and some of the records behind *behind, and their failed
// items; *behind then is how far that has come. When no records are left, what the job has run as
// the role.
enum class Disowning { kDone, kGoesOn, kLeft };
Disowning DisownHistory(std::int64_t job_id, Oid role, std::int64_t* behind);

}  // namespace ratchet::catalog
