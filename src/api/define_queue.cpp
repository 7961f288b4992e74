#include "api/define_queue.h"

#include "api/held_back.h"
#include "api/job_change.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/not_loaded.h"
#include "api/privilege.h"
#include "board/board.h"
#include "catalog/commit_notice.h"
#include "catalog/drop_lock.h"
#include "catalog/finished_task.h"
#include "catalog/home.h"
#include "catalog/job_version.h"
#include "catalog/task.h"
#include "pg/guard.h"
#include "worker/current_task.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

// A queue of another role that the caller may manage is not changed by accident.
void RefuseAnothers(const Queue& old, Given given, AnothersJob anothers_queue) {
  RequireRight(old, QueueRight::kManage);
  if (given.owner || anothers_queue == AnothersJob::kRedefined || old.job.owner == GetUserId()) {
    return;
  }
  throw pg::Error(
      ERRCODE_DUPLICATE_OBJECT,
      "queue \"" + old.name() + "\" already exists, and belongs to role " +
          QuotedRoleName(old.job.owner),
      "To change that queue, name its owner by run_as. A queue of your own needs another name.");
}

// A job may have the name under which the queue's runs are recorded.
void RefuseNameOfJob(const std::string& job_name, const std::string& queue_name) {
  if (catalog::FindJobByName(job_name)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT, "job \"" + job_name + "\" already exists",
                    "Rename the job, or give the queue another name.",
                    "The runs of queue \"" + queue_name + "\" are recorded under that name.");
  }
}

// Who makes the requests of a queue is a program outside, and a handler would take its tasks.
void RefuseHandlerBesideRequests(const Queue& queue) {
  if (!queue.own.http.empty() && !queue.job.action.empty()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "a queue has either a handler or the option http",
                    "Of a queue with http each task is a request, which ratchet send makes.");
  }
}

void Insert(Queue* queue, const std::string& search_path) {
  CompleteJob(&queue->job, nullptr, search_path);
  if (catalog::SettleIfEmpty(GetCurrentTransactionStartTimestamp())) {
    catalog::NoteEverythingChanged();
  } else {
    TellIfHeldBack(queue->job);
  }
  catalog::InsertJob(&queue->job);
  queue->own.queue_id = queue->job.job_id;
  catalog::InsertQueue(queue->own);
  RecordChange(nullptr, queue);
  catalog::NoteJobChanged(queue->job.job_id);
}

// Whose it is, is looked at before anything is waited for.
void LookBeforeLock(const Queue& queue, Given given, AnothersJob anothers_queue) {
  const auto seen = FindQueue(queue.name());
  if (seen) {
    RefuseAnothers(*seen, given, anothers_queue);
  }
  const Oid owner = seen                          ? seen->job.owner
                    : OidIsValid(queue.job.owner) ? queue.job.owner
                                                  : GetUserId();
  catalog::LockJobName(queue.job.job_name, owner);
}

// What stays as it is, whatever is given.
void KeepIdentity(Queue* queue, const Queue& old) {
  queue->job.job_id = old.job.job_id;
  queue->job.version = old.job.version;
  queue->job.schedule_since = old.job.schedule_since;
  queue->job.created_at = old.job.created_at;
  queue->job.changed_at = old.job.changed_at;
  queue->job.quarantined = old.job.quarantined;
  queue->own.queue_id = old.own.queue_id;
  queue->own.quarantined = old.own.quarantined;
}

}  // namespace

void CheckQueueName(const std::string& name, const char* argument) {
  CheckName(name, argument);
  const std::size_t longest = board::kNameSize - 1 - catalog::JobNameOf("").size();
  if (name.size() > longest) {
    throw pg::Error(
        ERRCODE_INVALID_PARAMETER_VALUE,
        std::string(argument) + " must not be longer than " + std::to_string(longest) + " bytes");
  }
}

DefinedQueue DefineQueue(Queue queue, Given given, AnothersJob anothers_queue) {
  RefuseHandlerBesideRequests(queue);
  WarnIfNotLoaded();
  const std::string path = SearchPathOfSession();
  queue.job.job_name = catalog::JobNameOf(queue.name());
  LookBeforeLock(queue, given, anothers_queue);
  QueuePlace place;
  std::optional<Queue> old = FindQueue(queue.name());
  if (!old) {
    catalog::RefuseTakenName(queue.job.job_name,
                             OidIsValid(queue.job.owner) ? queue.job.owner : GetUserId());
    RefuseNameOfJob(queue.job.job_name, queue.name());
    Insert(&queue, path);
    return {std::move(old), std::move(queue), true};
  }
  old = LockQueue(queue.name(), &place);
  RefuseAnothers(*old, given, anothers_queue);
  KeepIdentity(&queue, *old);
  // Who deploys the same script again neither resumes what was paused nor takes the queue over.
  if (!given.enabled) {
    queue.job.enabled = old->job.enabled;
  }
  if (!given.owner) {
    queue.job.owner = old->job.owner;
  }
  const bool changed = RedefineQueue(&queue, *old, place, path);
  return {std::move(old), std::move(queue), changed};
}

bool RedefineQueue(Queue* queue, const Queue& old, QueuePlace place,
                   const std::string& search_path) {
  RefuseHandlerBesideRequests(*queue);
  const bool changed = CompleteJob(&queue->job, &old.job, search_path);
  if (!changed && queue->own == old.own) {
    return false;
  }
  TellIfQueueHeldBack(*queue);
  if (!changed) {
    queue->job.changed_at = GetCurrentTransactionStartTimestamp();
  }
  catalog::UpdateJob(&place.job, queue->job);
  if (!(queue->own == old.own)) {
    catalog::UpdateQueue(&place.own, queue->own);
  }
  RecordChange(&old, queue);
  catalog::NoteJobChanged(queue->job.job_id);
  return true;
}

void DropQueue(const Queue& queue, QueuePlace place, bool force) {
  const std::int64_t queue_id = queue.own.queue_id;
  if (worker::QueueInMyHands() == queue_id) {
    throw pg::Error(ERRCODE_OBJECT_IN_USE,
                    "queue \"" + queue.name() + "\" cannot be dropped by its own handler",
                    "ratchet.pause_queue() keeps further tasks from being started.");
  }
  // From here to the end of the transaction nobody enqueues.
  catalog::LockQueueForDrop(queue_id, queue.name());
  if (!force && catalog::HasTasks(queue_id)) {
    throw pg::Error(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                    "queue \"" + queue.name() + "\" has tasks that are not finished",
                    "Use force => true to drop them as well.");
  }
  catalog::DeleteQueue(&place.own);
  catalog::DeleteJob(&place.job);
  RecordChange(&queue, nullptr);
  catalog::KeepHistoryOf(queue.job);
  catalog::NoteJobChanged(queue_id);
  catalog::DeleteTasksOf(queue_id);
  catalog::DeleteFinishedTasksOf(queue_id);
}

}  // namespace ratchet::api
