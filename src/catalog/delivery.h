// ratchet.delivery: messages on their way. Inserted by who sends, in the transaction to which the
// message belongs; claimed and ended by senders, who hold the row and have its token; given up and
// purged by the scheduler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/row_change.h"
#include "pg/server.h"
#include "policy/message_id.h"

namespace ratchet::catalog {

enum class DeliveryStatus : std::uint8_t { kWaiting, kSending, kDelivered, kFailed };
// The contract's spelling.
std::string_view Name(DeliveryStatus status);

struct Delivery {
  std::int64_t delivery_id = 0;
  policy::MessageId message_id{};
  std::int64_t channel_id = 0;
  std::string channel_name;
  Oid owner = InvalidOid;
  std::string notice;
  std::string unique_key;  // empty: none
  std::string message;     // jsonb as text
  DeliveryStatus status = DeliveryStatus::kWaiting;
  std::int32_t attempts = 0;  // begun
  TimestampTz created_at = 0;
  TimestampTz next_try_at = 0;  // 0: it has ended
  std::string claimed_by;
  std::int64_t token = 0;
  std::int32_t code = 0;  // of the last attempt, 0: none
  std::string error;
  TimestampTz ended_at = 0;
  std::string tries;  // jsonb as text

  bool has_ended() const { return next_try_at == 0; }
};

// Fills in delivery_id. Of a delivery with a unique_key that its channel has already: false, and
// the number of that one; waits for a transaction that is about to insert it.
bool InsertDelivery(Delivery* delivery);

// One that is held until the transaction ends.
struct HeldDelivery {
  Delivery delivery;
  ItemPointerData tid;
  pg::Row row;  // its newest version, in the memory context of the hold
};
pg::RowHold HoldDelivery(std::int64_t delivery_id, pg::IfBusy if_busy, HeldDelivery* held);
void UpdateDelivery(HeldDelivery* held);

// Of a channel, those that may be sent by now, the longest due first: held, as far as nobody else
// has them. `visit` returns false when it has enough, must not raise an error, and may write them.
using VisitDue = bool (*)(void* context, HeldDelivery* held);
void HoldDueDeliveries(std::int64_t channel_id, TimestampTz now, VisitDue visit, void* context);

// When the first of the channel's may be sent; 0: there are none.
TimestampTz FirstDueDelivery(std::int64_t channel_id);

// Those of a channel that is dropped.
void DeleteDeliveriesOf(std::int64_t channel_id);

// Those that wait here were written where this copy was taken from, and are sent there.
void GiveUpDeliveries(TimestampTz now, const std::string& reason);

// Of those that ended before, at most so many. Waits for nobody. Whether there may be more.
bool PurgeDeliveries(TimestampTz before, int most);

}  // namespace ratchet::catalog
