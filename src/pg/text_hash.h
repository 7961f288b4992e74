// The server's hash of a text, for columns by which rows are found: the same in all sessions.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/server.h"

extern "C" {
#include "common/hashfn.h"
}

namespace ratchet::pg {

inline std::int64_t HashOf(std::string_view text, std::uint64_t seed = 0) {
  return static_cast<std::int64_t>(hash_bytes_extended(
      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()), seed));
}

}  // namespace ratchet::pg
