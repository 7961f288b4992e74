#include "secrets/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace client::secrets {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestSecret = 65536;
// Of a URL: what is shorter is a word as "services".
constexpr std::size_t kShortestPart = 9;

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsReference(const json& value) {
  return value.is_object() && value.size() == 1 && value.contains("secret") &&
         value["secret"].is_string();
}

// As libpq does for keys: nobody else's eyes, but a group's where root has made the file for it.
std::string ProblemOfMode(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) {
    return path + " is no ordinary file";
  }
  if (status.st_uid != geteuid() && status.st_uid != 0) {
    return path + " belongs to another user: make it root's, or the one's who runs this program";
  }
  const unsigned too_much = status.st_uid == 0 && geteuid() != 0 ? 0037 : 0077;
  if ((status.st_mode & too_much) != 0) {
    return path + " can be read by others: chmod " + (too_much == 0037 ? "0640" : "0600");
  }
  return {};
}

Secrets::Found ReadFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return {{}, path + ": " + std::strerror(errno)};
  }
  struct stat status = {};
  std::string problem =
      fstat(file, &status) != 0 ? path + " cannot be looked at" : ProblemOfMode(status, path);
  std::string value;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while (problem.empty() && (got = read(file, part.data(), part.size())) > 0) {
    value.append(part.data(), static_cast<std::size_t>(got));
    if (value.size() > kLongestSecret) {
      problem = path + " is too long for a secret";
    }
  }
  if (got < 0) {
    problem = path + ": " + std::strerror(errno);
  }
  close(file);
  if (!problem.empty()) {
    return {{}, problem};
  }
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) {
    value.pop_back();
  }
  if (value.empty()) {
    return {{}, path + " is empty"};
  }
  return {value, {}};
}

void CollectNames(const json& value, std::vector<std::string>& names) {
  if (IsReference(value)) {
    names.push_back(value["secret"].get<std::string>());
    return;
  }
  if (!value.is_structured()) {
    return;
  }
  for (const auto& [key, part] : value.items()) {
    if (key == "secret_headers" && part.is_object()) {
      for (const auto& [header, name] : part.items()) {
        if (name.is_string()) {
          names.push_back(name.get<std::string>());
        } else {
          CollectNames(name, names);
        }
      }
    } else {
      CollectNames(part, names);
    }
  }
}

class Resolver {
 public:
  Resolver(const Secrets& secrets, Resolved& resolved) : secrets_(secrets), resolved_(resolved) {}

  void Walk(json& value) {
    if (IsReference(value)) {
      value = Value(value["secret"].get<std::string>());
    } else if (value.is_structured()) {
      for (auto& part : value) {
        Walk(part);
      }
    }
  }

  std::string Value(const std::string& name) {
    const Secrets::Found found = secrets_.Find(name);
    if (!found.value) {
      resolved_.problems.push_back("secret \"" + name + "\": " + found.problem);
      return {};
    }
    resolved_.values.push_back(*found.value);
    AddPartsOfUrl(*found.value);
    return *found.value;
  }

 private:
  // Of a URL the path is what is secret, and a receiver may say it without the host.
  void AddPartsOfUrl(const std::string& value) {
    const auto scheme = value.find("://");
    if (scheme == std::string::npos) {
      return;
    }
    for (std::size_t begin = value.find('/', scheme + 3); begin < value.size();) {
      const std::size_t end = std::min(value.find_first_of("/?&=#", begin + 1), value.size());
      if (end - begin - 1 >= kShortestPart) {
        resolved_.values.push_back(value.substr(begin + 1, end - begin - 1));
      }
      begin = end;
    }
  }

  const Secrets& secrets_;
  Resolved& resolved_;
};

std::string WithoutUrls(std::string text) {
  for (std::size_t at = 0; (at = text.find("://", at)) != std::string::npos;) {
    std::size_t begin = at + 3;
    std::size_t end = begin;
    while (end < text.size() && std::strchr(" \t\n\"'<>)", text[end]) == nullptr) {
      end++;
    }
    // User and password come before an "@" that no "/" precedes.
    const std::size_t path = std::min(text.find_first_of("/?#", begin), end);
    if (const std::size_t user = text.rfind('@', path);
        user != std::string::npos && user >= begin) {
      text.erase(begin, user + 1 - begin);
      end -= user + 1 - begin;
    }
    const std::size_t rest = std::min(text.find_first_of("/?#", begin), end);
    if (rest + 1 < end) {
      text.replace(rest, end - rest, "/...");
      end = rest + 4;
    }
    at = end;
  }
  return text;
}

}  // namespace

bool IsSecretName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.'; });
}

std::string Secrets::VariableOf(std::string_view name) {
  std::string variable = "RATCHET_SECRET_";
  for (const char c : name) {
    variable += IsAlnum(c) ? static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c) : '_';
  }
  return variable;
}

Secrets::Found Secrets::Find(const std::string& name) const {
  if (!IsSecretName(name)) {
    return {{}, "this is no name of a secret: letters, digits, \"_\", \"-\" and \".\" make one"};
  }
  if (!folder_.empty()) {
    const std::string path = folder_ + "/" + name;
    if (access(path.c_str(), F_OK) == 0) {
      return ReadFile(path);
    }
  }
  const std::string variable = VariableOf(name);
  if (const char* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0') {
    return {value, {}};
  }
  return {{},
          folder_.empty() ? "there is no secrets folder, and no environment variable " + variable
                          : "there is no file of this name in " + folder_ +
                                ", and no environment variable " + variable};
}

std::vector<std::string> NamesIn(const json& config) {
  std::vector<std::string> names;
  CollectNames(config, names);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Resolved Resolve(const json& config, const Secrets& secrets) {
  Resolved resolved{config, {}, {}};
  Resolver resolver(secrets, resolved);
  if (resolved.config.is_object() && resolved.config.contains("secret_headers")) {
    json named = resolved.config["secret_headers"];
    resolved.config.erase("secret_headers");
    if (named.is_object()) {
      for (auto& [header, name] : named.items()) {
        const std::string secret = IsReference(name)  ? name["secret"].get<std::string>()
                                   : name.is_string() ? name.get<std::string>()
                                                      : std::string();
        resolved.config["headers"][header] = resolver.Value(secret);
      }
    }
  }
  resolver.Walk(resolved.config);
  return resolved;
}

std::string WithoutValues(std::string_view text, const std::vector<std::string>& values) {
  std::string redacted(text);
  for (const std::string& value : values) {
    // What is shorter than this is in every second text, and no secret.
    if (value.size() < 4) {
      continue;
    }
    for (std::size_t at = 0; (at = redacted.find(value, at)) != std::string::npos; at += 3) {
      redacted.replace(at, value.size(), "***");
    }
  }
  return redacted;
}

std::string Redacted(std::string_view text, const std::vector<std::string>& values) {
  return WithoutUrls(WithoutValues(text, values));
}

}  // namespace client::secrets
