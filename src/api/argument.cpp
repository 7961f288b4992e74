#include "api/argument.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace ratchet::api {

std::string TextOf(Datum value) {
  std::string result;
  pg::Call([&result, value] {
    text* packed = DatumGetTextPP(value);
    result.assign(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
  });
  return result;
}

std::string JsonbTextOf(Datum value) {
  std::string result;
  pg::Call([&result, value] {
    Jsonb* jsonb = DatumGetJsonbP(value);
    result = JsonbToCString(nullptr, &jsonb->root, static_cast<int>(VARSIZE(jsonb)));
  });
  return result;
}

TimestampTz FiniteTime(Datum value, const char* name) {
  const TimestampTz time = DatumGetTimestampTz(value);
  if (TIMESTAMP_NOT_FINITE(time)) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " must be finite");
  }
  return time;
}

void Arguments::RequireValue(int i, const char* name) const {
  if (IsNull(i)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " must not be null");
  }
}

std::string Arguments::Text(int i, const char* name) const {
  RequireValue(i, name);
  return TextOf(Value(i));
}

std::int64_t Arguments::Int64(int i, const char* name) const {
  RequireValue(i, name);
  return DatumGetInt64(Value(i));
}

Oid Arguments::ObjectId(int i, const char* name) const {
  RequireValue(i, name);
  return DatumGetObjectId(Value(i));
}

TimestampTz Arguments::Time(int i, const char* name) const {
  RequireValue(i, name);
  return FiniteTime(Value(i), name);
}

std::string Arguments::TextOrEmpty(int i) const { return IsNull(i) ? "" : TextOf(Value(i)); }

std::string Arguments::JsonbOrEmpty(int i) const { return IsNull(i) ? "" : JsonbTextOf(Value(i)); }

void RequireWritable(const char* command) {
  pg::Call([command] {
    PreventCommandIfReadOnly(command);
    PreventCommandIfParallelMode(command);
  });
}

}  // namespace ratchet::api
