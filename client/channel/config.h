// The settings of a channel, which the server has looked at when it was made. It may be another
// version's, so that they are looked at again.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "outbound/request.h"

namespace client::channel {

// All throw BadConfig, with the name of the setting and never its value.
std::string RequiredText(const nlohmann::json& config, const char* name);
std::string OptionalText(const nlohmann::json& config, const char* name,
                         const std::string& otherwise = {});
bool OptionalFlag(const nlohmann::json& config, const char* name);
int OptionalPort(const nlohmann::json& config, const char* name, int otherwise);
std::vector<std::string> RequiredTexts(const nlohmann::json& config, const char* name);
std::vector<std::pair<std::string, std::string>> OptionalPairs(const nlohmann::json& config,
                                                               const char* name);
outbound::Milliseconds Timeout(const nlohmann::json& config);

// A POST of JSON, to the "url" of the settings.
outbound::HttpRequest JsonRequest(const nlohmann::json& config, const nlohmann::ordered_json& body);

}  // namespace client::channel
