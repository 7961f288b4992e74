// A query with parameters, prepared once, planned as part of a walk. Its rows become items.
#pragma once

#include <string>
#include <vector>

#include "batch/items.h"
#include "batch/shape.h"
#include "batch/statement.h"
#include "batch/walk_planning.h"
#include "pg/guard.h"

namespace ratchet::batch {

// Its columns are of other types than when it was looked at. The transaction goes on.
class SourceChanged : public pg::Error {
 public:
  SourceChanged();
};

class KeptQuery {
 public:
  // In a transaction, connected to SPI, as is all that follows. The columns are those of the shape,
  // which outlives the query.
  KeptQuery(std::string text, std::vector<Oid> parameters, const Shape& shape);
  KeptQuery(const KeptQuery&) = delete;
  KeptQuery& operator=(const KeptQuery&) = delete;

  struct PlanFacts {
    bool reads_foreign_table = false;
    bool spans_tables = false;  // see WalkPlanning
    bool has_other_way = false;
    policy::WayCost ordered;
    double sorted_cost = 0;
  };
  // Sees to it that there is a plan. True when it is another one than at the last call.
  bool Plan(const policy::SlicesSoFar& seen);
  // Of the plan; of one that is made anew for each execution, as far as is known.
  const PlanFacts& facts() const { return facts_; }

  // Appends the first `most` rows, whose values live in the current memory context, and returns how
  // many there were.
  int Run(const policy::SlicesSoFar& seen, const Datum* values, int most, Items* items);

 private:
  void Note(const WalkPlanning& planning);

  const std::string text_;
  const std::vector<Oid> parameters_;
  const Shape& shape_;
  Statement statement_;
  int generation_ = 0;  // of the plan that the facts are of; 0: there is no plan to be kept
  int told_ = -1;       // of the plan of the last call of Plan
  PlanFacts facts_;
};

}  // namespace ratchet::batch
