// ratchet.enqueue() and ratchet.enqueue_many()
#include <algorithm>
#include <numeric>
#include <vector>

#include "api/argument.h"
#include "api/enqueue.h"
#include "api/sql_function.h"
#include "catalog/table_layouts.h"
#include "pg/open_tables.h"
#include "pg/span.h"

extern "C" {
#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
}

namespace ratchet::api {
namespace {

// As it is stored; compressed it may be less.
constexpr std::size_t kLargestPayload = std::size_t{1024} * 1024;
constexpr std::size_t kLongestKey = 1000;

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

catalog::TaskPayload PayloadOf(bool is_null, Datum value) {
  if (is_null) {
    return {};
  }
  const std::size_t size = pg::Call([value] { return toast_raw_datum_size(value); });
  if (size > kLargestPayload) {
    throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                    "payload of " + std::to_string(size) + " bytes is larger than the limit of " +
                        std::to_string(kLargestPayload) + " bytes",
                    "Put it into a table, and its key into the payload.");
  }
  return {value, false};
}

void CheckKey(const std::string& key, const char* name) {
  if (key.empty()) {
    Refuse(std::string(name) + " must not be empty", "Null is no key.");
  }
  if (key.size() > kLongestKey) {
    throw pg::Error(
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        std::string(name) + " must not be longer than " + std::to_string(kLongestKey) + " bytes",
        "Use a hash of it, such as md5(...) or encode(sha256(...), 'hex').");
  }
}

OnConflict OnConflictOf(const std::string& word) {
  if (word.empty() || word == "skip") {
    return OnConflict::kSkip;
  }
  if (word == "replace") {
    return OnConflict::kReplace;
  }
  if (word != "raise") {
    Refuse("invalid value for on_conflict: \"" + word + "\"",
           "Available values: \"skip\", \"replace\", \"raise\".");
  }
  return OnConflict::kRaise;
}

// When it is to be done: 0 for at once.
TimestampTz RunAtOf(const Arguments& arguments, int run_at, int delay, TimestampTz now) {
  if (!arguments.IsNull(run_at) && !arguments.IsNull(delay)) {
    Refuse("run_at and delay cannot be given together");
  }
  TimestampTz time = 0;
  if (!arguments.IsNull(run_at)) {
    time = arguments.Time(run_at, "run_at");
  } else if (!arguments.IsNull(delay)) {
    const Datum span = arguments.Value(delay);
    time = pg::Call([=] {
      return DatumGetTimestampTz(
          DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), span));
    });
    if (time < now) {
      Refuse("delay must not be negative");
    }
  }
  return time <= now ? 0 : time;
}

// What all tasks of a call share.
struct Common {
  catalog::Task task;
  OnConflict on_conflict;
};

struct CommonArguments {
  int run_at;
  int delay;
  int priority;
  int on_conflict;
  int expires_at;
};

Common CommonOf(const Arguments& arguments, const CommonArguments& at) {
  Common common;
  const TimestampTz now = GetCurrentTimestamp();
  common.task.enqueued_at = now;
  common.task.run_at = RunAtOf(arguments, at.run_at, at.delay, now);
  if (!arguments.IsNull(at.priority)) {
    common.task.priority = DatumGetInt32(arguments.Value(at.priority));
  }
  if (!arguments.IsNull(at.expires_at)) {
    common.task.expires_at = arguments.Time(at.expires_at, "expires_at");
    if (common.task.expires_at <= std::max(now, common.task.run_at)) {
      Refuse(common.task.run_at != 0 ? "expires_at must be later than run_at"
                                     : "expires_at must not be over");
    }
  }
  common.on_conflict = OnConflictOf(arguments.TextOrEmpty(at.on_conflict));
  return common;
}

void SetKey(const Arguments& arguments, int argument, const char* name, std::string* key) {
  if (!arguments.IsNull(argument)) {
    *key = arguments.Text(argument, name);
    CheckKey(*key, name);
  }
}

std::int64_t EnqueueOne(const Arguments& arguments) {
  enum Argument {
    kQueueName,
    kPayload,
    kRunAt,
    kDelay,
    kPriority,
    kUniqueKey,
    kOnConflict,
    kOrderingKey,
    kGroupKey,
    kExpiresAt
  };
  RequireWritable("ratchet.enqueue()");
  Common common = CommonOf(arguments, {kRunAt, kDelay, kPriority, kOnConflict, kExpiresAt});
  SetKey(arguments, kUniqueKey, "unique_key", &common.task.unique_key);
  SetKey(arguments, kOrderingKey, "ordering_key", &common.task.ordering_key);
  SetKey(arguments, kGroupKey, "group_key", &common.task.group_key);
  const catalog::TaskPayload payload =
      PayloadOf(arguments.IsNull(kPayload), arguments.Value(kPayload));
  const std::shared_ptr<const Queue> queue = OpenQueue(arguments.Text(kQueueName, "queue_name"));
  return Enqueue(*queue, &common.task, payload, common.on_conflict).task_id;
}

// The elements of an array of one dimension.
struct Elements {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
};

Elements ElementsOf(Datum array, const char* name) {
  Elements elements;
  const bool is_list = pg::Call([&] {
    ArrayType* packed = DatumGetArrayTypeP(array);
    if (ARR_NDIM(packed) > 1) {
      return false;
    }
    deconstruct_array(packed, ARR_ELEMTYPE(packed), -1, false, TYPALIGN_INT, &elements.values,
                      &elements.nulls, &elements.count);
    return true;
  });
  if (!is_list) {
    Refuse(std::string(name) + " must be an array of one dimension");
  }
  return elements;
}

// A key for each task, or none: the same number as payloads.
Elements KeysOf(const Arguments& arguments, int argument, const char* name, int count) {
  if (arguments.IsNull(argument)) {
    return {};
  }
  const Elements keys = ElementsOf(arguments.Value(argument), name);
  if (keys.count != count) {
    Refuse(std::string(name) + " must have as many elements as payloads: " + std::to_string(count) +
           ", not " + std::to_string(keys.count));
  }
  return keys;
}

void SetKey(const Elements& keys, int i, const char* name, std::string* key) {
  key->clear();
  if (keys.count != 0 && !keys.nulls[i]) {
    *key = TextOf(keys.values[i]);
    CheckKey(*key, name);
  }
}

struct Keys {
  Elements unique;
  Elements ordering;
  Elements group;
};

// Two sessions that enqueue the same keys wait for each other: in one order, they do not do so in a
// circle.
std::vector<int> OrderOf(const Elements& unique_keys, int count) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (unique_keys.count == 0) {
    return order;
  }
  std::vector<std::string> keys(order.size());
  for (const int i : order) {
    if (!unique_keys.nulls[i]) {
      keys[static_cast<std::size_t>(i)] = TextOf(unique_keys.values[i]);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&keys](int a, int b) {
    return keys[static_cast<std::size_t>(a)] < keys[static_cast<std::size_t>(b)];
  });
  return order;
}

std::int64_t EnqueueAll(const Queue& queue, Common common, const Elements& payloads,
                        const Keys& keys) {
  // Numbers follow the order in which they were given.
  std::vector<std::int64_t> numbers;
  catalog::NextTaskIds(payloads.count, &numbers);
  pg::TableHold table(catalog::kTaskTable, RowExclusiveLock);
  std::int64_t count = 0;
  for (const int i : OrderOf(keys.unique, payloads.count)) {
    common.task.task_id = numbers[static_cast<std::size_t>(i)];
    SetKey(keys.unique, i, "unique_keys", &common.task.unique_key);
    SetKey(keys.ordering, i, "ordering_keys", &common.task.ordering_key);
    SetKey(keys.group, i, "group_keys", &common.task.group_key);
    const catalog::TaskPayload payload = PayloadOf(payloads.nulls[i], payloads.values[i]);
    count += Enqueue(queue, &common.task, payload, common.on_conflict).is_in ? 1 : 0;
  }
  table.Close();
  return count;
}

std::int64_t EnqueueMany(const Arguments& arguments) {
  enum Argument {
    kQueueName,
    kPayloads,
    kRunAt,
    kDelay,
    kPriority,
    kUniqueKeys,
    kOnConflict,
    kOrderingKeys,
    kGroupKeys,
    kExpiresAt
  };
  RequireWritable("ratchet.enqueue_many()");
  const Common common = CommonOf(arguments, {kRunAt, kDelay, kPriority, kOnConflict, kExpiresAt});
  if (arguments.IsNull(kPayloads)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "payloads must not be null");
  }
  const Elements payloads = ElementsOf(arguments.Value(kPayloads), "payloads");
  const Keys keys = {KeysOf(arguments, kUniqueKeys, "unique_keys", payloads.count),
                     KeysOf(arguments, kOrderingKeys, "ordering_keys", payloads.count),
                     KeysOf(arguments, kGroupKeys, "group_keys", payloads.count)};
  const std::shared_ptr<const Queue> queue = OpenQueue(arguments.Text(kQueueName, "queue_name"));
  return EnqueueAll(*queue, common, payloads, keys);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_enqueue);
PGDLLEXPORT Datum ratchet_enqueue(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::EnqueueOne(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_enqueue_many);
PGDLLEXPORT Datum ratchet_enqueue_many(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::EnqueueMany(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
