// What is looked at from time to time: queues, who delivers, workers, and who keeps old rows.
#include <algorithm>

#include "board/queue_counters.h"
#include "board/sender_board.h"
#include "calendar/instant.h"
#include "catalog/delivery.h"
#include "catalog/outbox.h"
#include "catalog/queue.h"
#include "pg/horizon.h"
#include "pg/settings.h"
#include "policy/json_text.h"
#include "scheduler/message_desk.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::scheduler {
namespace {

using policy::AlertEvent;

constexpr std::int64_t kLooksEvery = 5 * USECS_PER_SEC;
constexpr std::int64_t kPurgesEvery = 600 * USECS_PER_SEC;
constexpr int kPurgeSlice = 1000;

// Nobody delivers when messages have waited, and nobody has called, for so long.
constexpr std::int64_t kSenderGone = 120 * USECS_PER_SEC;
// There are too few workers when runs have waited for one all the time for so long.
constexpr std::int64_t kShort = 60 * USECS_PER_SEC;
// Somebody keeps old rows who has had a snapshot for so long.
constexpr std::int64_t kHorizon = 3600 * USECS_PER_SEC;

std::string DetailsOfQueue(AlertEvent event, const std::string& queue_name,
                           const board::QueueCounters& counters, std::int64_t age) {
  policy::JsonText text;
  text.Text("event", policy::Name(event)).Raw("job", "null").Text("queue", queue_name);
  text.Number("ready", counters.ready)
      .Number("dead", counters.dead)
      .Seconds("oldest_ready_s", age)
      .TextOrNull("waits_for", counters.waits_for)
      .Text("inspect", event == AlertEvent::kDead
                           ? "SELECT * FROM ratchet.tasks WHERE state = 'dead'"
                           : "SELECT * FROM ratchet.queues");
  return text.Done();
}

std::string DetailsOfServer(AlertEvent event, const std::string& error) {
  policy::JsonText text;
  text.Text("event", policy::Name(event))
      .Raw("job", "null")
      .Raw("queue", "null")
      .Text("error", error)
      .Text("inspect", "SELECT * FROM ratchet.status()");
  return text.Done();
}

}  // namespace

void MessageDesk::LookAtQueues(TimestampTz now) {
  if (!WantsAny(AlertEvent::kBacklog) && !WantsAny(AlertEvent::kDead)) {
    return;
  }
  std::vector<board::CountedQueue> queues;
  board::ListCounters(MyDatabaseId, &queues);
  for (const board::CountedQueue& queue : queues) {
    const board::QueueCounters& counters = queue.counters;
    const std::int64_t age = counters.oldest_ready != 0 ? now - counters.oldest_ready : 0;
    for (Watched& watched : alerts_) {
      const bool is_bad[] = {age > watched.alert.backlog, counters.dead > 0};
      constexpr AlertEvent kEvents[] = {AlertEvent::kBacklog, AlertEvent::kDead};
      for (int i = 0; i < 2; i++) {
        LookAtQueue(&watched, {queue.queue_id, kEvents[i], is_bad[i], &counters, age}, now);
      }
    }
  }
}

// What is known is not found again, and its end is told once.
void MessageDesk::LookAtQueue(Watched* watched, const QueueLook& look, TimestampTz now) {
  if (!watched->Wants(look.event)) {
    return;
  }
  const policy::Incident* known = watched->episodes.Find(KeyOf(look.event, look.queue_id));
  const bool is_open = known != nullptr && known->is_open();
  if (!look.is_bad) {
    Good(watched, look.event, look.queue_id, now);
    return;
  }
  const bool is_news = !is_open || known->good_in_a_row > 0;
  const catalog::JobDefinition* job = is_news ? JobOf(look.queue_id) : nullptr;
  if (job != nullptr && IsAbout(*watched, *job)) {
    const Subject subject = SubjectOf(*job);
    Bad(watched, {look.event, subject, 0,
                  DetailsOfQueue(look.event, subject.name, *look.counters, look.age), now});
  }
}

void MessageDesk::Condition(AlertEvent event, bool is_bad, const std::string& details,
                            TimestampTz now) {
  for (Watched& watched : alerts_) {
    if (!watched.Wants(event)) {
      continue;
    }
    const policy::Incident* known = watched.episodes.Find(KeyOf(event, 0));
    const bool is_open = known != nullptr && known->is_open();
    if (is_bad && (!is_open || known->good_in_a_row > 0)) {
      Bad(&watched, {event, {0, std::string(policy::Name(event)), InvalidOid}, 0, details, now});
    } else if (!is_bad) {
      Good(&watched, event, 0, now);
    }
  }
}

bool MessageDesk::SenderIsDown(const policy::Moment& now) {
  bool is_behind = false;
  for (const catalog::Channel& channel : catalog::ListChannels()) {
    const TimestampTz first = channel.dead_since == 0 && !channel.quarantined
                                  ? catalog::FirstDueDelivery(channel.channel_id)
                                  : 0;
    is_behind = is_behind || (first != 0 && first < now.wall - kSenderGone &&
                              channel.rests_until < now.wall - kSenderGone);
  }
  if (!is_behind) {
    return false;
  }
  std::vector<board::SenderView> senders;
  board::ListSenders(MyDatabaseId, &senders);
  return std::none_of(senders.begin(), senders.end(), [&now](const board::SenderView& sender) {
    return sender.waits || now.steady - sender.called_at < kSenderGone;
  });
}

void MessageDesk::LookAtServer(const policy::Moment& now) {
  if (WantsAny(AlertEvent::kSenderDown)) {
    Condition(AlertEvent::kSenderDown, SenderIsDown(now),
              DetailsOfServer(AlertEvent::kSenderDown,
                              "messages wait for more than 2 minutes, and nobody delivers them"),
              now.wall);
  }
  if (!entry_->waits_for_worker) {
    short_since_ = {};
  } else if (!short_since_.IsSet()) {
    short_since_ = now.steady;
  }
  if (WantsAny(AlertEvent::kShort)) {
    Condition(AlertEvent::kShort, short_since_.IsSet() && now.steady - short_since_ > kShort,
              DetailsOfServer(AlertEvent::kShort,
                              "runs have waited for a worker for more than a minute: there are "
                              "too few of them (ratchet.max_workers), or runs take too long"),
              now.wall);
  }
  if (WantsAny(AlertEvent::kHorizon)) {
    const std::string who = pg::WhoHoldsHorizon(now.wall - kHorizon);
    Condition(AlertEvent::kHorizon, !who.empty(), DetailsOfServer(AlertEvent::kHorizon, who),
              now.wall);
  }
}

void MessageDesk::Purge(TimestampTz now) {
  const TimestampTz before = now - pg::settings.keep_history * calendar::kMinute;
  while (catalog::PurgeDeliveries(before, kPurgeSlice)) {
  }
  while (catalog::PurgeIncidents(before, kPurgeSlice)) {
  }
  catalog::PurgeSilences(before);
}

void MessageDesk::LookAround(const policy::Moment& now) {
  if (!alerts_.empty() && now.steady >= look_at_) {
    look_at_ = now.steady + kLooksEvery;
    LookAtQueues(now.wall);
    LookAtServer(now);
  }
  if (now.steady >= purge_at_) {
    purge_at_ = now.steady + kPurgesEvery;
    Purge(now.wall);
  }
}

bool MessageDesk::HasWork(const policy::Moment& now) const {
  return (LooksAround() && now.steady >= look_at_) || now.steady >= purge_at_ ||
         (!unwritten_.empty() && retry_at_ <= now.wall) ||
         std::any_of(alerts_.begin(), alerts_.end(),
                     [&now](const Watched& watched) { return watched.episodes.HasNews(now.wall); });
}

bool MessageDesk::LooksAround() const {
  constexpr AlertEvent kEvents[] = {AlertEvent::kBacklog, AlertEvent::kDead,
                                    AlertEvent::kSenderDown, AlertEvent::kShort,
                                    AlertEvent::kHorizon};
  return std::any_of(std::begin(kEvents), std::end(kEvents),
                     [this](AlertEvent event) { return WantsAny(event); });
}

TimestampTz MessageDesk::NextLook(const policy::Moment& now) const {
  TimestampTz next = calendar::kNever;
  for (const Watched& watched : alerts_) {
    next = std::min<TimestampTz>(next, watched.episodes.NextLook());
  }
  if (!unwritten_.empty()) {
    next = std::min(next, retry_at_);
  }
  if (LooksAround()) {
    next = std::min<TimestampTz>(next, now.wall + std::max<std::int64_t>(look_at_ - now.steady, 0));
  }
  return next;
}

}  // namespace ratchet::scheduler
