#include "batch/key_order.h"

#include <algorithm>

#include "batch/json_member.h"
#include "batch/type_rules.h"
#include "pg/guard.h"

extern "C" {
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
}

namespace ratchet::batch {
namespace {

// ---- Writing and reading, for use inside pg::Call ----------------------------------------------

void FillIn(const Column& column, bool descending, ColumnOrder* order) {
  order->column = column.name;
  order->descending = descending;
  order->typmod = column.typmod;
  order->type = getBaseTypeAndTypmod(column.type, &order->typmod);
  order->type_name = format_type_be_qualified(order->type);
  StringInfoData rules;
  initStringInfo(&rules);
  AppendTypeRules(&rules, order->type, column.collation);
  // Each part begins with a blank.
  order->rules = rules.len > 0 ? rules.data + 1 : "";
  if (get_typtype(order->type) == TYPTYPE_ENUM) {
    int count = 0;
    const FormData_pg_enum* labels = LabelsOf(order->type, &count);
    for (int i = 0; i < count; i++) {
      EnumLabel& label = order->labels.emplace_back();
      label.name = NameStr(labels[i].enumlabel);
      label.id = labels[i].oid;
    }
  }
  if (order->type >= FirstNormalObjectId) {
    order->database =
        psprintf("%llu/%u", static_cast<unsigned long long>(GetSystemIdentifier()), MyDatabaseId);
  }
}

void AppendMember(StringInfo json, const char* name, const std::string& value) {
  if (!value.empty()) {
    appendStringInfo(json, ", \"%s\": ", name);
    escape_json(json, value.c_str());
  }
}

void Append(StringInfo json, const ColumnOrder& order) {
  appendStringInfoString(json, "{\"column\": ");
  escape_json(json, order.column.c_str());
  if (order.descending) {
    appendStringInfoString(json, ", \"descending\": true");
  }
  AppendMember(json, "type", order.type_name);
  appendStringInfo(json, ", \"oid\": %u", order.type);
  if (order.typmod >= 0) {
    appendStringInfo(json, ", \"typmod\": %d", order.typmod);
  }
  AppendMember(json, "rules", order.rules);
  AppendMember(json, "database", order.database);
  if (!order.labels.empty()) {
    appendStringInfoString(json, ", \"labels\": [");
    for (std::size_t i = 0; i < order.labels.size(); i++) {
      appendStringInfoString(json, i == 0 ? "" : ", ");
      escape_json(json, order.labels[i].name.c_str());
      appendStringInfo(json, ", %u", order.labels[i].id);
    }
    appendStringInfoChar(json, ']');
  }
  appendStringInfoChar(json, '}');
}

std::int64_t NumberIn(const JsonbValue* value, std::int64_t missing) {
  if (value == nullptr || value->type != jbvNumeric) {
    return missing;
  }
  return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

void ReadLabels(JsonbContainer* object, std::vector<EnumLabel>* labels) {
  const JsonbValue* list = Member(object, "labels");
  if (list == nullptr || list->type != jbvBinary) {
    return;
  }
  JsonbContainer* array = list->val.binary.data;
  for (std::uint32_t i = 0; i + 1 < JsonContainerSize(array); i += 2) {
    const JsonbValue* name = getIthJsonbValueFromContainer(array, i);
    if (name->type != jbvString) {
      return;
    }
    EnumLabel& label = labels->emplace_back();
    label.name.assign(name->val.string.val, static_cast<std::size_t>(name->val.string.len));
    label.id = static_cast<Oid>(NumberIn(getIthJsonbValueFromContainer(array, i + 1), 0));
  }
}

void Read(JsonbContainer* object, ColumnOrder* order) {
  ReadMember(object, "column", &order->column);
  const JsonbValue* descending = Member(object, "descending");
  order->descending =
      descending != nullptr && descending->type == jbvBool && descending->val.boolean;
  ReadMember(object, "type", &order->type_name);
  order->type = static_cast<Oid>(NumberIn(Member(object, "oid"), 0));
  order->typmod = static_cast<std::int32_t>(NumberIn(Member(object, "typmod"), -1));
  ReadMember(object, "rules", &order->rules);
  ReadMember(object, "database", &order->database);
  ReadLabels(object, &order->labels);
}

// ---- Which orders agree ------------------------------------------------------------------------

constexpr int kAnyScale = 1 << 20;

bool IsInteger(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }
bool IsExactNumber(Oid type) { return IsInteger(type) || type == NUMERICOID; }

// Digits behind the point.
int ScaleOf(const ColumnOrder& order) {
  if (IsInteger(order.type)) {
    return 0;
  }
  if (order.typmod < static_cast<std::int32_t>(VARHDRSZ)) {
    return kAnyScale;
  }
  return (((order.typmod - static_cast<std::int32_t>(VARHDRSZ)) & 0x7ff) ^ 1024) - 1024;
}

bool IsTime(Oid type) {
  return type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == TIMEOID || type == TIMETZOID;
}

int PrecisionOf(const ColumnOrder& order) { return order.typmod >= 0 ? order.typmod : 6; }

// Whether a value that is cast from one to the other stays the same, so that none which lay behind
// a position comes to lie at or before it.
bool KeepsValues(const ColumnOrder& before, const ColumnOrder& now) {
  if (IsExactNumber(now.type)) {
    return ScaleOf(before) <= ScaleOf(now);
  }
  if (IsTime(now.type)) {
    return PrecisionOf(before) <= PrecisionOf(now);
  }
  if (before.typmod == now.typmod || now.typmod < 0) {
    return true;
  }
  // What would be cut off is refused, or is blank.
  return now.type == VARCHAROID || now.type == BPCHAROID;
}

bool IsSameType(const ColumnOrder& before, const ColumnOrder& now) {
  return before.type_name == now.type_name ||
         (before.type == now.type && before.database == now.database);
}

// Of two types that sort alike, and read what the other one writes.
bool IsLike(Oid before, Oid now) {
  if (IsExactNumber(before)) {
    return IsExactNumber(now);
  }
  switch (before) {
    case TEXTOID:
    case VARCHAROID:
    case NAMEOID:
      return now == TEXTOID || now == VARCHAROID;
    case CIDROID:
      return now == INETOID;
    default:
      return false;
  }
}

// Each day becomes its first moment.
bool IsDateToTimestamp(const ColumnOrder& before, const ColumnOrder& now) {
  return before.type == DATEOID && now.type == TIMESTAMPOID;
}

// ---- Labels ------------------------------------------------------------------------------------

template <typename Same>
bool AreInOrder(const ColumnOrder& before, const ColumnOrder& now, Same same) {
  std::size_t at = 0;
  for (const EnumLabel& label : before.labels) {
    while (at < now.labels.size() && !same(label, now.labels[at])) {
      at++;
    }
    if (at++ >= now.labels.size()) {
      return false;
    }
  }
  return true;
}

// Whether labels are known by their OIDs, whatever they are called: those of another database, or
// of a type that was made anew, may be anything.
bool KnowsLabelsById(const ColumnOrder& before, const ColumnOrder& now) {
  return before.type == now.type && before.database == now.database &&
         AreInOrder(before, now,
                    [](const EnumLabel& a, const EnumLabel& b) { return a.id == b.id; });
}

bool KnowsLabelsByName(const ColumnOrder& before, const ColumnOrder& now) {
  return AreInOrder(before, now,
                    [](const EnumLabel& a, const EnumLabel& b) { return a.name == b.name; });
}

// ---- In words ----------------------------------------------------------------------------------

std::string Describe(const ColumnOrder& order) {
  std::string text = order.type_name;
  if (order.type == NUMERICOID && order.typmod >= static_cast<std::int32_t>(VARHDRSZ)) {
    const std::int32_t both = order.typmod - static_cast<std::int32_t>(VARHDRSZ);
    text += "(" + std::to_string(both >> 16) + "," + std::to_string(ScaleOf(order)) + ")";
  } else if (IsTime(order.type) && order.typmod >= 0) {
    text += "(" + std::to_string(order.typmod) + ")";
  }
  if (!order.rules.empty()) {
    text += " " + order.rules;
  }
  return text;
}

std::string WhyColumnDiffers(const ColumnOrder& before, const ColumnOrder& now) {
  if (!before.labels.empty() && !now.labels.empty() && IsSameType(before, now)) {
    return KnowsLabelsById(before, now) || KnowsLabelsByName(before, now)
               ? ""
               : "Labels of enum " + now.type_name + ", the type of key column \"" + now.column +
                     "\", are gone or in another order.";
  }
  const bool alike = IsSameType(before, now) || IsLike(before.type, now.type);
  if ((alike && before.rules == now.rules && KeepsValues(before, now)) ||
      IsDateToTimestamp(before, now)) {
    return {};
  }
  return "Key column \"" + now.column + "\" was " + Describe(before) + ", and is " + Describe(now) +
         " now.";
}

}  // namespace

KeyOrder OrderOf(const Shape& shape) {
  KeyOrder order(shape.key.size());
  for (std::size_t i = 0; i < shape.key.size(); i++) {
    const Column& column = shape.columns[static_cast<std::size_t>(shape.key[i])];
    pg::Call([&] { FillIn(column, shape.descending, &order[i]); });
  }
  return order;
}

std::string TextOf(const KeyOrder& order) {
  std::string text;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    for (const ColumnOrder& column : order) {
      appendStringInfoString(&json, json.len == 0 ? "[" : ", ");
      Append(&json, column);
    }
    appendStringInfoChar(&json, ']');
    text.assign(json.data, static_cast<std::size_t>(json.len));
    pfree(json.data);
  });
  return text;
}

KeyOrder ParseKeyOrder(const std::string& text) {
  KeyOrder order;
  if (text.empty() || text.front() != '[') {
    return order;
  }
  pg::Call([&] {
    Jsonb* json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())));
    for (std::uint32_t i = 0; i < JsonContainerSize(&json->root); i++) {
      const JsonbValue* element = getIthJsonbValueFromContainer(&json->root, i);
      if (element->type == jbvBinary && JsonContainerIsObject(element->val.binary.data)) {
        Read(element->val.binary.data, &order.emplace_back());
      }
    }
  });
  return order;
}

bool HasLabels(const KeyOrder& order) {
  return std::any_of(order.begin(), order.end(),
                     [](const ColumnOrder& column) { return !column.labels.empty(); });
}

bool HasSameColumns(const KeyOrder& before, const KeyOrder& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                    [](const ColumnOrder& a, const ColumnOrder& b) {
                      return a.column == b.column && a.descending == b.descending;
                    });
}

std::string WhyOrderDiffers(const KeyOrder& before, const KeyOrder& now) {
  if (!HasSameColumns(before, now)) {
    return "It is of other key columns, or of another direction.";
  }
  for (std::size_t i = 0; i < now.size(); i++) {
    std::string why = WhyColumnDiffers(before[i], now[i]);
    if (!why.empty()) {
      return why;
    }
  }
  return {};
}

std::string LabelNow(const ColumnOrder& before, const ColumnOrder& now, const std::string& label) {
  if (!KnowsLabelsById(before, now)) {
    return label;
  }
  for (const EnumLabel& old : before.labels) {
    if (old.name == label) {
      const auto same = std::find_if(now.labels.begin(), now.labels.end(),
                                     [&old](const EnumLabel& one) { return one.id == old.id; });
      return same != now.labels.end() ? same->name : label;
    }
  }
  return label;
}

}  // namespace ratchet::batch
