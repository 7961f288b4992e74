#include "api/job_settings.h"

#include <string_view>

#include "worker/run_settings.h"

extern "C" {
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
}

namespace ratchet::api {
namespace {

// Settings that would do something else than people expect, or nothing.
struct Refused {
  std::string_view name;
  const char* hint;
};
constexpr Refused kRefused[] = {
    {"role", "Use the option run_as."},
    {"session_authorization", "Use the option run_as."},
    {"transaction_isolation", "Use default_transaction_isolation."},
    {"transaction_read_only", "Use default_transaction_read_only."},
    {"transaction_deferrable", "Use default_transaction_deferrable."},
};

// ---- For use inside pg::Call -------------------------------------------------------------------

Jsonb* Parsed(const std::string& settings) {
  return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(settings.c_str())));
}

char* ScalarText(const JsonbValue& value) {
  switch (value.type) {
    case jbvString:
      return pnstrdup(value.val.string.val, value.val.string.len);
    case jbvNumeric:
      return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
    case jbvBool:
      return pstrdup(value.val.boolean ? "on" : "off");
    default:
      return nullptr;
  }
}

// Steps to the next pair; false at the end. *text is null when the value is no scalar.
bool NextPair(JsonbIterator** iterator, char** name, char** text) {
  JsonbValue value;
  JsonbIteratorToken token = JsonbIteratorNext(iterator, &value, true);
  while (token != WJB_KEY) {
    if (token == WJB_DONE) {
      return false;
    }
    token = JsonbIteratorNext(iterator, &value, true);
  }
  *name = pnstrdup(value.val.string.val, value.val.string.len);
  JsonbIteratorNext(iterator, &value, true);
  *text = ScalarText(value);
  return true;
}

const char* HintOfRefused(const char* name) {
  for (const Refused& refused : kRefused) {
    if (pg_strcasecmp(name, refused.name.data()) == 0) {
      return refused.hint;
    }
  }
  return nullptr;
}

void CheckSetting(const char* name, const char* text, Oid owner) {
  if (text == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("settings: the value of \"%s\" must be a string, a number or a boolean",
                           name)));
  }
  if (const char* hint = HintOfRefused(name)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("settings: \"%s\" cannot be set for a job", name), errhint("%s", hint)));
  }
  // Only looks whether it could be set: nothing is changed in this session.
  set_config_option_ext(name, text, superuser_arg(owner) ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
                        owner, GUC_ACTION_SET, false, ERROR, false);
}

// An error of the server about a setting must say where the setting came from.
void SayWhichOption(void* /*argument*/) { errcontext("option \"settings\" of a job"); }

char* SearchPathPair(const char* search_path) {
  StringInfoData pair;
  initStringInfo(&pair);
  appendStringInfoString(&pair, "{\"search_path\": ");
  escape_json(&pair, search_path);
  appendStringInfoChar(&pair, '}');
  return pair.data;
}

}  // namespace

void CheckSettings(const std::string& settings, Oid owner) {
  if (settings.empty()) {
    return;
  }
  pg::Call([&settings, owner] {
    Jsonb* parsed = Parsed(settings);
    if (!JB_ROOT_IS_OBJECT(parsed)) {
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("settings must be a JSON object"),
               errhint("For example: {\"work_mem\": \"256MB\", \"search_path\": \"app\"}.")));
    }
    ErrorContextCallback context = {error_context_stack, SayWhichOption, nullptr};
    error_context_stack = &context;
    JsonbIterator* iterator = JsonbIteratorInit(&parsed->root);
    char* name = nullptr;
    char* text = nullptr;
    while (NextPair(&iterator, &name, &text)) {
      CheckSetting(name, text, owner);
    }
    error_context_stack = context.previous;
  });
}

std::string WithSearchPath(const std::string& settings, const std::string& search_path) {
  std::string result = settings;
  pg::Call([&] {
    const char* pair = SearchPathPair(search_path.c_str());
    if (settings.empty()) {
      result = pair;
      return;
    }
    const Datum both = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(Parsed(settings)),
                                           DirectFunctionCall1(jsonb_in, CStringGetDatum(pair)));
    Jsonb* jsonb = DatumGetJsonbP(both);
    result = JsonbToCString(nullptr, &jsonb->root, static_cast<int>(VARSIZE(jsonb)));
  });
  return result;
}

std::optional<std::string> SearchPathIn(const std::string& settings) {
  std::optional<std::string> found;
  if (settings.empty()) {
    return found;
  }
  pg::Call([&settings, &found] {
    Jsonb* parsed = Parsed(settings);
    JsonbIterator* iterator = JsonbIteratorInit(&parsed->root);
    char* name = nullptr;
    char* text = nullptr;
    while (NextPair(&iterator, &name, &text)) {
      if (pg_strcasecmp(name, "search_path") == 0 && text != nullptr) {
        found = text;
      }
    }
  });
  return found;
}

pg::SettingList SettingsInForce(const catalog::JobDefinition& job) {
  pg::SettingList settings = pg::SettingsAtLogin(job.owner);
  for (auto& setting : worker::ParseSettings(job.settings)) {
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::string SearchPathOfSession() {
  return namespace_search_path != nullptr ? namespace_search_path : "";
}

}  // namespace ratchet::api
