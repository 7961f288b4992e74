// The numbers of runs and jobs, and the marks of runs: the one way to the next one.
//
// Numbers are for people, and may come again: a sequence can be set back, replicated or restored,
// and a promoted standby may lack the newest ones. So each number is compared with those that are
// in use, on the board and, once after a start, in the tables. What belongs to a run is known by
// its mark as well, which is random.
#pragma once

#include <cstdint>

namespace ratchet::catalog {

// Newest numbers are the largest.
std::int64_t NextRunId();
std::int64_t NextJobId();

// Never 0.
std::int64_t NewMark();

// A new run: its number and its mark.
template <typename Run>
void NumberRun(Run* run) {
  run->run_id = NextRunId();
  run->mark = NewMark();
}

// Runs up to `highest`, and those that are in the tables, have their numbers.
void LearnRunIds(std::int64_t highest);

}  // namespace ratchet::catalog
