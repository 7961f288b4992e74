// ratchet.incident: what alerts have found. Written by the scheduler; ratchet.acknowledge() writes
// who has acknowledged it. Whoever writes holds the row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/row_change.h"
#include "policy/episode.h"
#include "policy/message_id.h"

namespace ratchet::catalog {

// How it stands is policy's: its key is made of the event and of what it is about (see KeyOf()).
struct IncidentRow {
  policy::Incident standing;
  std::int64_t alert_id = 0;
  std::string alert_name;
  Oid owner = InvalidOid;  // of the alert
  std::string event;
  std::int64_t job_id = 0;  // 0: it is about the server
  std::string subject;      // name of the job, of the queue, or what of the server
  policy::MessageId episode{};
  std::string acknowledged_by;
  std::int64_t run_id = 0;  // 0: none
  std::string details;      // as messages have it, jsonb as text
};

// Fills in the number of a new one. False: somebody has the row in hand, try again later. Who has
// acknowledged it is kept.
bool WriteIncident(IncidentRow* incident);

// Who acknowledges it: nullopt when there is none.
std::optional<IncidentRow> HoldIncident(std::int64_t incident_id, ItemPointer tid);
void UpdateIncident(ItemPointer tid, const IncidentRow& incident);
std::optional<IncidentRow> FindIncident(std::int64_t incident_id);

// Those that are not closed, and those that have been since.
std::vector<IncidentRow> ListIncidents(TimestampTz closed_since);

// Of those that are closed and older, at most so many. Waits for nobody. Whether there may be more.
bool PurgeIncidents(TimestampTz before, int most);

}  // namespace ratchet::catalog
