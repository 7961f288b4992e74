#include "catalog/job_note.h"

#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<JobNote>(
    Column<Int8, &JobNote::job_id>("job_id"),
    Column<Time, &JobNote::written_at>("written_at"),
    Column<RoleNumber, &JobNote::author>("author"),
    Column<Text, &JobNote::note>("note"),
    Nullable<Text, &JobNote::link>("link"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kJobNoteTable("job_note", kColumns.layout);

void InsertJobNote(const JobNote& note) {
  pg::Call([&note] {
    Relation table = pg::OpenTable(kJobNoteTable, RowExclusiveLock);
    pg::Row row;
    kColumns.Fill(note, &row);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
  });
}

bool FindJobNote(std::int64_t job_id, JobNote* note) {
  return pg::Call([job_id, note] {
    pg::IndexScan scan(kJobNoteTable, "job_note_pkey", AccessShareLock);
    scan.Equal(kJobNoteTable.Number("job_id"), job_id).Begin(BackwardScanDirection);
    pg::Row row;
    const bool found = scan.Next(&row);
    if (found) {
      kColumns.Read(row, note);
    }
    scan.End();
    return found;
  });
}

}  // namespace ratchet::catalog
