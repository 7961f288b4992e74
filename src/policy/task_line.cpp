#include "policy/task_line.h"

#include <algorithm>

namespace ratchet::policy {

TaskLine::TaskLine(const Rules& rules, SteadyTime blind_until)
    : rules_(rules), blind_until_(blind_until) {}

TaskLine::Place TaskLine::FindOut(std::int64_t id) const {
  const Place place = Find(id);
  return place != kNone && records_[place].state == State::kOut ? place : kNone;
}

bool TaskLine::IsOut(std::int64_t id) const { return FindOut(id) != kNone; }

bool TaskLine::IsKeyed(std::int64_t id) const {
  const Place place = Find(id);
  return place != kNone && records_[place].key != kNone;
}

std::int64_t& TaskLine::CountOf(State state) {
  switch (state) {
    case State::kWaiting:
      return counts_.waiting;
    case State::kDelayed:
      return counts_.delayed;
    case State::kBlocked:
      return counts_.blocked;
    case State::kOut:
    case State::kFree:
      break;
  }
  return counts_.out;
}

void TaskLine::Enter(Record* record, State state) {
  if (record->state != State::kFree) {
    CountOf(record->state)--;
  }
  if (record->state == State::kWaiting && --waiting_[record->priority] == 0) {
    waiting_.erase(record->priority);
  }
  if (state != State::kFree) {
    CountOf(state)++;
  }
  if (state == State::kWaiting) {
    waiting_[record->priority]++;
  }
  record->state = state;
}

namespace {

// The place of the thing with this name, which is made if there is none.
template <typename Thing>
std::uint32_t PlaceOf(std::uint64_t name, std::unordered_map<std::uint64_t, std::uint32_t>* names,
                      std::deque<Thing>* things, std::vector<std::uint32_t>* free) {
  const auto [found, is_new] = names->emplace(name, 0);
  if (is_new) {
    if (free->empty()) {
      free->push_back(static_cast<std::uint32_t>(things->size()));
      things->emplace_back();
    }
    found->second = free->back();
    free->pop_back();
    (*things)[found->second].name = name;
  }
  return found->second;
}

}  // namespace

TaskLine::Place TaskLine::Create(const Task& task) {
  Place place = free_records_;
  if (place == kNone) {
    place = static_cast<Place>(records_.size());
    records_.emplace_back();
  } else {
    free_records_ = records_[place].next;
  }
  Record& record = records_[place];
  record = {};
  record.id = task.id;
  record.row = task.row;
  record.expires_at = task.expires_at;
  record.alone = task.alone;
  record.priority = task.priority;
  record.key =
      task.ordering_key == 0 ? kNone : PlaceOf(task.ordering_key, &key_names_, &keys_, &free_keys_);
  record.group = PlaceOf(task.group_key, &group_names_, &groups_, &free_groups_);
  record.prev = kNone;
  record.next = kNone;
  groups_[record.group].tasks++;
  index_.Add(task.id, place, IdAt());
  known_++;
  return place;
}

// It is in no line any more.
void TaskLine::Forget(Place place, const Moment& now) {
  Record& record = records_[place];
  const Place group = record.group;
  Enter(&record, State::kFree);
  index_.Remove(record.id, IdAt());
  record.next = free_records_;
  free_records_ = place;
  groups_[group].tasks--;
  TellGroup(group, now);
  if (--known_ == 0) {
    // Who has had millions does not keep their memory for ever.
    records_ = {};
    free_records_ = kNone;
    index_.Clear();
  }
}

void TaskLine::Add(const Task& task, const Moment& now, std::int64_t waited) {
  std::int64_t since = now.steady.micros - waited;
  bool alone = task.alone;
  if (const Place known = Find(task.id); known != kNone) {
    const Record& record = records_[known];
    if (record.state == State::kOut) {
      return;
    }
    alone = alone || record.alone;
    if (record.state == State::kWaiting) {
      since = std::min(since, record.since);
    }
    Remove(task.id, now);
  }
  const Place place = Create(task);
  records_[place].alone = alone;
  if (task.expires_at != 0) {
    expiries_.emplace(task.expires_at, place);
  }
  GetInLine(place, task.run_at, since, now);
}

void TaskLine::SetAlone(std::int64_t id, bool alone) {
  if (const Place place = Find(id); place != kNone) {
    records_[place].alone = alone;
  }
}

void TaskLine::SetRow(std::int64_t id, const TaskRow& row) {
  if (const Place place = Find(id); place != kNone) {
    records_[place].row = row;
  }
}

void TaskLine::AddLast(const Task& task, const Moment& now, std::int64_t waited) {
  const auto group = group_names_.find(task.group_key);
  if (group != group_names_.end()) {
    const auto& lanes = groups_[group->second].lanes;
    const auto lane = lanes.find(task.priority);
    const Place last = lane != lanes.end() ? lane->second.tasks.Last() : kNone;
    if (last != kNone) {
      waited = std::min(waited, now.steady.micros - records_[last].since);
    }
  }
  Add(task, now, waited);
}

void TaskLine::AddOut(const Task& task, const Moment& now) {
  if (IsOut(task.id)) {
    return;
  }
  Remove(task.id, now);
  const Place place = Create(task);
  Record& record = records_[place];
  record.since = now.steady.micros;
  record.granted = true;
  Enter(&record, State::kOut);
  groups_[record.group].out++;
  if (record.key != kNone) {
    Key& key = keys_[record.key];
    const Place before = key.head;
    if (before == kNone || records_[before].state != State::kOut) {
      key.head = place;
    }
    if (before != kNone && key.head == place) {
      const bool is_delayed = records_[before].state == State::kDelayed;
      const calendar::Instant due = is_delayed ? records_[before].since : 0;
      Leave(before, now);
      Block(before, due);
    }
  }
  TellGroup(record.group, now);
}

void TaskLine::Remove(std::int64_t id, const Moment& now) {
  const Place place = Find(id);
  if (place != kNone && records_[place].state != State::kOut) {
    LeaveLine(place, now);
    Forget(place, now);
  }
}

void TaskLine::ForgetAllButOut(const Moment& now) {
  for (std::size_t i = 0; known_ > 0 && i < records_.size(); i++) {
    const auto place = static_cast<Place>(i);
    Record& record = records_[place];
    if (record.state == State::kBlocked || record.state == State::kWaiting ||
        record.state == State::kDelayed) {
      LeaveLine(place, now);
      Forget(place, now);
    }
  }
}

void TaskLine::TakeExpired(int most, const Moment& now, std::vector<std::int64_t>* out) {
  for (; most > 0 && !expired_.empty(); most--) {
    out->push_back(records_[expired_.back()].id);
    expired_.pop_back();
  }
  for (; most > 0 && !expiries_.empty() && expiries_.begin()->first <= now.wall; most--) {
    const Place place = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    Leave(place, now);
    records_[place].since = now.steady.micros;
    Enter(&records_[place], State::kOut);
    out->push_back(records_[place].id);
  }
}

void TaskLine::LetGo(Record* record, Begun begun, const Moment& now) {
  if (record->opened) {
    RateWindow* window = WindowOf(*record);
    if (begun == Begun::kNo) {
      window->Dropped();
    } else {
      window->Started(rules_.rate, now.steady);
    }
    record->opened = false;
  }
  if (record->granted) {
    groups_[record->group].out--;
    record->granted = false;
  }
}

void TaskLine::Started(std::int64_t id, const Moment& now) {
  const Place place = FindOut(id);
  if (place != kNone && records_[place].opened) {
    records_[place].opened = false;
    WindowOf(records_[place])->Started(rules_.rate, now.steady);
    TellGroup(records_[place].group, now);
  }
}

void TaskLine::Finished(std::int64_t id, const Moment& now) {
  const Place place = FindOut(id);
  if (place == kNone) {
    return;
  }
  Record& record = records_[place];
  if (!record.granted) {
    std::erase(expired_, place);
  }
  LetGo(&record, Begun::kPerhaps, now);
  if (record.key != kNone && keys_[record.key].head == place) {
    NextOfKey(record.key, now);
  }
  Forget(place, now);
}

void TaskLine::Back(std::int64_t id, Begun begun, const Moment& now) {
  const Place place = FindOut(id);
  if (place != kNone) {
    LetGo(&records_[place], begun, now);
    Again(place, 0, records_[place].since, now);
  }
}

void TaskLine::Delay(std::int64_t id, calendar::Instant run_at, const Moment& now) {
  const Place place = FindOut(id);
  if (place != kNone) {
    LetGo(&records_[place], Begun::kPerhaps, now);
    Again(place, run_at, now.steady.micros, now);
  }
}

}  // namespace ratchet::policy
