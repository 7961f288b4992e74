// The kinds of channels: how each says what is to be told, and what an answer means by the
// documentation of the one who gives it. No network and no clock here.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "channel/notice.h"
#include "outbound/request.h"

namespace client::channel {

enum class Outcome { kDelivered, kRetry, kFailed };

std::string_view NameOf(Outcome outcome);

struct Verdict {
  Outcome outcome = Outcome::kRetry;
  std::optional<int> code;
  std::string error;  // beside kDelivered: what went wrong with a part of it
  std::optional<std::chrono::seconds> retry_in;
};

// The settings of a channel do not make sense: no attempt will change that.
class BadConfig : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Kind {
  std::string_view name;
  outbound::Request (*render)(const Delivery& delivery);
  Verdict (*judge)(const outbound::Response& response, std::chrono::system_clock::time_point now);
};

// Null when there is none of this name.
const Kind* FindKind(std::string_view name);

}  // namespace client::channel
