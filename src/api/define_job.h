// What ratchet.schedule() does with a definition, for all who define or drop jobs.
#pragma once

#include <optional>

#include "catalog/job.h"

namespace ratchet::api {

struct Defined {
  std::optional<catalog::JobDefinition> old;  // none: the job is new
  catalog::JobDefinition now;
  bool changed;  // always true for a new one
};

// Which options were given, of the two that stay as they are unless they are.
struct Given {
  bool enabled;
  bool owner;
};

// Whether a job of another role is redefined although its owner was not given.
enum class AnothersJob { kRefused, kRedefined };

// Makes the job, or redefines the one of that name: options that are not given have their defaults
// in `job`. Checks everything, and raises what is wrong.
Defined DefineJob(catalog::JobDefinition job, Given given, AnothersJob anothers_job);

// The job is there, locked by its name, and the caller may manage it.
void DropJob(const catalog::JobDefinition& job, ItemPointer tid);

}  // namespace ratchet::api
