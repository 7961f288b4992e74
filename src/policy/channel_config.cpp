#include "policy/channel_config.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "policy/config_text.h"

namespace ratchet::policy {
namespace {

using Type = JsonValue::Type;
using Fault = std::optional<ConfigFault>;

constexpr char kSecretHint[] =
    "Write {\"secret\": \"name\"}: the program that sends has a file or an environment variable of "
    "that name.";

// ---- Values
// --------------------------------------------------------------------------------------

ConfigFault Wrong(std::string_view key, const std::string& what, std::string hint = {}) {
  return {"\"" + std::string(key) + "\" " + what, std::move(hint)};
}

Fault CheckSecret(std::string_view key, const JsonValue& value) {
  if (value.Is(Type::kText)) {
    return Wrong(key, "must not be in the database", kSecretHint);
  }
  const JsonValue* name = value.Find("secret");
  if (name == nullptr || value.members.size() != 1 || !name->Is(Type::kText)) {
    return Wrong(key, "must name a secret", kSecretHint);
  }
  if (!IsSecretName(name->text)) {
    return Wrong(key, "names a secret by other characters than letters, digits, _ and -");
  }
  return {};
}

Fault CheckText(std::string_view key, const JsonValue& value) {
  constexpr std::size_t kLongest = 200;
  if (!value.Is(Type::kText) || value.text.empty() || value.text.size() > kLongest ||
      HasControl(value.text)) {
    return Wrong(key, "must be a text of at most 200 bytes, without control characters");
  }
  return {};
}

Fault CheckAddress(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kText) || !IsAddress(value.text)) {
    return Wrong(key,
                 "has an impossible address" + (value.Is(Type::kText) && !HasControl(value.text)
                                                    ? ": \"" + value.text.substr(0, 100) + "\""
                                                    : std::string()),
                 "An address is like ops@example.org.");
  }
  return {};
}

Fault CheckAddresses(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kArray)) {
    return CheckAddress(key, value);
  }
  if (value.elements.empty()) {
    return Wrong(key, "must have at least one address");
  }
  for (const JsonValue& address : value.elements) {
    if (Fault fault = CheckAddress(key, address)) {
      return fault;
    }
  }
  return {};
}

Fault CheckUrl(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kText)) {
    return Wrong(key, "must be a URL");
  }
  const std::string why = WhyNoUrl(value.text);
  return why.empty() ? Fault()
                     : Wrong(key, why, why.find("user info") != why.npos ? kSecretHint : "");
}

Fault CheckUrlOrSecret(std::string_view key, const JsonValue& value) {
  return value.Is(Type::kText) ? CheckUrl(key, value) : CheckSecret(key, value);
}

Fault CheckTextOrSecret(std::string_view key, const JsonValue& value) {
  return value.Is(Type::kText) ? CheckText(key, value) : CheckSecret(key, value);
}

Fault CheckSecrets(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kArray)) {
    return CheckSecret(key, value);
  }
  if (value.elements.empty()) {
    return Wrong(key, "must name at least one secret", kSecretHint);
  }
  for (const JsonValue& secret : value.elements) {
    if (Fault fault = CheckSecret(key, secret)) {
      return fault;
    }
  }
  return {};
}

Fault CheckHost(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kText) || !IsHost(value.text)) {
    return Wrong(key, "must be the name or the address of a host");
  }
  return {};
}

Fault CheckPort(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kNumber) || !IsPort(value.text)) {
    return Wrong(key, "must be a number between 1 and 65535");
  }
  return {};
}

Fault CheckBool(std::string_view key, const JsonValue& value) {
  return value.Is(Type::kBool) ? Fault() : Wrong(key, "must be true or false");
}

Fault CheckTls(std::string_view key, const JsonValue& value) {
  if (value.Is(Type::kText) &&
      (value.text == "starttls" || value.text == "tls" || value.text == "none")) {
    return {};
  }
  return Wrong(key, R"(must be "starttls", "tls" or "none")");
}

Fault CheckMethod(std::string_view key, const JsonValue& value) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "HEAD"};
  if (value.Is(Type::kText) &&
      std::find(kMethods.begin(), kMethods.end(), value.text) != kMethods.end()) {
    return {};
  }
  return Wrong(key, "must be GET, POST, PUT, PATCH, DELETE or HEAD");
}

Fault CheckTexts(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kObject)) {
    return Wrong(key, "must be an object of texts");
  }
  for (const JsonMember& member : value.members) {
    if (member.key.empty() || HasControl(member.key) || CheckText(member.key, member.value)) {
      return Wrong(key, "must be an object of texts without control characters");
    }
  }
  return {};
}

Fault CheckHeaderName(std::string_view key, const std::string& name) {
  if (!IsHeaderName(name)) {
    return Wrong(key, "has a name that no header has");
  }
  return IsOwnHeader(name) ? Wrong(key, "must not have " + name, "The request has its own.")
                           : Fault();
}

Fault CheckHeaders(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kObject)) {
    return Wrong(key, "must be an object of texts");
  }
  for (const JsonMember& member : value.members) {
    if (Fault fault = CheckHeaderName(key, member.key)) {
      return fault;
    }
    if (IsSecretHeader(member.key)) {
      return Wrong(key, "must not have " + member.key,
                   "Name a secret: \"secret_headers\": {\"" + member.key + "\": \"name\"}.");
    }
    if (CheckText(member.key, member.value)) {
      return Wrong(key, "has a value for " + member.key + " that no header has");
    }
  }
  return {};
}

// By the name alone, or as {"secret": name}.
Fault CheckSecretHeaders(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kObject)) {
    return Wrong(key, "must be an object of names of secrets");
  }
  for (const JsonMember& member : value.members) {
    if (Fault fault = CheckHeaderName(key, member.key)) {
      return fault;
    }
    const bool is_named = member.value.Is(Type::kText) ? IsSecretName(member.value.text)
                                                       : !CheckSecret(key, member.value);
    if (!is_named) {
      return Wrong(key, "must have the name of a secret for " + member.key,
                   "Such as {\"Authorization\": \"crm_token\"}.");
    }
  }
  return {};
}

Fault CheckRate(std::string_view key, const JsonValue& value) {
  if (!value.Is(Type::kText) || !ParseRate(value.text)) {
    return Wrong(key, "must be like \"30 per minute\"");
  }
  return {};
}

Fault CheckTimeout(std::string_view key, const JsonValue& value) {
  constexpr std::int64_t kLongest = 600'000'000;
  const auto span = value.Is(Type::kText) ? ParseSpan(value.text) : std::nullopt;
  if (!span || *span > kLongest) {
    return Wrong(key, "must be like \"10 s\", and at most 10 minutes");
  }
  return {};
}

// ---- Kinds
// ---------------------------------------------------------------------------------------

struct Key {
  std::string_view name;
  bool required;
  Fault (*check)(std::string_view key, const JsonValue& value);
};

constexpr Key kEmail[] = {{"to", true, CheckAddresses},     {"from", true, CheckAddress},
                          {"host", true, CheckHost},        {"port", false, CheckPort},
                          {"tls", false, CheckTls},         {"user", false, CheckTextOrSecret},
                          {"password", false, CheckSecret}, {"subject_prefix", false, CheckText}};
constexpr Key kSlack[] = {{"url", true, CheckSecret}};
constexpr Key kTeams[] = {{"url", true, CheckSecret}};
constexpr Key kWebhook[] = {{"url", true, CheckUrlOrSecret},
                            {"secret", false, CheckSecrets},
                            {"headers", false, CheckHeaders},
                            {"secret_headers", false, CheckSecretHeaders}};
constexpr Key kPagerduty[] = {{"routing_key", true, CheckSecret}, {"url", false, CheckUrl}};
constexpr Key kHealthchecks[] = {{"url", true, CheckUrlOrSecret}, {"create", false, CheckBool}};
constexpr Key kAlertmanager[] = {{"url", true, CheckUrlOrSecret}, {"labels", false, CheckTexts}};
constexpr Key kStatsd[] = {{"host", true, CheckHost},
                           {"port", false, CheckPort},
                           {"prefix", false, CheckText},
                           {"dogstatsd", false, CheckBool},
                           {"tags", false, CheckTexts}};
constexpr Key kHttp[] = {{"url", true, CheckUrlOrSecret},
                         {"method", false, CheckMethod},
                         {"headers", false, CheckHeaders},
                         {"secret_headers", false, CheckSecretHeaders},
                         {"timeout", false, CheckTimeout}};
constexpr Key kOfAllChannels[] = {{"rate", false, CheckRate}, {"timeout", false, CheckTimeout}};

struct Kind {
  std::string_view name;
  std::span<const Key> keys;
  ChannelRate rate;  // where the configuration says none
};

constexpr std::int64_t kSecond = 1'000'000;
constexpr Kind kKinds[] = {{"email", kEmail, {}},
                           {"slack", kSlack, {1, kSecond}},
                           {"teams", kTeams, {1, kSecond}},
                           {"webhook", kWebhook, {}},
                           {"pagerduty", kPagerduty, {120, 60 * kSecond}},
                           {"healthchecks", kHealthchecks, {}},
                           {"alertmanager", kAlertmanager, {}},
                           {"statsd", kStatsd, {}}};
constexpr Kind kHttpKind = {kHttpQueue, kHttp, {}};

const Kind* FindKind(std::string_view name) {
  const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [name](const Kind& kind) { return kind.name == name; });
  return found != std::end(kKinds) ? found : nullptr;
}

std::vector<Key> KeysOf(const Kind& kind) {
  std::vector<Key> keys(kind.keys.begin(), kind.keys.end());
  if (&kind != &kHttpKind) {
    keys.insert(keys.end(), std::begin(kOfAllChannels), std::end(kOfAllChannels));
  }
  return keys;
}

std::string NamesOf(const std::vector<Key>& keys) {
  std::string names;
  for (const Key& key : keys) {
    names += (names.empty() ? "" : ", ") + std::string(key.name);
  }
  return names;
}

Fault CheckKeys(const Kind& kind, const JsonValue& config) {
  const std::vector<Key> keys = KeysOf(kind);
  for (const Key& key : keys) {
    if (key.required && config.Find(key.name) == nullptr) {
      return Wrong(key.name, "is missing",
                   "The keys of \"" + std::string(kind.name) + "\" are " + NamesOf(keys) + ".");
    }
  }
  for (const JsonMember& member : config.members) {
    const auto key = std::find_if(keys.begin(), keys.end(),
                                  [&member](const Key& known) { return known.name == member.key; });
    if (key == keys.end()) {
      return ConfigFault{
          "unknown key \"" + member.key.substr(0, 60) + "\"",
          "The keys of \"" + std::string(kind.name) + "\" are " + NamesOf(keys) + "."};
    }
    if (Fault fault = key->check(key->name, member.value)) {
      return fault;
    }
  }
  return {};
}

// What only several keys together say.
Fault CheckTogether(const Kind& kind, const JsonValue& config) {
  const JsonValue* tls = config.Find("tls");
  if (kind.name == "email" && config.Find("password") != nullptr) {
    if (config.Find("user") == nullptr) {
      return Wrong("user", "is missing, and there is a password");
    }
    if (tls != nullptr && tls->text == "none") {
      return Wrong("tls", "must not be \"none\" where there is a password",
                   "It would be sent for everybody to read.");
    }
  }
  return {};
}

void AddSecrets(const JsonValue& value, std::vector<std::string>* names) {
  const auto add = [names](const std::string& name) {
    if (std::find(names->begin(), names->end(), name) == names->end()) {
      names->push_back(name);
    }
  };
  for (const JsonMember& member : value.members) {
    if (member.key == "secret" && member.value.Is(Type::kText)) {
      add(member.value.text);
    } else if (member.key == "secret_headers") {
      for (const JsonMember& header : member.value.members) {
        if (header.value.Is(Type::kText)) {
          add(header.value.text);
        }
      }
      AddSecrets(member.value, names);
    } else {
      AddSecrets(member.value, names);
    }
  }
  for (const JsonValue& element : value.elements) {
    AddSecrets(element, names);
  }
}

}  // namespace

bool IsChannelKind(std::string_view kind) { return FindKind(kind) != nullptr; }

std::string ChannelKinds() {
  std::string names;
  for (const Kind& kind : kKinds) {
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  }
  return names;
}

std::optional<ConfigFault> FindConfigFault(std::string_view kind, const JsonValue& config) {
  const Kind* found = kind == kHttpQueue ? &kHttpKind : FindKind(kind);
  if (found == nullptr) {
    return ConfigFault{"unknown kind \"" + std::string(kind.substr(0, 60)) + "\"",
                       "The kinds are " + ChannelKinds() + "."};
  }
  if (!config.Is(Type::kObject)) {
    return ConfigFault{"it must be an object", "The keys of \"" + std::string(found->name) +
                                                   "\" are " + NamesOf(KeysOf(*found)) + "."};
  }
  if (Fault fault = CheckKeys(*found, config)) {
    return fault;
  }
  return CheckTogether(*found, config);
}

std::vector<std::string> SecretsIn(const JsonValue& config) {
  std::vector<std::string> names;
  AddSecrets(config, &names);
  return names;
}

ChannelRate RateOf(std::string_view kind, const JsonValue& config) {
  const JsonValue* rate = config.Find("rate");
  if (rate != nullptr) {
    return ParseRate(rate->text).value_or(ChannelRate{});
  }
  const Kind* found = FindKind(kind);
  return found != nullptr ? found->rate : ChannelRate{};
}

}  // namespace ratchet::policy
