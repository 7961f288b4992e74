#include "policy/rate_window.h"

#include <algorithm>

namespace ratchet::policy {

void RateWindow::Started(const Rate& rate, SteadyTime now) {
  open_--;
  Forget(rate, now);
  started_++;
  if (!entries_.empty()) {
    Entry& last = entries_.back();
    const std::int64_t span = now - last.first;
    if (span == 0 || (entries_.size() >= kMostEntries && span <= rate.period / 1000)) {
      last.last = now;
      last.starts++;
      return;
    }
  }
  entries_.push_back({now, now, 1});
}

void RateWindow::Forget(const Rate& rate, SteadyTime now) {
  while (!entries_.empty() && now - entries_.front().last >= rate.period) {
    started_ -= entries_.front().starts;
    entries_.pop_front();
  }
}

std::int64_t RateWindow::Room(const Rate& rate, SteadyTime now) {
  Forget(rate, now);
  return std::max<std::int64_t>(0, rate.starts - open_ - started_);
}

SteadyTime RateWindow::NextRoom(const Rate& rate, SteadyTime now) {
  if (Room(rate, now) > 0) {
    return now;
  }
  std::int64_t room = rate.starts - open_ - started_;  // less than one: some have to go
  for (const Entry& entry : entries_) {
    room += entry.starts;
    if (room > 0) {
      return entry.last + rate.period;
    }
  }
  return kNeverSteady;
}

SteadyTime RateWindow::IdleFrom(const Rate& rate, SteadyTime now) {
  Forget(rate, now);
  if (open_ > 0) {
    return kNeverSteady;
  }
  return entries_.empty() ? kNoSteadyTime : entries_.back().last + rate.period;
}

}  // namespace ratchet::policy
