#include "api/queue_option.h"

#include <algorithm>
#include <iterator>

#include "api/option.h"
#include "api/privilege.h"
#include "calendar/interval.h"
#include "pg/compat.h"
#include "pg/oid_array.h"
#include "policy/channel_config.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/array.h"
#include "utils/syscache.h"
}

namespace ratchet::api {
namespace {

using catalog::QueueDefinition;

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

template <auto kMember>
void Copy(QueueDefinition* to, const QueueDefinition& from) {
  to->*kMember = from.*kMember;
}

template <auto kMember>
void SetSpan(QueueDefinition* queue, Datum value, const char* name) {
  queue->*kMember = SpanIn(value, name, calendar::kMillisecond);
}

template <auto kMember>
void SetSpanOrZero(QueueDefinition* queue, Datum value, const char* name) {
  queue->*kMember = SpanIn(value, name, 0);
}

template <auto kMember>
void SetLimit(QueueDefinition* queue, Datum value, const char* name) {
  const std::int32_t count = DatumGetInt32(value);
  if (count < 1) {
    Refuse(std::string(name) + " must be at least 1",
           "Left out there is no limit. ratchet.pause_queue() lets nothing start.");
  }
  queue->*kMember = count;
}

void SetMaxCrashes(QueueDefinition* queue, Datum value, const char* name) {
  queue->max_crashes = DatumGetInt32(value);
  if (queue->max_crashes < 1) {
    Refuse(std::string(name) + " must be at least 1");
  }
}

template <auto kMember>
void SetBool(QueueDefinition* queue, Datum value, const char* /*name*/) {
  queue->*kMember = DatumGetBool(value);
}

void RequireRole(Oid role, const char* name) {
  const bool exists =
      pg::Call([role] { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)); });
  if (!exists) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, std::string(name) + ": role with OID " +
                                                  std::to_string(role) + " does not exist");
  }
}

// Without it the functions cannot be called at all.
void WarnWithoutUsage(Oid role) {
  const bool may_call =
      pg::Call([role] { return pg::MayUseSchema(get_namespace_oid("ratchet", false), role); });
  if (!may_call) {
    const std::string quoted = QuotedRoleName(role);
    const std::string role_name = RoleName(role);
    pg::Call([&] {
      ereport(WARNING,
              (errmsg("role \"%s\" has no USAGE privilege on schema ratchet", role_name.c_str()),
               errhint("Run GRANT USAGE ON SCHEMA ratchet TO %s.", quoted.c_str())));
    });
  }
}

template <auto kMember>
void SetRoles(QueueDefinition* queue, Datum value, const char* name) {
  std::vector<Oid> roles;
  bool is_list = false;
  pg::Call([&] {
    ArrayType* array = DatumGetArrayTypeP(value);
    is_list = ARR_NDIM(array) <= 1 && !array_contains_nulls(array);
    if (is_list) {
      pg::AppendOidArray(value, &roles);
    }
  });
  if (!is_list) {
    Refuse(std::string(name) + " must be an array of one dimension without nulls");
  }
  std::sort(roles.begin(), roles.end());
  roles.erase(std::unique(roles.begin(), roles.end()), roles.end());
  for (const Oid role : roles) {
    RequireRole(role, name);
    WarnWithoutUsage(role);
  }
  queue->*kMember = std::move(roles);
}

void SetHttp(QueueDefinition* queue, Datum value, const char* name) {
  queue->http = JsonbTextOf(value);
  const auto config = policy::ParseJson(queue->http);
  if (!config) {
    Refuse(std::string(name) + " is nested too deep to be what requests are like");
  }
  if (const auto fault = policy::FindConfigFault(policy::kHttpQueue, *config)) {
    Refuse(std::string(name) + ": " + fault->message, fault->hint);
  }
}

// In the order of the arguments of ratchet.create_queue and ratchet.alter_queue.
using Own = QueueDefinition;
constexpr QueueOption kOptions[] = {
    {"per", nullptr, nullptr},
    {"batch_size", nullptr, nullptr},
    {"batch_target", nullptr, nullptr},
    {"timeout", nullptr, nullptr},
    {"concurrency", SetLimit<&Own::concurrency>, Copy<&Own::concurrency>},
    {"concurrency_per_key", SetLimit<&Own::concurrency_per_key>, Copy<&Own::concurrency_per_key>},
    {"rate", SetLimit<&Own::rate>, Copy<&Own::rate>},
    {"rate_period", SetSpan<&Own::rate_period>, Copy<&Own::rate_period>},
    {"rate_per_key", SetBool<&Own::rate_per_key>, Copy<&Own::rate_per_key>},
    {"max_attempts", nullptr, nullptr},
    {"backoff", nullptr, nullptr},
    {"backoff_factor", nullptr, nullptr},
    {"backoff_cap", nullptr, nullptr},
    {"backoff_jitter", nullptr, nullptr},
    {"max_crashes", SetMaxCrashes, Copy<&Own::max_crashes>},
    {"retention", SetSpanOrZero<&Own::retention>, Copy<&Own::retention>},
    {"keep_dead", SetSpanOrZero<&Own::keep_dead>, Copy<&Own::keep_dead>},
    {"lease", SetSpan<&Own::lease>, Copy<&Own::lease>},
    {"producers", SetRoles<&Own::producers>, Copy<&Own::producers>},
    {"consumers", SetRoles<&Own::consumers>, Copy<&Own::consumers>},
    {"synchronous", SetBool<&Own::synchronous>, Copy<&Own::synchronous>},
    {"http", SetHttp, Copy<&Own::http>},
    {"priority", nullptr, nullptr},
    {"active_window", nullptr, nullptr},
    {"time_zone", nullptr, nullptr},
    {"mutex", nullptr, nullptr},
    {"environments", nullptr, nullptr},
    {"settings", nullptr, nullptr},
    {"run_as", nullptr, nullptr},
    {"keep_history", nullptr, nullptr},
    {"enabled", nullptr, nullptr},
    {"comment", nullptr, nullptr},
    {"tags", nullptr, nullptr},
};

int RequireOption(const std::string& name) {
  const QueueOption* option = FindQueueOption(name);
  if (option == nullptr) {
    Refuse("unknown option \"" + name + "\" in reset",
           "The options are handler, " + QueueOptionNames() + ".");
  }
  return static_cast<int>(option - kOptions);
}

}  // namespace

Queue DefaultQueue() {
  Queue queue;
  queue.job.is_queue = true;
  queue.job.schedule = "@manual";
  queue.job.overlap = catalog::Overlap::kAllow;  // concurrency says how many
  queue.job.max_attempts = 10;
  return queue;
}

std::span<const QueueOption> QueueOptions() { return kOptions; }

const QueueOption* FindQueueOption(const std::string& name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const QueueOption& option) { return name == option.name; });
  return found != std::end(kOptions) ? found : nullptr;
}

void SetQueueOption(const QueueOption& option, Datum value, Queue* queue) {
  if (option.set != nullptr) {
    option.set(&queue->own, value, option.name);
  } else {
    FindOption(option.name)->set(&queue->job, value, option.name);
  }
}

void CopyQueueOption(const QueueOption& option, const Queue& from, Queue* to) {
  if (option.copy != nullptr) {
    option.copy(&to->own, from.own);
  } else {
    FindOption(option.name)->copy(&to->job, from.job);
  }
}

std::string QueueOptionNames() {
  std::string names;
  for (const QueueOption& option : kOptions) {
    names += (names.empty() ? "" : ", ") + std::string(option.name);
  }
  return names;
}

int QueueArguments::end() const { return first_ + static_cast<int>(std::size(kOptions)); }

void QueueArguments::SetIn(Queue* queue) const {
  int argument = first_;
  for (const QueueOption& option : kOptions) {
    if (!arguments_.IsNull(argument)) {
      SetQueueOption(option, arguments_.Value(argument), queue);
    }
    argument++;
  }
}

void QueueArguments::Reset(const std::vector<std::string>& names, Queue* queue) const {
  const Queue defaults = DefaultQueue();
  for (const std::string& name : names) {
    if (name == "handler") {
      queue->job.action.clear();
      continue;
    }
    const int i = RequireOption(name);
    if (!arguments_.IsNull(first_ + i)) {
      Refuse("option \"" + name + "\" is both set and reset");
    }
    CopyQueueOption(kOptions[i], defaults, queue);
  }
}

bool QueueArguments::Gives(const char* name) const {
  return !arguments_.IsNull(first_ + RequireOption(name));
}

}  // namespace ratchet::api
