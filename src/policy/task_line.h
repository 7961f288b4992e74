// The tasks of one queue that are to be done: which goes next, and which has to wait for what.
//
// The scheduler of a database has one for each queue, and hands out from it; the rows are read when
// tasks come, and by who does them, and never to find out who is next. So limits and keys are exact
// without being rows themselves, and what waits costs nothing but its memory.
//
//                    Add                        Grant                Finished
//        ─────────────────────▶ waiting ──────────────────▶ out ──────────────▶
//          │            │        ▲   ▲  ▲                   │ │
//          │            ▼        │   │  └─────── Back ──────┘ │
//          │         delayed ────┘   │                        │
//          └──────▶  blocked ────────┘        Delay: delayed ◀┘
//
// waiting   could be done, if its group may do more and the rate allows
// delayed   its time has not come
// blocked   another task of its ordering key is before it
// out       in somebody's hands; expired ones too, from when TakeExpired has named them
//
// The order among those that could go:
// - The priority, lower first, less one for each Rules::ageing that the task has waited: so the
//   oldest of any priority goes at last.
// - Within one priority each group gets its turn, one task at a time, however many it has.
// - Within one group and priority the one that has waited for longest.
//
// Nothing here costs more than the logarithm of how many there are. A task takes some 70 bytes; one
// that expires or is delayed, or does not come in its order, takes a node of a tree besides.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/rate_window.h"
#include "policy/steady_time.h"
#include "policy/task_fifo.h"
#include "policy/task_index.h"

namespace ratchet::policy {

// Where its row is, as the table knows it.
struct TaskRow {
  std::uint16_t words[3];
};

class TaskLine {
 public:
  struct Rules {
    std::int32_t per_group = 0;  // tasks of one group that are out at a time; 0: no limit
    Rate rate;
    bool rate_per_group = false;       // each group has the rate for itself
    std::int64_t ageing = 60'000'000;  // microseconds of waiting that are worth one priority
    friend bool operator==(const Rules&, const Rules&) = default;
  };

  // Keys are numbers: two texts that have the same number are taken for one, which is harmless. 0:
  // none. Tasks without a group are a group of their own.
  struct Task {
    std::int64_t id = 0;
    TaskRow row{};
    std::int32_t priority = 0;
    std::uint64_t ordering_key = 0;
    std::uint64_t group_key = 0;
    calendar::Instant run_at = 0;      // 0: at once
    calendar::Instant expires_at = 0;  // 0: never
    bool alone = false;
  };

  struct Granted {
    std::int64_t id;
    TaskRow row;
    bool alone;
  };

  struct Counts {
    std::int64_t waiting = 0;
    std::int64_t delayed = 0;
    std::int64_t blocked = 0;
    std::int64_t out = 0;
    std::int64_t aged = 0;  // went before others of a better priority, as they had waited so long
  };

  // blind_until: until then the rate allows nothing, for what has started before is not known; at
  // a scheduler's start a period from now.
  explicit TaskLine(const Rules& rules, SteadyTime blind_until = kNoSteadyTime);

  // A limit counts what is out. A rate counts from its change on what has started under the same
  // kind of rate before.
  void SetRules(const Rules& rules, const Moment& now);
  const Rules& rules() const { return rules_; }

  // waited: for how long it could have been done already, microseconds. One that is known is
  // replaced, and keeps the time that it has waited; nothing, if it is out. What is alone once
  // stays so.
  void Add(const Task& task, const Moment& now, std::int64_t waited = 0);
  // The same, behind those of its group and priority that have come in order.
  void AddLast(const Task& task, const Moment& now, std::int64_t waited);
  // The same for one that somebody has in hand since before this line was there.
  void AddOut(const Task& task, const Moment& now);
  // It is not to be done any more. Nothing, if it is out: who has it finds out.
  void Remove(std::int64_t id, const Moment& now);

  // All that are not out: the table is about to be read again. What has started counts as before.
  void ForgetAllButOut(const Moment& now);

  // Up to `most` tasks, appended to *out. A task that is `alone` comes alone, or, not with_alone,
  // is passed over. How many.
  int Grant(int most, const Moment& now, std::vector<Granted>* out, bool with_alone = true);
  // Those of these tasks that could go now, whatever is before them, appended to *out.
  void GrantThese(const std::vector<std::int64_t>& ids, const Moment& now,
                  std::vector<Granted>* out);
  void SetAlone(std::int64_t id, bool alone);
  // Where its row is by now.
  void SetRow(std::int64_t id, const TaskRow& row);
  // Tasks that were not done in time, which nobody is given any more. They are out until they are
  // Finished.
  void TakeExpired(int most, const Moment& now, std::vector<std::int64_t>* out);

  // Of tasks that are out; nothing for others.
  // It has started, or will not any more: until then it may start under the rate at any time.
  void Started(std::int64_t id, const Moment& now);
  void Finished(std::int64_t id, const Moment& now);
  enum class Begun : std::uint8_t { kNo, kPerhaps };
  // It was not done, and has its place again.
  void Back(std::int64_t id, Begun begun, const Moment& now);
  // Again at run_at, as which it keeps its ordering key waiting.
  void Delay(std::int64_t id, calendar::Instant run_at, const Moment& now);

  bool Knows(std::int64_t id) const { return Find(id) != kNone; }
  bool IsOut(std::int64_t id) const;
  bool IsKeyed(std::int64_t id) const;
  bool IsEmpty() const { return known_ == 0; }

  // Microseconds from now until something changes by itself; INT64_MAX: nothing will.
  std::int64_t NextLook(const Moment& now);
  // Whose time has come waits from now on.
  void Advance(const Moment& now) { PromoteDue(now); }
  // Whether Grant would give something.
  bool HasGrant(const Moment& now);

  const Counts& counts() const { return counts_; }
  // Of those that wait.
  std::int64_t WaitingOf(std::int32_t priority) const {
    const auto found = waiting_.find(priority);
    return found != waiting_.end() ? found->second : 0;
  }
  // For how long the oldest of those that wait could have been done, microseconds; 0: none waits.
  std::int64_t OldestWait(const Moment& now) const;
  // Whether tasks wait for nothing but the rate, or for others of their group.
  bool RestsForRate(const Moment& now);

 private:
  using Place = std::uint32_t;
  static constexpr Place kNone = UINT32_MAX;
  // Of what comes due at one moment, so many in one call: the next one goes on with it.
  static constexpr int kMostAtOnce = 10'000;

  enum class State : std::uint8_t { kFree, kWaiting, kDelayed, kBlocked, kOut };

  struct Record {
    std::int64_t id;
    // Of one that waits or is out: since when, as of the steady clock. Of others: when its time
    // comes, as of the wall clock.
    std::int64_t since;
    calendar::Instant expires_at;
    TaskRow row;
    State state;
    bool alone : 1;
    bool is_early : 1;  // TaskFifo
    bool opened : 1;    // counts in a rate window as not yet started
    bool granted : 1;   // counts as one of its group that is out
    std::int32_t priority;
    Place key;
    Place group;
    Place prev;
    Place next;
  };
  static_assert(sizeof(Record) <= 56);

  struct ByWait {
    static std::pair<std::int64_t, std::int64_t> OrderOf(const Record& record) {
      return {record.since, record.id};
    }
  };
  struct ById {
    static std::pair<std::int64_t, std::int64_t> OrderOf(const Record& record) {
      return {record.id, 0};
    }
  };

  struct Key {
    std::uint64_t name = 0;
    Place head = kNone;  // the only one that is not blocked
    TaskFifo<Record, ById> behind;
  };

  // Tasks of one group and priority that wait.
  struct Lane {
    TaskFifo<Record, ByWait> tasks;
    bool is_told = false;  // in ages_ and in its group's offers, with
    std::int64_t told = 0;
  };
  // Lower first: when a task of priority 0 would have to have come to be as near.
  using Score = std::int64_t;

  struct Group {
    std::uint64_t name = 0;
    std::int64_t tasks = 0;  // known
    std::int32_t out = 0;
    std::map<std::int32_t, Lane> lanes;
    std::set<std::pair<Score, std::int32_t>> offers;  // of its lanes that are not empty
    std::unique_ptr<RateWindow> window;               // null: nothing has started
    SteadyTime wakes = kNoSteadyTime;  // in wakes_, or in fading_ without tasks; not set: in none
    // In offers_ and in the ring of a priority: what it would give next.
    bool is_offered = false;
    Score score = 0;
    std::int32_t priority = 0;
    Place prev = kNone;
    Place next = kNone;
  };
  // Groups of one priority, the next one first.
  struct Ring {
    Place head = kNone;
    Place tail = kNone;
  };

  auto IdAt() const {
    return [this](Place place) { return records_[place].id; };
  }
  Place Find(std::int64_t id) const { return index_.Find(id, IdAt()); }
  Place FindOut(std::int64_t id) const;
  Place KeyOf(std::uint64_t name);
  Place GroupOf(std::uint64_t name);

  // ---- task_line.cpp: what a task is
  Place Create(const Task& task);
  void Forget(Place place, const Moment& now);
  std::int64_t& CountOf(State state);
  void Enter(Record* record, State state);
  void LetGo(Record* record, Begun begun, const Moment& now);

  // ---- task_line_keys.cpp: what it waits for, apart from its turn
  void GetInLine(Place place, calendar::Instant due, std::int64_t since, const Moment& now);
  void Unblocked(Place place, calendar::Instant due, std::int64_t since, const Moment& now);
  void Block(Place place, calendar::Instant due);
  void Leave(Place place, const Moment& now);
  void LeaveLine(Place place, const Moment& now);
  void NextOfKey(Place key, const Moment& now);
  void Again(Place place, calendar::Instant due, std::int64_t since, const Moment& now);
  void PromoteDue(const Moment& now);

  // ---- task_line_order.cpp: which goes next
  void Wait(Place place, std::int64_t since, const Moment& now);
  Score ScoreOf(std::int64_t since, std::int32_t priority) const {
    return since + static_cast<std::int64_t>(priority) * rules_.ageing;
  }
  void TellLane(Place group, std::int32_t priority);
  void TellGroup(Place group, const Moment& now);
  void Offer(Place group);
  void Unoffer(Place group);
  void WakeAt(Place group, SteadyTime time);
  void WakeGroups(const Moment& now);
  void FreeGroup(Place group);
  bool MayGo(Place group, const Moment& now);
  Place NextTask() const;
  void Take(Place place, const Moment& now);
  RateWindow* WindowOf(const Record& record);
  std::int64_t RoomOf(RateWindow* window, const Moment& now) const;
  SteadyTime RoomFrom(RateWindow* window, const Moment& now) const;

  Rules rules_;
  SteadyTime blind_until_;
  std::deque<Record> records_;
  Place free_records_ = kNone;  // linked by next
  std::int64_t known_ = 0;
  TaskIndex index_;
  std::deque<Key> keys_;
  std::vector<Place> free_keys_;
  std::unordered_map<std::uint64_t, Place> key_names_;
  std::deque<Group> groups_;
  std::vector<Place> free_groups_;
  std::unordered_map<std::uint64_t, Place> group_names_;

  std::set<std::pair<calendar::Instant, Place>> due_;       // delayed
  std::set<std::pair<calendar::Instant, Place>> expiries_;  // not out
  std::set<std::pair<Score, Place>> offers_;                // of groups that may do more
  std::map<std::int32_t, Ring> rings_;                      // of the same groups
  std::set<std::pair<SteadyTime, Place>> wakes_;            // groups that rest
  std::set<std::pair<SteadyTime, Place>> fading_;  // groups that are only their window any more
  std::set<std::tuple<std::int64_t, Place, std::int32_t>> ages_;  // of all lanes, not empty
  std::vector<Place> expired_;  // out, and not named by TakeExpired yet
  RateWindow window_;           // of the queue
  Counts counts_;
  std::map<std::int32_t, std::int64_t> waiting_;  // by priority
};

}  // namespace ratchet::policy
