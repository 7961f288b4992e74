#include "policy/data_directory.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

// A data directory on a machine, and what becomes of it.
struct Server {
  DirectoryFacts facts;
  DirectoryMark mark;

  Server() {
    facts.here = {"/data", "a", 10, 0, Copy::kNone};
    Start();
  }
  // With what lies there besides.
  void Start() {
    static std::int64_t next_id = 1;
    facts.new_id = next_id++;
    mark = Examine(DirectoryMark::Decode(mark.Encode()), facts);
    facts.recovery_signal = false;
    facts.standby_signal = false;
    facts.backup_label = false;
  }
};

TEST(DataDirectory, OneThatIsWhereItWasIsNoCopy) {
  Server server;
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(server.mark.copy_id, 0);
    server.Start();
  }
}

TEST(DataDirectory, WhatWasRestoredIsACopyOnce) {
  for (const bool backup_too : {false, true}) {
    Server server;
    server.facts.recovery_signal = true;
    server.facts.backup_label = backup_too;
    server.facts.here.file = 11;
    server.Start();
    EXPECT_EQ(server.mark.copy, Copy::kRestored);
    const std::int64_t id = server.mark.copy_id;
    EXPECT_NE(id, 0);
    server.Start();
    EXPECT_EQ(server.mark.copy_id, id) << "a restart is no restore";
    server.facts.recovery_signal = true;
    server.Start();
    EXPECT_NE(server.mark.copy_id, id) << "another restore is another one";
  }
}

TEST(DataDirectory, ABaseBackupThatIsNoStandbyIsACopy) {
  Server server;
  server.facts.backup_label = true;
  server.facts.here.file = 11;
  server.Start();
  EXPECT_EQ(server.mark.copy, Copy::kBackup);
}

TEST(DataDirectory, AStandbyIsNoCopyNeitherBeforeNorAfterPromotion) {
  for (const bool recovery_too : {false, true}) {
    Server server;
    server.facts.standby_signal = true;
    server.facts.recovery_signal = recovery_too;
    server.facts.backup_label = true;
    server.facts.here = {"/other", "b", 11, 0, Copy::kNone};
    server.facts.original_is_there = true;
    server.Start();
    EXPECT_EQ(server.mark.copy_id, 0);
    server.Start();  // it has been promoted
    EXPECT_EQ(server.mark.copy_id, 0);
  }
}

TEST(DataDirectory, FilesThatWereCopied) {
  struct Case {
    const char* path;
    const char* machine;
    std::uint64_t file;
    bool original_is_there;
    Copy copy;
  };
  for (const Case& of : {Case{"/copy", "a", 11, true, Copy::kDirectory},
                         Case{"/copy", "a", 11, false, Copy::kNone},  // moved to another disk
                         Case{"/data", "a", 11, false, Copy::kNone},  // which was mounted there
                         Case{"/moved", "a", 10, false, Copy::kNone},
                         Case{"/data", "b", 10, false, Copy::kNone},  // the disk has moved
                         Case{"/data", "b", 11, false, Copy::kDirectory}}) {
    Server server;
    server.facts.here = {of.path, of.machine, of.file, 0, Copy::kNone};
    server.facts.original_is_there = of.original_is_there;
    server.Start();
    EXPECT_EQ(server.mark.copy, of.copy) << of.path << " on " << of.machine;
    const std::int64_t id = server.mark.copy_id;
    server.facts.original_is_there = false;
    server.Start();
    EXPECT_EQ(server.mark.copy_id, id) << "it is where it was";
  }
}

TEST(DirectoryMark, IsReadAsItWasWritten) {
  const DirectoryMark mark{"/a\nb", "m", UINT64_MAX, INT64_MAX, Copy::kBackup};
  EXPECT_EQ(DirectoryMark::Decode(mark.Encode()), mark);
  const std::string text = DirectoryMark{"/a", "m", 1, 2, Copy::kBackup}.Encode();
  for (std::size_t length = 0; length < text.size(); length++) {
    EXPECT_EQ(DirectoryMark::Decode(text.substr(0, length)), DirectoryMark{}) << length;
  }
  EXPECT_EQ(DirectoryMark::Decode("pg_ratchet 2\n"), DirectoryMark{});
}

}  // namespace
}  // namespace ratchet::policy
