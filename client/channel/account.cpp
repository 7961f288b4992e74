#include "channel/account.h"

#include "text/span.h"

namespace client::channel {

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

void Add(Facts& facts, const char* name, const std::string& value) {
  if (!value.empty()) {
    facts.emplace_back(name, value);
  }
}

AccountPart PartOf(const Incident& incident, bool resolved) {
  AccountPart part;
  part.heading = incident.Subject();
  if (!resolved && !incident.event.empty() && part.heading != incident.event) {
    part.heading += ": " + incident.event;
  }
  if (incident.failures_in_a_row > 1) {
    part.heading += " (" + std::to_string(incident.failures_in_a_row) + " in a row)";
  }
  Add(part.facts, "Run", incident.run_id);
  Add(part.facts, "Status", incident.status);
  Add(part.facts, "Scheduled", incident.scheduled_at);
  Add(part.facts, "Started", incident.started_at);
  Add(part.facts, "Ended", incident.ended_at);
  Add(part.facts, "Time zone", incident.time_zone);
  Add(part.facts, "Rows", incident.rows);
  Add(part.facts, "SQLSTATE", incident.sqlstate);
  Add(part.facts, "Next run", incident.next_run_at);
  Add(part.facts, "Owner", incident.owner);
  Add(part.texts, "Error", incident.error);
  Add(part.texts, "Context", incident.context);
  Add(part.texts, "To look at it", incident.inspect);
  Add(part.texts, "To do it again", incident.replay);
  return part;
}

}  // namespace

Account AccountOf(const Notice& notice) {
  Account account;
  Add(account.facts, "Database", notice.Origin());
  Add(account.facts, "Alert", notice.alert);
  Add(account.facts, "Severity", notice.severity);
  Add(account.facts, "Since", notice.opened_at);
  Add(account.facts, "Resolved", notice.resolved_at);
  if (notice.duration_s) {
    Add(account.facts, "Duration", text::SpanWords(*notice.duration_s));
  }
  account.body = notice.body;
  for (const Incident& incident : notice.incidents) {
    account.parts.push_back(PartOf(incident, notice.is_resolved()));
  }
  if (notice.more > 0) {
    account.more = "and " + std::to_string(notice.more) + " more";
  }
  if (notice.details.is_object() && !notice.details.empty()) {
    account.parts.push_back(
        {"Details",
         {},
         {{"", notice.details.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)}}});
  }
  return account;
}

}  // namespace client::channel
