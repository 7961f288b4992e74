// What the option mutex says: the name of a mutex, and whose it is.
#pragma once

#include <string_view>

namespace ratchet::policy {

// "nightly": the mutex of that name of the job's owner. "loads.nightly": that of role loads, which
// those who have the privileges of that role share. The last dot counts, as the name of a role may
// have some.
struct MutexName {
  std::string_view role;  // empty: the owner's
  std::string_view name;
  bool is_shared;

  explicit constexpr MutexName(std::string_view text)
      : role(text.substr(0, text.rfind('.') == text.npos ? 0 : text.rfind('.'))),
        name(text.substr(text.rfind('.') + 1)),
        is_shared(text.rfind('.') != text.npos) {}
};

}  // namespace ratchet::policy
