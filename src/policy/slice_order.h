// How a slice of a walk gets its rows in the order of the key: from an index that has them in that
// order, or by reading and sorting all that is left.
#pragma once

namespace ratchet::policy {

// What the planner says of a way to get all rows that are left, whatever unit it counts in.
struct WayCost {
  double startup = 0;
  double total = 0;
  double rows = 0;
};

// What has been seen of the walk so far.
struct SlicesSoFar {
  double full = 0;          // slices that had others behind them
  double sorting_cost = 0;  // of the last one that sorted, measured in the planner's unit; 0: none
};

// What is taken for granted of a walk, whatever the planner believes.
double FewestRows(double slice);

// The first `slice` rows that come this way, when it is believed that there are `rows` in all.
double CostOfSlice(const WayCost& way, double slice, double rows);

// Whether a slice is better read in order than sorted. The planner decides as for a single query,
// and errs about conditions of which it knows nothing: it takes 0.5 % of the rows for what fulfils
// them, believes that this is the last slice, and that to sort is cheaper. For a walk that is an
// expensive mistake, made again with every slice, while the opposite one is made once. So a few
// slices are taken for granted, and then as much ahead as is behind.
bool PrefersOrder(const WayCost& ordered, double sorted_cost, double slice,
                  const SlicesSoFar& seen);

}  // namespace ratchet::policy
