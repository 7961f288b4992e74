#include "pg/value_json.h"

#include <cstdint>

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/jsonapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace ratchet::pg {
namespace {

enum class Form : std::uint8_t { kBoolean, kNumber, kTime, kJson, kArray, kRow, kText };

// How the values of a type are written.
struct TypeForm {
  Form form;
  Oid type;         // not a domain
  FmgrInfo output;  // of what is written as a number, as JSON or as text
};

Form FormOf(Oid type) {
  switch (type) {
    case BOOLOID:
      return Form::kBoolean;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
      return Form::kNumber;
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return Form::kTime;
    case JSONOID:
    case JSONBOID:
      return Form::kJson;
    case ANYARRAYOID:
    case ANYCOMPATIBLEARRAYOID:
    case RECORDARRAYOID:
      return Form::kArray;
    default:
      if (OidIsValid(get_element_type(type))) {
        return Form::kArray;
      }
      return type_is_rowtype(type) ? Form::kRow : Form::kText;
  }
}

TypeForm LookUp(Oid type) {
  TypeForm form{};
  form.type = getBaseType(type);
  form.form = FormOf(form.type);
  if (form.form == Form::kNumber || form.form == Form::kJson || form.form == Form::kText) {
    Oid function = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(form.type, &function, &is_varlena);
    fmgr_info(function, &form.output);
  }
  return form;
}

void Append(StringInfo json, TypeForm* form, Datum value);

void AppendDimension(StringInfo json, const ArrayType* array, int dimension, TypeForm* element,
                     const Datum* values, const bool* nulls, int* next) {
  appendStringInfoChar(json, '[');
  for (int i = 0; i < ARR_DIMS(array)[dimension]; i++) {
    if (i > 0) {
      appendStringInfoChar(json, ',');
    }
    if (dimension + 1 < ARR_NDIM(array)) {
      AppendDimension(json, array, dimension + 1, element, values, nulls, next);
      continue;
    }
    if (nulls[*next]) {
      appendStringInfoString(json, "null");
    } else {
      Append(json, element, values[*next]);
    }
    (*next)++;
  }
  appendStringInfoChar(json, ']');
}

void AppendArray(StringInfo json, Datum value) {
  ArrayType* array = DatumGetArrayTypeP(value);
  if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) == 0) {
    appendStringInfoString(json, "[]");
    return;
  }
  std::int16_t length = 0;
  bool by_value = false;
  char alignment = 0;
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
  TypeForm element = LookUp(ARR_ELEMTYPE(array));
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &values, &nulls,
                    &count);
  int next = 0;
  AppendDimension(json, array, 0, &element, values, nulls, &next);
}

void AppendRow(StringInfo json, Datum value) {
  HeapTupleHeader row = DatumGetHeapTupleHeader(value);
  TupleDesc columns =
      lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
  HeapTupleData tuple{};
  tuple.t_len = HeapTupleHeaderGetDatumLength(row);
  tuple.t_data = row;
  const auto count = static_cast<Size>(columns->natts) + 1;
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * count));
  auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * count));
  heap_deform_tuple(&tuple, columns, values, nulls);
  AppendRowAsJson(json, columns, values, nulls);
  ReleaseTupleDesc(columns);
}

void AppendNumber(StringInfo json, const char* text) {
  // NaN and infinity are none.
  if (IsValidJsonNumber(text, static_cast<int>(strlen(text)))) {
    appendStringInfoString(json, text);
  } else {
    escape_json(json, text);
  }
}

void Append(StringInfo json, TypeForm* form, Datum value) {
  check_stack_depth();
  CHECK_FOR_INTERRUPTS();
  switch (form->form) {
    case Form::kBoolean:
      appendStringInfoString(json, DatumGetBool(value) ? "true" : "false");
      break;
    case Form::kNumber:
      AppendNumber(json, OutputFunctionCall(&form->output, value));
      break;
    case Form::kTime:
      escape_json(json, JsonEncodeDateTime(nullptr, value, form->type, nullptr));
      break;
    case Form::kJson:
      appendStringInfoString(json, OutputFunctionCall(&form->output, value));
      break;
    case Form::kArray:
      AppendArray(json, value);
      break;
    case Form::kRow:
      AppendRow(json, value);
      break;
    case Form::kText:
      escape_json(json, OutputFunctionCall(&form->output, value));
      break;
  }
}

}  // namespace

void AppendAsJson(StringInfo json, Oid type, Datum value) {
  TypeForm form = LookUp(type);
  Append(json, &form, value);
}

void AppendRowAsJson(StringInfo json, TupleDesc columns, const Datum* values, const bool* nulls) {
  const char* separator = "{";
  for (int i = 0; i < columns->natts; i++) {
    const FormData_pg_attribute* column = TupleDescAttr(columns, i);
    if (column->attisdropped) {
      continue;
    }
    appendStringInfoString(json, separator);
    separator = ",";
    escape_json(json, NameStr(column->attname));
    appendStringInfoChar(json, ':');
    if (nulls[i]) {
      appendStringInfoString(json, "null");
    } else {
      AppendAsJson(json, column->atttypid, values[i]);
    }
  }
  appendStringInfoString(json, *separator == '{' ? "{}" : "}");
}

}  // namespace ratchet::pg
