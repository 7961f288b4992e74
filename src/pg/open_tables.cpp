#include "pg/open_tables.h"

extern "C" {
#include "access/table.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
}

namespace ratchet::pg {
namespace {

struct OpenTable {
  const TableLayout* layout;
  Relation table;
  LOCKMODE mode;
  CatalogIndexState indexes;  // null: not asked for yet
};

// The tables of the extension are fewer.
constexpr int kMost = 16;

bool keeps = false;
OpenTable tables[kMost];
int count = 0;

void CloseAll() {
  for (int i = 0; i < count; i++) {
    if (tables[i].indexes != nullptr) {
      CatalogCloseIndexes(tables[i].indexes);
    }
    table_close(tables[i].table, NoLock);
  }
  count = 0;
}

// An abort closes them without our help.
void TransactionEnds(XactEvent event, void* /*argument*/) {
  if (event == XACT_EVENT_PRE_COMMIT) {
    CloseAll();
  } else if (event == XACT_EVENT_ABORT) {
    count = 0;
  }
}

OpenTable* Find(const TableLayout& layout) {
  for (int i = 0; i < count; i++) {
    if (tables[i].layout == &layout) {
      return &tables[i];
    }
  }
  return nullptr;
}

}  // namespace

void KeepTablesOpen() {
  keeps = true;
  RegisterXactCallback(TransactionEnds, nullptr);
}

Relation FindOpenTable(const TableLayout& layout, LOCKMODE mode) {
  const OpenTable* open = Find(layout);
  if (open == nullptr || open->mode < mode) {
    return nullptr;
  }
  RelationIncrementReferenceCount(open->table);
  return open->table;
}

void KeepTableOpen(const TableLayout& layout, Relation table, LOCKMODE mode) {
  // What a shorter life than the transaction's has opened is closed at the end of that.
  if (!keeps || CurrentResourceOwner != TopTransactionResourceOwner) {
    return;
  }
  if (OpenTable* open = Find(layout)) {
    open->mode = mode;
  } else if (count < kMost) {
    RelationIncrementReferenceCount(table);
    tables[count++] = {&layout, table, mode, nullptr};
  }
}

CatalogIndexState OpenIndexesOf(Relation table) {
  for (int i = 0; i < count; i++) {
    if (tables[i].table != table) {
      continue;
    }
    if (tables[i].indexes == nullptr) {
      MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
      tables[i].indexes = CatalogOpenIndexes(table);
      MemoryContextSwitchTo(old);
    }
    return tables[i].indexes;
  }
  return nullptr;
}

}  // namespace ratchet::pg
