#include "worker/current_task.h"

namespace ratchet::worker {
namespace {

TaskHost* the_host = nullptr;

}  // namespace

TaskHost::TaskHost() { the_host = this; }
TaskHost::~TaskHost() { the_host = nullptr; }

InTask FindCurrentTask(CurrentTask* task) {
  return the_host != nullptr ? the_host->FindTask(task) : InTask::kNo;
}

bool IsInMyHands(std::int64_t task_id) { return the_host != nullptr && the_host->Holds(task_id); }

std::int64_t QueueInMyHands() { return the_host != nullptr ? the_host->queue_id() : 0; }

bool LetGoOfKey(std::int64_t task_id) { return the_host != nullptr && the_host->LetGo(task_id); }

}  // namespace ratchet::worker
