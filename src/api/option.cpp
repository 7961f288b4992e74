#include "api/option.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "api/schedule_text.h"
#include "calendar/interval.h"
#include "pg/span.h"
#include "pg/text_array.h"
#include "policy/batch_size.h"

extern "C" {
#include "utils/array.h"
}

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

template <auto... kMembers>
void Copy(JobDefinition* to, const JobDefinition& from) {
  ((to->*kMembers = from.*kMembers), ...);
}

// ---- Words -----------------------------------------------------------------------------------

template <auto kMember>
void SetWord(JobDefinition* job, Datum value, const char* name) {
  const std::string word = TextOf(value);
  if (catalog::Parse(word, &(job->*kMember))) {
    return;
  }
  std::string choices;
  for (const char* choice : catalog::Words(job->*kMember)) {
    choices += (choices.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
  }
  Refuse("invalid value for " + std::string(name) + ": \"" + word + "\"",
         "Available values: " + choices + ".");
}

// ---- Spans and numbers --------------------------------------------------------------------------

// In months of 30 days, as an interval counts here.
constexpr std::int64_t kLongestSpan =
    std::int64_t{calendar::kMaxIntervalYears} * 360 * calendar::kDay;

std::int64_t SpanIn(Datum value, const char* name, std::int64_t shortest) {
  std::int64_t span = 0;
  if (!pg::SpanOf(*DatumGetIntervalP(value), &span) || span > kLongestSpan) {
    Refuse(std::string(name) + " must not be longer than " +
           std::to_string(calendar::kMaxIntervalYears) + " years");
  }
  if (span < shortest) {
    Refuse(shortest == 0 ? std::string(name) + " must not be negative"
                         : std::string(name) + " must be at least 1 millisecond");
  }
  return span;
}

template <auto kMember>
void SetSpan(JobDefinition* job, Datum value, const char* name) {
  job->*kMember = SpanIn(value, name, calendar::kMillisecond);
}

void SetKeepHistory(JobDefinition* job, Datum value, const char* name) {
  job->keep_history = SpanIn(value, name, 0);
}

template <auto kMember>
void SetCount(JobDefinition* job, Datum value, const char* name) {
  const std::int32_t count = DatumGetInt32(value);
  if (count < 1) {
    Refuse(std::string(name) + " must be at least 1");
  }
  job->*kMember = count;
}

void SetBatchSize(JobDefinition* job, Datum value, const char* name) {
  const std::int32_t size = DatumGetInt32(value);
  if (size < 1 || size > policy::BatchSize::kLargest) {
    Refuse(std::string(name) + " must be between 1 and " +
           std::to_string(policy::BatchSize::kLargest));
  }
  job->batch_size = size;
}

void SetPriority(JobDefinition* job, Datum value, const char* /*name*/) {
  job->priority = DatumGetInt32(value);
}

void SetBackoffFactor(JobDefinition* job, Datum value, const char* name) {
  const double factor = DatumGetFloat8(value);
  if (!std::isfinite(factor) || factor < 0) {
    Refuse(std::string(name) + " must be a finite number and not negative");
  }
  job->backoff_factor = factor;
}

void SetLimit(JobDefinition* job, Datum value, const char* name) {
  job->max_failed_items = DatumGetInt32(value);
  if (job->max_failed_items < 0) {
    Refuse(std::string(name) + " must not be negative");
  }
}

void SetPauseRatio(JobDefinition* job, Datum value, const char* name) {
  const double ratio = DatumGetFloat8(value);
  if (!(ratio >= 0 && ratio <= 0.95)) {
    Refuse(std::string(name) + " must be between 0 and 0.95", "0.2 rests for a fifth of the time.");
  }
  job->pause_ratio = ratio;
}

void SetMaxReplicationLag(JobDefinition* job, Datum value, const char* name) {
  job->max_replication_lag = SpanIn(value, name, 0);
}

void SetBackoffJitter(JobDefinition* job, Datum value, const char* name) {
  const double jitter = DatumGetFloat8(value);
  if (!(jitter >= 0 && jitter <= 1)) {
    Refuse(std::string(name) + " must be between 0 and 1",
           "0.1 spreads the waiting time by a tenth in both directions.");
  }
  job->backoff_jitter = jitter;
}

// ---- The rest ----------------------------------------------------------------------------------

template <auto kMember>
void SetTime(JobDefinition* job, Datum value, const char* name) {
  const TimestampTz time = FiniteTime(value, name);
  if (time == 0) {
    // The one instant that stands for "none" in JobDefinition.
    Refuse(std::string(name) + " must not be exactly 2000-01-01 00:00:00 UTC",
           "Any other instant will do, also one on the same grid.");
  }
  job->*kMember = time;
}

void SetTimeZone(JobDefinition* job, Datum value, const char* name) {
  job->time_zone = RequireZone(TextOf(value), name).name();
}

std::vector<std::string> TextsOf(Datum value, const char* name) {
  std::vector<std::string> texts;
  int nulls = 0;
  int dimensions = 0;
  pg::Call([&] {
    dimensions = ARR_NDIM(DatumGetArrayTypeP(value));
    nulls = pg::AppendTextArray(value, &texts);
  });
  if (nulls > 0 || dimensions > 1) {
    Refuse(std::string(name) + " must be an array of one dimension without nulls");
  }
  return texts;
}

void SetEnvironments(JobDefinition* job, Datum value, const char* name) {
  job->environments = TextsOf(value, name);
  job->any_environment = false;
  if (job->environments.empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Leave it out to run in any environment, or disable the job to run in none.");
  }
}

void SetKey(JobDefinition* job, Datum value, const char* name) {
  job->key = TextsOf(value, name);
  if (job->key.empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Leave it out to use the first column of the source.");
  }
}

void SetTags(JobDefinition* job, Datum value, const char* name) {
  job->tags = TextsOf(value, name);
  job->has_tags = true;
}

void SetComment(JobDefinition* job, Datum value, const char* /*name*/) {
  job->comment = TextOf(value);
  job->has_comment = true;
}

template <auto kMember>
void SetJsonb(JobDefinition* job, Datum value, const char* /*name*/) {
  job->*kMember = JsonbTextOf(value);
}

void SetOwner(JobDefinition* job, Datum value, const char* /*name*/) {
  job->owner = DatumGetObjectId(value);
}

void SetEnabled(JobDefinition* job, Datum value, const char* /*name*/) {
  job->enabled = DatumGetBool(value);
}

// In the order of the arguments of ratchet.schedule and ratchet.alter_job.
using Job = JobDefinition;
constexpr Option kOptions[] = {
    {"time_zone", SetTimeZone, Copy<&Job::time_zone>},
    {"overlap", SetWord<&Job::overlap>, Copy<&Job::overlap>},
    {"transaction", SetWord<&Job::transaction>, Copy<&Job::transaction>},
    {"timeout", SetSpan<&Job::timeout>, Copy<&Job::timeout>},
    {"max_attempts", SetCount<&Job::max_attempts>, Copy<&Job::max_attempts>},
    {"backoff", SetSpan<&Job::backoff>, Copy<&Job::backoff>},
    {"backoff_factor", SetBackoffFactor, Copy<&Job::backoff_factor>},
    {"backoff_cap", SetSpan<&Job::backoff_cap>, Copy<&Job::backoff_cap>},
    {"backoff_jitter", SetBackoffJitter, Copy<&Job::backoff_jitter>},
    {"on_crash", SetWord<&Job::on_crash>, Copy<&Job::on_crash>},
    {"misfire", SetWord<&Job::misfire>, Copy<&Job::misfire>},
    {"misfire_limit", SetCount<&Job::misfire_limit>, Copy<&Job::misfire_limit>},
    {"start_at", SetTime<&Job::start_at>, Copy<&Job::start_at>},
    {"end_at", SetTime<&Job::end_at>, Copy<&Job::end_at>},
    {"max_runs", SetCount<&Job::max_runs>, Copy<&Job::max_runs>},
    {"environments", SetEnvironments, Copy<&Job::any_environment, &Job::environments>},
    {"priority", SetPriority, Copy<&Job::priority>},
    {"settings", SetJsonb<&Job::settings>, Copy<&Job::settings>},
    {"payload", SetJsonb<&Job::payload>, Copy<&Job::payload>},
    {"run_as", SetOwner, Copy<&Job::owner>},
    {"keep_history", SetKeepHistory, Copy<&Job::keep_history>},
    {"enabled", SetEnabled, Copy<&Job::enabled>},
    {"comment", SetComment, Copy<&Job::has_comment, &Job::comment>},
    {"tags", SetTags, Copy<&Job::has_tags, &Job::tags>},
    {"backfill_from", SetTime<&Job::backfill_from>, Copy<&Job::backfill_from>},
    {"key", SetKey, Copy<&Job::key>},
    {"per", SetWord<&Job::per>, Copy<&Job::per>},
    {"batch_size", SetBatchSize, Copy<&Job::batch_size>},
    {"batch_target", SetSpan<&Job::batch_target>, Copy<&Job::batch_target>},
    {"mode", SetWord<&Job::mode>, Copy<&Job::mode>},
    {"max_run_time", SetSpan<&Job::max_run_time>, Copy<&Job::max_run_time>},
    {"max_failed_items", SetLimit, Copy<&Job::max_failed_items>},
    {"pause_ratio", SetPauseRatio, Copy<&Job::pause_ratio>},
    {"max_replication_lag", SetMaxReplicationLag, Copy<&Job::max_replication_lag>},
};

int FindOption(const std::string& name) {
  for (int i = 0; i < kOptionCount; i++) {
    if (name == kOptions[i].name) {
      return i;
    }
  }
  std::string names;
  for (const Option& option : kOptions) {
    names += (names.empty() ? "" : ", ") + std::string(option.name);
  }
  Refuse("unknown option \"" + name + "\" in reset", "The options are " + names + ".");
}

}  // namespace

const int kOptionCount = static_cast<int>(std::size(kOptions));
// The first of a batch job's.
const int kCommonOptionCount = static_cast<int>(
    std::find_if(std::begin(kOptions), std::end(kOptions),
                 [](const Option& option) { return std::string_view(option.name) == "key"; }) -
    std::begin(kOptions));

void RefuseBatchOptions(const Arguments& arguments, int first) {
  for (int i = kCommonOptionCount; i < kOptionCount; i++) {
    if (!arguments.IsNull(first + i)) {
      Refuse("option \"" + std::string(kOptions[i].name) + "\" is for batch jobs",
             "Use ratchet.schedule_batch() to make the job one.");
    }
  }
}

void SetOptions(const Arguments& arguments, int first, int count, JobDefinition* job) {
  for (int i = 0; i < count; i++) {
    if (!arguments.IsNull(first + i)) {
      kOptions[i].set(job, arguments.Value(first + i), kOptions[i].name);
    }
  }
}

void ResetOptions(const std::vector<std::string>& names, const Arguments& arguments, int first,
                  JobDefinition* job) {
  const JobDefinition defaults;
  for (const std::string& name : names) {
    const int i = FindOption(name);
    if (!arguments.IsNull(first + i)) {
      Refuse("option \"" + name + "\" is both set and reset");
    }
    kOptions[i].copy(job, defaults);
  }
}

bool IsGiven(const char* name, const Arguments& arguments, int first) {
  return !arguments.IsNull(first + FindOption(name));
}

}  // namespace ratchet::api
