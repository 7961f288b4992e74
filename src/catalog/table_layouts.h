// The extension's tables. Each is declared in its own file, as catalog/declaration.h says.
#pragma once

#include "pg/table_layout.h"

namespace ratchet::catalog {

extern const pg::TableLayout kJobTable;
extern const pg::TableLayout kJobVersionTable;
extern const pg::TableLayout kJobStateTable;
extern const pg::TableLayout kRunQueueTable;
extern const pg::TableLayout kRunLogTable;
extern const pg::TableLayout kJobChangeTable;
extern const pg::TableLayout kJobStatTable;
extern const pg::TableLayout kJobCheckpointTable;
extern const pg::TableLayout kFailedItemTable;
extern const pg::TableLayout kBackfillTable;
extern const pg::TableLayout kQueueTable;
extern const pg::TableLayout kTaskTable;
extern const pg::TableLayout kFinishedTaskTable;
extern const pg::TableLayout kTaskClaimTable;
extern const pg::TableLayout kChannelTable;
extern const pg::TableLayout kAlertTable;
extern const pg::TableLayout kSilenceTable;
extern const pg::TableLayout kIncidentTable;
extern const pg::TableLayout kDeliveryTable;
extern const pg::TableLayout kHomeTable;
extern const pg::TableLayout kCalendarDaysTable;

// All of them.
inline constexpr const pg::TableLayout* kTables[] = {
    &kJobTable,          &kJobVersionTable, &kJobStateTable, &kRunQueueTable,
    &kRunLogTable,       &kJobChangeTable,  &kJobStatTable,  &kJobCheckpointTable,
    &kFailedItemTable,   &kBackfillTable,   &kQueueTable,    &kTaskTable,
    &kFinishedTaskTable, &kTaskClaimTable,  &kChannelTable,  &kAlertTable,
    &kSilenceTable,      &kIncidentTable,   &kDeliveryTable, &kHomeTable,
    &kCalendarDaysTable,
};

}  // namespace ratchet::catalog
