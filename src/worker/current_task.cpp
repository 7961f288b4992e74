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

}  // namespace ratchet::worker
