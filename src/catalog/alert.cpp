#include "catalog/alert.h"

#include <algorithm>

#include "catalog/find_row.h"
#include "catalog/row_numbers.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

namespace ratchet::catalog {
namespace {

// Sealed is in whose name it looks at jobs, and where it sends what it finds.
// clang-format off
constexpr auto kColumns = Declare<Alert>(
    Column<Int8, &Alert::alert_id>("alert_id").Sealed(),
    Column<Text, &Alert::alert_name>("alert_name").Sealed(),
    Column<Role, &Alert::owner>("owner").Sealed(),
    Column<TextArray, &Alert::channels>("channels").Sealed(),
    Column<TextArray, &Alert::events>("events").Sealed(),
    Where<&Alert::has_jobs, TextArray, &Alert::jobs>("jobs"),
    Where<&Alert::has_tags, TextArray, &Alert::tags>("tags"),
    Where<&Alert::has_queues, TextArray, &Alert::queues>("queues"),
    Column<Int4, &Alert::after_failures>("after_failures"),
    Column<Span, &Alert::group_wait>("group_wait"),
    Nullable<Span, &Alert::repeat_every>("repeat_every"),
    Column<Bool, &Alert::resolved>("resolved"),
    Column<Span, &Alert::backlog>("backlog"),
    Column<Time, &Alert::created_at>("created_at"),
    Column<Time, &Alert::changed_at>("changed_at"),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kAlertTable("alert", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kAlertTable;
constexpr char kPrimaryKey[] = "alert_pkey";
constexpr char kNameIndex[] = "alert_name_key";
constexpr int kAlertId = kTable.Number("alert_id");
constexpr int kAlertName = kTable.Number("alert_name");

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, Alert* alert) {
  kColumns.Read(row, alert);
  alert->quarantined = !kSeal.Fits(row);
}

void Fill(const Alert& alert, pg::Row* row) {
  kColumns.Fill(alert, row);
  if (!alert.quarantined) {
    kSeal.Put(row);
  }
}

std::optional<Alert> Find(const char* index, ItemPointer tid, auto set_key) {
  std::optional<Alert> alert(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(kTable, index, tid, set_key, [&](const pg::Row& row) { Read(row, &*alert); });
  });
  return found ? std::move(alert) : std::nullopt;
}

}  // namespace

constinit const SealedTable kSealedAlerts(kSeal, "alert_id");

bool InsertAlert(Alert* alert) {
  return pg::Call([alert] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    alert->alert_id = NextRowNumber(kTable, kPrimaryKey, kAlertId, "alert_id_seq");
    pg::Row row;
    Fill(*alert, &row);
    const bool is_new = pg::TryInsertRow(table, kNameIndex, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
    return is_new;
  });
}

void UpdateAlert(ItemPointer tid, const Alert& alert) {
  pg::Call([tid, &alert] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(alert, &row);
    pg::UpdateRowOfSameKey(table, tid, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void DeleteAlert(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<Alert> FindAlert(std::int64_t alert_id) {
  return Find(kPrimaryKey, nullptr, [alert_id](pg::IndexScan& scan) -> pg::IndexScan& {
    return scan.Equal(kAlertId, alert_id);
  });
}

std::optional<Alert> FindAlertByName(const std::string& alert_name, ItemPointer tid) {
  return Find(kNameIndex, tid, [&alert_name](pg::IndexScan& scan) -> pg::IndexScan& {
    return scan.EqualText(kAlertName, alert_name);
  });
}

std::vector<Alert> ListAlerts() {
  std::vector<Alert> alerts;
  Alert alert;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &alert);
      alerts.push_back(alert);
    }
    scan.End();
  });
  std::sort(alerts.begin(), alerts.end(),
            [](const Alert& a, const Alert& b) { return a.alert_id < b.alert_id; });
  return alerts;
}

}  // namespace ratchet::catalog
