#include "api/option.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "api/job_check.h"
#include "api/schedule_text.h"
#include "calendar/interval.h"
#include "calendar/window.h"
#include "pg/oid_array.h"
#include "pg/span.h"
#include "pg/text_array.h"

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

template <auto kMember>
void SetSpan(JobDefinition* job, Datum value, const char* name) {
  job->*kMember = SpanIn(value, name, calendar::kMillisecond);
}

template <auto kMember>
void SetSpanOrZero(JobDefinition* job, Datum value, const char* name) {
  job->*kMember = SpanIn(value, name, 0);
}

template <auto kMember>
void SetCount(JobDefinition* job, Datum value, const char* name) {
  const std::int32_t count = DatumGetInt32(value);
  if (count < 1) {
    Refuse(std::string(name) + " must be at least 1");
  }
  job->*kMember = count;
}

void SetMaxFailedItems(JobDefinition* job, Datum value, const char* name) {
  job->max_failed_items = DatumGetInt32(value);
  if (job->max_failed_items < 0) {
    Refuse(std::string(name) + " must not be negative",
           "0 stops a run at the first item that fails; left out, there is no limit.");
  }
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

void SetPauseRatio(JobDefinition* job, Datum value, const char* name) {
  const double ratio = DatumGetFloat8(value);
  if (!(ratio >= 0 && ratio < 1)) {
    Refuse(std::string(name) + " must be at least 0 and less than 1",
           "0.2 leaves a run idle for a fifth of its time.");
  }
  job->pause_ratio = ratio;
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

std::vector<std::string> VisibleTextsOf(Datum value, const char* name) {
  std::vector<std::string> texts = TextsOf(value, name);
  for (const std::string& text : texts) {
    RequireVisible(text, name);
  }
  return texts;
}

template <auto kMember>
void SetText(JobDefinition* job, Datum value, const char* name) {
  job->*kMember = RequireText(TextOf(value), name);
}

void SetActiveWindow(JobDefinition* job, Datum value, const char* name) {
  job->active_window = RequireText(TextOf(value), name);
  try {
    calendar::ActiveWindow::Parse(job->active_window);
  } catch (const calendar::ScheduleError& error) {
    Refuse(error.what(), error.hint());
  }
}

template <auto kMember>
void SetName(JobDefinition* job, Datum value, const char* name) {
  std::string text = TextOf(value);
  CheckName(text, name);
  job->*kMember = std::move(text);
}

void SetWatch(JobDefinition* job, Datum value, const char* name) {
  bool is_list = false;
  std::vector<Oid> tables;
  pg::Call([&] {
    ArrayType* array = DatumGetArrayTypeP(value);
    is_list = ARR_NDIM(array) == 1 && !array_contains_nulls(array);
    if (is_list) {
      pg::AppendOidArray(value, &tables);
    }
  });
  if (!is_list) {
    Refuse(std::string(name) + " must be an array of at least one table, without nulls",
           "Use reset => '{" + std::string(name) + "}' of ratchet.alter_job() to watch none.");
  }
  job->watch = std::move(tables);
}

void SetDependsOn(JobDefinition* job, Datum value, const char* name) {
  job->depends_on = TextsOf(value, name);
  if (job->depends_on.empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Use reset => '{" + std::string(name) + "}' of ratchet.alter_job() to depend on none.");
  }
}

void SetEnvironments(JobDefinition* job, Datum value, const char* name) {
  job->environments = VisibleTextsOf(value, name);
  job->has_environments = true;
  if (job->environments.empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Leave it out to run in any environment, or disable the job to run in none.");
  }
}

void SetTags(JobDefinition* job, Datum value, const char* name) {
  job->tags = VisibleTextsOf(value, name);
  job->has_tags = true;
}

void SetComment(JobDefinition* job, Datum value, const char* /*name*/) {
  job->comment = TextOf(value);
  job->has_comment = true;
}

void SetKey(JobDefinition* job, Datum value, const char* name) {
  job->key = TextsOf(value, name);
  if (job->key.empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Leave it out to walk by the source's first column.");
  }
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

// The one declaration of each: sql/options.awk makes the arguments of ratchet.schedule,
// ratchet.schedule_batch and ratchet.alter_job of it, in this order.
using Job = JobDefinition;
constexpr Option kOptions[] = {
    {"time_zone", "text", kAllJobs, SetTimeZone, Copy<&Job::time_zone>},
    {"overlap", "text", kAllJobs, SetWord<&Job::overlap>, Copy<&Job::overlap>},
    {"transaction", "text", kAllJobs, SetWord<&Job::transaction>, Copy<&Job::transaction>},
    {"timeout", "interval", kAllJobs, SetSpan<&Job::timeout>, Copy<&Job::timeout>},
    {"max_attempts", "integer", kAllJobs, SetCount<&Job::max_attempts>, Copy<&Job::max_attempts>},
    {"backoff", "interval", kAllJobs, SetSpan<&Job::backoff>, Copy<&Job::backoff>},
    {"backoff_factor", "float8", kAllJobs, SetBackoffFactor, Copy<&Job::backoff_factor>},
    {"backoff_cap", "interval", kAllJobs, SetSpan<&Job::backoff_cap>, Copy<&Job::backoff_cap>},
    {"backoff_jitter", "float8", kAllJobs, SetBackoffJitter, Copy<&Job::backoff_jitter>},
    {"on_crash", "text", kAllJobs, SetWord<&Job::on_crash>, Copy<&Job::on_crash>},
    {"misfire", "text", kAllJobs, SetWord<&Job::misfire>, Copy<&Job::misfire>},
    {"misfire_limit", "integer", kAllJobs, SetCount<&Job::misfire_limit>,
     Copy<&Job::misfire_limit>},
    {"start_at", "timestamptz", kAllJobs, SetTime<&Job::start_at>, Copy<&Job::start_at>},
    {"end_at", "timestamptz", kAllJobs, SetTime<&Job::end_at>, Copy<&Job::end_at>},
    {"max_runs", "integer", kAllJobs, SetCount<&Job::max_runs>, Copy<&Job::max_runs>},
    {"mutex", "text", kAllJobs, SetName<&Job::mutex>, Copy<&Job::mutex>},
    {"active_window", "text", kAllJobs, SetActiveWindow, Copy<&Job::active_window>},
    {"calendar", "text", kAllJobs, SetName<&Job::calendar>, Copy<&Job::calendar>},
    {"only_if", "text", kAllJobs, SetText<&Job::only_if>, Copy<&Job::only_if>},
    {"watch", "regclass[]", kAllJobs, SetWatch, Copy<&Job::watch>},
    {"depends_on", "text[]", kAllJobs, SetDependsOn, Copy<&Job::depends_on>},
    {"environments", "text[]", kAllJobs, SetEnvironments,
     Copy<&Job::has_environments, &Job::environments>},
    {"priority", "integer", kAllJobs, SetPriority, Copy<&Job::priority>},
    {"settings", "jsonb", kAllJobs, SetJsonb<&Job::settings>, Copy<&Job::settings>},
    {"payload", "jsonb", kAllJobs, SetJsonb<&Job::payload>, Copy<&Job::payload>},
    {"run_as", "regrole", kAllJobs, SetOwner, Copy<&Job::owner>},
    {"keep_history", "interval", kAllJobs, SetSpanOrZero<&Job::keep_history>,
     Copy<&Job::keep_history>},
    {"deadline", "interval", kAllJobs, SetSpan<&Job::deadline>, Copy<&Job::deadline>},
    {"heartbeat", "text", kAllJobs, SetName<&Job::heartbeat>, Copy<&Job::heartbeat>},
    {"enabled", "boolean", kAllJobs, SetEnabled, Copy<&Job::enabled>},
    {"comment", "text", kAllJobs, SetComment, Copy<&Job::has_comment, &Job::comment>},
    {"tags", "text[]", kAllJobs, SetTags, Copy<&Job::has_tags, &Job::tags>},
    {"backfill_from", "timestamptz", kAllJobs, SetTime<&Job::backfill_from>,
     Copy<&Job::backfill_from>},
    {"key", "text[]", kBatchJobs, SetKey, Copy<&Job::key>},
    {"per", "text", kBatchJobs, SetWord<&Job::per>, Copy<&Job::per>},
    {"batch_size", "integer", kBatchJobs, SetCount<&Job::batch_size>, Copy<&Job::batch_size>},
    {"batch_target", "interval", kBatchJobs, SetSpan<&Job::batch_target>, Copy<&Job::batch_target>},
    {"mode", "text", kBatchJobs, SetWord<&Job::mode>, Copy<&Job::mode>},
    {"max_run_time", "interval", kBatchJobs, SetSpan<&Job::max_run_time>, Copy<&Job::max_run_time>},
    {"max_failed_items", "integer", kBatchJobs, SetMaxFailedItems, Copy<&Job::max_failed_items>},
    {"pause_ratio", "float8", kBatchJobs, SetPauseRatio, Copy<&Job::pause_ratio>},
    {"max_replication_lag", "interval", kBatchJobs, SetSpanOrZero<&Job::max_replication_lag>,
     Copy<&Job::max_replication_lag>},
};
constexpr int kOptionCount = static_cast<int>(std::size(kOptions));

constexpr bool IsOfAllJobs(const Option& option) { return option.jobs == kAllJobs; }
static_assert(std::is_partitioned(std::begin(kOptions), std::end(kOptions), IsOfAllJobs),
              "the options of batch jobs come behind those of all jobs");
// The first one that only a batch job has.
constexpr int kBatchOption =
    static_cast<int>(std::count_if(std::begin(kOptions), std::end(kOptions), IsOfAllJobs));

int RequireOption(const std::string& name) {
  const Option* option = FindOption(name);
  if (option == nullptr) {
    Refuse("unknown option \"" + name + "\" in reset",
           "The options are " + OptionNames(Options()) + ".");
  }
  return static_cast<int>(option - kOptions);
}

}  // namespace

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

std::span<const Option> Options() { return kOptions; }
std::span<const Option> BatchOptions() { return Options().subspan(kBatchOption); }

const Option* FindOption(const std::string& name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const Option& option) { return name == option.name; });
  return found != std::end(kOptions) ? found : nullptr;
}

std::string OptionNames(std::span<const Option> options) {
  std::string names;
  for (const Option& option : options) {
    names += (names.empty() ? "" : ", ") + std::string(option.name);
  }
  return names;
}

OptionArguments::OptionArguments(const Arguments& arguments, int first, Kind kind)
    : arguments_(arguments),
      first_(first),
      count_(kind == Kind::kPlainJob ? kBatchOption : kOptionCount) {}

void OptionArguments::SetIn(JobDefinition* job) const {
  for (int i = 0; i < count_; i++) {
    if (!IsNull(i)) {
      kOptions[i].set(job, arguments_.Value(first_ + i), kOptions[i].name);
    }
  }
}

void OptionArguments::Reset(const std::vector<std::string>& names, JobDefinition* job) const {
  const JobDefinition defaults;
  for (const std::string& name : names) {
    const int i = RequireOption(name);
    if (!IsNull(i)) {
      Refuse("option \"" + name + "\" is both set and reset");
    }
    kOptions[i].copy(job, defaults);
  }
}

bool OptionArguments::Gives(const char* name) const {
  const int i = RequireOption(name);
  return i < count_ && !IsNull(i);
}

const char* OptionArguments::BatchOption(const std::vector<std::string>& reset) const {
  for (int i = kBatchOption; i < count_; i++) {
    if (!IsNull(i) || std::find(reset.begin(), reset.end(), kOptions[i].name) != reset.end()) {
      return kOptions[i].name;
    }
  }
  return nullptr;
}

}  // namespace ratchet::api
