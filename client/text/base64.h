// Base64 as RFC 4648 has it, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace client::text {

std::string EncodeBase64(std::string_view bytes);

// Without a value when it is none. Padding may be missing; line breaks may not be there.
std::optional<std::string> DecodeBase64(std::string_view encoded);

}  // namespace client::text
