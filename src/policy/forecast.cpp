#include "policy/forecast.h"

#include <algorithm>

namespace ratchet::policy {

using calendar::Instant;
using calendar::kNever;

namespace {

// A job that leaves out nearly all of its occurrences takes a step for each stretch of them.
constexpr int kMostSteps = 10'000;

}  // namespace

Forecast::Forecast(JobPlan plan, Instant now, std::int64_t takes, Instant busy_until)
    : plan_(plan), now_(now), takes_(std::max<std::int64_t>(takes, 0)) {
  plan_.is_child = false;
  plan_.running = 0;
  if (busy_until != 0) {
    Begin(std::max(busy_until, now));
  }
}

void Forecast::Begin(Instant end) {
  if (plan_.overlap == Overlap::kAllow && plan_.schedule->HasFixedTimes()) {
    return;  // the next one does not ask whether it is there
  }
  end_ = end;
  plan_.running = 1;
}

std::optional<ForecastStart> Forecast::Next(Instant until) {
  for (int i = 0; i < kMostSteps; i++) {
    Instant look = std::max(plan_.LookAt(now_), now_);
    if (plan_.running > 0 && look >= end_) {
      look = end_;
      plan_.running = 0;
      plan_.past_run = false;
      plan_.last_finished = end_;
    }
    if (look == kNever || look > until) {
      return std::nullopt;
    }
    const bool is_later = look > now_;
    now_ = look;
    const Step step = plan_.NextStep(now_);
    if (step.kind == Step::Kind::kWait) {
      if (!is_later && plan_.running == 0 && plan_.LookAt(now_) <= now_) {
        return std::nullopt;  // it waits for something that no time brings
      }
      continue;
    }
    if (step.kind == Step::Kind::kSkip) {
      plan_.watermark = step.until;
      plan_.skip_noted = plan_.skip_noted || step.is_first;
      continue;
    }
    const Start start = plan_.StartAt(step, now_);
    if (start.skip > 0) {
      plan_.watermark = start.skip_until;
    }
    if (start.run == kNever) {
      continue;
    }
    plan_.watermark = start.run;
    plan_.run_count++;
    plan_.claimed_at = now_;
    plan_.backoff_until = 0;
    Begin(now_ + takes_);
    return ForecastStart{now_, start.run, start.catchup};
  }
  return std::nullopt;
}

std::vector<Instant> StartsAfterAll(const std::vector<std::vector<Instant>>& ends) {
  std::vector<Instant> starts;
  Instant last = INT64_MIN;
  while (!ends.empty()) {
    Instant start = INT64_MIN;
    for (const std::vector<Instant>& of_one : ends) {
      const auto next = std::upper_bound(of_one.begin(), of_one.end(), last);
      if (next == of_one.end()) {
        return starts;
      }
      start = std::max(start, *next);
    }
    starts.push_back(start);
    last = start;
  }
  return starts;
}

}  // namespace ratchet::policy
