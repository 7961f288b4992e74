// When a batch that others stood in the way of is tried again, and when no more.
#pragma once

#include <cstdint>
#include <random>

namespace ratchet::policy {

// Times in microseconds.
class BatchRetry {
 public:
  // A batch that finds rows locked, or loses against other transactions, is tried again for so long
  // without progress.
  static constexpr std::int64_t kLongest = 600'000'000;
  static constexpr std::int64_t kFirstWait = 20'000;
  static constexpr std::int64_t kLongestWait = 5'000'000;

  explicit BatchRetry(std::uint64_t seed) : random_(static_cast<std::mt19937::result_type>(seed)) {}

  // An attempt was in vain. False when it has been tried for long enough.
  bool MayTryAgain(std::int64_t now);
  // How long to wait before the next attempt: longer each time, and never the same as somebody else
  // who collided at the same moment.
  std::int64_t NextWait();
  // After an attempt that others have cut short, but not without success.
  std::int64_t ShortWait() { return Scattered(kFirstWait); }
  // Something was committed.
  void Progressed() { attempts_ = 0; }

 private:
  std::int64_t Scattered(std::int64_t wait);

  std::mt19937 random_;
  int attempts_ = 0;  // in vain, since the last progress
  std::int64_t since_ = 0;
};

}  // namespace ratchet::policy
