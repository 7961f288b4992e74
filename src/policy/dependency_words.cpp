#include "policy/dependency_words.h"

namespace ratchet::policy {
namespace {

std::string Verb(RunStatus status) {
  switch (status) {
    case RunStatus::kTimedOut:
      return "timed out";
    case RunStatus::kCanceled:
      return "was canceled";
    case RunStatus::kSkipped:
      return "was skipped";
    case RunStatus::kPartial:
      return "was partial";
    default:
      return std::string(Name(status));
  }
}

bool EndedBadly(RunStatus status) { return IsFailure(status) || status == RunStatus::kCanceled; }

std::string Quoted(const std::string& job) { return "job \"" + job + "\""; }

std::string Predicate(const MissingSuccess& missing) {
  if (!missing.exists) {
    return "does not exist";
  }
  std::string text = "has not succeeded since ";
  text +=
      missing.child_run != 0 ? "run " + std::to_string(missing.child_run) : "this job was defined";
  if (missing.parent_run != 0 && missing.parent_status != RunStatus::kSucceeded) {
    text +=
        ": its last run " + std::to_string(missing.parent_run) + " " + Verb(missing.parent_status);
  }
  return text;
}

}  // namespace

bool IsTrouble(const MissingSuccess& missing) {
  return !missing.exists || EndedBadly(missing.parent_status);
}

std::string Reason(const MissingSuccess& missing) {
  return Quoted(missing.parent) + " " + Predicate(missing);
}

std::string WhatItWaitsFor(const MissingSuccess& missing) {
  return Quoted(missing.parent) + ", which " + Predicate(missing);
}

std::string FailureOf(const std::string& job, std::int64_t run_id, RunStatus status) {
  return Quoted(job) + " " + Verb(status) + " (run " + std::to_string(run_id) + ")";
}

}  // namespace ratchet::policy
