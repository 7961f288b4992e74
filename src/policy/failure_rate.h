// How many of the items are bad, here and now.
#pragma once

#include <array>
#include <cstdint>

namespace ratchet::policy {

// Bad items come in regions, so the estimate has no time constant in items: it looks at the gaps
// between the last failures, however wide they are.
class FailureRate {
 public:
  void Good(std::int64_t items) { gap_ += static_cast<double>(items); }
  void Bad();
  // 0 while nothing has ever failed.
  double value() const;

 private:
  // Gaps count the bad item that ends them.
  static constexpr int kLast = 3;

  double failures_ = 0;  // weighted; the latest counts 1
  double items_ = 100;  // weighted likewise; what it starts with is the prior: they are mostly good
  double gap_ = 0;      // good ones since the last failure
  std::array<double, kLast> last_gaps_{};
  int seen_ = 0;
};

}  // namespace ratchet::policy
