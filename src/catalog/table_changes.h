// What the option "watch" knows of tables: the server's cumulative statistics count the rows that
// are inserted, updated and deleted, without a trigger; the catalog knows which file a table has,
// which TRUNCATE and everything else that writes it anew changes.
//
// The counters of a session arrive here after its commit, at the latest when it is next idle or
// ends: a change may show late, and never before it can be seen. Counters that were lost (a crash,
// a reset) show as another epoch.
#pragma once

#include <unordered_map>
#include <vector>

#include "pg/server.h"
#include "policy/watch.h"

namespace ratchet::catalog {

// Marks of tables as of one moment: an object is good for one transaction. Throws PgError.
class TableChanges {
 public:
  // `version` is that of the job's definition. A table that is gone makes the mark uncertain; it is
  // then told in *missing (0: none is).
  policy::TableMark MarkOf(const std::vector<Oid>& tables, std::int32_t version, Oid* missing);

 private:
  struct Seen {
    bool exists;
    bool certain;
    std::uint64_t shape;
    std::int64_t changes;
  };
  const Seen& Look(Oid table);

  bool has_epoch_ = false;
  policy::TableMark epoch_;
  std::unordered_map<Oid, Seen> seen_;
};

// The part of a table in the shape of a mark; false when the table is not there. For use inside
// pg::Call.
bool ShapeOf(Oid table, std::uint64_t* shape);

// The tables whose rows are those of `table`: itself, its partitions and what inherits from it.
// Palloc'd. For use inside pg::Call.
struct List* WithDescendants(Oid table);

}  // namespace ratchet::catalog
