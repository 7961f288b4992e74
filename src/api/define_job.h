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

// Makes the job, or redefines the one of that name: options that are not given have their defaults
// in `job`, but for the two that stay as they are unless they are given. `search_path` is that of
// the session unless there is one. Checks everything, and raises what is wrong.
Defined DefineJob(catalog::JobDefinition job, bool gives_enabled, bool gives_owner,
                  const std::string* search_path = nullptr);

// The job is there, locked by its name, and the caller may manage it.
void DropJob(const catalog::JobDefinition& job, ItemPointer tid);

}  // namespace ratchet::api
