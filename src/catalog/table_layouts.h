// The extension's tables as the library was compiled for them: sql/install says the same in SQL,
// and a test of either fails where the other one has been forgotten.
#pragma once

#include "pg/table_layout.h"

namespace ratchet::catalog {

extern const pg::TableLayout kJobTable;
extern const pg::TableLayout kJobVersionTable;
extern const pg::TableLayout kJobStateTable;
extern const pg::TableLayout kRunQueueTable;
extern const pg::TableLayout kRunLogTable;
extern const pg::TableLayout kJobStatTable;
extern const pg::TableLayout kJobCheckpointTable;
extern const pg::TableLayout kFailedItemTable;
extern const pg::TableLayout kBackfillTable;
extern const pg::TableLayout kQueueTable;
extern const pg::TableLayout kTaskTable;
extern const pg::TableLayout kFinishedTaskTable;
extern const pg::TableLayout kTaskClaimTable;
extern const pg::TableLayout kHomeTable;
extern const pg::TableLayout kCalendarDaysTable;

// All of them.
constexpr int kTableCount = 15;
extern const pg::TableLayout* const kTables[kTableCount];

}  // namespace ratchet::catalog
