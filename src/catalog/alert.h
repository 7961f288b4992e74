// ratchet.alert: which events are worth a message, and where it goes. Written by the functions that
// define alerts; the scheduler reads them.
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

// Spans are microseconds. Where neither jobs nor tags nor queues are named, it is for all that its
// owner may manage.
struct Alert {
  std::int64_t alert_id = 0;
  std::string alert_name;
  Oid owner = InvalidOid;
  std::vector<std::string> channels;  // names
  std::vector<std::string> events;
  bool has_jobs = false;
  std::vector<std::string> jobs;
  bool has_tags = false;
  std::vector<std::string> tags;
  bool has_queues = false;
  std::vector<std::string> queues;
  std::int32_t after_failures = 1;
  std::int64_t group_wait = 30LL * 1000000;
  std::int64_t repeat_every = 0;  // 0: no reminders
  bool resolved = true;
  std::int64_t backlog = 5LL * 60 * 1000000;
  TimestampTz created_at = 0;
  TimestampTz changed_at = 0;
  bool quarantined = false;  // the row was not written by the library: see seal.h
};

// Fills in alert_id. False when the name is taken, perhaps by a transaction that is under way.
bool InsertAlert(Alert* alert);
void UpdateAlert(ItemPointer tid, const Alert& alert);
void DeleteAlert(ItemPointer tid);

// nullopt when there is none. With a place for its `tid` the row is held until the transaction
// ends.
std::optional<Alert> FindAlert(std::int64_t alert_id);
std::optional<Alert> FindAlertByName(const std::string& alert_name, ItemPointer tid = nullptr);

// All of them as of now, by their numbers.
std::vector<Alert> ListAlerts();

}  // namespace ratchet::catalog
