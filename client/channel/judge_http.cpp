#include "channel/kinds.h"
#include "text/plain.h"

namespace client::channel {

namespace {

constexpr std::size_t kShownBody = 200;

bool IsRetryable(int code) { return code == 408 || code == 425 || code == 429 || code >= 500; }

std::string ErrorOf(const outbound::Response& response) {
  std::string error = "HTTP status " + std::to_string(response.code);
  if (response.code >= 300 && response.code < 400) {
    error += ": redirects are not followed; give the URL that it leads to";
  } else if (response.code == 410) {
    error += ": the receiver wants no more of these";
  }
  const std::string body = text::OneLine(text::Shortened(response.body, kShownBody));
  if (body.find_first_not_of(' ') != std::string::npos) {
    error += ": " + body;
  }
  return error;
}

}  // namespace

std::optional<Verdict> JudgeWithoutAnswer(const outbound::Response& response) {
  switch (response.end) {
    case outbound::End::kAnswered:
    case outbound::End::kSent:
      return std::nullopt;
    case outbound::End::kAddressRefused:
    case outbound::End::kInvalid:
    case outbound::End::kNoAuthentication:
      return Verdict{Outcome::kFailed, std::nullopt, response.error, std::nullopt};
    case outbound::End::kNoConnection:
    case outbound::End::kTls:
    case outbound::End::kTimedOut:
    case outbound::End::kBroken:
      break;
  }
  // A certificate may have been renewed by then, a network mended. What was answered so far counts
  // only if it was a refusal.
  return Verdict{Outcome::kRetry,
                 response.code >= 400 ? std::optional<int>(response.code) : std::nullopt,
                 response.error, std::nullopt};
}

Verdict JudgeHttp(const outbound::Response& response, Now now) {
  if (const auto verdict = JudgeWithoutAnswer(response)) {
    return *verdict;
  }
  if (response.code >= 200 && response.code < 300) {
    return {Outcome::kDelivered, response.code, {}, std::nullopt};
  }
  Verdict verdict{IsRetryable(response.code) ? Outcome::kRetry : Outcome::kFailed, response.code,
                  ErrorOf(response), std::nullopt};
  if (verdict.outcome == Outcome::kRetry && response.retry_after) {
    verdict.retry_in = outbound::ParseRetryAfter(*response.retry_after, now);
  }
  return verdict;
}

}  // namespace client::channel
