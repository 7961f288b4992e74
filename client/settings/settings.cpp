#include "settings/settings.h"

#include <toml++/toml.h>
#include <array>
#include <charconv>
#include <cstdlib>
#include <functional>

#include "text/span.h"

namespace client::settings {

namespace {

using Setter = std::function<bool(Settings&, const std::string&)>;

struct Known {
  const char* name;
  const char* variable;
  const char* wanted;  // what a value has to be
  Setter set;
};

bool SetSpan(std::chrono::milliseconds& span, const std::string& value) {
  const auto parsed = text::ParseSpan(value);
  if (!parsed || parsed->count() < 1000 || *parsed > std::chrono::hours(24)) {
    return false;
  }
  span = *parsed;
  return true;
}

bool SetCount(int& count, const std::string& value, int most) {
  int parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size() || parsed < 1 || parsed > most) {
    return false;
  }
  count = parsed;
  return true;
}

bool SetFlag(bool& flag, const std::string& value) {
  if (value != "true" && value != "false") {
    return false;
  }
  flag = value == "true";
  return true;
}

bool SetFormat(Settings& settings, const std::string& value) {
  settings.log_format = value == "json" ? journal::Format::kJson : journal::Format::kText;
  return value == "json" || value == "text";
}

bool SetLevel(Settings& settings, const std::string& value) {
  constexpr std::array<const char*, 4> kLevels = {"debug", "info", "warning", "error"};
  for (std::size_t i = 0; i < kLevels.size(); i++) {
    if (value == kLevels[i]) {
      settings.log_level = static_cast<journal::Level>(i);
      return true;
    }
  }
  return false;
}

// Separated by commas; a list of the file comes so as well.
bool SetHosts(Settings& settings, const std::string& value) {
  settings.allow_hosts.clear();
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    std::string host = value.substr(begin, end - begin);
    host.erase(0, host.find_first_not_of(' '));
    host.erase(host.find_last_not_of(' ') + 1);
    if (!host.empty()) {
      settings.allow_hosts.push_back(host);
    }
    begin = end + 1;
  }
  return true;
}

const std::array<Known, 11>& AllKnown() {
  static const std::array<Known, 11> kKnown{{
      {"dsn", "RATCHET_DSN", "a connection string of libpq",
       [](Settings& s, const std::string& v) {
         s.dsn = v;
         return true;
       }},
      {"log.format", "RATCHET_LOG_FORMAT", "text or json", SetFormat},
      {"log.level", "RATCHET_LOG_LEVEL", "debug, info, warning or error", SetLevel},
      {"send.name", "RATCHET_NAME", "a name",
       [](Settings& s, const std::string& v) {
         s.name = v;
         return !v.empty() && v.size() <= 63;
       }},
      {"send.secrets", "RATCHET_SECRETS", "a folder",
       [](Settings& s, const std::string& v) {
         s.secrets_folder = v;
         return true;
       }},
      {"send.allow_hosts", "RATCHET_ALLOW_HOSTS", "hosts, separated by commas", SetHosts},
      {"send.public_addresses", "RATCHET_PUBLIC_ADDRESSES", "true or false",
       [](Settings& s, const std::string& v) { return SetFlag(s.public_addresses, v); }},
      {"send.ca_file", "RATCHET_CA_FILE", "a file of certificates",
       [](Settings& s, const std::string& v) {
         s.ca_file = v;
         return true;
       }},
      {"send.at_once", "RATCHET_AT_ONCE", "a number from 1 to 500",
       [](Settings& s, const std::string& v) { return SetCount(s.at_once, v, 500); }},
      {"send.lease", "RATCHET_LEASE", "a span of a second to a day, as \"1 minute\"",
       [](Settings& s, const std::string& v) { return SetSpan(s.lease, v); }},
      {"send.grace", "RATCHET_GRACE", "a span of a second to a day, as \"30 s\"",
       [](Settings& s, const std::string& v) { return SetSpan(s.grace, v); }},
  }};
  return kKnown;
}

std::string TextOf(const toml::node& node) {
  if (const auto text = node.value<std::string>()) {
    return *text;
  }
  if (node.is_boolean()) {
    return *node.value<bool>() ? "true" : "false";
  }
  if (const auto number = node.value<std::int64_t>()) {
    return std::to_string(*number);
  }
  std::string texts;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) {
      texts += (texts.empty() ? "" : ",") + TextOf(element);
    }
  }
  return texts;
}

void ApplyTable(Settings& settings, const toml::table& table, const std::string& prefix,
                const std::string& path) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      ApplyTable(settings, *inner, name + ".", path);
    } else {
      Apply(settings, {name, TextOf(node), path + ":" + std::to_string(key.source().begin.line)});
    }
  }
}

}  // namespace

void Apply(Settings& settings, const Entry& entry) {
  std::string names;
  for (const Known& known : AllKnown()) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
    if (entry.name != known.name) {
      continue;
    }
    if (!known.set(settings, entry.value)) {
      throw BadSetting(entry.from + ": " + entry.name + " has to be " + known.wanted);
    }
    return;
  }
  throw BadSetting(entry.from + ": there is no setting " + entry.name + "; they are " + names);
}

void ReadFile(Settings& settings, const std::string& path) {
  try {
    ApplyTable(settings, toml::parse_file(path), "", path);
  } catch (const toml::parse_error& error) {
    // Without a line it is the file that cannot be read.
    const auto line = error.source().begin.line;
    throw BadSetting(path + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                     std::string(error.description()));
  }
}

void ReadEnvironment(Settings& settings) {
  for (const Known& known : AllKnown()) {
    if (const char* value = std::getenv(known.variable); value != nullptr && *value != '\0') {
      Apply(settings, {known.name, value, known.variable});
    }
  }
}

}  // namespace client::settings
