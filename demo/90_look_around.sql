\echo '-- ratchet.jobs'
SELECT job_name, schedule, time_zone, owner, enabled, next_run_at, last_status, consecutive_failures
  FROM ratchet.jobs ORDER BY job_name;

\echo '-- ratchet.runs'
SELECT run_id, job_name, cause, status, duration, items_done, items_failed,
       pg_size_pretty(wal_bytes) AS wal, blocks_read + blocks_hit AS blocks, cpu_time
  FROM ratchet.runs ORDER BY run_id;

\echo '-- ratchet.job_health'
SELECT job_name, color, why, runs_24h, failures_24h, avg_duration, max_lag FROM ratchet.job_health ORDER BY job_name;
