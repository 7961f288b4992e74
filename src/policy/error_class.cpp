#include "policy/error_class.h"

namespace ratchet::policy {
namespace {

struct Rule {
  std::string_view prefix;
  ErrorClass error_class;
};

// The first one that fits counts. What PostgreSQL and the standard do not define was raised by the
// user's own code, and is about the item, as are all classes that are not here: data (22),
// constraints (23), cardinality (21), triggered actions (09, 27), limits (54), PL/pgSQL (P0), ....
constexpr Rule kRules[] = {
    // Other transactions were in the way.
    {"40", ErrorClass::kRetry},
    {"55P03", ErrorClass::kRetry},
    // The server is in trouble, or somebody wants the run to end.
    {"08", ErrorClass::kEndRun},
    {"53", ErrorClass::kEndRun},
    {"57", ErrorClass::kEndRun},
    {"58", ErrorClass::kEndRun},
    {"F0", ErrorClass::kEndRun},
    {"XX", ErrorClass::kEndRun},
    // The action or its surroundings are wrong: names, privileges, transaction control, what is not
    // possible at all.
    {"03", ErrorClass::kFailRun},
    {"0A", ErrorClass::kFailRun},
    {"0B", ErrorClass::kFailRun},
    {"0L", ErrorClass::kFailRun},
    {"0P", ErrorClass::kFailRun},
    {"25", ErrorClass::kFailRun},
    {"26", ErrorClass::kFailRun},
    {"28", ErrorClass::kFailRun},
    {"2B", ErrorClass::kFailRun},
    {"2D", ErrorClass::kFailRun},
    {"3B", ErrorClass::kFailRun},
    {"3D", ErrorClass::kFailRun},
    {"3F", ErrorClass::kFailRun},
    {"42", ErrorClass::kFailRun},
    {"55", ErrorClass::kFailRun},
    {"72", ErrorClass::kFailRun},
    {"HV", ErrorClass::kFailRun},
};

}  // namespace

ErrorClass ClassOf(std::string_view sqlstate) {
  for (const Rule& rule : kRules) {
    if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) {
      return rule.error_class;
    }
  }
  return ErrorClass::kItem;
}

}  // namespace ratchet::policy
