-- Views. security_invoker: the row-level security of the tables below shows everybody their own jobs.

-- Jobs ------------------------------------------------------------------------------------------

CREATE VIEW ratchet.jobs WITH (security_invoker = true) AS
SELECT j.job_id, j.job_name, j.owner, j.enabled, j.schedule, j.time_zone, j.command, j.transaction,
       j.source, j.action, j.key, j.per, j.batch_size, j.batch_target, j.mode, j.max_run_time,
       j.max_failed_items, j.pause_ratio, j.max_replication_lag,
       s.last_run_at, s.last_status,
       CASE WHEN NOT j.enabled THEN NULL
            WHEN s.last_scheduled_at >= j.schedule_since THEN s.next_run_at
            ELSE ratchet._next_run_at(j.job_id) END AS next_run_at,
       coalesce(s.consecutive_failures, 0) AS consecutive_failures,
       s.backoff_until, s.last_success_at,
       coalesce(s.run_count, 0) AS run_count,
       coalesce(l.running, 0) AS running,
       j.overlap, j.timeout, j.max_attempts, j.backoff, j.backoff_factor, j.backoff_cap,
       j.backoff_jitter, j.on_crash, j.misfire, j.misfire_limit, j.start_at, j.end_at, j.max_runs,
       j.backfill_from, j.mutex, j.active_window, j.calendar, j.only_if, j.watch, j.depends_on,
       j.environments, j.priority, j.settings, j.payload, j.keep_history, j.deadline, j.heartbeat, j.comment, j.tags,
       j.version, j.schedule_since, s.last_run_id, s.last_finished_at, j.created_at, j.changed_at,
       s.last_not_needed_at,
       coalesce(CASE WHEN j.mutex IS NOT NULL THEN ratchet._waits_for_mutex(j.job_id) END,
                CASE WHEN j.depends_on IS NOT NULL
                     THEN ratchet._waits_for_jobs(j.job_id, false) END,
                ratchet._waits_for_worker(j.job_id)) AS waits_for,
       ratchet._is_quarantined(j.job_id) AS quarantined
  FROM ratchet.job j
  LEFT JOIN ratchet.job_state s ON s.job_id = j.job_id
  LEFT JOIN (SELECT job_id, count(*) AS running
               FROM ratchet._live_runs() WHERE state = 'running' GROUP BY job_id) l
         ON l.job_id = j.job_id
 WHERE j.is_queue IS NOT TRUE;

COMMENT ON VIEW ratchet.jobs IS 'jobs: their definitions, and where they stand';
COMMENT ON COLUMN ratchet.jobs.owner IS 'the role that the job runs as, in a session of its own';
COMMENT ON COLUMN ratchet.jobs.deadline IS 'a run must have ended this long after its logical time: see the events late and at_risk of alerts';
COMMENT ON COLUMN ratchet.jobs.heartbeat IS 'the channel that hears of start and end of each run';
COMMENT ON COLUMN ratchet.jobs.command IS 'null for a batch job, which has a source and an action';
COMMENT ON COLUMN ratchet.jobs.key IS
    'of a batch job: the columns of its source by which it walks, the first one if none were given';
COMMENT ON COLUMN ratchet.jobs.max_failed_items IS 'of a batch job: null for no limit';
COMMENT ON COLUMN ratchet.jobs.pause_ratio IS 'of a batch job: null for that of ratchet.pause_ratio';
COMMENT ON COLUMN ratchet.jobs.max_replication_lag IS
    'of a batch job: null for that of ratchet.max_replication_lag, 0 for no limit';
COMMENT ON COLUMN ratchet.jobs.next_run_at IS
    'when the job starts next, as far as that is known: null for @manual and for paused jobs';
COMMENT ON COLUMN ratchet.jobs.waits_for IS
    'the mutex for which something that is due waits and who holds it, or the first job in depends_on that has not succeeded since this one''s last run, or a worker, when the owner has all that a role may have, or all are busy';
COMMENT ON COLUMN ratchet.jobs.quarantined IS
    'held back until ratchet.adopt(): it was restored, written by hand, or has come in a copy';
COMMENT ON COLUMN ratchet.jobs.last_run_at IS 'when its last run started';
COMMENT ON COLUMN ratchet.jobs.last_status IS 'how its last run ended';
COMMENT ON COLUMN ratchet.jobs.consecutive_failures IS
    'runs that failed, timed out or crashed since the last success';
COMMENT ON COLUMN ratchet.jobs.backoff_until IS
    'after failures: the schedule starts no run before this time, ratchet.trigger() does';
COMMENT ON COLUMN ratchet.jobs.run_count IS 'runs that the schedule started; counts towards max_runs';
COMMENT ON COLUMN ratchet.jobs.running IS 'runs that are running now';
COMMENT ON COLUMN ratchet.jobs.version IS
    'grows with every change of what a run does; runs.version says which one ran';
COMMENT ON COLUMN ratchet.jobs.last_not_needed_at IS
    'when it was last due and there was nothing to do: only_if was false, or watch saw no change';
COMMENT ON COLUMN ratchet.jobs.schedule_since IS
    'since when the schedule has been in force; without start_at also the anchor of an interval';

-- Runs ------------------------------------------------------------------------------------------
-- Runs that ended, runs that wait or are running, and what only the board shows: foreground runs, which no queue
-- knows, and what a former owner has under way, which holds up the job and is of no more interest. The types
-- of the columns are exactly the same in each arm, and each arm has a plain run_id: so the newest runs
-- are found by the primary key, however long the history is.
--
-- Only a run that was claimed can have a record. Whether it has one is asked by a function. Of a join (NOT
-- EXISTS) the planner believes that it leaves one row: it then looked through all jobs for each run that
-- waits. A subquery it takes for so dear, when many runs wait or have waited, that it compiles the plan (JIT).
-- The function needs no search_path: BEGIN ATOMIC resolves the names when it is made.
--
-- A record has a payload only if the run had one of its own, the others are kept once with the definition.
-- That is a subquery and not a join, which would be read for all of the history before the newest are known.

CREATE FUNCTION ratchet._is_recorded(run_id bigint) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM ratchet.run_log r WHERE r.run_id OPERATOR(pg_catalog.=) $1);
END;
COMMENT ON FUNCTION ratchet._is_recorded IS 'internal: whether the caller sees a record of the run';

CREATE VIEW ratchet.runs WITH (security_invoker = true) AS
SELECT r.run_id, r.job_id, r.job_name, r.cause, r.status, r.attempt, r.scheduled_at, r.started_at,
       r.finished_at, r.finished_at - r.started_at AS duration, r.items_done, r.items_failed,
       r.batches, r.checkpoint_from, r.checkpoint_to, r.rows_affected, r.sqlstate, r.error,
       r.error_detail, r.error_hint, r.error_context, r.reason, r.worker_pid, r.node,
       coalesce(r.payload, (SELECT v.payload FROM ratchet.job_version v
                             WHERE v.job_id = r.job_id AND v.version = r.version)) AS payload,
       r.replay_of, r.retry_of, r.dry_run, r.wal_bytes, r.blocks_read, r.blocks_hit, r.cpu_time,
       r.result, r.queued_at, r.version, r.owner::regrole AS owner, r.occurrences, r.messages,
       r.requested_by, r.canceled_by
  FROM ratchet.run_log r
UNION ALL
SELECT q.run_id, q.job_id, coalesce(v.job_name, j.job_name, l.job_name), q.cause,
       CASE WHEN l.started_at IS NOT NULL THEN 'running' ELSE 'queued' END,
       q.attempt, q.scheduled_at, l.started_at, NULL::timestamptz, clock_timestamp() - l.started_at,
       l.items_done, l.items_failed, l.batches, NULL::jsonb, NULL::jsonb, NULL::bigint, NULL::text,
       NULL::text, NULL::text, NULL::text, NULL::text,
       CASE WHEN q.claimed_at IS NULL AND q.run_at <= clock_timestamp()
            THEN 'waits for ' || coalesce(
                     ratchet._waits_for_window(j.active_window, j.time_zone),
                     CASE WHEN j.mutex IS NOT NULL THEN ratchet._waits_for_mutex(j.job_id) END,
                     ratchet._waits_for_worker(j.job_id))
            WHEN q.claimed_at IS NOT NULL AND l.started_at IS NULL
            THEN 'waits for ' || ratchet._waits_for_worker(j.job_id) END,
       l.pid,
       CASE WHEN l.pid IS NOT NULL THEN ratchet._node() END, coalesce(q.payload, CASE WHEN q.version <> 0 THEN v.payload ELSE j.payload END),
       q.replay_of, q.retry_of, q.dry_run, NULL::bigint, NULL::bigint, NULL::bigint,
       NULL::interval, NULL::text, q.queued_at,
       CASE WHEN q.version <> 0 THEN q.version ELSE j.version END, q.owner::regrole, 1::bigint, l.messages,
       pg_get_userbyid(q.requested_by)::text, NULL::text
  FROM ratchet.run_queue q
  LEFT JOIN ratchet._live_runs() l ON l.run_id = q.run_id
  LEFT JOIN ratchet.job j ON j.job_id = q.job_id
  LEFT JOIN ratchet.job_version v ON v.job_id = q.job_id AND v.version = q.version
 WHERE CASE WHEN q.claimed_at IS NULL THEN true
            ELSE NOT ratchet._is_recorded(q.run_id) END
UNION ALL
SELECT l.run_id, l.job_id, coalesce(j.job_name, l.job_name), l.cause,
       CASE WHEN l.started_at IS NOT NULL THEN 'running' ELSE 'queued' END, l.attempt,
       l.scheduled_at, l.started_at, NULL::timestamptz, clock_timestamp() - l.started_at,
       l.items_done, l.items_failed, l.batches, NULL::jsonb, NULL::jsonb, NULL::bigint, NULL::text,
       NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, l.pid, ratchet._node(),
       NULL::jsonb, l.replay_of, l.retry_of, l.dry_run, NULL::bigint, NULL::bigint, NULL::bigint,
       NULL::interval, NULL::text, l.queued_at, l.version, l.owner::regrole, 1::bigint, l.messages,
       pg_get_userbyid(l.requested_by)::text, NULL::text
  FROM ratchet._live_runs() l
  LEFT JOIN ratchet.job j ON j.job_id = l.job_id
 WHERE CASE WHEN l.cause <> 'foreground' THEN NOT pg_has_role(l.owner, 'USAGE') AND l.state <> 'ended'
            ELSE true END
   AND NOT EXISTS (SELECT FROM ratchet.run_queue q WHERE q.run_id = l.run_id)
   AND NOT EXISTS (SELECT FROM ratchet.run_log r WHERE r.run_id = l.run_id);

COMMENT ON VIEW ratchet.runs IS
    'runs, one row each: those that ended, those under way and those that wait; the newest have the largest run_id';
COMMENT ON COLUMN ratchet.runs.job_name IS 'the name that the job had when it ran';
COMMENT ON COLUMN ratchet.runs.cause IS
    'schedule, trigger, retry, catchup, replay, backfill, dependency or foreground';
COMMENT ON COLUMN ratchet.runs.status IS
    'queued, running, succeeded, partial, failed, timed_out, canceled, skipped or crashed';
COMMENT ON COLUMN ratchet.runs.scheduled_at IS
    'the logical time: the occurrence that the run is for, however late it started';
COMMENT ON COLUMN ratchet.runs.duration IS 'until now for a run that is running';
COMMENT ON COLUMN ratchet.runs.reason IS 'why it did not run, or did not run to its end';
COMMENT ON COLUMN ratchet.runs.payload IS
    'what ratchet.payload() is in the run: its own payload if it was given one, else that of its job then';
COMMENT ON COLUMN ratchet.runs.node IS 'the server on which it ran: ratchet.node there';
COMMENT ON COLUMN ratchet.runs.result IS
    'first row of the last query of the command as JSON text, cut to 8000 bytes';
COMMENT ON COLUMN ratchet.runs.messages IS
    'what it said, such as NOTICE and WARNING: level, sqlstate, time and text, of a batch job with batch and item; the last of it while it is running';
COMMENT ON COLUMN ratchet.runs.version IS 'the version of the job''s definition, kept in ratchet.job_version';
COMMENT ON COLUMN ratchet.runs.occurrences IS
    'occurrences that the row accounts for: more than 1 when it records several skipped ones';
COMMENT ON COLUMN ratchet.runs.requested_by IS
    'the name of the role that has asked for it, or for what it goes on with, as it was when the run ended; null: the definition of the job has';
COMMENT ON COLUMN ratchet.runs.canceled_by IS
    'the name of the role that has canceled it by ratchet.cancel() or ratchet.pause_all(); null: nobody has, also when it ran out of time or the server stopped';

-- Changes of jobs ---------------------------------------------------------------------------------

CREATE VIEW ratchet.changes WITH (security_invoker = true) AS
SELECT c.change_id, c.changed_at, c.changed_by, c.action, c.job_name, c.old_values, c.new_values, c.job_id,
       c.owner::regrole AS owner
  FROM ratchet.job_change c;

COMMENT ON VIEW ratchet.changes IS
    'who has defined, altered, paused, resumed or dropped which job or queue, when, and what changed; kept as long as the history of its runs';
COMMENT ON COLUMN ratchet.changes.changed_by IS
    'the name of the role that did so (current_user), as it was then';
COMMENT ON COLUMN ratchet.changes.action IS
    'defined, altered, renamed, paused, resumed, owner changed, dropped or adopted';
COMMENT ON COLUMN ratchet.changes.job_name IS
    'the name that the job had from then on; of a queue, the one under which its runs are recorded';
COMMENT ON COLUMN ratchet.changes.old_values IS
    'what was changed, as it was before, by the names of the arguments of ratchet.schedule(); null in it: the default of the option';
COMMENT ON COLUMN ratchet.changes.new_values IS
    'what was changed, as it has been since; of a job that was defined or adopted: all that is not at its default';
COMMENT ON COLUMN ratchet.changes.owner IS 'whose the job was';

-- Items that failed ---------------------------------------------------------------------------------

CREATE VIEW ratchet.failed_items WITH (security_invoker = true) AS
SELECT f.run_id, f.job_name, coalesce(f.item, f.key) AS item, f.sqlstate, f.error, f.attempts, f.failed_at, f.resolved_at,
       f.error_detail, f.key, f.job_id, f.item_id, f.resolved_by, f.owner::regrole AS owner
  FROM ratchet.failed_item f;

COMMENT ON VIEW ratchet.failed_items IS
    'items of batch jobs that failed while their neighbours committed: ratchet.replay(run_id, only_failed => true) does those of a run again';
COMMENT ON COLUMN ratchet.failed_items.run_id IS 'the run in which it failed';
COMMENT ON COLUMN ratchet.failed_items.job_name IS 'the name that the job had then';
COMMENT ON COLUMN ratchet.failed_items.item IS
    'its columns as the source gave them when it failed last; only its key if they are large';
COMMENT ON COLUMN ratchet.failed_items.attempts IS
    'how often it has failed, earlier runs of the job included';
COMMENT ON COLUMN ratchet.failed_items.resolved_at IS
    'when a replay has done it, or a later walk has come to it again; null while it waits';
COMMENT ON COLUMN ratchet.failed_items.resolved_by IS 'the run that did';

-- Health ----------------------------------------------------------------------------------------

-- Innermost what is known of a job, then what follows from it (h), then what its last day says of that (d, x).
-- OFFSET 0 keeps the planner from writing a subquery out wherever color and why name its columns.

CREATE VIEW ratchet.job_health WITH (security_invoker = true) AS
SELECT h.job_id, h.job_name,
       CASE WHEN h.quarantined OR h.copy IS NOT NULL OR NOT h.enabled OR NOT h.here THEN 'gray'
            WHEN h.schedule_problem IS NOT NULL OR h.failing OR (h.missed >= 2 AND h.stopped IS NULL) THEN 'red'
            WHEN h.stopped IS NOT NULL OR h.stuck IS NOT NULL OR h.in_backoff OR h.late OR h.parent IS NOT NULL
                 OR h.last_status IN ('partial', 'canceled') OR h.doubt IS NOT NULL OR h.failed_items > 0
                 OR h.watches_nothing OR x.pace IS NOT NULL THEN 'amber'
            WHEN h.last_status IS NULL THEN 'gray'
            ELSE 'green' END AS color,
       CASE WHEN h.copy IS NOT NULL THEN 'held back until ratchet.adopt(): ' || h.copy
            WHEN h.quarantined THEN 'held back until ratchet.adopt()'
            WHEN NOT h.enabled THEN 'paused'
            WHEN NOT h.here THEN 'not meant for this environment'
            WHEN h.schedule_problem IS NOT NULL THEN 'its schedule stands still: ' || h.schedule_problem
            WHEN h.failing AND h.consecutive_failures = 1
                THEN 'the last run ' || h.last_words || coalesce(': ' || h.error, '')
            WHEN h.failing
                THEN h.consecutive_failures || ' failures in a row, the last run ' || h.last_words
                     || coalesce(': ' || h.error, '')
            WHEN h.stopped IS NOT NULL THEN 'nothing starts: ' || h.stopped
            WHEN h.stuck IS NOT NULL THEN 'nothing starts: ' || h.stuck
            WHEN h.parent IS NOT NULL THEN 'waits for ' || h.parent
            WHEN h.mutex IS NOT NULL THEN 'waits for ' || h.mutex
            WHEN h.worker IS NOT NULL THEN 'waits for ' || h.worker
            WHEN x.pace IS NOT NULL THEN x.pace
            WHEN h.missed >= 2
                THEN CASE WHEN h.missed > 2 THEN 'more than two' ELSE 'two' END
                     || ' expected runs without a success since '
                     || date_trunc('second', h.expected_since)
                     || coalesce(', one runs for ' || ratchet._short(now() - h.running_since), '')
            WHEN h.in_backoff THEN 'in back-off until ' || date_trunc('second', h.backoff_until)
            WHEN h.late THEN 'the next run is late'
            WHEN h.last_status = 'partial' THEN 'the last run was partial'
            WHEN h.doubt IS NOT NULL THEN h.doubt
            WHEN h.failed_items > 0
                THEN 'failed items that are not resolved: '
                     || CASE WHEN h.failed_items > 100 THEN 'more than 100' ELSE h.failed_items::text END
            WHEN h.watches_nothing THEN 'a table that it watches does not exist any more'
            WHEN h.last_status IS NULL AND h.running_since IS NOT NULL
                THEN 'runs for the first time, for ' || ratchet._short(now() - h.running_since)
            WHEN h.last_status IS NULL AND h.last_not_needed_at IS NOT NULL THEN 'has not been needed yet'
            WHEN h.last_status IS NULL THEN 'has not run yet'
            ELSE 'the last run ' || h.last_words END AS why,
       h.last_success_at, coalesce(d.runs, 0) AS runs_24h, coalesce(d.failures, 0) AS failures_24h,
       d.avg_duration, d.p95_duration, d.avg_lag, d.max_lag,
       h.last_status, h.consecutive_failures, h.next_run_at, h.owner,
       h.last_finished_at, h.last_duration, x.usual_duration, h.running_since, h.failed_items AS open_items
  FROM (SELECT j.job_id, j.job_name, j.owner, j.enabled, j.overlap, b.here, s.last_status, s.last_success_at,
               s.last_finished_at, s.last_finished_at - s.last_run_at AS last_duration,
               s.backoff_until, coalesce(s.consecutive_failures, 0) AS consecutive_failures,
               CASE WHEN NOT j.enabled THEN NULL
                    WHEN s.last_scheduled_at >= j.schedule_since THEN s.next_run_at
                    ELSE ratchet._next_run_at(j.job_id) END AS next_run_at, e.expected_since,
               s.last_not_needed_at, s.schedule_problem, o.*, k.stuck, k.stopped, k.copy,
               t.day, t.skipped, l.running_since,
               j.schedule, j.time_zone, j.active_window, j.calendar, j.schedule_since, j.start_at, j.end_at,
               coalesce(s.consecutive_failures > 0
                        AND s.last_status IN ('failed', 'timed_out', 'crashed'), false) AS failing,
               coalesce(s.backoff_until > now(), false) AS in_backoff,
               CASE s.last_status
                    WHEN 'timed_out' THEN 'timed out'
                    WHEN 'canceled' THEN 'was canceled'
                    WHEN 'skipped' THEN 'was skipped'
                    ELSE s.last_status END AS last_words
          FROM ratchet.job j
         CROSS JOIN (
               SELECT max(detail) FILTER (WHERE component = 'scheduler' AND state = 'failing') AS stuck,
                      max(CASE WHEN component = 'enabled' AND state = 'off' THEN 'ratchet.enabled is off'
                               WHEN component = 'jobs' AND state = 'paused' THEN 'ratchet.pause_all()'
                               WHEN component = 'library' AND state = 'not preloaded' THEN 'the library is not preloaded'
                          END) AS stopped,
                      max(detail) FILTER (WHERE component = 'scheduler' AND state = 'quarantined') AS copy
                 FROM ratchet.status()) k
          LEFT JOIN ratchet.job_state s ON s.job_id = j.job_id
          LEFT JOIN ratchet.job_stat t ON t.job_id = j.job_id
          LEFT JOIN (SELECT job_id, min(started_at) AS running_since
                       FROM ratchet._live_runs() WHERE state = 'running' GROUP BY job_id) l
                 ON l.job_id = j.job_id
         CROSS JOIN LATERAL (
               SELECT greatest(j.schedule_since, j.start_at - interval '1 microsecond') AS since,
                      j.environments IS NULL
                      OR current_setting('ratchet.environment', true) = ANY (j.environments) AS here,
                      j.enabled AND coalesce(s.run_count < j.max_runs, true) AS expected) b
         CROSS JOIN LATERAL (
               SELECT greatest(b.since, s.last_success_at, s.last_not_needed_at) AS expected_since) e
         CROSS JOIN LATERAL (
               SELECT ratchet._is_quarantined(j.job_id) AS quarantined,
                      CASE WHEN s.consecutive_failures > 0
                           THEN (SELECT r.error FROM ratchet.run_log r WHERE r.run_id = s.last_run_id)
                           END AS error,
                      CASE WHEN j.source IS NOT NULL AND s.last_status = 'succeeded'
                           THEN (SELECT r.reason FROM ratchet.run_log r WHERE r.run_id = s.last_run_id)
                           END AS doubt,
                      CASE WHEN b.expected
                           THEN ratchet._occurrences(
                                    j.job_name, j.schedule, j.time_zone, j.active_window, j.calendar,
                                    j.schedule_since, j.start_at, j.end_at, e.expected_since,
                                    now() - interval '5 seconds', 3)
                           ELSE 0 END AS missed,
                      b.expected
                      AND ratchet._occurrences(
                              j.job_name, j.schedule, j.time_zone, j.active_window, j.calendar,
                              j.schedule_since, j.start_at, j.end_at,
                              greatest(b.since, s.last_scheduled_at), now() - interval '1 minute', 1) > 0
                      AS late,
                      CASE WHEN j.depends_on IS NOT NULL
                           THEN ratchet._waits_for_jobs(
                                    j.job_id, coalesce(s.next_run_at > now(), true)) END AS parent,
                      CASE WHEN j.mutex IS NOT NULL
                           THEN ratchet._waits_for_mutex(j.job_id) END AS mutex,
                      ratchet._waits_for_worker(j.job_id) AS worker,
                      -- Null of a table that is not there.
                      j.watch IS NOT NULL
                      AND EXISTS (SELECT FROM unnest(j.watch) w
                                   WHERE has_table_privilege(w::oid, 'SELECT') IS NULL) AS watches_nothing,
                      (SELECT count(*)
                         FROM (SELECT FROM ratchet.failed_item i
                                WHERE i.job_id = j.job_id AND i.resolved_at IS NULL LIMIT 101) i)
                      AS failed_items
               OFFSET 0) o
         WHERE j.is_queue IS NOT TRUE) h
 CROSS JOIN LATERAL ratchet._job_day(h.day, now()) d
 CROSS JOIN LATERAL (
       -- Of a job that has not run for a day, what its last runs say. Looked for only while the answer matters.
       SELECT CASE WHEN h.running_since < now() - interval '10 seconds' AND d.usual_duration IS NULL
                   THEN (SELECT max(r.finished_at - r.started_at)
                           FROM (SELECT r.started_at, r.finished_at FROM ratchet.run_log r
                                  WHERE r.job_id = h.job_id AND r.status = 'succeeded' ORDER BY r.run_id DESC LIMIT 5) r)
                   ELSE coalesce(d.usual_duration, h.last_duration) END AS usual_duration) u
 CROSS JOIN LATERAL (
       SELECT u.usual_duration,
              CASE WHEN now() - h.running_since > interval '10 seconds' + 2 * greatest(u.usual_duration, d.p95_duration)
                   THEN 'runs for ' || ratchet._short(now() - h.running_since)
                        || ', usually ' || ratchet._short(u.usual_duration)
                   WHEN h.skipped > 0 AND h.overlap = 'skip' AND u.usual_duration IS NOT NULL
                        AND ratchet._occurrences(
                                h.job_name, h.schedule, h.time_zone, h.active_window, h.calendar,
                                h.schedule_since, h.start_at, h.end_at, now(), now() + u.usual_duration, 2) >= 2
                   THEN (SELECT 'takes ' || ratchet._short(u.usual_duration) || ', longer than its interval: left out '
                                || sum(r.occurrences) FILTER (WHERE r.left_out) || ' of the last ' || sum(r.occurrences)
                           FROM (SELECT r.occurrences, r.status = 'skipped' AND r.reason LIKE 'already running%' AS left_out
                                   FROM ratchet.run_log r
                                  WHERE r.job_id = h.job_id ORDER BY r.run_id DESC LIMIT 20) r)
                   WHEN d.runs >= 5 AND h.last_status = 'succeeded' AND h.running_since IS NULL
                        AND h.last_duration > interval '10 seconds' + 5 * d.usual_duration
                   THEN 'the last run took ' || ratchet._short(h.last_duration)
                        || ', usually ' || ratchet._short(d.usual_duration)
                   WHEN d.slower_duration IS NOT NULL
                   THEN 'slower than it was: ' || ratchet._short(d.slower_duration) || ' on average, '
                        || ratchet._short(d.earlier_duration) || ' earlier today' END AS pace
       OFFSET 0) x;

COMMENT ON VIEW ratchet.job_health IS
    'jobs: how they are, and what they did over the last 24 hours';
COMMENT ON COLUMN ratchet.job_health.color IS
    'red: its schedule cannot be read, or failing, or two expected runs passed without a success; amber: late, in back-off, or nothing starts because the scheduler fails, or the last run was partial or canceled or may not have come to all items, or failed items are not resolved, or a watched table is gone, or it runs or ran for much longer than usual or than its interval, or ratchet.enabled is off; gray: held back until ratchet.adopt(), paused, or has not run yet; else green';
COMMENT ON COLUMN ratchet.job_health.why IS 'the reason for the color';
COMMENT ON COLUMN ratchet.job_health.last_duration IS 'of its last run';
COMMENT ON COLUMN ratchet.job_health.usual_duration IS
    'median of the last 24 hours; without runs there, that of its last run';
COMMENT ON COLUMN ratchet.job_health.running_since IS 'when the run that is under way started, the oldest of several';
COMMENT ON COLUMN ratchet.job_health.open_items IS 'failed items that are not resolved, counted up to 101';
COMMENT ON COLUMN ratchet.job_health.avg_lag IS
    'from the time at which a run could have started to its start';

-- What fits on a terminal: 110 columns with the lines between them. Names take 20 of them at most, and why what is left.

CREATE VIEW ratchet.overview WITH (security_invoker = true) AS
SELECT o.color, o.job, o.last, o.ago, o.took, o.usual, o.next, o.failed, o.open,
       ratchet._fit(o.why, 44 - greatest(max(ratchet._width(o.job)) OVER (), 3)
                              - greatest(max(length(o.failed)) OVER (), 6)) AS why
  FROM (SELECT h.color, ratchet._fit(h.job_name, 20) AS job,
               CASE WHEN h.running_since IS NOT NULL THEN 'running' ELSE h.last_status END AS last,
               ratchet._short(date_trunc('second', clock_timestamp() - coalesce(h.running_since, h.last_finished_at))) AS ago,
               CASE WHEN h.running_since IS NULL THEN ratchet._short(h.last_duration) END AS took,
               ratchet._short(h.usual_duration) AS usual,
               ratchet._short(date_trunc('second', h.next_run_at - clock_timestamp())) AS next,
               CASE WHEN h.failures_24h > 999 THEN '>999' ELSE h.failures_24h::text END || '/'
               || CASE WHEN h.runs_24h > 9999 THEN h.runs_24h / 1000 || 'k' ELSE h.runs_24h::text END AS failed,
               CASE WHEN h.open_items > 100 THEN '>100' WHEN h.open_items > 0 THEN h.open_items::text END AS open,
               -- What the columns beside it say already is left out.
               CASE WHEN h.color <> 'green'
                    THEN regexp_replace(h.why, '^([0-9]+ failures in a row, )?the last run (failed|timed out|crashed): ', '')
                    END AS why,
               h.consecutive_failures, h.job_name
          FROM ratchet.job_health h) o
 ORDER BY array_position(ARRAY['red', 'amber', 'green', 'gray'], o.color), o.consecutive_failures DESC, o.job_name;

COMMENT ON VIEW ratchet.overview IS
    'jobs at a glance, one line of at most 110 columns each, the worst first: ratchet.job_health in short';
COMMENT ON COLUMN ratchet.overview.color IS 'red, amber, green or gray, as in ratchet.job_health';
COMMENT ON COLUMN ratchet.overview.job IS 'its name, cut to 20 columns';
COMMENT ON COLUMN ratchet.overview.last IS 'how its last run ended, or running';
COMMENT ON COLUMN ratchet.overview.ago IS 'since it ended; of one that is running, since it started';
COMMENT ON COLUMN ratchet.overview.took IS 'how long the last run took';
COMMENT ON COLUMN ratchet.overview.usual IS 'how long runs take: the median of the last 24 hours';
COMMENT ON COLUMN ratchet.overview.next IS 'until the next run starts, as far as that is known; less than 0: it is overdue';
COMMENT ON COLUMN ratchet.overview.failed IS 'runs that failed and all runs of the last 24 hours';
COMMENT ON COLUMN ratchet.overview.open IS 'failed items that are not resolved';
COMMENT ON COLUMN ratchet.overview.why IS 'the reason for the color; ratchet.job_health has all of it';

CREATE VIEW ratchet.stat_jobs WITH (security_invoker = true) AS
SELECT j.job_id, j.job_name, t.runs, t.succeeded, t.failures, t.skipped, t.not_needed, t.items, t.rows_affected,
       t.total_time, t.max_time, t.total_time / nullif(t.runs, 0) AS mean_time, t.total_lag,
       t.max_lag, t.cpu_time, t.wal_bytes, t.blocks_read, t.blocks_hit, t.stats_reset
  FROM ratchet.job j
  JOIN ratchet.job_stat t ON t.job_id = j.job_id;

COMMENT ON VIEW ratchet.stat_jobs IS
    'cumulative counters per job since stats_reset; times are in milliseconds';
COMMENT ON COLUMN ratchet.stat_jobs.runs IS 'runs that started';
COMMENT ON COLUMN ratchet.stat_jobs.failures IS 'runs that failed, timed out or crashed';
COMMENT ON COLUMN ratchet.stat_jobs.skipped IS 'occurrences that did not run';
COMMENT ON COLUMN ratchet.stat_jobs.not_needed IS
    'those of them for which there was nothing to do: only_if was false, or watch saw no change';

-- What comes -----------------------------------------------------------------------------------------
-- The names are resolved when the function is made, so that it needs no search_path.

CREATE FUNCTION ratchet.agenda(
    until timestamptz DEFAULT pg_catalog.now() + interval '1 day',
    job_name text DEFAULT NULL,
    runs_per_job integer DEFAULT 10,
    max_rows integer DEFAULT 1000)
RETURNS TABLE (at timestamptz, job_name text, cause text, held_by text, owner regrole, run_id bigint)
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 100
BEGIN ATOMIC
    SELECT a.at, j.job_name, a.cause,
           nullif(concat_ws('; ', s.nothing_starts,
                            CASE WHEN s.nothing_starts IS NULL AND ratchet._is_quarantined(a.job_id)
                                 THEN 'held back until ratchet.adopt()' END,
                            CASE WHEN a.after_backfill THEN 'its backfill' END,
                            CASE WHEN a.at <= clock_timestamp()
                                 THEN coalesce(ratchet._waits_for_jobs(a.job_id, false), ratchet._waits_for_mutex(a.job_id),
                                               ratchet._waits_for_worker(a.job_id))
                                 END,
                            CASE WHEN a.at > clock_timestamp() AND j.depends_on IS NOT NULL AND a.cause <> 'trigger'
                                 THEN 'what it depends on: ' || array_to_string(j.depends_on, ', ') END,
                            CASE WHEN a.at > clock_timestamp() AND j.mutex IS NOT NULL THEN 'mutex ' || j.mutex END,
                            CASE WHEN j.only_if IS NOT NULL THEN 'only_if' END,
                            CASE WHEN j.watch IS NOT NULL THEN 'watch' END,
                            CASE WHEN a.more THEN 'more often than is listed' END), ''),
           j.owner, a.run_id
      FROM ratchet._agenda(agenda.until, agenda.job_name, agenda.runs_per_job, agenda.max_rows)
           WITH ORDINALITY AS a (at, job_id, cause, run_id, after_backfill, more, n)
      JOIN ratchet.job j ON j.job_id = a.job_id
     CROSS JOIN (SELECT max(CASE WHEN component = 'enabled' AND state = 'off' THEN 'ratchet.enabled is off'
                                 WHEN component = 'jobs' AND state = 'paused' THEN 'ratchet.pause_all()'
                                 WHEN component = 'scheduler' AND state = 'quarantined' THEN 'held back until ratchet.adopt()'
                            END) AS nothing_starts
                   FROM ratchet.status()) s
     ORDER BY a.n;
END;
COMMENT ON FUNCTION ratchet.agenda IS
    'what is to run until then, of all jobs or of one, in order, if everything goes as usual; held_by is what may hold it back';

GRANT SELECT ON ratchet.jobs, ratchet.runs, ratchet.changes, ratchet.failed_items, ratchet.job_health,
    ratchet.overview, ratchet.stat_jobs TO PUBLIC;
