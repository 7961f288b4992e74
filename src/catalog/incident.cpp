#include "catalog/incident.h"

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

// The results, and two flags of policy above them.
constexpr int kToldBit = 32;
constexpr int kPointBit = 33;

struct Row : IncidentRow {
  std::int64_t recent = 0;
};
using Standing = policy::Incident;

// clang-format off
constexpr auto kColumns = Declare<Row>(
    Column<Int8, &Row::standing, &Standing::incident_id>("incident_id"),
    Column<Int8, &Row::alert_id>("alert_id"),
    Column<Text, &Row::alert_name>("alert_name"),
    Column<RoleNumber, &Row::owner>("owner"),
    Column<Text, &Row::event>("event"),
    Nullable<Int8, &Row::job_id>("job_id"),
    Column<Text, &Row::subject>("subject"),
    Column<Time, &Row::standing, &Standing::opened_at>("opened_at"),
    Column<Time, &Row::standing, &Standing::last_at>("last_at"),
    Nullable<Time, &Row::standing, &Standing::resolved_at>("resolved_at"),
    Nullable<Time, &Row::standing, &Standing::notified_at>("notified_at"),
    Column<Int4, &Row::standing, &Standing::notices>("notices"),
    Nullable<Uuid, &Row::episode>("episode"),
    Nullable<Time, &Row::standing, &Standing::episode_at>("episode_at"),
    Column<Bool, &Row::standing, &Standing::flapping>("flapping"),
    Column<Int4, &Row::standing, &Standing::good_in_a_row>("good_in_a_row"),
    Column<Int8, &Row::recent>("recent"),
    Nullable<Time, &Row::standing, &Standing::acknowledged_at>("acknowledged_at"),
    Nullable<Text, &Row::acknowledged_by>("acknowledged_by"),
    Nullable<Int8, &Row::run_id>("run_id"),
    Column<Int8, &Row::standing, &Standing::occurrences>("occurrences"),
    Nullable<Json, &Row::details>("details"),
    Column<Bool, &Row::standing, &Standing::closed>("closed"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kIncidentTable("incident", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kIncidentTable;
constexpr char kPrimaryKey[] = "incident_pkey";
constexpr char kLastIndex[] = "incident_last_idx";
constexpr int kIncidentId = kTable.Number("incident_id");
constexpr int kLastAt = kTable.Number("last_at");
constexpr int kAcknowledgedAt = kTable.Number("acknowledged_at");
constexpr int kAcknowledgedBy = kTable.Number("acknowledged_by");
constexpr int kClosed = kTable.Number("closed");

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, IncidentRow* incident) {
  Row read;
  kColumns.Read(row, &read);
  read.standing.recent = static_cast<std::uint32_t>(read.recent);
  read.standing.flapping_told = (read.recent >> kToldBit & 1) != 0;
  read.standing.is_point = (read.recent >> kPointBit & 1) != 0;
  *incident = read;
}

void Fill(const IncidentRow& incident, pg::Row* row) {
  Row written{incident, 0};
  const policy::Incident& standing = incident.standing;
  written.recent = static_cast<std::int64_t>(standing.recent) |
                   static_cast<std::int64_t>(standing.flapping_told) << kToldBit |
                   static_cast<std::int64_t>(standing.is_point) << kPointBit;
  kColumns.Fill(written, row);
}

bool Update(Relation table, const IncidentRow& incident) {
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  if (!pg::LocateRow(table, kTable, {kPrimaryKey, kIncidentId, incident.standing.incident_id},
                     &tid)) {
    return true;
  }
  pg::Row old;
  const pg::RowHold hold = pg::HoldRow(table, &tid, pg::IfBusy::kGiveUp, &old);
  if (hold == pg::RowHold::kHeld) {
    pg::Row row;
    Fill(incident, &row);
    for (const int column : {kAcknowledgedAt, kAcknowledgedBy}) {
      row.values[column - 1] = old.values[column - 1];
      row.nulls[column - 1] = old.nulls[column - 1];
    }
    pg::UpdateRowOfSameKey(table, &tid, row);
  }
  return hold != pg::RowHold::kBusy;
}

}  // namespace

bool WriteIncident(IncidentRow* incident) {
  return pg::Call([incident] {
    bool is_done = true;
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    if (incident->standing.incident_id != 0) {
      is_done = Update(table, *incident);
    } else {
      incident->standing.incident_id =
          NextRowNumber(kTable, kPrimaryKey, kIncidentId, "incident_id_seq");
      pg::Row row;
      Fill(*incident, &row);
      pg::InsertRow(table, row);
    }
    table_close(table, NoLock);
    CommandCounterIncrement();
    return is_done;
  });
}

std::optional<IncidentRow> HoldIncident(std::int64_t incident_id, ItemPointer tid) {
  std::optional<IncidentRow> incident(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kPrimaryKey, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kIncidentId, incident_id); },
        [&](const pg::Row& row) { Read(row, &*incident); });
  });
  return found ? std::move(incident) : std::nullopt;
}

std::optional<IncidentRow> FindIncident(std::int64_t incident_id) {
  return HoldIncident(incident_id, nullptr);
}

void UpdateIncident(ItemPointer tid, const IncidentRow& incident) {
  pg::Call([tid, &incident] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(incident, &row);
    pg::UpdateRowOfSameKey(table, tid, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::vector<IncidentRow> ListIncidents(TimestampTz closed_since) {
  std::vector<IncidentRow> incidents;
  IncidentRow incident;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      if (!row.Bool(kClosed) || row.Time(kLastAt) >= closed_since) {
        Read(row, &incident);
        incidents.push_back(incident);
      }
    }
    scan.End();
  });
  return incidents;
}

bool PurgeIncidents(TimestampTz before, int most) {
  return pg::Call([=] {
    int read = 0;
    pg::IndexScan scan(kTable, kLastIndex, RowExclusiveLock);
    scan.UpTo(kLastAt, before).Begin();
    pg::Row row;
    ItemPointerData tid;
    while (read < most && scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      read++;
      if (row.Bool(kClosed)) {
        pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp);
      }
    }
    scan.End();
    return read == most;
  });
}

}  // namespace ratchet::catalog
