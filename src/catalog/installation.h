// Whether the extension is in this database, and fits this library.
#pragma once

namespace ratchet::catalog {

constexpr char kLibraryVersion[] = "1.0";

enum class Installation { kAbsent, kPresent, kOtherVersion };

// Needs a transaction. Says in the server's log, once per finding, what to do about another
// version.
Installation FindInstallation();

}  // namespace ratchet::catalog
