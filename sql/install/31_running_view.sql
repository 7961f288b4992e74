-- Runs that are running now.

-- How far a command is: each version of the server has views for this with columns of its own, CLUSTER two since 19.
-- The values are numbers and texts of the server.
CREATE FUNCTION ratchet._command_progress(OUT pid integer, OUT progress jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shown regclass;
    command text;
    columns text;
BEGIN
    FOR shown, command, columns IN
        SELECT c.oid, upper(replace(substr(c.relname, length('pg_stat_progress_') + 1), '_', ' ')),
               string_agg(format('%L, p.%I', a.attname, a.attname), ', ')
                   FILTER (WHERE a.attname NOT IN ('pid', 'datid', 'datname', 'relid'))
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'v' AND c.relname LIKE 'pg\_stat\_progress\_%'
           AND NOT (c.relname = 'pg_stat_progress_cluster' AND to_regclass('pg_catalog.pg_stat_progress_repack') IS NOT NULL)
         GROUP BY c.oid, c.relname HAVING bool_or(a.attname = 'relid')
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT p.pid, jsonb_strip_nulls(jsonb_build_object(''command'', $1, %s, ''relation'','
            '              (SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid = p.relid)))'
            '  FROM %s p WHERE p.datname = current_database()', columns, shown)
            USING command;
    END LOOP;
END $$;
COMMENT ON FUNCTION ratchet._command_progress IS
    'internal: what the views pg_stat_progress_* show of this database, as far as the caller may see it';

CREATE VIEW ratchet.running WITH (security_invoker = true) AS
SELECT l.pid, coalesce(j.job_name, l.job_name) AS job_name, l.job_id, l.run_id, l.cause, l.attempt,
       l.started_at, clock_timestamp() - l.started_at AS elapsed, l.items_done, l.items_remaining,
       l.batches + 1 AS current_batch,
       round((l.items_done / nullif(extract(epoch FROM clock_timestamp() - l.started_at), 0)), 1) AS rate,
       CASE WHEN l.items_done > 0
            THEN clock_timestamp() + (clock_timestamp() - l.started_at)
                 * (l.items_remaining::float8 / l.items_done) END AS eta,
       l.scheduled_at, l.owner::regrole AS owner, l.cancel_asked, l.items_failed, l.walk_done,
       l.waits_for, l.messages,
       (SELECT p.progress FROM ratchet._command_progress() p WHERE p.pid = l.pid LIMIT 1) AS command_progress
  FROM ratchet._live_runs() l
  LEFT JOIN ratchet.job j ON j.job_id = l.job_id
 WHERE l.state = 'running';

COMMENT ON VIEW ratchet.running IS 'runs that are running now, from shared memory';
COMMENT ON COLUMN ratchet.running.items_done IS
    'items of a batch job that this run has committed; else what the run reports by ratchet.progress()';
COMMENT ON COLUMN ratchet.running.items_remaining IS
    'of a batch job: estimated by the planner, corrected by what the walk has found so far';
COMMENT ON COLUMN ratchet.running.walk_done IS
    'items of a batch job that are done since the walk began, by this run and earlier ones';
COMMENT ON COLUMN ratchet.running.waits_for IS
    'of a batch job between two batches: pause, replication, lock or writers';
COMMENT ON COLUMN ratchet.running.messages IS
    'the last of what it has said so far, in short, as in ratchet.runs';
COMMENT ON COLUMN ratchet.running.command_progress IS
    'what the server''s own view pg_stat_progress_* shows of VACUUM, ANALYZE, CREATE INDEX, CLUSTER, REPACK or COPY, when the run executes one';
COMMENT ON COLUMN ratchet.running.rate IS 'items per second since the run started';
COMMENT ON COLUMN ratchet.running.eta IS 'when it will have ended if it goes on at this rate';
COMMENT ON COLUMN ratchet.running.cancel_asked IS 'it was asked to stop, by somebody or by its timeout';
GRANT SELECT ON ratchet.running TO PUBLIC;
