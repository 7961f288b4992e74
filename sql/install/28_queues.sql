-- Task queues. create_queue and alter_queue pin the search_path of the calling session, as schedule() does.

-- Defining queues ---------------------------------------------------------------------------------

CREATE FUNCTION ratchet.create_queue(
    queue_name          text,
    handler             text      DEFAULT NULL,
    per                 text      DEFAULT NULL,
    batch_size          integer   DEFAULT NULL,
    batch_target        interval  DEFAULT NULL,
    timeout             interval  DEFAULT NULL,
    concurrency         integer   DEFAULT NULL,
    concurrency_per_key integer   DEFAULT NULL,
    rate                integer   DEFAULT NULL,
    rate_period         interval  DEFAULT NULL,
    rate_per_key        boolean   DEFAULT NULL,
    max_attempts        integer   DEFAULT NULL,
    backoff             interval  DEFAULT NULL,
    backoff_factor      float8    DEFAULT NULL,
    backoff_cap         interval  DEFAULT NULL,
    backoff_jitter      float8    DEFAULT NULL,
    max_crashes         integer   DEFAULT NULL,
    retention           interval  DEFAULT NULL,
    keep_dead           interval  DEFAULT NULL,
    lease               interval  DEFAULT NULL,
    producers           regrole[] DEFAULT NULL,
    consumers           regrole[] DEFAULT NULL,
    synchronous         boolean   DEFAULT NULL,
    http                jsonb     DEFAULT NULL,
    priority            integer   DEFAULT NULL,
    active_window       text      DEFAULT NULL,
    time_zone           text      DEFAULT NULL,
    mutex               text      DEFAULT NULL,
    environments        text[]    DEFAULT NULL,
    settings            jsonb     DEFAULT NULL,
    run_as              regrole   DEFAULT NULL,
    keep_history        interval  DEFAULT NULL,
    enabled             boolean   DEFAULT NULL,
    comment             text      DEFAULT NULL,
    tags                text[]    DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_create_queue';
COMMENT ON FUNCTION ratchet.create_queue IS
    'defines a queue, or redefines the one of that name: options that are not given go back to their defaults, except enabled and run_as; the handler is a statement that does a task, whose payload is $1; without one there are consumers only; with http each task is a request, which ratchet send makes; returns queue_id';

CREATE FUNCTION ratchet.alter_queue(
    queue_name          text,
    handler             text      DEFAULT NULL,
    new_name            text      DEFAULT NULL,
    per                 text      DEFAULT NULL,
    batch_size          integer   DEFAULT NULL,
    batch_target        interval  DEFAULT NULL,
    timeout             interval  DEFAULT NULL,
    concurrency         integer   DEFAULT NULL,
    concurrency_per_key integer   DEFAULT NULL,
    rate                integer   DEFAULT NULL,
    rate_period         interval  DEFAULT NULL,
    rate_per_key        boolean   DEFAULT NULL,
    max_attempts        integer   DEFAULT NULL,
    backoff             interval  DEFAULT NULL,
    backoff_factor      float8    DEFAULT NULL,
    backoff_cap         interval  DEFAULT NULL,
    backoff_jitter      float8    DEFAULT NULL,
    max_crashes         integer   DEFAULT NULL,
    retention           interval  DEFAULT NULL,
    keep_dead           interval  DEFAULT NULL,
    lease               interval  DEFAULT NULL,
    producers           regrole[] DEFAULT NULL,
    consumers           regrole[] DEFAULT NULL,
    synchronous         boolean   DEFAULT NULL,
    http                jsonb     DEFAULT NULL,
    priority            integer   DEFAULT NULL,
    active_window       text      DEFAULT NULL,
    time_zone           text      DEFAULT NULL,
    mutex               text      DEFAULT NULL,
    environments        text[]    DEFAULT NULL,
    settings            jsonb     DEFAULT NULL,
    run_as              regrole   DEFAULT NULL,
    keep_history        interval  DEFAULT NULL,
    enabled             boolean   DEFAULT NULL,
    comment             text      DEFAULT NULL,
    tags                text[]    DEFAULT NULL,
    reset               text[]    DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_alter_queue';
COMMENT ON FUNCTION ratchet.alter_queue IS
    'changes what is given and leaves the rest of a queue as it is; reset names the options that go back to their defaults, handler among them';

CREATE FUNCTION ratchet.drop_queue(queue_name text, if_exists boolean DEFAULT false, force boolean DEFAULT false)
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_drop_queue';
COMMENT ON FUNCTION ratchet.drop_queue IS
    'drops a queue with its finished tasks; with tasks that are not finished only by force; the records of its runs stay';

CREATE FUNCTION ratchet.pause_queue(queue_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_pause_queue';
COMMENT ON FUNCTION ratchet.pause_queue IS
    'keeps the tasks of a queue from being started or claimed; those that are running are let finish, and it can be enqueued to';

CREATE FUNCTION ratchet.resume_queue(queue_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_resume_queue';
COMMENT ON FUNCTION ratchet.resume_queue IS 'lets the tasks of a paused queue start again';

-- Tasks -------------------------------------------------------------------------------------------

CREATE FUNCTION ratchet.enqueue(
    queue_name   text,
    payload      jsonb       DEFAULT NULL,
    run_at       timestamptz DEFAULT NULL,
    delay        interval    DEFAULT NULL,
    priority     integer     DEFAULT 0,
    unique_key   text        DEFAULT NULL,
    on_conflict  text        DEFAULT 'skip',
    ordering_key text        DEFAULT NULL,
    group_key    text        DEFAULT NULL,
    expires_at   timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_enqueue';
COMMENT ON FUNCTION ratchet.enqueue IS
    'puts a task into a queue, which is done once the transaction has committed; when an unfinished task has its unique_key: skip returns that one, replace changes it, raise is an error; returns task_id';

CREATE FUNCTION ratchet.enqueue_many(
    queue_name    text,
    payloads      jsonb[],
    run_at        timestamptz DEFAULT NULL,
    delay         interval    DEFAULT NULL,
    priority      integer     DEFAULT 0,
    unique_keys   text[]      DEFAULT NULL,
    on_conflict   text        DEFAULT 'skip',
    ordering_keys text[]      DEFAULT NULL,
    group_keys    text[]      DEFAULT NULL,
    expires_at    timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_enqueue_many';
COMMENT ON FUNCTION ratchet.enqueue_many IS
    'puts a task for each payload into a queue, as ratchet.enqueue() does; keys are arrays of as many elements; returns how many were put in or have replaced another one';

CREATE FUNCTION ratchet.cancel_task(task_id bigint) RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_cancel_task';
COMMENT ON FUNCTION ratchet.cancel_task IS
    'cancels a task that waits, or that a consumer has claimed, which then cannot complete it; false when a handler is about it, or it has ended';

CREATE FUNCTION ratchet.retry_task(task_id bigint) RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_retry_task';
COMMENT ON FUNCTION ratchet.retry_task IS
    'lets a dead, canceled or expired task be done again, with all its attempts, and one that waits for its next attempt now; false for others';

CREATE FUNCTION ratchet.redrive(queue_name text, max_tasks integer DEFAULT NULL, error_like text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_redrive';
COMMENT ON FUNCTION ratchet.redrive IS
    'lets the dead tasks of a queue be done again, the ones that died first first, or those whose error is LIKE the pattern; returns how many';
