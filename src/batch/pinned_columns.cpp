#include "batch/pinned_columns.h"

#include <algorithm>

#include "batch/json_member.h"
#include "pg/guard.h"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/json.h"
#include "utils/jsonb.h"
}

namespace ratchet::batch {
namespace {

// For use inside pg::Call.
const char* TypeOf(const Column& column) {
  const std::uint16_t qualified =
      column.type >= FirstNormalObjectId ? FORMAT_TYPE_FORCE_QUALIFY : 0;
  return format_type_extended(column.type, column.typmod, FORMAT_TYPE_TYPEMOD_GIVEN | qualified);
}

[[noreturn]] void RefuseGone(const PinnedColumn& pin, std::size_t number, bool ambiguous) {
  throw pg::Error(
      ambiguous ? ERRCODE_AMBIGUOUS_COLUMN : ERRCODE_UNDEFINED_COLUMN,
      "column \"" + pin.name + "\" of the source is " + (ambiguous ? "ambiguous" : "gone"),
      "Give the job a source that names its columns, and an action that fits it.",
      "It was column " + std::to_string(number) +
          ", which the job uses, when the job was defined.");
}

Column Gone(const PinnedColumn& pin) { return {pin.name, TEXTOID, -1, InvalidOid, -1}; }

}  // namespace

std::string PinsOf(const Shape& shape, const std::vector<bool>& used) {
  std::string pins;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    for (std::size_t i = 0; i < shape.columns.size(); i++) {
      const bool in_key =
          std::find(shape.key.begin(), shape.key.end(), static_cast<int>(i)) != shape.key.end();
      appendStringInfoString(&json, i == 0 ? "[{\"name\": " : ", {\"name\": ");
      escape_json(&json, shape.columns[i].name.c_str());
      appendStringInfoString(&json, ", \"type\": ");
      escape_json(&json, TypeOf(shape.columns[i]));
      appendStringInfo(&json, ", \"used\": %s}", used[i] || in_key ? "true" : "false");
    }
    appendStringInfoChar(&json, ']');
    Jsonb* canonical = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
    pins = JsonbToCString(nullptr, &canonical->root, static_cast<int>(VARSIZE(canonical)));
  });
  return pins;
}

std::vector<PinnedColumn> ParsePins(const std::string& json) {
  std::vector<PinnedColumn> pins;
  if (json.empty()) {
    return pins;
  }
  pg::Call([&] {
    Jsonb* parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())));
    for (std::uint32_t i = 0; i < JsonContainerSize(&parsed->root); i++) {
      const JsonbValue* element = getIthJsonbValueFromContainer(&parsed->root, i);
      if (element->type == jbvBinary && JsonContainerIsObject(element->val.binary.data)) {
        PinnedColumn& pin = pins.emplace_back();
        ReadMember(element->val.binary.data, "name", &pin.name);
        ReadMember(element->val.binary.data, "type", &pin.type);
        const JsonbValue* used = Member(element->val.binary.data, "used");
        pin.used = used != nullptr && used->type == jbvBool && used->val.boolean;
      }
    }
  });
  return pins;
}

// Columns of one name are told apart by their order, as long as there are as many as there were.
void PlaceColumns(const std::vector<PinnedColumn>& pins, Shape* shape) {
  const std::vector<Column> given = std::move(shape->columns);
  shape->columns.clear();
  shape->outputs.assign(given.size(), -1);
  for (std::size_t i = 0; i < pins.size(); i++) {
    const auto is_namesake = [&](const auto& other) { return other.name == pins[i].name; };
    const auto namesakes = std::count_if(pins.begin(), pins.end(), is_namesake);
    auto nth =
        std::count_if(pins.begin(), pins.begin() + static_cast<std::ptrdiff_t>(i), is_namesake);
    const auto found = std::count_if(given.begin(), given.end(), is_namesake);
    if (found != namesakes) {
      if (pins[i].used) {
        RefuseGone(pins[i], i + 1, found > 0);
      }
      shape->columns.push_back(Gone(pins[i]));
      continue;
    }
    auto column = std::find_if(given.begin(), given.end(), is_namesake);
    for (; nth > 0; nth--) {
      column = std::find_if(column + 1, given.end(), is_namesake);
    }
    shape->outputs[static_cast<std::size_t>(column->output)] = static_cast<int>(i);
    shape->columns.push_back(*column);
  }
}

ColumnTypeContext::ColumnTypeContext(const Shape& shape, const std::string& pins) {
  const std::vector<PinnedColumn> before = ParsePins(pins);
  for (std::size_t i = 0; i < before.size() && i < shape.columns.size(); i++) {
    const Column& column = shape.columns[i];
    if (!before[i].used || column.output < 0) {
      continue;
    }
    std::string type;
    pg::Call([&] { type = TypeOf(column); });
    if (type != before[i].type) {
      changes_ += (changes_.empty() ? "" : "\n") + std::string("column \"") + column.name +
                  "\" of the source was of type " + before[i].type +
                  " when the job was defined, and is of type " + type + " now";
    }
  }
  callback_ = {error_context_stack, Describe, this};
  error_context_stack = &callback_;
}

void ColumnTypeContext::Describe(void* self) {
  const std::string& changes = static_cast<const ColumnTypeContext*>(self)->changes_;
  if (!changes.empty()) {
    errcontext("%s", changes.c_str());
  }
}

}  // namespace ratchet::batch
