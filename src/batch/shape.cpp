#include "batch/shape.h"

#include <algorithm>
#include <numeric>

#include "batch/analysis.h"
#include "batch/pinned_columns.h"
#include "pg/guard.h"
#include "pg/text_context.h"

extern "C" {
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace ratchet::batch {
namespace {

[[noreturn]] void Refuse(int sqlstate, const std::string& message, const std::string& hint = {},
                         const std::string& detail = {}) {
  throw pg::Error(sqlstate, message, hint, detail);
}

std::vector<Column> ColumnsOf(const std::string& source) {
  std::vector<Column> columns;
  const pg::TextContext context(source.c_str(), "source");
  pg::Call([&] {
    ListCell* cell;
    foreach (cell, AnalyzeSource(source.c_str())->targetList) {
      const auto* target = lfirst_node(TargetEntry, cell);
      if (target->resjunk) {
        continue;
      }
      auto* expression = reinterpret_cast<Node*>(target->expr);
      Column& column = columns.emplace_back();
      column.name = target->resname;
      column.type = exprType(expression);
      column.typmod = exprTypmod(expression);
      column.collation = exprCollation(expression);
      column.output = static_cast<int>(columns.size()) - 1;
    }
  });
  return columns;
}

std::string TypeName(Oid type) {
  std::string name;
  pg::Call([&] { name = format_type_be(type); });
  return name;
}

// Rows of a query without columns, and values that no parameter can have.
void CheckColumns(const std::vector<Column>& columns) {
  if (columns.empty()) {
    Refuse(ERRCODE_INVALID_PARAMETER_VALUE, "source must have at least one column");
  }
  for (const Column& column : columns) {
    if (pg::Call([&] { return get_typtype(column.type) == TYPTYPE_PSEUDO; })) {
      Refuse(
          ERRCODE_DATATYPE_MISMATCH,
          "column \"" + column.name + "\" of the source has pseudo-type " + TypeName(column.type),
          "Leave it out, or cast it to an ordinary type.");
    }
  }
}

// ---- The key ----------------------------------------------------------------------------------

enum class Direction { kUnsaid, kAscending, kDescending };

// The columns of this name: more than one when it is ambiguous.
std::vector<int> Named(const std::vector<Column>& columns, const std::string& name) {
  std::vector<int> found;
  for (std::size_t i = 0; i < columns.size(); i++) {
    if (columns[i].name == name) {
      found.push_back(static_cast<int>(i));
    }
  }
  return found;
}

// Takes " asc" or " desc" off the end of the name, in any case, with any space before it.
Direction TakeDirection(std::string* name) {
  constexpr const char* kSpace = " \t\r\n";
  const std::size_t end = name->find_last_not_of(kSpace);
  const std::size_t space = name->find_last_of(kSpace, end);
  if (end == std::string::npos || space == std::string::npos) {
    return Direction::kUnsaid;
  }
  const std::string word = name->substr(space + 1, end - space);
  const bool ascending = pg_strcasecmp(word.c_str(), "asc") == 0;
  if (!ascending && pg_strcasecmp(word.c_str(), "desc") != 0) {
    return Direction::kUnsaid;
  }
  name->resize(name->find_last_not_of(kSpace, space) + 1);
  name->erase(0, name->find_first_not_of(kSpace));
  return ascending ? Direction::kAscending : Direction::kDescending;
}

std::string NamesOf(const std::vector<Column>& columns) {
  std::string names;
  for (const Column& column : columns) {
    names += (names.empty() ? "\"" : ", \"") + column.name + "\"";
  }
  return names;
}

int Resolve(const std::vector<Column>& columns, const std::string& entry, Direction* direction) {
  std::string name = entry;
  std::vector<int> found = Named(columns, name);
  *direction = Direction::kUnsaid;
  if (found.empty()) {
    *direction = TakeDirection(&name);
    found = Named(columns, name);
  }
  if (found.empty()) {
    Refuse(ERRCODE_UNDEFINED_COLUMN, "key column \"" + name + "\" is not a column of the source",
           "The source has " + NamesOf(columns) + ".");
  }
  if (found.size() > 1) {
    Refuse(ERRCODE_AMBIGUOUS_COLUMN, "key column \"" + name + "\" is ambiguous",
           "Give the columns of the source different names by AS.");
  }
  return found.front();
}

void RequireOrder(const Column& column) {
  const bool has_order = pg::Call([&column] {
    const TypeCacheEntry* type = lookup_type_cache(
        getBaseType(column.type), TYPECACHE_LT_OPR | TYPECACHE_GT_OPR | TYPECACHE_EQ_OPR |
                                      TYPECACHE_CMP_PROC | TYPECACHE_BTREE_OPFAMILY);
    return OidIsValid(type->btree_opf) && OidIsValid(type->lt_opr) && OidIsValid(type->gt_opr) &&
           OidIsValid(type->eq_opr) && OidIsValid(type->cmp_proc);
  });
  if (!has_order) {
    Refuse(ERRCODE_UNDEFINED_FUNCTION, "key column \"" + column.name + "\" cannot be ordered",
           "Choose another key, or cast the column to a type that can be ordered.",
           "Type " + TypeName(column.type) + " has no default operator class for btree.");
  }
  const bool is_collatable = pg::Call([&] { return type_is_collatable(column.type); });
  if (is_collatable && !OidIsValid(column.collation)) {
    Refuse(ERRCODE_INDETERMINATE_COLLATION,
           "collation of key column \"" + column.name + "\" cannot be determined",
           "Choose it by a COLLATE clause in the source.");
  }
}

void ResolveKey(const std::vector<std::string>& key, Shape* shape) {
  const std::vector<std::string> first{shape->columns.front().name};
  bool ascends = false;
  bool descends = false;
  for (const std::string& entry : key.empty() ? first : key) {
    Direction direction;
    const int position = Resolve(shape->columns, entry, &direction);
    const Column& column = shape->columns[static_cast<std::size_t>(position)];
    if (std::find(shape->key.begin(), shape->key.end(), position) != shape->key.end()) {
      Refuse(ERRCODE_DUPLICATE_COLUMN, "key column \"" + column.name + "\" is named twice");
    }
    RequireOrder(column);
    shape->key.push_back(position);
    (direction == Direction::kDescending ? descends : ascends) = true;
  }
  if (ascends && descends) {
    Refuse(ERRCODE_FEATURE_NOT_SUPPORTED, "key columns must all have the same direction",
           "Give each of them DESC, or none.",
           "A walk compares whole keys, which an index can answer in one direction only.");
  }
  shape->descending = descends;
}

}  // namespace

Shape ShapeOf(const catalog::BatchDefinition& batch) {
  Shape shape;
  shape.columns = ColumnsOf(batch.source);
  const std::vector<PinnedColumn> pins = ParsePins(batch.columns);
  if (pins.empty()) {
    shape.outputs.resize(shape.columns.size());
    std::iota(shape.outputs.begin(), shape.outputs.end(), 0);
  } else {
    PlaceColumns(pins, &shape);
  }
  CheckColumns(shape.columns);
  ResolveKey(batch.key, &shape);
  return shape;
}

std::vector<int> KeyOutputs(const Shape& shape) {
  std::vector<int> outputs;
  outputs.reserve(shape.key.size());
  for (const int position : shape.key) {
    outputs.push_back(shape.columns[static_cast<std::size_t>(position)].output);
  }
  return outputs;
}

std::vector<Oid> ParameterTypes(const Shape& shape, catalog::Per per) {
  std::vector<Oid> types;
  for (const Column& column : shape.columns) {
    // A domain's checks have been made where the value comes from.
    Oid type = pg::Call([&column] { return getBaseType(column.type); });
    if (per == catalog::Per::kBatch) {
      const Oid element = type;
      type = pg::Call([element] {
        return OidIsValid(get_element_type(element)) ? InvalidOid : get_array_type(element);
      });
      if (!OidIsValid(type)) {
        Refuse(ERRCODE_DATATYPE_MISMATCH,
               "column \"" + column.name + "\" of the source cannot be passed as an array",
               "Cast it to jsonb in the source, or use per => 'item'.",
               "With per => 'batch' each parameter is an array of one column's values, and there "
               "is no type for an array of " +
                   TypeName(column.type) + ".");
      }
    }
    types.push_back(type);
  }
  return types;
}

}  // namespace ratchet::batch
