#include "pg/table.h"

#include "pg/compat.h"
#include "pg/lock_patience.h"
#include "pg/open_tables.h"
#include "pg/partial_index.h"
#include "pg/span.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

#include <cstring>

namespace ratchet::pg {
namespace {

void Deform(Relation table, HeapTuple tuple, Row* row) {
  heap_deform_tuple(tuple, RelationGetDescr(table), row->values, row->nulls);
}

HeapTuple Form(Relation table, Row& row) {
  Assert(RelationGetDescr(table)->natts <= kMaxColumns);
  return heap_form_tuple(RelationGetDescr(table), row.values, row.nulls);
}

// Who goes by tuple ids never comes by where the server prunes pages, which is in scans. Without it
// a page is soon full of dead versions, the next one lands on another page, and each update writes
// all indexes.
void MakeRoom(Relation table, ItemPointer tid) {
  const Buffer buffer = ReadBuffer(table, ItemPointerGetBlockNumber(tid));
  PrunePage(table, buffer);
  ReleaseBuffer(buffer);
}

// After VACUUM FULL the table may be shorter. Who has a lock on it has heard of that, so that the
// size which this process knows is none that was taken back since.
bool HasBlock(Relation table, BlockNumber block) {
  const BlockNumber known = RelationGetSmgr(table)->smgr_cached_nblocks[MAIN_FORKNUM];
  return (known != InvalidBlockNumber && block < known) || block < RelationGetNumberOfBlocks(table);
}

// What the server does for its catalogs, and for indexes of rows whose column is not null. False:
// the index `no_wait`, of which no duplicate is waited for, may have one.
struct IndexWrite {
  IndexUniqueCheck check = UNIQUE_CHECK_YES;  // of unique ones
  bool same_key = false;                      // an update has changed none of their columns
  bool only_summaries = false;
  Oid no_wait = InvalidOid;
};
bool AddToIndex(Relation table, TupleTableSlot* slot, Relation relation, IndexInfo* index,
                const IndexWrite& write) {
  if (!index->ii_ReadyForInserts || (write.only_summaries && !IsSummary(index)) ||
      (index->ii_Predicate != NIL && slot_attisnull(slot, ColumnNotNull(index->ii_Predicate)))) {
    return true;
  }
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
  FormIndexDatum(index, slot, nullptr, values, nulls);
  const bool no_wait = RelationGetRelid(relation) == write.no_wait;
  const IndexUniqueCheck check = !index->ii_Unique ? UNIQUE_CHECK_NO
                                 : no_wait         ? UNIQUE_CHECK_PARTIAL
                                                   : write.check;
  return index_insert(relation, values, nulls, &slot->tts_tid, table, check, write.same_key,
                      index) ||
         !no_wait;
}

bool AddToKeptIndexes(Relation table, TupleTableSlot* slot, CatalogIndexState indexes,
                      const IndexWrite& write) {
  bool is_unique = true;
  for (int i = 0; is_unique && i < indexes->ri_NumIndices; i++) {
    is_unique = AddToIndex(table, slot, indexes->ri_IndexRelationDescs[i],
                           indexes->ri_IndexRelationInfo[i], write);
  }
  return is_unique;
}

// To open an index that the row does not go into costs as much as to write another one. Locks are
// kept, as the table's is.
bool OpenAndAddToIndexes(Relation table, TupleTableSlot* slot, const IndexWrite& write) {
  List* indexes = RelationGetIndexList(table);
  bool is_unique = true;
  for (int i = 0; is_unique && i < list_length(indexes); i++) {
    const Oid oid = list_nth_oid(indexes, i);
    const int not_null = KnownColumnNotNull(oid);
    if (not_null > 0 && slot_attisnull(slot, not_null)) {
      continue;
    }
    Relation relation = index_open(oid, RowExclusiveLock);
    IndexInfo* index = BuildIndexInfo(relation);
    if (not_null == kNotKnown) {
      RememberColumnNotNull(oid, ColumnNotNull(index->ii_Predicate));
    }
    is_unique = AddToIndex(table, slot, relation, index, write);
    index_close(relation, NoLock);
  }
  list_free(indexes);
  return is_unique;
}

bool AddToIndexes(Relation table, HeapTuple tuple, const IndexWrite& write) {
  TupleTableSlot* slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsHeapTuple);
  ExecStoreHeapTuple(tuple, slot, false);
  CatalogIndexState kept = OpenIndexesOf(table);
  const bool is_unique = kept != nullptr ? AddToKeptIndexes(table, slot, kept, write)
                                         : OpenAndAddToIndexes(table, slot, write);
  ExecDropSingleTupleTableSlot(slot);
  return is_unique;
}

// The committed or own row of this moment, for which no snapshot of all transactions is needed.
// When found, the buffer is the caller's to release.
bool FetchAt(Relation table, ItemPointer tid, HeapTuple tuple, Buffer* buffer) {
  tuple->t_self = *tid;
  return HasBlock(table, ItemPointerGetBlockNumber(tid)) &&
         heap_fetch(table, SnapshotSelf, tuple, buffer, false);
}

}  // namespace

Row::Row() {
  for (int i = 0; i < kMaxColumns; i++) {
    values[i] = 0;
    nulls[i] = true;
  }
}

void Row::SetText(int column, std::string_view value) {
  Set(column,
      PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))));
}

void Row::SetTimeOrNull(int column, TimestampTz value) {
  if (value == 0) {
    SetNull(column);
  } else {
    SetTime(column, value);
  }
}

void Row::SetJsonb(int column, std::string_view text) {
  if (text.empty()) {
    SetNull(column);
  } else {
    char* copy = pnstrdup(text.data(), text.size());
    Set(column, DirectFunctionCall1(jsonb_in, CStringGetDatum(copy)));
  }
}

std::int64_t Row::SpanOr(int column, std::int64_t missing) const {
  std::int64_t span = missing;
  if (!IsNull(column) && !pg::SpanOf(*DatumGetIntervalP(values[column - 1]), &span)) {
    return missing;
  }
  return span;
}

std::string_view Row::Text(int column) const {
  if (IsNull(column)) {
    return {};
  }
  text* value = DatumGetTextPP(values[column - 1]);
  return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
}

std::string_view Row::JsonbText(int column) const {
  if (IsNull(column)) {
    return {};
  }
  Jsonb* value = DatumGetJsonbP(values[column - 1]);
  return JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value)));
}

namespace {

Oid FindTable(const char* name) {
  const Oid schema = get_namespace_oid("ratchet", true);
  return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

[[noreturn]] void RaiseDropped() {
  ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg_internal("%s", kDroppedMessage)));
}

}  // namespace

bool HasTable(const char* name) { return OidIsValid(FindTable(name)); }

Oid TableOid(const char* name) {
  const Oid oid = FindTable(name);
  if (!OidIsValid(oid)) {
    if (!OidIsValid(get_extension_oid("pg_ratchet", true))) {
      RaiseDropped();
    }
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation \"ratchet.%s\" of extension pg_ratchet does not exist", name),
                    errhint("Run ALTER EXTENSION pg_ratchet UPDATE, or restart the server when the "
                            "library is older than the extension.")));
  }
  return oid;
}

Relation OpenRelation(const char* name, LOCKMODE mode) {
  const Oid oid = TableOid(name);
  const bool is_locked = TakeLockPatiently(name, oid, mode);
  Relation relation = try_table_open(oid, is_locked ? NoLock : mode);
  if (relation == nullptr) {
    RaiseDropped();
  }
  return relation;
}

Relation OpenTable(const TableLayout& layout, LOCKMODE mode) {
  Relation table = FindOpenTable(layout, mode);
  if (table != nullptr) {
    return table;
  }
  table = OpenRelation(layout.name, mode);
  Misfit misfit{};
  if (!HasLayout(table, layout, &misfit)) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg(kMisfitMessage, layout.name),
             errdetail_internal("%s", misfit.detail), errhint("%s", misfit.hint)));
  }
  KeepTableOpen(layout, table, mode);
  return table;
}

bool TryLockTable(const char* name, LOCKMODE mode) {
  const Oid oid = FindTable(name);
  return !OidIsValid(oid) || ConditionalLockRelationOid(oid, mode);
}

bool PushSnapshotIfNone() {
  if (HaveRegisteredOrActiveSnapshot()) {
    return false;
  }
  PushActiveSnapshot(GetTransactionSnapshot());
  return true;
}

void InsertRow(Relation table, Row& row, ItemPointer tid) {
  HeapTuple tuple = Form(table, row);
  const bool pushed = PushSnapshotIfNone();
  simple_heap_insert(table, tuple);
  AddToIndexes(table, tuple, {});
  if (pushed) {
    PopActiveSnapshot();
  }
  if (tid != nullptr) {
    ItemPointerCopy(&tuple->t_self, tid);
  }
  heap_freetuple(tuple);
}

bool TryInsertRow(Relation table, const char* unique_index, Row& row, ItemPointer tid) {
  HeapTuple tuple = Form(table, row);
  const bool pushed = PushSnapshotIfNone();
  // Who finds it in an index waits for the token, and not for the transaction: no two sessions that
  // insert the same key wait for each other.
  const std::uint32_t token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
  HeapTupleHeaderSetSpeculativeToken(tuple->t_data, token);
  heap_insert(table, tuple, GetCurrentCommandId(true), HEAP_INSERT_SPECULATIVE, nullptr);
  IndexWrite write;
  write.no_wait = TableOid(unique_index);
  const bool is_unique = AddToIndexes(table, tuple, write);
  if (is_unique) {
    heap_finish_speculative(table, &tuple->t_self);
  } else {
    heap_abort_speculative(table, &tuple->t_self);
  }
  SpeculativeInsertionLockRelease(GetCurrentTransactionId());
  if (pushed) {
    PopActiveSnapshot();
  }
  if (tid != nullptr) {
    ItemPointerCopy(&tuple->t_self, tid);
  }
  heap_freetuple(tuple);
  return is_unique;
}

namespace {

void Update(Relation table, ItemPointer tid, Row& row, IndexWrite write) {
  HeapTuple tuple = Form(table, row);
  ItemPointerCopy(tid, &tuple->t_self);
  const bool pushed = PushSnapshotIfNone();
  MakeRoom(table, tid);
  const IndexesToWrite which = UpdateHeap(table, tid, tuple);
  if (which != IndexesToWrite::kNone) {
    write.only_summaries = which == IndexesToWrite::kSummaries;
    AddToIndexes(table, tuple, write);
  }
  if (pushed) {
    PopActiveSnapshot();
  }
  ItemPointerCopy(&tuple->t_self, tid);
  heap_freetuple(tuple);
}

}  // namespace

void UpdateRow(Relation table, ItemPointer tid, Row& row) { Update(table, tid, row, {}); }

void UpdateRowOfSameKey(Relation table, ItemPointer tid, Row& row) {
  IndexWrite write;
  write.check = UNIQUE_CHECK_NO;
  write.same_key = true;
  Update(table, tid, row, write);
}

bool FetchRow(Relation table, ItemPointer tid, Row* row) {
  HeapTupleData tuple;
  Buffer buffer = InvalidBuffer;
  if (!FetchAt(table, tid, &tuple, &buffer)) {
    return false;
  }
  HeapTuple copy = heap_copytuple(&tuple);
  ReleaseBuffer(buffer);
  Deform(table, copy, row);
  return true;
}

bool IsRowAt(Relation table, ItemPointer tid, int column, std::int64_t value) {
  HeapTupleData tuple;
  Buffer buffer = InvalidBuffer;
  if (!FetchAt(table, tid, &tuple, &buffer)) {
    return false;
  }
  bool is_null = false;
  const Datum found = heap_getattr(&tuple, column, RelationGetDescr(table), &is_null);
  const bool is_it = !is_null && DatumGetInt64(found) == value;
  ReleaseBuffer(buffer);
  return is_it;
}

IndexScan::IndexScan(const TableLayout& table, const char* index, LOCKMODE mode)
    : table_(OpenTable(table, mode)), index_(index_open(TableOid(index), AccessShareLock)) {}

IndexScan& IndexScan::Equal(int column, std::int64_t value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTEqualStrategyNumber,
              F_INT8EQ, Int64GetDatum(value));
  return *this;
}

IndexScan& IndexScan::EqualInt32(int column, std::int32_t value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTEqualStrategyNumber,
              F_INT4EQ, Int32GetDatum(value));
  return *this;
}

IndexScan& IndexScan::EqualText(int column, std::string_view value) {
  ScanKeyInit(
      &keys_[key_count_++], static_cast<AttrNumber>(column), BTEqualStrategyNumber, F_TEXTEQ,
      PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))));
  keys_[key_count_ - 1].sk_collation = TupleDescAttr(table_->rd_att, column - 1)->attcollation;
  return *this;
}

IndexScan& IndexScan::Null(int column) {
  ScanKeyEntryInitialize(&keys_[key_count_++], SK_ISNULL | SK_SEARCHNULL,
                         static_cast<AttrNumber>(column), InvalidStrategy, InvalidOid, InvalidOid,
                         InvalidOid, static_cast<Datum>(0));
  return *this;
}

IndexScan& IndexScan::True(int column) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTEqualStrategyNumber,
              F_BOOLEQ, BoolGetDatum(true));
  return *this;
}

IndexScan& IndexScan::Behind(int column, std::int64_t value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTGreaterStrategyNumber,
              F_INT8GT, Int64GetDatum(value));
  return *this;
}

IndexScan& IndexScan::NotAbove(int column, std::int64_t value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTLessEqualStrategyNumber,
              F_INT8LE, Int64GetDatum(value));
  return *this;
}

IndexScan& IndexScan::NotBefore(int column, TimestampTz value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTGreaterEqualStrategyNumber,
              F_TIMESTAMPTZ_GE, TimestampTzGetDatum(value));
  return *this;
}

IndexScan& IndexScan::UpTo(int column, TimestampTz value) {
  ScanKeyInit(&keys_[key_count_++], static_cast<AttrNumber>(column), BTLessEqualStrategyNumber,
              F_TIMESTAMPTZ_LE, TimestampTzGetDatum(value));
  return *this;
}

void IndexScan::Begin(ScanDirection direction, Snapshot snapshot) {
  direction_ = direction;
  scan_ = systable_beginscan_ordered(table_, index_, snapshot, key_count_, keys_);
}

bool IndexScan::Next(Row* row, ItemPointer tid) {
  // What the index remembers from row to row (of entries that are dead) lives as long as the scan,
  // and not as long as the memory of a row.
  MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(scan_));
  HeapTuple tuple = systable_getnext_ordered(scan_, direction_);
  MemoryContextSwitchTo(caller);
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  if (tid != nullptr) {
    ItemPointerCopy(&tuple->t_self, tid);
  }
  xmin_ = HeapTupleHeaderGetXmin(tuple->t_data);
  // The scan owns the buffer that the tuple lies in: what the caller keeps must be its own copy.
  Deform(table_, heap_copytuple(tuple), row);
  return true;
}

void IndexScan::End() {
  systable_endscan_ordered(scan_);
  index_close(index_, AccessShareLock);
  table_close(table_, NoLock);
}

namespace {

bool FindByIndex(const TableLayout& layout, const Key& key, ItemPointer tid, Row* row) {
  IndexScan scan(layout, key.index, AccessShareLock);
  scan.Equal(key.column, key.value).Begin();
  const bool found = scan.Next(row, tid);
  scan.End();
  return found;
}

}  // namespace

bool FindRowAt(Relation table, const TableLayout& layout, const Key& key, ItemPointer tid,
               Row* row) {
  return (ItemPointerIsValid(tid) && FetchRow(table, tid, row) &&
          row->Int64(key.column) == key.value) ||
         FindByIndex(layout, key, tid, row);
}

bool LocateRow(Relation table, const TableLayout& layout, const Key& key, ItemPointer tid) {
  Row row;
  return (ItemPointerIsValid(tid) && IsRowAt(table, tid, key.column, key.value)) ||
         FindByIndex(layout, key, tid, &row);
}

TableScan::TableScan(const TableLayout& table, LOCKMODE mode)
    : table_(OpenTable(table, mode)),
      scan_(systable_beginscan(table_, InvalidOid, false, nullptr, 0, nullptr)) {}

bool TableScan::Next(Row* row, ItemPointer tid) {
  HeapTuple tuple = systable_getnext(scan_);
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  if (tid != nullptr) {
    ItemPointerCopy(&tuple->t_self, tid);
  }
  Deform(table_, tuple, row);
  return true;
}

void TableScan::End() {
  systable_endscan(scan_);
  table_close(table_, NoLock);
}

}  // namespace ratchet::pg
