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
    names += (i == 0 ? "" : ", ") + Alias(static_cast<int>(i));
  }
  return names;
}

std::string FromSource(const std::string& source, const Shape& shape) {
  const int length = pg::Call([&source] {
    const auto* statement = linitial_node(RawStmt, pg_parse_query(source.c_str()));
    return statement->stmt_len > 0 ? statement->stmt_location + statement->stmt_len
                                   : static_cast<int>(source.size());
  });
  return " FROM (" + source.substr(0, static_cast<std::size_t>(length)) + "\n) AS s (" +
         Aliases(shape) + ")";
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
