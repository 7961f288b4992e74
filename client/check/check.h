// ratchet check: what is wrong with an installation, for the one who has to mend it.
#pragma once

#include <string>
#include <vector>

#include "settings/settings.h"

namespace client::check {

struct Finding {
  bool wrong = false;
  std::string what;
};

// In the order in which they should be mended: what follows from an earlier one is not looked for.
std::vector<Finding> LookAt(const settings::Settings& settings);

}  // namespace client::check
