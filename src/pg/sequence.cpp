#include "pg/sequence.h"

#include "pg/table.h"
#include "policy/numbers.h"

extern "C" {
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/timeline.h"
#include "access/xlog.h"
#include "catalog/pg_authid_d.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
}

namespace ratchet::pg {
namespace {

// As its owner's superior: who may do what is decided before a number is asked for. The abort of
// the transaction restores the user when this fails.
void SetBehind(Oid sequence, std::int64_t highest) {
  Oid user = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&user, &context);
  SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
  DirectFunctionCall3(setval3_oid, ObjectIdGetDatum(sequence), Int64GetDatum(highest + 1),
                      BoolGetDatum(false));
  SetUserIdAndSecContext(user, context);
}

// Where it stands, and where in the WAL it got there.
std::int64_t LastNumber(Oid sequence, XLogRecPtr* written) {
  Relation relation = relation_open(sequence, AccessShareLock);
  const Buffer buffer = ReadBuffer(relation, 0);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  Page page = BufferGetPage(buffer);
  *written = PageGetLSN(page);
  const auto* tuple =
      reinterpret_cast<HeapTupleHeader>(PageGetItem(page, PageGetItemId(page, FirstOffsetNumber)));
  const std::int64_t last = reinterpret_cast<const FormData_pg_sequence_data*>(
                                reinterpret_cast<const char*>(tuple) + tuple->t_hoff)
                                ->last_value;
  UnlockReleaseBuffer(buffer);
  relation_close(relation, AccessShareLock);
  return last;
}

}  // namespace

Oid OpenSequence(const char* name) {
  Relation relation = OpenRelation(name, RowExclusiveLock);
  const Oid oid = RelationGetRelid(relation);
  table_close(relation, NoLock);
  return oid;
}

std::int64_t NextNumber(Oid sequence) {
  XLogRecPtr written = InvalidXLogRecPtr;
  return LastNumber(sequence, &written) == PG_INT64_MAX ? PG_INT64_MAX
                                                        : nextval_internal(sequence, false);
}

std::int64_t DrawNumber(Oid sequence) { return nextval_internal(sequence, false); }

std::int64_t NextNumberAfter(Oid sequence, std::int64_t highest) {
  LockSequence(sequence);
  std::int64_t number = NextNumber(sequence);
  if (!policy::IsNextNumber(number, highest)) {
    SetBehind(sequence, highest);
    ereport(LOG,
            (errmsg(number <= highest
                        ? "sequence \"ratchet.%s\" was behind: it is set forward from %lld to %lld"
                        : "sequence \"ratchet.%s\" was ahead: it is set back from %lld to %lld",
                    get_rel_name(sequence), static_cast<long long>(number),
                    static_cast<long long>(highest)),
             errdetail("Numbers up to the latter have been given already."), errhidestmt(true)));
    number = NextNumber(sequence);
  }
  UnlockSequence(sequence);
  return number;
}

void LockSequence(Oid sequence) { LockRelationOid(sequence, ShareUpdateExclusiveLock); }

void UnlockSequence(Oid sequence) { UnlockRelationOid(sequence, ShareUpdateExclusiveLock); }

bool IsOfEarlierTimeline(Oid sequence, std::int64_t* last) {
  const TimeLineID timeline = GetWALInsertionTimeLine();
  if (timeline <= 1) {
    return false;
  }
  const auto* newest =
      static_cast<const TimeLineHistoryEntry*>(linitial(readTimeLineHistory(timeline)));
  if (newest->tli != timeline || XLogRecPtrIsInvalid(newest->begin)) {
    return false;
  }
  XLogRecPtr written = InvalidXLogRecPtr;
  *last = LastNumber(sequence, &written);
  return written < newest->begin;
}

}  // namespace ratchet::pg
