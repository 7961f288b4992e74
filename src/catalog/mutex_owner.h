// Whose a mutex is. It belongs to the owner of the job, so that nobody else can hold it; or to a
// role that is named, and then to those who have the privileges of that role (policy/mutex_name.h).
#pragma once

#include <string>

#include "pg/server.h"

namespace ratchet::catalog {

// The same text for the same mutex: what the board and the scheduler know it by. One of a role that
// is not there, or whose privileges the owner does not have now, is the owner's alone. Empty: none.
// Needs a transaction.
std::string MutexKey(const std::string& mutex, Oid owner);

// Raises an error unless the owner may use the mutex.
void RequireMutex(const std::string& mutex, Oid owner);

}  // namespace ratchet::catalog
