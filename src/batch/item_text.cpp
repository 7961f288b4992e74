#include "batch/item_text.h"

#include "pg/subtransaction.h"
#include "pg/value_json.h"

extern "C" {
#include "access/tupdesc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
}

namespace ratchet::batch {
namespace {

constexpr std::size_t kMostBytes = 64UL * 1024;

// For use inside pg::Call.
TupleDesc DescriptorOf(const Shape& shape) {
  const int columns = static_cast<int>(shape.columns.size());
  TupleDesc descriptor = CreateTemplateTupleDesc(columns);
  for (int i = 0; i < columns; i++) {
    const Column& column = shape.columns[static_cast<std::size_t>(i)];
    const auto number = static_cast<AttrNumber>(i + 1);
    TupleDescInitEntry(descriptor, number, column.name.c_str(), column.type, column.typmod, 0);
    TupleDescInitEntryCollation(descriptor, number, column.collation);
  }
  return descriptor;
}

}  // namespace

std::string ItemText::KeyOf(const Items& items, int item) const {
  std::string key;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    key_.Write(items.Values(item), &json);
    // Through jsonb, which has one spelling.
    Jsonb* canonical = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
    key = JsonbToCString(nullptr, &canonical->root, static_cast<int>(VARSIZE(canonical)));
  });
  return key;
}

ItemText::ItemText(const Shape& shape, const Key& key, MemoryContext memory) : key_(key) {
  pg::Call([&] {
    MemoryContext old = MemoryContextSwitchTo(memory);
    descriptor_ = DescriptorOf(shape);
    MemoryContextSwitchTo(old);
  });
  for (const Column& column : shape.columns) {
    may_fail_ = may_fail_ || !IsPlain(column.type);
  }
}

std::string ItemText::Write(const Items& items, int item) const {
  std::string row;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    pg::AppendRowAsJson(&json, descriptor_, items.Values(item), items.Nulls(item));
    // Not all of JSON fits into jsonb: "\u0000" for one. The same spelling as that of the key.
    Jsonb* canonical = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
    row = JsonbToCString(nullptr, &canonical->root, static_cast<int>(VARSIZE(canonical)));
  });
  return row;
}

namespace {

// What functions of users may fail to write; empty when they do.
template <typename Write>
std::string IfItCan(bool is_plain, Write write) {
  if (is_plain) {
    return write();
  }
  try {
    pg::Subtransaction savepoint;
    std::string text = write();
    savepoint.Release();
    return text;
  } catch (const pg::PgError& error) {
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED) {
      throw;
    }
  }
  return {};
}

}  // namespace

std::string ItemText::KeyIfItCan(const Items& items, int item) const {
  return IfItCan(key_.is_plain(), [&] { return KeyOf(items, item); });
}

std::string ItemText::RowOf(const Items& items, int item) const {
  std::string row = IfItCan(!may_fail_, [&] { return Write(items, item); });
  return row.empty() || row.size() > kMostBytes ? KeyOf(items, item) : row;
}

}  // namespace ratchet::batch
