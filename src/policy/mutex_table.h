// Mutexes: who holds them, and who waits for them.
//
// What waits for a mutex is in the mutex's line, in no other one, so that it holds up nobody else.
// The line has a part for each role, because a role may have no worker to spare while another one
// has: the first in order whose role has room goes next.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/turn.h"

namespace ratchet::policy {

class MutexTable {
 public:
  using Role = std::uint32_t;

  // Whoever was there already is passed over so often at most.
  static constexpr std::uint64_t kMostPassed = 16;

  struct Waiter {
    Role role;
    Turn turn;
  };

  // The number of the mutex of this name; 0 for an empty name: no mutex.
  std::uint32_t Find(std::string_view name);
  const std::string& NameOf(std::uint32_t mutex) const { return mutexes_[mutex].name; }

  bool IsFree(std::uint32_t mutex) const { return mutexes_[mutex].holder == 0; }
  void Hold(std::uint32_t mutex, std::int64_t run_id);
  // Nothing, unless it is this run that holds it.
  void Release(std::uint32_t mutex, std::int64_t run_id);

  void Wait(std::uint32_t mutex, const Waiter& waiter);
  // Gives its place up. Nothing, if it has none.
  void Leave(std::uint32_t mutex, const Waiter& waiter);
  // Takes out who goes next among the roles for which has_room(role); nullopt when there is nobody.
  // That is the first in order; but who was passed over kMostPassed times goes before.
  template <typename HasRoom>
  std::optional<Waiter> TakeNext(std::uint32_t mutex, HasRoom has_room);

  // Mutexes that are free while somebody waits for them.
  const std::set<std::uint32_t>& open() const { return open_; }
  bool AnybodyWaits(std::uint32_t mutex) const { return !mutexes_[mutex].line.empty(); }

  void Clear();

 private:
  struct Place {
    std::uint64_t arrival;
    std::uint64_t passed_from;  // how many had gone when it came
  };
  struct RoleLine {
    std::map<Turn, Place> by_turn;
    std::map<std::uint64_t, Turn> by_arrival;
  };
  struct Mutex {
    std::string name;
    std::int64_t holder = 0;  // run, 0: free
    std::uint64_t gone = 0;   // how many of its line have had their turn
    std::map<Role, RoleLine> line;
  };

  void Update(std::uint32_t mutex);
  void Erase(std::uint32_t mutex, Role role, const Turn& turn);

  std::vector<Mutex> mutexes_{1};  // [0]: no mutex
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::set<std::uint32_t> open_;
  std::uint64_t arrivals_ = 0;
};

template <typename HasRoom>
std::optional<MutexTable::Waiter> MutexTable::TakeNext(std::uint32_t mutex, HasRoom has_room) {
  Mutex& it = mutexes_[mutex];
  std::optional<Waiter> first;
  std::optional<Waiter> oldest;
  std::uint64_t oldest_arrival = 0;
  for (const auto& [role, line] : it.line) {
    if (!has_room(role)) {
      continue;
    }
    const Turn& turn = line.by_turn.begin()->first;
    if (!first || turn < first->turn) {
      first = Waiter{role, turn};
    }
    const auto& [arrival, old] = *line.by_arrival.begin();
    if (it.gone - line.by_turn.at(old).passed_from >= kMostPassed &&
        (!oldest || arrival < oldest_arrival)) {
      oldest = Waiter{role, old};
      oldest_arrival = arrival;
    }
  }
  const std::optional<Waiter> next = oldest ? oldest : first;
  if (next) {
    it.gone++;
    Erase(mutex, next->role, next->turn);
  }
  return next;
}

}  // namespace ratchet::policy
