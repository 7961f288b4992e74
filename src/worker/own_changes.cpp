#include "worker/own_changes.h"

#include "catalog/table_changes.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "utils/relcache.h"
}

namespace ratchet::worker {

// For use inside pg::Call.
void OwnChanges::CountRows() {
  for (Table& table : tables_) {
    const std::int64_t unreported = pg::UnreportedRows(table.table);
    changes_.changes += unreported - table.unreported;
    table.unreported = unreported;
  }
}

void OwnChanges::ReportEarlier() {
  pg::Call([] { pgstat_report_stat(true); });
}

void OwnChanges::Watch(const std::vector<Oid>& tables) {
  for (const Oid table : tables) {
    const List* all = pg::Call([table] { return catalog::WithDescendants(table); });
    for (int i = 0; i < list_length(all); i++) {
      Table own{list_nth_oid(all, i), 0, 0, 0};
      const bool exists = pg::Call([&own] {
        own.unreported = pg::UnreportedRows(own.table);
        return catalog::ShapeOf(own.table, &own.shape);
      });
      own.new_shape = own.shape;
      if (exists) {
        tables_.push_back(own);
      }
    }
  }
}

long OwnChanges::ReportStatistics(bool force) {
  return pg::Call([this, force] {
    CountRows();
    const long pending = pgstat_report_stat(force);
    for (Table& table : tables_) {
      table.unreported = pg::UnreportedRows(table.table);
    }
    return pending;
  });
}

policy::OwnChanges OwnChanges::End() {
  if (tables_.empty()) {
    return {};
  }
  ReportStatistics(true);
  tables_.clear();
  return changes_;
}

void OwnChanges::NoteNewFilesBeforeCommit() {
  for (Table& table : tables_) {
    std::uint64_t shape = 0;
    if (!catalog::ShapeOf(table.table, &shape) || shape == table.shape) {
      continue;
    }
    // Somebody else may have made it.
    Relation relation = RelationIdGetRelation(table.table);
    if (!RelationIsValid(relation)) {
      continue;
    }
    if (pg::HasNewFile(relation)) {
      table.new_shape = shape;
    }
    RelationClose(relation);
  }
}

void OwnChanges::NoteNewFilesAtCommit() {
  for (Table& table : tables_) {
    changes_.shape += table.new_shape - table.shape;
    table.shape = table.new_shape;
  }
}

void OwnChanges::ForgetNewFilesAtAbort() {
  for (Table& table : tables_) {
    table.new_shape = table.shape;
  }
}

}  // namespace ratchet::worker
