#include <gtest/gtest.h>

#include <set>

#include "channel/signature.h"
#include "deliveries.h"

namespace {

using namespace deliveries;
using client::channel::BadConfig;
using client::channel::Outcome;
using nlohmann::json;

TEST(Slack, EscapesWhatWouldBeMarkup) {
  json message = Message();
  message["subject"] = "<!channel> & <https://evil.example|click>";
  message["incidents"][0]["error"] = "```<@U123>```";
  const auto request =
      RenderHttp("slack", MakeDelivery({{"url", "https://hooks.example/x"}}, message));
  const json body = json::parse(request.body);
  EXPECT_EQ(body["text"], "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;");
  EXPECT_LE(body["blocks"].size(), 50U);
  for (const json& block : body["blocks"]) {
    if (block["type"] == "section") {
      const std::string text = block["text"]["text"];
      EXPECT_EQ(text.find('<'), std::string::npos) << text;
      EXPECT_LE(text.size(), 3000U);
    } else {
      EXPECT_EQ(block["text"]["type"], "plain_text");
      EXPECT_LE(block["text"]["text"].get<std::string>().size(), 150U);
    }
  }
}

TEST(Slack, KeepsItsBounds) {
  json message = Message();
  message["incidents"][0]["error"] = std::string(20000, '&');
  for (int i = 0; i < 90; i++) {
    message["incidents"].push_back(message["incidents"][0]);
  }
  const json body =
      json::parse(RenderHttp("slack", MakeDelivery({{"url", "https://x.example/"}}, message)).body);
  EXPECT_LE(body["blocks"].size(), 50U);
  for (const json& block : body["blocks"]) {
    EXPECT_LE(block["text"]["text"].get<std::string>().size(), 3000U);
  }
}

TEST(Slack, JudgesByItsDocumentation) {
  EXPECT_EQ(Judge("slack", Answer(200, "ok")).outcome, Outcome::kDelivered);
  EXPECT_EQ(Judge("slack", Answer(200, "<html>login</html>")).outcome, Outcome::kFailed);
  for (const int code : {400, 403, 404, 410}) {
    EXPECT_EQ(Judge("slack", Answer(code, "invalid_payload")).outcome, Outcome::kFailed) << code;
  }
  EXPECT_EQ(Judge("slack", Answer(500, "rollup_error")).outcome, Outcome::kRetry);
  auto limited = Answer(429);
  limited.retry_after = "30";
  EXPECT_EQ(Judge("slack", limited).outcome, Outcome::kRetry);
  EXPECT_EQ(Judge("slack", limited).retry_in, std::chrono::seconds(30));
}

TEST(Teams, IsACardInWhichNothingIsMarkup) {
  json message = Message();
  message["incidents"][0]["job"] = "[x](https://evil.example) {{DATE(now)}}";
  const json body =
      json::parse(RenderHttp("teams", MakeDelivery({{"url", "https://x.example/"}}, message)).body);
  EXPECT_EQ(body["type"], "message");
  const json& card = body["attachments"][0];
  EXPECT_EQ(card["contentType"], "application/vnd.microsoft.card.adaptive");
  EXPECT_EQ(card["content"]["type"], "AdaptiveCard");
  for (const json& block : card["content"]["body"]) {
    EXPECT_EQ(block["type"], "RichTextBlock");
  }
}

TEST(Teams, StaysBelowWhatIsTaken) {
  json message = Message();
  message["incidents"][0]["error"] = std::string(8000, '"');
  for (int i = 0; i < 90; i++) {
    message["incidents"].push_back(message["incidents"][0]);
  }
  EXPECT_LT(RenderHttp("teams", MakeDelivery({{"url", "https://x.example/"}}, message)).body.size(),
            28000U);
  EXPECT_EQ(Judge("teams", Answer(202)).outcome, Outcome::kDelivered);
}

TEST(Webhook, HasTheHeadersOfStandardWebhooks) {
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const auto request = RenderHttp("webhook", MakeDelivery({{"url", "https://x.example/"},
                                                           {"secret", secret},
                                                           {"headers", {{"X-Team", "ops"}}}}));
  EXPECT_EQ(Header(request, "webhook-id"), "0f8fad5b-d9cb-469f-a165-70867728950e");
  EXPECT_EQ(Header(request, "webhook-timestamp"), "1796090410");
  EXPECT_EQ(Header(request, "webhook-signature"),
            client::channel::Signature({secret}, "0f8fad5b-d9cb-469f-a165-70867728950e", 1796090410,
                                       request.body));
  EXPECT_EQ(Header(request, "X-Team"), "ops");
  const json body = json::parse(request.body);
  EXPECT_EQ(body["type"], "ratchet.incident.opened");
  EXPECT_EQ(body["timestamp"], "2026-12-01T02:00:00Z");
  EXPECT_EQ(body["data"], Message());
}

TEST(Webhook, OurHeadersCannotBeReplaced) {
  for (const char* name :
       {"Webhook-Id", "webhook-signature", "Host", "Content-Length", "Transfer-Encoding"}) {
    EXPECT_THROW(Render("webhook",
                        MakeDelivery({{"url", "https://x.example/"}, {"headers", {{name, "x"}}}})),
                 BadConfig)
        << name;
  }
}

TEST(Webhook, JudgesAnswers) {
  for (const int code : {200, 201, 202, 204}) {
    EXPECT_EQ(Judge("webhook", Answer(code)).outcome, Outcome::kDelivered) << code;
  }
  for (const int code : {301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 413, 422}) {
    EXPECT_EQ(Judge("webhook", Answer(code)).outcome, Outcome::kFailed) << code;
  }
  for (const int code : {408, 425, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(Judge("webhook", Answer(code)).outcome, Outcome::kRetry) << code;
  }
}

TEST(RetryAfter, AsSecondsAndAsDate) {
  auto busy = Answer(503);
  busy.retry_after = "120";
  EXPECT_EQ(Judge("webhook", busy).retry_in, std::chrono::seconds(120));
  busy.retry_after = "Tue, 01 Dec 2026 02:01:30 GMT";  // now is 02:00
  EXPECT_EQ(Judge("webhook", busy).retry_in, std::chrono::seconds(90));
  busy.retry_after = "Tue, 01 Dec 2020 02:01:30 GMT";
  EXPECT_EQ(Judge("webhook", busy).retry_in, std::chrono::seconds(0)) << "in the past";
  busy.retry_after = "99999999999999999999";
  EXPECT_EQ(Judge("webhook", busy).retry_in, std::chrono::hours(24)) << "not for years";
  busy.retry_after = "Fri, 01 Dec 2096 02:01:30 GMT";
  EXPECT_EQ(Judge("webhook", busy).retry_in, std::chrono::hours(24));
  for (const char* nonsense : {"", "soon", "-5", " "}) {
    busy.retry_after = nonsense;
    EXPECT_EQ(Judge("webhook", busy).retry_in, std::nullopt) << nonsense;
  }
}

TEST(PagerDuty, OneIncidentForEachEpisode) {
  json message = Message();
  const json config = {{"routing_key", "R0123456789"}};
  json body = json::parse(RenderHttp("pagerduty", MakeDelivery(config, message)).body);
  EXPECT_EQ(body["event_action"], "trigger");
  EXPECT_EQ(body["dedup_key"], message["episode"]);
  EXPECT_EQ(body["payload"]["severity"], "error");
  EXPECT_EQ(body["payload"]["source"], "production main/shop");
  EXPECT_EQ(RenderHttp("pagerduty", MakeDelivery(config, message)).url,
            "https://events.pagerduty.com/v2/enqueue");
  message["notice"] = "resolved";
  body = json::parse(RenderHttp("pagerduty", MakeDelivery(config, message)).body);
  EXPECT_EQ(body["event_action"], "resolve");
  EXPECT_EQ(body["dedup_key"], message["episode"]);
  message["notice"] = "send";
  message["subject"] = std::string(5000, 'x');
  body = json::parse(RenderHttp("pagerduty", MakeDelivery(config, message)).body);
  EXPECT_EQ(body["dedup_key"], "0f8fad5b-d9cb-469f-a165-70867728950e");
  EXPECT_LE(body["payload"]["summary"].get<std::string>().size(), 1024U);
  EXPECT_EQ(Judge("pagerduty", Answer(202)).outcome, Outcome::kDelivered);
  EXPECT_EQ(Judge("pagerduty", Answer(400)).outcome, Outcome::kFailed);
}

TEST(Healthchecks, PingsOfARun) {
  json message = {{"type", "heartbeat"},
                  {"notice", "start"},
                  {"rid", "6f1c1f0e-0000-4000-8000-000000000002"},
                  {"job", "Night Work!"},
                  {"body", ""}};
  const json config = {{"url", "https://hc.example/ping/6f1c1f0e-0000-4000-8000-000000000001"}};
  const std::string base = config["url"];
  const std::string rid = "?rid=6f1c1f0e-0000-4000-8000-000000000002";
  const auto url = [&](const json& settings) {
    return RenderHttp("healthchecks", MakeDelivery(settings, message)).url;
  };
  EXPECT_EQ(url(config), base + "/start" + rid);
  message["notice"] = "success";
  EXPECT_EQ(url(config), base + rid);
  message["notice"] = "failure";
  EXPECT_EQ(url(config), base + "/fail" + rid);
  message["exit_code"] = 3;
  EXPECT_EQ(url(config), base + "/3" + rid);
  EXPECT_EQ(
      url({{"url", "https://hc.example/ping/key/{job}"}, {"create", true}}),
      "https://hc.example/ping/key/night-work/3?create=1&rid=6f1c1f0e-0000-4000-8000-000000000002");
  message["rid"] = "x&y=1";
  EXPECT_EQ(url(config), base + "/3") << "a rid that is none";
  message["body"] = std::string(50000, 'x');
  EXPECT_LE(RenderHttp("healthchecks", MakeDelivery(config, message)).body.size(), 10000U);
}

TEST(Healthchecks, JudgesByTheBody) {
  EXPECT_EQ(Judge("healthchecks", Answer(200, "OK")).outcome, Outcome::kDelivered);
  EXPECT_EQ(Judge("healthchecks", Answer(201, "Created")).outcome, Outcome::kDelivered);
  EXPECT_EQ(Judge("healthchecks", Answer(200, "OK (not found)")).outcome, Outcome::kFailed);
  EXPECT_EQ(Judge("healthchecks", Answer(200, "OK (rate limited)")).outcome, Outcome::kRetry);
  EXPECT_EQ(Judge("healthchecks", Answer(404, "not found")).outcome, Outcome::kFailed);
  EXPECT_EQ(Judge("healthchecks", Answer(409, "ambiguous slug")).outcome, Outcome::kFailed);
}

TEST(Alertmanager, IsResolvedUnderTheSameLabels) {
  const json config = {{"url", "http://am.example:9093/"}, {"labels", {{"team", "dba"}}}};
  json message = Message();
  message["incidents"].push_back(message["incidents"][0]);
  message["incidents"][1]["event"] = "late";
  const auto opened = RenderHttp("alertmanager", MakeDelivery(config, message));
  EXPECT_EQ(opened.url, "http://am.example:9093/api/v2/alerts");
  const json firing = json::parse(opened.body);
  ASSERT_EQ(firing.size(), 1U) << "two events of one job are one alert";
  EXPECT_EQ(firing[0]["labels"]["alertname"], "night work");
  EXPECT_EQ(firing[0]["labels"]["team"], "dba");
  EXPECT_GT(firing[0]["endsAt"].get<std::string>(), "2026-12-08");
  message["notice"] = "resolved";
  message["resolved_at"] = "2026-12-01T03:00:00Z";
  message["incidents"][0]["event"] = "recovered";
  const json resolved = json::parse(RenderHttp("alertmanager", MakeDelivery(config, message)).body);
  EXPECT_EQ(resolved[0]["labels"], firing[0]["labels"]);
  EXPECT_EQ(resolved[0]["endsAt"], "2026-12-01T03:00:00Z");
  EXPECT_THROW(
      Render("alertmanager", MakeDelivery({{"url", "http://x"}, {"labels", {{"a-b", "1"}}}})),
      BadConfig);
}

TEST(Channels, SettingsThatMakeNoSenseAreNamed) {
  for (const auto& [kind, config] : std::initializer_list<std::pair<const char*, json>>{
           {"slack", json::object()},
           {"slack", {{"url", 5}}},
           {"webhook", {{"url", "https://x"}, {"timeout", "a while"}}},
           {"webhook", {{"url", "https://x"}, {"timeout", "11 minutes"}}},
           {"pagerduty", json::object()},
           {"email", {{"to", json::array()}, {"from", "a@b"}, {"host", "h"}}},
           {"statsd", {{"port", 0}}}}) {
    EXPECT_THROW(Render(kind, MakeDelivery(config)), BadConfig) << kind << config;
  }
}

TEST(Channels, AnyMessageCanBeRendered) {
  const json config = {{"url", "https://x.example/"},
                       {"routing_key", "r"},
                       {"host", "h"},
                       {"from", "a@b"},
                       {"to", {"c@d"}}};
  for (const char* kind : {"email", "slack", "teams", "webhook", "pagerduty", "healthchecks",
                           "alertmanager", "statsd"}) {
    for (
        const char* text :
        {"{}", R"({"incidents": 5})",
         R"({"type": 1, "incidents": [1, null, {}], "more": "x", "details": [1]})",
         R"({"type": "incident", "notice": "opened", "incidents": [{"event": null, "job": 5, "failures_in_a_row": "x"}]})",
         R"({"type": "heartbeat"})"}) {
      json message = json::parse(text);
      message["subject"] = "bad \xFF utf-8";
      EXPECT_NO_THROW(Render(kind, MakeDelivery(config, message))) << kind << text;
    }
  }
}

}  // namespace
