// What a run itself changes in the tables that its job watches.
//
// It must never be counted too high: a change of somebody else's would be taken for the run's. What
// is lost of it (with the process) only makes the job run once more.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"
#include "policy/watch.h"

namespace ratchet::worker {

class OwnChanges {
 public:
  OwnChanges() = default;
  OwnChanges(const OwnChanges&) = delete;
  OwnChanges& operator=(const OwnChanges&) = delete;

  // Before the run's first transaction, outside of any: what is left of earlier runs in this
  // process is not this one's.
  static void ReportEarlier();
  // In the first transaction, before the run has changed anything: which tables it is about.
  void Watch(const std::vector<Oid>& tables);

  // In the place of pgstat_report_stat(), which loses sight of what it reports: outside of
  // transactions.
  long ReportStatistics(bool force);

  // At the run's end, outside of a transaction: the server's statistics then know all of it.
  policy::OwnChanges End();

  // For the transaction callbacks. A file that a transaction makes for a table is its own.
  void NoteNewFilesBeforeCommit();
  void NoteNewFilesAtCommit();
  void ForgetNewFilesAtAbort();

 private:
  struct Table {
    Oid table;
    std::uint64_t shape;      // with the files of the transactions that have committed
    std::uint64_t new_shape;  // the same with those of the one that is about to commit
    std::int64_t unreported;  // rows that are counted here and not reported yet
  };
  void CountRows();

  std::vector<Table> tables_;
  policy::OwnChanges changes_{};
};

}  // namespace ratchet::worker
