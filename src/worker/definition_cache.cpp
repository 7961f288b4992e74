#include "worker/definition_cache.h"

#include <unordered_map>

#include "pg/guard.h"
#include "pg/relation_changes.h"
#include "pg/table.h"

extern "C" {
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/plancache.h"
}

namespace ratchet::worker {
namespace {

// A worker may go round thousands of small jobs.
constexpr std::size_t kMostBytes = 4UL * 1024 * 1024;
constexpr std::size_t kOverhead = 512;  // of a definition: the nodes and small blocks that hold it

struct Key {
  std::int64_t job_id;
  std::int32_t version;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return static_cast<std::size_t>(key.job_id) * 31 + static_cast<std::size_t>(key.version);
  }
};

struct Cache {
  std::unordered_map<Key, Definition, KeyHash> definitions;
  std::size_t bytes = 0;
};

// Versions never change, but ids begin again when the extension is dropped and created anew.
Oid table = InvalidOid;
bool table_changed = false;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  if (relation == table || relation == InvalidOid) {
    table_changed = true;
  }
}

// Never destroyed: nothing of C++ may run when the process exits.
Cache& TheCache() {
  static auto* cache = new Cache();
  return *cache;
}

void Empty(Cache& cache) {
  cache.definitions.clear();
  cache.bytes = 0;
  pg::Call([] {
    static bool registered = false;
    if (!registered) {
      pg::OnRelationChange(AtInvalidation);
      registered = true;
    }
    table = pg::TableOid("job_version");
  });
  table_changed = false;
}

// About so much. The settings are there as text, too.
std::size_t BytesOf(const Definition& definition) {
  const catalog::JobVersion& version = definition.version;
  return sizeof(Definition) + kOverhead + version.command.size() + version.source.size() +
         version.action.size() + version.only_if.size() + version.payload.size() +
         2 * version.settings.size();
}

}  // namespace

const Definition& DefinitionOf(std::int64_t job_id, std::int32_t version) {
  Cache& cache = TheCache();
  const Key key{job_id, version};
  if (!OidIsValid(table) || table_changed || cache.bytes >= kMostBytes) {
    Empty(cache);
  }
  if (const auto found = cache.definitions.find(key); found != cache.definitions.end()) {
    return found->second;
  }
  std::optional<catalog::JobVersion> read = catalog::FindJobVersion(job_id, version);
  if (!read) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "version " + std::to_string(version) + " of job " + std::to_string(job_id) +
                        " does not exist",
                    {},
                    "The definition that the run has pinned is not in ratchet.job_version, or was "
                    "not written by pg_ratchet.");
  }
  // A worker is one role, and runs nothing of another one.
  if (read->owner != GetSessionUserId()) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE, "version " + std::to_string(version) +
                                                        " of job " + std::to_string(job_id) +
                                                        " belongs to another role");
  }
  Definition definition{std::move(*read), {}};
  definition.settings = ParseSettings(definition.version.settings);
  cache.bytes += BytesOf(definition);
  return cache.definitions.emplace(key, std::move(definition)).first->second;
}

void ForgetPlansOfOthers(std::int64_t job_id, std::int32_t version) {
  static Key last{};
  const Key key{job_id, version};
  if (key == last) {
    return;
  }
  pg::Call([] { ResetPlanCache(); });
  last = key;
}

}  // namespace ratchet::worker
