// From what the database gives us to what is sent, and from what came back to what it is told. No
// network here.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "channel/kind.h"
#include "outbound/request.h"
#include "secrets/secrets.h"

namespace client::deliver {

using Now = std::chrono::system_clock::time_point;

struct ClaimedDelivery {
  std::string message_id, channel_name, kind, config, message;  // config and message: JSON
  double created_at = 0;                                        // seconds since 1970
};

struct Outgoing {
  outbound::Request request;
  const channel::Kind* kind = nullptr;
  std::vector<std::string> secrets;  // which no message may show
};

// What is to be sent; or what to say of what cannot be sent.
std::variant<Outgoing, channel::Verdict> PrepareDelivery(const ClaimedDelivery& claimed,
                                                         const secrets::Secrets& secrets, Now now);

// As the channel sees it, without secrets and not too long.
channel::Verdict Judge(const Outgoing& outgoing, const outbound::Response& response, Now now);

// A task of a queue with "http": its payload is the body.
struct ClaimedTask {
  std::string queue_name, task_id, payload;  // payload: JSON; empty: none
};
std::variant<Outgoing, channel::Verdict> PrepareTask(const ClaimedTask& task,
                                                     const nlohmann::json& http,
                                                     const secrets::Secrets& secrets);

// {"status", "headers", "body"} as JSON.
std::string TaskResult(const Outgoing& outgoing, const outbound::Response& response);

}  // namespace client::deliver
