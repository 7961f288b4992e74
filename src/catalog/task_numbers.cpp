// Numbers of tasks come from their sequence alone: hundreds of sessions draw them at once, so that
// nobody can tell whether one is out of order. Once in a session it is compared with those in the
// tables: a sequence that was set back, or a restore, gives none of them twice.
#include "catalog/task.h"

#include <algorithm>

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/sequence.h"
#include "policy/numbers.h"

namespace ratchet::catalog {
namespace {

constexpr int kTaskId = 1;

// Inside pg::Call.
std::int64_t LargestIn(const pg::TableLayout& table, const char* index) {
  std::int64_t largest = 0;
  pg::IndexScan scan(table, index, AccessShareLock);
  scan.Begin(BackwardScanDirection);
  pg::Row row;
  while (largest == 0 && scan.Next(&row)) {
    CHECK_FOR_INTERRUPTS();
    if (row.Int64(kTaskId) <= policy::kGreatestNumber) {
      largest = row.Int64(kTaskId);
    }
  }
  scan.End();
  return largest;
}

// Inside pg::Call.
std::int64_t Next(Oid sequence) {
  static Oid known = InvalidOid;
  std::int64_t number = sequence == known ? pg::DrawNumber(sequence) : pg::NextNumber(sequence);
  if (sequence != known || number > policy::kGreatestNumber) {
    const std::int64_t highest = std::max(LargestIn(kTaskTable, "task_pkey"),
                                          LargestIn(kFinishedTaskTable, "finished_task_pkey"));
    if (number > policy::kGreatestNumber || number <= highest) {
      number = pg::NextNumberAfter(sequence, highest);
    }
    known = sequence;
  }
  return number;
}

}  // namespace

std::int64_t NextTaskId() {
  return pg::Call([] { return Next(pg::OpenSequence("task_id_seq")); });
}

void NextTaskIds(int count, std::vector<std::int64_t>* numbers) {
  pg::Call([=] {
    const Oid sequence = pg::OpenSequence("task_id_seq");
    for (int i = 0; i < count; i++) {
      numbers->push_back(Next(sequence));
    }
  });
}

}  // namespace ratchet::catalog
