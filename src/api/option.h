// The options of a job: one table for all functions that take them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/argument.h"
#include "catalog/job.h"

namespace ratchet::api {

enum OptionJobs { kAllJobs, kBatchJobs };

struct Option {
  const char* name;
  const char* type;  // in SQL, that of its column in ratchet.job
  OptionJobs jobs;   // that have it
  // Reads the value; throws when it is not a sensible one.
  void (*set)(catalog::JobDefinition* job, Datum value, const char* name);
  // Takes the option over from another definition.
  void (*copy)(catalog::JobDefinition* to, const catalog::JobDefinition& from);
};

// Microseconds of an interval that a definition can have, and that is at least `shortest` (0 or a
// millisecond) long; else throws.
std::int64_t SpanIn(Datum value, const char* name, std::int64_t shortest);

// All of them, in the order in which people read them; those that only a batch job has come last.
std::span<const Option> Options();
std::span<const Option> BatchOptions();
// Null when there is none of that name.
const Option* FindOption(const std::string& name);
// "time_zone, overlap, …"
std::string OptionNames(std::span<const Option> options);

// The options among a call's arguments: they follow each other in the table's order, and the batch
// job's ones come last.
class OptionArguments {
 public:
  enum class Kind { kPlainJob, kAnyJob };

  OptionArguments(const Arguments& arguments, int first, Kind kind);

  // Sets those that are not null.
  void SetIn(catalog::JobDefinition* job) const;
  // Gives the options of these names their defaults back. None of them may be given as well.
  void Reset(const std::vector<std::string>& names, catalog::JobDefinition* job) const;
  bool Gives(const char* name) const;
  // The first option that only a batch job has among those that are given or in `reset`; null when
  // there is none.
  const char* BatchOption(const std::vector<std::string>& reset) const;
  // The argument behind them.
  int end() const { return first_ + count_; }

 private:
  bool IsNull(int option) const { return arguments_.IsNull(first_ + option); }

  const Arguments& arguments_;
  int first_;
  int count_;
};

}  // namespace ratchet::api
