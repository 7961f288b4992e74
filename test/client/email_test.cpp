#include <gtest/gtest.h>

#include "channel/mail_body.h"
#include "channel/mail_header.h"
#include "deliveries.h"
#include "outbound/mail_talk.h"

namespace {

using namespace deliveries;
using namespace client::channel;
using client::outbound::MailRequest;
using client::outbound::MailTalk;
using nlohmann::json;

const json kConfig = {{"host", "smtp.example"},
                      {"from", "Night watch <watch@example.com>"},
                      {"to", {"one@example.com", "two@example.com"}}};

MailRequest Mail(const json& message, const json& config = kConfig) {
  return std::get<MailRequest>(Render("email", MakeDelivery(config, message)));
}

std::string HeaderOf(const MailRequest& mail) {
  return mail.message.substr(0, mail.message.find("\r\n\r\n") + 2);
}

TEST(Email, HasWhatAMailNeeds) {
  const MailRequest mail = Mail(Message());
  const std::string header = HeaderOf(mail);
  EXPECT_EQ(mail.port, 587);
  EXPECT_EQ(mail.to, (std::vector<std::string>{"one@example.com", "two@example.com"}));
  EXPECT_NE(header.find("Subject: [production] job nightly failed (3 in a row)\r\n"),
            std::string::npos)
      << header;
  EXPECT_NE(header.find("Message-ID: <0f8fad5b-d9cb-469f-a165-70867728950e@example.com>\r\n"),
            std::string::npos);
  EXPECT_NE(
      header.find("References: <6f1c1f0e-0000-4000-8000-000000000001.episode@example.com>\r\n"),
      std::string::npos);
  EXPECT_NE(header.find("Date: Tue, 01 Dec 2026 02:00:00 +0000\r\n"), std::string::npos) << header;
  EXPECT_NE(header.find("Auto-Submitted: auto-generated\r\n"), std::string::npos);
  EXPECT_NE(mail.message.find("text/plain"), std::string::npos);
  EXPECT_NE(mail.message.find("nightly &lt;b&gt;&amp;co"), std::string::npos) << "HTML is escaped";
  EXPECT_NE(mail.message.find("SELECT ratchet.replay(4711)"), std::string::npos);
}

TEST(Email, IsTheSameInEachAttempt) {
  auto first = MakeDelivery(kConfig);
  auto second = MakeDelivery(kConfig);
  second.now += std::chrono::hours(5);
  EXPECT_EQ(std::get<MailRequest>(Render("email", first)).message,
            std::get<MailRequest>(Render("email", second)).message);
}

TEST(Email, LinesEndInCrLfAndAreShort) {
  json message = Message();
  message["subject"] = std::string(900, 'x') + " größer €😀 " + std::string(300, 'y');
  message["incidents"][0]["error"] = ".\n..\r\nFrom x\r" + std::string(3000, '=') + "\n\xC3\xA4 \n";
  const std::string text = Mail(message).message;
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\n') {
      ASSERT_TRUE(i > 0 && text[i - 1] == '\r') << i;
      line = 0;
    } else if (text[i] == '\r') {
      ASSERT_TRUE(i + 1 < text.size() && text[i + 1] == '\n') << i;
    } else {
      ASSERT_LE(++line, 78U) << text.substr(i - 80, 100);
      ASSERT_TRUE(static_cast<unsigned char>(text[i]) < 0x80);
    }
  }
  EXPECT_EQ(text.find("\r\n.\r\n"), std::string::npos);
}

TEST(Email, NobodyAddsAField) {
  json message = Message();
  for (const char* evil : {"x\r\nBcc: victim@example.com", "x\nBcc: victim@example.com",
                           "x\rBcc: victim@example.com", "x\r\n\r\n<html>"}) {
    message["subject"] = evil;
    message["episode"] = evil;
    const std::string header = HeaderOf(Mail(message));
    EXPECT_EQ(header.find("\nBcc"), std::string::npos) << header;
    EXPECT_EQ(header.find("\n<html"), std::string::npos);
    json config = kConfig;
    config["subject_prefix"] = evil;
    EXPECT_EQ(HeaderOf(Mail(Message(), config)).find("\nBcc"), std::string::npos);
    for (const char* setting : {"from", "to"}) {
      json bad = kConfig;
      const std::string address = "a@example.com" + std::string(evil);
      bad[setting] = std::string(setting) == "to" ? json::array({address}) : json(address);
      EXPECT_THROW(Mail(Message(), bad), BadConfig);
    }
  }
}

TEST(Email, AddressesAreLookedAt) {
  for (const char* good : {"a@b", "x.y+z@sub.example.com", "Name <a@b.example>",
                           "\"Last, First\" <a@b.example>", "Jürgen <j@b.example>"}) {
    EXPECT_NO_THROW(ParseMailbox(good, "to")) << good;
  }
  for (const char* bad : {"", "a", "@b", "a@", "a b@c", "a@b@c", "a@b,c@d", "<a@b", "a@b>", "a@b c",
                          "ä@b", "a@b\n", "a@<b>", "x <a@b> y"}) {
    EXPECT_THROW(ParseMailbox(bad, "to"), BadConfig) << bad;
  }
  EXPECT_EQ(
      Mail(Message(), {{"host", "h"}, {"from", "a@b"}, {"to", {"x@y", "X@Y", "z@y"}}}).to.size(),
      2U)
      << "each once";
}

TEST(Email, PasswordsAreNotSentInTheOpen) {
  json config = kConfig;
  config["tls"] = "none";
  config["user"] = "u";
  config["password"] = "p";
  EXPECT_THROW(Mail(Message(), config), BadConfig);
  config["tls"] = "tls";
  EXPECT_EQ(Mail(Message(), config).port, 465);
}

TEST(MailHeader, EncodedWords) {
  EXPECT_EQ(TextField("Subject", "plain"), "Subject: plain\r\n");
  EXPECT_EQ(TextField("Subject", "Grüße"), "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n");
  EXPECT_EQ(TextField("Subject", "=?UTF-8?B?eA==?="),
            "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n");
  EXPECT_EQ(TextField("Subject", ""), "Subject: \r\n");
}

TEST(MailBody, QuotedPrintable) {
  EXPECT_EQ(QuotedPrintable("a=b\nend \n"), "a=3Db\r\nend=20\r\n");
  EXPECT_EQ(QuotedPrintable("ä"), "=C3=A4");
  EXPECT_EQ(QuotedPrintable(".\nFrom"), "=2E\r\n=46rom");
}

TEST(MailTalk, KnowsWhoWasRefused) {
  MailRequest request;
  request.to = {"one@x", "two@x"};
  MailTalk talk;
  talk.Begin(request);
  talk.Answered("220 hello\r\n");
  talk.Said("EHLO me\r\n");
  talk.Answered("250-SIZE 1000\r\n");
  talk.Answered("250 HELP\r\n");
  talk.Said("MAIL FROM:<a@b>\r\n");
  talk.Answered("250 ok\r\n");
  talk.Said("RCPT TO:<one@x>\r\n");
  talk.Answered("250 ok\r\n");
  talk.Said("RCPT TO:<two@x>\r\n");
  talk.Answered("550-no\r\n");
  talk.Answered("550 such user\r\n");
  talk.Said("DATA\r\n");
  talk.Answered("354 go\r\n");
  talk.Answered("250 2.0.0 queued\r\n");
  talk.Said("QUIT\r\n");
  talk.Answered("421 whatever\r\n");
  ASSERT_EQ(talk.recipients().size(), 2U);
  EXPECT_EQ(talk.recipients()[0].code, 250);
  EXPECT_EQ(talk.recipients()[1].code, 550);
  EXPECT_EQ(talk.recipients()[1].address, "two@x");
  EXPECT_EQ(talk.last_code(), 250);
}

TEST(MailTalk, NothingIsGivenWithoutTheAuthenticationThatWasAskedFor) {
  MailRequest request;
  request.to = {"x@y"};
  MailTalk open;
  open.Begin(request);
  EXPECT_TRUE(open.MayGive());
  request.user = "u";
  MailTalk talk;
  talk.Begin(request);
  talk.Answered("250 ok");
  EXPECT_FALSE(talk.MayGive());
  talk.Answered("235 2.7.0 welcome");
  EXPECT_TRUE(talk.MayGive());
}

TEST(Email, JudgesReplies) {
  auto response = Answer(250, "250 queued");
  response.recipients = {{"a@b", 250, "250 ok"}, {"c@d", 550, "550 no such user"}};
  EXPECT_EQ(Judge("email", response).outcome, Outcome::kDelivered);
  EXPECT_EQ(Judge("email", response).error, "not to all: c@d: 550 no such user");
  response.code = 550;
  response.recipients[0].code = 550;
  EXPECT_EQ(Judge("email", response).outcome, Outcome::kFailed);
  response.recipients[0].code = 451;
  EXPECT_EQ(Judge("email", response).outcome, Outcome::kRetry) << "greylisting";
  response = Answer(554, "554 5.7.1 spam");
  response.recipients = {{"a@b", 250, "250 ok"}};
  EXPECT_EQ(Judge("email", response).outcome, Outcome::kFailed);
  response.code = 452;
  EXPECT_EQ(Judge("email", response).outcome, Outcome::kRetry);
  EXPECT_EQ(Judge("email", Answer(535, "535 5.7.8 no")).outcome, Outcome::kFailed);
  EXPECT_EQ(Judge("email", Answer(454, "454 later")).outcome, Outcome::kRetry);
  EXPECT_EQ(Judge("email", Answer(250, "250 ok")).outcome, Outcome::kRetry) << "to nobody";
}

}  // namespace
