#include "settings/settings.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using namespace client::settings;

std::string ProblemOf(const std::string& text) {
  const std::string path = std::filesystem::temp_directory_path() /
                           ("ratchet-settings-" + std::to_string(std::rand()) + ".toml");
  std::ofstream(path) << text;
  Settings settings;
  std::string problem;
  try {
    ReadFile(settings, path);
  } catch (const BadSetting& error) {
    problem = error.what();
  }
  std::filesystem::remove(path);
  return problem.starts_with(path) ? problem.substr(path.size()) : problem;
}

TEST(Settings, TheEnvironmentComesBeforeTheFile) {
  const std::string path = std::filesystem::temp_directory_path() / "ratchet-settings-order.toml";
  std::ofstream(path)
      << "dsn = \"dbname=shop\"\n[send]\nat_once = 8\nallow_hosts = [\"a.example\", "
         "\"10.0.0.0/8\"]\nlease = \"5 minutes\"\npublic_addresses = false\n";
  Settings settings;
  ReadFile(settings, path);
  EXPECT_EQ(settings.at_once, 8);
  EXPECT_EQ(settings.allow_hosts, (std::vector<std::string>{"a.example", "10.0.0.0/8"}));
  EXPECT_EQ(settings.lease, std::chrono::minutes(5));
  EXPECT_FALSE(settings.public_addresses);
  setenv("RATCHET_AT_ONCE", "9", 1);
  ReadEnvironment(settings);
  unsetenv("RATCHET_AT_ONCE");
  EXPECT_EQ(settings.at_once, 9);
  EXPECT_EQ(settings.dsn, "dbname=shop");
  std::filesystem::remove(path);
}

TEST(Settings, EachErrorNamesTheSetting) {
  EXPECT_EQ(ProblemOf("[send]\nat_once = 0\n"),
            ":2: send.at_once has to be a number from 1 to 500");
  EXPECT_EQ(ProblemOf("[send]\nlease = \"soon\"\n"),
            ":2: send.lease has to be a span of a second to a day, as \"1 minute\"");
  EXPECT_NE(ProblemOf("[send]\nleese = \"5 s\"\n")
                .find(":2: there is no setting send.leese; they are dsn"),
            std::string::npos);
  EXPECT_NE(ProblemOf("[send\n").find(":1: "), std::string::npos);
  EXPECT_NE(ProblemOf("[log]\nformat = \"xml\"\n").find("text or json"), std::string::npos);
  Settings settings;
  EXPECT_THROW(ReadFile(settings, "/nonexistent/ratchet.toml"), BadSetting);
}

TEST(Journal, StrangersMakeNoLines) {
  using namespace client::journal;
  const std::string line = LineOf(Format::kText, 1796090400123456, Level::kWarning, "not delivered",
                                  {{"error", "a\nb\x1b[31m"}});
  EXPECT_EQ(line, "2026-12-01T02:00:00.123Z warning: not delivered error=\"a b [31m\"");
  const std::string json =
      LineOf(Format::kJson, 1796090400123456, Level::kInfo, "x", {{"error", "a\n\"\xFF"}});
  EXPECT_EQ(
      json,
      R"({"@timestamp":"2026-12-01T02:00:00.123Z","log.level":"info","message":"x","error":"a\n\"?"})");
}

}  // namespace
