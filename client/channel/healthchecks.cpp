#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "channel/mail_body.h"
#include "text/plain.h"

namespace client::channel {

namespace {

// What a server of one's own keeps, if it is not told otherwise.
constexpr std::size_t kLongestBody = 10000;

// As the slugs of Healthchecks are: a-z, 0-9, "-" and "_".
std::string Slug(const std::string& name) {
  std::string slug;
  for (const char c : text::Lower(name)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (kept) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  while (!slug.empty() && slug.back() == '-') {
    slug.pop_back();
  }
  return slug;
}

// What is put behind the URL of a ping.
std::string Signal(const Notice& notice) {
  if (notice.is_heartbeat()) {
    if (notice.notice == "start") {
      return "/start";
    }
    if (notice.notice == "success") {
      return "";
    }
    const int code = notice.exit_code.value_or(0);
    return code >= 1 && code <= 255 ? "/" + std::to_string(code) : "/fail";
  }
  if (!notice.is_incident()) {
    return "/log";
  }
  return notice.is_resolved() ? "" : "/fail";
}

std::string JobOf(const Notice& notice) {
  if (!notice.job.empty() || notice.incidents.empty()) {
    return notice.job;
  }
  const Incident& incident = notice.incidents.front();
  return incident.job.empty() ? incident.queue : incident.job;
}

bool IsUuid(const std::string& text) {
  return text.size() == 36 &&
         text.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
}

}  // namespace

outbound::Request RenderHealthchecks(const Delivery& delivery) {
  const Notice& notice = delivery.notice;
  std::string url = RequiredText(delivery.config, "url");
  constexpr std::string_view kPlace = "{job}";
  if (const auto place = url.find(kPlace); place != std::string::npos) {
    const std::string slug = Slug(JobOf(notice));
    if (slug.empty()) {
      throw BadConfig("setting \"url\" of the channel has {job}, and this message is about no job");
    }
    url.replace(place, kPlace.size(), slug);
  }
  std::string query;
  if (const auto question = url.find('?'); question != std::string::npos) {
    query = url.substr(question);
    url.resize(question);
  }
  while (url.ends_with('/')) {
    url.pop_back();
  }
  if (OptionalFlag(delivery.config, "create")) {
    query += query.empty() ? "?create=1" : "&create=1";
  }
  if (notice.is_heartbeat() && IsUuid(notice.rid)) {
    query += (query.empty() ? "?rid=" : "&rid=") + notice.rid;
  }
  outbound::HttpRequest request;
  request.url = url + Signal(notice) + query;
  request.timeout = Timeout(delivery.config);
  request.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  request.body = text::Shortened(
      notice.is_heartbeat() ? notice.body : PlainText(notice.Title(), AccountOf(notice)),
      kLongestBody);
  return request;
}

// The hosted service answers 200 to a check that it does not know, and to too many pings: what it
// says counts.
Verdict JudgeHealthchecks(const outbound::Response& response, Now now) {
  Verdict verdict = JudgeHttp(response, now);
  const std::string& body = response.body;
  if (verdict.outcome == Outcome::kDelivered && body.starts_with("OK (")) {
    verdict.error = "the answer is: " + text::OneLine(text::Shortened(body, 200));
    verdict.outcome = body.starts_with("OK (rate limited") ? Outcome::kRetry : Outcome::kFailed;
    // More than five a minute are too many.
    verdict.retry_in =
        verdict.outcome == Outcome::kRetry ? std::optional(std::chrono::seconds(60)) : std::nullopt;
  }
  return verdict;
}

}  // namespace client::channel
