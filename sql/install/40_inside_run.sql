-- Inside a run ----------------------------------------------------------------------------------
-- Outside of a run these return null. They tell a job about its own run and nothing else, so that
-- everybody with USAGE on the schema may call them.

CREATE FUNCTION ratchet.run_id() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_run_id';
COMMENT ON FUNCTION ratchet.run_id() IS 'inside a run: its id';

CREATE FUNCTION ratchet.attempt() RETURNS integer
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_attempt';
COMMENT ON FUNCTION ratchet.attempt() IS 'inside a run: number of the attempt at its occurrence, from 1';

CREATE FUNCTION ratchet.scheduled_at() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_scheduled_at';
COMMENT ON FUNCTION ratchet.scheduled_at() IS
    'inside a run: its logical time, the instant at which the schedule was due';

CREATE FUNCTION ratchet.previous_scheduled_at() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_previous_scheduled_at';
COMMENT ON FUNCTION ratchet.previous_scheduled_at() IS
    'inside a run: logical time of the occurrence before, null for the first one';

CREATE FUNCTION ratchet.payload() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_payload';
COMMENT ON FUNCTION ratchet.payload() IS
    'inside a run: its arguments, those of ratchet.trigger() or else those of the job';

CREATE FUNCTION ratchet.progress(done bigint, remaining bigint) RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_progress';
COMMENT ON FUNCTION ratchet.progress(bigint, bigint) IS
    'inside a run: shows in ratchet.running how far it is; a run that ends with items remaining is partial';

CREATE FUNCTION ratchet.checkpoint() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_checkpoint';
COMMENT ON FUNCTION ratchet.checkpoint() IS
    'inside a run: what the job saved last with ratchet.save_checkpoint(), until a run succeeded';

-- It writes, which a query with parallel workers must not.
CREATE FUNCTION ratchet.save_checkpoint(value jsonb) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ratchet_save_checkpoint';
COMMENT ON FUNCTION ratchet.save_checkpoint(jsonb) IS
    'inside a run: remembers how far it is for the next run; commits and rolls back with the transaction';

-- In the foreground -----------------------------------------------------------------------------
-- No SET clause: a procedure that has one cannot commit. It resolves no name by the search path.

CREATE PROCEDURE ratchet.run(job_name text, payload jsonb DEFAULT NULL, dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'ratchet_run';
COMMENT ON PROCEDURE ratchet.run(text, jsonb, boolean) IS
    'runs a job of the caller''s own in this session, with the same record as a scheduled run';
