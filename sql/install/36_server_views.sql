-- The whole server in one list, from any of its databases.

CREATE FUNCTION ratchet._server_databases(
    OUT database text, OUT state text, OUT jobs bigint, OUT failing_jobs bigint, OUT running bigint, OUT waiting bigint,
    OUT failing_since timestamptz, OUT failure text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_server_databases';
COMMENT ON FUNCTION ratchet._server_databases IS
    'internal: the databases of the server that have the extension, as the caller may see them';

CREATE FUNCTION ratchet._server_runs(
    OUT database text, OUT run_id bigint, OUT job_name text, OUT owner oid, OUT cause text, OUT state text, OUT pid integer,
    OUT queued_at timestamptz, OUT started_at timestamptz, OUT items_done bigint, OUT items_remaining bigint,
    OUT cancel_asked boolean)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_server_runs';
COMMENT ON FUNCTION ratchet._server_runs IS
    'internal: runs in shared memory that the caller may see, of all databases';

CREATE VIEW ratchet.server_databases WITH (security_invoker = true) AS
SELECT d.database, d.state, d.jobs, d.failing_jobs, d.running, d.waiting, d.failing_since, d.failure
  FROM ratchet._server_databases() d;

COMMENT ON VIEW ratchet.server_databases IS
    'the databases of the server that have the extension, for superusers and pg_monitor';
COMMENT ON COLUMN ratchet.server_databases.state IS
    'active, resting (nothing is due soon), starting, held, quarantined, or failing: its scheduler can do nothing';
COMMENT ON COLUMN ratchet.server_databases.failing_jobs IS
    'jobs that have failed since their last success, as its scheduler last knew';
COMMENT ON COLUMN ratchet.server_databases.waiting IS 'runs that are due and wait for a worker';
COMMENT ON COLUMN ratchet.server_databases.failure IS 'why its scheduler can do nothing, since failing_since';
GRANT SELECT ON ratchet.server_databases TO PUBLIC;

CREATE VIEW ratchet.server_running WITH (security_invoker = true) AS
SELECT r.database, r.job_name, r.run_id, r.owner::regrole AS owner, r.cause, r.state, r.pid, r.started_at,
       clock_timestamp() - r.started_at AS elapsed, r.items_done, r.items_remaining, r.cancel_asked
  FROM ratchet._server_runs() r;

COMMENT ON VIEW ratchet.server_running IS
    'runs of all databases that are running now or about to, from shared memory: those of one''s own roles, all for superusers and pg_monitor';
COMMENT ON COLUMN ratchet.server_running.state IS 'running, or queued: it waits for a worker';
GRANT SELECT ON ratchet.server_running TO PUBLIC;
