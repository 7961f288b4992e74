// Definitions as JSON, for ratchet.export_jobs() and ratchet.apply_jobs(): an object for each job,
// whose keys are the arguments of ratchet.schedule() and ratchet.schedule_batch(), and for each
// queue, whose keys are those of ratchet.create_queue() (see queue_document.h).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/option.h"
#include "catalog/job.h"

namespace ratchet::pg {
struct Row;
}

namespace ratchet::api {

// The columns of ratchet.job: an option's type is that of its column.
class JobColumns {
 public:
  JobColumns();  // Reads the catalog; throws PgError.

  struct Column {
    int number;
    Oid type;
  };
  // Raises an internal error for an option that has no column.
  Column Of(const Option& option) const;

 private:
  std::map<std::string, Column> columns_;
};

// A job's keys with their values as JSON, in the order of the arguments: what identifies it and
// what it does, and the options that are not at their defaults. It does not depend on settings of
// the session, and is the same in two databases that have the same job.
using JobMembers = std::vector<std::pair<std::string, std::string>>;
JobMembers MembersOf(const catalog::JobDefinition& job, const JobColumns& columns);
// JSON of a text, and of a value of an option; empty for a null.
std::string Escaped(const std::string& text);
std::string JsonOf(const pg::Row& row, int column, Oid type);
// {"job_name": …}
std::string ObjectOf(const JobMembers& members);

// A value in a document.
struct JsonMember {
  enum class Kind { kString, kNumber, kBoolean, kArray, kObject };
  std::string key;
  Kind kind;
  std::string text;                  // of a string its content, else JSON
  std::vector<std::string> strings;  // of an array
  bool all_strings;                  // of an array
};

// An element of a document: keys whose value is null count as not given.
struct JobElement {
  std::string job_name;
  bool is_queue = false;            // then job_name is its name
  std::vector<JsonMember> members;  // without the name

  // job "nightly"
  std::string Title() const;

  const JsonMember* Find(const char* key) const;
  bool Gives(const char* key) const { return Find(key) != nullptr; }
};

// Raises an error unless it is an array of objects with a job_name or a queue_name each, and none
// of them twice.
std::vector<JobElement> ReadDocument(Datum jsonb);

// The definition that it stands for: options that it does not give have their defaults. Errors name
// the key; whoever calls this says which job it is (see ForJob in apply_jobs.cpp). Those of the
// server have both in their context.
catalog::JobDefinition DefinitionOf(const JobElement& element, const JobColumns& columns);

// The value of a member as one of this type; an error that names the key if it is none.
Datum ValueOf(const JobElement& element, const JsonMember& member, Oid type);
// One that is a string.
std::string RequireString(const JsonMember& member);

}  // namespace ratchet::api
