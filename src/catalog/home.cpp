#include "catalog/home.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "board/board.h"
#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/relation_changes.h"
#include "pg/row_change.h"

extern "C" {
#include "access/xlog.h"
#include "utils/inval.h"
}

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<NoObject>(
    Other<Int8>("system_identifier"),
    Other<RoleNumber>("database_oid"),
    Other<RoleNumber>("job_table_oid"),
    Other<Time>("since"),
    Other<Int8>("copy_id"),
    Other<Bytes>("seal_key"),
    Other<Time>("paused_at"),
    Other<RoleNumber>("paused_by"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kHomeTable("home", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kHomeTable;
constexpr int kSystemIdentifier = kTable.Number("system_identifier");
constexpr int kDatabaseOid = kTable.Number("database_oid");
constexpr int kJobTableOid = kTable.Number("job_table_oid");
constexpr int kSince = kTable.Number("since");
constexpr int kCopyId = kTable.Number("copy_id");
constexpr int kPausedAt = kTable.Number("paused_at");
constexpr int kPausedBy = kTable.Number("paused_by");
constexpr int kSealKeyColumn = kTable.Number("seal_key");  // bytea, which has text's form

// In this process, as long as nothing happens to the table.
constinit Oid key_table = InvalidOid;
constinit bool has_key = false;
constinit policy::SipKey key_at_hand;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  if (relation == key_table || relation == InvalidOid) {
    key_table = InvalidOid;
  }
}

policy::SipKey NewSealKey() {
  policy::SipKey key;
  if (!pg_strong_random(&key, sizeof(key))) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("could not generate a random key for the rows of pg_ratchet")));
  }
  return key;
}

// The library keeps one row. A second one was written by somebody else, and nobody can say which of
// the two it is.
bool ReadSealKey(policy::SipKey* key) {
  int rows = 0;
  bool is_key = false;
  pg::TableScan scan(kTable, AccessShareLock);
  pg::Row row;
  while (scan.Next(&row)) {
    rows++;
    const std::string_view bytes = row.Text(kSealKeyColumn);
    is_key = bytes.size() == sizeof(*key);
    if (is_key) {
      std::memcpy(key, bytes.data(), sizeof(*key));
    }
  }
  scan.End();
  return is_key && rows == 1;
}

bool IsThisTable(const pg::Row& row) {
  return row.ObjectId(kDatabaseOid) == MyDatabaseId &&
         row.ObjectId(kJobTableOid) == pg::TableOid("job");
}

// For use inside pg::Call.

void KeepPause(const pg::Row& row, PauseOfAll* pause) {
  if (row.TimeOrZero(kPausedAt) > pause->since) {
    *pause = {row.TimeOrZero(kPausedAt), row.ObjectIdOrNone(kPausedBy)};
  }
}

void PutPause(const PauseOfAll& pause, pg::Row* row) {
  row->SetNull(kPausedAt);
  row->SetNull(kPausedBy);
  row->SetTimeOrNull(kPausedAt, pause.since);
  row->SetOidOrNull(kPausedBy, pause.by);
}

// Of the data directory; 0: it is not known to be a copy.
std::int64_t CopyId() { return board::TheBoard() != nullptr ? board::TheBoard()->copy_id : 0; }

}  // namespace

// CREATE EXTENSION writes the row of where it runs, and dumps do not bring along another one: the
// row of another database has come with the database's files. pg_upgrade does not run the script: a
// row of another system with the same OIDs is its doing.
HomeFinding CheckHome() {
  return pg::Call([] {
    int rows = 0;
    bool elsewhere = false;
    bool copied = false;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      rows++;
      elsewhere = elsewhere || !IsThisTable(row);
      copied = CopyId() != 0 && row.Int64(kCopyId) != CopyId();
    }
    scan.End();
    if (rows == 0) {
      return HomeFinding::kNew;
    }
    if (elsewhere || rows > 1) {
      return HomeFinding::kElsewhere;
    }
    return copied ? HomeFinding::kCopied : HomeFinding::kHere;
  });
}

bool SettleIfEmpty(TimestampTz now) {
  const HomeFinding finding = CheckHome();
  if (finding != HomeFinding::kElsewhere && finding != HomeFinding::kCopied) {
    return false;
  }
  const bool empty = pg::Call([] {
    bool none = true;
    for (const pg::TableLayout* layout : {&kJobTable, &kChannelTable}) {
      pg::Row row;
      pg::TableScan scan(*layout, AccessShareLock);
      none = none && !scan.Next(&row);
      scan.End();
    }
    return none;
  });
  if (empty) {
    MakeHome(now, SealKey::kKeep);
  }
  return empty;
}

TimestampTz HomeSince() {
  return pg::Call([] {
    TimestampTz since = 0;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      since = std::max(since, row.Time(kSince));
    }
    scan.End();
    return since;
  });
}

PauseOfAll FindPauseOfAll() {
  return pg::Call([] {
    PauseOfAll pause;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      KeepPause(row, &pause);
    }
    scan.End();
    return pause;
  });
}

PauseOfAll GlancePauseOfAll() {
  const bool is_free = pg::Call(
      [] { return pg::HasTable(kTable.name) && pg::TryLockTable(kTable.name, AccessShareLock); });
  return is_free ? FindPauseOfAll() : PauseOfAll();
}

void SetPauseOfAll(const PauseOfAll& pause) {
  pg::Call([&pause] {
    pg::TableScan scan(kTable, ShareRowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      PutPause(pause, &row);
      pg::UpdateRow(scan.table(), &tid, row);
    }
    scan.End();
    CommandCounterIncrement();
  });
}

void MakeHome(TimestampTz now, SealKey key) {
  pg::Call([now, key] {
    // One after the other, so that there is one home at the end.
    pg::TableScan scan(kTable, ShareRowExclusiveLock);
    policy::SipKey seal_key;
    const bool has_key = ReadSealKey(&seal_key);
    pg::Row old;
    ItemPointerData tid;
    PauseOfAll pause;
    while (scan.Next(&old, &tid)) {
      KeepPause(old, &pause);
      pg::DeleteRow(scan.table(), &tid);
    }
    if (!has_key || key == SealKey::kNew) {
      seal_key = NewSealKey();
    }
    pg::Row row;
    row.SetInt64(kSystemIdentifier, static_cast<int64>(GetSystemIdentifier()));
    row.SetOid(kDatabaseOid, MyDatabaseId);
    row.SetOid(kJobTableOid, pg::TableOid("job"));
    row.SetTime(kSince, now);
    row.SetInt64(kCopyId, CopyId());
    row.SetText(kSealKeyColumn, {reinterpret_cast<const char*>(&seal_key), sizeof(seal_key)});
    PutPause(pause, &row);
    pg::InsertRow(scan.table(), row);
    // Who has the key at hand looks again.
    CacheInvalidateRelcache(scan.table());
    scan.End();
    CommandCounterIncrement();
  });
}

void ForgetSealKey() { key_table = InvalidOid; }

const policy::SipKey* FindSealKey() {
  static bool listens = false;
  if (!listens) {
    pg::OnRelationChange(AtInvalidation);
    listens = true;
  }
  if (!OidIsValid(key_table)) {
    key_table = pg::TableOid(kTable.name);
    has_key = ReadSealKey(&key_at_hand);
  }
  return has_key ? &key_at_hand : nullptr;
}

}  // namespace ratchet::catalog
