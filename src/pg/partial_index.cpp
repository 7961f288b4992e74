#include "pg/partial_index.h"

#include <algorithm>

#include "pg/relation_changes.h"

extern "C" {
#include "nodes/primnodes.h"
}

namespace ratchet::pg {
namespace {

struct Known {
  Oid index;
  int column;
};

// The indexes of the extension's tables are about as many.
constexpr int kMost = 64;
Known known[kMost];
int count = 0;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  const auto is_it = [relation](const Known& each) { return each.index == relation; };
  count = relation == InvalidOid
              ? 0
              : static_cast<int>(std::remove_if(known, known + count, is_it) - known);
}

}  // namespace

int KnownColumnNotNull(Oid index) {
  const Known* end = known + count;
  const Known* found = std::find_if(known, known + count,
                                    [index](const Known& each) { return each.index == index; });
  return found != end ? found->column : kNotKnown;
}

void RememberColumnNotNull(Oid index, int column) {
  static bool registered = false;
  if (!registered) {
    OnRelationChange(AtInvalidation);
    registered = true;
  }
  if (count < kMost) {
    known[count++] = {index, column};
  }
}

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
