#include "channel/kind.h"

#include <algorithm>
#include <array>

#include "channel/kinds.h"

namespace client::channel {

namespace {

constexpr std::array<Kind, 8> kKinds{{
    {"email", RenderEmail, JudgeEmail},
    {"slack", RenderSlack, JudgeSlack},
    {"teams", RenderTeams, JudgeHttp},
    {"webhook", RenderWebhook, JudgeHttp},
    {"pagerduty", RenderPagerDuty, JudgeHttp},
    {"healthchecks", RenderHealthchecks, JudgeHealthchecks},
    {"alertmanager", RenderAlertmanager, JudgeHttp},
    {"statsd", RenderStatsd, JudgeDatagrams},
}};

}  // namespace

std::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDelivered:
      return "delivered";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kRetry:
      break;
  }
  return "retry";
}

const Kind* FindKind(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const Kind& kind) { return kind.name == name; });
  return found == kKinds.end() ? nullptr : found;
}

}  // namespace client::channel
