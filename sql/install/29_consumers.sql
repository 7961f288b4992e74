-- Consumers: programs that take tasks out of queues by SQL.

CREATE FUNCTION ratchet.claim(
    queue_name text,
    max_tasks  integer  DEFAULT 1,
    lease      interval DEFAULT NULL,
    wait       interval DEFAULT '0',
    OUT task_id bigint, OUT token bigint, OUT payload jsonb, OUT attempt integer,
    OUT ordering_key text, OUT group_key text)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_claim';
COMMENT ON FUNCTION ratchet.claim IS
    'takes up to max_tasks that are to be done out of a queue, for as long as the lease says, and waits for one if there is none; whoever has the token can complete it';

CREATE FUNCTION ratchet.complete(task_id bigint, token bigint, result jsonb DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_complete';
COMMENT ON FUNCTION ratchet.complete(bigint, bigint, jsonb) IS
    'a task that was claimed is done once the transaction has committed; an error when it is not in the caller''s hands any more; the result is kept if its queue has a retention';

CREATE FUNCTION ratchet.complete(task_ids bigint[], tokens bigint[]) RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_complete_many';
COMMENT ON FUNCTION ratchet.complete(bigint[], bigint[]) IS
    'as ratchet.complete() does for one, for several tasks: all of them or none';

CREATE FUNCTION ratchet.fail(
    task_id  bigint,
    token    bigint,
    error    text,
    retry_in interval DEFAULT NULL,
    discard  boolean  DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_fail';
COMMENT ON FUNCTION ratchet.fail IS
    'gives a task that was claimed back, to be tried again after retry_in or what the queue says, or to be dead after max_attempts or by discard; an error when it is not in the caller''s hands any more';

CREATE FUNCTION ratchet.extend(task_id bigint, token bigint, lease interval) RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_extend';
COMMENT ON FUNCTION ratchet.extend IS
    'a task that was claimed stays in the caller''s hands for this long from now; an error when it is not any more';
