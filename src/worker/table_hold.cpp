#include "worker/table_hold.h"

#include "batch/pace.h"
#include "catalog/table_wait.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/table.h"

namespace ratchet::worker {
namespace {

constexpr std::int64_t kBetweenLooks = 5'000;  // microseconds
constexpr std::int64_t kLongestTry = 3 * USECS_PER_SEC;

using Tables = std::initializer_list<const char*>;

bool TryHold(Tables tables, LOCKMODE mode) {
  return pg::Call([&tables, mode] {
    for (const char* table : tables) {
      if (!pg::TryLockTable(table, mode)) {
        return false;
      }
    }
    return true;
  });
}

bool Hold(int slot, Tables tables, LOCKMODE mode, std::int64_t longest) {
  if (TryHold(tables, mode)) {
    return true;
  }
  const policy::SteadyTime begun = pg::SteadyNow();
  catalog::TableWait wait(slot);
  do {
    wait.Blocked(tables, mode);
    batch::Sleep(slot, board::RunWait::kLock, kBetweenLooks);
    if (longest > 0 && pg::SteadyNow() - begun > longest) {
      return false;
    }
  } while (!TryHold(tables, mode));
  return true;
}

}  // namespace

void WaitForDefinition(const board::RunTicket& ticket, int slot) {
  Hold(slot, {"job_version", "job_checkpoint"}, AccessShareLock, 0);
  if (ticket.has_payload) {
    Hold(slot, {"run_queue"}, AccessShareLock, 0);
  }
  if (ticket.watches) {
    Hold(slot, {"job"}, AccessShareLock, 0);
  }
}

void WaitForRecord(int slot) { Hold(slot, {"run_log", "job_checkpoint"}, RowExclusiveLock, 0); }

bool TryWaitForRecord(int slot) {
  return Hold(slot, {"run_log", "job_checkpoint"}, RowExclusiveLock, kLongestTry);
}

}  // namespace ratchet::worker
