// ratchet.channel: where messages go. Definitions are written by the functions that define them;
// how it stands with a channel, by those with which messages are claimed and ended. Whoever writes
// holds the row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/server.h"
#include "policy/delivery_retry.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

struct Channel {
  std::int64_t channel_id = 0;
  std::string channel_name;
  Oid owner = InvalidOid;
  std::string kind;
  std::string config;  // jsonb as text
  TimestampTz created_at = 0;
  TimestampTz changed_at = 0;
  std::int32_t failures = 0;
  TimestampTz rests_until = 0;  // 0: it does not rest
  TimestampTz dead_since = 0;   // 0: it is not
  std::string last_error;
  double tokens = 0;
  TimestampTz tokens_at = 0;  // 0: all of them are there
  bool quarantined = false;   // the row was not written by the library: see seal.h

  policy::ChannelStanding standing() const { return {failures, rests_until, dead_since != 0}; }
  void Take(const policy::ChannelStanding& standing, TimestampTz now, const std::string& error);
};

// Fills in channel_id. False when the name is taken, perhaps by a transaction that is under way.
bool InsertChannel(Channel* channel);
void UpdateChannel(ItemPointer tid, const Channel& channel);
void DeleteChannel(ItemPointer tid);

// nullopt when there is none. With a place for its `tid` the row is held until the transaction
// ends.
std::optional<Channel> FindChannel(std::int64_t channel_id, ItemPointer tid = nullptr);
std::optional<Channel> FindChannelByName(const std::string& channel_name,
                                         ItemPointer tid = nullptr);
// Waits for nobody: nullopt also when somebody has it in hand.
std::optional<Channel> TryHoldChannel(std::int64_t channel_id, ItemPointer tid);

// All of them as of now, by their numbers.
std::vector<Channel> ListChannels();

}  // namespace ratchet::catalog
