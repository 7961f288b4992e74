// Whatever is done to a line of tasks: each grant is held against the promises, by a model that
// looks through all of its tasks each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "policy/task_line.h"

namespace ratchet::policy {
namespace {

using Task = TaskLine::Task;

class Model {
 public:
  enum class State { kWaiting, kDelayed, kBlocked, kOut };

  struct Entry {
    Task task;
    State state = State::kBlocked;
    std::int64_t since = 0;  // as a task that waits, or is out after it has waited
    std::int64_t due = 0;
    bool is_new = true;
    bool granted = false;  // by Grant: counts against limits
    bool opened = false;
    std::int64_t granted_at = 0;
  };

  explicit Model(const TaskLine::Rules& given) : rules(given) {}

  void Settle(std::int64_t now) {
    std::map<std::uint64_t, Entry*> heads;
    for (auto& [id, entry] : entries) {
      if (entry.task.ordering_key == 0) {
        continue;
      }
      Entry*& head = heads[entry.task.ordering_key];
      if (head == nullptr || (entry.granted && !head->granted)) {
        head = &entry;
      }
    }
    for (auto& [id, entry] : entries) {
      if (entry.state == State::kOut) {
        continue;
      }
      const bool is_head = entry.task.ordering_key == 0 || heads[entry.task.ordering_key] == &entry;
      if (!is_head) {
        if (entry.state == State::kWaiting) {
          entry.due = 0;
        }
        entry.state = State::kBlocked;
        entry.is_new = false;
      } else if (entry.state == State::kBlocked) {
        if (entry.due > now) {
          entry.state = State::kDelayed;
        } else {
          entry.state = State::kWaiting;
          entry.since = entry.is_new ? entry.since : now;
        }
        entry.is_new = false;
      }
    }
  }

  void Promote(std::int64_t now) {
    for (auto& [id, entry] : entries) {
      if (entry.state == State::kDelayed && entry.due <= now) {
        entry.state = State::kWaiting;
        entry.since = now;
      }
    }
  }

  std::int64_t Room(std::uint64_t group, std::int64_t now) const {
    if (rules.rate.starts == 0) {
      return INT64_MAX;
    }
    std::int64_t room = rules.rate.starts;
    for (const auto& [id, entry] : entries) {
      room -= entry.opened && (!rules.rate_per_group || entry.task.group_key == group) ? 1 : 0;
    }
    for (const auto& [started_group, time] : released) {
      const bool counts = !rules.rate_per_group || started_group == group;
      room -= counts && now - time < rules.rate.period ? 1 : 0;
    }
    return room;
  }

  bool MayGo(std::uint64_t group, std::int64_t now) const {
    int out = 0;
    for (const auto& [id, entry] : entries) {
      out += entry.granted && entry.task.group_key == group ? 1 : 0;
    }
    return (rules.per_group == 0 || out < rules.per_group) && Room(group, now) > 0;
  }

  struct Best {
    std::int64_t score;
    std::int32_t priority;
    const Entry* first;
  };
  std::map<std::uint64_t, Best> Offers(std::int64_t now) const {
    std::map<std::uint64_t, Best> offers;
    for (const auto& [id, entry] : entries) {
      if (entry.state != State::kWaiting) {
        continue;
      }
      const Best best{entry.since + entry.task.priority * rules.ageing, entry.task.priority,
                      &entry};
      const auto [found, is_new] = offers.emplace(entry.task.group_key, best);
      const auto rank = [](const Best& it) {
        return std::tuple(it.score, it.priority, it.first->task.id);
      };
      if (!is_new && rank(best) < rank(found->second)) {
        found->second = best;
      }
    }
    std::erase_if(offers, [&](const auto& offer) { return !MayGo(offer.first, now); });
    return offers;
  }

  void Release(Entry* entry, bool begun, std::int64_t now, std::mt19937_64* random) {
    if (entry->opened && begun) {
      released.emplace_back(entry->task.group_key, now);
      started.emplace_back(entry->task.group_key,
                           std::uniform_int_distribution(entry->granted_at, now)(*random));
    }
    entry->opened = false;
  }

  TaskLine::Rules rules;
  std::map<std::int64_t, Entry> entries;
  std::vector<std::pair<std::uint64_t, std::int64_t>> released;  // group, when it counts from
  std::vector<std::pair<std::uint64_t, std::int64_t>> started;   // group, when it really did
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), model_(RandomRules()), line_(model_.rules) {}

  void Step() {
    now_ += Roll(4) == 0 ? Roll(3'000) : Roll(30);
    const auto steps = Roll(100);
    if (steps < 35) {
      Add();
    } else if (steps < 40) {
      Remove();
    } else if (steps < 65) {
      Grant();
    } else {
      AnswerOne();
    }
    model_.Settle(now_);
    Compare();
  }

  void CheckRate() {
    const Rate& rate = model_.rules.rate;
    std::map<std::uint64_t, std::vector<std::int64_t>> starts;
    for (const auto& [group, time] : model_.started) {
      starts[model_.rules.rate_per_group ? group : 0].push_back(time);
    }
    for (auto& [group, times] : starts) {
      std::sort(times.begin(), times.end());
      const auto most = static_cast<std::size_t>(rate.starts);
      for (std::size_t i = most; i < times.size(); i++) {
        ASSERT_GE(times[i] - times[i - most], rate.period);
      }
    }
  }

  std::int64_t granted() const { return granted_; }

 private:
  Moment Now() const { return {now_, {now_}}; }
  std::int64_t Roll(std::int64_t sides) {
    return std::uniform_int_distribution<std::int64_t>(0, sides - 1)(random_);
  }

  TaskLine::Rules RandomRules() {
    TaskLine::Rules rules;
    rules.per_group = Roll(2) == 0 ? 0 : static_cast<std::int32_t>(1 + Roll(3));
    rules.ageing = Roll(2) == 0 ? 100 : 5'000;
    if (Roll(2) == 0) {
      rules.rate = {1 + Roll(5), 1 + Roll(2'000)};
      rules.rate_per_group = Roll(2) == 0;
    }
    return rules;
  }

  void Add() {
    Task task;
    const bool known = Roll(8) == 0 && !model_.entries.empty();
    // Transactions do not commit in the order of their numbers.
    task.id = known ? AnyTask()->first : next_id_ + Roll(6);
    next_id_ += known ? 0 : Roll(4);
    task.priority = static_cast<std::int32_t>(Roll(3)) * 10 - 10;
    task.ordering_key = Roll(2) == 0 ? 0 : static_cast<std::uint64_t>(1 + Roll(4));
    task.group_key = static_cast<std::uint64_t>(Roll(4));
    task.run_at = Roll(4) == 0 ? now_ + Roll(2'000) : 0;
    task.expires_at = Roll(8) == 0 ? now_ + Roll(4'000) : 0;
    task.alone = Roll(20) == 0;
    const std::int64_t waited = Roll(5) == 0 ? Roll(500) : 0;
    line_.Add(task, Now(), waited);

    std::int64_t since = now_ - waited;
    if (const auto it = model_.entries.find(task.id); it != model_.entries.end()) {
      if (it->second.state == Model::State::kOut) {
        return;
      }
      task.alone = task.alone || it->second.task.alone;
      if (it->second.state == Model::State::kWaiting) {
        since = std::min(since, it->second.since);
      }
      model_.entries.erase(it);
      model_.Settle(now_);
    }
    Model::Entry entry;
    entry.task = task;
    entry.since = since;
    entry.due = task.run_at;
    model_.entries.emplace(task.id, entry);
  }

  std::map<std::int64_t, Model::Entry>::iterator AnyTask() {
    auto it = model_.entries.begin();
    std::advance(it, Roll(static_cast<std::int64_t>(model_.entries.size())));
    return it;
  }

  void Remove() {
    if (model_.entries.empty()) {
      return;
    }
    const auto it = AnyTask();
    line_.Remove(it->first, Now());
    if (it->second.state != Model::State::kOut) {
      model_.entries.erase(it);
    }
  }

  void TakeExpired() {
    std::vector<std::int64_t> ids;
    line_.TakeExpired(1'000, Now(), &ids);
    std::set<std::int64_t> named(ids.begin(), ids.end());
    ASSERT_EQ(named.size(), ids.size());
    for (auto& [id, entry] : model_.entries) {
      const bool is_expired = entry.state != Model::State::kOut && entry.task.expires_at != 0 &&
                              entry.task.expires_at <= now_;
      ASSERT_EQ(is_expired, named.contains(id)) << id;
      if (is_expired) {
        // It does not go before others of its key, and keeps them waiting until it is finished.
        entry.state = Model::State::kOut;
      }
    }
    for (const std::int64_t id : ids) {
      line_.Finished(id, Now());
      model_.entries.erase(id);
    }
    model_.Settle(now_);
  }

  void Grant() {
    TakeExpired();
    model_.Promote(now_);
    const int most = static_cast<int>(1 + Roll(6));
    const bool any = !model_.Offers(now_).empty();
    ASSERT_EQ(line_.HasGrant(Now()), any);
    std::vector<TaskLine::Granted> out;
    const int count = line_.Grant(most, Now(), &out);
    ASSERT_EQ(count, static_cast<int>(out.size()));
    ASSERT_LE(static_cast<int>(out.size()), most);
    std::map<std::pair<std::uint64_t, std::int32_t>, int> turns;
    const auto at_begin = model_.Offers(now_);
    for (const TaskLine::Granted& granted : out) {
      ASSERT_NO_FATAL_FAILURE(CheckGranted(granted, at_begin, out.size(), &turns));
    }
    granted_ += static_cast<std::int64_t>(out.size());
    const auto left = model_.Offers(now_);
    if (static_cast<int>(out.size()) < most && !(out.size() == 1 && out[0].alone)) {
      const bool alone_is_next = std::any_of(left.begin(), left.end(), [](const auto& offer) {
        return offer.second.first->task.alone;
      });
      ASSERT_TRUE(left.empty() || (!out.empty() && alone_is_next));
    }
    if (left.empty()) {
      CheckNextLook();
    }
  }

  void CheckGranted(const TaskLine::Granted& granted,
                    const std::map<std::uint64_t, Model::Best>& at_begin, std::size_t together,
                    std::map<std::pair<std::uint64_t, std::int32_t>, int>* turns) {
    const auto offers = model_.Offers(now_);
    ASSERT_TRUE(model_.entries.contains(granted.id));
    Model::Entry& entry = model_.entries.at(granted.id);
    const std::uint64_t group = entry.task.group_key;
    ASSERT_TRUE(offers.contains(group));
    ASSERT_EQ(offers.at(group).first, &entry) << "not the first of its group";
    ASSERT_EQ(entry.task.alone, granted.alone);
    ASSERT_TRUE(!granted.alone || together == 1);
    std::int64_t nearest = INT64_MAX;
    for (const auto& [name, offer] : offers) {
      nearest = std::min(nearest, offer.score);
    }
    std::set<std::int32_t> priorities;
    for (const auto& [name, offer] : offers) {
      if (offer.score == nearest) {
        priorities.insert(offer.priority);
      }
    }
    ASSERT_TRUE(priorities.contains(entry.task.priority));
    const int turn = ++(*turns)[{group, entry.task.priority}];
    for (const auto& [name, offer] : offers) {
      const auto begin = at_begin.find(name);
      if (offer.priority == entry.task.priority && begin != at_begin.end() &&
          begin->second.priority == offer.priority) {
        const int other = (*turns)[{name, offer.priority}];
        ASSERT_LE(turn, other + 1) << "a group has had two turns before another one had its";
      }
    }
    entry.state = Model::State::kOut;
    entry.granted = true;
    entry.opened = model_.rules.rate.starts > 0;
    entry.granted_at = now_;
    int of_key = 0;
    for (const auto& [id, other] : model_.entries) {
      const bool same =
          entry.task.ordering_key != 0 && other.task.ordering_key == entry.task.ordering_key;
      of_key += same && other.granted ? 1 : 0;
      ASSERT_FALSE(same && id < granted.id) << "not the first of its ordering key";
    }
    ASSERT_LE(of_key, 1);
  }

  // Nothing can go now: not before it says so either, as long as nobody does anything.
  void CheckNextLook() {
    const std::int64_t wait = line_.NextLook(Now());
    const std::int64_t until = wait == INT64_MAX ? now_ + 1'000'000 : now_ + wait;
    Model then = model_;
    for (const std::int64_t at : {until - 1, (now_ + until) / 2}) {
      if (at > now_) {
        then.Promote(at);
        for (const auto& [group, offer] : then.Offers(at)) {
          ASSERT_TRUE(offer.first->task.expires_at != 0 && offer.first->task.expires_at <= at);
        }
      }
    }
  }

  void AnswerOne() {
    std::vector<std::int64_t> out;
    for (const auto& [id, entry] : model_.entries) {
      if (entry.state == Model::State::kOut) {
        out.push_back(id);
      }
    }
    if (out.empty()) {
      return;
    }
    const std::int64_t id = out[static_cast<std::size_t>(Roll(std::ssize(out)))];
    Model::Entry& entry = model_.entries.at(id);
    const auto answer = Roll(10);
    if (answer == 0) {
      line_.Started(id, Now());
      model_.Release(&entry, true, now_, &random_);
    } else if (answer < 7) {
      line_.Finished(id, Now());
      model_.Release(&entry, true, now_, &random_);
      model_.entries.erase(id);
    } else if (answer < 9) {
      const bool begun = Roll(2) == 0;
      line_.Back(id, begun ? TaskLine::Begun::kPerhaps : TaskLine::Begun::kNo, Now());
      model_.Release(&entry, begun, now_, &random_);
      PutBack(&entry, 0);
    } else {
      const std::int64_t run_at = now_ + Roll(2'000);
      line_.Delay(id, run_at, Now());
      model_.Release(&entry, true, now_, &random_);
      entry.since = now_;
      PutBack(&entry, run_at);
    }
  }

  static void PutBack(Model::Entry* entry, std::int64_t due) {
    entry->granted = false;
    entry->state = Model::State::kBlocked;
    entry->is_new = true;
    entry->due = due;
  }

  void Compare() {
    TaskLine::Counts counts;
    std::int64_t oldest = now_;
    for (const auto& [id, entry] : model_.entries) {
      ASSERT_TRUE(line_.Knows(id));
      ASSERT_EQ(line_.IsOut(id), entry.state == Model::State::kOut);
      ASSERT_EQ(line_.IsKeyed(id), entry.task.ordering_key != 0);
      counts.waiting += entry.state == Model::State::kWaiting ? 1 : 0;
      counts.delayed += entry.state == Model::State::kDelayed ? 1 : 0;
      counts.blocked += entry.state == Model::State::kBlocked ? 1 : 0;
      counts.out += entry.state == Model::State::kOut ? 1 : 0;
      if (entry.state == Model::State::kWaiting) {
        oldest = std::min(oldest, entry.since);
      }
    }
    ASSERT_EQ(line_.counts().waiting, counts.waiting);
    ASSERT_EQ(line_.counts().delayed, counts.delayed);
    ASSERT_EQ(line_.counts().blocked, counts.blocked);
    ASSERT_EQ(line_.counts().out, counts.out);
    ASSERT_EQ(line_.IsEmpty(), model_.entries.empty());
    ASSERT_EQ(line_.OldestWait(Now()), now_ - oldest);
  }

  std::mt19937_64 random_;
  Model model_;
  TaskLine line_;
  std::int64_t now_ = 1'000'000;
  std::int64_t next_id_ = 1;
  std::int64_t granted_ = 0;
};

TEST(TaskLineProperty, EachGrantKeepsThePromises) {
  std::int64_t granted = 0;
  for (std::uint64_t seed = 1; seed <= 400; seed++) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (int step = 0; step < 400; step++) {
      world.Step();
      if (::testing::Test::HasFatalFailure()) {
        return;
      }
    }
    world.CheckRate();
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
    granted += world.granted();
  }
  EXPECT_GT(granted, 10'000);
}

}  // namespace
}  // namespace ratchet::policy
