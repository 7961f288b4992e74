#include "api/queue_access.h"

#include <algorithm>

#include "api/channel_access.h"
#include "api/held_back.h"
#include "api/privilege.h"
#include "calendar/interval.h"
#include "pg/guard.h"
#include "pg/near_name.h"

extern "C" {
#include "miscadmin.h"
#include "utils/acl.h"
}

namespace ratchet::api {
namespace {

// What was not written by the library says nothing of who may do what.
bool IsAmong(const Queue& queue, const std::vector<Oid>& roles) {
  return !queue.quarantined() && pg::Call([&roles] {
    const Oid user = GetUserId();
    for (const Oid role : roles) {
      if (has_privs_of_role(user, role)) {
        return true;
      }
    }
    return false;
  });
}

const char* HintFor(QueueRight right) {
  switch (right) {
    case QueueRight::kEnqueue:
      return "Its owner lets a role enqueue by the option producers of ratchet.alter_queue().";
    case QueueRight::kClaim:
      return "Its owner lets a role claim by the option consumers of ratchet.alter_queue().";
    default:
      return "";
  }
}

std::optional<Queue> WithJob(std::optional<catalog::QueueDefinition> own, ItemPointer job_tid) {
  if (!own) {
    return std::nullopt;
  }
  std::optional<catalog::JobDefinition> job = catalog::FindJob(own->queue_id, job_tid);
  if (!job || !job->is_queue) {
    return std::nullopt;
  }
  return Queue{*std::move(job), *std::move(own)};
}

// Of those with which the caller could have done it.
pg::NearName NearQueue(const std::string& queue_name, QueueRight right) {
  std::vector<catalog::QueueDefinition> all;
  catalog::ScanQueues(
      [](void* argument, const catalog::QueueDefinition& queue) {
        static_cast<std::vector<catalog::QueueDefinition>*>(argument)->push_back(queue);
      },
      &all);
  pg::NearName near(queue_name);
  for (catalog::QueueDefinition& own : all) {
    if (!near.IsNearer(own.queue_name)) {
      continue;
    }
    const std::optional<Queue> queue = WithJob(std::move(own), nullptr);
    if (queue && HasRight(*queue, right)) {
      near.Offer(queue->name());
    }
  }
  return near;
}

}  // namespace

bool HasRight(const Queue& queue, QueueRight right) {
  return MayManage(queue.job.owner) ||
         (right == QueueRight::kEnqueue && IsAmong(queue, queue.own.producers)) ||
         (right == QueueRight::kClaim && IsAmong(queue, queue.own.consumers)) ||
         (right == QueueRight::kClaim && !queue.own.http.empty() && !queue.quarantined() &&
          IsSender(GetUserId()));
}

void RequireRight(const Queue& queue, QueueRight right) {
  if (HasRight(queue, right)) {
    return;
  }
  throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                  right == QueueRight::kManage
                      ? "must be owner of queue \"" + queue.name() + "\""
                      : "permission denied for queue \"" + queue.name() + "\"",
                  HintFor(right));
}

std::optional<Queue> FindQueue(const std::string& queue_name) {
  return WithJob(catalog::FindQueueByName(queue_name), nullptr);
}

std::optional<Queue> FindQueue(std::int64_t queue_id) {
  return WithJob(catalog::FindQueue(queue_id), nullptr);
}

void NoSuchQueue(const std::string& queue_name, QueueRight right) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "queue \"" + queue_name + "\" does not exist",
                  NearQueue(queue_name, right).Hint("queue"));
}

Queue RequireQueue(const std::string& queue_name, QueueRight right) {
  std::optional<Queue> queue = FindQueue(queue_name);
  if (!queue) {
    NoSuchQueue(queue_name, right);
  }
  RequireRight(*queue, right);
  return *std::move(queue);
}

std::optional<Queue> LockQueueIfAny(const std::string& queue_name, QueuePlace* place) {
  const std::string job_name = catalog::JobNameOf(queue_name);
  const auto seen = FindQueue(queue_name);
  if (seen) {
    RequireRight(*seen, QueueRight::kManage);
  }
  // The owner of a queue that is there may be none: its role was dropped.
  const Oid owner = seen ? seen->job.owner : catalog::OwnerOfName(job_name);
  if ((!seen && !OidIsValid(owner)) || !MayManage(owner)) {
    return std::nullopt;
  }
  catalog::LockJobName(job_name, owner);
  std::optional<Queue> queue =
      WithJob(catalog::FindQueueByName(queue_name, &place->own), &place->job);
  if (queue) {
    RequireRight(*queue, QueueRight::kManage);
  }
  return queue;
}

Queue LockQueue(const std::string& queue_name, QueuePlace* place) {
  std::optional<Queue> queue = LockQueueIfAny(queue_name, place);
  if (!queue) {
    NoSuchQueue(queue_name, QueueRight::kManage);
  }
  return *std::move(queue);
}

void CheckLease(const Queue& queue, std::int64_t lease) {
  if (!queue.own.http.empty() && lease > std::max(calendar::kDay, queue.own.lease)) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "lease of a task that is a request must not be longer than 1 day",
                    "The option lease of the queue may be longer.");
  }
}

void TellIfQueueHeldBack(const Queue& queue) {
  if (queue.quarantined()) {
    pg::Call([&queue] {
      ereport(NOTICE, (errmsg("queue \"%s\" is held back, because it was not written by pg_ratchet "
                              "in this database",
                              queue.name().c_str()),
                       errhint("A superuser lets it run by SELECT ratchet.adopt().")));
    });
  } else {
    TellIfHeldBack(queue.job);
  }
}

}  // namespace ratchet::api
