#include "catalog/calendar_days.h"

#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "utils/date.h"
}

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<NoObject>(
    Other<Text>("calendar"),
    Other<Date>("day"),
    Other<Text>("comment"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kCalendarDaysTable("calendar_days", kColumns.layout);

namespace {

constexpr int kCalendar = kCalendarDaysTable.Number("calendar");
constexpr int kDay = kCalendarDaysTable.Number("day");

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
