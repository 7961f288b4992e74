#include "policy/mutex_table.h"

namespace ratchet::policy {

std::uint32_t MutexTable::Find(std::string_view name) {
  if (name.empty()) {
    return 0;
  }
  const auto [found, is_new] =
      by_name_.emplace(std::string(name), static_cast<std::uint32_t>(mutexes_.size()));
  if (is_new) {
    mutexes_.emplace_back().name = name;
  }
  return found->second;
}

void MutexTable::Hold(std::uint32_t mutex, std::int64_t run_id) {
  mutexes_[mutex].holder = run_id;
  Update(mutex);
}

void MutexTable::Release(std::uint32_t mutex, std::int64_t run_id) {
  if (mutexes_[mutex].holder == run_id) {
    mutexes_[mutex].holder = 0;
    Update(mutex);
  }
}

void MutexTable::Wait(std::uint32_t mutex, const Waiter& waiter) {
  Mutex& it = mutexes_[mutex];
  RoleLine& line = it.line[waiter.role];
  const std::uint64_t arrival = ++arrivals_;
  if (line.by_turn.emplace(waiter.turn, Place{arrival, it.gone}).second) {
    line.by_arrival.emplace(arrival, waiter.turn);
  }
  Update(mutex);
}

void MutexTable::Leave(std::uint32_t mutex, const Waiter& waiter) {
  Erase(mutex, waiter.role, waiter.turn);
}

void MutexTable::Erase(std::uint32_t mutex, Role role, const Turn& turn) {
  Mutex& it = mutexes_[mutex];
  const auto line = it.line.find(role);
  if (line == it.line.end()) {
    return;
  }
  const auto place = line->second.by_turn.find(turn);
  if (place == line->second.by_turn.end()) {
    return;
  }
  line->second.by_arrival.erase(place->second.arrival);
  line->second.by_turn.erase(place);
  if (line->second.by_turn.empty()) {
    it.line.erase(line);
  }
  Update(mutex);
}

void MutexTable::Update(std::uint32_t mutex) {
  if (IsFree(mutex) && AnybodyWaits(mutex)) {
    open_.insert(mutex);
  } else {
    open_.erase(mutex);
  }
}

void MutexTable::Clear() {
  mutexes_.assign(1, Mutex());
  by_name_.clear();
  open_.clear();
}

}  // namespace ratchet::policy
