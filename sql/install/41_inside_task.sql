-- Inside a handler -------------------------------------------------------------------------------
-- Outside of one these return null and do nothing, so that a handler can be tried by hand. They tell a handler
-- about its own task and nothing else, so that everybody with USAGE on the schema may call them.

CREATE FUNCTION ratchet.task_id() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_task_id';
COMMENT ON FUNCTION ratchet.task_id() IS
    'inside the handler of a queue: the task in hand; null if it has several at once';

CREATE FUNCTION ratchet.task_attempt() RETURNS integer
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_task_attempt';
COMMENT ON FUNCTION ratchet.task_attempt() IS
    'inside the handler of a queue: number of the attempt at the task, from 1';

CREATE FUNCTION ratchet.snooze(delay interval) RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_snooze';
COMMENT ON FUNCTION ratchet.snooze(interval) IS
    'inside the handler of a queue: the task is to be done again after this time; no attempt is counted';

CREATE FUNCTION ratchet.discard(reason text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_discard';
COMMENT ON FUNCTION ratchet.discard(text) IS
    'inside the handler of a queue: the task is set aside as dead when the handler ends, for this reason';

-- Not inside one: the handler, tried ----------------------------------------------------------------

CREATE FUNCTION ratchet.try_task(task_id bigint) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ratchet_try_task';
COMMENT ON FUNCTION ratchet.try_task(bigint) IS
    'executes the handler for a task that waits or is dead, in this session, and rolls it back: what would happen';
