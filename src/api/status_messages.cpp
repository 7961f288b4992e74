#include "api/status_messages.h"

#include <algorithm>
#include <vector>

#include "api/privilege.h"
#include "board/sender_board.h"
#include "catalog/channel.h"
#include "catalog/delivery.h"
#include "pg/clock.h"
#include "pg/guard.h"
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

// True when a message should have gone by now.
bool ReportChannel(Report* report, const catalog::Channel& channel, TimestampTz now) {
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
  const TimestampTz first = catalog::FirstDueDelivery(channel.channel_id);
  return first != 0 && first < now - kGoneAfter && channel.dead_since == 0 &&
         !channel.quarantined && channel.rests_until < now - kGoneAfter;
}

}  // namespace

// Nobody is waited for: a lock that somebody has is no reason to say nothing.
void ReportMessages(Report* report) {
  const bool may_read = pg::Call([] {
    return pg::TryLockTable("channel", AccessShareLock) &&
           pg::TryLockTable("delivery", AccessShareLock);
  });
  std::vector<board::SenderView> senders;
  board::ListSenders(MyDatabaseId, &senders);
  const policy::SteadyTime now = pg::SteadyNow();
  for (const board::SenderView& sender : senders) {
    ReportSender(report, sender, now);
  }
  if (!may_read) {
    return;
  }
  bool is_behind = false;
  for (const catalog::Channel& channel : catalog::ListChannels()) {
    is_behind = ReportChannel(report, channel, GetCurrentTimestamp()) || is_behind;
  }
  const bool is_there = std::any_of(senders.begin(), senders.end(),
                                    [now](const auto& sender) { return !IsGone(sender, now); });
  if (is_behind && !is_there) {
    report->Add("sender", "absent", "messages wait, and nobody delivers them",
                "Start ratchet send.");
  }
}

}  // namespace ratchet::api
