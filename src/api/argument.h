// Arguments of SQL functions as C++ values. Errors name the argument.
#pragma once

#include <cstdint>
#include <string>

#include "pg/guard.h"

namespace ratchet::api {

class Arguments {
 public:
  explicit Arguments(FunctionCallInfo call) : call_(call) {}

  bool IsNull(int i) const { return call_->args[i].isnull; }
  Datum Value(int i) const { return call_->args[i].value; }
  FunctionCallInfo call() const { return call_; }

  // Null for these is an error.
  std::string Text(int i, const char* name) const;
  std::int64_t Int64(int i, const char* name) const;
  Oid ObjectId(int i, const char* name) const;
  // Null is an error, and so is infinity.
  TimestampTz Time(int i, const char* name) const;

  // Empty for null.
  std::string TextOrEmpty(int i) const;
  std::string JsonbOrEmpty(int i) const;
  bool BoolOr(int i, bool missing) const { return IsNull(i) ? missing : DatumGetBool(Value(i)); }

 private:
  void RequireValue(int i, const char* name) const;

  FunctionCallInfo call_;
};

std::string TextOf(Datum value);
// In the form in which jsonb is shown; equal values have equal texts.
std::string JsonbTextOf(Datum value);
TimestampTz FiniteTime(Datum value, const char* name);

// These functions write tables without the executor, so they look themselves whether the
// transaction may write at all.
void RequireWritable(const char* command);

}  // namespace ratchet::api
