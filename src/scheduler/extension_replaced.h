#pragma once

#include <exception>

namespace ratchet::scheduler {

// The extension was dropped, and perhaps created again, while a transaction of the scheduler went
// by the tables of before. It is not committed; Forget(), and the next pass finds what is there
// now.
struct ExtensionReplaced : std::exception {
  const char* what() const noexcept override { return "extension pg_ratchet has been dropped"; }
};

}  // namespace ratchet::scheduler
