// Which task goes next.
#include <algorithm>

#include "policy/task_line.h"

namespace ratchet::policy {

void TaskLine::Wait(Place place, std::int64_t since, const Moment& now) {
  Record& record = records_[place];
  record.since = since;
  Enter(&record, State::kWaiting);
  groups_[record.group].lanes[record.priority].tasks.Add(&records_, place);
  TellLane(record.group, record.priority);
  TellGroup(record.group, now);
}

// What is known of the lane elsewhere goes by its first task.
void TaskLine::TellLane(Place group, std::int32_t priority) {
  Group& owner = groups_[group];
  const auto found = owner.lanes.find(priority);
  Lane& lane = found->second;
  const Place first = lane.tasks.First(records_);
  if (lane.is_told) {
    if (first != kNone && records_[first].since == lane.told) {
      return;
    }
    ages_.erase({lane.told, group, priority});
    owner.offers.erase({ScoreOf(lane.told, priority), priority});
    lane.is_told = false;
  }
  if (first == kNone) {
    owner.lanes.erase(found);
    return;
  }
  lane.told = records_[first].since;
  lane.is_told = true;
  ages_.emplace(lane.told, group, priority);
  owner.offers.emplace(ScoreOf(lane.told, priority), priority);
}

std::int64_t TaskLine::RoomOf(RateWindow* window, const Moment& now) const {
  if (rules_.rate.starts == 0) {
    return INT64_MAX;
  }
  if (now.steady < blind_until_) {
    return 0;
  }
  return window == nullptr ? rules_.rate.starts : window->Room(rules_.rate, now.steady);
}

SteadyTime TaskLine::RoomFrom(RateWindow* window, const Moment& now) const {
  if (rules_.rate.starts == 0) {
    return now.steady;
  }
  const SteadyTime room =
      window == nullptr ? now.steady : window->NextRoom(rules_.rate, now.steady);
  return std::max(room, blind_until_);
}

RateWindow* TaskLine::WindowOf(const Record& record) {
  return rules_.rate_per_group ? groups_[record.group].window.get() : &window_;
}

bool TaskLine::MayGo(Place place, const Moment& now) {
  Group& group = groups_[place];
  if (group.offers.empty() || (rules_.per_group > 0 && group.out >= rules_.per_group)) {
    return false;
  }
  if (!rules_.rate_per_group || RoomOf(group.window.get(), now) > 0) {
    return true;
  }
  WakeAt(place, RoomFrom(group.window.get(), now));
  return false;
}

// Whatever has changed of it: whether it has a turn, when it is to be looked at again, whether it
// is one still.
void TaskLine::TellGroup(Place place, const Moment& now) {
  Group& group = groups_[place];
  WakeAt(place, kNoSteadyTime);
  if (group.tasks == 0) {
    Unoffer(place);
    const SteadyTime idle = group.window == nullptr || rules_.rate.starts == 0
                                ? kNoSteadyTime
                                : group.window->IdleFrom(rules_.rate, now.steady);
    if (!idle.IsSet()) {
      FreeGroup(place);
    } else {
      WakeAt(place, idle);
    }
    return;
  }
  if (!MayGo(place, now)) {
    Unoffer(place);
    return;
  }
  const auto [score, priority] = *group.offers.begin();
  if (!group.is_offered || group.priority != priority) {
    Unoffer(place);
    Offer(place);
  } else if (group.score != score) {
    offers_.erase({group.score, place});
    group.score = score;
    offers_.emplace(score, place);
  }
}

void TaskLine::FreeGroup(Place place) {
  group_names_.erase(groups_[place].name);
  groups_[place] = Group();
  free_groups_.push_back(place);
}

// At the end of the ring of its priority.
void TaskLine::Offer(Place place) {
  Group& group = groups_[place];
  std::tie(group.score, group.priority) = *group.offers.begin();
  group.is_offered = true;
  offers_.emplace(group.score, place);
  Ring& ring = rings_[group.priority];
  group.prev = ring.tail;
  group.next = kNone;
  (ring.tail == kNone ? ring.head : groups_[ring.tail].next) = place;
  ring.tail = place;
}

void TaskLine::Unoffer(Place place) {
  Group& group = groups_[place];
  if (!group.is_offered) {
    return;
  }
  group.is_offered = false;
  offers_.erase({group.score, place});
  const auto ring = rings_.find(group.priority);
  (group.prev == kNone ? ring->second.head : groups_[group.prev].next) = group.next;
  (group.next == kNone ? ring->second.tail : groups_[group.next].prev) = group.prev;
  if (ring->second.head == kNone) {
    rings_.erase(ring);
  }
}

void TaskLine::WakeAt(Place place, SteadyTime time) {
  Group& group = groups_[place];
  auto& times = group.tasks == 0 ? fading_ : wakes_;
  if (group.wakes.IsSet()) {
    wakes_.erase({group.wakes, place});
    fading_.erase({group.wakes, place});
  }
  group.wakes = time == kNeverSteady ? kNoSteadyTime : time;
  if (group.wakes.IsSet()) {
    times.emplace(time, place);
  }
}

void TaskLine::WakeGroups(const Moment& now) {
  for (auto* times : {&wakes_, &fading_}) {
    for (int i = 0; i < kMostAtOnce && !times->empty() && times->begin()->first <= now.steady;
         i++) {
      TellGroup(times->begin()->second, now);
    }
  }
}

// The first of the group whose turn it is, in the priority whose oldest task is nearest.
TaskLine::Place TaskLine::NextTask() const {
  if (offers_.empty()) {
    return kNone;
  }
  const std::int32_t priority = groups_[offers_.begin()->second].priority;
  const Group& group = groups_[rings_.at(priority).head];
  return group.lanes.at(priority).tasks.First(records_);
}

void TaskLine::Take(Place place, const Moment& now) {
  Record& record = records_[place];
  Group& group = groups_[record.group];
  const std::int32_t best = rings_.empty() ? record.priority : rings_.begin()->first;
  if (record.priority > std::min(best, group.lanes.begin()->first)) {
    counts_.aged++;
  }
  Unoffer(record.group);  // and to the end of the ring
  group.lanes[record.priority].tasks.Remove(&records_, place);
  TellLane(record.group, record.priority);
  Enter(&record, State::kOut);
  group.out++;
  record.granted = true;
  if (rules_.rate.starts > 0) {
    if (rules_.rate_per_group && group.window == nullptr) {
      group.window = std::make_unique<RateWindow>();
    }
    WindowOf(record)->Open();
    record.opened = true;
  }
  if (record.expires_at != 0) {
    expiries_.erase({record.expires_at, place});
  }
  TellGroup(record.group, now);
}

int TaskLine::Grant(int most, const Moment& now, std::vector<Granted>* out, bool with_alone) {
  PromoteDue(now);
  WakeGroups(now);
  const std::int64_t room = rules_.rate_per_group ? INT64_MAX : RoomOf(&window_, now);
  most = static_cast<int>(std::min<std::int64_t>(most, room));
  int granted = 0;
  std::vector<std::int64_t> passed_over;
  while (granted < most) {
    const Place place = NextTask();
    if (place == kNone) {
      break;
    }
    Record& record = records_[place];
    if (record.expires_at != 0 && record.expires_at <= now.wall) {
      expiries_.erase({record.expires_at, place});
      Leave(place, now);
      Enter(&record, State::kOut);  // and keeps its key waiting until it is Finished
      expired_.push_back(place);
      continue;
    }
    const bool alone = record.alone;
    if (alone && with_alone && granted > 0) {
      break;
    }
    Take(place, now);
    if (alone && !with_alone) {
      passed_over.push_back(record.id);
      continue;
    }
    out->push_back({record.id, record.row, alone});
    granted++;
    if (alone) {
      break;
    }
  }
  for (const std::int64_t id : passed_over) {
    Back(id, Begun::kNo, now);
  }
  return granted;
}

void TaskLine::GrantThese(const std::vector<std::int64_t>& ids, const Moment& now,
                          std::vector<Granted>* out) {
  for (const std::int64_t id : ids) {
    const Place place = Find(id);
    if (place == kNone || records_[place].state != State::kWaiting ||
        !MayGo(records_[place].group, now) ||
        (!rules_.rate_per_group && RoomOf(&window_, now) <= 0)) {
      continue;
    }
    const Record& record = records_[place];
    Take(place, now);
    out->push_back({record.id, record.row, record.alone});
  }
}

bool TaskLine::HasGrant(const Moment& now) {
  PromoteDue(now);
  WakeGroups(now);
  return !offers_.empty() && (rules_.rate_per_group || RoomOf(&window_, now) > 0);
}

bool TaskLine::RestsForRate(const Moment& now) { return counts_.waiting > 0 && !HasGrant(now); }

std::int64_t TaskLine::NextLook(const Moment& now) {
  if (!expired_.empty()) {
    return 0;
  }
  std::int64_t next = INT64_MAX;
  for (const auto* times : {&due_, &expiries_}) {
    if (!times->empty()) {
      const calendar::Instant first = times->begin()->first;
      next = std::min(next, first <= now.wall ? 0 : first - now.wall);
    }
  }
  SteadyTime wakes = wakes_.empty() ? kNeverSteady : wakes_.begin()->first;
  if (!offers_.empty() && !rules_.rate_per_group && RoomOf(&window_, now) == 0) {
    wakes = std::min(wakes, RoomFrom(&window_, now));
  }
  if (wakes != kNeverSteady) {
    next = std::min(next, wakes - now.steady);
  }
  return std::max<std::int64_t>(next, 0);
}

std::int64_t TaskLine::OldestWait(const Moment& now) const {
  return ages_.empty() ? 0
                       : std::max<std::int64_t>(now.steady.micros - std::get<0>(*ages_.begin()), 0);
}

void TaskLine::SetRules(const Rules& rules, const Moment& now) {
  if (rules == rules_) {
    return;
  }
  const bool other_kind = rules.rate_per_group != rules_.rate_per_group || rules.rate.starts == 0;
  if (other_kind) {
    window_ = {};
    for (Record& record : records_) {
      record.opened = false;
    }
  }
  std::vector<Place> all;
  all.reserve(group_names_.size());
  for (const auto& [name, place] : group_names_) {
    all.push_back(place);
  }
  for (const Place place : all) {
    Group& group = groups_[place];
    Unoffer(place);
    group.offers.clear();
    if (other_kind) {
      group.window.reset();
    }
    for (const auto& [priority, lane] : group.lanes) {
      group.offers.emplace(lane.told + static_cast<std::int64_t>(priority) * rules.ageing,
                           priority);
    }
  }
  rules_ = rules;
  for (const Place place : all) {
    TellGroup(place, now);
  }
}

}  // namespace ratchet::policy
