// The option "settings": what is SET before the command of a run.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace ratchet::api {

// Raises an error when `settings` (jsonb as text) is not an object of values that `owner` may SET.
void CheckSettings(const std::string& settings, Oid owner);

// The settings, checked ones, with this search_path added.
std::string WithSearchPath(const std::string& settings, const std::string& search_path);

// Of checked settings.
std::optional<std::string> SearchPathIn(const std::string& settings);

std::string SearchPathOfSession();

}  // namespace ratchet::api
