-- Job definitions as data, triggers on tables, and the jobs of pg_cron.
SET client_min_messages = warning;
SET TIME ZONE 'UTC';

CREATE ROLE ratchet_boss SUPERUSER LOGIN;
CREATE ROLE ratchet_deploy LOGIN;
CREATE ROLE ratchet_app LOGIN;
CREATE ROLE ratchet_other LOGIN;
CREATE ROLE "Odd ""role""" LOGIN;
GRANT ratchet_app TO ratchet_deploy;
GRANT USAGE ON SCHEMA ratchet TO ratchet_deploy, ratchet_app, ratchet_other, "Odd ""role""";
SET SESSION AUTHORIZATION ratchet_boss;
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id bigint PRIMARY KEY, "Odd" text);
CREATE TABLE public."Odd table" (id int PRIMARY KEY);
GRANT USAGE ON SCHEMA shop TO "Odd ""role""";
GRANT ratchet_app TO "Odd ""role""";
GRANT SELECT ON shop.orders, public."Odd table" TO "Odd ""role""";

-- No job, no definitions.
SELECT ratchet.export_jobs();

-- Every option that there is.
SELECT count(*) AS options,
       count(*) FILTER (WHERE name NOT IN (SELECT attname FROM pg_attribute
                         WHERE attrelid = 'ratchet.job'::regclass) AND name <> 'run_as') AS without_column
  FROM (SELECT unnest(proargnames) AS name FROM pg_proc
         WHERE oid = 'ratchet.schedule_batch'::regproc) a;
SELECT ratchet.schedule('parent', '@manual', 'SELECT 1', run_as => 'ratchet_app') IS NOT NULL AS made;
SELECT ratchet.schedule('all options', '0 9 * * MON-FRI', 'SELECT ''a "quoted" \text''',
    time_zone => 'Europe/Paris', overlap => 'queue', transaction => 'per_statement', timeout => '90 minutes',
    max_attempts => 3, backoff => '30 seconds', backoff_factor => 1.5, backoff_cap => '2 days', backoff_jitter => 0.1,
    on_crash => 'next', misfire => 'all', misfire_limit => 7, start_at => '2030-01-01 12:00+02',
    end_at => '2040-01-01 00:00:00.000001+00', max_runs => 99, mutex => 'm', active_window => 'Mon-Fri 08:00-18:00',
    only_if => 'SELECT true', watch => '{shop.orders,"\"Odd table\""}', depends_on => '{parent}',
    environments => '{production,"a \"b\""}', priority => -5, settings => '{"work_mem": "8MB", "search_path": "shop"}',
    payload => '{"a": [1, null, "x"]}', run_as => '"Odd ""role"""', keep_history => '1 year', enabled => false,
    comment => E'two\nlines', tags => '{}') IS NOT NULL AS made;
SELECT ratchet.schedule_batch('a batch', '5 minutes', 'SELECT id FROM shop.orders', 'SELECT $1',
    key => '{id}', per => 'batch', batch_size => 100, batch_target => '250 ms', mode => 'incremental',
    max_run_time => '10 minutes', max_failed_items => 0, pause_ratio => 0.25, max_replication_lag => '0',
    settings => '{"search_path": "shop"}', payload => '"just a string"', time_zone => 'UTC') IS NOT NULL AS made;
SELECT jsonb_pretty(ratchet.export_jobs());
SELECT ratchet.export_jobs() AS jobs \gset

-- It does not depend on the session, and applying it changes nothing.
SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -15;
SET search_path = shop;
SELECT ratchet.export_jobs() = :'jobs' AS same;
SELECT * FROM ratchet.apply_jobs(:'jobs');
SELECT * FROM ratchet.apply_jobs(:'jobs', prune => true, dry_run => true);
RESET DateStyle; RESET IntervalStyle; SET TimeZone = 'UTC'; RESET extra_float_digits; RESET search_path;
SELECT count(*) AS jobs, max(version) AS version FROM ratchet.jobs;

-- In a database without them it makes the same ones, in whatever order they are written down.
SELECT count(ratchet.unschedule(job_name)) FROM (SELECT job_name FROM ratchet.jobs ORDER BY job_name DESC) j;
SELECT * FROM ratchet.apply_jobs(:'jobs', dry_run => true);
SELECT count(*) FROM ratchet.jobs;
SELECT * FROM ratchet.apply_jobs(:'jobs');
SELECT ratchet.export_jobs() = :'jobs' AS same;

-- What has changed, and what a dry run says beforehand. An operator's pause stays, and so does the owner.
SELECT jsonb_agg(job - 'settings' - 'run_as' - 'enabled' || CASE job ->> 'job_name'
           WHEN 'parent' THEN '{"command": "SELECT 2", "timeout": "1 minute", "time_zone": "UTC"}' ELSE '{}' END::jsonb) AS changed
  FROM jsonb_array_elements(:'jobs') job WHERE job ->> 'job_name' <> 'a batch' \gset
SET search_path = shop;
SELECT * FROM ratchet.apply_jobs(:'changed', dry_run => true, prune => true);
SELECT ratchet.export_jobs() = :'jobs' AS same;
SELECT * FROM ratchet.apply_jobs(:'changed', prune => true);
SELECT job_name, enabled, owner FROM ratchet.jobs ORDER BY job_name;
SELECT * FROM ratchet.apply_jobs(:'changed', prune => true);
RESET search_path;
-- All or nothing.
SELECT * FROM ratchet.apply_jobs('[{"job_name": "first", "schedule": "@manual", "command": "SELECT 1"},
                                   {"job_name": "second", "schedule": "@manual", "command": "SELEC 1"}]');
BEGIN;
SELECT * FROM ratchet.apply_jobs('[]', prune => true);
ROLLBACK;
SELECT job_name FROM ratchet.jobs ORDER BY job_name;

-- What is wrong is named.
CREATE FUNCTION pg_temp.refused(element jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; context text;
BEGIN
    PERFORM ratchet.apply_jobs(CASE WHEN jsonb_typeof(element) = 'array' THEN element
        WHEN jsonb_typeof(element) = 'object' THEN jsonb_build_array('{"job_name": "j", "schedule": "@manual", "command": "SELECT 1"}'::jsonb || element)
        ELSE element END);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN SQLSTATE || ' ' || message || coalesce(' / ' || nullif(left(hint, 60), ''), '')
        || coalesce(' / ' || substring(context FROM '[a-z_]+ of job "j"'), '')
        || coalesce(' / ' || substring(context FROM 'job "j" of the document'), '');
END $$;
\pset format unaligned
\pset tuples_only on
SELECT i || ': ' || pg_temp.refused(e) FROM (VALUES
    (1, jsonb '{}'), (2, '1'), (3, '[1]'), (4, '[{}]'), (5, '[{"job_name": 1}]'),
    (6, '[{"job_name": "j", "schedule": "@manual", "command": "SELECT 1"}, {"job_name": "j"}]'),
    (7, '[{"job_name": "j", "command": "SELECT 1"}]'), (8, '[{"job_name": "j", "schedule": "@manual"}]'),
    (9, '[{"job_name": "", "schedule": "@manual", "command": "SELECT 1"}]'),
    (10, '{"source": "SELECT 1"}'), (11, '[{"job_name": "j", "schedule": "@manual", "source": "SELECT 1"}]'),
    (12, '{"time_out": "1 minute"}'), (13, '{"job_id": 1}'), (14, '{"batch_size": 5}'),
    (15, '{"timeout": 5}'), (16, '{"timeout": "fife minutes"}'), (17, '{"timeout": "-1 s"}'),
    (18, '{"max_attempts": "3"}'), (19, '{"max_attempts": 1.5}'), (20, '{"max_attempts": 0}'), (21, '{"max_attempts": 3000000000}'),
    (22, '{"enabled": "true"}'), (23, '{"tags": "a"}'), (24, '{"tags": ["a", 1]}'), (25, '{"tags": {"a": 1}}'),
    (26, '{"run_as": "nobody"}'), (27, '{"run_as": 10}'), (28, '{"watch": ["shop.nowhere"]}'), (29, '{"watch": ["shop.orders", null]}'),
    (30, '{"start_at": "tomorrowish"}'), (31, '{"backoff_factor": "2"}'), (32, '{"overlap": "sometimes"}'),
    (33, '{"schedule": "61 * * * *"}'), (34, '{"schedule": 5}'), (35, '{"command": "SELEC 1"}'), (36, '{"command": ""}'),
    (37, '{"settings": {"no_such": {}}}'), (38, '{"settings": {"work_mem": "much"}}'),
    (39, '[{"job_name": "a", "schedule": "@manual", "command": "SELECT 1", "depends_on": ["b"]},
           {"job_name": "b", "schedule": "@manual", "command": "SELECT 1", "depends_on": ["a"]}]')
    ) v (i, e) ORDER BY i;
SELECT pg_temp.refused(jsonb '{"timeout": null, "payload": null}');
\pset tuples_only off
\pset format aligned
SELECT * FROM ratchet.apply_jobs(NULL);
BEGIN READ ONLY;
SELECT * FROM ratchet.apply_jobs('[]', dry_run => true);
ROLLBACK;

-- By somebody who manages some of them.
SELECT count(*) FROM ratchet.apply_jobs('[]', prune => true);
SELECT ratchet.schedule('boss job', '@manual', 'SELECT 1') IS NOT NULL AS made;
SELECT ratchet.schedule('app job', '@manual', 'SELECT 1', run_as => 'ratchet_app') IS NOT NULL AS made;
SELECT ratchet.schedule('other job', '@manual', 'SELECT 1', run_as => 'ratchet_other') IS NOT NULL AS made;
SET SESSION AUTHORIZATION ratchet_deploy;
SELECT job ->> 'job_name' AS job_name, job ->> 'run_as' AS run_as FROM jsonb_array_elements(ratchet.export_jobs()) job;
SELECT * FROM ratchet.apply_jobs(ratchet.export_jobs(), prune => true);
SELECT * FROM ratchet.apply_jobs('[{"job_name": "other job", "schedule": "@manual", "command": "SELECT 2"}]');
SELECT * FROM ratchet.apply_jobs('[{"job_name": "mine", "schedule": "@manual", "command": "SELECT 2", "run_as": "ratchet_other"}]');
SELECT * FROM ratchet.apply_jobs('[{"job_name": "mine", "schedule": "@manual", "command": "SELECT 2"},
                                   {"job_name": "app", "schedule": "@manual", "command": "SELECT 2", "run_as": "ratchet_app"}]', prune => true);
SET SESSION AUTHORIZATION ratchet_boss;
SELECT job_name, owner FROM ratchet.jobs ORDER BY job_name;
SELECT count(*) FROM ratchet.apply_jobs('[]', prune => true);

-- Triggers on tables: who may make them, and on what.
SET SESSION AUTHORIZATION ratchet_boss;
SELECT ratchet.schedule('app job', '@manual', 'SELECT 1', run_as => 'ratchet_app') IS NOT NULL AS made;
SELECT ratchet.schedule('other job', '@manual', 'SELECT 1', run_as => 'ratchet_other') IS NOT NULL AS made;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
GRANT TRIGGER ON shop.orders TO ratchet_app;
GRANT INSERT ON shop.orders TO ratchet_other;
CREATE TEMP TABLE mine (x int);
CREATE VIEW shop.all_orders AS TABLE shop.orders;
SELECT ratchet.trigger_on_change(NULL, 'app job');
SELECT ratchet.trigger_on_change('shop.orders', NULL);
SELECT ratchet.trigger_on_change('shop.orders', 'app job', NULL);
SELECT ratchet.trigger_on_change('shop.orders', 'no job');
SELECT ratchet.trigger_on_change('shop.orders', 'app job', '-1 s');
SELECT ratchet.trigger_on_change('shop.orders', 'app job', '2 days');
SELECT ratchet.trigger_on_change('shop.nothing', 'app job');
SELECT ratchet.trigger_on_change(4000000000::oid, 'app job');
SELECT ratchet.trigger_on_change('shop.all_orders', 'app job');
SELECT ratchet.trigger_on_change('mine', 'app job');
SELECT ratchet.trigger_on_change('pg_class', 'app job');
SELECT ratchet._change();
SET SESSION AUTHORIZATION ratchet_other;
SELECT ratchet.trigger_on_change('shop.orders', 'other job');
SELECT ratchet.trigger_on_change('shop.orders', 'app job');
SET SESSION AUTHORIZATION ratchet_app;
SELECT ratchet.trigger_on_change('shop.orders', 'other job');
SELECT ratchet.trigger_on_change('shop.orders', 'app job', debounce => '1.5 seconds') ~ '^ratchet_change_[0-9]+$' AS made;
SELECT ratchet.trigger_on_change('shop.orders', 'app job', debounce => '1.5 seconds') ~ '^ratchet_change_[0-9]+$' AS made;
SELECT table_name, job_name, debounce, enabled, owner FROM ratchet.change_triggers;
SELECT ratchet.trigger_on_change('shop.orders', 'app job', debounce => '7 us') ~ '^ratchet_change_[0-9]+$' AS made;
SELECT table_name, job_name, debounce, enabled, owner FROM ratchet.change_triggers;
-- Nobody makes a trigger of the function for a job of somebody else.
SELECT tgname FROM pg_trigger WHERE tgfoid = 'ratchet._change'::regproc \gset
CREATE TRIGGER forged AFTER INSERT ON shop.orders EXECUTE FUNCTION ratchet._change('1', '0 ms', '0', 'x');
-- Who writes needs no right on the job, and does not see the trigger of somebody else's.
SET SESSION AUTHORIZATION ratchet_other;
INSERT INTO shop.orders VALUES (1);
SELECT count(*) FROM ratchet.change_triggers;
SELECT ratchet.drop_trigger_on_change('shop.orders', 'app job');
SET SESSION AUTHORIZATION ratchet_boss;
-- What is set on the trigger stays when the debounce changes.
DO $$BEGIN EXECUTE (SELECT format('ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER %I', trigger_name) FROM ratchet.change_triggers); END$$;
SELECT ratchet.trigger_on_change('shop.orders', 'app job', debounce => '2 s') = :'tgname' AS same;
SELECT tgenabled FROM pg_trigger WHERE tgname = :'tgname';
DO $$BEGIN EXECUTE (SELECT format('ALTER TABLE shop.orders DISABLE TRIGGER %I', trigger_name) FROM ratchet.change_triggers); END$$;
SELECT enabled FROM ratchet.change_triggers;
BEGIN;
SELECT ratchet.drop_trigger_on_change('shop.orders', 'app job');
SELECT count(*) FROM ratchet.change_triggers;
ROLLBACK;
SET SESSION AUTHORIZATION ratchet_app;
SELECT ratchet.drop_trigger_on_change('shop.orders', 'app job');
SELECT ratchet.drop_trigger_on_change('shop.orders', 'app job');
SELECT ratchet.drop_trigger_on_change('shop.orders', 'app job', if_exists => true);
SET SESSION AUTHORIZATION ratchet_boss;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'ratchet._change'::regproc;
SELECT count(*) FROM ratchet.apply_jobs('[]', prune => true);

-- The jobs of pg_cron: a table of the same shape stands for it.
\set SHOW_CONTEXT never
SELECT * FROM ratchet.import_pg_cron();
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text NOT NULL, command text NOT NULL,
    nodename text NOT NULL DEFAULT 'localhost', nodeport int NOT NULL DEFAULT current_setting('port')::int,
    database text NOT NULL DEFAULT current_database(), username text NOT NULL DEFAULT 'ratchet_app',
    active boolean NOT NULL DEFAULT true, jobname text);
INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES
    (1, '0 3 * * *', 'SELECT 1', 'nightly'), (2, '30 seconds', 'DELETE FROM cron.job_run_details', NULL), (3, '0 12 $ * *', 'SELECT 3', 'eom'),
    (4, '@reboot', 'SELECT 4', 'boot'), (5, '*/5 * * * * 7', 'SELECT 5', 'extra'), (6, '0 0 * * fri-sun', 'SELECT 6', 'weekend'),
    (7, '5/10 * * * *', 'SELECT 7', 'step'), (8, '61 * * * *', 'SELECT 8', 'wrong'), (9, '0 0 1 1 *', 'SELEC 9', 'bad'),
    (10, '@annually', 'SELECT 10', 'nightly');
INSERT INTO cron.job (jobid, schedule, command, username, jobname, active, database, nodename, nodeport) VALUES
    (11, '0 0 13 * 5', 'SELECT 11', 'Odd "role"', 'odd', false, current_database(), '', current_setting('port')::int),
    (12, '0 0 * * *', 'SELECT 12', 'ratchet_app', 'elsewhere', true, 'sales', '', current_setting('port')::int),
    (13, '0 0 * * *', 'SELECT 13', 'ratchet_app', 'far', true, current_database(), 'db2.example.com', 6543),
    (14, '0 0 * * *', 'SELECT 14', 'ratchet_gone', 'gone', true, current_database(), '', current_setting('port')::int);
ALTER ROLE ratchet_app SET search_path = shop, public;
CREATE TEMP TABLE said AS SELECT * FROM ratchet.import_pg_cron(dry_run => true);
SELECT count(*) FROM ratchet.jobs;
\x on
SELECT jobid, job_name, result, detail, replace(next_step, current_database(), 'this') AS next_step FROM said;
\x off
SELECT i.result = s.result AND i.detail IS NOT DISTINCT FROM s.detail AND i.next_step IS NOT DISTINCT FROM s.next_step AS as_said, count(*)
  FROM ratchet.import_pg_cron() i JOIN said s USING (jobid) GROUP BY 1;
SELECT job_name, schedule, time_zone, command, owner, enabled, misfire, settings, tags FROM ratchet.jobs ORDER BY job_id;
-- Again: what was taken over is left alone, also under another name.
SELECT ratchet.alter_job('eom', new_name => 'end of month', timeout => '5 minutes');
SELECT jobid, job_name, result, detail FROM ratchet.import_pg_cron() WHERE result <> 'not taken over';
SELECT jobid, result, detail, next_step FROM ratchet.import_pg_cron(deactivate => true) WHERE jobid = 1;
SELECT jobid, active FROM cron.job ORDER BY jobid;
-- Of an early version, which has no names.
ALTER TABLE cron.job RENAME COLUMN jobname TO remark;
SELECT jobid, job_name, result, detail FROM ratchet.import_pg_cron(dry_run => true) WHERE jobid IN (1, 12) ORDER BY jobid;
-- A table that somebody else has put there.
CREATE TABLE public.kept AS SELECT ratchet.export_jobs() AS jobs;
ALTER TABLE cron.job OWNER TO ratchet_other;
SELECT * FROM ratchet.import_pg_cron();
DROP SCHEMA cron CASCADE;
SELECT ratchet.export_jobs() = jobs AS same FROM public.kept;
SELECT count(*) FROM ratchet.apply_jobs('[]', prune => true);

RESET SESSION AUTHORIZATION;
DROP TABLE public.kept, public."Odd table";
DROP SCHEMA shop CASCADE;
DROP OWNED BY ratchet_boss, ratchet_deploy, ratchet_app, ratchet_other, "Odd ""role""";
DROP ROLE ratchet_boss, ratchet_deploy, ratchet_app, ratchet_other, "Odd ""role""";
