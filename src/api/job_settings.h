// The option "settings": what is SET before the command of a run.
#pragma once

#include <optional>
#include <string>

#include "catalog/job.h"
#include "pg/as_role.h"

namespace ratchet::api {

// Raises an error when `settings` (jsonb as text) is not an object of values that `owner` may SET.
void CheckSettings(const std::string& settings, Oid owner);

// The settings, checked ones, with this search_path added.
std::string WithSearchPath(const std::string& settings, const std::string& search_path);

// Of checked settings.
std::optional<std::string> SearchPathIn(const std::string& settings);

std::string SearchPathOfSession();

// Those under which a worker runs the job: its owner's, and its own.
pg::SettingList SettingsInForce(const catalog::JobDefinition& job);

}  // namespace ratchet::api
