// Whether a snapshot is older than the definitions by which it has been used.
//
// The server reads definitions as they are now, and rows as of a snapshot. Where a definition is
// newer than the snapshot, rows that have been there all the time may not be seen: a table that
// another transaction has rewritten (ALTER TABLE ... TYPE, TRUNCATE and filled again) has a new
// file, in which every row is younger than the snapshot; the same for a view, a partition or a
// function that from now on leads to where rows have been moved. That happens wherever a snapshot
// is taken before the lock: under repeatable read, and in read committed inside of STABLE
// functions. Nothing fails then; the rows are just missing.
//
// What has changed is learned from the server's invalidation messages, which come to every process
// before it can use a new definition. So it costs nothing where nothing is changed.
#pragma once

#include <string>

#include "pg/guard.h"

extern "C" {
#include "utils/resowner.h"
#include "utils/snapshot.h"
}

namespace ratchet::pg {

// What was read has to be read again, by a new snapshot, in a new transaction. Nothing has failed
// in the present one.
class OldSnapshot : public Error {
 public:
  explicit OldSnapshot(const std::string& what);
};

class SnapshotWatch {
 public:
  SnapshotWatch() = default;
  SnapshotWatch(const SnapshotWatch&) = delete;
  SnapshotWatch& operator=(const SnapshotWatch&) = delete;

  // Once in a process, before the transaction begins in which an object of this class is used
  // first: from then on it is known what is changed.
  static void Install();

  // In a transaction, before anything is read that matters. What was begun in an earlier
  // transaction that was rolled back is forgotten.
  void Begin();
  // Throws OldSnapshot when a relation on which the transaction has a lock, or a function, is newer
  // than the snapshot; with `any_relation` also one on which it has no lock any more. What the
  // transaction itself has changed does not count.
  void Check(bool any_relation);
  // Before the commit.
  void End();

 private:
  Snapshot snapshot_ = nullptr;
  ResourceOwner owner_ = nullptr;
};

}  // namespace ratchet::pg
