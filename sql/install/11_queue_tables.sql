-- The tables of task queues, written as those of jobs are (10_tables.sql).
--
-- What a queue shares with jobs (owner, handler, settings, retries) is in its row of ratchet.job, which has the
-- same number.

CREATE TABLE ratchet.queue (
    queue_id            bigint   NOT NULL,
    queue_name          text     NOT NULL,
    concurrency         integer  CHECK (concurrency >= 1),
    concurrency_per_key integer  CHECK (concurrency_per_key >= 1),
    rate                integer  CHECK (rate >= 1),
    rate_period         interval NOT NULL,
    rate_per_key        boolean  NOT NULL,
    max_crashes         integer  NOT NULL CHECK (max_crashes >= 1),
    retention           interval NOT NULL,
    keep_dead           interval NOT NULL,
    lease               interval NOT NULL,
    producers           regrole[],
    consumers           regrole[],
    synchronous         boolean  NOT NULL,
    http                jsonb,
    seal                bigint,
    PRIMARY KEY (queue_id)
);
CREATE UNIQUE INDEX queue_name_key ON ratchet.queue (queue_name);
COMMENT ON TABLE ratchet.queue IS
    'task queues, one row each, beside their row in ratchet.job; read it through the view ratchet.queues';
COMMENT ON COLUMN ratchet.queue.queue_id IS 'the job_id of its row in ratchet.job';
COMMENT ON COLUMN ratchet.queue.concurrency IS 'workers at once; null: as many as there are';
COMMENT ON COLUMN ratchet.queue.producers IS 'who may enqueue, beside the owner';
COMMENT ON COLUMN ratchet.queue.http IS 'what the requests are like that its tasks are; null: they are none';
COMMENT ON COLUMN ratchet.queue.consumers IS 'who may claim, beside the owner';

CREATE SEQUENCE ratchet.task_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.task_id_seq IS 'numbers of tasks, in the order in which they were enqueued';

CREATE TABLE ratchet.task (
    task_id      bigint      NOT NULL,
    queue_id     bigint      NOT NULL,
    run_at       timestamptz,
    priority     integer     NOT NULL,
    payload      jsonb,
    unique_key   text,
    ordering_key text,
    group_key    text,
    expires_at   timestamptz,
    enqueued_at  timestamptz NOT NULL,
    enqueued_by  oid,
    attempts     integer     NOT NULL,
    crashes      integer     NOT NULL,
    alone        boolean     NOT NULL,
    sqlstate     text,
    error        text,
    token        bigint,
    lease_until  timestamptz,
    claimed_by   oid,
    claimed_at   timestamptz,
    seal         bigint,
    PRIMARY KEY (task_id)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
CREATE UNIQUE INDEX task_unique_key_idx ON ratchet.task (queue_id, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX task_run_at_idx ON ratchet.task (run_at, task_id) WHERE run_at IS NOT NULL;
COMMENT ON TABLE ratchet.task IS
    'tasks that are not finished; read it through the view ratchet.tasks';
COMMENT ON COLUMN ratchet.task.run_at IS 'not before; null: at once';
COMMENT ON COLUMN ratchet.task.enqueued_by IS 'null for one that came by pg_restore';
COMMENT ON COLUMN ratchet.task.attempts IS 'attempts that have ended without success';
COMMENT ON COLUMN ratchet.task.crashes IS 'attempts that took their process with them; they do not count as attempts';
COMMENT ON COLUMN ratchet.task.alone IS
    'it was in a batch whose process died: until it is known which task did that, each of them is a batch of its own';
COMMENT ON COLUMN ratchet.task.token IS 'of the consumer that has claimed it last; with lease_until null nobody has it';

CREATE TABLE ratchet.finished_task (
    task_id      bigint      NOT NULL,
    queue_id     bigint      NOT NULL,
    run_at       timestamptz,
    priority     integer     NOT NULL,
    payload      jsonb,
    unique_key   text,
    ordering_key text,
    group_key    text,
    expires_at   timestamptz,
    enqueued_at  timestamptz NOT NULL,
    enqueued_by  oid,
    attempts     integer     NOT NULL,
    crashes      integer     NOT NULL,
    alone        boolean     NOT NULL,
    sqlstate     text,
    error        text,
    state        text        NOT NULL CHECK (state IN ('completed', 'dead', 'canceled', 'expired')),
    finished_at  timestamptz NOT NULL,
    started_at   timestamptz,
    result       jsonb,
    run_id       bigint,
    seal         bigint,
    PRIMARY KEY (task_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX finished_task_state_idx ON ratchet.finished_task (queue_id, state, finished_at);
COMMENT ON TABLE ratchet.finished_task IS
    'tasks that have ended, for as long as their queue keeps them; read it through the view ratchet.tasks';
COMMENT ON COLUMN ratchet.finished_task.error IS 'of the last attempt that failed, or why it was discarded or canceled';
COMMENT ON COLUMN ratchet.finished_task.run_id IS 'the run in which it ended; null: a consumer or somebody else has ended it';

CREATE TABLE ratchet.task_claim (
    run_id   bigint   NOT NULL,
    queue_id bigint   NOT NULL,
    task_ids bigint[] NOT NULL,
    PRIMARY KEY (run_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE ratchet.task_claim IS
    'the tasks that each run has in hand, written before it begins with them; with a number below 0 those one of which may have brought the server down';

-- As of jobs: who sees the row of a queue in ratchet.job sees it here, and its tasks.

ALTER TABLE ratchet.queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.finished_task ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.task_claim ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_jobs ON ratchet.queue FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR queue_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));
CREATE POLICY own_jobs ON ratchet.task FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR queue_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));
CREATE POLICY own_jobs ON ratchet.finished_task FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR queue_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));
CREATE POLICY own_jobs ON ratchet.task_claim FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR queue_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));

GRANT SELECT ON ratchet.queue, ratchet.task, ratchet.finished_task, ratchet.task_claim TO PUBLIC;
-- pg_dump reads it, as those of jobs.
GRANT SELECT ON SEQUENCE ratchet.task_id_seq TO PUBLIC;

-- pg_dump carries the definitions and the tasks that are not finished.
SELECT pg_catalog.pg_extension_config_dump('ratchet.queue',
    'WHERE EXISTS (SELECT FROM ratchet.job j JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) j.owner'
    ' WHERE j.job_id OPERATOR(pg_catalog.=) queue_id)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.task',
    'WHERE EXISTS (SELECT FROM ratchet.job j JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) j.owner'
    ' WHERE j.job_id OPERATOR(pg_catalog.=) queue_id)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.task_id_seq', '');
