// The error for a name that no job has.
#pragma once

#include <string>

#include "pg/guard.h"
#include "pg/near_name.h"

namespace ratchet::catalog {

// 42704, with a hint that names the job that may be meant, if the current role may manage it.
pg::Error MissingJob(const std::string& job_name);
pg::NearName NearJob(const std::string& job_name);

}  // namespace ratchet::catalog
