// Whose fault an error in the action of a batch job is.
#pragma once

#include <string_view>

namespace ratchet::policy {

enum class ErrorClass {
  kItem,     // the item's: it fails alone
  kRetry,    // of the moment: the batch is tried again
  kEndRun,   // the server's or somebody's wish: the run ends
  kFailRun,  // the job's: every item would fail in the same way
};

// `sqlstate`: its five characters.
ErrorClass ClassOf(std::string_view sqlstate);

}  // namespace ratchet::policy
