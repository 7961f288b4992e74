// ratchet.create_channel(), ratchet.alter_channel() and ratchet.drop_channel()
#include <algorithm>

#include "api/argument.h"
#include "api/channel_access.h"
#include "api/job_check.h"
#include "api/sql_function.h"
#include "catalog/alert.h"
#include "catalog/commit_notice.h"
#include "catalog/delivery.h"
#include "catalog/drop_lock.h"
#include "catalog/home.h"
#include "catalog/job.h"
#include "policy/channel_config.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

using catalog::Channel;

void CheckConfig(const Channel& channel) {
  constexpr std::size_t kLongest = 16'384;
  if (!policy::IsChannelKind(channel.kind)) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "unknown kind of channel: \"" + channel.kind.substr(0, 60) + "\"",
                    "The kinds are " + policy::ChannelKinds() + ".");
  }
  const auto config =
      channel.config.size() <= kLongest ? policy::ParseJson(channel.config) : std::nullopt;
  if (!config) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "config is too large, or nested too deep, to be one of a channel");
  }
  if (const auto fault = policy::FindConfigFault(channel.kind, *config)) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "config: " + fault->message, fault->hint);
  }
}

std::int64_t CreateChannel(const Arguments& arguments) {
  enum Argument { kName, kKind, kConfig };
  RequireWritable("ratchet.create_channel()");
  Channel channel;
  channel.channel_name = arguments.Text(kName, "channel_name");
  CheckName(channel.channel_name, "channel_name");
  channel.kind = arguments.Text(kKind, "kind");
  channel.config = arguments.JsonbOrEmpty(kConfig);
  if (channel.config.empty()) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "config must not be null");
  }
  CheckConfig(channel);
  channel.owner = GetUserId();
  RefuseSender(channel.owner);
  channel.created_at = channel.changed_at = GetCurrentTransactionStartTimestamp();
  catalog::SettleIfEmpty(channel.created_at);
  if (!catalog::InsertChannel(&channel)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT,
                    "channel \"" + channel.channel_name + "\" already exists",
                    "ratchet.alter_channel() changes it.");
  }
  TellIfChannelHeldBack(channel);
  catalog::NoteMessagesChanged();
  return channel.channel_id;
}

// What was wrong with it may have been mended: it is tried again at once.
void AlterChannel(const Arguments& arguments) {
  enum Argument { kName, kConfig };
  RequireWritable("ratchet.alter_channel()");
  ItemPointerData tid;
  Channel channel = LockChannel(arguments.Text(kName, "channel_name"), &tid);
  if (!arguments.IsNull(kConfig)) {
    channel.config = arguments.JsonbOrEmpty(kConfig);
    CheckConfig(channel);
  }
  channel.changed_at = GetCurrentTransactionStartTimestamp();
  channel.Take({}, channel.changed_at, {});
  channel.tokens = 0;
  channel.tokens_at = 0;
  catalog::UpdateChannel(&tid, channel);
  TellIfChannelHeldBack(channel);
  catalog::NoteMessagesChanged();
  catalog::NoteDelivery();
}

void RefuseUsed(const Channel& channel) {
  std::string user;
  for (const catalog::Alert& alert : catalog::ListAlerts()) {
    const auto& channels = alert.channels;
    if (std::find(channels.begin(), channels.end(), channel.channel_name) != channels.end()) {
      user = "alert \"" + alert.alert_name + "\"";
    }
  }
  struct Heard {
    const std::string& channel;
    std::string* user;
  } heard{channel.channel_name, &user};
  catalog::ScanJobs(
      [](void* context, const catalog::JobDefinition& job) {
        const auto* seen = static_cast<const Heard*>(context);
        if (job.heartbeat == seen->channel) {
          *seen->user = "the heartbeat of job \"" + job.job_name + "\"";
        }
      },
      &heard);
  if (!user.empty()) {
    throw pg::Error(
        ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
        "cannot drop channel \"" + channel.channel_name + "\" because " + user + " sends to it",
        "Give that other channels, or drop it.");
  }
}

void DropChannel(const Arguments& arguments) {
  RequireWritable("ratchet.drop_channel()");
  ItemPointerData tid;
  const Channel channel = LockChannel(arguments.Text(0, "channel_name"), &tid);
  RefuseUsed(channel);
  // From here to the end of the transaction nobody sends.
  catalog::LockChannelForDrop(channel.channel_id, channel.channel_name);
  catalog::DeleteChannel(&tid);
  catalog::DeleteDeliveriesOf(channel.channel_id);
  catalog::NoteMessagesChanged();
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_create_channel);
PGDLLEXPORT Datum ratchet_create_channel(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::CreateChannel(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_alter_channel);
PGDLLEXPORT Datum ratchet_alter_channel(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::AlterChannel(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_drop_channel);
PGDLLEXPORT Datum ratchet_drop_channel(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::DropChannel(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
