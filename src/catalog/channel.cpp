#include "catalog/channel.h"

#include <algorithm>

#include "catalog/find_row.h"
#include "catalog/row_numbers.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

namespace ratchet::catalog {
namespace {

// Sealed is what is sent where, in whose name.
// clang-format off
constexpr auto kColumns = Declare<Channel>(
    Column<Int8, &Channel::channel_id>("channel_id").Sealed(),
    Column<Text, &Channel::channel_name>("channel_name").Sealed(),
    Column<Role, &Channel::owner>("owner").Sealed(),
    Column<Text, &Channel::kind>("kind").Sealed(),
    Column<Json, &Channel::config>("config").Sealed(),
    Column<Time, &Channel::created_at>("created_at"),
    Column<Time, &Channel::changed_at>("changed_at"),
    Column<Int4, &Channel::failures>("failures"),
    Nullable<Time, &Channel::rests_until>("rests_until"),
    Nullable<Time, &Channel::dead_since>("dead_since"),
    Nullable<Text, &Channel::last_error>("last_error"),
    Column<Float8, &Channel::tokens>("tokens"),
    Nullable<Time, &Channel::tokens_at>("tokens_at"),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kChannelTable("channel", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kChannelTable;
constexpr char kPrimaryKey[] = "channel_pkey";
constexpr char kNameIndex[] = "channel_name_key";
constexpr int kChannelId = kTable.Number("channel_id");
constexpr int kChannelName = kTable.Number("channel_name");

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, Channel* channel) {
  kColumns.Read(row, channel);
  channel->quarantined = !kSeal.Fits(row);
}

void Fill(const Channel& channel, pg::Row* row) {
  kColumns.Fill(channel, row);
  if (!channel.quarantined) {
    kSeal.Put(row);
  }
}

std::optional<Channel> Find(const char* index, ItemPointer tid, auto set_key) {
  std::optional<Channel> channel(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(kTable, index, tid, set_key, [&](const pg::Row& row) { Read(row, &*channel); });
  });
  return found ? std::move(channel) : std::nullopt;
}

}  // namespace

constinit const SealedTable kSealedChannels(kSeal, "channel_id");

void Channel::Take(const policy::ChannelStanding& standing, TimestampTz now,
                   const std::string& error) {
  failures = standing.failures;
  rests_until = standing.rests_until;
  if (standing.is_dead != (dead_since != 0)) {
    dead_since = standing.is_dead ? now : 0;
  }
  last_error = failures > 0 || standing.is_dead ? error : std::string();
}

bool InsertChannel(Channel* channel) {
  return pg::Call([channel] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    channel->channel_id = NextRowNumber(kTable, kPrimaryKey, kChannelId, "channel_id_seq");
    pg::Row row;
    Fill(*channel, &row);
    const bool is_new = pg::TryInsertRow(table, kNameIndex, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
    return is_new;
  });
}

void UpdateChannel(ItemPointer tid, const Channel& channel) {
  pg::Call([tid, &channel] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(channel, &row);
    pg::UpdateRowOfSameKey(table, tid, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void DeleteChannel(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<Channel> FindChannel(std::int64_t channel_id, ItemPointer tid) {
  return Find(kPrimaryKey, tid, [channel_id](pg::IndexScan& scan) -> pg::IndexScan& {
    return scan.Equal(kChannelId, channel_id);
  });
}

std::optional<Channel> FindChannelByName(const std::string& channel_name, ItemPointer tid) {
  return Find(kNameIndex, tid, [&channel_name](pg::IndexScan& scan) -> pg::IndexScan& {
    return scan.EqualText(kChannelName, channel_name);
  });
}

std::optional<Channel> TryHoldChannel(std::int64_t channel_id, ItemPointer tid) {
  std::optional<Channel> channel(std::in_place);
  const bool held = pg::Call([&] {
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kChannelId, channel_id).Begin();
    pg::Row row;
    const bool found = scan.Next(&row, tid) && pg::HoldRow(scan.table(), tid, pg::IfBusy::kGiveUp,
                                                           &row) == pg::RowHold::kHeld;
    if (found) {
      Read(row, &*channel);
    }
    scan.End();
    return found;
  });
  return held ? std::move(channel) : std::nullopt;
}

std::vector<Channel> ListChannels() {
  std::vector<Channel> channels;
  Channel channel;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &channel);
      channels.push_back(channel);
    }
    scan.End();
  });
  std::sort(channels.begin(), channels.end(),
            [](const Channel& a, const Channel& b) { return a.channel_id < b.channel_id; });
  return channels;
}

}  // namespace ratchet::catalog
