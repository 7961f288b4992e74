#include "policy/slice_order.h"

#include <algorithm>

namespace ratchet::policy {
namespace {

// An index whose order has nothing to do with that of the rows costs up to four times as much as
// reading them one after the other, as long as they fit into the cache.
constexpr double kFewestSlices = 4;

}  // namespace

double FewestRows(double slice) { return kFewestSlices * slice; }

double CostOfSlice(const WayCost& way, double slice, double rows) {
  return way.startup +
         (way.total - way.startup) * std::min(1.0, slice / std::max({rows, slice, 1.0}));
}

bool PrefersOrder(const WayCost& ordered, double sorted_cost, double slice,
                  const SlicesSoFar& seen) {
  const double believed = std::max(kFewestSlices, 2 * seen.full) * slice;
  return CostOfSlice(ordered, slice, std::max(ordered.rows, believed)) <=
         std::max(sorted_cost, seen.sorting_cost);
}

}  // namespace ratchet::policy
