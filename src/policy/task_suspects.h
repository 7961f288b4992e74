// Tasks one of which has taken its process, or the server, down: which of them is found by halves.
//
// A group is done by itself, beside no other task that is suspected. When that goes well, none of
// it was to blame; when it dies, too, each of its halves is a group. So who has killed is found in
// as many steps as the logarithm of how many there were, and of the others none is blamed.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace ratchet::policy {

class TaskSuspects {
 public:
  using Tasks = std::vector<std::int64_t>;

  // What becomes of the tasks that were in hand.
  enum class Verdict : std::uint8_t {
    kNotGuilty,  // somebody else has done it
    kSuspected,  // one of them, or of others that were in hand at the same time
    kGuilty,     // one of them: of a single one it is known now
  };
  // Of everything that was in hand when the server died; is_suspected: of each, in their order. Who
  // was suspected before is to blame. A single one that was in hand alone is as well.
  static std::vector<Verdict> Judge(const std::vector<bool>& is_suspected);

  // As groups: the halves of these tasks; a single one remains one.
  static std::vector<Tasks> Halves(const Tasks& tasks);

  // Tasks of other groups leave those. The number is the caller's, for this group alone.
  void Add(std::int64_t number, const Tasks& tasks);
  // It is not suspected any more. Returns the number of its group if that is empty now, else 0.
  std::int64_t Clear(std::int64_t task);
  bool Includes(std::int64_t task) const { return group_of_.contains(task); }
  // Those of its group, itself included; none if it is in no group.
  Tasks GroupOf(std::int64_t task) const;
  bool IsEmpty() const { return groups_.empty(); }
  // Numbers of groups that have become empty by Add().
  Tasks TakeEmptied();
  void Forget();

 private:
  std::map<std::int64_t, Tasks> groups_;  // by number
  std::unordered_map<std::int64_t, std::int64_t> group_of_;
  Tasks emptied_;
};

}  // namespace ratchet::policy
