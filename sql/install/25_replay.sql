-- Running the past: what an earlier run ran, and occurrences that have not run yet.

CREATE FUNCTION ratchet.replay(
    run_id      bigint,
    dry_run     boolean DEFAULT false,
    only_failed boolean DEFAULT false)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_replay';
COMMENT ON FUNCTION ratchet.replay IS
    'runs again what an earlier run ran: its command, payload, settings, owner and logical time, whatever has become of the job since; only_failed does only the items of it that failed; returns the new run_id';

CREATE FUNCTION ratchet.backfill(job_name text, from_time timestamptz, to_time timestamptz)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_backfill';
COMMENT ON FUNCTION ratchet.backfill IS
    'runs every occurrence of a job from one instant to another (both included), in order, each with its own logical time; returns how many there are';

CREATE FUNCTION ratchet.cancel_backfill(job_name text)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_cancel_backfill';
COMMENT ON FUNCTION ratchet.cancel_backfill IS
    'ends the backfills of a job; a run that is running is let finish; returns how many occurrences will not run (ratchet.cancel() of a run leaves out that occurrence only)';

CREATE TRIGGER tables_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ratchet.backfill
    FOR EACH STATEMENT EXECUTE FUNCTION ratchet._tables_changed();

CREATE VIEW ratchet.backfills WITH (security_invoker = true) AS
SELECT j.job_name, b.after_time, b.to_time,
       ratchet._occurrences(j.job_name, j.schedule, j.time_zone, j.active_window, j.calendar,
                            j.schedule_since, j.start_at, j.end_at, b.after_time,
                            coalesce(b.to_time, now()), 100000) AS remaining,
       b.holds_schedule, b.requested_at, j.owner, j.job_id, b.backfill_id
  FROM ratchet.backfill b
  JOIN ratchet.job j ON j.job_id = b.job_id;

COMMENT ON VIEW ratchet.backfills IS 'backfills that are not finished, oldest first of each job';
COMMENT ON COLUMN ratchet.backfills.after_time IS
    'every occurrence up to this instant has run, is running or waits for its turn';
COMMENT ON COLUMN ratchet.backfills.to_time IS
    'the last instant; null: until it has caught up with the schedule';
COMMENT ON COLUMN ratchet.backfills.remaining IS
    'occurrences that are still to come, counted to 100000';
COMMENT ON COLUMN ratchet.backfills.holds_schedule IS
    'the schedule starts when the backfill is done: option backfill_from';

GRANT SELECT ON ratchet.backfills TO PUBLIC;

CREATE FUNCTION ratchet.reset_checkpoint(job_name text) RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_reset_checkpoint';
COMMENT ON FUNCTION ratchet.reset_checkpoint IS
    'forgets how far a job is, so that its next run begins at the start; false when there was nothing to forget; not while it runs';
