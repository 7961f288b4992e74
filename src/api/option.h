// The options of a job: one table for all functions that take them.
#pragma once

#include <string>
#include <vector>

#include "api/argument.h"
#include "catalog/job.h"

namespace ratchet::api {

struct Option {
  const char* name;
  // Reads the value; throws when it is not a sensible one.
  void (*set)(catalog::JobDefinition* job, Datum value, const char* name);
  // Takes the option over from another definition.
  void (*copy)(catalog::JobDefinition* to, const catalog::JobDefinition& from);
};

// How many arguments of a function are options: they follow each other in the table's order, which
// has those of batch jobs at its end.
extern const int kOptionCount;
extern const int kCommonOptionCount;  // without those of batch jobs

// Sets the options that are not null in the call's `count` arguments from `first` on.
void SetOptions(const Arguments& arguments, int first, int count, catalog::JobDefinition* job);

// Raises an error when an option of batch jobs is given; all options must be arguments of the call.
void RefuseBatchOptions(const Arguments& arguments, int first);

// Gives the options of these names their defaults back. None of them may be among the arguments as
// well.
void ResetOptions(const std::vector<std::string>& names, const Arguments& arguments, int first,
                  catalog::JobDefinition* job);

// Whether the option is given in the call.
bool IsGiven(const char* name, const Arguments& arguments, int first);

}  // namespace ratchet::api
