#include "pg/statement_log.h"

extern "C" {
#include "common/pg_prng.h"
}

#include <cinttypes>

namespace ratchet::pg {
namespace {

// A limit of the server's, which has it in milliseconds, -1: none.
bool Exceeds(std::int64_t micros, int limit) {
  return limit >= 0 && micros >= std::int64_t{limit} * 1000;
}

bool IsInSample() {
  return log_statement_sample_rate == 1 ||
         (log_statement_sample_rate > 0 &&
          pg_prng_double(&pg_global_prng_state) <= log_statement_sample_rate);
}

// Null: they are not wanted, or there are none.
const char* ValuesOf(ParamListInfo parameters) {
  if (parameters == nullptr || parameters->numParams == 0 || log_parameter_max_length == 0) {
    return nullptr;
  }
  const char* values = BuildParamLogString(parameters, nullptr, log_parameter_max_length);
  return values != nullptr && values[0] != '\0' ? values : nullptr;
}

}  // namespace

void StatementLog::Begin() {
  began_ = GetCurrentTimestamp();
  was_logged_ = statement_.level <= log_statement;
  if (was_logged_) {
    Write(nullptr, true);
  }
}

void StatementLog::End() const {
  if (!log_duration && log_min_duration_statement < 0 && log_min_duration_sample < 0 &&
      !xact_is_sampled) {
    return;
  }
  const std::int64_t micros = GetCurrentTimestamp() - began_;
  const bool chosen = Exceeds(micros, log_min_duration_statement) ||
                      (Exceeds(micros, log_min_duration_sample) && IsInSample()) || xact_is_sampled;
  if (!chosen && !log_duration) {
    return;
  }
  char duration[32];
  snprintf(duration, sizeof(duration), "%" PRId64 ".%03d", micros / 1000,
           static_cast<int>(micros % 1000));
  Write(duration, chosen && !was_logged_);
}

// In the words of the server, which programs that read logs know.
void StatementLog::Write(const char* duration, bool with_statement) const {
  if (!with_statement) {
    ereport(LOG, (errmsg("duration: %s ms", duration), errhidestmt(true)));
    return;
  }
  const char* values = ValuesOf(statement_.parameters);
  const char* kind = statement_.name != nullptr ? "execute " : "statement";
  const char* name = statement_.name != nullptr ? statement_.name : "";
  const auto detail = [values] {
    return values != nullptr ? errdetail("Parameters: %s", values) : 0;
  };
  if (duration == nullptr) {
    ereport(LOG, (errmsg("%s%s: %s", kind, name, statement_.text), errhidestmt(true), detail()));
  } else {
    ereport(LOG, (errmsg("duration: %s ms  %s%s: %s", duration, kind, name, statement_.text),
                  errhidestmt(true), detail()));
  }
}

}  // namespace ratchet::pg
