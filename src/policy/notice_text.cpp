#include "policy/notice_text.h"

#include <algorithm>

#include "policy/span_words.h"

namespace ratchet::policy {
namespace {

// Behind the name of a job or a queue; of the server, the whole.
const char* WordsOf(AlertEvent event) {
  constexpr const char* kWords[kAlertEvents] = {
      "failed",
      "crashed",
      "timed out",
      "is late",
      "will be late",
      "was not run",
      "was slow",
      "left failed items",
      "has succeeded again",
      "has tasks that wait for too long",
      "has dead tasks",
      "messages wait and nobody delivers them",
      "runs wait for workers",
      "old rows cannot be removed",
  };
  return kWords[static_cast<int>(event)];
}

std::string OneOf(const Said& said) {
  if (IsOfServer(said.event)) {
    return WordsOf(said.event);
  }
  std::string text = IsOfQueue(said.event) ? "queue " : "job ";
  text += said.subject + " " + WordsOf(said.event);
  if (said.failures > 1 && ClassOf(said.event) == "failure") {
    text += " (" + std::to_string(said.failures) + " in a row)";
  }
  return text;
}

std::string AllOf(const std::vector<Said>& said) {
  if (said.size() == 1) {
    return OneOf(said.front());
  }
  const bool same = std::all_of(said.begin(), said.end(), [&](const Said& other) {
    return other.event == said.front().event;
  });
  const bool jobs =
      std::all_of(said.begin(), said.end(), [](const Said& other) { return IsOfRun(other.event); });
  const std::string count = std::to_string(said.size());
  if (!same) {
    return count + (jobs ? " jobs have problems" : " problems");
  }
  if (IsOfServer(said.front().event)) {
    return WordsOf(said.front().event);
  }
  return count + (jobs ? " jobs: " : " queues: ") + WordsOf(said.front().event);
}

}  // namespace

std::string SubjectOf(NoticeKind kind, const std::string& environment,
                      const std::vector<Said>& said, std::int64_t lasts) {
  std::string text = environment.empty() ? "" : "[" + environment + "] ";
  switch (kind) {
    case NoticeKind::kOpened:
      return text + AllOf(said);
    case NoticeKind::kReminder:
      return text + "still, for " + SpanWords(lasts) + ": " + AllOf(said);
    case NoticeKind::kResolved:
      return text + "resolved after " + SpanWords(lasts) + ": " + AllOf(said);
    case NoticeKind::kFlapping:
      return text + "comes and goes: " + AllOf(said);
  }
  return text;
}

}  // namespace ratchet::policy
