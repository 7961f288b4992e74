#include "catalog/table_changes.h"

#include "pg/fresh_statistics.h"
#include "pg/guard.h"
#include "pg/table_storage.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace ratchet::catalog {
namespace {

struct ClassRow {
  bool has_descendants;
  bool is_counted;
  std::uint64_t shape;
};

bool ReadClass(Oid table, ClassRow* row) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  const auto* form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  row->has_descendants = form->relhassubclass;
  // Nobody counts what happens elsewhere, and whether an extension counts is its own affair.
  row->is_counted = form->relkind != RELKIND_FOREIGN_TABLE && !pg::IsStoredByExtension(*form);
  row->shape =
      policy::ShapePart(table, form->relfilenode, static_cast<std::uint64_t>(form->relnatts));
  ReleaseSysCache(tuple);
  return true;
}

// The rows that were ever written to one table, as far as the statistics have heard of it.
std::int64_t ChangesOf(Oid table) {
  PgStat_StatTabEntry* entry = pgstat_fetch_stat_tabentry(table);
  if (entry == nullptr) {
    return 0;
  }
  const std::int64_t changes =
      entry->tuples_inserted + entry->tuples_updated + entry->tuples_deleted;
  pfree(entry);
  return changes;
}

}  // namespace

bool ShapeOf(Oid table, std::uint64_t* shape) {
  ClassRow row{};
  if (!ReadClass(table, &row)) {
    return false;
  }
  *shape = row.shape;
  return true;
}

List* WithDescendants(Oid table) {
  return get_rel_relkind(table) != '\0' && has_subclass(table)
             ? find_all_inheritors(table, NoLock, nullptr)
             : lappend_oid(NIL, table);
}

const TableChanges::Seen& TableChanges::Look(Oid table) {
  const auto [place, is_new] = seen_.try_emplace(table, Seen{});
  Seen* seen = &place->second;
  if (!is_new) {
    return *seen;
  }
  // Not what the session's stats_fetch_consistency says: a snapshot of all statistics would be
  // dear, and these are kept here.
  const pg::FreshStatistics fresh;
  pg::Call([table, seen] {
    ClassRow row{};
    seen->exists = ReadClass(table, &row);
    if (!seen->exists) {
      return;
    }
    seen->certain = row.is_counted;
    seen->shape = row.shape;
    seen->changes = ChangesOf(table);
    if (!row.has_descendants) {
      return;
    }
    ListCell* cell;
    foreach (cell, find_all_inheritors(table, NoLock, nullptr)) {
      const Oid descendant = lfirst_oid(cell);
      if (descendant == table || !ReadClass(descendant, &row)) {
        continue;
      }
      seen->certain = seen->certain && row.is_counted;
      seen->shape += row.shape;
      seen->changes += ChangesOf(descendant);
    }
  });
  return *seen;
}

policy::TableMark TableChanges::MarkOf(const std::vector<Oid>& tables, std::int32_t version,
                                       Oid* missing) {
  *missing = InvalidOid;
  if (!has_epoch_) {
    const pg::FreshStatistics fresh;
    pg::Call([this] {
      epoch_.certain = pgstat_track_counts;
      // After a crash all statistics start again, these among them.
      epoch_.server_epoch = pgstat_fetch_stat_bgwriter()->stat_reset_timestamp;
      // The reset of a single table shows here, too.
      PgStat_StatDBEntry* database = pgstat_fetch_stat_dbentry(MyDatabaseId);
      epoch_.database_epoch = database != nullptr ? database->stat_reset_timestamp : 0;
    });
    has_epoch_ = true;
  }
  policy::TableMark mark = epoch_;
  mark.shape = policy::ShapePart(MyDatabaseId, static_cast<std::uint64_t>(version), 0);
  for (const Oid table : tables) {
    const Seen& seen = Look(table);
    if (!seen.exists) {
      *missing = table;
    }
    mark.certain = mark.certain && seen.exists && seen.certain;
    mark.shape += seen.shape;
    mark.changes += seen.changes;
  }
  return mark;
}

}  // namespace ratchet::catalog
