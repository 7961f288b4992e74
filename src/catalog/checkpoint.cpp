#include "catalog/checkpoint.h"

#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "access/xact.h"
}

namespace ratchet::catalog {
namespace {

// Columns of ratchet.job_checkpoint.
enum Column { kJobId = 1, kOwner, kRunId, kSavedAt, kValue };

// For use inside pg::Call.
bool Find(std::int64_t job_id, LOCKMODE mode, pg::Row* row, ItemPointer tid) {
  pg::IndexScan scan("job_checkpoint", "job_checkpoint_pkey", mode);
  scan.Equal(kJobId, job_id).Begin();
  const bool found = scan.Next(row, tid);
  scan.End();
  return found;
}

}  // namespace

std::optional<std::string> FindCheckpoint(std::int64_t job_id) {
  std::string value;
  const bool found = pg::Call([&] {
    pg::Row row;
    const bool is_there = Find(job_id, AccessShareLock, &row, nullptr);
    if (is_there) {
      value = row.JsonbText(kValue);
    }
    return is_there;
  });
  return found ? std::optional(std::move(value)) : std::nullopt;
}

void SaveCheckpoint(std::int64_t job_id, Oid owner, std::int64_t run_id, const std::string& value) {
  pg::Call([&] {
    pg::Row row;
    ItemPointerData tid;
    const bool is_there = Find(job_id, RowExclusiveLock, &row, &tid);
    pg::Row saved;
    saved.SetInt64(kJobId, job_id);
    saved.SetOid(kOwner, owner);
    saved.SetInt64(kRunId, run_id);
    saved.SetTime(kSavedAt, GetCurrentTimestamp());
    saved.SetJsonb(kValue, value);
    Relation table = pg::OpenTable("job_checkpoint", RowExclusiveLock);
    if (is_there) {
      pg::UpdateRow(table, &tid, saved);
    } else {
      pg::InsertRow(table, saved);
    }
    table_close(table, NoLock);
    // One statement may save more than once, and must then find what it has written.
    CommandCounterIncrement();
  });
}

void DeleteCheckpoint(std::int64_t job_id) {
  pg::Call([&] {
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan("job_checkpoint", "job_checkpoint_pkey", RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    if (scan.Next(&row, &tid)) {
      pg::DeleteRow(scan.table(), &tid);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
