// Secrets by name: a file of that name in the secrets folder, or an environment variable. Read when
// they are used, so that a new password needs no restart. They are in no message of ours: who
// reports an error passes it through Redacted.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace client::secrets {

// Letters, digits, "_", "-", ".", not beginning with ".": no way out of the folder.
bool IsSecretName(std::string_view name);

class Secrets {
 public:
  // folder: empty when there is none.
  explicit Secrets(std::string folder) : folder_(std::move(folder)) {}

  struct Found {
    std::optional<std::string> value;
    std::string problem;  // why there is no value; names the file, and nothing in it
  };
  Found Find(const std::string& name) const;

  // The environment variable of a secret: RATCHET_SECRET_ and the name in capitals.
  static std::string VariableOf(std::string_view name);

 private:
  std::string folder_;
};

// The names of secrets that a channel's or HTTP queue's settings ask for, each once.
std::vector<std::string> NamesIn(const nlohmann::json& config);

struct Resolved {
  nlohmann::json config;            // with values in place of {"secret": name}
  std::vector<std::string> values;  // which must not be seen
  std::vector<std::string> problems;
};
// "secret_headers" has names as values; they become ordinary "headers".
Resolved Resolve(const nlohmann::json& config, const Secrets& secrets);

// The text with "***" in place of these values.
std::string WithoutValues(std::string_view text, const std::vector<std::string>& values);

// Of that also without what a URL has behind its host.
std::string Redacted(std::string_view text, const std::vector<std::string>& values);

}  // namespace client::secrets
