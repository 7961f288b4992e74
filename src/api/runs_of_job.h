// The runs of a job, for who knows its name and no number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ratchet::api {

// Those of the job that wait or are under way, the oldest first.
std::vector<std::int64_t> RunsUnderWay(std::int64_t job_id);

// The newest one of those that the caller sees, or else of those that have ended. Raises 42704 when
// there is no such job, or no run of it.
std::int64_t NewestRunOf(const std::string& job_name);

}  // namespace ratchet::api
