// The queries of a walk: the next items behind a key, one item by its key, how many are left.
// Keyset queries, never OFFSET: a set that shrinks while it is processed loses nothing, and each
// batch costs the same wherever it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "batch/items.h"
#include "batch/kept_query.h"
#include "batch/key.h"
#include "batch/reads.h"
#include "batch/shape.h"
#include "batch/slice.h"

namespace ratchet::batch {

class Source {
 public:
  // In a transaction. The source is one query, as ShapeOf has made sure.
  Source(const std::string& query, const Shape& shape, const Key& key);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

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
  // As the last estimate has shown.
  bool reads_foreign_table() const { return reads_foreign_table_; }
  // Throws when some row has a null key: it comes behind all others, and no walk reaches it.
  void RefuseNullKeys();
  Reads WhatItReads() const { return ReadsOf("SELECT 1" + from_); }

 private:
  // Parses the bounds into values_.
  void BindBounds(const std::string& after, const std::string& until);
  void CheckKeys(const Items& items, int first) const;

  Shape shape_;
  const Key& key_;
  std::string from_;  // the source as a FROM clause
  std::vector<Datum> values_;
  std::optional<Slice> slices_[4];  // by which bounds there are
  policy::SlicesSoFar seen_;
  std::optional<KeptQuery> one_;
  bool reads_foreign_table_ = false;
};

}  // namespace ratchet::batch
