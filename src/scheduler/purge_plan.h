// When to look at whose history: each job once.
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>
#include <utility>

namespace ratchet::scheduler {

// Times are of any one clock.
class PurgePlan {
 public:
  static constexpr std::int64_t kNone = INT64_MAX;

  void Clear() { *this = {}; }
  bool Has(std::int64_t job_id) const { return of_job_.contains(job_id); }

  // Instead of what was planned for the job.
  void Put(std::int64_t job_id, std::int64_t at) {
    const auto [planned, is_new] = of_job_.emplace(job_id, at);
    if (!is_new) {
      order_.erase({planned->second, job_id});
      planned->second = at;
    }
    order_.emplace(at, job_id);
  }

  // kNone when nothing is planned.
  std::int64_t NextTime() const { return order_.empty() ? kNone : order_.begin()->first; }

  // The job whose turn is next; something is planned.
  std::int64_t Take() {
    const std::int64_t job_id = order_.begin()->second;
    order_.erase(order_.begin());
    of_job_.erase(job_id);
    return job_id;
  }

 private:
  std::set<std::pair<std::int64_t, std::int64_t>> order_;
  std::unordered_map<std::int64_t, std::int64_t> of_job_;
};

}  // namespace ratchet::scheduler
