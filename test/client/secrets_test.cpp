#include "secrets/secrets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using namespace client::secrets;
using nlohmann::json;

class SecretsFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "ratchet-secrets-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& value, mode_t mode = 0600) {
    std::ofstream(folder_ + "/" + name) << value;
    chmod((folder_ + "/" + name).c_str(), mode);
  }

  std::string folder_;
};

TEST_F(SecretsFolder, AFileForEach) {
  Write("slack_ops", "https://hooks.example/T1/B2\n");
  EXPECT_EQ(Secrets(folder_).Find("slack_ops").value, "https://hooks.example/T1/B2");
  Write("slack_ops", "rotated");
  EXPECT_EQ(Secrets(folder_).Find("slack_ops").value, "rotated") << "read when it is used";
}

TEST_F(SecretsFolder, WhatOthersCanReadIsRefused) {
  for (const mode_t mode : {0644, 0640, 0604, 0622, 0660}) {
    Write("open", "hush-hush", mode);
    const auto found = Secrets(folder_).Find("open");
    EXPECT_EQ(found.value, std::nullopt) << std::oct << mode;
    EXPECT_NE(found.problem.find("chmod"), std::string::npos) << found.problem;
    EXPECT_EQ(found.problem.find("hush"), std::string::npos);
  }
}

TEST_F(SecretsFolder, NoWayOutOfTheFolder) {
  Write("x", "value");
  std::filesystem::create_directory(folder_ + "/inner");
  for (const char* name :
       {"../x", "inner/../x", "/etc/passwd", "", ".", "..", ".x", "a b", "x\n"}) {
    EXPECT_EQ(Secrets(folder_ + "/inner").Find(name).value, std::nullopt) << name;
  }
  EXPECT_EQ(Secrets(folder_).Find("inner").value, std::nullopt) << "a folder is none";
}

TEST_F(SecretsFolder, EmptyAndMissingOnes) {
  Write("empty", "\n");
  EXPECT_EQ(Secrets(folder_).Find("empty").value, std::nullopt);
  const auto missing = Secrets(folder_).Find("nowhere");
  EXPECT_NE(missing.problem.find("RATCHET_SECRET_NOWHERE"), std::string::npos) << missing.problem;
}

TEST(Secrets, OfTheEnvironment) {
  setenv("RATCHET_SECRET_MAIL_PASSWORD", "from-environment", 1);
  EXPECT_EQ(Secrets("").Find("mail-password").value, "from-environment");
  unsetenv("RATCHET_SECRET_MAIL_PASSWORD");
}

TEST(Secrets, AreFoundWhereverTheyAre) {
  const json config =
      json::parse(R"({"url": {"secret": "b"}, "secret": [{"secret": "a"}, {"secret": "b"}],
      "secret_headers": {"Authorization": "c", "X": {"secret": "d"}}, "headers": {"Y": "plain"}})");
  EXPECT_EQ(NamesIn(config), (std::vector<std::string>{"a", "b", "c", "d"}));
  setenv("RATCHET_SECRET_A", "value-a", 1);
  setenv("RATCHET_SECRET_B", "value-b", 1);
  setenv("RATCHET_SECRET_C", "value-c", 1);
  const Resolved resolved = Resolve(config, Secrets(""));
  EXPECT_EQ(resolved.config["url"], "value-b");
  EXPECT_EQ(resolved.config["secret"], json::parse(R"(["value-a", "value-b"])"));
  EXPECT_EQ(resolved.config["headers"]["Authorization"], "value-c");
  EXPECT_EQ(resolved.config["headers"]["Y"], "plain");
  EXPECT_EQ(resolved.problems.size(), 1U) << "d is missing";
}

TEST(Redacted, ShowsNoSecretAndNoPath) {
  EXPECT_EQ(Redacted("password s3cr3t-value is wrong", {"s3cr3t-value"}), "password *** is wrong");
  EXPECT_EQ(Redacted("POST https://hooks.example/T1/B2?x=1 failed", {}),
            "POST https://hooks.example/... failed");
  EXPECT_EQ(Redacted("https://user:pass@host.example:8443/p and http://a/b", {}),
            "https://host.example:8443/... and http://a/...");
  EXPECT_EQ(Redacted("https://user:p/a@host.example", {}).find("user:p@"), std::string::npos);
  EXPECT_EQ(Redacted("nothing to hide", {"", "no"}), "nothing to hide");
  EXPECT_EQ(Redacted("http://", {}), "http://");
}

}  // namespace
