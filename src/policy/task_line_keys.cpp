// What a task waits for, apart from its turn: its time, and those of its ordering key.
#include "policy/task_line.h"

namespace ratchet::policy {

// Nothing of its key is before it.
void TaskLine::Unblocked(Place place, calendar::Instant due, std::int64_t since,
                         const Moment& now) {
  Record& record = records_[place];
  if (due <= now.wall) {
    Wait(place, since, now);
    return;
  }
  record.since = due;
  Enter(&record, State::kDelayed);
  due_.emplace(due, place);
}

void TaskLine::Block(Place place, calendar::Instant due) {
  Record& record = records_[place];
  record.since = due;
  Enter(&record, State::kBlocked);
  keys_[record.key].behind.Add(&records_, place);
}

// Of a key that which was enqueued first is first, whenever it was seen: a transaction may commit
// long after another one whose tasks have higher numbers.
void TaskLine::GetInLine(Place place, calendar::Instant due, std::int64_t since,
                         const Moment& now) {
  const Record& record = records_[place];
  if (record.key == kNone) {
    Unblocked(place, due, since, now);
    return;
  }
  Key& key = keys_[record.key];
  const Place head = key.head;
  if (head != kNone) {
    const Record& first = records_[head];
    if (first.state == State::kOut || first.id < record.id) {
      Block(place, due);
      return;
    }
    const calendar::Instant due_of_first = first.state == State::kDelayed ? first.since : 0;
    Leave(head, now);
    Block(head, due_of_first);
  }
  key.head = place;
  Unblocked(place, due, since, now);
}

// One that was out gets in line again.
void TaskLine::Again(Place place, calendar::Instant due, std::int64_t since, const Moment& now) {
  const Record& record = records_[place];
  if (record.expires_at != 0) {
    expiries_.emplace(record.expires_at, place);
  }
  if (record.key == kNone) {
    Unblocked(place, due, since, now);
  } else if (keys_[record.key].head != place) {
    Block(place, due);
  } else {
    const Place next = keys_[record.key].behind.First(records_);
    if (next != kNone && records_[next].id < record.id) {
      Block(place, due);
      NextOfKey(record.key, now);
    } else {
      Unblocked(place, due, since, now);
    }
  }
  TellGroup(record.group, now);
}

// Out of what it waits in. It keeps its key.
void TaskLine::Leave(Place place, const Moment& now) {
  Record& record = records_[place];
  switch (record.state) {
    case State::kWaiting:
      groups_[record.group].lanes[record.priority].tasks.Remove(&records_, place);
      TellLane(record.group, record.priority);
      TellGroup(record.group, now);
      break;
    case State::kDelayed:
      due_.erase({record.since, place});
      break;
    case State::kBlocked:
      keys_[record.key].behind.Remove(&records_, place);
      break;
    case State::kOut:
    case State::kFree:
      break;
  }
}

void TaskLine::LeaveLine(Place place, const Moment& now) {
  const Record& record = records_[place];
  Leave(place, now);
  if (record.expires_at != 0) {
    expiries_.erase({record.expires_at, place});
  }
  if (record.key != kNone && keys_[record.key].head == place) {
    NextOfKey(record.key, now);
  }
}

void TaskLine::NextOfKey(Place place, const Moment& now) {
  Key& key = keys_[place];
  const Place next = key.behind.First(records_);
  key.head = next;
  if (next == kNone) {
    key_names_.erase(key.name);
    free_keys_.push_back(place);
    return;
  }
  key.behind.Remove(&records_, next);
  Unblocked(next, records_[next].since, now.steady.micros, now);
}

void TaskLine::PromoteDue(const Moment& now) {
  for (int i = 0; i < kMostAtOnce && !due_.empty() && due_.begin()->first <= now.wall; i++) {
    const Place place = due_.begin()->second;
    due_.erase(due_.begin());
    Wait(place, now.steady.micros, now);
  }
}

}  // namespace ratchet::policy
