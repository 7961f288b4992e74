#include "pg/horizon.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/transam.h"
#include "replication/slot.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/backend_status.h"
}

namespace ratchet::pg {
namespace {

// Of a slot it is not known since when it stands still: so many transactions ago is long.
constexpr std::int32_t kLongAgo = 1'000'000;

struct Holder {
  int pid = 0;
  TimestampTz since = 0;
  char name[NAMEDATALEN] = {};
};

// For use inside pg::Call, as what follows.
void FindBackend(TimestampTz before, Holder* holder) {
  const int count = pgstat_fetch_stat_numbackends();
  for (int i = 1; i <= count; i++) {
    const LocalPgBackendStatus* local = LocalBackend(i);
    if (local == nullptr || !TransactionIdIsValid(local->backend_xmin)) {
      continue;
    }
    const PgBackendStatus& backend = local->backendStatus;
    const TimestampTz since = backend.st_xact_start_timestamp;
    const bool is_session = backend.st_backendType == B_BACKEND;
    if (is_session && since != 0 && since < before && (holder->pid == 0 || since < holder->since)) {
      holder->pid = backend.st_procpid;
      holder->since = since;
    }
  }
}

bool IsLongAgo(TransactionId xmin, TransactionId next) {
  return TransactionIdIsNormal(xmin) && static_cast<std::int32_t>(next - xmin) > kLongAgo;
}

void FindSlot(Holder* holder) {
  const TransactionId next = XidFromFullTransactionId(ReadNextFullTransactionId());
  LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
  for (int i = 0; i < max_replication_slots && holder->name[0] == '\0'; i++) {
    ReplicationSlot* slot = &ReplicationSlotCtl->replication_slots[i];
    SpinLockAcquire(&slot->mutex);
    const bool is_idle = slot->in_use && slot->active_pid == 0;
    const ReplicationSlotPersistentData data = slot->data;
    SpinLockRelease(&slot->mutex);
    if (is_idle && (IsLongAgo(data.xmin, next) || IsLongAgo(data.catalog_xmin, next))) {
      strlcpy(holder->name, NameStr(data.name), sizeof(holder->name));
    }
  }
  LWLockRelease(ReplicationSlotControlLock);
}

}  // namespace

std::string WhoHoldsHorizon(TimestampTz before) {
  Holder holder;
  std::string words;
  Call([&] {
    FindBackend(before, &holder);
    if (holder.pid != 0) {
      words = psprintf("process %d has kept a snapshot since %s", holder.pid,
                       timestamptz_to_str(holder.since));
      return;
    }
    FindSlot(&holder);
    if (holder.name[0] != '\0') {
      words = psprintf("replication slot \"%s\" is not in use, and keeps old rows", holder.name);
    }
  });
  return words;
}

}  // namespace ratchet::pg
