#include "channel/config.h"

#include "channel/kind.h"
#include "text/span.h"

namespace client::channel {

namespace {

using nlohmann::json;

[[noreturn]] void Refuse(const char* name, const std::string& why) {
  throw BadConfig("setting \"" + std::string(name) + "\" of the channel " + why);
}

const json* Find(const json& config, const char* name) {
  if (!config.is_object()) {
    throw BadConfig("the channel has no settings");
  }
  const auto found = config.find(name);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

std::string RequiredText(const json& config, const char* name) {
  std::string text = OptionalText(config, name);
  if (text.empty()) {
    Refuse(name, "is missing");
  }
  return text;
}

std::string OptionalText(const json& config, const char* name, const std::string& otherwise) {
  const json* value = Find(config, name);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_string()) {
    Refuse(name, "is no text");
  }
  return value->get<std::string>();
}

bool OptionalFlag(const json& config, const char* name) {
  const json* value = Find(config, name);
  if (value != nullptr && !value->is_boolean()) {
    Refuse(name, "is neither true nor false");
  }
  return value != nullptr && value->get<bool>();
}

int OptionalPort(const json& config, const char* name, int otherwise) {
  const json* value = Find(config, name);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number_integer() || value->get<long long>() < 1 ||
      value->get<long long>() > 65535) {
    Refuse(name, "is no port");
  }
  return value->get<int>();
}

std::vector<std::string> RequiredTexts(const json& config, const char* name) {
  const json* value = Find(config, name);
  if (value != nullptr && value->is_string()) {
    return {value->get<std::string>()};
  }
  if (value == nullptr || !value->is_array() || value->empty()) {
    Refuse(name, "has to be a list with something in it");
  }
  std::vector<std::string> texts;
  for (const json& text : *value) {
    if (!text.is_string()) {
      Refuse(name, "has something else than text in its list");
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::vector<std::pair<std::string, std::string>> OptionalPairs(const json& config,
                                                               const char* name) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const json* value = Find(config, name);
  if (value == nullptr) {
    return pairs;
  }
  if (!value->is_object()) {
    Refuse(name, "is no object of names and texts");
  }
  for (const auto& [key, text] : value->items()) {
    if (text.is_structured()) {
      Refuse(name, "has something else than text as a value");
    }
    pairs.emplace_back(key, text.is_string() ? text.get<std::string>() : text.dump());
  }
  return pairs;
}

outbound::Milliseconds Timeout(const json& config) {
  const std::string text = OptionalText(config, "timeout");
  if (text.empty()) {
    return outbound::kDefaultTimeout;
  }
  const auto span = text::ParseSpan(text);
  if (!span || span->count() < 1 || *span > std::chrono::minutes(10)) {
    Refuse("timeout", "is no span of up to ten minutes");
  }
  return *span;
}

outbound::HttpRequest JsonRequest(const json& config, const nlohmann::ordered_json& body) {
  outbound::HttpRequest request;
  request.url = RequiredText(config, "url");
  request.timeout = Timeout(config);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return request;
}

}  // namespace client::channel
