// The extension's tables, reached through the heap and their indexes: no executor, no triggers, no
// permission checks, no plan cache. Ordinary roles have no write privilege on these tables, and the
// code that calls these functions has checked what the user may do. Constraints that are not an
// index are not checked by these writes: the callers keep them.
//
// Everything here is for use inside pg::Call only.
#pragma once

#include "pg/server.h"
#include "pg/table_layout.h"

extern "C" {
#include "access/genam.h"
#include "access/skey.h"
#include "access/table.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
}

#include <cstdint>
#include <string>
#include <string_view>

namespace ratchet::pg {

// Values of a row in the order of the table's columns, which are numbered from 1.
struct Row {
  Datum values[kMaxColumns];
  bool nulls[kMaxColumns];

  Row();  // all null

  void Set(int column, Datum value) {
    values[column - 1] = value;
    nulls[column - 1] = false;
  }
  void SetNull(int column) { nulls[column - 1] = true; }
  void SetInt64(int column, std::int64_t value) { Set(column, Int64GetDatum(value)); }
  void SetInt32(int column, std::int32_t value) { Set(column, Int32GetDatum(value)); }
  void SetFloat8(int column, double value) { Set(column, Float8GetDatum(value)); }
  void SetBool(int column, bool value) { Set(column, BoolGetDatum(value)); }
  void SetOid(int column, Oid value) { Set(column, ObjectIdGetDatum(value)); }
  void SetOidOrNull(int column, Oid value) {
    if (OidIsValid(value)) {
      SetOid(column, value);
    }
  }
  void SetText(int column, std::string_view value);
  void SetTime(int column, TimestampTz value) { Set(column, TimestampTzGetDatum(value)); }
  // Null for 0, which no instant of ours ever is.
  void SetTimeOrNull(int column, TimestampTz value);
  // jsonb given as text; null when empty.
  void SetJsonb(int column, std::string_view text);

  bool IsNull(int column) const { return nulls[column - 1]; }
  std::int64_t Int64(int column) const { return DatumGetInt64(values[column - 1]); }
  std::int32_t Int32(int column) const { return DatumGetInt32(values[column - 1]); }
  double Float8(int column) const { return DatumGetFloat8(values[column - 1]); }
  bool Bool(int column) const { return DatumGetBool(values[column - 1]); }
  Oid ObjectId(int column) const { return DatumGetObjectId(values[column - 1]); }
  // InvalidOid for null.
  Oid ObjectIdOrNone(int column) const { return IsNull(column) ? InvalidOid : ObjectId(column); }
  TimestampTz Time(int column) const { return DatumGetTimestampTz(values[column - 1]); }
  // 0 for null.
  TimestampTz TimeOrZero(int column) const { return IsNull(column) ? 0 : Time(column); }
  std::int64_t Int64Or(int column, std::int64_t missing) const {
    return IsNull(column) ? missing : Int64(column);
  }
  // Microseconds of an interval; rows that were written by hand may hold spans that ours never do:
  // those count as missing, and so does null.
  std::int64_t SpanOr(int column, std::int64_t missing) const;
  // Empty for null. Valid as long as the memory context of the read.
  std::string_view Text(int column) const;
  // jsonb as text; empty for null.
  std::string_view JsonbText(int column) const;
};

// Oid of the schema's table or index; an error that says how to go on when it is missing.
Oid TableOid(const char* name);
// Of the error when there is no extension.
inline constexpr char kDroppedMessage[] = "extension pg_ratchet has been dropped";

// The schema's table or sequence. An error, too, when it was dropped while we waited for the lock.
Relation OpenRelation(const char* name, LOCKMODE mode);

// The one way to a table of the extension: an error when its columns are not those for which the
// library was compiled.
Relation OpenTable(const TableLayout& layout, LOCKMODE mode);

// Whether the schema's table or sequence is there.
bool HasTable(const char* name);

// Takes the lock until the transaction ends, if nobody stands in its way: what is missing has
// nobody in its way.
bool TryLockTable(const char* name, LOCKMODE mode);

// Values that are stored out of line are written and removed only under a snapshot; that of a scan
// which is open does. True when one was pushed.
bool PushSnapshotIfNone();

void InsertRow(Relation table, Row& row, ItemPointer tid = nullptr);
// Inserts the row if no other one, committed or under way, has its values in this unique index;
// else nothing is inserted, and false is returned: the caller looks which one has them, and waits
// for the end of its transaction. A duplicate in another index is an error as ever.
bool TryInsertRow(Relation table, const char* unique_index, Row& row, ItemPointer tid = nullptr);
// Writes a new version of the row at tid, and its place to tid. The caller holds the row, or nobody
// else writes the table: see pg/row_change.h, where rows are also deleted.
void UpdateRow(Relation table, ItemPointer tid, Row& row);
// The same when no column of a unique index changes, so that there is nothing to check. Under an
// old snapshot a key has many dead versions, and a check for a duplicate visits all of them.
void UpdateRowOfSameKey(Relation table, ItemPointer tid, Row& row);
// The row at tid as of now, when it is visible; false when there is none.
bool FetchRow(Relation table, ItemPointer tid, Row* row);
// Whether there is one, and it has this value.
bool IsRowAt(Relation table, ItemPointer tid, int column, std::int64_t value);

// Rows of the named index, in its order, that meet the conditions on up to three of its leading
// columns, seen as of now (rows of the own transaction included).
class IndexScan {
 public:
  IndexScan(const TableLayout& table, const char* index, LOCKMODE mode);
  IndexScan& Equal(int column, std::int64_t value);
  IndexScan& EqualInt32(int column, std::int32_t value);
  IndexScan& EqualText(int column, std::string_view value);
  IndexScan& Null(int column);
  IndexScan& True(int column);
  // Greater than the value.
  IndexScan& Behind(int column, std::int64_t value);
  IndexScan& NotAbove(int column, std::int64_t value);
  IndexScan& NotBefore(int column, TimestampTz value);
  IndexScan& UpTo(int column, TimestampTz value);
  // With another snapshot than that of now, if one is given.
  void Begin(ScanDirection direction = ForwardScanDirection, Snapshot snapshot = nullptr);
  bool Next(Row* row, ItemPointer tid = nullptr);
  void End();
  Relation table() const { return table_; }
  // Transaction id that wrote the row last returned by Next.
  TransactionId xmin() const { return xmin_; }

 private:
  Relation table_;
  Relation index_;
  struct SysScanDescData* scan_ = nullptr;
  ScanKeyData keys_[3];
  int key_count_ = 0;
  ScanDirection direction_ = ForwardScanDirection;
  TransactionId xmin_ = InvalidTransactionId;
};

// A row's number, and the index by which it is found.
struct Key {
  const char* index;
  int column;
  std::int64_t value;
};

// The row with this key: at *tid or, when the table was rewritten since that was read (VACUUM
// FULL), where it is now. The caller holds a lock on the table that keeps the row there.
bool FindRowAt(Relation table, const TableLayout& layout, const Key& key, ItemPointer tid,
               Row* row);
// Only where it is, which is less work.
bool LocateRow(Relation table, const TableLayout& layout, const Key& key, ItemPointer tid);

// All rows of the table, in no order, as of now.
class TableScan {
 public:
  TableScan(const TableLayout& table, LOCKMODE mode);
  bool Next(Row* row, ItemPointer tid = nullptr);
  void End();
  Relation table() const { return table_; }

 private:
  Relation table_;
  struct SysScanDescData* scan_;
};

}  // namespace ratchet::pg
