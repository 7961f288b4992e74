// The columns of a batch job, in both tables that have them.
#include "catalog/job.h"
#include "pg/span.h"
#include "pg/table.h"
#include "pg/text_array.h"

namespace ratchet::catalog {
namespace {

// Counted from the first one.
enum Column {
  kSource,
  kAction,
  kKey,
  kPer,
  kBatchSize,
  kBatchTarget,
  kMode,
  kMaxRunTime,
  kMaxFailedItems,
  kPauseRatio,
  kMaxReplicationLag,
  kSourceColumns,
  kColumns,
};
static_assert(kColumns == kBatchColumns);

void SetSpanUnless(std::int64_t missing, pg::Row* row, int column, std::int64_t span) {
  if (span != missing) {
    row->Set(column, IntervalPGetDatum(pg::IntervalOf(span)));
  }
}

}  // namespace

void ReadBatch(const pg::Row& row, int first_column, BatchDefinition* batch) {
  const auto at = [first_column](Column column) { return first_column + column; };
  *batch = BatchDefinition();
  if (row.IsNull(at(kPer))) {
    return;
  }
  batch->is_queue = row.IsNull(at(kSource));
  batch->source = row.Text(at(kSource));
  batch->action = row.Text(at(kAction));
  if (!row.IsNull(at(kKey))) {
    pg::AppendTextArray(row.values[at(kKey) - 1], &batch->key);
  }
  Parse(row.Text(at(kPer)), &batch->per);
  Parse(row.Text(at(kMode)), &batch->mode);
  if (!row.IsNull(at(kBatchSize))) {
    batch->batch_size = row.Int32(at(kBatchSize));
  }
  batch->batch_target = row.SpanOr(at(kBatchTarget), 0);
  batch->max_run_time = row.SpanOr(at(kMaxRunTime), 0);
  if (!row.IsNull(at(kMaxFailedItems))) {
    batch->max_failed_items = row.Int32(at(kMaxFailedItems));
  }
  if (!row.IsNull(at(kPauseRatio))) {
    batch->pause_ratio = row.Float8(at(kPauseRatio));
  }
  batch->max_replication_lag = row.SpanOr(at(kMaxReplicationLag), -1);
  batch->columns = row.JsonbText(at(kSourceColumns));
}

void FillBatch(const BatchDefinition& batch, int first_column, pg::Row* row) {
  if (!batch.is_batch() && !batch.is_queue) {
    return;
  }
  const auto at = [first_column](Column column) { return first_column + column; };
  if (batch.is_batch()) {
    row->SetText(at(kSource), batch.source);
  }
  if (!batch.action.empty()) {
    row->SetText(at(kAction), batch.action);
  }
  if (!batch.key.empty()) {
    row->Set(at(kKey), pg::TextArrayOf(batch.key));
  }
  row->SetText(at(kPer), Name(batch.per));
  row->SetInt32(at(kBatchSize), batch.batch_size);
  SetSpanUnless(0, row, at(kBatchTarget), batch.batch_target);
  row->SetText(at(kMode), Name(batch.mode));
  SetSpanUnless(0, row, at(kMaxRunTime), batch.max_run_time);
  if (batch.max_failed_items >= 0) {
    row->SetInt32(at(kMaxFailedItems), batch.max_failed_items);
  }
  if (batch.pause_ratio >= 0) {
    row->SetFloat8(at(kPauseRatio), batch.pause_ratio);
  }
  SetSpanUnless(-1, row, at(kMaxReplicationLag), batch.max_replication_lag);
  row->SetJsonb(at(kSourceColumns), batch.columns);
}

}  // namespace ratchet::catalog
