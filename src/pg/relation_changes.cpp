#include "pg/relation_changes.h"

namespace ratchet::pg {
namespace {

constexpr int kMost = 12;
constinit RelcacheCallbackFunction callbacks[kMost] = {};
constinit int count = 0;

void TellAll(Datum argument, Oid relation) {
  for (int i = 0; i < count; i++) {
    callbacks[i](argument, relation);
  }
}

}  // namespace

void OnRelationChange(RelcacheCallbackFunction callback) {
  if (count == kMost) {
    elog(ERROR, "too many callbacks for changes of relations");
  }
  if (count == 0) {
    CacheRegisterRelcacheCallback(TellAll, static_cast<Datum>(0));
  }
  callbacks[count++] = callback;
}

}  // namespace ratchet::pg
