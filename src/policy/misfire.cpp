#include "policy/misfire.h"

#include <algorithm>

namespace ratchet::policy {

MisfireDecision DecideMisfire(MisfirePolicy policy, std::int64_t limit, const DueOccurrences& due) {
  MisfireDecision decision;
  if (due.count <= 0) {
    decision.run = Pick::kNone;
    return decision;
  }
  const bool late = due.now - due.last > kStartGrace;
  switch (policy) {
    case MisfirePolicy::kOnce:
      decision.skip = due.count - 1;
      decision.catchup = late;
      break;
    case MisfirePolicy::kSkip:
      decision.skip = late ? due.count : due.count - 1;
      decision.run = late ? Pick::kNone : Pick::kLast;
      break;
    case MisfirePolicy::kAll:
      decision.skip = std::max<std::int64_t>(0, due.count - limit);
      decision.run = Pick::kFirst;
      decision.catchup = late || due.count > 1;
      break;
  }
  return decision;
}

}  // namespace ratchet::policy
