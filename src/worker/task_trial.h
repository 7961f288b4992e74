// A task tried in the session of its queue's owner: its handler is executed, and all that it has
// done is rolled back.
#pragma once

#include <cstdint>

#include "catalog/job.h"
#include "catalog/run_error.h"
#include "catalog/task.h"
#include "worker/current_task.h"

namespace ratchet::worker {

struct TrialResult {
  std::int64_t rows = 0;
  std::int64_t micros = 0;
  std::int64_t wal_bytes = 0;
  catalog::RunError error;  // with which it has failed; sqlstate 0: it has not
  TaskWish wish;
};

// Inside of any statement. The session has the rights of the owner. An error that is not the
// task's, such as a cancel, is thrown.
TrialResult TryTask(const catalog::JobDefinition& queue, const catalog::Task& task,
                    const std::string& payload);

}  // namespace ratchet::worker
