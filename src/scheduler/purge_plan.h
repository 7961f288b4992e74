// When to look at whose history: each job once.
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>
#include <utility>

#include "calendar/instant.h"

namespace ratchet::scheduler {

class PurgePlan {
 public:
  void Clear() { *this = {}; }
  bool Has(std::int64_t job_id) const { return of_job_.contains(job_id); }

  // Instead of what was planned for the job.
  void Put(std::int64_t job_id, calendar::Instant at) {
    const auto [planned, is_new] = of_job_.emplace(job_id, at);
    if (!is_new) {
      order_.erase({planned->second, job_id});
      planned->second = at;
    }
    order_.emplace(at, job_id);
  }

  // kNever when nothing is planned.
  calendar::Instant NextTime() const {
    return order_.empty() ? calendar::kNever : order_.begin()->first;
  }

  // The job whose turn is next; something is planned.
  std::int64_t Take() {
    const std::int64_t job_id = order_.begin()->second;
    order_.erase(order_.begin());
    of_job_.erase(job_id);
    return job_id;
  }

 private:
  std::set<std::pair<calendar::Instant, std::int64_t>> order_;
  std::unordered_map<std::int64_t, calendar::Instant> of_job_;
};

}  // namespace ratchet::scheduler
