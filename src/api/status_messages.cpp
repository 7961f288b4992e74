#include "api/status_messages.h"

#include <algorithm>
#include <vector>

#include "api/privilege.h"
#include "board/sender_board.h"
#include "catalog/channel.h"
#include "catalog/delivery.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/subtransaction.h"
#include "pg/table.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

// Who has not called for so long is not there any more; microseconds.
constexpr std::int64_t kGoneAfter = 120 * USECS_PER_SEC;

bool IsGone(const board::SenderView& sender, policy::SteadyTime now) {
  return !sender.waits && now - sender.called_at > kGoneAfter;
}

void ReportSender(Report* report, const board::SenderView& sender, policy::SteadyTime now) {
  std::string detail = "\"" + sender.name + "\", pid " + std::to_string(sender.pid);
  if (!sender.version.empty()) {
    detail += ", version " + sender.version;
  }
  if (!sender.missing.empty()) {
    detail += ": it lacks secrets that channels name: " + sender.missing;
  }
  report->Add("sender",
              sender.waits          ? "waiting"
              : IsGone(sender, now) ? "gone"
                                    : "active",
              detail,
              sender.missing.empty() ? "" : "What needs them waits for a sender that has them.");
}

struct SeenChannel {
  catalog::Channel channel;
  TimestampTz first_due;  // of its messages; 0: there are none
};

// Nobody is waited for, and tables that do not fit are told of elsewhere: neither is a reason to
// say nothing of the rest. The locks go with the subtransaction.
std::vector<SeenChannel> LookAtChannels() {
  std::vector<SeenChannel> seen;
  try {
    const pg::Subtransaction glance;
    const bool may_read = pg::Call([] {
      return pg::TryLockTable("channel", AccessShareLock) &&
             pg::TryLockTable("delivery", AccessShareLock);
    });
    for (catalog::Channel& channel :
         may_read ? catalog::ListChannels() : std::vector<catalog::Channel>()) {
      const TimestampTz first = catalog::FirstDueDelivery(channel.channel_id);
      seen.push_back({std::move(channel), first});
    }
  } catch (const pg::PgError& error) {
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED) {
      throw;
    }
    seen.clear();
  }
  return seen;
}

// True when a message should have gone by now.
bool ReportChannel(Report* report, const SeenChannel& seen, TimestampTz now) {
  const catalog::Channel& channel = seen.channel;
  const bool may_see = MaySee(channel.owner);
  if (channel.dead_since != 0 && may_see) {
    report->Add("channel", "dead", "\"" + channel.channel_name + "\": " + channel.last_error,
                "Mend it by ratchet.alter_channel(), or try again by ratchet.test_channel().");
  }
  if (channel.quarantined && may_see) {
    report->Add("channel", "quarantined",
                "\"" + channel.channel_name + "\" was not written by pg_ratchet in this database",
                "Run SELECT ratchet.adopt() to let messages go to it.");
  }
  return seen.first_due != 0 && seen.first_due < now - kGoneAfter && channel.dead_since == 0 &&
         !channel.quarantined && channel.rests_until < now - kGoneAfter;
}

}  // namespace

void ReportMessages(Report* report) {
  std::vector<board::SenderView> senders;
  board::ListSenders(MyDatabaseId, &senders);
  const policy::SteadyTime now = pg::SteadyNow();
  for (const board::SenderView& sender : senders) {
    ReportSender(report, sender, now);
  }
  bool is_behind = false;
  for (const SeenChannel& seen : LookAtChannels()) {
    is_behind = ReportChannel(report, seen, GetCurrentTimestamp()) || is_behind;
  }
  const bool is_there = std::any_of(senders.begin(), senders.end(),
                                    [now](const auto& sender) { return !IsGone(sender, now); });
  if (is_behind && !is_there) {
    report->Add("sender", "absent", "messages wait, and nobody delivers them",
                "Start ratchet send.");
  }
}

}  // namespace ratchet::api
