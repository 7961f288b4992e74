// A run that ended because the server was shut down.
#pragma once

#include <string_view>

namespace ratchet::policy {

// The reason in its record, by which it is known after the next start: it is `partial` or
// `canceled`, goes on, and says nothing about its job.
inline constexpr std::string_view kServerStopped = "the server was shut down";

}  // namespace ratchet::policy
