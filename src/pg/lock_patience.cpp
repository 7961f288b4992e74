#include "pg/lock_patience.h"

extern "C" {
#include "storage/lmgr.h"
}

namespace ratchet::pg {
namespace {

LockPatience lock_patience = nullptr;

}  // namespace

void SetLockPatience(LockPatience patience) { lock_patience = patience; }

bool TakeLockPatiently(const char* table, Oid oid, LOCKMODE mode) {
  return lock_patience != nullptr &&
         (ConditionalLockRelationOid(oid, mode) || lock_patience(table, oid, mode));
}

}  // namespace ratchet::pg
