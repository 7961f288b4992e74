#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "text/plain.h"

namespace client::channel {

namespace {

using nlohmann::ordered_json;

// Of Slack's documentation: a header block, a section, and how many blocks a message has.
constexpr std::size_t kLongestHeader = 150;
constexpr std::size_t kLongestSection = 3000;
constexpr std::size_t kMostBlocks = 50;
constexpr std::size_t kLongestText = 1000;  // of an error, where there may be many

// As Slack wants it; "<!channel>" is then no mention either.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return escaped;
}

// What has marks of formatting in it goes into a block of code, where they mean nothing; a
// backquote would end it.
std::string Code(std::string text) {
  for (char& c : text) {
    c = c == '`' ? '\'' : c;
  }
  return "```" + Escaped(text) + "```";
}

std::string_view MarkOf(const Notice& notice) {
  if (notice.is_resolved() || notice.notice == "success") {
    return ":white_check_mark: ";
  }
  if (notice.is_incident() || notice.notice == "failure") {
    return notice.severity == "info"      ? ":information_source: "
           : notice.severity == "warning" ? ":warning: "
                                          : ":red_circle: ";
  }
  return "";
}

// Escaping makes text longer, so that it is cut before, and in the end not within an entity.
std::string Section(std::string text) {
  if (text.size() <= kLongestSection) {
    return text;
  }
  text = text::Shortened(text, kLongestSection - 8);
  if (const auto entity = text.rfind('&');
      entity != std::string::npos && text.find(';', entity) == std::string::npos) {
    text.resize(entity);
  }
  return text + "```";
}

void AddSection(ordered_json& blocks, const std::string& text) {
  if (!text.empty() && blocks.size() < kMostBlocks) {
    blocks.push_back(
        {{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", Section(text)}}}});
  }
}

std::string Facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string text;
  for (const auto& [name, value] : facts) {
    text.append(text.empty() ? "" : "\n").append(name).append(": ").append(value);
  }
  return text.empty() ? text : Code(text);
}

}  // namespace

outbound::Request RenderSlack(const Delivery& delivery) {
  const std::string title = delivery.notice.Title();
  const Account account = AccountOf(delivery.notice);
  ordered_json blocks = ordered_json::array();
  blocks.push_back(
      {{"type", "header"},
       {"text",
        {{"type", "plain_text"},
         {"text", text::Shortened(std::string(MarkOf(delivery.notice)) + title, kLongestHeader)},
         {"emoji", true}}}});
  if (!account.body.empty()) {
    AddSection(blocks, Code(text::Shortened(account.body, kLongestSection - 500)));
  }
  AddSection(blocks, Facts(account.facts));
  for (const AccountPart& part : account.parts) {
    AddSection(blocks, Code(part.heading) + "\n" + Facts(part.facts));
    for (const auto& [name, lines] : part.texts) {
      AddSection(blocks, (name.empty() ? "" : Escaped(name) + ":\n") +
                             Code(text::Shortened(lines, kLongestText)));
    }
  }
  AddSection(blocks, account.more);
  ordered_json body;
  body["text"] = Escaped(title);
  body["blocks"] = blocks;
  return JsonRequest(delivery.config, body);
}

Verdict JudgeSlack(const outbound::Response& response, Now now) {
  Verdict verdict = JudgeHttp(response, now);
  // Success is the body "ok", and nothing else.
  if (verdict.outcome == Outcome::kDelivered && response.body != "ok") {
    verdict.outcome = Outcome::kFailed;
    verdict.error = "the answer is not the \"ok\" of Slack: " +
                    text::OneLine(text::Shortened(response.body, 200));
  }
  return verdict;
}

}  // namespace client::channel
