#include "catalog/row_numbers.h"

#include "pg/sequence.h"
#include "pg/table.h"
#include "policy/numbers.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {

std::int64_t NextRowNumber(const pg::TableLayout& table, const char* primary_key, int column,
                           const char* sequence) {
  std::int64_t newest = 0;
  pg::IndexScan scan(table, primary_key, AccessShareLock);
  scan.Begin(BackwardScanDirection);
  pg::Row row;
  while (newest == 0 && scan.Next(&row)) {
    CHECK_FOR_INTERRUPTS();
    if (row.Int64(column) <= policy::kGreatestNumber) {
      newest = row.Int64(column);
    }
  }
  scan.End();
  const Oid numbers = pg::OpenSequence(sequence);
  const std::int64_t number = pg::NextNumber(numbers);
  return number > newest && number < policy::kGreatestNumber ? number
                                                             : pg::NextNumberAfter(numbers, newest);
}

}  // namespace ratchet::catalog
