// Positions that were written while the key was of another type, or its labels had other names.
#include <cerrno>
#include <cstdlib>

#include "batch/key.h"
#include "pg/collation.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace ratchet::batch {
namespace {

// ---- For use inside pg::Call -------------------------------------------------------------------

Jsonb* Parsed(const std::string& position) {
  return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(position.c_str())));
}

// The same spelling as that of any position.
const char* Canonical(const char* json) {
  Jsonb* parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
  return JsonbToCString(nullptr, &parsed->root, static_cast<int>(VARSIZE(parsed)));
}

// ------------------------------------------------------------------------------------------------

bool IsInteger(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

bool Fits(Oid type, long long number) {
  switch (type) {
    case INT2OID:
      return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
    case INT4OID:
      return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
    default:
      return true;
  }
}

// The type itself, or the next one that can hold the number.
Oid TypeToHold(Oid type, const char* text) {
  if (!IsInteger(type)) {
    return type;
  }
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') {
    return NUMERICOID;
  }
  return Fits(type, number) ? type : INT8OID;
}

}  // namespace

void Key::MakeRoomFor(const std::string& position) {
  if (position.empty()) {
    return;
  }
  pg::Call([&] {
    const Jsonb* parsed = Parsed(position);
    for (KeyColumn& column : columns_) {
      const Oid type = TypeToHold(column.bound_type, TextIn(parsed, column));
      if (type != column.bound_type) {
        PassAs(type, &column, memory_);
      }
    }
  });
}

bool Key::CanHave(const std::string& position) const {
  return pg::Call([&] {
    const Jsonb* parsed = Parsed(position);
    for (const KeyColumn& column : columns_) {
      if (TypeToHold(column.type, TextIn(parsed, column)) != column.type) {
        return false;
      }
    }
    return true;
  });
}

bool Key::IsBefore(const std::string& position, const std::string& other) const {
  return pg::Call([&] {
    const int count = size();
    const auto bytes = sizeof(Datum) * static_cast<Size>(count);
    auto* one = static_cast<Datum*>(palloc(bytes));
    auto* two = static_cast<Datum*>(palloc(bytes));
    Parse(position.c_str(), one);
    Parse(other.c_str(), two);
    for (int i = 0; i < count; i++) {
      const int order = CompareBounds(columns_[static_cast<std::size_t>(i)], one[i], two[i]);
      if (order != 0) {
        return (order < 0) != descending_;
      }
    }
    return false;
  });
}

int Key::CompareBounds(const KeyColumn& column, Datum one, Datum two) {
  if (column.bound_type == column.type) {
    return DatumGetInt32(
        FunctionCall2Coll(const_cast<FmgrInfo*>(&column.compare), column.collation, one, two));
  }
  const TypeCacheEntry* entry = lookup_type_cache(column.bound_type, TYPECACHE_CMP_PROC_FINFO);
  return DatumGetInt32(
      FunctionCall2Coll(const_cast<FmgrInfo*>(&entry->cmp_proc_finfo), InvalidOid, one, two));
}

std::string Key::OutdatedOrder() const {
  std::string outdated;
  pg::Call([&] {
    for (const KeyColumn& column : columns_) {
      if (!type_is_collatable(column.type) && column.type != JSONBOID) {
        continue;
      }
      if (const char* text = pg::OutdatedCollation(column.collation)) {
        outdated = text;
        outdated += ": an index may be in another order until it is rebuilt";
        return;
      }
    }
  });
  return outdated;
}

std::string Key::Translate(const std::string& position, const std::string& signature,
                           const std::string& what, const std::string& hint) const {
  if (position.empty() || signature.empty() || signature == signature_) {
    return position;
  }
  const KeyOrder before = ParseKeyOrder(signature);
  const std::string why = WhyOrderDiffers(before, order_);
  if (!why.empty()) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    what + " is void: the order of its key has changed", hint, why);
  }
  std::vector<std::string> texts(columns_.size());
  pg::Call([&] {
    const Jsonb* parsed = Parsed(position);
    for (std::size_t i = 0; i < columns_.size(); i++) {
      texts[i] = TextIn(parsed, columns_[i]);
    }
  });
  for (std::size_t i = 0; i < columns_.size(); i++) {
    texts[i] = LabelNow(before[i], order_[i], texts[i]);
  }
  std::string translated;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    for (std::size_t i = 0; i < columns_.size(); i++) {
      appendStringInfoString(&json, i == 0 ? "{" : ", ");
      escape_json(&json, columns_[i].name.c_str());
      appendStringInfoString(&json, ": ");
      if (IsNumber(columns_[i].type, texts[i].c_str())) {
        appendStringInfoString(&json, texts[i].c_str());
      } else {
        escape_json(&json, texts[i].c_str());
      }
    }
    appendStringInfoChar(&json, '}');
    translated = Canonical(json.data);
  });
  return translated;
}

}  // namespace ratchet::batch
