// The option "watch": has one of a job's tables changed since its last success?
//
// A mark is what was seen of the tables at one moment. The mark of a success is the one that was
// seen before its run started, so that a change which the run did not see makes another mark. What
// the run itself has changed is added: it is not news to the job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/run.h"

namespace ratchet::policy {

struct TableMark {
  bool certain = false;             // false: nothing can be said; it differs from every mark
  std::int64_t server_epoch = 0;    // when the server's statistics were last lost
  std::int64_t database_epoch = 0;  // when some of the database were last reset
  std::uint64_t shape = 0;          // which tables, partitions and files, in which definition
  std::int64_t changes = 0;         // rows inserted, updated and deleted, ever

  // Empty for one that is not certain.
  std::string Encode() const;
  // Not certain for anything that Encode() has not written.
  static TableMark Decode(std::string_view text);
};

// What a run has added to the marks of its tables. Trivial: it travels in shared memory.
struct OwnChanges {
  std::int64_t changes;
  std::uint64_t shape;  // modulo 2^64
};

// Part of TableMark::shape; the parts are added modulo 2^64, so that their order does not matter
// and one can be exchanged for another.
std::uint64_t ShapePart(std::uint64_t a, std::uint64_t b, std::uint64_t c);

class Watch {
 public:
  // After a start of the scheduler, which knows of the runs before it only how the last one ended
  // (kQueued: there was none) and the mark of the last success.
  void Resume(const TableMark& success, RunStatus last_status);

  bool Changed(const TableMark& now) const;

  // The mark that counts for a run which starts now. One that may go on with what an earlier run
  // has left behind has seen no more than that one had.
  TableMark AtStart(const TableMark& now) const { return unsettled_.value_or(now); }

  // The run has ended. `seen` is what AtStart() said, nullopt if that is not known any more. True
  // when success() has changed.
  bool AfterRun(RunStatus status, const std::optional<TableMark>& seen, const OwnChanges& own);

  const TableMark& success() const { return success_; }

 private:
  TableMark success_;
  // Of the first run since the last success that did not succeed.
  std::optional<TableMark> unsettled_;
};

}  // namespace ratchet::policy
