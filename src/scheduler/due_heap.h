// A binary heap of jobs by the instant at which something is to be done about them. Each job knows
// its place, so that a change of its instant costs a few comparisons.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace ratchet::scheduler {

class DueHeap {
 public:
  // Tells the owner of the jobs where each one is: place(job, position or kAbsent).
  static constexpr std::int32_t kAbsent = -1;

  struct Entry {
    std::int64_t due;
    std::uint32_t job;
  };

  bool empty() const { return entries_.empty(); }
  const Entry& top() const { return entries_.front(); }

  template <typename Positions>
  void Set(Positions& positions, std::uint32_t job, std::int64_t due) {
    std::int32_t at = positions(job);
    if (at == kAbsent) {
      at = static_cast<std::int32_t>(entries_.size());
      entries_.push_back({due, job});
    }
    entries_[at].due = due;
    positions(job) = at;
    if (!Up(positions, at)) {
      Down(positions, at);
    }
  }

  template <typename Positions>
  void Remove(Positions& positions, std::uint32_t job) {
    const std::int32_t at = positions(job);
    if (at == kAbsent) {
      return;
    }
    positions(job) = kAbsent;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (static_cast<std::size_t>(at) < entries_.size()) {
      entries_[at] = last;
      positions(last.job) = at;
      if (!Up(positions, at)) {
        Down(positions, at);
      }
    }
  }

  void Clear() { entries_.clear(); }

 private:
  template <typename Positions>
  bool Up(Positions& positions, std::int32_t at) {
    bool moved = false;
    while (at > 0) {
      const std::int32_t parent = (at - 1) / 2;
      if (entries_[parent].due <= entries_[at].due) {
        break;
      }
      Swap(positions, at, parent);
      at = parent;
      moved = true;
    }
    return moved;
  }

  template <typename Positions>
  void Down(Positions& positions, std::int32_t at) {
    const auto size = static_cast<std::int32_t>(entries_.size());
    while (true) {
      std::int32_t least = at;
      for (std::int32_t child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++) {
        if (entries_[child].due < entries_[least].due) {
          least = child;
        }
      }
      if (least == at) {
        return;
      }
      Swap(positions, at, least);
      at = least;
    }
  }

  template <typename Positions>
  void Swap(Positions& positions, std::int32_t a, std::int32_t b) {
    std::swap(entries_[a], entries_[b]);
    positions(entries_[a].job) = a;
    positions(entries_[b].job) = b;
  }

  std::vector<Entry> entries_;
};

}  // namespace ratchet::scheduler
