// ratchet.sender_config(): what the program that sends has to know, before there is anything to
// send.
#include <optional>
#include <vector>

#include "api/queue_access.h"
#include "api/sql_function.h"
#include "catalog/channel.h"
#include "pg/text_hash.h"
#include "policy/json_text.h"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace ratchet::api {
namespace {

std::string ChannelsAsJson() {
  std::string list = "[";
  for (const catalog::Channel& channel : catalog::ListChannels()) {
    if (channel.quarantined) {
      continue;
    }
    policy::JsonText text;
    text.Text("channel_name", channel.channel_name)
        .Text("kind", channel.kind)
        .Raw("config", channel.config);
    list += (list.size() > 1 ? ", " : "") + text.Done();
  }
  return list + "]";
}

std::string QueuesAsJson() {
  std::vector<std::int64_t> with_requests;
  catalog::ScanQueues(
      [](void* argument, const catalog::QueueDefinition& queue) {
        if (!queue.http.empty() && !queue.quarantined) {
          static_cast<std::vector<std::int64_t>*>(argument)->push_back(queue.queue_id);
        }
      },
      &with_requests);
  std::string list = "[";
  for (const std::int64_t queue_id : with_requests) {
    const std::optional<Queue> queue = FindQueue(queue_id);
    if (!queue || queue->quarantined()) {
      continue;
    }
    policy::JsonText text;
    text.Text("queue_name", queue->name())
        .Raw("http", queue->own.http)
        .NumberOrNull("concurrency", queue->own.concurrency)
        .Seconds("lease_s", queue->own.lease)
        .Seconds("timeout_s", queue->job.timeout)
        .Bool("paused", !queue->job.enabled);
    list += (list.size() > 1 ? ", " : "") + text.Done();
  }
  return list + "]";
}

// Another number when something has changed.
std::string SenderConfig() {
  constexpr std::int64_t kExactInJson = (std::int64_t{1} << 53) - 1;
  const std::string channels = ChannelsAsJson();
  const std::string queues = QueuesAsJson();
  return policy::JsonText()
      .Raw("channels", channels)
      .Raw("http_queues", queues)
      .Number("changed", pg::HashOf(channels + queues) & kExactInJson)
      .Done();
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_sender_config);
PGDLLEXPORT Datum ratchet_sender_config(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return ratchet::api::SqlFunction([] {
    const std::string config = ratchet::api::SenderConfig();
    return ratchet::pg::Call(
        [&config] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(config.c_str())); });
  });
}

}  // extern "C"
