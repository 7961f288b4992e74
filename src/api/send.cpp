// ratchet.send() and ratchet.test_channel()
#include "api/argument.h"
#include "api/channel_access.h"
#include "api/job_check.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "catalog/drop_lock.h"
#include "catalog/numbers.h"
#include "catalog/outbox.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

constexpr std::size_t kLongestSubject = 500;
constexpr std::size_t kLongestBody = std::size_t{256} * 1024;

void CheckLength(const std::string& text, const char* argument, std::size_t longest) {
  if (text.size() > longest) {
    throw pg::Error(
        ERRCODE_INVALID_PARAMETER_VALUE,
        std::string(argument) + " must not be longer than " + std::to_string(longest) + " bytes",
        "A message is for people: it can say where the rest is.");
  }
}

// It is not dropped before this transaction has ended. Who has dropped it until it is locked has
// said so by then, and another one may have its name.
catalog::Channel RequireLockedChannel(const std::string& channel_name) {
  catalog::Channel channel = RequireChannel(channel_name);
  for (std::int64_t locked = 0; channel.channel_id != locked;
       channel = RequireChannel(channel_name)) {
    locked = channel.channel_id;
    catalog::LockChannelForMessages(locked);
  }
  return channel;
}

// A key makes the same message of the same thing, here and on a standby that is promoted; without
// one each message is another one.
policy::MessageId IdOf(const catalog::Delivery& delivery) {
  policy::MessageIdMaker ids = catalog::MessageIds();
  ids.Add(delivery.notice).Add(delivery.channel_name);
  if (delivery.unique_key.empty()) {
    ids.Add("without a key").Add(catalog::NewMark());
  } else {
    ids.Add("key").Add(delivery.unique_key);
  }
  return ids.Make();
}

std::int64_t Put(const catalog::Channel& channel, const catalog::PlainMessage& message,
                 std::string unique_key) {
  const TimestampTz now = GetCurrentTimestamp();
  catalog::Delivery delivery = catalog::NewDelivery(channel, GetUserId(), message.notice, now);
  delivery.unique_key = std::move(unique_key);
  delivery.message_id = IdOf(delivery);
  delivery.message = catalog::TextOf(message, delivery.message_id, delivery.owner, now);
  if (catalog::InsertDelivery(&delivery)) {
    catalog::NoteDelivery();
  }
  TellIfChannelHeldBack(channel);
  return delivery.delivery_id;
}

std::int64_t Send(const Arguments& arguments) {
  enum Argument { kChannel, kSubject, kBody, kDetails, kUniqueKey };
  RequireWritable("ratchet.send()");
  const catalog::Channel channel = RequireLockedChannel(arguments.Text(kChannel, "channel_name"));
  catalog::PlainMessage message = {"send", "info",
                                   RequireText(arguments.Text(kSubject, "subject"), "subject"),
                                   arguments.TextOrEmpty(kBody), arguments.JsonbOrEmpty(kDetails)};
  RequireVisible(message.subject, "subject");
  CheckLength(message.subject, "subject", kLongestSubject);
  CheckLength(message.body, "body", kLongestBody);
  CheckLength(message.details, "details", kLongestBody);
  std::string unique_key;
  if (!arguments.IsNull(kUniqueKey)) {
    unique_key = arguments.Text(kUniqueKey, "unique_key");
    CheckName(unique_key, "unique_key");
  }
  return Put(channel, message, std::move(unique_key));
}

// One that is dead is tried again.
std::int64_t TestChannel(const Arguments& arguments) {
  RequireWritable("ratchet.test_channel()");
  ItemPointerData tid;
  catalog::Channel channel = LockChannel(arguments.Text(0, "channel_name"), &tid);
  if (channel.dead_since != 0 || channel.rests_until != 0) {
    channel.dead_since = 0;
    channel.rests_until = 0;
    catalog::UpdateChannel(&tid, channel);
    catalog::NoteMessagesChanged();
  }
  const catalog::PlainMessage message = {
      "test", "info", "test of channel " + channel.channel_name,
      "ratchet.test_channel() has sent this. Nothing has happened.", ""};
  return Put(channel, message, {});
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_send);
PGDLLEXPORT Datum ratchet_send(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::Send(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_test_channel);
PGDLLEXPORT Datum ratchet_test_channel(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::TestChannel(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
