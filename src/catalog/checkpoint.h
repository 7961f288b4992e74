// ratchet.job_checkpoint: what a hand-written procedure saved for its next attempt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/server.h"

namespace ratchet::catalog {

// jsonb as text, seen with the effects of the calling transaction; nullopt when there is none.
std::optional<std::string> FindCheckpoint(std::int64_t job_id);
void SaveCheckpoint(std::int64_t job_id, Oid owner, std::int64_t run_id, const std::string& value);
// No error when there is none.
void DeleteCheckpoint(std::int64_t job_id);

}  // namespace ratchet::catalog
