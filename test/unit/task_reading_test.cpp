// How the scheduler comes to know of tasks: transactions commit in another order than they take
// numbers, tell of what they have written after their commit, and sometimes nobody has kept what
// they told. No task may be lost by that, and none be given out twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "policy/task_line.h"
#include "policy/task_spans.h"

namespace ratchet::policy {
namespace {

TEST(TaskSpans, Merged) {
  using Spans = std::vector<TaskSpan>;
  EXPECT_EQ(MergeSpans({}), Spans{});
  EXPECT_EQ(MergeSpans({{5, 9}, {1, 2}}), (Spans{{1, 2}, {5, 9}}));
  EXPECT_EQ(MergeSpans({{5, 9}, {1, 4}}), (Spans{{1, 9}}));
  EXPECT_EQ(MergeSpans({{1, 9}, {3, 4}, {9, 9}, {12, 11}}), (Spans{{1, 9}}));
  EXPECT_EQ(MergeSpans({{INT64_MIN, 1}, {2, INT64_MAX}}), (Spans{{INT64_MIN, INT64_MAX}}));
}

class Server {
 public:
  explicit Server(std::uint64_t seed) : random_(seed) {}

  void Step() {
    now_ += 10;
    const auto steps = Roll(10);
    if (steps < 3) {
      Write();
    } else if (steps < 5) {
      End(Roll(5) != 0);
    } else if (steps < 6) {
      Tell();
    } else if (steps < 8) {
      Pass();
    } else {
      Work();
    }
  }

  void Drain() {
    while (!open_.empty()) {
      End(true);
    }
    while (!untold_.empty()) {
      Tell();
    }
    for (int i = 0; i < 2'000 && !(table_.empty() && handed_.empty()); i++) {
      now_ += 10;
      Pass();
      Work();
    }
  }

  bool AllDone() const { return table_.empty(); }
  const std::map<std::int64_t, int>& effects() const { return effects_; }
  const std::set<std::int64_t>& committed() const { return committed_; }

 private:
  static constexpr std::size_t kNotices = 6;
  static constexpr int kRowsAtOnce = 5;

  struct Transaction {
    std::vector<std::int64_t> rows;
  };

  std::int64_t Roll(std::int64_t sides) {
    return std::uniform_int_distribution<std::int64_t>(0, sides - 1)(random_);
  }
  Moment Now() const { return {now_, {now_}}; }

  void Write() {
    const bool is_new = open_.empty() || Roll(2) == 0;
    if (is_new) {
      open_.emplace_back();
    }
    Transaction& transaction =
        is_new ? open_.back() : open_[static_cast<std::size_t>(Roll(std::ssize(open_)))];
    for (std::int64_t i = 1 + Roll(4); i > 0; i--) {
      transaction.rows.push_back(next_id_++);
    }
  }

  void End(bool commits) {
    if (open_.empty()) {
      return;
    }
    const auto which = open_.begin() + Roll(std::ssize(open_));
    if (commits) {
      table_.insert(which->rows.begin(), which->rows.end());
      committed_.insert(which->rows.begin(), which->rows.end());
    }
    // Who has rolled back may tell as well: a look in vain.
    if (commits || Roll(2) == 0) {
      untold_.push_back({which->rows.front(), which->rows.back()});
    }
    open_.erase(which);
  }

  // Between commit and notice others may come.
  void Tell() {
    if (untold_.empty()) {
      return;
    }
    const auto which = untold_.begin() + Roll(std::ssize(untold_));
    if (notices_.size() < kNotices) {
      notices_.push_back(*which);
    } else {
      lost_ = true;
    }
    untold_.erase(which);
  }

  // Of the scheduler: answers, then what is to be read, in portions, then hand-outs.
  void Pass() {
    for (const auto& [id, done] : answers_) {
      if (done) {
        line_.Finished(id, Now());
      } else {
        line_.Back(id, TaskLine::Begun::kPerhaps, Now());
      }
    }
    answers_.clear();
    if (lost_) {
      lost_ = false;
      line_.ForgetAllButOut(Now());
      to_read_ = {{1, INT64_MAX}};
    }
    to_read_.insert(to_read_.end(), notices_.begin(), notices_.end());
    notices_.clear();
    to_read_ = MergeSpans(std::move(to_read_));
    int rows = 0;
    while (!to_read_.empty() && rows < kRowsAtOnce) {
      TaskSpan& span = to_read_.front();
      const auto row = table_.lower_bound(span.first);
      if (row == table_.end() || *row > span.last) {
        to_read_.erase(to_read_.begin());
        continue;
      }
      TaskLine::Task task;
      task.id = *row;
      task.ordering_key = static_cast<std::uint64_t>(*row % 3);
      line_.Add(task, Now());
      rows++;
      span.first = *row + 1;
      if (span.first > span.last) {
        to_read_.erase(to_read_.begin());
      }
    }
    std::vector<TaskLine::Granted> granted;
    line_.Grant(3, Now(), &granted);
    for (const TaskLine::Granted& task : granted) {
      ASSERT_TRUE(std::find(handed_.begin(), handed_.end(), task.id) == handed_.end());
      handed_.push_back(task.id);
    }
  }

  // A worker: its effect and the end of the row are one commit, and the answer comes after it.
  void Work() {
    if (handed_.empty()) {
      return;
    }
    const auto which = handed_.begin() + Roll(std::ssize(handed_));
    const std::int64_t id = *which;
    const bool done = Roll(4) != 0;
    if (done) {
      ASSERT_EQ(table_.erase(id), 1U) << "given out, but gone";
      effects_[id]++;
    }
    answers_.emplace_back(id, done);
    handed_.erase(which);
  }

  std::mt19937_64 random_;
  std::int64_t now_ = 1'000;
  std::int64_t next_id_ = 1;
  std::vector<Transaction> open_;
  std::set<std::int64_t> table_;
  std::set<std::int64_t> committed_;
  std::vector<TaskSpan> untold_;
  std::vector<TaskSpan> notices_;
  bool lost_ = false;
  std::vector<TaskSpan> to_read_;
  TaskLine line_{TaskLine::Rules{}};
  std::vector<std::int64_t> handed_;
  std::vector<std::pair<std::int64_t, bool>> answers_;
  std::map<std::int64_t, int> effects_;
};

TEST(TaskReading, NoneIsLostAndNoneComesTwice) {
  for (std::uint64_t seed = 1; seed <= 300; seed++) {
    SCOPED_TRACE(seed);
    Server server(seed);
    for (int i = 0; i < 300; i++) {
      server.Step();
    }
    server.Drain();
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    ASSERT_TRUE(server.AllDone());
    ASSERT_EQ(server.effects().size(), server.committed().size());
    for (const auto& [id, times] : server.effects()) {
      ASSERT_EQ(times, 1) << id;
      ASSERT_TRUE(server.committed().contains(id));
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
