// ratchet.silence: of which jobs there are no messages for now. Written by ratchet.silence() and
// ratchet.unsilence(); the scheduler reads them, and deletes those that are over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

// Where neither jobs nor tags are named, it is for all that its owner may manage.
struct Silence {
  std::int64_t silence_id = 0;
  Oid owner = InvalidOid;
  TimestampTz until = 0;
  std::string reason;
  bool has_jobs = false;
  std::vector<std::string> jobs;
  bool has_tags = false;
  std::vector<std::string> tags;
  TimestampTz created_at = 0;
};

// Fills in silence_id.
void InsertSilence(Silence* silence);
// With a place for its `tid` the row is held until the transaction ends.
std::optional<Silence> FindSilence(std::int64_t silence_id, ItemPointer tid = nullptr);
void DeleteSilence(ItemPointer tid);
std::vector<Silence> ListSilences();
// Waits for nobody.
void PurgeSilences(TimestampTz before);

}  // namespace ratchet::catalog
