#include "api/report.h"

#include "pg/guard.h"

extern "C" {
#include "utils/builtins.h"
}

namespace ratchet::api {

void Report::Add(const char* component, const std::string& state, const std::string& detail,
                 const std::string& hint) {
  pg::Call([&] {
    Datum values[] = {CStringGetTextDatum(component), CStringGetTextDatum(state.c_str()),
                      CStringGetTextDatum(detail.c_str()), CStringGetTextDatum(hint.c_str())};
    bool nulls[] = {false, false, detail.empty(), hint.empty()};
    rows_.Add(values, nulls);
  });
}

}  // namespace ratchet::api
