#include "postgres/answer.h"

namespace client::postgres {

std::string FirstValue(const Answer& answer) {
  return answer.rows.empty() || answer.rows.front().empty()
             ? ""
             : answer.rows.front().front().value_or("");
}

std::string ArrayLiteral(const std::vector<Value>& elements) {
  std::string literal = "{";
  for (const Value& element : elements) {
    literal += literal.size() > 1 ? "," : "";
    if (!element) {
      literal += "NULL";
      continue;
    }
    literal += '"';
    for (const char c : *element) {
      literal += c == '"' || c == '\\' ? "\\" : "";
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

}  // namespace client::postgres
