// A set of tasks that costs a bit for each where their numbers lie close together, as those of a
// queue do: there may be millions of which nothing is known but that they are there. In the order
// of the numbers, in which their rows are read.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>

namespace ratchet::policy {

class TaskSet {
 public:
  // Numbers are not negative. Whether it was not there.
  bool Insert(std::int64_t id) {
    Part& part = parts_[PartOf(id)];
    std::uint64_t& word = part.words[WordOf(id)];
    if ((word & BitOf(id)) != 0) {
      return false;
    }
    word |= BitOf(id);
    part.count++;
    size_++;
    return true;
  }

  // Whether it was there.
  bool Erase(std::int64_t id) {
    const auto part = parts_.find(PartOf(id));
    if (part == parts_.end() || (part->second.words[WordOf(id)] & BitOf(id)) == 0) {
      return false;
    }
    part->second.words[WordOf(id)] &= ~BitOf(id);
    size_--;
    if (--part->second.count == 0) {
      parts_.erase(part);
    }
    return true;
  }

  // All of the other one.
  void Add(const TaskSet& other) {
    for (const auto& [number, part] : other.parts_) {
      Part& own = parts_[number];
      for (std::size_t i = 0; i < own.words.size(); i++) {
        const int more = std::popcount(part.words[i] & ~own.words[i]);
        own.words[i] |= part.words[i];
        own.count += more;
        size_ += more;
      }
    }
  }

  bool Contains(std::int64_t id) const {
    const auto part = parts_.find(PartOf(id));
    return part != parts_.end() && (part->second.words[WordOf(id)] & BitOf(id)) != 0;
  }

  // The lowest numbers, up to `most` of them, as a range to be read: those between them that are
  // not there are few. Both ends are there. Not when it is empty.
  struct Range {
    std::int64_t first;
    std::int64_t last;
  };
  Range First(int most) const {
    Range range{-1, -1};
    for (const auto& [number, part] : parts_) {
      for (std::size_t i = 0; i < part.words.size(); i++) {
        for (std::uint64_t left = part.words[i]; left != 0; left &= left - 1) {
          const std::int64_t id =
              (number * kWords + static_cast<std::int64_t>(i)) * kWordBits + __builtin_ctzll(left);
          if (range.first < 0) {
            range.first = id;
          } else if (most <= 0 || id - range.last > kFarApart) {
            return range;
          }
          range.last = id;
          most--;
        }
      }
    }
    return range;
  }

  // Those within the range are not there any more.
  void EraseRange(const Range& range) {
    for (std::int64_t id = range.first; id <= range.last; id++) {
      Erase(id);
    }
  }

  std::int64_t size() const { return size_; }
  bool IsEmpty() const { return size_ == 0; }
  void Clear() {
    parts_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::int64_t kWords = 16;
  static constexpr std::int64_t kWordBits = 64;
  // Rows of other queues that are read in vain cost more than another look into the index.
  static constexpr std::int64_t kFarApart = 32;
  struct Part {
    std::array<std::uint64_t, kWords> words{};
    std::int32_t count = 0;
  };

  static std::int64_t PartOf(std::int64_t id) { return id / (kWords * kWordBits); }
  static std::size_t WordOf(std::int64_t id) {
    return static_cast<std::size_t>(id / kWordBits % kWords);
  }
  static std::uint64_t BitOf(std::int64_t id) {
    return std::uint64_t{1} << (static_cast<std::uint64_t>(id) % kWordBits);
  }

  std::map<std::int64_t, Part> parts_;
  std::int64_t size_ = 0;
};

}  // namespace ratchet::policy
