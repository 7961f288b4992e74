#include "worker/own_changes.h"

#include "catalog/table_changes.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/never_destroyed.h"

extern "C" {
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "utils/relcache.h"
}

namespace ratchet::worker {
namespace {

struct OwnTable {
  Oid table;
  std::uint64_t shape;      // with the files of the transactions that have committed
  std::uint64_t new_shape;  // the same with those of the one that is about to commit
  std::int64_t unreported;  // rows that are counted here and not reported yet
};

struct State {
  std::vector<OwnTable> tables;
  policy::OwnChanges changes{};
};

State& TheState() {
  static pg::NeverDestroyed<State> state;
  return *state;
}

// For use inside pg::Call.
void CountRows(State* state) {
  for (OwnTable& table : state->tables) {
    const std::int64_t unreported = pg::UnreportedRows(table.table);
    state->changes.changes += unreported - table.unreported;
    table.unreported = unreported;
  }
}

}  // namespace

void BeginOwnChanges(bool watches) {
  State& state = TheState();
  state.tables.clear();
  state.changes = {};
  if (watches) {
    // What is left of earlier runs is not this one's.
    pg::Call([] { pgstat_report_stat(true); });
  }
}

void WatchTables(const std::vector<Oid>& tables) {
  State& state = TheState();
  for (const Oid table : tables) {
    const List* all = pg::Call([table] { return catalog::WithDescendants(table); });
    for (int i = 0; i < list_length(all); i++) {
      OwnTable own{list_nth_oid(all, i), 0, 0, 0};
      const bool exists = pg::Call([&own] {
        own.unreported = pg::UnreportedRows(own.table);
        return catalog::ShapeOf(own.table, &own.shape);
      });
      own.new_shape = own.shape;
      if (exists) {
        state.tables.push_back(own);
      }
    }
  }
}

long ReportStatistics(bool force) {
  State* state = &TheState();
  return pg::Call([state, force] {
    CountRows(state);
    const long pending = pgstat_report_stat(force);
    for (OwnTable& table : state->tables) {
      table.unreported = pg::UnreportedRows(table.table);
    }
    return pending;
  });
}

policy::OwnChanges EndOwnChanges() {
  State& state = TheState();
  if (state.tables.empty()) {
    return {};
  }
  ReportStatistics(true);
  state.tables.clear();
  return state.changes;
}

void NoteNewFilesBeforeCommit() {
  for (OwnTable& table : TheState().tables) {
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

void NoteNewFilesAtCommit() {
  State& state = TheState();
  for (OwnTable& table : state.tables) {
    state.changes.shape += table.new_shape - table.shape;
    table.shape = table.new_shape;
  }
}

void ForgetNewFilesAtAbort() {
  for (OwnTable& table : TheState().tables) {
    table.new_shape = table.shape;
  }
}

}  // namespace ratchet::worker
