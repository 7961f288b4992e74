#include "catalog/table_layouts.h"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace ratchet::catalog {
namespace {

constexpr pg::Column kJob[] = {
    {"job_id", INT8OID},
    {"job_name", TEXTOID},
    {"owner", REGROLEOID},
    {"version", INT4OID},
    {"enabled", BOOLOID},
    {"schedule", TEXTOID},
    {"time_zone", TEXTOID},
    {"schedule_since", TIMESTAMPTZOID},
    {"command", TEXTOID},
    {"transaction", TEXTOID},
    {"overlap", TEXTOID},
    {"timeout", INTERVALOID},
    {"max_attempts", INT4OID},
    {"backoff", INTERVALOID},
    {"backoff_factor", FLOAT8OID},
    {"backoff_cap", INTERVALOID},
    {"backoff_jitter", FLOAT8OID},
    {"on_crash", TEXTOID},
    {"misfire", TEXTOID},
    {"misfire_limit", INT4OID},
    {"start_at", TIMESTAMPTZOID},
    {"end_at", TIMESTAMPTZOID},
    {"max_runs", INT4OID},
    {"mutex", TEXTOID},
    {"active_window", TEXTOID},
    {"calendar", TEXTOID},
    {"only_if", TEXTOID},
    {"watch", REGCLASSARRAYOID},
    {"depends_on", TEXTARRAYOID},
    {"environments", TEXTARRAYOID},
    {"priority", INT4OID},
    {"settings", JSONBOID},
    {"payload", JSONBOID},
    {"keep_history", INTERVALOID},
    {"comment", TEXTOID},
    {"tags", TEXTARRAYOID},
    {"created_at", TIMESTAMPTZOID},
    {"changed_at", TIMESTAMPTZOID},
    {"backfill_from", TIMESTAMPTZOID},
    {"source", TEXTOID},
    {"action", TEXTOID},
    {"key", TEXTARRAYOID},
    {"per", TEXTOID},
    {"batch_size", INT4OID},
    {"batch_target", INTERVALOID},
    {"mode", TEXTOID},
    {"max_run_time", INTERVALOID},
    {"max_failed_items", INT4OID},
    {"pause_ratio", FLOAT8OID},
    {"max_replication_lag", INTERVALOID},
    {"columns", JSONBOID},
    {"has_parents", BOOLOID},
    {"is_queue", BOOLOID},
    {"seal", INT8OID},
};

constexpr pg::Column kJobVersion[] = {
    {"job_id", INT8OID},
    {"version", INT4OID},
    {"job_name", TEXTOID},
    {"owner", OIDOID},
    {"owner_name", NAMEOID},
    {"schedule", TEXTOID},
    {"time_zone", TEXTOID},
    {"command", TEXTOID},
    {"transaction", TEXTOID},
    {"timeout", INTERVALOID},
    {"only_if", TEXTOID},
    {"settings", JSONBOID},
    {"payload", JSONBOID},
    {"pinned_at", TIMESTAMPTZOID},
    {"source", TEXTOID},
    {"action", TEXTOID},
    {"key", TEXTARRAYOID},
    {"per", TEXTOID},
    {"batch_size", INT4OID},
    {"batch_target", INTERVALOID},
    {"mode", TEXTOID},
    {"max_run_time", INTERVALOID},
    {"max_failed_items", INT4OID},
    {"pause_ratio", FLOAT8OID},
    {"max_replication_lag", INTERVALOID},
    {"columns", JSONBOID},
    {"keep_history", INTERVALOID},
    {"seal", INT8OID},
};

constexpr pg::Column kJobState[] = {
    {"job_id", INT8OID},
    {"next_run_at", TIMESTAMPTZOID},
    {"last_scheduled_at", TIMESTAMPTZOID},
    {"last_occurrence", TIMESTAMPTZOID},
    {"last_run_id", INT8OID},
    {"last_run_at", TIMESTAMPTZOID},
    {"last_finished_at", TIMESTAMPTZOID},
    {"last_status", TEXTOID},
    {"last_success_at", TIMESTAMPTZOID},
    {"consecutive_failures", INT4OID},
    {"crash_streak", INT4OID},
    {"backoff_until", TIMESTAMPTZOID},
    {"run_count", INT8OID},
    {"last_not_needed_at", TIMESTAMPTZOID},
    {"watch_seen", TEXTOID},
    {"depends_since", TIMESTAMPTZOID},
    {"schedule_problem", TEXTOID},
};

constexpr pg::Column kRunQueue[] = {
    {"run_id", INT8OID},
    {"job_id", INT8OID},
    {"version", INT4OID},
    {"owner", OIDOID},
    {"cause", TEXTOID},
    {"attempt", INT4OID},
    {"scheduled_at", TIMESTAMPTZOID},
    {"previous_scheduled_at", TIMESTAMPTZOID},
    {"run_at", TIMESTAMPTZOID},
    {"queued_at", TIMESTAMPTZOID},
    {"claimed_at", TIMESTAMPTZOID},
    {"payload", JSONBOID},
    {"coalesce", BOOLOID},
    {"dry_run", BOOLOID},
    {"replay_of", INT8OID},
    {"retry_of", INT8OID},
    {"walk", INT8OID},
    {"items_of", INT8OID},
    {"backfill_id", INT8OID},
    {"on_change", BOOLOID},
    {"share_hash", INT8OID},
    {"mark", INT8OID},
    {"walk_began", INT8OID},
    {"requested_by", OIDOID},
    {"seal", INT8OID},
};

constexpr pg::Column kRunLog[] = {
    {"run_id", INT8OID},
    {"job_id", INT8OID},
    {"job_name", TEXTOID},
    {"owner", OIDOID},
    {"version", INT4OID},
    {"cause", TEXTOID},
    {"status", TEXTOID},
    {"attempt", INT4OID},
    {"scheduled_at", TIMESTAMPTZOID},
    {"queued_at", TIMESTAMPTZOID},
    {"started_at", TIMESTAMPTZOID},
    {"finished_at", TIMESTAMPTZOID},
    {"items_done", INT8OID},
    {"items_failed", INT8OID},
    {"batches", INT8OID},
    {"checkpoint_from", JSONBOID},
    {"checkpoint_to", JSONBOID},
    {"rows_affected", INT8OID},
    {"sqlstate", TEXTOID},
    {"error", TEXTOID},
    {"error_detail", TEXTOID},
    {"error_hint", TEXTOID},
    {"error_context", TEXTOID},
    {"reason", TEXTOID},
    {"worker_pid", INT4OID},
    {"node", TEXTOID},
    {"payload", JSONBOID},
    {"replay_of", INT8OID},
    {"retry_of", INT8OID},
    {"dry_run", BOOLOID},
    {"wal_bytes", INT8OID},
    {"blocks_read", INT8OID},
    {"blocks_hit", INT8OID},
    {"cpu_time", INTERVALOID},
    {"result", TEXTOID},
    {"occurrences", INT8OID},
    {"previous_scheduled_at", TIMESTAMPTZOID},
    {"items_of", INT8OID},
    {"key", TEXTOID},
    {"mark", INT8OID},
    {"seal", INT8OID},
    {"messages", JSONBOID},
};

constexpr pg::Column kJobStat[] = {
    {"job_id", INT8OID},
    {"runs", INT8OID},
    {"succeeded", INT8OID},
    {"failures", INT8OID},
    {"skipped", INT8OID},
    {"not_needed", INT8OID},
    {"items", INT8OID},
    {"rows_affected", INT8OID},
    {"total_time", FLOAT8OID},
    {"max_time", FLOAT8OID},
    {"total_lag", FLOAT8OID},
    {"max_lag", FLOAT8OID},
    {"cpu_time", FLOAT8OID},
    {"wal_bytes", INT8OID},
    {"blocks_read", INT8OID},
    {"blocks_hit", INT8OID},
    {"stats_reset", TIMESTAMPTZOID},
    {"day", BYTEAOID},
};

constexpr pg::Column kJobCheckpoint[] = {
    {"job_id", INT8OID},
    {"walk", INT8OID},
    {"owner", OIDOID},
    {"run_id", INT8OID},
    {"saved_at", TIMESTAMPTZOID},
    {"value", JSONBOID},
    {"run_from", JSONBOID},
    {"items_done", INT8OID},
    {"items_failed", INT8OID},
    {"batches", INT8OID},
    {"rows_affected", INT8OID},
    {"walk_items", INT8OID},
    {"first_run", INT8OID},
    {"key", TEXTOID},
    {"run_mark", INT8OID},
    {"seal", INT8OID},
};

constexpr pg::Column kFailedItem[] = {
    {"item_id", INT8OID},
    {"job_id", INT8OID},
    {"run_id", INT8OID},
    {"owner", OIDOID},
    {"job_name", TEXTOID},
    {"key_hash", INT8OID},
    {"key", JSONBOID},
    {"item", JSONBOID},
    {"sqlstate", TEXTOID},
    {"error", TEXTOID},
    {"error_detail", TEXTOID},
    {"attempts", INT4OID},
    {"failed_at", TIMESTAMPTZOID},
    {"resolved_at", TIMESTAMPTZOID},
    {"resolved_by", INT8OID},
    {"key_order", TEXTOID},
    {"seal", INT8OID},
};

constexpr pg::Column kBackfill[] = {
    {"backfill_id", INT8OID},         {"job_id", INT8OID},          {"owner", REGROLEOID},
    {"after_time", TIMESTAMPTZOID},   {"to_time", TIMESTAMPTZOID},  {"holds_schedule", BOOLOID},
    {"requested_at", TIMESTAMPTZOID}, {"requested_by", REGROLEOID}, {"seal", INT8OID},
};

constexpr pg::Column kQueue[] = {
    {"queue_id", INT8OID},
    {"queue_name", TEXTOID},
    {"concurrency", INT4OID},
    {"concurrency_per_key", INT4OID},
    {"rate", INT4OID},
    {"rate_period", INTERVALOID},
    {"rate_per_key", BOOLOID},
    {"max_crashes", INT4OID},
    {"retention", INTERVALOID},
    {"keep_dead", INTERVALOID},
    {"lease", INTERVALOID},
    {"producers", REGROLEARRAYOID},
    {"consumers", REGROLEARRAYOID},
    {"synchronous", BOOLOID},
    {"seal", INT8OID},
};

constexpr pg::Column kTask[] = {
    {"task_id", INT8OID},
    {"queue_id", INT8OID},
    {"run_at", TIMESTAMPTZOID},
    {"priority", INT4OID},
    {"payload", JSONBOID},
    {"unique_key", TEXTOID},
    {"ordering_key", TEXTOID},
    {"group_key", TEXTOID},
    {"expires_at", TIMESTAMPTZOID},
    {"enqueued_at", TIMESTAMPTZOID},
    {"enqueued_by", OIDOID},
    {"attempts", INT4OID},
    {"crashes", INT4OID},
    {"alone", BOOLOID},
    {"sqlstate", TEXTOID},
    {"error", TEXTOID},
    {"token", INT8OID},
    {"lease_until", TIMESTAMPTZOID},
    {"claimed_by", OIDOID},
    {"claimed_at", TIMESTAMPTZOID},
    {"seal", INT8OID},
};

constexpr pg::Column kFinishedTask[] = {
    {"task_id", INT8OID},
    {"queue_id", INT8OID},
    {"run_at", TIMESTAMPTZOID},
    {"priority", INT4OID},
    {"payload", JSONBOID},
    {"unique_key", TEXTOID},
    {"ordering_key", TEXTOID},
    {"group_key", TEXTOID},
    {"expires_at", TIMESTAMPTZOID},
    {"enqueued_at", TIMESTAMPTZOID},
    {"enqueued_by", OIDOID},
    {"attempts", INT4OID},
    {"crashes", INT4OID},
    {"alone", BOOLOID},
    {"sqlstate", TEXTOID},
    {"error", TEXTOID},
    {"state", TEXTOID},
    {"finished_at", TIMESTAMPTZOID},
    {"started_at", TIMESTAMPTZOID},
    {"result", JSONBOID},
    {"run_id", INT8OID},
    {"seal", INT8OID},
};

constexpr pg::Column kTaskClaim[] = {
    {"run_id", INT8OID},
    {"queue_id", INT8OID},
    {"task_ids", INT8ARRAYOID},
};

constexpr pg::Column kHome[] = {
    {"system_identifier", INT8OID}, {"database_oid", OIDOID}, {"job_table_oid", OIDOID},
    {"since", TIMESTAMPTZOID},      {"copy_id", INT8OID},     {"seal_key", BYTEAOID},
    {"paused_at", TIMESTAMPTZOID},  {"paused_by", OIDOID},
};

constexpr pg::Column kCalendarDays[] = {
    {"calendar", TEXTOID},
    {"day", DATEOID},
    {"comment", TEXTOID},
};

}  // namespace

constinit const pg::TableLayout kJobTable("job", kJob);
constinit const pg::TableLayout kJobVersionTable("job_version", kJobVersion);
constinit const pg::TableLayout kJobStateTable("job_state", kJobState);
constinit const pg::TableLayout kRunQueueTable("run_queue", kRunQueue);
constinit const pg::TableLayout kRunLogTable("run_log", kRunLog);
constinit const pg::TableLayout kJobStatTable("job_stat", kJobStat);
constinit const pg::TableLayout kJobCheckpointTable("job_checkpoint", kJobCheckpoint);
constinit const pg::TableLayout kFailedItemTable("failed_item", kFailedItem);
constinit const pg::TableLayout kBackfillTable("backfill", kBackfill);
constinit const pg::TableLayout kQueueTable("queue", kQueue);
constinit const pg::TableLayout kTaskTable("task", kTask);
constinit const pg::TableLayout kFinishedTaskTable("finished_task", kFinishedTask);
constinit const pg::TableLayout kTaskClaimTable("task_claim", kTaskClaim);
constinit const pg::TableLayout kHomeTable("home", kHome);
constinit const pg::TableLayout kCalendarDaysTable("calendar_days", kCalendarDays);

constinit const pg::TableLayout* const kTables[kTableCount] = {
    &kJobTable,     &kJobVersionTable,    &kJobStateTable,   &kRunQueueTable, &kRunLogTable,
    &kJobStatTable, &kJobCheckpointTable, &kFailedItemTable, &kBackfillTable, &kQueueTable,
    &kTaskTable,    &kFinishedTaskTable,  &kTaskClaimTable,  &kHomeTable,     &kCalendarDaysTable};

}  // namespace ratchet::catalog
