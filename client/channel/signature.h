// Signatures of Standard Webhooks: who has the secret can tell that a message is ours, and new.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace client::channel {

// The key of "whsec_..." (base64). Throws BadConfig.
std::string SigningKey(std::string_view secret);

// "v1,..." of base64; of several secrets several, with blanks in between, while one takes the
// other's place.
std::string Signature(const std::vector<std::string>& secrets, std::string_view id,
                      long long timestamp, std::string_view body);

}  // namespace client::channel
