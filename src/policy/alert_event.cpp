#include "policy/alert_event.h"

namespace ratchet::policy {
namespace {

struct Words {
  std::string_view name;
  std::string_view of;  // its class
  std::string_view severity;
};
constexpr Words kWords[kAlertEvents] = {
    {"failed", "failure", "error"},     {"crashed", "failure", "critical"},
    {"timed_out", "failure", "error"},  {"late", "late", "error"},
    {"at_risk", "at_risk", "warning"},  {"missed", "missed", "warning"},
    {"slow", "slow", "warning"},        {"failed_items", "failed_items", "warning"},
    {"recovered", "recovered", "info"}, {"backlog", "backlog", "warning"},
    {"dead", "dead", "error"},          {"sender_down", "sender_down", "critical"},
    {"short", "short", "warning"},      {"horizon", "horizon", "warning"},
};

const Words& WordsOf(AlertEvent event) { return kWords[static_cast<int>(event)]; }

}  // namespace

std::string_view Name(AlertEvent event) { return WordsOf(event).name; }
std::string_view ClassOf(AlertEvent event) { return WordsOf(event).of; }
std::string_view SeverityOf(AlertEvent event) { return WordsOf(event).severity; }

std::optional<AlertEvent> AlertEventOf(std::string_view name) {
  for (int i = 0; i < kAlertEvents; i++) {
    if (kWords[i].name == name) {
      return static_cast<AlertEvent>(i);
    }
  }
  return std::nullopt;
}

std::string AlertEventNames() {
  std::string names;
  for (const Words& words : kWords) {
    names += (names.empty() ? "" : ", ") + std::string(words.name);
  }
  return names;
}

}  // namespace ratchet::policy
