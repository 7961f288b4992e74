#include "batch/writers.h"

#include <algorithm>

#include "batch/pace.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

constexpr std::int64_t kLongestWait = 100'000;  // between two looks, microseconds

// What who inserts, updates or deletes holds to the end of the transaction, at least. VACUUM and
// ANALYZE hold a weaker one. The sequence from which a key was taken is locked in the same way.
constexpr LOCKMASK kWrites = LOCKBIT_ON(RowExclusiveLock) | LOCKBIT_ON(ShareRowExclusiveLock) |
                             LOCKBIT_ON(ExclusiveLock) | LOCKBIT_ON(AccessExclusiveLock);

bool IsRelation(const LockInstanceData& lock) {
  return lock.locktag.locktag_type == LOCKTAG_RELATION &&
         lock.locktag.locktag_field1 == MyDatabaseId;
}

bool IsWriter(const LockInstanceData& lock) {
  return IsRelation(lock) && lock.locktag.locktag_field2 >= FirstNormalObjectId &&
         (lock.holdMask & kWrites) != 0 && lock.pid != MyProcPid;
}

}  // namespace

std::vector<VirtualTransactionId> WritersOf(const std::vector<Oid>& tables) {
  std::vector<VirtualTransactionId> writers;
  for (const Oid table : tables) {
    VirtualTransactionId* found = nullptr;
    int count = 0;
    pg::Call([&] {
      LOCKTAG tag;
      SET_LOCKTAG_RELATION(tag, IsSharedRelation(table) ? InvalidOid : MyDatabaseId, table);
      int holders = 0;
      found = GetLockConflicts(&tag, ShareLock, &holders);
      // A VACUUM holds such a lock too, may take hours, and writes no rows.
      count = static_cast<int>(std::remove_if(found, found + holders, pg::IsMaintenance) - found);
    });
    writers.insert(writers.end(), found, found + count);
  }
  return writers;
}

std::vector<VirtualTransactionId> WritersOfAll() {
  const LockData* data = pg::Call([] { return GetLockStatusData(); });
  std::vector<VirtualTransactionId> writers;
  for (int i = 0; i < data->nelements; i++) {
    const LockInstanceData& lock = data->locks[i];
    const VirtualTransactionId writer = pg::HolderOf(lock);
    const auto is_same = [&writer](const VirtualTransactionId& other) {
      return VirtualTransactionIdEquals(writer, other);
    };
    if (IsWriter(lock) && VirtualTransactionIdIsValid(writer) && !pg::IsMaintenance(writer) &&
        std::none_of(writers.begin(), writers.end(), is_same)) {
      writers.push_back(writer);
    }
  }
  return writers;
}

void WaitForWriters(const std::vector<VirtualTransactionId>& writers, int slot) {
  for (const VirtualTransactionId& writer : writers) {
    std::int64_t wait = 500;
    WaitWhile(slot, board::RunWait::kWriters, [&]() -> std::int64_t {
      const bool ended = pg::Call([&writer] { return VirtualXactLock(writer, false); });
      wait = std::min(wait * 2, kLongestWait);
      return ended ? 0 : wait;
    });
  }
}

Oid ForeignTableInUse() {
  return pg::Call([] {
    const LockData* data = GetLockStatusData();
    for (int i = 0; i < data->nelements; i++) {
      const LockInstanceData& lock = data->locks[i];
      const auto relation = static_cast<Oid>(lock.locktag.locktag_field2);
      if (lock.pid == MyProcPid && lock.holdMask != 0 && IsRelation(lock) &&
          get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE) {
        return relation;
      }
    }
    return InvalidOid;
  });
}

}  // namespace ratchet::batch
