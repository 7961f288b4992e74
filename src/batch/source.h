// The queries of a walk: the next items behind a key, one item by its key, how many are left.
// Keyset queries, never OFFSET: a set that shrinks while it is processed loses nothing, and each
// batch costs the same wherever it is.
#pragma once

#include <string>
#include <vector>

#include "batch/items.h"
#include "batch/key.h"
#include "batch/shape.h"
#include "pg/guard.h"

extern "C" {
#include "executor/spi.h"
}

namespace ratchet::batch {

// Its columns are of other types than when it was looked at. The transaction goes on.
class SourceChanged : public pg::Error {
 public:
  SourceChanged();
};

class Source {
 public:
  // In a transaction. The source is one query, as ShapeOf has made sure.
  Source(const std::string& query, const Shape& shape, const Key& key);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  // In a transaction, connected to SPI. Replaces *items by up to `limit` of those behind `after` up
  // to `until`, keys as JSON, empty: no bound. *more: there are others behind them. Throws 22004 or
  // 21000 for a key that is null or occurs twice: such rows would be skipped, or never reached.
  void Fetch(const std::string& after, const std::string& until, int limit, Items* items,
             bool* more);
  // Appends the item with this key; false when the source does not have it any more.
  bool FetchOne(const std::string& key, Items* items);
  // The greatest key at this time (the smallest of a descending walk), empty when there is none.
  std::string LastKey();
  // The planner's estimate of how many items are behind `after` up to `until`.
  double Estimate(const std::string& after, const std::string& until);
  // Throws when some row has a null key: it comes behind all others, and no walk reaches it.
  void RefuseNullKeys();
  // Tables that the source reads.
  std::vector<Oid> Tables();

 private:
  struct Plan {
    SPIPlanPtr plan = nullptr;
    int limit = 0;
    std::string text;
  };
  // The comparison of the key with parameters from $first on.
  std::string Behind(int first, bool inclusive_end) const;
  std::string Bounds(bool lower, bool upper) const;
  void Prepare(Plan* plan, const std::string& text, int keys);
  void Drop(Plan* plan) noexcept;
  // Parses the bounds into values_, and returns how many there are.
  void BindBounds(const std::string& after, const std::string& until);
  void RequireTypes() const;
  void Take(int from, int count, Items* items);
  void CheckKeys(const Items& items, int first) const;

  Shape shape_;
  const Key& key_;
  std::string from_;  // the source as a FROM clause
  std::vector<Datum> values_;
  Plan slices_[4];  // by which bounds there are
  Plan one_;
};

}  // namespace ratchet::batch
