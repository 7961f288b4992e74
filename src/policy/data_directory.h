// Is the data directory with which a server starts a copy of another one's? If so, the other one's
// jobs may still run where they are at home, and hold still here until somebody says otherwise.
//
// A standby is no copy in this sense: it takes over when it is promoted. What it is told from:
// files that the server finds when it starts, and a file of our own that remembers where it was
// written, and is not the same file any more when it has been copied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ratchet::policy {

enum class Copy : std::uint8_t {
  kNone,
  kRestored,   // recovery up to a target, or to the end of an archive
  kBackup,     // a base backup, started as a server of its own
  kDirectory,  // the files were copied
};

// What the file of our own says. An empty path: there is none, or it cannot be read.
struct DirectoryMark {
  std::string path;          // of the data directory
  std::string machine;       // on which it is
  std::uint64_t file = 0;    // number of this file in its file system
  std::int64_t copy_id = 0;  // of the last time that it was found to be a copy; 0: never
  Copy copy = Copy::kNone;   // what it was then

  friend bool operator==(const DirectoryMark&, const DirectoryMark&) = default;
  std::string Encode() const;
  static DirectoryMark Decode(std::string_view text);
};

// What is found when a server starts.
struct DirectoryFacts {
  bool recovery_signal = false;
  bool standby_signal = false;
  bool backup_label = false;
  // The directory of which the mark tells, another one than this, is where it was.
  bool original_is_there = false;
  DirectoryMark here{};  // without copy_id and copy
  std::int64_t new_id = 0;
};

// The mark as it is to be from now on. It has another copy_id than before if this is a copy that
// has not been one before.
DirectoryMark Examine(const DirectoryMark& mark, const DirectoryFacts& facts);

}  // namespace ratchet::policy
