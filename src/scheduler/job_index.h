// From a job's id to its place in a table: eight to sixteen bytes a job, where a map of nodes takes
// fifty. Open addressing with linear probing; the keys stay in the table (Knuth, TAOCP 6.4,
// algorithms L and R).
#pragma once

#include <cstdint>
#include <vector>

namespace ratchet::scheduler {

class JobIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  std::size_t size() const { return size_; }
  void Clear() {
    slots_.clear();
    size_ = 0;
  }

  // key(place) is the id of the job at that place.
  template <typename Key>
  std::uint32_t Find(std::int64_t id, const Key& key) const {
    if (slots_.empty()) {
      return kNone;
    }
    for (std::size_t at = Home(id);; at = Next(at)) {
      if (slots_[at] == kNone || key(slots_[at]) == id) {
        return slots_[at];
      }
    }
  }

  // The id must not be there yet.
  template <typename Key>
  void Insert(std::uint32_t place, const Key& key) {
    if (2 * (size_ + 1) > slots_.size()) {
      Grow(key);
    }
    Put(place, key);
    size_++;
  }

  template <typename Key>
  void Erase(std::int64_t id, const Key& key) {
    std::size_t hole = Home(id);
    while (key(slots_[hole]) != id) {
      hole = Next(hole);
    }
    // Those behind it that could stand in the hole move up, so that no search ends there too soon.
    for (std::size_t at = Next(hole); slots_[at] != kNone; at = Next(at)) {
      const std::size_t home = Home(key(slots_[at]));
      const bool stays = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
      if (!stays) {
        slots_[hole] = slots_[at];
        hole = at;
      }
    }
    slots_[hole] = kNone;
    size_--;
  }

 private:
  std::size_t Home(std::int64_t id) const {
    // Ids come in sequence: the multiplication spreads them (Fibonacci hashing).
    return (static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15ULL >> 20) & (slots_.size() - 1);
  }
  std::size_t Next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  template <typename Key>
  void Put(std::uint32_t place, const Key& key) {
    std::size_t at = Home(key(place));
    while (slots_[at] != kNone) {
      at = Next(at);
    }
    slots_[at] = place;
  }

  template <typename Key>
  void Grow(const Key& key) {
    std::vector<std::uint32_t> old(slots_.empty() ? 16 : slots_.size() * 2, kNone);
    old.swap(slots_);
    for (const std::uint32_t place : old) {
      if (place != kNone) {
        Put(place, key);
      }
    }
  }

  std::vector<std::uint32_t> slots_;  // a power of two of them
  std::size_t size_ = 0;
};

}  // namespace ratchet::scheduler
