// Putting messages on their way: what all of them say, and their numbers.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/channel.h"
#include "catalog/delivery.h"
#include "policy/json_text.h"
#include "policy/message_id.h"

namespace ratchet::catalog {

// For the number of a message of this database.
policy::MessageIdMaker MessageIds();

// Where it comes from: database, cluster and environment.
void AddOrigin(policy::JsonText* message);

// A time as messages have it, in UTC; null for 0.
void AddTime(policy::JsonText* message, std::string_view key, TimestampTz time);

// One that waits from now on, of this channel, for this role.
Delivery NewDelivery(const Channel& channel, Oid owner, const char* notice, TimestampTz now);

// A text of somebody's, sent as it is: by ratchet.send(), by a test, and of a channel that is dead.
struct PlainMessage {
  const char* notice;
  const char* severity;
  std::string subject;
  std::string body;
  std::string details;  // jsonb as text
};
std::string TextOf(const PlainMessage& message, const policy::MessageId& id, Oid sender,
                   TimestampTz now);

// Of a channel that has died: through another one, if the owner has one that works. True when it is
// on its way.
bool ReportDeadChannel(const Channel& dead, TimestampTz now);

}  // namespace ratchet::catalog
