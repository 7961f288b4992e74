// In which order things that need each other are made.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ratchet::policy {

struct Dependent {
  std::string name;
  std::vector<std::string> needs;  // names that are not among the others do not matter
};

struct DependencyOrder {
  std::vector<std::size_t> order;   // each behind those that it needs, otherwise as they came
  std::vector<std::string> circle;  // not empty: there is no order; its first name is its last, too
};

DependencyOrder OrderByNeed(const std::vector<Dependent>& dependents);

}  // namespace ratchet::policy
