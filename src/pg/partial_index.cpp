#include "pg/partial_index.h"

extern "C" {
#include "nodes/primnodes.h"
}

namespace ratchet::pg {

int ColumnNotNull(const List* predicate) {
  if (list_length(predicate) != 1 || !IsA(linitial(predicate), NullTest)) {
    return 0;
  }
  const auto* test = static_cast<const NullTest*>(linitial(predicate));
  if (test->nulltesttype != IS_NOT_NULL || test->argisrow || !IsA(test->arg, Var)) {
    return 0;
  }
  const int column = reinterpret_cast<const Var*>(test->arg)->varattno;
  return column > 0 ? column : 0;
}

}  // namespace ratchet::pg
