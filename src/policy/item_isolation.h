// In which slices the items of a batch are executed, each under one savepoint, so that bad items
// fail alone and good ones cost next to nothing.
//
// As long as nothing fails, a slice is the whole batch. When a slice fails and the culprit is
// known, the items before it are redone and the walk goes on behind it. When it is not known (a
// statement over the whole slice, a deferred trigger), the slice is cut down until it is a single
// item. Either way the next slices are as long as pays off: with a savepoint every d items, each
// costs s / d, and a failure (p per item) redoes d / 2 of them at c each, or d of them and more
// when the culprit has to be searched. So d is about sqrt(2 s / (p c)), with p, s and c learnt on
// the way.
#pragma once

#include <cstdint>
#include <vector>

namespace ratchet::policy {

class ItemIsolation {
 public:
  static constexpr int kNone = -1;
  static constexpr int kUnknown = -1;

  struct Slice {
    int first;
    int count;
  };

  // Positions of items are counted from 0 in each batch; what was learnt stays.
  void BeginBatch(int items);
  // Every item is done or condemned.
  bool Done() const { return next_ >= items_; }
  // To be executed under one savepoint, and then reported by one of the next two.
  Slice Next() const;

  // It went well. Microseconds: of its execution, and of its savepoint.
  void Succeeded(std::int64_t execution, std::int64_t savepoint);
  // It was rolled back; the culprit is the item in hand when it failed. Returns the item that is
  // condemned: it has failed for good, and the batch goes on without it; kNone when it is still to
  // be found.
  int Failed(int culprit);

  int savepoint_distance() const;
  double failure_rate() const { return rate_; }

 private:
  // Until `end`, slices have at most `limit` items: one of that range that failed is cut down.
  struct Search {
    int end;
    int limit;
  };
  void Advance(int to);
  void Learn(int items, int failures);

  int items_ = 0;
  int next_ = 0;                  // the first item that is neither done nor condemned
  std::vector<int> condemned_;    // those ahead of next_, the nearest one last
  std::vector<Search> searches_;  // the innermost one last
  bool blind_ = false;            // the last failure came without a culprit
  double rate_ = 0;               // failures per item, moving average
  double item_cost_ = 20;         // microseconds, moving averages
  double savepoint_cost_ = 4;
};

}  // namespace ratchet::policy
