// What a server has answered to one statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace client::postgres {

using Value = std::optional<std::string>;

struct Answer {
  bool ok = false;
  bool lost = false;     // the connection broke: whether the statement was carried out is not known
  std::string sqlstate;  // of an error
  std::string message;   // of an error, with its hint
  std::vector<std::vector<Value>> rows;
};

// The first column of the first row; empty when it is null or not there.
std::string FirstValue(const Answer& answer);

// As PostgreSQL writes an array; elements without a value are null.
std::string ArrayLiteral(const std::vector<Value>& elements);

}  // namespace client::postgres
