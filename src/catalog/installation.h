// Whether the extension is in this database, fits this library, and is in safe hands.
#pragma once

namespace ratchet::catalog {

constexpr char kLibraryVersion[] = "1.0";

// kOtherOwner: a table belongs to a role that is no superuser. Its rows say what runs as whom, so
// that role could run anything as anybody.
enum class Installation { kAbsent, kPresent, kOtherVersion, kOtherOwner };

// Needs a transaction. Says in the server's log, once per finding, what to do about another
// version or owner.
Installation FindInstallation();

}  // namespace ratchet::catalog
