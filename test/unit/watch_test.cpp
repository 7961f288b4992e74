// The marks by which a job that watches tables knows whether one has changed.
#include <gtest/gtest.h>

#include <random>

#include "policy/watch.h"

namespace ratchet::policy {
namespace {

TableMark Mark(std::int64_t changes, std::uint64_t shape = 7) {
  TableMark mark;
  mark.certain = true;
  mark.server_epoch = 100;
  mark.database_epoch = 200;
  mark.shape = shape;
  mark.changes = changes;
  return mark;
}

TEST(TableMark, SurvivesBeingWritten) {
  TableMark mark = Mark(-5, UINT64_MAX);
  mark.database_epoch = INT64_MIN;
  const TableMark read = TableMark::Decode(mark.Encode());
  EXPECT_TRUE(read.certain);
  EXPECT_EQ(read.server_epoch, 100);
  EXPECT_EQ(read.database_epoch, INT64_MIN);
  EXPECT_EQ(read.shape, UINT64_MAX);
  EXPECT_EQ(read.changes, -5);
}

TEST(TableMark, IsNotCertainWhenItIsNotOurs) {
  EXPECT_EQ(TableMark{}.Encode(), "");
  for (const char* text : {"", "1", "1 2", "1 2 3 4", "1 2 3 4 5 6", "2 1 2 3 4", "1 1 2 3 x",
                           "1 1 2 -3 4", "1 1 2 3 4 ", "1 1 2 3 99999999999999999999"}) {
    EXPECT_FALSE(TableMark::Decode(text).certain) << text;
  }
}

TEST(Watch, FirstRunAndEveryChange) {
  Watch watch;
  watch.Resume({}, RunStatus::kQueued);
  EXPECT_TRUE(watch.Changed(Mark(0)));
  EXPECT_TRUE(watch.AfterRun(RunStatus::kSucceeded, watch.AtStart(Mark(0)), {}));
  EXPECT_FALSE(watch.Changed(Mark(0)));
  EXPECT_TRUE(watch.Changed(Mark(1)));
  EXPECT_TRUE(watch.Changed(Mark(0, 8)));
  TableMark other = Mark(0);
  other.server_epoch++;
  EXPECT_TRUE(watch.Changed(other));
  other = Mark(0);
  other.database_epoch++;
  EXPECT_TRUE(watch.Changed(other));
  other = Mark(0);
  other.certain = false;
  EXPECT_TRUE(watch.Changed(other));
}

TEST(Watch, WhatTheRunItselfWroteIsNoNews) {
  Watch watch;
  watch.Resume({}, RunStatus::kQueued);
  const TableMark seen = watch.AtStart(Mark(10));
  // It wrote 5 rows and gave the table another file; somebody else wrote one row meanwhile.
  watch.AfterRun(RunStatus::kSucceeded, seen, {5, 3});
  EXPECT_FALSE(watch.Changed(Mark(15, 10)));
  EXPECT_TRUE(watch.Changed(Mark(16, 10)));
}

TEST(Watch, AFailureHasSeenNothing) {
  Watch watch;
  watch.Resume(Mark(1), RunStatus::kSucceeded);
  const TableMark first = watch.AtStart(Mark(2));
  EXPECT_FALSE(watch.AfterRun(RunStatus::kFailed, first, {1, 0}));
  EXPECT_TRUE(watch.Changed(Mark(3)));
  // Another change comes; the new try may go on behind the checkpoint of the first one.
  const TableMark second = watch.AtStart(Mark(4));
  EXPECT_EQ(second.changes, 3);
  EXPECT_TRUE(watch.AfterRun(RunStatus::kSucceeded, second, {}));
  EXPECT_TRUE(watch.Changed(Mark(4)));
  EXPECT_TRUE(watch.AfterRun(RunStatus::kSucceeded, watch.AtStart(Mark(4)), {}));
  EXPECT_FALSE(watch.Changed(Mark(4)));
}

TEST(Watch, ARunThatWasNotNeededChangesNothing) {
  Watch watch;
  watch.Resume(Mark(1), RunStatus::kSucceeded);
  EXPECT_FALSE(watch.AfterRun(RunStatus::kSkipped, watch.AtStart(Mark(2)), {}));
  EXPECT_EQ(watch.AtStart(Mark(3)).changes, 3);
  EXPECT_TRUE(watch.Changed(Mark(2)));
}

TEST(Watch, AfterARestartTheUnknownCountsAsOld) {
  Watch watch;
  watch.Resume(Mark(1), RunStatus::kPartial);
  EXPECT_EQ(watch.AtStart(Mark(9)).changes, 1);
  watch.Resume(Mark(1), RunStatus::kSucceeded);
  EXPECT_FALSE(watch.AfterRun(RunStatus::kSucceeded, std::nullopt, {}));
  EXPECT_EQ(watch.success().changes, 1);
  watch.AfterRun(RunStatus::kCrashed, std::nullopt, {});
  EXPECT_EQ(watch.AtStart(Mark(9)).changes, 1);
}

// Against a model that knows everything: a table of numbered changes of others, which arrive in the
// statistics late, runs that see what was committed before they start, and restarts of the
// scheduler. A change that no successful walk has seen must make the job run.
TEST(Watch, NeverTooRarely) {
  for (unsigned seed = 1; seed <= 300; seed++) {
    std::mt19937 random(seed);
    const auto chance = [&random](int percent) {
      return static_cast<int>(random() % 100) < percent;
    };
    Watch watch;
    watch.Resume({}, RunStatus::kQueued);
    std::int64_t committed = 0;  // changes of others
    std::int64_t shown = 0;      // those in the statistics
    std::int64_t own = 0;        // of the job
    std::int64_t walked = 0;     // changes that the walk in hand has seen at least
    std::int64_t done = 0;       // changes that a success has seen at least
    bool cut = false;
    TableMark persisted;
    RunStatus last = RunStatus::kQueued;
    for (int step = 0; step < 200; step++) {
      committed += chance(40) ? static_cast<int>(random() % 3) : 0;
      shown +=
          chance(50)
              ? static_cast<std::int64_t>(random() % static_cast<unsigned>(committed - shown + 1))
              : 0;
      if (chance(10)) {
        watch.Resume(persisted, last);
      }
      const TableMark now = Mark(shown + own);
      if (!watch.Changed(now)) {
        ASSERT_LE(shown, done) << "seed " << seed << " step " << step;
        continue;
      }
      const std::optional<TableMark> seen =
          chance(5) ? std::nullopt : std::optional(watch.AtStart(now));
      walked = cut ? walked : committed;
      const std::int64_t wrote = static_cast<std::int64_t>(random() % 4);
      own += wrote;
      committed += chance(30) ? 1 : 0;
      shown = chance(30) ? committed : shown;
      const std::int64_t reported = chance(90) ? wrote : 0;
      last = chance(60) ? RunStatus::kSucceeded : RunStatus::kFailed;
      if (watch.AfterRun(last, seen, {reported, 0})) {
        persisted = watch.success();
      }
      cut = last != RunStatus::kSucceeded;
      if (!cut) {
        done = walked;
      }
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
