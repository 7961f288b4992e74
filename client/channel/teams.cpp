#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "text/plain.h"

namespace client::channel {

namespace {

using nlohmann::ordered_json;

// Teams refuses messages of more than 28 kB.
constexpr std::size_t kMostText = 16000;
constexpr std::size_t kLongestText = 2000;

// Text runs are shown as they are. A text block would take "[x](https://...)" in a job's name for a
// link.
ordered_json Runs(std::initializer_list<std::pair<std::string, bool>> runs, bool code = false) {
  ordered_json inlines = ordered_json::array();
  for (const auto& [text, bold] : runs) {
    ordered_json run = {{"type", "TextRun"}, {"text", text}};
    if (bold) {
      run["weight"] = "Bolder";
    }
    if (code) {
      run["fontType"] = "Monospace";
    }
    inlines.push_back(std::move(run));
  }
  return {{"type", "RichTextBlock"}, {"inlines", std::move(inlines)}};
}

class Card {
 public:
  void Add(ordered_json block) {
    size_ += block.dump(-1, ' ', false, ordered_json::error_handler_t::replace).size();
    if (size_ <= kMostText) {
      body_.push_back(std::move(block));
    }
  }
  void AddFacts(const std::vector<std::pair<std::string, std::string>>& facts) {
    for (const auto& [name, value] : facts) {
      Add(Runs({{name + ": ", true}, {text::Shortened(value, kLongestText), false}}));
    }
  }
  ordered_json Take() { return std::move(body_); }

 private:
  ordered_json body_ = ordered_json::array();
  std::size_t size_ = 0;
};

std::string ColorOf(const Notice& notice) {
  if (notice.is_resolved()) {
    return "Good";
  }
  return !notice.is_incident() || notice.severity == "info" ? "Default"
         : notice.severity == "warning"                     ? "Warning"
                                                            : "Attention";
}

}  // namespace

outbound::Request RenderTeams(const Delivery& delivery) {
  const Account account = AccountOf(delivery.notice);
  Card card;
  ordered_json title = Runs({{delivery.notice.Title(), true}});
  title["inlines"][0]["size"] = "Large";
  title["inlines"][0]["color"] = ColorOf(delivery.notice);
  card.Add(std::move(title));
  if (!account.body.empty()) {
    card.Add(Runs({{text::Shortened(account.body, kLongestText), false}}));
  }
  card.AddFacts(account.facts);
  for (const AccountPart& part : account.parts) {
    ordered_json heading = Runs({{part.heading, true}});
    heading["separator"] = true;
    card.Add(std::move(heading));
    card.AddFacts(part.facts);
    for (const auto& [name, lines] : part.texts) {
      if (!name.empty()) {
        card.Add(Runs({{name + ":", true}}));
      }
      card.Add(Runs({{text::Shortened(lines, kLongestText), false}}, true));
    }
  }
  if (!account.more.empty()) {
    card.Add(Runs({{account.more, false}}));
  }
  ordered_json content = {{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                          {"type", "AdaptiveCard"},
                          {"version", "1.4"},
                          {"msteams", {{"width", "Full"}}},
                          {"fallbackText", delivery.notice.Title()},
                          {"body", card.Take()}};
  ordered_json attachment = {{"contentType", "application/vnd.microsoft.card.adaptive"},
                             {"contentUrl", nullptr},
                             {"content", std::move(content)}};
  ordered_json body;
  body["type"] = "message";
  body["attachments"] = ordered_json::array({std::move(attachment)});
  return JsonRequest(delivery.config, body);
}

}  // namespace client::channel
