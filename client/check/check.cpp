#include "check/check.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "channel/kind.h"
#include "outbound/address_guard.h"
#include "postgres/session.h"
#include "secrets/secrets.h"

namespace client::check {

namespace {

using nlohmann::json;

class Findings {
 public:
  void Right(std::string what) { all_.push_back({false, std::move(what)}); }
  void Wrong(std::string what) { all_.push_back({true, std::move(what)}); }
  std::vector<Finding> Take() { return std::move(all_); }

 private:
  std::vector<Finding> all_;
};

void LookAtFolder(const std::string& folder, Findings& findings) {
  if (folder.empty()) {
    return;
  }
  struct stat status = {};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    findings.Wrong("send.secrets: there is no folder " + folder);
  } else if ((status.st_mode & 0002) != 0) {
    findings.Wrong("send.secrets: everybody may write to " + folder + ": chmod o-w");
  }
}

void LookAtSecrets(const json& config, const secrets::Secrets& secrets, Findings& findings) {
  std::size_t there = 0;
  for (const std::string& name : secrets::NamesIn(config)) {
    const auto found = secrets.Find(name);
    there += found.value ? 1 : 0;
    if (!found.value) {
      findings.Wrong("secret \"" + name + "\": " + found.problem);
    }
  }
  findings.Right("secrets that are there: " + std::to_string(there));
}

void LookAtChannels(const json& config, Findings& findings) {
  const auto channels = config.find("channels");
  if (channels == config.end() || !channels->is_array()) {
    return;
  }
  for (const json& channel : *channels) {
    const std::string kind = channel.value("kind", "");
    if (channel::FindKind(kind) == nullptr) {
      findings.Wrong("channel " + channel.value("channel_name", "") + " is of kind " + kind +
                     ", which this program does not know: install a newer one");
    }
  }
  findings.Right("channels: " + std::to_string(channels->size()));
}

void LookAtServer(PGconn* connection, const settings::Settings& settings, Findings& findings) {
  const auto ask = [&](const char* sql) {
    return postgres::FirstValue(postgres::Ask(connection, sql));
  };
  findings.Right("connected to database " + std::string(PQdb(connection)) + " as " +
                 PQuser(connection));
  if (ask("SELECT current_setting('is_superuser')") == "on") {
    findings.Wrong(
        "the role " + std::string(PQuser(connection)) +
        " is a superuser: make one for the program, and give it ratchet.grant_sender(role)");
  }
  const std::string version =
      ask("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_ratchet'");
  if (version.empty()) {
    findings.Wrong("the database has no pg_ratchet: CREATE EXTENSION pg_ratchet");
    return;
  }
  findings.Right("pg_ratchet " + version);
  if (ask("SELECT pg_catalog.pg_is_in_recovery()") == "t") {
    findings.Wrong(
        "the server is a standby: name all servers in the connection string, with "
        "target_session_attrs=read-write");
    return;
  }
  const postgres::Answer config = postgres::Ask(connection, "SELECT ratchet.sender_config()");
  if (!config.ok) {
    findings.Wrong(config.sqlstate == "42501"
                       ? "the role may not send: SELECT ratchet.grant_sender('" +
                             std::string(PQuser(connection)) + "')"
                       : "the settings of channels cannot be read: " + config.message);
    return;
  }
  const json parsed = json::parse(postgres::FirstValue(config), nullptr, false);
  if (parsed.is_object()) {
    LookAtChannels(parsed, findings);
    LookAtSecrets(parsed, secrets::Secrets(settings.secrets_folder), findings);
  }
}

}  // namespace

std::vector<Finding> LookAt(const settings::Settings& settings) {
  Findings findings;
  LookAtFolder(settings.secrets_folder, findings);
  try {
    const outbound::AddressGuard guard(settings.allow_hosts, settings.public_addresses);
  } catch (const std::invalid_argument& problem) {
    findings.Wrong(std::string("send.allow_hosts: ") + problem.what());
  }
  std::string problem;
  const auto connection = postgres::Connect({settings.dsn, "ratchet check"}, problem);
  if (connection == nullptr) {
    findings.Wrong("no connection to the database: " + problem);
  } else {
    LookAtServer(connection.get(), settings, findings);
  }
  return findings.Take();
}

}  // namespace client::check
