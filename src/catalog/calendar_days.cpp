#include "catalog/calendar_days.h"

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "utils/date.h"
}

namespace ratchet::catalog {
namespace {

enum Column { kCalendar = 1, kDay };

}  // namespace

std::vector<std::int32_t> FindCalendarDays(const std::string& calendar) {
  std::vector<std::int32_t> days;
  pg::Call([&days, &calendar] {
    pg::IndexScan scan(kCalendarDaysTable, "calendar_days_pkey", AccessShareLock);
    scan.EqualText(kCalendar, calendar).Begin();
    pg::Row row;
    while (scan.Next(&row)) {
      days.push_back(DatumGetDateADT(row.values[kDay - 1]));
    }
    scan.End();
  });
  return days;
}

}  // namespace ratchet::catalog
