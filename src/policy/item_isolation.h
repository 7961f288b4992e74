// In which slices a batch is executed, each under one savepoint, so that bad items fail alone.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/failure_rate.h"
#include "policy/recent_median.h"

namespace ratchet::policy {

// Lives as long as a run, and learns what fails and what things cost.
//
//   isolation.BeginBatch(n);
//   while (!isolation.Done()) {
//     slice = isolation.Next();
//     savepoint, execute the slice, release or roll back
//     isolation.Succeeded(...) or isolation.Failed(...)
//   }
//
// Optimistic: while nothing has ever failed, a slice is the whole batch. Afterwards it is as long
// as a failure in it, which throws its work away, is worth the savepoints that it saves.
//
// Ends for any sequence of answers, also when items fail at random: every answer finishes an item
// or narrows down where the bad one is.
class ItemIsolation {
 public:
  static constexpr int kNone = -1;     // no item
  static constexpr int kUnknown = -1;  // a statement over the whole slice, or a deferred trigger

  // Until they were measured, in microseconds.
  struct Costs {
    double item = 20;
    double savepoint = 3;
  };

  ItemIsolation() : ItemIsolation(Costs{}) {}
  explicit ItemIsolation(const Costs& priors);

  // Also for the rest of a batch that was committed early. Forgets the batch before, not what was
  // learnt from it.
  void BeginBatch(int items);

  // Every item is done or condemned.
  bool Done() const { return next_ >= items_; }

  // Positions in the batch. The same until it is answered; not for a batch that is done.
  struct Slice {
    int first;
    int count;
  };
  Slice Next() const;

  // The slice went well. micros: of its execution, without setting and releasing the savepoint.
  void Succeeded(std::int64_t micros, std::int64_t savepoint_micros);

  // The slice failed and was rolled back. culprit: position in the batch of the item that was in
  // hand, or kUnknown. Returns the item that is condemned by this, or kNone: it is not executed
  // again.
  int Failed(int culprit);

  // Items before this position are done or condemned, those behind are not.
  int finished() const { return next_; }
  // Whether that is true of all: a condemned item may lie ahead, while what comes before it is
  // redone. A batch is committed early only when this is true, else the item fails twice.
  bool CanStop() const { return condemned_ahead_.empty(); }

  // How many items come between two savepoints where nothing special is known.
  int savepoint_distance() const;
  double failure_rate() const { return rate_.value(); }

 private:
  void CountGood(int end);
  void Condemn(int item);
  void Advance(int to);
  void LearnCosts(int count, double micros);
  double ItemCost() const;
  double SliceCost() const;
  int Distance(double rate, double lost_share) const;
  int LengthOfSlice(int limit) const;

  // ---- The batch ----
  int items_ = 0;
  int next_ = 0;         // everything before is finished
  int counted_ = 0;      // items before this position are in the failure rate
  int suspect_end_ = 0;  // beyond next_: of the items from there to here, at least one is bad
  // Condemned, but what comes before them has to be redone; the nearest is the last. More than one
  // only when an item fails that went well before.
  std::vector<int> condemned_ahead_;
  bool redo_went_well_ = false;  // everything up to the nearest of them did, the first time

  // ---- The run ----
  FailureRate rate_;
  bool share_measured_ = false;
  double unknown_share_ = 0;  // of the failures: nobody could say which item it was
  RecentMedian savepoint_;
  RecentMedian per_item_;      // of any slice
  RecentMedian single_;        // of a slice of one item
  RecentMedian each_further_;  // of what further items add to that
};

}  // namespace ratchet::policy
