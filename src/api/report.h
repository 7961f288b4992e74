// The rows of ratchet.status().
#pragma once

#include <string>

#include "api/row_set.h"

namespace ratchet::api {

class Report {
 public:
  explicit Report(FunctionCallInfo call) : rows_(call) {}

  void Add(const char* component, const std::string& state, const std::string& detail = {},
           const std::string& hint = {});

 private:
  RowSet rows_;
};

}  // namespace ratchet::api
