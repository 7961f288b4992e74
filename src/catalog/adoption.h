// ratchet.adopt(): what the library has not written becomes its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/server.h"

namespace ratchet::catalog {

struct AdoptedJob {
  std::int64_t job_id;
  std::string job_name;
  Oid owner;
};

// Makes this the home of the jobs whose owners `may_adopt` lets pass, seals their rows, and those
// that belong to them: backfills, checkpoints, and as far as their own owners pass, waiting runs
// and kept definitions. The jobs of others are held back as before; in a copy that somebody adopts
// who is not `everybody`, so are those that run where the copy comes from. Says which jobs can run
// now that could not before.
std::vector<AdoptedJob> Adopt(TimestampTz now, bool everybody, bool (*may_adopt)(Oid owner));

}  // namespace ratchet::catalog
