// How many items a batch takes, so that it commits about as often as it was asked to.
#pragma once

#include <cstdint>

namespace ratchet::policy {

class BatchSize {
 public:
  static constexpr int kMax = 100'000;

  // target_micros: how long a batch is to take; 0: the size is fixed.
  BatchSize(int initial, std::int64_t target_micros);

  int size() const;

  // A batch was committed. One that was not full (the end of the source, an early commit) says
  // little about full ones and is ignored.
  void Took(int items, std::int64_t micros);

  // After a deadlock or a lock time-out: a smaller batch holds fewer locks for less time. Grows
  // back with the batches that go well.
  void Shrink();

  // More items than this do not fit into the memory, and never will. At least one is left.
  void Bound(int most);

 private:
  void Learn(double item_log);
  void Adapt();

  std::int64_t target_;
  int goal_;     // the size without Shrink()
  int ceiling_;  // what Shrink() leaves of it
  int bound_ = kMax;
  // Logarithm of an item's cost in microseconds: half and twice are equally far away.
  double item_log_ = 0;
  int learnt_ = 0;
  int surprise_ = 0;  // the last batch was far off, below (-1) or above (1): noise, or a change?
  bool settled_ = false;
};

}  // namespace ratchet::policy
