#include "api/number_array.h"

#include "pg/guard.h"

extern "C" {
#include "utils/array.h"
}

namespace ratchet::api {

std::vector<std::int64_t> NumbersOf(const Arguments& arguments, int argument, const char* name) {
  if (arguments.IsNull(argument)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " must not be null");
  }
  std::vector<std::int64_t> numbers;
  const bool is_list = pg::Call([&] {
    ArrayType* array = DatumGetArrayTypeP(arguments.Value(argument));
    if (ARR_NDIM(array) > 1 || array_contains_nulls(array)) {
      return false;
    }
    const auto* values = reinterpret_cast<const std::int64_t*>(ARR_DATA_PTR(array));
    numbers.assign(values, values + ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
    return true;
  });
  if (!is_list) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    std::string(name) + " must be an array of one dimension without nulls");
  }
  return numbers;
}

}  // namespace ratchet::api
