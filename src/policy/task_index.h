// From the id of a task to the place of its record, at some ten bytes for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ratchet::policy {

// A hash table with linear probing, of nothing but places: what is at one is asked of the caller,
// id_at(place), so that no id is kept twice.
class TaskIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  template <typename IdAt>
  std::uint32_t Find(std::int64_t id, const IdAt& id_at) const {
    if (slots_.empty()) {
      return kNone;
    }
    for (std::size_t i = HomeOf(id);; i = Next(i)) {
      if (slots_[i] == kNone || id_at(slots_[i]) == id) {
        return slots_[i];
      }
    }
  }

  // The id is not in the table yet.
  template <typename IdAt>
  void Add(std::int64_t id, std::uint32_t place, const IdAt& id_at) {
    if ((count_ + 1) * 10 > slots_.size() * 7) {
      Grow(id_at);
    }
    Put(id, place);
    count_++;
  }

  template <typename IdAt>
  void Remove(std::int64_t id, const IdAt& id_at) {
    std::size_t hole = HomeOf(id);
    while (id_at(slots_[hole]) != id) {
      hole = Next(hole);
    }
    // What was pushed away by others moves up, so that no search ends at the hole.
    for (std::size_t i = Next(hole); slots_[i] != kNone; i = Next(i)) {
      const std::size_t home = HomeOf(id_at(slots_[i]));
      if (((i - home) & (slots_.size() - 1)) >= ((i - hole) & (slots_.size() - 1))) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole] = kNone;
    count_--;
  }

  void Clear() {
    slots_ = {};
    count_ = 0;
  }

 private:
  std::size_t Next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
  // Ids come from a sequence: neighbours are spread by the upper bits of a product.
  std::size_t HomeOf(std::int64_t id) const {
    return static_cast<std::size_t>((static_cast<std::uint64_t>(id) * 0x9E3779B97F4A7C15U) >> 20) &
           (slots_.size() - 1);
  }
  void Put(std::int64_t id, std::uint32_t place) {
    std::size_t i = HomeOf(id);
    while (slots_[i] != kNone) {
      i = Next(i);
    }
    slots_[i] = place;
  }
  template <typename IdAt>
  void Grow(const IdAt& id_at) {
    std::vector<std::uint32_t> old(slots_.empty() ? 16 : slots_.size() * 2, kNone);
    old.swap(slots_);
    for (const std::uint32_t place : old) {
      if (place != kNone) {
        Put(id_at(place), place);
      }
    }
  }

  std::vector<std::uint32_t> slots_;  // as many as a power of two
  std::size_t count_ = 0;
};

}  // namespace ratchet::policy
