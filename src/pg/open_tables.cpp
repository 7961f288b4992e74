#include "pg/open_tables.h"

#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "access/table.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
}

#include <algorithm>

namespace ratchet::pg {
namespace {

struct OpenTableEntry {
  const TableLayout* layout;
  Relation table;
  LOCKMODE mode;
  CatalogIndexState indexes;  // null: not asked for yet
};

// The tables of the extension are fewer; those that come later are opened anew each time.
constexpr int kMost = 32;

bool keeps = false;
OpenTableEntry tables[kMost];
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

OpenTableEntry* Find(const TableLayout& layout) {
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
  const OpenTableEntry* open = Find(layout);
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
  if (OpenTableEntry* open = Find(layout)) {
    open->mode = mode;
  } else if (count < kMost) {
    RelationIncrementReferenceCount(table);
    tables[count++] = {&layout, table, mode, nullptr};
  }
}

TableHold::TableHold(const TableLayout& layout, LOCKMODE mode) : layout_(&layout) {
  is_mine_ = Call([&] {
    if (Find(layout) != nullptr || count == kMost) {
      return false;
    }
    Relation table = OpenTable(layout, mode);
    tables[count++] = {&layout, table, mode, CatalogOpenIndexes(table)};
    return true;
  });
}

namespace {

OpenTableEntry Remove(const TableLayout& layout) {
  OpenTableEntry* place = Find(layout);
  const OpenTableEntry entry = *place;
  std::copy(place + 1, tables + count, place);
  count--;
  return entry;
}

}  // namespace

// An abort has taken all off already in a process that keeps tables.
TableHold::~TableHold() {
  if (is_mine_ && Find(*layout_) != nullptr) {
    Remove(*layout_);
  }
}

void TableHold::Close() {
  if (!is_mine_) {
    return;
  }
  is_mine_ = false;
  Call([this] {
    const OpenTableEntry entry = Remove(*layout_);
    CatalogCloseIndexes(entry.indexes);
    table_close(entry.table, NoLock);
  });
}

CatalogIndexState OpenIndexesOf(Relation table) {
  for (int i = 0; i < count; i++) {
    if (tables[i].table != table) {
      continue;
    }
    // What a savepoint opens is closed at its end: those who write within one open them for
    // themselves.
    if (tables[i].indexes == nullptr && CurrentResourceOwner == TopTransactionResourceOwner) {
      MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
      tables[i].indexes = CatalogOpenIndexes(table);
      MemoryContextSwitchTo(old);
    }
    return tables[i].indexes;
  }
  return nullptr;
}

}  // namespace ratchet::pg
