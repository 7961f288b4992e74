// The rows that a set-returning SQL function gives back, all at once.
#pragma once

#include "pg/guard.h"

struct ReturnSetInfo;

namespace ratchet::api {

class RowSet {
 public:
  // The function's result type must be a row type, or a base type (one column then).
  explicit RowSet(FunctionCallInfo call);

  // The arrays have a value for each column. For use inside pg::Call.
  void Add(Datum* values, bool* nulls);

 private:
  ReturnSetInfo* result_;
};

}  // namespace ratchet::api
