#include "catalog/outbox.h"

#include <algorithm>

#include "catalog/alert.h"
#include "catalog/commit_notice.h"
#include "catalog/role_rights.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
}

namespace ratchet::catalog {
namespace {

std::string NameOfRole(Oid role) {
  std::string name;
  pg::Call([&name, role] {
    const char* found = GetUserNameFromId(role, true);
    name = found != nullptr ? found : "";
  });
  return name;
}

// Those that the alerts of the dead one have beside it are read by who waits for its messages.
std::vector<std::string> Neighbours(const Channel& dead) {
  std::vector<std::string> names;
  for (const Alert& alert : ListAlerts()) {
    const auto& channels = alert.channels;
    if (!alert.quarantined &&
        std::find(channels.begin(), channels.end(), dead.channel_name) != channels.end()) {
      names.insert(names.end(), channels.begin(), channels.end());
    }
  }
  return names;
}

// Those whose owners may know of the dead one: of a superuser's, no other role hears by itself.
std::optional<Channel> ChannelToReportThrough(const Channel& dead) {
  const std::vector<std::string> neighbours = Neighbours(dead);
  std::optional<Channel> found;
  bool is_neighbour = false;
  for (Channel& channel : ListChannels()) {
    const bool can = channel.channel_id != dead.channel_id && channel.dead_since == 0 &&
                     !channel.quarantined && channel.kind != "healthchecks" &&
                     channel.kind != "statsd" && MayManageJobsOf(dead.owner, channel.owner);
    const bool is_near =
        std::find(neighbours.begin(), neighbours.end(), channel.channel_name) != neighbours.end();
    const bool may_know = is_near || MayManageJobsOf(channel.owner, dead.owner);
    if (can && may_know && (!found || (is_near && !is_neighbour))) {
      found = std::move(channel);
      is_neighbour = is_near;
    }
  }
  return found;
}

}  // namespace

policy::MessageIdMaker MessageIds() {
  return {GetSystemIdentifier(), static_cast<std::uint64_t>(MyDatabaseId)};
}

void AddOrigin(policy::JsonText* message) {
  std::string database;
  pg::Call([&database] {
    const char* name = get_database_name(MyDatabaseId);
    database = name != nullptr ? name : "";
  });
  message->Text("database", database)
      .Text("cluster", cluster_name != nullptr ? cluster_name : "")
      .Text("environment", pg::settings.environment);
}

void AddTime(policy::JsonText* message, std::string_view key, TimestampTz time) {
  if (time == 0) {
    message->Raw(key, "null");
    return;
  }
  char text[MAXDATELEN + 1];
  pg::Call([&text, time] {
    const int utc = 0;
    JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
  });
  message->Text(key, text);
}

Delivery NewDelivery(const Channel& channel, Oid owner, const char* notice, TimestampTz now) {
  Delivery delivery;
  delivery.channel_id = channel.channel_id;
  delivery.channel_name = channel.channel_name;
  delivery.owner = owner;
  delivery.notice = notice;
  delivery.created_at = now;
  delivery.next_try_at = now;
  return delivery;
}

std::string TextOf(const PlainMessage& message, const policy::MessageId& id, Oid sender,
                   TimestampTz now) {
  policy::JsonText text;
  text.Text("type", "incident")
      .Text("notice", message.notice)
      .Text("episode", policy::TextOf(id))
      .Number("number", 1)
      .Raw("alert", "null")
      .Text("severity", message.severity);
  AddOrigin(&text);
  text.Text("sender", NameOfRole(sender));
  AddTime(&text, "opened_at", now);
  text.Raw("resolved_at", "null")
      .Raw("duration_s", "null")
      .Raw("incidents", "[]")
      .Number("more", 0)
      .Text("subject", message.subject)
      .TextOrNull("body", message.body)
      .Raw("details", message.details.empty() ? "{}" : message.details);
  return text.Done();
}

bool ReportDeadChannel(const Channel& dead, TimestampTz now) {
  const std::optional<Channel> through = ChannelToReportThrough(dead);
  if (!through) {
    return false;
  }
  Delivery delivery = NewDelivery(*through, dead.owner, "send", now);
  delivery.message_id = MessageIds()
                            .Add("dead channel")
                            .Add(dead.channel_name)
                            .Add(dead.dead_since)
                            .Add(through->channel_name)
                            .Make();
  const PlainMessage message = {
      "send", "critical", "channel " + dead.channel_name + " takes no messages any more",
      "Its receiver has refused a message: " + dead.last_error +
          "\nMessages for it wait. Mend it by ratchet.alter_channel(), or try again by "
          "ratchet.test_channel().",
      ""};
  delivery.message = TextOf(message, delivery.message_id, dead.owner, now);
  InsertDelivery(&delivery);
  NoteDelivery();
  return true;
}

}  // namespace ratchet::catalog
