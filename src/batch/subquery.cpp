#include "batch/subquery.h"

#include "pg/guard.h"

extern "C" {
#include "tcop/tcopprot.h"
}

namespace ratchet::batch {

std::string Alias(int position) { return "c" + std::to_string(position + 1); }

std::string Aliases(const Shape& shape) {
  std::string names;
  for (std::size_t i = 0; i < shape.columns.size(); i++) {
    const std::string name = Alias(static_cast<int>(i));
    const bool is_there = shape.columns[i].output >= 0;
    names.append(i == 0 ? "" : ", ").append(is_there ? "" : "NULL::pg_catalog.text AS ") += name;
  }
  return names;
}

namespace {

// Of what the source gives, in its order.
std::string OutputNames(const Shape& shape) {
  std::string names;
  for (std::size_t i = 0; i < shape.outputs.size(); i++) {
    const int column = shape.outputs[i];
    names.append(i == 0 ? "" : ", ") += column >= 0 ? Alias(column) : "x" + std::to_string(i + 1);
  }
  return names;
}

}  // namespace

std::string FromSource(const std::string& source, const Shape& shape) {
  const int length = pg::Call([&source] {
    const auto* statement = linitial_node(RawStmt, pg_parse_query(source.c_str()));
    return statement->stmt_len > 0 ? statement->stmt_location + statement->stmt_len
                                   : static_cast<int>(source.size());
  });
  return " FROM (" + source.substr(0, static_cast<std::size_t>(length)) + "\n) AS s (" +
         OutputNames(shape) + ")";
}

std::string InOrder(const Shape& shape, bool reverse) {
  std::string order;
  for (const int position : shape.key) {
    order += (order.empty() ? " ORDER BY " : ", ") + Alias(position) +
             (shape.descending != reverse ? " DESC" : "");
  }
  return order;
}

}  // namespace ratchet::batch
