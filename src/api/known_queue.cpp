// Who writes the definition of a queue says that ratchet.queue has changed
// (catalog::AnnounceQueues), by the server's own messages: other sessions hear of it when the
// transaction has committed, before its client does; the session itself at the next command, and
// again when it rolls back. So does whatever else happens to the table, and DROP EXTENSION.
#include "api/known_queue.h"

#include <unordered_map>
#include <utility>

#include "pg/guard.h"
#include "pg/never_destroyed.h"
#include "pg/relation_changes.h"
#include "pg/table.h"

extern "C" {
#include "utils/inval.h"
}

namespace ratchet::api {
namespace {

// Who uses more of them by turns is as quick as without.
constexpr std::size_t kMost = 1'000;

// Which tables say what is known here: the definitions, and the key to their seals.
constinit Oid queue_table = InvalidOid;
constinit Oid home_table = InvalidOid;
constinit std::uint64_t changes = 0;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  if (relation == InvalidOid || relation == queue_table || relation == home_table) {
    changes++;
  }
}

struct Known {
  std::uint64_t changes = 0;  // as of which all is
  std::unordered_map<std::string, std::shared_ptr<const Queue>> queues;
};

Known& TheKnown() {
  static pg::NeverDestroyed<Known> known;
  return *known;
}

void Hear() {
  pg::Call([] {
    static bool registered = false;
    if (!registered) {
      pg::OnRelationChange(AtInvalidation);
      registered = true;
    }
    // A statement that finds all that it needs in the caches of its session may be the first one
    // for long.
    AcceptInvalidationMessages();
  });
}

}  // namespace

std::shared_ptr<const Queue> KnownQueue(const std::string& queue_name) {
  Known& known = TheKnown();
  Hear();
  if (known.changes != changes || known.queues.size() >= kMost) {
    known.queues.clear();
    known.changes = changes;
  }
  const auto found = known.queues.find(queue_name);
  if (found != known.queues.end()) {
    return found->second;
  }
  // Before anything is read: what changes from now on is heard of.
  pg::Call([] {
    queue_table = pg::TableOid("queue");
    home_table = pg::TableOid("home");
  });
  std::optional<Queue> queue = FindQueue(queue_name);
  if (!queue) {
    return nullptr;
  }
  auto shared = std::make_shared<const Queue>(*std::move(queue));
  if (known.changes == changes) {
    known.queues.emplace(queue_name, shared);
  }
  return shared;
}

}  // namespace ratchet::api
