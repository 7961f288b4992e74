#include "deliver/outgoing.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "deliveries.h"
#include "work/child.h"

namespace {

using namespace client::deliver;
using client::channel::Outcome;
using client::channel::Verdict;
using client::secrets::Secrets;
using nlohmann::json;

ClaimedDelivery Claimed(const char* kind, const json& config) {
  return {"0f8fad5b-d9cb-469f-a165-70867728950e", "ops",        kind, config.dump(),
          deliveries::Message().dump(),           1796090400.25};
}

TEST(Outgoing, SecretsAreInNoError) {
  setenv("RATCHET_SECRET_SLACK_URL", "https://hooks.slack.example/services/T000/B000/XXXXXXXXYYYY",
         1);
  const auto prepared =
      PrepareDelivery(Claimed("slack", {{"url", {{"secret", "slack_url"}}}}), Secrets(""), {});
  const auto* outgoing = std::get_if<Outgoing>(&prepared);
  ASSERT_NE(outgoing, nullptr);
  auto response = deliveries::Answer(
      404, "no hook https://hooks.slack.example/services/T000/B000/XXXXXXXXYYYY here");
  const Verdict verdict = Judge(*outgoing, response, {});
  EXPECT_EQ(verdict.outcome, Outcome::kFailed);
  EXPECT_EQ(verdict.error.find("T000"), std::string::npos) << verdict.error;
  response = deliveries::Answer(404, "no /services/B000/XXXXXXXXYYYY");
  EXPECT_EQ(Judge(*outgoing, response, {}).error.find("XXXX"), std::string::npos)
      << "without its host";
}

TEST(Outgoing, WhatThisSenderHasNotAnotherOneMayHave) {
  auto prepared =
      PrepareDelivery(Claimed("slack", {{"url", {{"secret", "nowhere"}}}}), Secrets(""), {});
  ASSERT_TRUE(std::holds_alternative<Verdict>(prepared));
  EXPECT_EQ(std::get<Verdict>(prepared).outcome, Outcome::kRetry);
  EXPECT_NE(std::get<Verdict>(prepared).error.find("secret \"nowhere\""), std::string::npos);
  prepared = PrepareDelivery(Claimed("pigeon", json::object()), Secrets(""), {});
  EXPECT_EQ(std::get<Verdict>(prepared).outcome, Outcome::kRetry);
  prepared = PrepareDelivery(Claimed("slack", json::object()), Secrets(""), {});
  EXPECT_EQ(std::get<Verdict>(prepared).outcome, Outcome::kFailed);
}

TEST(Outgoing, ARequestOfATask) {
  setenv("RATCHET_SECRET_CRM_TOKEN", "Bearer token-of-crm", 1);
  const json http = {{"url", "https://crm.example/v1/contacts"},
                     {"method", "PUT"},
                     {"timeout", "3 s"},
                     {"headers", {{"X-Source", "shop"}}},
                     {"secret_headers", {{"Authorization", "crm_token"}}}};
  const auto prepared = PrepareTask({"crm", "17", R"({"id": 5})"}, http, Secrets(""));
  const auto* outgoing = std::get_if<Outgoing>(&prepared);
  ASSERT_NE(outgoing, nullptr);
  const auto& request = std::get<client::outbound::HttpRequest>(outgoing->request);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.body, R"({"id": 5})");
  EXPECT_EQ(request.timeout, std::chrono::seconds(3));
  EXPECT_EQ(deliveries::Header(request, "Authorization"), "Bearer token-of-crm");
  EXPECT_EQ(deliveries::Header(request, "Idempotency-Key"), "\"crm-17\"");
  auto answer = deliveries::Answer(
      201, std::string("{\"echo\": \"Bearer token-of-crm\", \"z\": \"\0\"}", 43) +
               std::string(9000, 'x'));
  const json result = json::parse(TaskResult(*outgoing, answer));
  EXPECT_EQ(result["status"], 201);
  EXPECT_LE(result["body"].get<std::string>().size(), 8000U);
  EXPECT_EQ(result["body"].get<std::string>().find("token-of-crm"), std::string::npos);
  EXPECT_EQ(result["cut"], true);
}

TEST(LastLines, AreKept) {
  client::work::LastLines lines;
  for (int i = 0; i < 100000; i++) {
    lines.Add("line " + std::to_string(i) + "\n");
  }
  const std::string text = lines.Text();
  EXPECT_TRUE(text.ends_with("line 99998\nline 99999")) << text;
  EXPECT_TRUE(text.starts_with("line 99980\n")) << text;
  client::work::LastLines one;
  one.Add("only \xFF this\n\n");
  EXPECT_EQ(one.Text(), "only ? this");
  EXPECT_EQ(client::work::LastLines().Text(), "");
}

}  // namespace
