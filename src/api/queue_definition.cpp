// ratchet.create_queue(), ratchet.alter_queue(), ratchet.drop_queue(), ratchet.pause_queue() and
// ratchet.resume_queue()
#include <algorithm>

#include "api/argument.h"
#include "api/define_queue.h"
#include "api/job_change.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/queue_option.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "pg/text_array.h"

namespace ratchet::api {
namespace {

std::int64_t CreateQueue(const Arguments& arguments) {
  enum Argument { kQueueName, kHandler, kFirstOption };
  RequireWritable("ratchet.create_queue()");
  Queue queue = DefaultQueue();
  queue.own.queue_name = arguments.Text(kQueueName, "queue_name");
  CheckQueueName(queue.name(), "queue_name");
  if (!arguments.IsNull(kHandler)) {
    queue.job.action = RequireText(arguments.Text(kHandler, "handler"), "handler");
  }
  const QueueArguments options(arguments, kFirstOption);
  options.SetIn(&queue);
  return DefineQueue(std::move(queue), {options.Gives("enabled"), options.Gives("run_as")},
                     AnothersJob::kRefused)
      .now.job.job_id;
}

void RefuseExisting(const std::string& new_name) {
  if (FindQueue(new_name)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT, "queue \"" + new_name + "\" already exists");
  }
  const std::string job_name = catalog::JobNameOf(new_name);
  if (catalog::FindJobByName(job_name)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT, "job \"" + job_name + "\" already exists", "",
                    "The runs of queue \"" + new_name + "\" would be recorded under that name.");
  }
}

// Both names, in an order that is the same for everybody.
Queue LockToRename(const std::string& queue_name, const std::string& new_name, QueuePlace* place) {
  const Queue seen = RequireQueue(queue_name, QueueRight::kManage);
  RefuseExisting(new_name);
  const auto [first, second] = std::minmax(queue_name, new_name);
  for (const std::string& name : {first, second}) {
    catalog::LockJobName(catalog::JobNameOf(name), seen.job.owner);
  }
  RefuseExisting(new_name);
  catalog::RefuseTakenName(catalog::JobNameOf(new_name), seen.job.owner);
  return LockQueue(queue_name, place);
}

std::vector<std::string> ResetNames(const Arguments& arguments, int reset) {
  std::vector<std::string> names;
  if (!arguments.IsNull(reset)) {
    pg::Call([&] { pg::AppendTextArray(arguments.Value(reset), &names); });
  }
  return names;
}

void SetHandler(const Arguments& arguments, int argument, const std::vector<std::string>& reset,
                Queue* queue) {
  if (arguments.IsNull(argument)) {
    return;
  }
  if (std::find(reset.begin(), reset.end(), "handler") != reset.end()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "option \"handler\" is both set and reset");
  }
  queue->job.action = RequireText(arguments.Text(argument, "handler"), "handler");
}

void AlterQueue(const Arguments& arguments) {
  enum Argument { kQueueName, kHandler, kNewName, kFirstOption };
  RequireWritable("ratchet.alter_queue()");
  const std::string queue_name = arguments.Text(kQueueName, "queue_name");
  std::string new_name = queue_name;
  if (!arguments.IsNull(kNewName)) {
    new_name = arguments.Text(kNewName, "new_name");
    CheckQueueName(new_name, "new_name");
  }
  QueuePlace place;
  const Queue old = new_name != queue_name ? LockToRename(queue_name, new_name, &place)
                                           : LockQueue(queue_name, &place);
  Queue queue = old;
  queue.own.queue_name = new_name;
  queue.job.job_name = catalog::JobNameOf(new_name);
  const QueueArguments options(arguments, kFirstOption);
  const std::vector<std::string> reset = ResetNames(arguments, options.end());
  SetHandler(arguments, kHandler, reset, &queue);
  options.SetIn(&queue);
  options.Reset(reset, &queue);
  // New settings do not silently move the handler to the search_path of whoever gives them.
  const std::string path = SearchPathOfSession();
  RedefineQueue(&queue, old, place,
                options.Gives("settings") ? SearchPathIn(old.job.settings).value_or(path) : path);
}

bool DropNamedQueue(const Arguments& arguments) {
  enum Argument { kQueueName, kIfExists, kForce };
  RequireWritable("ratchet.drop_queue()");
  const std::string queue_name = arguments.Text(kQueueName, "queue_name");
  QueuePlace place;
  std::optional<Queue> queue;
  if (arguments.BoolOr(kIfExists, false)) {
    queue = LockQueueIfAny(queue_name, &place);
  } else {
    queue = LockQueue(queue_name, &place);
  }
  if (queue) {
    DropQueue(*queue, place, arguments.BoolOr(kForce, false));
  }
  return queue.has_value();
}

void SetEnabled(const Arguments& arguments, bool enabled, const char* command) {
  RequireWritable(command);
  QueuePlace place;
  const Queue old = LockQueue(arguments.Text(0, "queue_name"), &place);
  if (old.job.enabled == enabled) {
    return;
  }
  Queue queue = old;
  queue.job.enabled = enabled;
  if (enabled) {
    TellIfQueueHeldBack(queue);
  }
  queue.job.changed_at = GetCurrentTransactionStartTimestamp();
  catalog::UpdateJob(&place.job, queue.job);
  RecordChange(&old, &queue);
  catalog::NoteJobChanged(queue.job.job_id);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_create_queue);
PGDLLEXPORT Datum ratchet_create_queue(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::CreateQueue(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_alter_queue);
PGDLLEXPORT Datum ratchet_alter_queue(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::AlterQueue(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_drop_queue);
PGDLLEXPORT Datum ratchet_drop_queue(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return BoolGetDatum(ratchet::api::DropNamedQueue(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_pause_queue);
PGDLLEXPORT Datum ratchet_pause_queue(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] {
    ratchet::api::SetEnabled(ratchet::api::Arguments(fcinfo), false, "ratchet.pause_queue()");
  });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_resume_queue);
PGDLLEXPORT Datum ratchet_resume_queue(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] {
    ratchet::api::SetEnabled(ratchet::api::Arguments(fcinfo), true, "ratchet.resume_queue()");
  });
  PG_RETURN_VOID();
}

}  // extern "C"
