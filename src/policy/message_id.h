// The number of a message, which stays the same over all attempts, and which the receiver knows it
// by (webhook-id, Message-ID, dedup_key). It is made of what the message is about, and of no
// sequence: a standby that is promoted, and comes to the same end of the same run, makes the same
// one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/sip_hash.h"

namespace ratchet::policy {

// As the server has a uuid.
using MessageId = std::array<unsigned char, 16>;

class MessageIdMaker {
 public:
  // Which database of which server this is.
  MessageIdMaker(std::uint64_t system, std::uint64_t database);

  // Parts are told apart: "ab", "c" is another message than "a", "bc".
  MessageIdMaker& Add(std::string_view part);
  MessageIdMaker& Add(std::int64_t number);
  // In the form of version 8 of RFC 9562.
  MessageId Make();

 private:
  SipHash low_;
  SipHash high_;
};

// "0f8fad5b-d9cb-869f-a165-70867728950e"
std::string TextOf(const MessageId& id);

}  // namespace ratchet::policy
