-- Functions. Schema USAGE, which an administrator grants, is the right to call them; what else somebody
-- may do is looked up in each of them. None is SECURITY DEFINER.
--
-- search_path: functions in SQL or PL/pgSQL set it to pg_catalog, pg_temp, and so do those in C, but for
--   * schedule, schedule_batch, alter_job and apply_jobs, which pin the search_path of the calling session;
--   * the procedures run and wait_for: a procedure that sets something cannot commit;
--   * functions called for every row or in every run, which look up nothing by name.
-- The test "privileges" has the list.

COMMENT ON SCHEMA ratchet IS
    'pg_ratchet, the job scheduler: who has USAGE on it can define jobs that run as themselves';
REVOKE ALL ON SCHEMA ratchet FROM PUBLIC;

-- Defining jobs ---------------------------------------------------------------------------------
-- The options are those of src/api/option.cpp: the build puts them here (sql/options.awk).

CREATE FUNCTION ratchet.schedule(
    job_name       text,
    schedule       text,
    command        text,
    @OPTIONS OF ALL JOBS@)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_schedule';
COMMENT ON FUNCTION ratchet.schedule IS
    'defines a job, or redefines the one of that name: options that are not given go back to their defaults, except enabled and run_as; returns job_id';

CREATE FUNCTION ratchet.schedule_batch(
    job_name       text,
    schedule       text,
    source         text,
    action         text,
    @OPTIONS@)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_schedule_batch';
COMMENT ON FUNCTION ratchet.schedule_batch IS
    'defines a job that does an action for each row of a source, in batches that commit, or redefines the one of that name as schedule() does; returns job_id';

CREATE FUNCTION ratchet.alter_job(
    job_name       text,
    schedule       text        DEFAULT NULL,
    command        text        DEFAULT NULL,
    source         text        DEFAULT NULL,
    action         text        DEFAULT NULL,
    new_name       text        DEFAULT NULL,
    @OPTIONS@,
    reset          text[]      DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_alter_job';
COMMENT ON FUNCTION ratchet.alter_job IS
    'changes what is given and leaves the rest of a job as it is; reset names the options that go back to their defaults';

CREATE FUNCTION ratchet.unschedule(job_name text, if_exists boolean DEFAULT false)
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_unschedule';
COMMENT ON FUNCTION ratchet.unschedule IS
    'drops a job; its history stays, runs that wait are canceled, and one that is running is let finish';

CREATE FUNCTION ratchet.pause_job(job_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_pause_job';
COMMENT ON FUNCTION ratchet.pause_job IS
    'keeps a job from starting by its schedule; a run that is running is let finish';

CREATE FUNCTION ratchet.resume_job(job_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_resume_job';
COMMENT ON FUNCTION ratchet.resume_job IS
    'lets a paused job start again; what was missed meanwhile goes by its option misfire';

CREATE FUNCTION ratchet.pause_all(cancel_running boolean DEFAULT false)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_pause_all';
COMMENT ON FUNCTION ratchet.pause_all IS
    'keeps all jobs of the database from starting, also what is triggered, until ratchet.resume_all(); what is running is let finish, or canceled; returns how many were asked to end';

CREATE FUNCTION ratchet.resume_all()
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_resume_all';
COMMENT ON FUNCTION ratchet.resume_all IS
    'ends what ratchet.pause_all() began: jobs go on, but those that are paused by themselves; false when there was nothing to end';

CREATE FUNCTION ratchet.pause_server(cancel_running boolean DEFAULT false)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_pause_server';
COMMENT ON FUNCTION ratchet.pause_server IS
    'keeps all jobs of all databases from starting, by ALTER SYSTEM SET ratchet.enabled = off and a reload, at once; what is running is let finish, or canceled; returns how many were asked to end';

CREATE FUNCTION ratchet.resume_server()
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_resume_server';
COMMENT ON FUNCTION ratchet.resume_server IS
    'ends what ratchet.pause_server() began, by ALTER SYSTEM RESET ratchet.enabled and a reload, at once';

-- Runs ------------------------------------------------------------------------------------------

CREATE FUNCTION ratchet.trigger(
    job_name text,
    payload  jsonb       DEFAULT NULL,
    run_at   timestamptz DEFAULT NULL,
    "coalesce" boolean   DEFAULT true)
RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_trigger';
COMMENT ON FUNCTION ratchet.trigger IS
    'asks for a run of a job, which starts once the transaction has committed; "coalesce" (quoted, it is a key word) shares a run that waits already; returns run_id';

CREATE FUNCTION ratchet.cancel(run_id bigint)
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_cancel';
COMMENT ON FUNCTION ratchet.cancel(bigint) IS
    'cancels a run that waits or is running, once the transaction has committed; false when it has ended already';

CREATE FUNCTION ratchet.cancel(job_name text)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_cancel_job';
COMMENT ON FUNCTION ratchet.cancel(text) IS
    'cancels all runs of a job that wait or are running, once the transaction has committed; returns how many';

CREATE FUNCTION ratchet.wait(run_id bigint, timeout interval DEFAULT '1 minute')
RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_wait';
COMMENT ON FUNCTION ratchet.wait(bigint, interval) IS
    'waits until a run has ended and returns its status; queued or running when the timeout is over; null waits without a limit';

CREATE FUNCTION ratchet.wait(job_name text, timeout interval DEFAULT '1 minute')
RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'ratchet_wait_job';
COMMENT ON FUNCTION ratchet.wait(text, interval) IS
    'the same for the newest run of a job that waits or is running, else for the last one that has ended';

CREATE PROCEDURE ratchet.wait_for(
    run_id bigint,
    timeout interval DEFAULT '1 minute',
    INOUT status text DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'ratchet_wait_for';
COMMENT ON PROCEDURE ratchet.wait_for(bigint, interval, text) IS
    'as ratchet.wait(), but holds no snapshot while it waits; not inside a transaction block';

CREATE PROCEDURE ratchet.wait_for(
    job_name text,
    timeout interval DEFAULT '1 minute',
    INOUT status text DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'ratchet_wait_for_job';
COMMENT ON PROCEDURE ratchet.wait_for(text, interval, text) IS
    'as ratchet.wait() by the name of a job, but holds no snapshot while it waits; not inside a transaction block';

-- Schedules -------------------------------------------------------------------------------------

CREATE FUNCTION ratchet.next_runs(
    schedule  text,
    time_zone text        DEFAULT NULL,
    count     integer     DEFAULT 5,
    after     timestamptz DEFAULT pg_catalog.now())
RETURNS SETOF timestamptz
LANGUAGE c STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_next_runs';
COMMENT ON FUNCTION ratchet.next_runs IS
    'when a job with this schedule would run if it were scheduled at that time';

CREATE FUNCTION ratchet.describe_schedule(schedule text)
RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_describe_schedule';
COMMENT ON FUNCTION ratchet.describe_schedule IS 'a schedule in words, such as "at 09:00 on Monday"';

-- Administration ----------------------------------------------------------------------------------

CREATE FUNCTION ratchet.status(
    OUT component text, OUT state text, OUT detail text, OUT hint text)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_status';
COMMENT ON FUNCTION ratchet.status IS
    'the state of the scheduler''s parts, and what to do about those that need something';

CREATE FUNCTION ratchet.adopt(OUT job_name text, OUT owner regrole)
RETURNS SETOF record
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_adopt';
COMMENT ON FUNCTION ratchet.adopt IS
    'lets jobs run here that came by pg_restore, by COPY or in a copy, and lists them: all for superusers, for the owner of the database those that are its own';

CREATE FUNCTION ratchet.stat_reset(job_name text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_stat_reset';
COMMENT ON FUNCTION ratchet.stat_reset IS
    'starts the counters of a job again from zero, or those of all jobs, once the transaction has committed';

-- Internal: for the views and the install script ----------------------------------------------------

CREATE FUNCTION ratchet._live_runs(
    OUT run_id bigint, OUT job_id bigint, OUT job_name text, OUT owner oid, OUT version integer,
    OUT cause text, OUT state text, OUT attempt integer, OUT pid integer,
    OUT scheduled_at timestamptz, OUT queued_at timestamptz, OUT started_at timestamptz,
    OUT items_done bigint, OUT items_remaining bigint, OUT items_failed bigint, OUT batches bigint,
    OUT walk_done bigint, OUT waits_for text,
    OUT dry_run boolean, OUT replay_of bigint, OUT retry_of bigint, OUT cancel_asked boolean,
    OUT messages jsonb, OUT requested_by oid)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'ratchet_live_runs';
COMMENT ON FUNCTION ratchet._live_runs IS
    'internal: runs in shared memory that the caller may see';

CREATE FUNCTION ratchet._board_check() RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_board_check';
COMMENT ON FUNCTION ratchet._board_check IS
    'internal, for tests: what does not agree in shared memory; no rows when all is well';
REVOKE EXECUTE ON FUNCTION ratchet._board_check() FROM PUBLIC;

CREATE FUNCTION ratchet._node() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_node';
COMMENT ON FUNCTION ratchet._node IS 'internal: the name under which this server signs its runs';

CREATE FUNCTION ratchet._occurrences(
    job_name text, schedule text, time_zone text, active_window text, calendar text,
    since timestamptz, start_at timestamptz, end_at timestamptz, after timestamptz,
    until timestamptz, "limit" bigint)
RETURNS bigint
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_occurrences';
COMMENT ON FUNCTION ratchet._occurrences IS
    'internal: how many occurrences there are after "after" up to "until", counted to "limit"';

CREATE FUNCTION ratchet._next_run_at(job_id bigint) RETURNS timestamptz
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_next_run_at';
COMMENT ON FUNCTION ratchet._next_run_at IS
    'internal: when the job starts next, of one whose schedule the scheduler has not come to yet';

CREATE FUNCTION ratchet._agenda(
    until timestamptz, job_name text, runs_per_job integer, max_rows integer,
    OUT at timestamptz, OUT job_id bigint, OUT cause text, OUT run_id bigint, OUT after_backfill boolean,
    OUT more boolean)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_agenda';
COMMENT ON FUNCTION ratchet._agenda IS 'internal: what starts until then, of the jobs that the caller may see';

CREATE FUNCTION ratchet._is_quarantined(job_id bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_is_quarantined';
COMMENT ON FUNCTION ratchet._is_quarantined IS
    'internal: whether the job is held back until ratchet.adopt()';

CREATE FUNCTION ratchet._waits_for_mutex(job_id bigint) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_waits_for_mutex';
COMMENT ON FUNCTION ratchet._waits_for_mutex IS
    'internal: the mutex for which something of the job waits now, and who holds it';

CREATE FUNCTION ratchet._waits_for_worker(job_id bigint) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_waits_for_worker';
COMMENT ON FUNCTION ratchet._waits_for_worker IS
    'internal: that something of the job waits now because its owner has all workers that a role may have, or all are busy';

CREATE FUNCTION ratchet._waits_for_window(active_window text, time_zone text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_waits_for_window';
COMMENT ON FUNCTION ratchet._waits_for_window IS
    'internal: the active window if it is closed now, and when it opens';

CREATE FUNCTION ratchet._waits_for_jobs(job_id bigint, trouble_only boolean) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_waits_for_jobs';
COMMENT ON FUNCTION ratchet._waits_for_jobs IS
    'internal: the first job in depends_on that has not succeeded since this one''s last run; with trouble_only, that failed or does not exist';

CREATE FUNCTION ratchet._job_day(
    day bytea, at timestamptz,
    OUT runs bigint, OUT failures bigint, OUT avg_duration interval, OUT p95_duration interval,
    OUT avg_lag interval, OUT max_lag interval, OUT usual_duration interval,
    OUT slower_duration interval, OUT earlier_duration interval)
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_job_day';
COMMENT ON FUNCTION ratchet._job_day IS 'internal: reads the day that the scheduler counts for each job';

CREATE FUNCTION ratchet._short(span interval) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_short';
COMMENT ON FUNCTION ratchet._short IS 'internal: an interval in at most six letters, such as 250ms or -15h';

CREATE FUNCTION ratchet._fit(text text, columns integer) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_fit';
COMMENT ON FUNCTION ratchet._fit IS 'internal: a text in one line, cut to what has room in so many columns of a terminal';

CREATE FUNCTION ratchet._width(text text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ratchet_width';
COMMENT ON FUNCTION ratchet._width IS 'internal: how many columns of a terminal a text takes';

CREATE FUNCTION ratchet._tables_changed() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_tables_changed';
COMMENT ON FUNCTION ratchet._tables_changed IS
    'internal: tells the scheduler of jobs that were written by hand, by pg_restore for one';

CREATE FUNCTION ratchet._extension_created() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_extension_created';
COMMENT ON FUNCTION ratchet._extension_created IS
    'internal: a scheduler starts once CREATE EXTENSION has committed';

CREATE FUNCTION ratchet._extension_updated() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_extension_updated';
COMMENT ON FUNCTION ratchet._extension_updated IS
    'internal: jobs go on once ALTER EXTENSION UPDATE has committed';

-- These make a scheduler read all jobs again, which nobody else needs to do.
REVOKE EXECUTE ON FUNCTION ratchet._tables_changed(), ratchet._extension_created(), ratchet._extension_updated()
    FROM PUBLIC;

CREATE TRIGGER tables_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ratchet.job
    FOR EACH STATEMENT EXECUTE FUNCTION ratchet._tables_changed();
