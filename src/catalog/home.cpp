#include "catalog/home.h"

#include <algorithm>

#include "board/board.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "access/xlog.h"
}

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kHomeTable;

enum Column { kSystemIdentifier = 1, kDatabaseOid, kJobTableOid, kSince, kAdopted, kCopyId };

bool IsThisTable(const pg::Row& row) {
  return row.ObjectId(kDatabaseOid) == MyDatabaseId &&
         row.ObjectId(kJobTableOid) == pg::TableOid("job");
}

bool IsThisSystem(const pg::Row& row) {
  return row.Int64(kSystemIdentifier) == static_cast<int64>(GetSystemIdentifier());
}

// Of the data directory; 0: it is not known to be a copy.
std::int64_t CopyId() { return board::TheBoard() != nullptr ? board::TheBoard()->copy_id : 0; }

}  // namespace

// CREATE EXTENSION writes the row of where it runs, so that a restored dump, which brings along the
// row of where it comes from, has two. pg_upgrade does not run the script: a single row of another
// system with the same OIDs is its doing.
HomeFinding CheckHome() {
  return pg::Call([] {
    int rows = 0;
    bool elsewhere = false;
    bool other_system = false;
    bool copied = false;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      rows++;
      elsewhere = elsewhere || !IsThisTable(row);
      other_system = other_system || !IsThisSystem(row);
      copied = CopyId() != 0 && row.Int64(kCopyId) != CopyId();
    }
    scan.End();
    if (rows == 0) {
      return HomeFinding::kNew;
    }
    if (elsewhere || (other_system && rows > 1)) {
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
    pg::Row row;
    pg::TableScan scan(kJobTable, AccessShareLock);
    const bool none = !scan.Next(&row);
    scan.End();
    return none;
  });
  if (empty) {
    MakeHome(now, false);
  }
  return empty;
}

Home FindHome() {
  Home home;
  pg::Call([&home] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      home.since = std::max(home.since, row.Time(kSince));
      home.adopted = row.Bool(kAdopted);
    }
    scan.End();
  });
  return home;
}

void MakeHome(TimestampTz now, bool adopted) {
  pg::Call([now, adopted] {
    // One after the other, so that there is one home at the end.
    pg::TableScan scan(kTable, ShareRowExclusiveLock);
    pg::Row old;
    ItemPointerData tid;
    while (scan.Next(&old, &tid)) {
      pg::DeleteRow(scan.table(), &tid);
    }
    pg::Row row;
    row.SetInt64(kSystemIdentifier, static_cast<int64>(GetSystemIdentifier()));
    row.SetOid(kDatabaseOid, MyDatabaseId);
    row.SetOid(kJobTableOid, pg::TableOid("job"));
    row.SetTime(kSince, now);
    row.SetBool(kAdopted, adopted);
    row.SetInt64(kCopyId, CopyId());
    pg::InsertRow(scan.table(), row);
    scan.End();
    CommandCounterIncrement();
  });
}

}  // namespace ratchet::catalog
