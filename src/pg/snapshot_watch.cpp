#include "pg/snapshot_watch.h"

#include "pg/compat.h"
#include "pg/relation_changes.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace ratchet::pg {
namespace {

// More of them in one transaction, and the relations that it has locked are looked through instead.
constexpr int kMostChanged = 256;

// Since the transaction began.
struct Changes {
  Oid relations[kMostChanged];
  int count;
  bool overflow;
  bool functions;
};

Changes changes{};

// May be called in an aborted transaction, and must not look anything up.
void RelationChanged(Datum /*argument*/, Oid relation) {
  if (!OidIsValid(relation)) {
    changes.overflow = true;
    return;
  }
  for (int i = 0; i < changes.count; i++) {
    if (changes.relations[i] == relation) {
      return;
    }
  }
  if (changes.count == kMostChanged) {
    changes.overflow = true;
  } else {
    changes.relations[changes.count++] = relation;
  }
}

void FunctionChanged(Datum /*argument*/, SyscacheId /*cache*/, std::uint32_t /*hash*/) {
  changes.functions = true;
}

// Messages come after the transaction that sends them has become visible. So those that are older
// than any snapshot of the next transaction can go, and none of those that are younger does.
void TransactionEnds(XactEvent event, void* /*argument*/) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
    changes.count = 0;
    changes.overflow = false;
    changes.functions = false;
  }
}

// ---- All that follows is for use inside pg::Call -----------------------------------------------

bool MadeByUs(HeapTuple row) {
  return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

bool RemovedByUs(HeapTuple row) {
  const HeapTupleHeader header = row->t_data;
  return (header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
         !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
         TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header));
}

// Where some rows of a catalog are.
struct Places {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

struct Catalog {
  Oid table;
  Oid index;
  AttrNumber column;  // of the relation, the first one of the index
};

// As of the snapshot; null: now.
Places PlacesOf(const Catalog& catalog, Relation table, Oid relation, Snapshot snapshot) {
  Places places;
  ScanKeyData key;
  ScanKeyInit(&key, catalog.column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
  SysScanDesc scan = systable_beginscan(table, catalog.index, true, snapshot, 1, &key);
  while (HeapTuple row = systable_getnext(scan)) {
    if (snapshot == nullptr ? MadeByUs(row) : RemovedByUs(row)) {
      continue;
    }
    places.count++;
    places.sum += (std::uint64_t{ItemPointerGetBlockNumber(&row->t_self)} << 16) +
                  ItemPointerGetOffsetNumber(&row->t_self);
  }
  systable_endscan(scan);
  return places;
}

// Whether others have inserted, updated or deleted such rows since the snapshot. What vacuum and
// analyze overwrite in place does not count.
bool Differs(const Catalog& catalog, Oid relation, Snapshot snapshot) {
  Relation table = table_open(catalog.table, AccessShareLock);
  const Places then = PlacesOf(catalog, table, relation, snapshot);
  const Places now = PlacesOf(catalog, table, relation, nullptr);
  table_close(table, AccessShareLock);
  return then.count != now.count || then.sum != now.sum;
}

constexpr Catalog kClass{RelationRelationId, ClassOidIndexId, Anum_pg_class_oid};
constexpr Catalog kRules{RewriteRelationId, RewriteRelRulenameIndexId, Anum_pg_rewrite_ev_class};
constexpr Catalog kPolicies{PolicyRelationId, PolicyPolrelidPolnameIndexId,
                            Anum_pg_policy_polrelid};
constexpr Catalog kChildren{InheritsRelationId, InheritsParentIndexId, Anum_pg_inherits_inhparent};

bool IsNewer(Oid relation, Snapshot snapshot) {
  return Differs(kClass, relation, snapshot) || Differs(kRules, relation, snapshot) ||
         Differs(kPolicies, relation, snapshot) || Differs(kChildren, relation, snapshot);
}

bool IsLocked(Oid relation) {
  LOCKTAG tag;
  SET_LOCKTAG_RELATION(tag, IsSharedRelation(relation) ? InvalidOid : MyDatabaseId, relation);
  for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++) {
    if (HoldsLock(tag, mode)) {
      return true;
    }
  }
  return false;
}

// What a slice that failed has read it has no lock on any more. What other sessions have for
// themselves, or is gone, it has not read.
bool MayHaveBeenRead(Oid relation) {
  const Oid schema = get_rel_namespace(relation);
  return OidIsValid(schema) && !isAnyTempNamespace(schema);
}

// A parent of which the relation was a child as of the snapshot, and is not any more, and of which
// the transaction has read other children: the rows may be in one of them.
Oid ParentThatLost(Oid relation, Snapshot snapshot) {
  Oid parent = InvalidOid;
  Relation table = table_open(InheritsRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(relation));
  SysScanDesc scan = systable_beginscan(table, InheritsRelidSeqnoIndexId, true, snapshot, 1, &key);
  while (HeapTuple row = systable_getnext(scan)) {
    const Oid of = reinterpret_cast<Form_pg_inherits>(GETSTRUCT(row))->inhparent;
    if (IsLocked(of) && Differs(kChildren, of, snapshot)) {
      parent = of;
    }
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return parent;
}

// Of those that others have changed, one that is newer than the snapshot.
Oid NewerAmongChanged(Snapshot snapshot, bool any_relation) {
  const int count = changes.count;  // looking may bring more messages
  for (int i = 0; i < count; i++) {
    const Oid relation = changes.relations[i];
    if ((IsLocked(relation) || (any_relation && MayHaveBeenRead(relation))) &&
        IsNewer(relation, snapshot)) {
      return relation;
    }
    const Oid parent = ParentThatLost(relation, snapshot);
    if (OidIsValid(parent)) {
      return parent;
    }
  }
  return InvalidOid;
}

Oid NewerAmongLocked(Snapshot snapshot) {
  const LockData* data = GetLockStatusData();
  for (int i = 0; i < data->nelements; i++) {
    const LockInstanceData& lock = data->locks[i];
    const auto relation = static_cast<Oid>(lock.locktag.locktag_field2);
    if (lock.pid == MyProcPid && lock.holdMask != 0 &&
        lock.locktag.locktag_type == LOCKTAG_RELATION &&
        lock.locktag.locktag_field1 == MyDatabaseId && IsNewer(relation, snapshot)) {
      return relation;
    }
  }
  return InvalidOid;
}

// Which functions were called nobody knows, but they are not changed every minute. A temporary one
// is some other session's.
Oid NewerFunction(Snapshot snapshot) {
  Oid newer = InvalidOid;
  Relation table = table_open(ProcedureRelationId, AccessShareLock);
  SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  while (HeapTuple row = systable_getnext(scan)) {
    const auto* function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    if (!MadeByUs(row) && XidInMVCCSnapshot(HeapTupleHeaderGetXmin(row->t_data), snapshot) &&
        !isAnyTempNamespace(function->pronamespace)) {
      newer = function->oid;
      break;
    }
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return newer;
}

// Null when nothing is newer. In the memory of the caller.
const char* WhatIsNewer(Snapshot snapshot, bool any_relation) {
  Oid relation = NewerAmongChanged(snapshot, any_relation);
  if (!OidIsValid(relation) && changes.overflow) {
    relation = NewerAmongLocked(snapshot);
  }
  if (OidIsValid(relation)) {
    const char* name = get_rel_name(relation);
    return psprintf("relation \"%s\"", name != nullptr ? name : "?");
  }
  if (changes.functions) {
    const Oid function = NewerFunction(snapshot);
    if (OidIsValid(function)) {
      const char* name = get_func_name(function);
      return psprintf("function \"%s\"", name != nullptr ? name : "?");
    }
  }
  return nullptr;
}

}  // namespace

OldSnapshot::OldSnapshot(const std::string& what)
    : Error(ERRCODE_T_R_SERIALIZATION_FAILURE,
            "the snapshot is older than the present definition of " + what,
            "Try again when it is not being changed any more.",
            "Rows that were there before it was changed would not have been seen.") {}

void SnapshotWatch::Install() {
  static bool installed = false;
  if (installed) {
    return;
  }
  Call([] {
    RegisterXactCallback(TransactionEnds, nullptr);
    OnRelationChange(RelationChanged);
    CacheRegisterSyscacheCallback(PROCOID, FunctionChanged, 0);
  });
  installed = true;
}

void SnapshotWatch::Begin() {
  owner_ = CurrentResourceOwner;
  snapshot_ = Call([] { return RegisterSnapshot(GetTransactionSnapshot()); });
}

void SnapshotWatch::Check(bool any_relation) {
  if (changes.count == 0 && !changes.overflow && !changes.functions) {
    return;
  }
  const char* newer = Call([&] { return WhatIsNewer(snapshot_, any_relation); });
  if (newer != nullptr) {
    throw OldSnapshot(newer);
  }
}

void SnapshotWatch::End() {
  Call([this] { UnregisterSnapshotFromOwner(snapshot_, owner_); });
  snapshot_ = nullptr;
}

}  // namespace ratchet::pg
