#include "policy/batch_retry.h"

#include <algorithm>

namespace ratchet::policy {

bool BatchRetry::MayTryAgain(std::int64_t now) {
  if (attempts_ == 0) {
    since_ = now;
  }
  return now - since_ <= kLongest;
}

std::int64_t BatchRetry::NextWait() {
  const std::int64_t wait = std::min(kFirstWait << std::min(attempts_, 20), kLongestWait);
  attempts_++;
  return Scattered(wait);
}

std::int64_t BatchRetry::Scattered(std::int64_t wait) {
  return std::uniform_int_distribution<std::int64_t>(wait / 2, wait)(random_);
}

}  // namespace ratchet::policy
