// What the program is told: command line, else environment, else file, else what is usual.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace client::settings {

// Names the setting and what to do about it.
class BadSetting : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Settings {
  std::string dsn;
  journal::Format log_format = journal::Format::kText;
  journal::Level log_level = journal::Level::kInfo;
  // Of ratchet send.
  std::string name;
  std::string secrets_folder;
  std::vector<std::string> allow_hosts;
  bool public_addresses = true;
  std::string ca_file;
  int at_once = 32;
  std::chrono::milliseconds lease{60000};
  std::chrono::milliseconds grace{30000};
};

// Everything as text, as all three places have it.
struct Entry {
  std::string name;  // as in the file: "send.lease"
  std::string value;
  std::string from;  // for messages: "RATCHET_LEASE", "ratchet.toml", "--lease"
};
void Apply(Settings& settings, const Entry& entry);

// Throws BadSetting, with the line of the file.
void ReadFile(Settings& settings, const std::string& path);
void ReadEnvironment(Settings& settings);

}  // namespace client::settings
