#include "pg/value_text.h"

#include <cstdint>

#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"
}

namespace ratchet::pg {
namespace {

bool HasParts(Oid type) {
  const char kind = get_typtype(type);
  return OidIsValid(get_element_type(type)) || kind == TYPTYPE_COMPOSITE || kind == TYPTYPE_RANGE ||
         kind == TYPTYPE_MULTIRANGE;
}

Datum ReadPart(Oid type, const char* literal);

// ---- Arrays ------------------------------------------------------------------------------------

// Taken apart by the server's own function, as an array of texts that has the same shape. What it
// would look up is there already, because texts are not always set apart by the same character.
ArrayType* AsTexts(char* array, char delimiter) {
  ArrayMetaState texts{};
  get_type_io_data(TEXTOID, IOFunc_input, &texts.typlen, &texts.typbyval, &texts.typalign,
                   &texts.typdelim, &texts.typioparam, &texts.typiofunc);
  fmgr_info(texts.typiofunc, &texts.proc);
  texts.element_type = TEXTOID;
  texts.typdelim = delimiter;
  FmgrInfo function;
  fmgr_info(F_ARRAY_IN, &function);
  function.fn_extra = &texts;
  return DatumGetArrayTypeP(InputFunctionCall(&function, array, TEXTOID, -1));
}

Datum ReadArray(Oid element, const char* literal) {
  std::int16_t length = 0;
  bool by_value = false;
  char alignment = 0;
  char delimiter = 0;
  Oid parameter = InvalidOid;
  Oid function = InvalidOid;
  get_type_io_data(element, IOFunc_input, &length, &by_value, &alignment, &delimiter, &parameter,
                   &function);
  ArrayType* texts = AsTexts(pstrdup(literal), delimiter);
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
  for (int i = 0; i < count; i++) {
    if (!nulls[i]) {
      values[i] = ReadPart(element, TextDatumGetCString(values[i]));
    }
  }
  return PointerGetDatum(construct_md_array(values, nulls, ARR_NDIM(texts), ARR_DIMS(texts),
                                            ARR_LBOUND(texts), element, length, by_value,
                                            alignment));
}

// ---- Rows --------------------------------------------------------------------------------------

// The fields of a row, null for those that are. Taken apart by the server, too, as a row of texts.
char** FieldsOf(char* row, int count) {
  TupleDesc columns = CreateTemplateTupleDesc(count);
  for (int i = 0; i < count; i++) {
    TupleDescInitEntry(columns, static_cast<AttrNumber>(i + 1), "field", TEXTOID, -1, 0);
  }
  columns = BlessTupleDesc(columns);
  FmgrInfo function;
  fmgr_info(F_RECORD_IN, &function);
  HeapTupleHeader header =
      DatumGetHeapTupleHeader(InputFunctionCall(&function, row, RECORDOID, columns->tdtypmod));
  HeapTupleData tuple{};
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  tuple.t_data = header;
  const auto size = static_cast<Size>(count) + 1;
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * size));
  auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * size));
  auto* fields = static_cast<char**>(palloc0(sizeof(char*) * size));
  heap_deform_tuple(&tuple, columns, values, nulls);
  for (int i = 0; i < count; i++) {
    fields[i] = nulls[i] ? nullptr : TextDatumGetCString(values[i]);
  }
  return fields;
}

Datum ReadRow(Oid type, const char* literal) {
  TupleDesc columns = lookup_rowtype_tupdesc_copy(type, -1);
  int count = 0;
  for (int i = 0; i < columns->natts; i++) {
    count += TupleDescAttr(columns, i)->attisdropped ? 0 : 1;
  }
  char** field = FieldsOf(pstrdup(literal), count);
  const auto size = static_cast<Size>(columns->natts) + 1;
  auto* values = static_cast<Datum*>(palloc0(sizeof(Datum) * size));
  auto* nulls = static_cast<bool*>(palloc0(sizeof(bool) * size));
  for (int i = 0; i < columns->natts; i++) {
    const FormData_pg_attribute* column = TupleDescAttr(columns, i);
    const char* part = column->attisdropped ? nullptr : *field++;
    nulls[i] = part == nullptr;
    if (part != nullptr) {
      values[i] = ReadPart(column->atttypid, part);
    }
  }
  return HeapTupleGetDatum(heap_form_tuple(columns, values, nulls));
}

// ---- Ranges ------------------------------------------------------------------------------------

[[noreturn]] void RefuseRange(const char* literal) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                  errmsg("malformed range literal: \"%s\"", literal)));
}

// Between its brackets a range is written like a row of two fields: the quotes are the same, and
// what is missing is an infinite bound there.
RangeType* RangeIn(TypeCacheEntry* range, const char* literal) {
  RangeBound lower{};
  RangeBound upper{};
  lower.lower = true;
  const bool is_empty = pg_strcasecmp(literal, "empty") == 0;
  if (!is_empty) {
    char* row = pstrdup(literal);
    const std::size_t length = strlen(row);
    if (length < 3 || strchr("([", row[0]) == nullptr || strchr(")]", row[length - 1]) == nullptr) {
      RefuseRange(literal);
    }
    lower.inclusive = row[0] == '[';
    upper.inclusive = row[length - 1] == ']';
    row[0] = '(';
    row[length - 1] = ')';
    char** bounds = FieldsOf(row, 2);
    lower.infinite = bounds[0] == nullptr;
    upper.infinite = bounds[1] == nullptr;
    const Oid type = range->rngelemtype->type_id;
    lower.val = lower.infinite ? static_cast<Datum>(0) : ReadPart(type, bounds[0]);
    upper.val = upper.infinite ? static_cast<Datum>(0) : ReadPart(type, bounds[1]);
  }
  // What was written had its canonical form, so that the function which gives it is not needed.
  return SerializeRange(range, &lower, &upper, is_empty);
}

// The length of the range that begins here, with its brackets; 0 if it does not end.
std::size_t LengthOfRange(const char* literal) {
  bool quoted = false;
  for (const char* at = literal; *at != '\0'; at++) {
    if (*at == '\\' && at[1] != '\0') {
      at++;
    } else if (*at == '"') {
      quoted = !quoted;
    } else if (!quoted && (*at == ')' || *at == ']')) {
      return static_cast<std::size_t>(at - literal) + 1;
    }
  }
  return 0;
}

// {[1,3),[5,8)}
Datum ReadMultirange(Oid type, TypeCacheEntry* range, const char* literal) {
  auto** ranges = static_cast<RangeType**>(palloc(sizeof(RangeType*) * (strlen(literal) + 1)));
  int count = 0;
  const char* at = literal;
  while (*at == '{' || *at == ',') {
    at++;
    if (*at == '}') {
      break;
    }
    const std::size_t length = LengthOfRange(at);
    if (length == 0) {
      RefuseRange(literal);
    }
    ranges[count++] = RangeIn(range, pnstrdup(at, length));
    at += length;
  }
  if (strcmp(at, "}") != 0) {
    RefuseRange(literal);
  }
  return PointerGetDatum(make_multirange(type, range, count, ranges));
}

// ------------------------------------------------------------------------------------------------

Datum ReadParts(Oid type, const char* literal) {
  if (const Oid element = get_element_type(type); OidIsValid(element)) {
    return ReadArray(element, literal);
  }
  switch (get_typtype(type)) {
    case TYPTYPE_COMPOSITE:
      return ReadRow(type, literal);
    case TYPTYPE_RANGE:
      return PointerGetDatum(RangeIn(lookup_type_cache(type, TYPECACHE_RANGE_INFO), literal));
    default:
      return ReadMultirange(type, lookup_type_cache(type, TYPECACHE_MULTIRANGE_INFO)->rngtype,
                            literal);
  }
}

Datum ReadPart(Oid type, const char* literal) {
  check_stack_depth();
  TextInput input;
  LookUpInput(getBaseType(type), CurrentMemoryContext, &input);
  return ValueOf(input, literal);
}

}  // namespace

void LookUpOutput(Oid type, MemoryContext memory, TextOutput* output) {
  Oid function = InvalidOid;
  bool is_varlena = false;
  getTypeOutputInfo(type, &function, &is_varlena);
  fmgr_info_cxt(function, &output->function, memory);
  output->type = type;
}

void LookUpInput(Oid type, MemoryContext memory, TextInput* input) {
  *input = {};
  input->type = type;
  input->has_parts = HasParts(type);
  if (!input->has_parts) {
    Oid function = InvalidOid;
    getTypeInputInfo(type, &function, &input->parameter);
    fmgr_info_cxt(function, &input->function, memory);
  }
}

const char* TextOf(const TextOutput& output, Datum value) {
  switch (output.type) {
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case TIMEOID:
    case TIMETZOID:
      return JsonEncodeDateTime(static_cast<char*>(palloc(MAXDATELEN + 1)), value, output.type,
                                nullptr);
    case FLOAT8OID:
      return psprintf("%.17g", DatumGetFloat8(value));
    case FLOAT4OID:
      return psprintf("%.9g", static_cast<double>(DatumGetFloat4(value)));
    default:
      return OutputFunctionCall(const_cast<FmgrInfo*>(&output.function), value);
  }
}

Datum ValueOf(const TextInput& input, const char* literal) {
  return input.has_parts ? ReadParts(input.type, literal)
                         : InputFunctionCall(const_cast<FmgrInfo*>(&input.function),
                                             pstrdup(literal), input.parameter, -1);
}

int UseSettingsOfText() {
  const int level = NewGUCNestLevel();
  constexpr const char* kSettings[][2] = {{"datestyle", "ISO, YMD"},
                                          {"intervalstyle", "iso_8601"},
                                          {"extra_float_digits", "1"},
                                          {"lc_monetary", "C"},
                                          {"bytea_output", "hex"}};
  for (const auto& setting : kSettings) {
    set_config_option(setting[0], setting[1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                      false);
  }
  return level;
}

}  // namespace ratchet::pg
