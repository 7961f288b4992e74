// What somebody is told who defines or asks for what does not run until ratchet.adopt().
#pragma once

#include "catalog/job.h"

namespace ratchet::api {

// Whether this database is a copy, whose jobs are all held back, as its scheduler has found out.
// Without one nobody has, and ratchet.status() says so.
bool IsCopy();

// A NOTICE. For changes of a job.
void TellIfHeldBack(const catalog::JobDefinition& job);
// Once in a session: an application asks for runs all the time.
void TellOnceIfHeldBack(const catalog::JobDefinition& job);

}  // namespace ratchet::api
