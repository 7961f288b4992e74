#include "batch/key.h"

#include "batch/subquery.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace ratchet::batch {
namespace {

// For use inside pg::Call.
const char* OperatorText(Oid id) {
  HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(id));
  if (!HeapTupleIsValid(tuple)) {
    elog(ERROR, "cache lookup failed for operator %u", id);
  }
  auto* form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
  const char* text =
      psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
               NameStr(form->oprname));
  ReleaseSysCache(tuple);
  return text;
}

// For use inside pg::Call. An operator class of btree has all of them.
Oid OperatorOf(const TypeCacheEntry* entry, std::int16_t strategy) {
  return get_opfamily_member(entry->btree_opf, entry->btree_opintype, entry->btree_opintype,
                             strategy);
}

// For use inside pg::Call. A column of a domain is cast to what the domain is of: operators for any
// enum or range do not see that it is one, and others might find their place taken by those that
// somebody has made for the domain.
const char* CastFromDomain(Oid declared, Oid type) {
  // Without a modifier, and so not by names that imply one, as "character" does.
  return declared == type
             ? ""
             : psprintf("::%s",
                        format_type_extended(
                            type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

}  // namespace

bool IsPlain(Oid type) {
  switch (type) {
    case BOOLOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case NUMERICOID:
    case OIDOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
    case UUIDOID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return true;
    default:
      return false;
  }
}

Key::Key(const Shape& shape, MemoryContext memory)
    : memory_(memory), descending_(shape.descending), order_(OrderOf(shape)) {
  columns_.resize(shape.key.size());
  for (std::size_t i = 0; i < shape.key.size(); i++) {
    const Column& column = shape.columns[static_cast<std::size_t>(shape.key[i])];
    columns_[i].name = column.name;
    columns_[i].position = shape.key[i];
    columns_[i].sql = Alias(shape.key[i]);
    columns_[i].type = order_[i].type;
    columns_[i].sql += pg::Call([&] { return CastFromDomain(column.type, columns_[i].type); });
    columns_[i].collation = column.collation;
    pg::Call([&] { LookUp(&columns_[i], descending_, memory); });
    plain_ = plain_ && IsPlain(columns_[i].type);
  }
  signature_ = TextOf(order_);
}

void Key::LookUp(KeyColumn* column, bool descending, MemoryContext memory) {
  const TypeCacheEntry* entry =
      lookup_type_cache(column->type, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR | TYPECACHE_EQ_OPR |
                                          TYPECACHE_CMP_PROC | TYPECACHE_BTREE_OPFAMILY);
  if (!OidIsValid(entry->lt_opr) || !OidIsValid(entry->gt_opr) || !OidIsValid(entry->cmp_proc)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                    errmsg("key column \"%s\" cannot be ordered", column->name.c_str())));
  }
  const Oid at_most = OperatorOf(entry, BTLessEqualStrategyNumber);
  const Oid at_least = OperatorOf(entry, BTGreaterEqualStrategyNumber);
  column->behind = OperatorText(descending ? entry->lt_opr : entry->gt_opr);
  column->before = OperatorText(descending ? entry->gt_opr : entry->lt_opr);
  column->equal = OperatorText(entry->eq_opr);
  column->not_behind = OperatorText(descending ? at_least : at_most);
  column->not_before = OperatorText(descending ? at_most : at_least);
  fmgr_info_cxt(entry->cmp_proc, &column->compare, memory);
  pg::LookUpOutput(column->type, memory, &column->output);
  PassAs(column->type, column, memory);
}

void Key::PassAs(Oid type, KeyColumn* column, MemoryContext memory) {
  pg::LookUpInput(type, memory, &column->input);
  column->bound_type = type;
}

// JSON numbers are exact decimals of any length, so that these types lose nothing.
bool Key::IsNumber(Oid type, const char* text) {
  switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
      return true;
    case NUMERICOID:
      return text[0] == '-' ? isdigit(static_cast<unsigned char>(text[1])) != 0
                            : isdigit(static_cast<unsigned char>(text[0])) != 0;
    default:
      return false;
  }
}

void Key::Write(const Datum* item, StringInfo json) const {
  const int level = plain_ ? 0 : pg::UseSettingsOfText();
  appendStringInfoChar(json, '{');
  for (const KeyColumn& column : columns_) {
    if (&column != columns_.data()) {
      appendStringInfoString(json, ", ");
    }
    escape_json(json, column.name.c_str());
    appendStringInfoString(json, ": ");
    const char* text = pg::TextOf(column.output, item[column.position]);
    if (IsNumber(column.type, text)) {
      appendStringInfoString(json, text);
    } else {
      escape_json(json, text);
    }
  }
  appendStringInfoChar(json, '}');
  if (!plain_) {
    AtEOXact_GUC(true, level);
  }
}

char* Key::TextIn(const Jsonb* position, const KeyColumn& column) {
  const JsonbValue* value = nullptr;
  auto* object = const_cast<Jsonb*>(position);
  if (JB_ROOT_IS_OBJECT(object)) {
    value = getKeyJsonValueFromContainer(&object->root, column.name.c_str(),
                                         static_cast<int>(column.name.size()), nullptr);
  }
  if (value != nullptr && value->type == jbvString) {
    return pnstrdup(value->val.string.val, static_cast<Size>(value->val.string.len));
  }
  if (value != nullptr && value->type == jbvNumeric) {
    return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                  errmsg("checkpoint %s has no key column \"%s\"",
                         JsonbToCString(nullptr, &object->root, static_cast<int>(VARSIZE(object))),
                         column.name.c_str()),
                  errhint("The key of the job has changed since it was saved.")));
}

void Key::Parse(const char* json, Datum* values) const {
  const int level = plain_ ? 0 : pg::UseSettingsOfText();
  const Jsonb* position = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
  for (std::size_t i = 0; i < columns_.size(); i++) {
    const KeyColumn& column = columns_[i];
    values[i] = pg::ValueOf(column.input, TextIn(position, column));
  }
  if (!plain_) {
    AtEOXact_GUC(true, level);
  }
}

int Key::Compare(const Datum* item, const Datum* other) {
  for (KeyColumn& column : columns_) {
    const int order = DatumGetInt32(FunctionCall2Coll(
        &column.compare, column.collation, item[column.position], other[column.position]));
    if (order != 0) {
      return (order < 0) != descending_ ? -1 : 1;
    }
  }
  return 0;
}

const char* Key::NullColumn(const bool* nulls) const {
  for (const KeyColumn& column : columns_) {
    if (nulls[column.position]) {
      return column.name.c_str();
    }
  }
  return nullptr;
}

}  // namespace ratchet::batch
