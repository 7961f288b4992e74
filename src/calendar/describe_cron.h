#pragma once

#include <string>
#include <vector>

#include "calendar/cron.h"
#include "calendar/parse.h"

namespace ratchet::calendar {

// Exact English. `hashed` are values that the name of a job adds to those of `cron`.
std::string DescribeCron(const Cron& cron, const std::vector<HashedItem>& hashed);

}  // namespace ratchet::calendar
