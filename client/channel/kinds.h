// What each kind of channel brings along; kind.cpp makes the list of it.
#pragma once

#include "channel/kind.h"

namespace client::channel {

using Now = std::chrono::system_clock::time_point;

outbound::Request RenderEmail(const Delivery& delivery);
outbound::Request RenderSlack(const Delivery& delivery);
outbound::Request RenderTeams(const Delivery& delivery);
outbound::Request RenderWebhook(const Delivery& delivery);
outbound::Request RenderPagerDuty(const Delivery& delivery);
outbound::Request RenderHealthchecks(const Delivery& delivery);
outbound::Request RenderAlertmanager(const Delivery& delivery);
outbound::Request RenderStatsd(const Delivery& delivery);

Verdict JudgeEmail(const outbound::Response& response, Now now);
Verdict JudgeSlack(const outbound::Response& response, Now now);
Verdict JudgeHealthchecks(const outbound::Response& response, Now now);
Verdict JudgeDatagrams(const outbound::Response& response, Now now);

// 2xx is success; 408, 425, 429 and 5xx are retried, when the receiver says; everything else is
// final.
Verdict JudgeHttp(const outbound::Response& response, Now now);

// What never reached anybody, for each kind alike; without a value: there is an answer to be
// judged.
std::optional<Verdict> JudgeWithoutAnswer(const outbound::Response& response);

}  // namespace client::channel
