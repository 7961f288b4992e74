// ratchet.create_alert(), ratchet.alter_alert() and ratchet.drop_alert()
#include <algorithm>

#include "api/argument.h"
#include "api/channel_access.h"
#include "api/job_check.h"
#include "api/option.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "api/text_list.h"
#include "catalog/alert.h"
#include "catalog/commit_notice.h"
#include "catalog/queue.h"
#include "policy/alert_event.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
}

namespace ratchet::api {
namespace {

using catalog::Alert;

// Of both functions; alter_alert has `reset` behind them.
enum Argument {
  kName,
  kChannels,
  kEvents,
  kJobs,
  kTags,
  kQueues,
  kAfterFailures,
  kGroupWait,
  kRepeatEvery,
  kResolved,
  kBacklog,
  kReset,
};

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

// In an order that is the same for everybody, for their rows are held. A channel is not dropped
// before the alert that uses it is seen.
void RequireChannels(const Alert& alert) {
  if (alert.channels.empty()) {
    Refuse("channels must not be empty");
  }
  std::vector<std::string> names = alert.channels;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    ItemPointerData tid;
    LockChannel(name, &tid);
  }
}

void CheckEvents(const Alert& alert) {
  if (alert.events.empty()) {
    Refuse("events must not be empty", "The events are " + policy::AlertEventNames() + ".");
  }
  for (const std::string& name : alert.events) {
    const auto event = policy::AlertEventOf(name);
    if (!event) {
      Refuse("unknown event \"" + name.substr(0, 60) + "\"",
             "The events are " + policy::AlertEventNames() + ".");
    }
    const bool may_watch = !policy::IsOfServer(*event) ||
                           pg::Call([] { return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR); });
    if (!may_watch) {
      throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                      "permission denied for event \"" + name + "\"",
                      "What is about the server is for superusers and members of pg_monitor.");
    }
  }
}

// Names of what is not there yet are taken as they are.
void RequireMayWatch(const Alert& alert) {
  for (const std::string& name : alert.jobs) {
    const auto job = catalog::FindJobByName(name);
    if (job && !job->is_queue) {
      RequireMayManage(*job);
    }
  }
  for (const std::string& name : alert.queues) {
    const auto job = catalog::FindJobByName(catalog::JobNameOf(name));
    if (job && job->is_queue && !MayManage(job->owner)) {
      throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of queue \"" + name + "\"");
    }
  }
}

void SetList(const Arguments& arguments, int argument, const char* name, bool* has,
             std::vector<std::string>* list) {
  if (arguments.IsNull(argument)) {
    return;
  }
  *list = NamesIn(arguments, argument, name);
  *has = true;
  if (list->empty()) {
    Refuse(std::string(name) + " must not be empty",
           "Where jobs, tags and queues are all left out, it is for everything that you may "
           "manage.");
  }
}

// Those that are given.
void SetIn(const Arguments& arguments, Alert* alert) {
  if (!arguments.IsNull(kChannels)) {
    alert->channels = NamesIn(arguments, kChannels, "channels");
  }
  if (!arguments.IsNull(kEvents)) {
    alert->events = NamesIn(arguments, kEvents, "events");
  }
  SetList(arguments, kJobs, "jobs", &alert->has_jobs, &alert->jobs);
  SetList(arguments, kTags, "tags", &alert->has_tags, &alert->tags);
  SetList(arguments, kQueues, "queues", &alert->has_queues, &alert->queues);
  if (!arguments.IsNull(kAfterFailures)) {
    alert->after_failures = DatumGetInt32(arguments.Value(kAfterFailures));
    if (alert->after_failures < 1) {
      Refuse("after_failures must be at least 1");
    }
  }
  if (!arguments.IsNull(kGroupWait)) {
    alert->group_wait = SpanIn(arguments.Value(kGroupWait), "group_wait", 0);
  }
  if (!arguments.IsNull(kRepeatEvery)) {
    alert->repeat_every =
        SpanIn(arguments.Value(kRepeatEvery), "repeat_every", calendar::kMillisecond);
  }
  alert->resolved = arguments.BoolOr(kResolved, alert->resolved);
  if (!arguments.IsNull(kBacklog)) {
    alert->backlog = SpanIn(arguments.Value(kBacklog), "backlog", calendar::kMillisecond);
  }
}

void Reset(const std::vector<std::string>& names, Alert* alert) {
  for (const std::string& name : names) {
    if (name == "jobs") {
      alert->has_jobs = false;
      alert->jobs.clear();
    } else if (name == "tags") {
      alert->has_tags = false;
      alert->tags.clear();
    } else if (name == "queues") {
      alert->has_queues = false;
      alert->queues.clear();
    } else if (name == "repeat_every") {
      alert->repeat_every = 0;
    } else {
      Refuse("unknown option \"" + name + "\" in reset",
             "Those that can be left out are jobs, tags, queues and repeat_every.");
    }
  }
}

void Check(const Alert& alert) {
  CheckEvents(alert);
  RequireMayWatch(alert);
  RequireChannels(alert);
}

void TellIfAlertHeldBack(const Alert& alert) {
  if (alert.quarantined) {
    pg::Call([&alert] {
      ereport(NOTICE, (errmsg("alert \"%s\" is held back, because it was not written by pg_ratchet "
                              "in this database",
                              alert.alert_name.c_str()),
                       errhint("A superuser lets it go by SELECT ratchet.adopt().")));
    });
  }
}

std::int64_t CreateAlert(const Arguments& arguments) {
  RequireWritable("ratchet.create_alert()");
  Alert alert;
  alert.alert_name = arguments.Text(kName, "alert_name");
  CheckName(alert.alert_name, "alert_name");
  if (arguments.IsNull(kChannels) || arguments.IsNull(kEvents)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "channels and events must not be null");
  }
  SetIn(arguments, &alert);
  alert.owner = GetUserId();
  RefuseSender(alert.owner);
  alert.created_at = alert.changed_at = GetCurrentTransactionStartTimestamp();
  Check(alert);
  if (!catalog::InsertAlert(&alert)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT, "alert \"" + alert.alert_name + "\" already exists",
                    "ratchet.alter_alert() changes it.");
  }
  catalog::NoteMessagesChanged();
  return alert.alert_id;
}

Alert LockAlert(const std::string& name, ItemPointer tid) {
  for (ItemPointer place : {static_cast<ItemPointer>(nullptr), tid}) {
    const auto alert = catalog::FindAlertByName(name, place);
    if (!alert) {
      throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "alert \"" + name + "\" does not exist");
    }
    if (!MayManage(alert->owner)) {
      throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of alert \"" + name + "\"");
    }
    if (place != nullptr) {
      return *alert;
    }
  }
  return {};
}

void AlterAlert(const Arguments& arguments) {
  RequireWritable("ratchet.alter_alert()");
  ItemPointerData tid;
  Alert alert = LockAlert(arguments.Text(kName, "alert_name"), &tid);
  SetIn(arguments, &alert);
  Reset(NamesIn(arguments, kReset, "reset"), &alert);
  alert.changed_at = GetCurrentTransactionStartTimestamp();
  Check(alert);
  catalog::UpdateAlert(&tid, alert);
  TellIfAlertHeldBack(alert);
  catalog::NoteMessagesChanged();
}

void DropAlert(const Arguments& arguments) {
  RequireWritable("ratchet.drop_alert()");
  ItemPointerData tid;
  LockAlert(arguments.Text(kName, "alert_name"), &tid);
  catalog::DeleteAlert(&tid);
  catalog::NoteMessagesChanged();
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_create_alert);
PGDLLEXPORT Datum ratchet_create_alert(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::CreateAlert(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_alter_alert);
PGDLLEXPORT Datum ratchet_alter_alert(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::AlterAlert(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_drop_alert);
PGDLLEXPORT Datum ratchet_drop_alert(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::DropAlert(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
