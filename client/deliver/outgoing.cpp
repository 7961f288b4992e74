#include "deliver/outgoing.h"

#include <algorithm>

#include "channel/config.h"
#include "channel/kinds.h"
#include "text/plain.h"

namespace client::deliver {

namespace {

using channel::Outcome;
using channel::Verdict;
using nlohmann::json;

constexpr std::size_t kLongestError = 2000;
constexpr std::size_t kLongestResult = 8000;

// The same attempt later, or by another sender, may have what is missing.
Verdict SecretsMissing(const std::vector<std::string>& problems) {
  std::string error;
  for (const std::string& problem : problems) {
    error += (error.empty() ? "" : "; ") + problem;
  }
  return {Outcome::kRetry, std::nullopt, error, std::nullopt};
}

Verdict Refused(const std::string& why) {
  return {Outcome::kFailed, std::nullopt, why, std::nullopt};
}

}  // namespace

std::variant<Outgoing, Verdict> PrepareDelivery(const ClaimedDelivery& claimed,
                                                const secrets::Secrets& secrets, Now now) {
  const channel::Kind* kind = channel::FindKind(claimed.kind);
  if (kind == nullptr) {
    return Verdict{Outcome::kRetry, std::nullopt,
                   "this sender does not know channels of kind " + claimed.kind, std::nullopt};
  }
  const json config = json::parse(claimed.config, nullptr, false);
  const json message = json::parse(claimed.message, nullptr, false);
  if (!config.is_object() || !message.is_object()) {
    return Refused("the delivery is no JSON object");
  }
  secrets::Resolved resolved = secrets::Resolve(config, secrets);
  if (!resolved.problems.empty()) {
    return SecretsMissing(resolved.problems);
  }
  channel::Delivery delivery;
  delivery.message_id = claimed.message_id;
  delivery.channel_name = claimed.channel_name;
  delivery.config = std::move(resolved.config);
  delivery.notice = channel::ParseNotice(message);
  delivery.message = message;
  delivery.created_at = Now(
      std::chrono::duration_cast<Now::duration>(std::chrono::duration<double>(claimed.created_at)));
  delivery.now = now;
  try {
    return Outgoing{kind->render(delivery), kind, std::move(resolved.values)};
  } catch (const channel::BadConfig& problem) {
    return Refused(secrets::Redacted(problem.what(), resolved.values));
  }
}

Verdict Judge(const Outgoing& outgoing, const outbound::Response& response, Now now) {
  Verdict verdict = outgoing.kind != nullptr ? outgoing.kind->judge(response, now)
                                             : channel::JudgeHttp(response, now);
  verdict.error =
      text::Shortened(secrets::Redacted(verdict.error, outgoing.secrets), kLongestError);
  return verdict;
}

std::variant<Outgoing, Verdict> PrepareTask(const ClaimedTask& task, const json& http,
                                            const secrets::Secrets& secrets) {
  secrets::Resolved resolved = secrets::Resolve(http, secrets);
  if (!resolved.problems.empty()) {
    return SecretsMissing(resolved.problems);
  }
  try {
    const json& config = resolved.config;
    outbound::HttpRequest request;
    request.method = channel::OptionalText(config, "method", "POST");
    request.url = channel::RequiredText(config, "url");
    request.timeout = channel::Timeout(config);
    const bool has_body =
        request.method != "GET" && request.method != "HEAD" && request.method != "DELETE";
    bool typed = false;
    for (auto& [name, value] : channel::OptionalPairs(config, "headers")) {
      typed = typed || text::Lower(name) == "content-type";
      request.headers.emplace_back(name, value);
    }
    if (has_body) {
      request.body = task.payload;
      if (!typed) {
        request.headers.emplace_back("Content-Type", "application/json");
      }
    }
    // The same for each attempt, so that the receiver can tell that it has done this already.
    request.headers.emplace_back("Idempotency-Key",
                                 "\"" + text::OneLine(task.queue_name) + "-" + task.task_id + "\"");
    return Outgoing{std::move(request), nullptr, std::move(resolved.values)};
  } catch (const channel::BadConfig& problem) {
    return Refused(secrets::Redacted(problem.what(), resolved.values));
  }
}

std::string TaskResult(const Outgoing& outgoing, const outbound::Response& response) {
  std::string body =
      text::Shortened(secrets::WithoutValues(response.body, outgoing.secrets), kLongestResult);
  // PostgreSQL's jsonb has no character zero.
  std::replace(body.begin(), body.end(), '\0', ' ');
  nlohmann::ordered_json result;
  result["status"] = response.code;
  result["headers"] = nlohmann::ordered_json::object();
  if (!response.content_type.empty()) {
    result["headers"]["content-type"] = response.content_type;
  }
  result["body"] = body;
  if (response.cut || response.body.size() > kLongestResult) {
    result["cut"] = true;
  }
  return result.dump();
}

}  // namespace client::deliver
