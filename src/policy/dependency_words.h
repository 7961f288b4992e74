// Why a job waits for another one, in words.
#pragma once

#include <cstdint>
#include <string>

#include "policy/run.h"

namespace ratchet::policy {

// The parent for which the child waits. Runs: 0 for none.
struct MissingSuccess {
  std::string parent;
  bool exists = false;
  std::int64_t child_run = 0;   // the child's last run
  std::int64_t parent_run = 0;  // the parent's last one, and how it ended
  RunStatus parent_status = RunStatus::kQueued;
};

// It does not exist, or its last run did not do what it was to.
bool IsTrouble(const MissingSuccess& missing);

// job "load" has not succeeded since run 12: its last run 17 failed
std::string Reason(const MissingSuccess& missing);
// job "load", which has not succeeded since run 12: its last run 17 failed
std::string WhatItWaitsFor(const MissingSuccess& missing);

// job "load" failed (run 17)
std::string FailureOf(const std::string& job, std::int64_t run_id, RunStatus status);

}  // namespace ratchet::policy
