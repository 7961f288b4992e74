#include "catalog/delivery.h"

#include "catalog/declaration.h"
#include "catalog/row_numbers.h"
#include "catalog/table_layouts.h"
#include "catalog/unique_row.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {
namespace {

constexpr std::string_view kStatuses[] = {"waiting", "sending", "delivered", "failed"};

struct StateWord {
  static constexpr Oid kType = TEXTOID;
  static bool Read(const pg::Row& row, int column, DeliveryStatus* value) {
    const std::string_view word = row.Text(column);
    for (std::size_t i = 0; i < std::size(kStatuses); i++) {
      if (word == kStatuses[i]) {
        *value = static_cast<DeliveryStatus>(i);
        return true;
      }
    }
    return false;
  }
  static void Set(pg::Row* row, int column, DeliveryStatus value) {
    row->SetText(column, Name(value));
  }
};

// clang-format off
constexpr auto kColumns = Declare<Delivery>(
    Column<Int8, &Delivery::delivery_id>("delivery_id"),
    Column<Uuid, &Delivery::message_id>("message_id"),
    Column<Int8, &Delivery::channel_id>("channel_id"),
    Column<Text, &Delivery::channel_name>("channel_name"),
    Column<RoleNumber, &Delivery::owner>("owner"),
    Column<Text, &Delivery::notice>("notice"),
    Nullable<Text, &Delivery::unique_key>("unique_key"),
    Column<Json, &Delivery::message>("message"),
    Column<StateWord, &Delivery::status>("status"),
    Column<Int4, &Delivery::attempts>("attempts"),
    Column<Time, &Delivery::created_at>("created_at"),
    Nullable<Time, &Delivery::next_try_at>("next_try_at"),
    Nullable<Text, &Delivery::claimed_by>("claimed_by"),
    Nullable<Int8, &Delivery::token>("token"),
    Nullable<Int4, &Delivery::code>("code"),
    Nullable<Text, &Delivery::error>("error"),
    Nullable<Time, &Delivery::ended_at>("ended_at"),
    Nullable<Json, &Delivery::tries>("tries"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kDeliveryTable("delivery", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kDeliveryTable;
constexpr char kPrimaryKey[] = "delivery_pkey";
constexpr char kUniqueKeyIndex[] = "delivery_unique_key_idx";
constexpr char kNextTryIndex[] = "delivery_next_try_idx";
constexpr char kEndedIndex[] = "delivery_ended_idx";
constexpr int kDeliveryId = kTable.Number("delivery_id");
constexpr int kChannelId = kTable.Number("channel_id");
constexpr int kUniqueKey = kTable.Number("unique_key");
constexpr int kNextTryAt = kTable.Number("next_try_at");
constexpr int kEndedAt = kTable.Number("ended_at");

// All that follows and takes a Row is for use inside pg::Call.

bool Insert(Relation table, const Delivery& delivery, pg::Row* row, pg::Row* holder) {
  if (delivery.unique_key.empty()) {
    pg::InsertRow(table, *row);
    return true;
  }
  ItemPointerData place;
  return InsertUnique(
      table, kTable, kUniqueKeyIndex,
      [&](pg::IndexScan& scan) -> pg::IndexScan& {
        return scan.Equal(kChannelId, delivery.channel_id)
            .EqualText(kUniqueKey, delivery.unique_key);
      },
      row, nullptr, holder, &place);
}

// Another session has ended, postponed or claimed it since the scan has seen it.
bool IsStillDue(const Delivery& delivery, TimestampTz now) {
  return !delivery.has_ended() && delivery.next_try_at <= now;
}

}  // namespace

std::string_view Name(DeliveryStatus status) { return kStatuses[static_cast<int>(status)]; }

bool InsertDelivery(Delivery* delivery) {
  return pg::Call([delivery] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    if (delivery->delivery_id == 0) {
      delivery->delivery_id = NextRowNumber(kTable, kPrimaryKey, kDeliveryId, "delivery_id_seq");
    }
    pg::Row row;
    kColumns.Fill(*delivery, &row);
    pg::Row holder;
    const bool is_new = Insert(table, *delivery, &row, &holder);
    if (!is_new) {
      delivery->delivery_id = holder.Int64(kDeliveryId);
    }
    table_close(table, NoLock);
    CommandCounterIncrement();
    return is_new;
  });
}

pg::RowHold HoldDelivery(std::int64_t delivery_id, pg::IfBusy if_busy, HeldDelivery* held) {
  return pg::Call([=] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    ItemPointerSetInvalid(&held->tid);
    pg::RowHold hold = pg::RowHold::kGone;
    if (pg::LocateRow(table, kTable, {kPrimaryKey, kDeliveryId, delivery_id}, &held->tid)) {
      hold = pg::HoldRow(table, &held->tid, if_busy, &held->row);
    }
    if (hold == pg::RowHold::kHeld) {
      kColumns.Read(held->row, &held->delivery);
    }
    table_close(table, NoLock);
    return hold;
  });
}

void UpdateDelivery(HeldDelivery* held) {
  pg::Call([held] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    kColumns.Fill(held->delivery, &held->row);
    pg::UpdateRowOfSameKey(table, &held->tid, held->row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void HoldDueDeliveries(std::int64_t channel_id, TimestampTz now, VisitDue visit, void* context) {
  HeldDelivery held;
  pg::Call([&] {
    pg::IndexScan scan(kTable, kNextTryIndex, RowExclusiveLock);
    scan.Equal(kChannelId, channel_id).UpTo(kNextTryAt, now).Begin();
    pg::Row row;
    bool goes_on = true;
    while (goes_on && scan.Next(&row, &held.tid)) {
      CHECK_FOR_INTERRUPTS();
      if (pg::HoldRow(scan.table(), &held.tid, pg::IfBusy::kGiveUp, &held.row) !=
          pg::RowHold::kHeld) {
        continue;
      }
      kColumns.Read(held.row, &held.delivery);
      goes_on = !IsStillDue(held.delivery, now) || visit(context, &held);
    }
    scan.End();
  });
}

TimestampTz FirstDueDelivery(std::int64_t channel_id) {
  return pg::Call([channel_id] {
    pg::IndexScan scan(kTable, kNextTryIndex, AccessShareLock);
    scan.Equal(kChannelId, channel_id).NotBefore(kNextTryAt, DT_NOBEGIN).Begin();
    pg::Row row;
    const TimestampTz first = scan.Next(&row) ? row.TimeOrZero(kNextTryAt) : 0;
    scan.End();
    return first;
  });
}

void DeleteDeliveriesOf(std::int64_t channel_id) {
  pg::Call([channel_id] {
    pg::TableScan scan(kTable, RowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      if (row.Int64(kChannelId) == channel_id && !row.IsNull(kNextTryAt)) {
        pg::DeleteRow(scan.table(), &tid);
      }
    }
    scan.End();
  });
}

void GiveUpDeliveries(TimestampTz now, const std::string& reason) {
  HeldDelivery held;
  pg::Call([&] {
    pg::TableScan scan(kTable, RowExclusiveLock);
    while (scan.Next(&held.row, &held.tid)) {
      CHECK_FOR_INTERRUPTS();
      if (held.row.IsNull(kNextTryAt) || pg::HoldRow(scan.table(), &held.tid, pg::IfBusy::kGiveUp,
                                                     &held.row) != pg::RowHold::kHeld) {
        continue;
      }
      kColumns.Read(held.row, &held.delivery);
      held.delivery.status = DeliveryStatus::kFailed;
      held.delivery.error = reason;
      held.delivery.ended_at = now;
      held.delivery.next_try_at = 0;
      kColumns.Fill(held.delivery, &held.row);
      pg::UpdateRowOfSameKey(scan.table(), &held.tid, held.row);
    }
    scan.End();
    CommandCounterIncrement();
  });
}

bool PurgeDeliveries(TimestampTz before, int most) {
  return pg::Call([=] {
    int read = 0;
    pg::IndexScan scan(kTable, kEndedIndex, RowExclusiveLock);
    scan.UpTo(kEndedAt, before).Begin();
    pg::Row row;
    ItemPointerData tid;
    while (read < most && scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      read++;
      pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp);
    }
    scan.End();
    return read == most;
  });
}

}  // namespace ratchet::catalog
