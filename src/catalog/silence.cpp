#include "catalog/silence.h"

#include "catalog/declaration.h"
#include "catalog/find_row.h"
#include "catalog/row_numbers.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<Silence>(
    Column<Int8, &Silence::silence_id>("silence_id"),
    Column<Role, &Silence::owner>("owner"),
    Column<Time, &Silence::until>("until"),
    Column<Text, &Silence::reason>("reason"),
    Where<&Silence::has_jobs, TextArray, &Silence::jobs>("jobs"),
    Where<&Silence::has_tags, TextArray, &Silence::tags>("tags"),
    Column<Time, &Silence::created_at>("created_at"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kSilenceTable("silence", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kSilenceTable;
constexpr char kPrimaryKey[] = "silence_pkey";
constexpr int kSilenceId = kTable.Number("silence_id");
constexpr int kUntil = kTable.Number("until");

}  // namespace

void InsertSilence(Silence* silence) {
  pg::Call([silence] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    silence->silence_id = NextRowNumber(kTable, kPrimaryKey, kSilenceId, "silence_id_seq");
    pg::Row row;
    kColumns.Fill(*silence, &row);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<Silence> FindSilence(std::int64_t silence_id, ItemPointer tid) {
  std::optional<Silence> silence(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kPrimaryKey, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kSilenceId, silence_id); },
        [&](const pg::Row& row) { kColumns.Read(row, &*silence); });
  });
  return found ? std::move(silence) : std::nullopt;
}

void DeleteSilence(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::vector<Silence> ListSilences() {
  std::vector<Silence> silences;
  Silence silence;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      kColumns.Read(row, &silence);
      silences.push_back(silence);
    }
    scan.End();
  });
  return silences;
}

void PurgeSilences(TimestampTz before) {
  pg::Call([before] {
    pg::TableScan scan(kTable, RowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      if (row.Time(kUntil) < before) {
        pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp);
      }
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
