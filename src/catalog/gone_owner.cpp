#include "catalog/gone_owner.h"

#include <algorithm>

#include "catalog/job_change.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "utils/syscache.h"
}

namespace ratchet::catalog {
namespace {

// A table with owners, and an index of it that begins with this column.
struct Owned {
  const SealedTable* sealed;
  const char* index;
  int key;

  const pg::TableLayout& table() const { return sealed->seal->table(); }
  Oid OwnerIn(const pg::Row& row) const { return row.ObjectId(sealed->owner); }
};

constexpr Owned kOfJob[] = {
    {&kSealedJobs, "job_pkey", 1},
    {&kSealedCheckpoints, "job_checkpoint_pkey", 1},
    {&kSealedBackfills, "backfill_job_idx", 2},
};
constexpr Owned kVersions = {&kSealedVersions, "job_version_pkey", 1};
constexpr Owned kFailedItems = {&kSealedFailedItems, "failed_item_pkey", 3};
constexpr Owned kRecords = {&kSealedRecords, "run_log_job_idx", 2};
constexpr int kRecordsRunId = 1;

// Tables of messages with owners. Definitions are few, and looked through for roles that are gone.
struct OfMessages {
  const pg::TableLayout& table;
  const SealedTable* sealed;  // null: its rows have no seal
  bool is_definition;
  bool is_told;  // the scheduler keeps what it has read of it
  bool ends;     // with its owner
};

constinit const OfMessages kOfMessages[] = {
    {kChannelTable, &kSealedChannels, true, false, false},
    {kAlertTable, &kSealedAlerts, true, true, false},
    {kSilenceTable, nullptr, true, true, true},
    {kIncidentTable, nullptr, false, false, false},
    {kDeliveryTable, nullptr, false, false, false},
};

// Of the history of a job, so many records at a time.
constexpr int kSlice = 500;

// All that follows is for use inside pg::Call.

// A row that is held. One that was held back (seal.h) stays so. `seal` is null where rows have
// none.
void MakeNobodys(const RowSeal* seal, int owner, Relation table, ItemPointer tid, pg::Row* row) {
  const bool is_sealed = seal != nullptr && seal->Fits(*row);
  row->SetOid(owner, InvalidOid);
  if (is_sealed) {
    seal->Put(row);
  }
  pg::UpdateRowOfSameKey(table, tid, *row);
}

bool DisownRow(const Owned& owned, Relation table, ItemPointer tid, Oid role) {
  pg::Row row;
  switch (pg::HoldRow(table, tid, pg::IfBusy::kGiveUp, &row)) {
    case pg::RowHold::kBusy:
      return false;
    case pg::RowHold::kGone:
      return true;
    case pg::RowHold::kHeld:
      break;
  }
  if (owned.OwnerIn(row) == role) {
    MakeNobodys(owned.sealed->seal, owned.sealed->owner, table, tid, &row);
  }
  return true;
}

bool Disown(const Owned& owned, std::int64_t key, Oid role) {
  bool is_complete = true;
  pg::Row row;
  ItemPointerData tid;
  pg::IndexScan scan(owned.table(), owned.index, RowExclusiveLock);
  scan.Equal(owned.key, key).Begin();
  while (scan.Next(&row, &tid)) {
    if (owned.OwnerIn(row) == role) {
      is_complete = DisownRow(owned, scan.table(), &tid, role) && is_complete;
    }
  }
  scan.End();
  CommandCounterIncrement();
  return is_complete;
}

bool IsOneOf(const std::vector<Oid>& roles, Oid role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool Exists(Oid role) { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)); }

void AddGoneOwners(const pg::TableLayout& layout, std::vector<Oid>* gone) {
  const int owner = layout.Number("owner");
  pg::TableScan scan(layout, AccessShareLock);
  pg::Row row;
  while (scan.Next(&row)) {
    CHECK_FOR_INTERRUPTS();
    const Oid role = row.ObjectId(owner);
    if (OidIsValid(role) && !IsOneOf(*gone, role) && !Exists(role)) {
      gone->push_back(role);
    }
  }
  scan.End();
}

bool DisownMessagesIn(const OfMessages& of, const std::vector<Oid>& gone, bool* changed) {
  const int owner = of.table.Number("owner");
  bool is_complete = true;
  pg::TableScan scan(of.table, RowExclusiveLock);
  pg::Row row;
  ItemPointerData tid;
  while (scan.Next(&row, &tid)) {
    CHECK_FOR_INTERRUPTS();
    if (!IsOneOf(gone, row.ObjectId(owner))) {
      continue;
    }
    const pg::RowHold hold = pg::HoldRow(scan.table(), &tid, pg::IfBusy::kGiveUp, &row);
    if (hold == pg::RowHold::kHeld && IsOneOf(gone, row.ObjectId(owner))) {
      if (of.ends) {
        pg::DeleteRow(scan.table(), &tid);
      } else {
        const RowSeal* seal = of.sealed != nullptr ? of.sealed->seal : nullptr;
        MakeNobodys(seal, owner, scan.table(), &tid, &row);
      }
      *changed = *changed || of.is_told;
    }
    is_complete = is_complete && hold != pg::RowHold::kBusy;
  }
  scan.End();
  CommandCounterIncrement();
  return is_complete;
}

Disowning DisownRecords(std::int64_t job_id, Oid role, std::int64_t* behind) {
  bool is_complete = true;
  int read = 0;
  pg::Row row;
  ItemPointerData tid;
  pg::IndexScan scan(kRecords.table(), kRecords.index, RowExclusiveLock);
  scan.Equal(kRecords.key, job_id).Behind(kRecordsRunId, *behind).Begin();
  while (is_complete && read < kSlice && scan.Next(&row, &tid)) {
    read++;
    const std::int64_t run_id = row.Int64(kRecordsRunId);
    if (kRecords.OwnerIn(row) == role) {
      is_complete =
          Disown(kFailedItems, run_id, role) && DisownRow(kRecords, scan.table(), &tid, role);
    }
    if (is_complete) {
      *behind = run_id;
    }
  }
  scan.End();
  if (!is_complete) {
    return Disowning::kLeft;
  }
  return read == kSlice ? Disowning::kGoesOn : Disowning::kDone;
}

}  // namespace

bool RoleExists(Oid role) {
  return pg::Call([role] { return Exists(role); });
}

bool DisownMessages(std::vector<Oid> gone, bool* changed) {
  bool is_complete = true;
  for (const OfMessages& of : kOfMessages) {
    if (of.is_definition) {
      pg::Call([&of, &gone] { AddGoneOwners(of.table, &gone); });
    }
  }
  if (gone.empty()) {
    return true;
  }
  for (const OfMessages& of : kOfMessages) {
    is_complete = pg::Call([&] { return DisownMessagesIn(of, gone, changed); }) && is_complete;
  }
  return is_complete;
}

bool DisownJob(std::int64_t job_id, Oid role) {
  return pg::Call([job_id, role] {
    bool is_complete = true;
    for (const Owned& owned : kOfJob) {
      is_complete = Disown(owned, job_id, role) && is_complete;
    }
    return is_complete;
  });
}

void FindJobsThatRanAs(Oid role, std::vector<std::int64_t>* jobs) {
  pg::Call([role, jobs] {
    pg::TableScan scan(kVersions.table(), AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      if (kVersions.OwnerIn(row) == role) {
        jobs->push_back(row.Int64(kVersions.key));
      }
    }
    scan.End();
  });
  struct Changed {
    Oid role;
    std::vector<std::int64_t>* jobs;
  } changed{role, jobs};
  ScanChangedJobs(
      [](void* context, std::int64_t job_id, Oid owner) {
        const auto* found = static_cast<const Changed*>(context);
        if (owner == found->role) {
          found->jobs->push_back(job_id);
        }
      },
      &changed);
}

Disowning DisownHistory(std::int64_t job_id, Oid role, std::int64_t* behind) {
  if (!DisownJobChanges(job_id, role)) {
    return Disowning::kLeft;
  }
  return pg::Call([=] {
    const Disowning records = DisownRecords(job_id, role, behind);
    if (records != Disowning::kDone) {
      return records;
    }
    return Disown(kVersions, job_id, role) ? Disowning::kDone : Disowning::kLeft;
  });
}

}  // namespace ratchet::catalog
