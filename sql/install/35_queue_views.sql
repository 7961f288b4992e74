-- Views of queues and their tasks: for the owner and members of that, superusers and pg_monitor.

CREATE FUNCTION ratchet._queue_counters(
    OUT queue_id bigint, OUT ready bigint, OUT scheduled bigint, OUT blocked bigint, OUT running bigint,
    OUT dead bigint, OUT oldest_ready timestamptz, OUT enqueued bigint, OUT completed bigint, OUT failed bigint,
    OUT counted_since timestamptz, OUT enqueued_per_second float8, OUT completed_per_second float8,
    OUT waits_for text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'ratchet_queue_counters';
COMMENT ON FUNCTION ratchet._queue_counters IS
    'internal: how much is where in the queues that the caller may see, from shared memory';

CREATE FUNCTION ratchet._tasks_in_hand(OUT task_id bigint, OUT queue_id bigint, OUT run_id bigint, OUT pid integer)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', 'ratchet_tasks_in_hand';
COMMENT ON FUNCTION ratchet._tasks_in_hand IS
    'internal: the tasks that runs have in hand, of the queues that the caller may see, from shared memory';

CREATE VIEW ratchet.queues WITH (security_invoker = true) AS
SELECT q.queue_id, q.queue_name,
       CASE WHEN s.quarantined OR NOT j.enabled OR NOT s.here THEN 'gray'
            WHEN s.failing THEN 'red'
            WHEN c.dead > 0 OR c.waits_for IS NOT NULL OR c.oldest_ready < clock_timestamp() - interval '5 minutes' THEN 'amber'
            WHEN c.queue_id IS NULL THEN 'gray'
            ELSE 'green' END AS color,
       CASE WHEN s.quarantined THEN 'held back until ratchet.adopt()'
            WHEN NOT j.enabled THEN 'paused'
            WHEN NOT s.here THEN 'not meant for this environment'
            WHEN s.failing THEN 'its runs fail' || coalesce(': ' || s.error, '')
            WHEN c.waits_for IS NOT NULL THEN 'waits for ' || c.waits_for
            WHEN c.dead > 0 THEN c.dead || ' dead tasks'
            WHEN c.oldest_ready < clock_timestamp() - interval '5 minutes' THEN 'a task has been ready for more than 5 minutes'
            WHEN c.queue_id IS NULL THEN 'not counted' END AS why,
       c.ready, c.scheduled, c.blocked, c.running, c.dead,
       clock_timestamp() - c.oldest_ready AS oldest_ready_age,
       c.enqueued_per_second AS rate_in, c.completed_per_second AS rate_out,
       c.failed::float8 / nullif(c.failed + c.completed, 0) AS failure_ratio,
       NOT j.enabled AS paused, c.waits_for,
       c.enqueued, c.completed, c.failed, c.counted_since,
       j.owner, j.action AS handler, j.per, j.batch_size, j.batch_target, j.timeout,
       q.concurrency, q.concurrency_per_key, q.rate, q.rate_period, q.rate_per_key,
       j.max_attempts, j.backoff, j.backoff_factor, j.backoff_cap, j.backoff_jitter, q.max_crashes,
       q.retention, q.keep_dead, q.lease, q.producers, q.consumers, q.synchronous, q.http,
       j.priority, j.active_window, j.time_zone, j.mutex, j.environments, j.settings, j.keep_history,
       j.comment, j.tags, j.created_at, j.changed_at, s.quarantined
  FROM ratchet.queue q
  JOIN ratchet.job j ON j.job_id = q.queue_id
  LEFT JOIN ratchet.job_state t ON t.job_id = q.queue_id
  LEFT JOIN ratchet._queue_counters() c ON c.queue_id = q.queue_id
 CROSS JOIN LATERAL (
       SELECT ratchet._is_quarantined(j.job_id) AS quarantined,
              j.environments IS NULL
              OR current_setting('ratchet.environment', true) = ANY (j.environments) AS here,
              coalesce(t.consecutive_failures > 0 AND t.last_status IN ('failed', 'timed_out', 'crashed'), false) AS failing,
              CASE WHEN t.consecutive_failures > 0
                   THEN (SELECT r.error FROM ratchet.run_log r WHERE r.run_id = t.last_run_id) END AS error
       OFFSET 0) s
 WHERE j.is_queue;

COMMENT ON VIEW ratchet.queues IS
    'task queues: how much is in them, counted in shared memory, how they are, and their definitions';
COMMENT ON COLUMN ratchet.queues.color IS
    'red: the runs that do its tasks fail; amber: it has dead tasks, or waits for something, or a task has been ready for more than 5 minutes; gray: held back, paused, not meant for this environment, or not counted; else green';
COMMENT ON COLUMN ratchet.queues.why IS 'the reason for the color';
COMMENT ON COLUMN ratchet.queues.ready IS 'tasks that could be done now; null: not counted, see ratchet.max_queues';
COMMENT ON COLUMN ratchet.queues.scheduled IS 'tasks whose time has not come, those that wait for their next attempt included';
COMMENT ON COLUMN ratchet.queues.blocked IS 'tasks that wait for another one with the same ordering_key';
COMMENT ON COLUMN ratchet.queues.running IS 'tasks in the hands of workers and consumers';
COMMENT ON COLUMN ratchet.queues.dead IS 'tasks that have used all attempts, or were discarded: see ratchet.redrive()';
COMMENT ON COLUMN ratchet.queues.oldest_ready_age IS 'for how long the oldest of the ready tasks could have been done';
COMMENT ON COLUMN ratchet.queues.rate_in IS 'tasks enqueued per second, of late';
COMMENT ON COLUMN ratchet.queues.rate_out IS 'tasks completed per second, of late';
COMMENT ON COLUMN ratchet.queues.failure_ratio IS 'share of the attempts since counted_since that failed';
COMMENT ON COLUMN ratchet.queues.waits_for IS 'why ready tasks are not handed out; null: they are';
COMMENT ON COLUMN ratchet.queues.owner IS 'the role that the handler runs as, in a session of its own';
COMMENT ON COLUMN ratchet.queues.handler IS 'null: tasks are for consumers only';
COMMENT ON COLUMN ratchet.queues.producers IS 'who may enqueue, beside the owner';
COMMENT ON COLUMN ratchet.queues.consumers IS 'who may claim, beside the owner';
COMMENT ON COLUMN ratchet.queues.http IS 'what the requests are like that its tasks are; null: they are none';
COMMENT ON COLUMN ratchet.queues.quarantined IS
    'held back until ratchet.adopt(): it was restored, written by hand, or has come in a copy';

-- A task is blocked by one with the same ordering_key that was enqueued before: the heads of all keys are
-- looked up once per query, and only if it comes to a task that has a key.

CREATE VIEW ratchet.tasks WITH (security_invoker = true) AS
SELECT t.task_id, q.queue_name,
       CASE WHEN h.task_id IS NOT NULL OR t.lease_until IS NOT NULL THEN 'running'
            WHEN t.ordering_key IS NOT NULL
                 AND NOT t.task_id = ANY (SELECT min(k.task_id) FROM ratchet.task k
                                           WHERE k.ordering_key IS NOT NULL GROUP BY k.queue_id, k.ordering_key)
            THEN 'blocked'
            WHEN t.run_at > clock_timestamp() THEN 'scheduled'
            ELSE 'ready' END AS state,
       t.payload, t.priority, t.unique_key, t.ordering_key, t.group_key, t.attempts, t.crashes,
       t.run_at, t.expires_at, t.enqueued_at, t.enqueued_by::regrole AS enqueued_by,
       t.claimed_at AS started_at, NULL::timestamptz AS finished_at, h.pid AS worker,
       t.claimed_by::regrole AS claimed_by, t.lease_until, t.sqlstate, t.error, NULL::jsonb AS result,
       h.run_id, t.queue_id
  FROM ratchet.task t
  JOIN ratchet.queue q ON q.queue_id = t.queue_id
  LEFT JOIN ratchet._tasks_in_hand() h ON h.task_id = t.task_id
UNION ALL
SELECT f.task_id, q.queue_name, f.state, f.payload, f.priority, f.unique_key, f.ordering_key, f.group_key,
       f.attempts, f.crashes, f.run_at, f.expires_at, f.enqueued_at, f.enqueued_by::regrole,
       f.started_at, f.finished_at, NULL::integer, NULL::regrole, NULL::timestamptz, f.sqlstate, f.error, f.result,
       f.run_id, f.queue_id
  FROM ratchet.finished_task f
  JOIN ratchet.queue q ON q.queue_id = f.queue_id;

COMMENT ON VIEW ratchet.tasks IS
    'tasks, one row each: those that are not finished, and those that have ended, for as long as their queue keeps them';
COMMENT ON COLUMN ratchet.tasks.state IS
    'scheduled, ready, blocked, running, completed, dead, canceled or expired';
COMMENT ON COLUMN ratchet.tasks.attempts IS 'attempts that have ended without success';
COMMENT ON COLUMN ratchet.tasks.crashes IS 'attempts that took their process with them; they do not count as attempts';
COMMENT ON COLUMN ratchet.tasks.run_at IS 'not before; null: at once';
COMMENT ON COLUMN ratchet.tasks.started_at IS 'when a consumer has claimed it, or the last attempt of one that has ended began';
COMMENT ON COLUMN ratchet.tasks.worker IS 'process id of the worker that has it in hand';
COMMENT ON COLUMN ratchet.tasks.claimed_by IS 'the role whose session has claimed it';
COMMENT ON COLUMN ratchet.tasks.lease_until IS 'until when it is in that consumer''s hands';
COMMENT ON COLUMN ratchet.tasks.error IS 'of the last attempt that failed, or why it was discarded or canceled';
COMMENT ON COLUMN ratchet.tasks.result IS 'of a completed one: what its handler or consumer has given back';
COMMENT ON COLUMN ratchet.tasks.run_id IS 'the run that has it in hand, or has ended it';

GRANT SELECT ON ratchet.queues, ratchet.tasks TO PUBLIC;
