// Whether the extension is in this database, fits this library, and is in safe hands.
#pragma once

#include <string>

namespace ratchet::catalog {

// kOtherOwner: a table belongs to a role that is no superuser. Its rows say what runs as whom, so
// that role could run anything as anybody.
enum class Fit { kAbsent, kFits, kOtherVersion, kOtherTables, kOtherOwner };

struct Installation {
  Fit fit = Fit::kFits;
  // What does not fit, and what to do about it.
  std::string message;
  std::string detail;
  std::string hint;

  bool operator==(const Installation&) const = default;
};

// These need a transaction.
Installation CompareVersions();
// Waits for whoever is about to alter one of them.
Installation CompareTables();
Installation CheckOwners();
// The first of them that does not fit.
Installation FindInstallation();

// An error when the extension in this database has another version than the library: a function of
// SQL may have other arguments then. Costs next to nothing once it has been found to fit.
void RequireThisVersion();

// An error when the library is older than `version`, which an install or upgrade script is about to
// make.
void RequireLibrary(const std::string& version);

// The upgrade script has made another version: what sessions remember of the old one is void when
// it commits.
void ForgetVersion();

}  // namespace ratchet::catalog
