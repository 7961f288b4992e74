// ratchet.job_note: what people have written beside jobs.
#pragma once

#include <cstdint>
#include <string>

#include "pg/server.h"

namespace ratchet::catalog {

struct JobNote {
  std::int64_t job_id = 0;
  Oid author = InvalidOid;
  TimestampTz written_at = 0;
  std::string note;
  std::string link;  // empty: none
};

// In the transaction that is open.
void InsertJobNote(const JobNote& note);
// The newest one of the job; false when there is none.
bool FindJobNote(std::int64_t job_id, JobNote* note);

}  // namespace ratchet::catalog
