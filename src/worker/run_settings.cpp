#include "worker/run_settings.h"

#include <algorithm>

#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace ratchet::worker {
namespace {

// For use inside pg::Call.
const char* ValueText(const JsonbValue& value, const char* name) {
  switch (value.type) {
    case jbvString:
      return pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
    case jbvNumeric:
      return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
    case jbvBool:
      return value.val.boolean ? "on" : "off";
    default:
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
               errmsg("value of setting \"%s\" must be a string, a number or a boolean", name)));
  }
}

void AddContext(void* name) {
  errcontext("setting \"%s\" of the job", static_cast<const char*>(name));
}

}  // namespace

RunSettings ParseSettings(const std::string& json) {
  RunSettings settings;
  if (json.empty()) {
    return settings;
  }
  pg::Call([&] {
    Jsonb* object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())));
    if (!JB_ROOT_IS_OBJECT(object)) {
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("settings must be a JSON object"),
               errhint("For example {\"work_mem\": \"64MB\"}.")));
    }
    JsonbIterator* iterator = JsonbIteratorInit(&object->root);
    JsonbValue item;
    const char* name = nullptr;
    for (JsonbIteratorToken token = JsonbIteratorNext(&iterator, &item, true); token != WJB_DONE;
         token = JsonbIteratorNext(&iterator, &item, true)) {
      if (token == WJB_KEY) {
        name = pnstrdup(item.val.string.val, static_cast<Size>(item.val.string.len));
      } else if (token == WJB_VALUE) {
        const char* value = ValueText(item, name);
        settings.emplace_back(name, value);
      }
    }
  });
  return settings;
}

void ApplySettings(const RunSettings& settings) {
  pg::Call([&] {
    ErrorContextCallback context{};
    context.callback = AddContext;
    context.previous = error_context_stack;
    error_context_stack = &context;
    const GucContext rights = superuser() ? PGC_SUSET : PGC_USERSET;
    for (const auto& [name, value] : settings) {
      context.arg = const_cast<char*>(name.c_str());
      set_config_option(name.c_str(), value.c_str(), rights, PGC_S_SESSION, GUC_ACTION_SET, true, 0,
                        false);
    }
    error_context_stack = context.previous;
  });
}

void GiveWayToOthers(const RunSettings& own) {
  const bool logs_waits = std::any_of(own.begin(), own.end(), [](const auto& setting) {
    return pg_strcasecmp(setting.first.c_str(), "log_lock_waits") == 0;
  });
  pg::Call([logs_waits] {
    const auto set = [](const char* name, const char* value) {
      set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
    };
    const auto lower = [&set](const char* name, int milliseconds, int current) {
      const bool lowers = milliseconds > 0 && (current == 0 || current > milliseconds);
      if (lowers) {
        set(name, psprintf("%dms", milliseconds));
      }
      return lowers;
    };
    // The server reports whoever has waited for deadlock_timeout: since 19 without being asked to.
    if (lower("deadlock_timeout", pg::settings.deadlock_timeout, DeadlockTimeout) && !logs_waits &&
        log_lock_waits) {
      set("log_lock_waits", "off");
    }
    lower("lock_timeout", pg::settings.lock_timeout, LockTimeout);
  });
}

}  // namespace ratchet::worker
