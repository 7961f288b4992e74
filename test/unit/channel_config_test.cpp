#include "policy/channel_config.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

std::string FaultOf(std::string_view kind, std::string_view config) {
  const auto parsed = ParseJson(config);
  EXPECT_TRUE(parsed) << config;
  const auto fault = FindConfigFault(kind, *parsed);
  return fault ? fault->message : "";
}

TEST(ChannelConfig, WhatIsRightIsTaken) {
  EXPECT_EQ(
      FaultOf("email", R"({"to": ["ops@example.org", "a.b+c@x-y.example"], "from": "db@example.org",
      "host": "mail.example.org", "port": 587, "tls": "starttls", "user": "db",
      "password": {"secret": "smtp"}, "subject_prefix": "[db]", "rate": "30 per minute", "timeout": "10 s"})"),
      "");
  EXPECT_EQ(FaultOf("slack", R"({"url": {"secret": "slack_ops"}})"), "");
  EXPECT_EQ(FaultOf("teams", R"({"url": {"secret": "teams-ops"}})"), "");
  EXPECT_EQ(
      FaultOf(
          "webhook",
          R"({"url": "https://example.org:8443/hook?x=1", "secret": [{"secret": "new"}, {"secret": "old"}],
      "headers": {"X-Team": "ops"}, "secret_headers": {"Authorization": "crm_token"}})"),
      "");
  EXPECT_EQ(FaultOf("pagerduty", R"({"routing_key": {"secret": "pd"}})"), "");
  EXPECT_EQ(
      FaultOf("healthchecks", R"({"url": "https://hc.example.org/ping/key/slug", "create": true})"),
      "");
  EXPECT_EQ(FaultOf("alertmanager", R"({"url": "http://[::1]:9093", "labels": {"team": "db"}})"),
            "");
  EXPECT_EQ(
      FaultOf(
          "statsd",
          R"({"host": "127.0.0.1", "port": 8125, "prefix": "ratchet", "dogstatsd": true, "tags": {"env": "p"}})"),
      "");
  EXPECT_EQ(
      FaultOf("http",
              R"({"url": "https://api.example.org/v1", "method": "POST", "timeout": "10 s"})"),
      "");
}

TEST(ChannelConfig, WhatIsMissingOrUnknownIsNamed) {
  EXPECT_EQ(FaultOf("email", R"({"to": "a@b.example", "from": "c@d.example"})"),
            "\"host\" is missing");
  EXPECT_EQ(FaultOf("slack", R"({"url": {"secret": "a"}, "chanel": "x"})"),
            "unknown key \"chanel\"");
  EXPECT_EQ(FaultOf("smoke", "{}"), "unknown kind \"smoke\"");
  EXPECT_EQ(FaultOf("slack", "[]"), "it must be an object");
  EXPECT_EQ(FaultOf("http", R"({"url": "https://a.example", "rate": "1 per s"})"),
            "unknown key \"rate\"");
}

TEST(ChannelConfig, ALiteralSecretIsRefused) {
  const std::string refused = " must not be in the database";
  EXPECT_EQ(FaultOf("slack", R"({"url": "https://hooks.slack.com/services/T/B/x"})"),
            "\"url\"" + refused);
  EXPECT_EQ(FaultOf("pagerduty", R"({"routing_key": "0123456789abcdef"})"),
            "\"routing_key\"" + refused);
  EXPECT_EQ(FaultOf("webhook", R"({"url": "https://a.example", "secret": "whsec_abc"})"),
            "\"secret\"" + refused);
  EXPECT_EQ(
      FaultOf(
          "email",
          R"({"to": "a@b.example", "from": "c@d.example", "host": "h", "user": "u", "password": "p"})"),
      "\"password\"" + refused);
  EXPECT_EQ(FaultOf("webhook", R"({"url": "https://user:pass@a.example/"})"),
            "\"url\" has user information in it");
  EXPECT_EQ(FaultOf("webhook",
                    R"({"url": "https://a.example", "headers": {"Authorization": "Bearer x"}})"),
            "\"headers\" must not have Authorization");
  EXPECT_EQ(FaultOf("webhook", R"({"url": "https://a.example", "headers": {"X-Api-Key": "x"}})"),
            "\"headers\" must not have X-Api-Key");
}

TEST(ChannelConfig, ASecretIsNamedAndNoPath) {
  for (const char* name : {"", "../etc/passwd", "a/b", "a b", "a.b", "a\\nb"}) {
    const std::string config = std::string(R"({"url": {"secret": ")") + name + "\"}}";
    EXPECT_NE(FaultOf("slack", config), "") << name;
  }
  EXPECT_NE(FaultOf("slack", R"({"url": {"secret": "a", "file": "b"}})"), "");
  EXPECT_NE(FaultOf("slack", R"({"url": {"secret": 5}})"), "");
}

TEST(ChannelConfig, ImpossibleAddresses) {
  for (const char* address :
       {"", "a", "@b.example", "a@", "a@@b.example", "a b@c.example", "a@b..c", "a@b c",
        ".a@b.example", "a.@b.example", "a@b.example\\r\\nBcc: c@d.example",
        "\\u003ca@b.example\\u003e", "a@b.example,c@d.example", "a@[127.0.0.1]"}) {
    const std::string config =
        std::string(R"({"from": "c@d.example", "host": "h", "to": ")") + address + "\"}";
    EXPECT_NE(FaultOf("email", config), "") << address;
  }
  EXPECT_NE(FaultOf("email", R"({"from": "c@d.example", "host": "h", "to": []})"), "");
}

TEST(ChannelConfig, ImpossibleUrls) {
  for (const char* url : {"", "example.org", "ftp://a.example", "file:///etc/passwd", "https://",
                          "https:///x", "https://a b/", "https://a.example/\\r\\nHost: b",
                          "https://a.example:0/", "https://a.example:99999/", "https://a..b/",
                          "javascript:alert(1)", "https://a@b.example/", "http://[::1"}) {
    const std::string config = std::string(R"({"url": ")") + url + "\"}";
    EXPECT_NE(FaultOf("webhook", config), "") << url;
  }
}

TEST(ChannelConfig, HeadersStayInTheirLine) {
  EXPECT_NE(
      FaultOf("webhook", R"({"url": "https://a.example", "headers": {"X-A": "b\r\nX-C: d"}})"), "");
  EXPECT_NE(FaultOf("webhook", R"({"url": "https://a.example", "headers": {"X A": "b"}})"), "");
  EXPECT_NE(FaultOf("webhook", R"({"url": "https://a.example", "headers": {"Host": "b"}})"), "");
  EXPECT_NE(
      FaultOf("webhook", R"({"url": "https://a.example", "secret_headers": {"webhook-id": "b"}})"),
      "");
}

TEST(ChannelConfig, APasswordIsNotSentInTheOpen) {
  EXPECT_NE(
      FaultOf(
          "email",
          R"({"to": "a@b.example", "from": "c@d.example", "host": "h", "user": "u", "tls": "none", "password": {"secret": "p"}})"),
      "");
  EXPECT_NE(
      FaultOf(
          "email",
          R"({"to": "a@b.example", "from": "c@d.example", "host": "h", "password": {"secret": "p"}})"),
      "");
}

TEST(ChannelConfig, SecretsAreFoundWhereverTheyAre) {
  const auto config = ParseJson(
      R"({"url": {"secret": "a"}, "secret": [{"secret": "b"}, {"secret": "a"}], "secret_headers": {"X": "c", "Y": {"secret": "d"}}})");
  EXPECT_EQ(SecretsIn(*config), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(ChannelConfig, Rates) {
  const auto rate = ParseRate("30 per minute");
  ASSERT_TRUE(rate);
  EXPECT_EQ(rate->count, 30);
  EXPECT_EQ(rate->period, 60'000'000);
  EXPECT_EQ(ParseRate("100 per 5 minutes")->period, 300'000'000);
  EXPECT_EQ(ParseRate("1 per s")->period, 1'000'000);
  for (const char* text : {"", "per minute", "0 per minute", "-1 per minute", "1 per", "1 per week",
                           "1 per 0 minutes", "99999999 per s", "1 per minute x"}) {
    EXPECT_FALSE(ParseRate(text)) << text;
  }
  EXPECT_EQ(*ParseSpan("10 s"), 10'000'000);
  EXPECT_EQ(*ParseSpan("500ms"), 500'000);
  for (const char* text : {"", "10", "s", "0 s", "1 s 1 s", "-1 s"}) {
    EXPECT_FALSE(ParseSpan(text)) << text;
  }
}

TEST(JsonValue, WhatIsNoJsonIsNone) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\"}", "\"a", "tru", "{} x", "[\"\\q\"]", "[\"\\u00g0\"]"}) {
    EXPECT_FALSE(ParseJson(text)) << text;
  }
  EXPECT_FALSE(ParseJson(std::string(1000, '[') + std::string(1000, ']')));
  EXPECT_EQ(ParseJson(R"("a\"\\\n\u0041")")->text, "a\"\\\nA");
}

}  // namespace
}  // namespace ratchet::policy
