// A set of tasks that costs a bit for each where their numbers lie close together, as those of a
// queue do: there may be millions of which nothing is known but that they are there.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

namespace ratchet::policy {

class TaskSet {
 public:
  // Whether it was not there.
  bool Insert(std::int64_t id) {
    std::uint64_t& word = parts_[PartOf(id)][WordOf(id)];
    const bool is_new = (word & BitOf(id)) == 0;
    word |= BitOf(id);
    size_ += is_new ? 1 : 0;
    return is_new;
  }
  // Whether it was there.
  bool Erase(std::int64_t id) {
    const auto part = parts_.find(PartOf(id));
    if (part == parts_.end() || (part->second[WordOf(id)] & BitOf(id)) == 0) {
      return false;
    }
    part->second[WordOf(id)] &= ~BitOf(id);
    size_--;
    for (const std::uint64_t word : part->second) {
      if (word != 0) {
        return true;
      }
    }
    parts_.erase(part);
    return true;
  }
  std::int64_t size() const { return size_; }
  void Clear() {
    parts_.clear();
    size_ = 0;
  }

 private:
  static constexpr int kWords = 8;
  static constexpr std::int64_t kWordBits = 64;
  using Part = std::array<std::uint64_t, kWords>;

  // Numbers of tasks are not negative.
  static std::int64_t PartOf(std::int64_t id) { return id / (kWords * kWordBits); }
  static std::size_t WordOf(std::int64_t id) {
    return static_cast<std::size_t>(id / kWordBits % kWords);
  }
  static std::uint64_t BitOf(std::int64_t id) { return std::uint64_t{1} << (id % kWordBits); }

  std::unordered_map<std::int64_t, Part> parts_;
  std::int64_t size_ = 0;
};

}  // namespace ratchet::policy
