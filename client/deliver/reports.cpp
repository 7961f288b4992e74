#include "deliver/reports.h"

#include "journal/journal.h"
#include "postgres/patience.h"

namespace client::deliver {

namespace {

using postgres::Answer;
using postgres::Value;

constexpr std::size_t kMostAtOnce = 100;
constexpr const char* kStale = "55000";

struct Columns {
  std::vector<Value> ids, tokens, outcomes, codes, errors, retries;
};

}  // namespace

void Reports::EndDelivery(Lease lease, const channel::Verdict& verdict) {
  ended_.push_back({std::move(lease), verdict});
}

void Reports::Tell(std::string sql, std::vector<Value> values,
                   std::function<void(const Answer&)> done) {
  statements_.push_back({std::move(sql), std::move(values), std::move(done)});
}

void Reports::Step() {
  if (!session_.ready()) {
    return;
  }
  // In turn, so that neither waits for an end of the other.
  const bool statement_first = !last_was_statement_ || ended_.empty();
  if (!statements_.empty() && statement_first) {
    TellStatement();
  } else if (!ended_.empty()) {
    TellEnded();
  }
}

void Reports::TellEnded() {
  last_was_statement_ = false;
  std::vector<Ended> told;
  while (!ended_.empty() && told.size() < (ended_.front().alone ? 1 : kMostAtOnce) &&
         (told.empty() || !ended_.front().alone)) {
    told.push_back(std::move(ended_.front()));
    ended_.pop_front();
  }
  Columns columns;
  for (const Ended& ended : told) {
    columns.ids.emplace_back(ended.lease.id);
    columns.tokens.emplace_back(ended.lease.token);
    columns.outcomes.emplace_back(channel::NameOf(ended.verdict.outcome));
    columns.codes.push_back(ended.verdict.code ? Value(std::to_string(*ended.verdict.code))
                                               : Value());
    columns.errors.push_back(ended.verdict.error.empty() ? Value() : Value(ended.verdict.error));
    columns.retries.push_back(ended.verdict.retry_in
                                  ? Value(std::to_string(ended.verdict.retry_in->count()) + " s")
                                  : Value());
  }
  in_hand_ = told.size();
  session_.Run(
      "SELECT ratchet.end_deliveries($1::bigint[], $2::bigint[], $3::text[], $4::integer[], "
      "$5::text[], $6::interval[])",
      {postgres::ArrayLiteral(columns.ids), postgres::ArrayLiteral(columns.tokens),
       postgres::ArrayLiteral(columns.outcomes), postgres::ArrayLiteral(columns.codes),
       postgres::ArrayLiteral(columns.errors), postgres::ArrayLiteral(columns.retries)},
      postgres::kPatience, [this, told = std::move(told)](const Answer& answer) mutable {
        in_hand_ = 0;
        if (answer.ok) {
          return;
        }
        const bool alone = told.size() == 1;
        if (alone && !answer.lost) {
          journal::Warning(answer.sqlstate == kStale
                               ? "a delivery was given to another sender meanwhile"
                               : "the end of a delivery could not be told",
                           {{"delivery", told.front().lease.id}, {"error", answer.message}});
          return;
        }
        // One that is stale fails all; when the connection broke, all may have been told. Told
        // twice they are stale.
        for (auto ended = told.rbegin(); ended != told.rend(); ++ended) {
          ended->alone = true;
          ended_.push_front(std::move(*ended));
        }
      });
}

void Reports::TellStatement() {
  Statement statement = std::move(statements_.front());
  statements_.pop_front();
  last_was_statement_ = true;
  in_hand_ = 1;
  const std::string sql = statement.sql;
  const std::vector<Value> values = statement.values;
  session_.Run(sql, values, postgres::kPatience,
               [this, statement = std::move(statement)](const Answer& answer) mutable {
                 in_hand_ = 0;
                 if (answer.lost) {
                   statements_.push_front(std::move(statement));
                   return;
                 }
                 statement.done(answer);
               });
}

}  // namespace client::deliver
