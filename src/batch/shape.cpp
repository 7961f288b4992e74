#include "batch/shape.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "pg/guard.h"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"
}

namespace ratchet::batch {
namespace {

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

// For use inside pg::Call. Null for a text that is not one query with rows.
Query* Analyze(const char* source) {
  List* parsed = pg_parse_query(source);
  if (list_length(parsed) != 1) {
    return nullptr;
  }
  auto* statement = linitial_node(RawStmt, parsed);
  if (!IsA(statement->stmt, SelectStmt) ||
      reinterpret_cast<SelectStmt*>(statement->stmt)->intoClause != nullptr) {
    return nullptr;
  }
  Query* query = parse_analyze_fixedparams(statement, source, nullptr, 0, nullptr);
  return query->commandType == CMD_SELECT && !query->hasModifyingCTE ? query : nullptr;
}

std::vector<Column> ColumnsOf(const std::string& source) {
  std::vector<Column> columns;
  const bool is_query = pg::Call([&] {
    PushActiveSnapshot(GetTransactionSnapshot());
    Query* query = Analyze(source.c_str());
    ListCell* cell;
    foreach (cell, query != nullptr ? query->targetList : nullptr) {
      const auto* entry = lfirst_node(TargetEntry, cell);
      if (!entry->resjunk) {
        auto* expression = reinterpret_cast<Node*>(entry->expr);
        columns.push_back({entry->resname, exprType(expression), exprTypmod(expression),
                           exprCollation(expression)});
      }
    }
    PopActiveSnapshot();
    return query != nullptr;
  });
  if (!is_query || columns.empty()) {
    Refuse("source must be one query that returns rows and changes nothing",
           "For example 'SELECT id, name FROM partner'.");
  }
  return columns;
}

std::string NamesOf(const std::vector<Column>& columns) {
  std::string names;
  for (const Column& column : columns) {
    names += (names.empty() ? "" : ", ") + column.name;
  }
  return names;
}

// -1: there is none.
int Find(const std::vector<Column>& columns, const std::string& name) {
  int found = -1;
  for (std::size_t i = 0; i < columns.size(); i++) {
    if (columns[i].name == name) {
      if (found >= 0) {
        Refuse("key column \"" + name + "\" is ambiguous",
               "Give the columns of the source different names.");
      }
      found = static_cast<int>(i);
    }
  }
  return found;
}

// "name DESC" without its last word, if that is a direction.
std::optional<bool> TakeDirection(std::string* entry) {
  const std::size_t end = entry->find_last_not_of(' ');
  const std::size_t space = entry->find_last_of(' ', end);
  if (end == std::string::npos || space == std::string::npos) {
    return std::nullopt;
  }
  std::string word = entry->substr(space + 1, end - space);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (word != "asc" && word != "desc") {
    return std::nullopt;
  }
  entry->resize(entry->find_last_not_of(' ', space) + 1);
  return word == "desc";
}

struct KeyEntry {
  int position;
  bool descending;
};

KeyEntry Resolve(const std::vector<Column>& columns, const std::string& entry) {
  if (const int position = Find(columns, entry); position >= 0) {
    return {position, false};
  }
  std::string name = entry;
  const std::optional<bool> descending = TakeDirection(&name);
  const int position = descending ? Find(columns, name) : -1;
  if (position < 0) {
    throw pg::Error(ERRCODE_UNDEFINED_COLUMN,
                    "key column \"" + name + "\" is not a column of the source",
                    "The columns of the source are " + NamesOf(columns) + ".");
  }
  return {position, *descending};
}

void RequireOrder(const Column& column) {
  const bool ordered = pg::Call([&] {
    const TypeCacheEntry* type =
        lookup_type_cache(getBaseType(column.type), TYPECACHE_LT_OPR | TYPECACHE_CMP_PROC);
    return OidIsValid(type->lt_opr) && OidIsValid(type->cmp_proc);
  });
  if (!ordered) {
    const std::string type = pg::Call([&] { return format_type_be(column.type); });
    throw pg::Error(ERRCODE_UNDEFINED_FUNCTION,
                    "key column \"" + column.name + "\" of type " + type + " has no order",
                    "A key needs a type with a default btree operator class.");
  }
  if (pg::Call([&] { return type_is_collatable(column.type); }) && !OidIsValid(column.collation)) {
    throw pg::Error(ERRCODE_INDETERMINATE_COLLATION,
                    "collation of key column \"" + column.name + "\" is not known",
                    "Use the COLLATE clause in the source.");
  }
}

}  // namespace

Shape ShapeOf(const catalog::BatchDefinition& batch) {
  Shape shape;
  shape.columns = ColumnsOf(batch.source);
  if (batch.key.empty()) {
    shape.key.push_back(0);
    (void)Find(shape.columns, shape.columns[0].name);
  }
  for (const std::string& entry : batch.key) {
    const KeyEntry resolved = Resolve(shape.columns, entry);
    if (std::find(shape.key.begin(), shape.key.end(), resolved.position) != shape.key.end()) {
      Refuse("key column \"" + entry + "\" is named twice");
    }
    if (!shape.key.empty() && resolved.descending != shape.descending) {
      Refuse("key columns must have the same direction",
             "A walk goes forward in all columns, or backward in all of them.");
    }
    shape.descending = resolved.descending;
    shape.key.push_back(resolved.position);
  }
  for (const int position : shape.key) {
    RequireOrder(shape.columns[static_cast<std::size_t>(position)]);
  }
  return shape;
}

std::vector<Oid> ParameterTypes(const Shape& shape, catalog::Per per) {
  std::vector<Oid> types;
  for (const Column& column : shape.columns) {
    Oid type = column.type;
    if (per == catalog::Per::kBatch) {
      const bool is_array = pg::Call([&] {
        type = get_array_type(column.type);
        return OidIsValid(get_element_type(getBaseType(column.type)));
      });
      if (is_array || !OidIsValid(type)) {
        Refuse("column \"" + column.name + "\" of the source cannot be given as an array",
               "Cast it to jsonb or text in the source, or use per => 'item'.");
      }
    }
    types.push_back(type);
  }
  return types;
}

}  // namespace ratchet::batch
