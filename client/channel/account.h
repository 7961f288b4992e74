// A notice as an account for people: facts by name, and texts. What all channels for people show is
// decided here, how it looks in each of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "channel/notice.h"

namespace client::channel {

struct AccountPart {
  std::string heading;                                     // "job nightly failed"
  std::vector<std::pair<std::string, std::string>> facts;  // on one line each
  std::vector<std::pair<std::string, std::string>>
      texts;  // several lines, as they are: errors, SQL
};

struct Account {
  std::vector<std::pair<std::string, std::string>> facts;
  std::string body;
  std::vector<AccountPart> parts;
  std::string more;  // "and 17 more"
};

Account AccountOf(const Notice& notice);

}  // namespace client::channel
