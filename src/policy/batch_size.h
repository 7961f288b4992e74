// How many items a batch has.
#pragma once

#include <cstdint>

namespace ratchet::policy {

class BatchSize {
 public:
  static constexpr int kLargest = 100'000;

  // `target`: how long a batch should take, in microseconds; 0: the size stays what it is.
  BatchSize(int size, std::int64_t target) : size_(size), wanted_(size), target_(target) {}

  int size() const { return size_; }
  // A batch has committed. One that was not full says little, and is only noticed when it was slow.
  void Took(int items, std::int64_t micros);
  // A lock or another transaction was in the way: fewer items meet fewer of them.
  void Shrink();

 private:
  int size_;
  int wanted_;  // but for locks in the way
  std::int64_t target_;
  double cost_ = 0;  // microseconds per item, moving average; 0: not known
};

}  // namespace ratchet::policy
