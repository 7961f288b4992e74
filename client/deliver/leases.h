// What is on its way, and how long it is ours: leases are made longer before they end.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "deliver/reports.h"

namespace client::deliver {

class Leases {
 public:
  using Clock = std::chrono::steady_clock;

  // extend: a statement with id, token and interval as its values.
  Leases(Reports& reports, std::string extend) : reports_(reports), extend_(std::move(extend)) {}

  void Add(const Lease& lease, std::chrono::milliseconds length, Clock::time_point now);
  void Remove(const std::string& id) { held_.erase(id); }
  std::size_t size() const { return held_.size(); }

  // Asks for more time for those of which a third is left.
  void Step(Clock::time_point now);

 private:
  struct Held {
    Lease lease;
    std::chrono::milliseconds length;
    Clock::time_point extend_at;
  };

  Reports& reports_;
  std::string extend_;
  std::map<std::string, Held> held_;
};

}  // namespace client::deliver
