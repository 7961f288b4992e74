#include "api/text_list.h"

#include <algorithm>

#include "api/job_check.h"
#include "pg/guard.h"
#include "pg/text_array.h"

extern "C" {
#include "utils/array.h"
}

namespace ratchet::api {

std::vector<std::string> NamesIn(const Arguments& arguments, int argument, const char* name) {
  std::vector<std::string> names;
  if (arguments.IsNull(argument)) {
    return names;
  }
  int nulls = 0;
  int dimensions = 0;
  pg::Call([&] {
    dimensions = ARR_NDIM(DatumGetArrayTypeP(arguments.Value(argument)));
    nulls = pg::AppendTextArray(arguments.Value(argument), &names);
  });
  if (nulls > 0 || dimensions > 1) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    std::string(name) + " must be an array of one dimension without nulls");
  }
  std::vector<std::string> once;
  for (std::string& element : names) {
    CheckName(element, name);
    if (std::find(once.begin(), once.end(), element) == once.end()) {
      once.push_back(std::move(element));
    }
  }
  return once;
}

}  // namespace ratchet::api
