-- Defining jobs: what schedule, alter_job, pause_job, resume_job and unschedule do.
SET TIME ZONE 'UTC';

-- A job has every option's default, the session's time zone and its search_path.
SELECT ratchet.schedule('nightly', '0 3 * * *', 'SELECT 1') AS job_id \gset
\x on
SELECT job_name, owner = current_user::regrole AS own, version, enabled, schedule, time_zone,
       schedule_since IS NOT NULL AS since, command, transaction, overlap, timeout, max_attempts,
       backoff, backoff_factor, backoff_cap, backoff_jitter, on_crash, misfire, misfire_limit,
       start_at, end_at, max_runs, environments, priority, settings, payload, keep_history, comment,
       tags
  FROM ratchet.job WHERE job_id = :job_id;
\x off

-- The same again changes nothing, not even the version.
SELECT xmin AS version_xmin FROM ratchet.job WHERE job_id = :job_id \gset
SELECT ratchet.schedule('nightly', '0 3 * * *', 'SELECT 1') = :job_id AS same_id;
SELECT version, xmin::text = :'version_xmin' AS untouched FROM ratchet.job WHERE job_id = :job_id;

-- Something else is an update. What is not given goes back to its default.
SELECT ratchet.schedule('nightly', '0 4 * * *', 'SELECT 2', time_zone => 'europe/paris',
                        timeout => '90 s', tags => '{a,b}', comment => 'two') = :job_id AS same_id;
SELECT version, schedule, time_zone, command, timeout, tags, comment FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.schedule('nightly', '0 4 * * *', 'SELECT 2') = :job_id AS same_id;
SELECT version, schedule, time_zone, command, timeout, tags, comment FROM ratchet.job WHERE job_id = :job_id;

-- The version counts what a run pins, and nothing else.
SELECT ratchet.alter_job('nightly', priority => 5, comment => 'later', max_attempts => 3);
SELECT version, priority, comment, max_attempts FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('nightly', payload => '{"b": 1, "a": 2}');
SELECT version, payload FROM ratchet.job WHERE job_id = :job_id;

-- alter_job leaves the rest alone, reset does not.
SELECT ratchet.alter_job('nightly', timeout => '1 hour');
SELECT timeout, priority, payload, comment FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('nightly', reset => '{payload,comment,max_attempts}');
SELECT timeout, priority, payload, comment, max_attempts FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('nightly', timeout => '1 minute', reset => '{timeout}');
\set VERBOSITY terse
SELECT ratchet.alter_job('nightly', reset => '{timeout,mutexes}');
\set VERBOSITY default
SELECT ratchet.alter_job('no such job', priority => 1);

-- A new schedule counts from now on, other changes leave the count alone.
UPDATE ratchet.job SET schedule_since = '2026-01-01' WHERE job_id = :job_id;
SELECT ratchet.alter_job('nightly', priority => 7);
SELECT schedule_since = '2026-01-01' AS since_then FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('nightly', schedule => '5 4 * * *');
SELECT schedule_since = '2026-01-01' AS since_then FROM ratchet.job WHERE job_id = :job_id;

-- Names.
SELECT ratchet.alter_job('nightly', new_name => 'early');
SELECT job_name FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.schedule('other', '@manual', 'SELECT 1') IS NOT NULL AS created;
SELECT ratchet.alter_job('other', new_name => 'early');
SELECT ratchet.alter_job('early', new_name => '');

-- The pinned search_path: settings without one keep the job's own.
SET search_path = somewhere, public;
SELECT ratchet.alter_job('early', settings => '{"work_mem": "1MB"}');
SELECT settings FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('early', reset => '{settings}');
SELECT settings FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.alter_job('early', settings => '{"search_path": "app", "geqo": false, "work_mem": 64}');
SELECT settings FROM ratchet.job WHERE job_id = :job_id;
RESET search_path;

-- Pausing outlives a new definition, unless that says otherwise.
SELECT ratchet.pause_job('early');
SELECT ratchet.pause_job('early');
SELECT ratchet.schedule('early', '0 5 * * *', 'SELECT 5') = :job_id AS same_id;
SELECT enabled, command FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.resume_job('early');
SELECT enabled FROM ratchet.job WHERE job_id = :job_id;
SELECT ratchet.schedule('early', '0 5 * * *', 'SELECT 5', enabled => false) = :job_id AS same_id;
SELECT enabled FROM ratchet.job WHERE job_id = :job_id;

-- Everything vanishes on rollback.
BEGIN;
SELECT ratchet.schedule('vanishes', '@manual', 'SELECT 1') IS NOT NULL AS created;
SELECT ratchet.unschedule('other');
SELECT job_name FROM ratchet.job ORDER BY job_name;
ROLLBACK;
SELECT job_name FROM ratchet.job ORDER BY job_name;

-- Not in a transaction that may not write.
BEGIN READ ONLY;
SELECT ratchet.schedule('vanishes', '@manual', 'SELECT 1');
ROLLBACK;

-- A definition that was written by hand is read as any other.
CREATE ROLE ratchet_copied LOGIN;
COPY ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command, timeout, tags)
    FROM stdin;
by hand	ratchet_copied	@manual	UTC	2026-01-01 00:00:00+00	SELECT 1	1 mon 2 days	{x}
\.
SELECT ratchet.alter_job('by hand', priority => 1);
SELECT owner, timeout, tags, priority, version FROM ratchet.job WHERE job_name = 'by hand';

DROP ROLE ratchet_copied;
SELECT ratchet.unschedule('by hand'), ratchet.unschedule('other'), ratchet.unschedule('early');
SELECT ratchet.unschedule('early');
SELECT ratchet.unschedule('early', if_exists => true);

-- When a job starts next is known at once, also before the scheduler has come to it: in the
-- transaction that defines the job, and in the first statement behind its commit.
CREATE VIEW next_start AS
SELECT job_name, next_run_at - schedule_since AS rest
  FROM ratchet.jobs WHERE job_name LIKE 'soon%' ORDER BY 1;
BEGIN;
SELECT ratchet.schedule('soon 1', '1 hour', 'SELECT 1') > 0,
       ratchet.schedule('soon 2', '10 minutes after completion', 'SELECT 1') > 0,
       ratchet.schedule('soon 3', '@manual', 'SELECT 1') > 0,
       ratchet.schedule('soon 4', '1 hour', 'SELECT 1', start_at => now() + interval '1 day') > 0,
       ratchet.schedule('soon 5', '1 hour', 'SELECT 1', enabled => false) > 0,
       ratchet.schedule('soon 6', '1 hour', 'SELECT 1', environments => '{elsewhere}') > 0;
SELECT * FROM next_start;
SELECT job_name, next_run_at IS NOT NULL AS known FROM ratchet.job_health WHERE job_name = 'soon 1';
SELECT ratchet.alter_job('soon 1', schedule => '2 hours');
SELECT * FROM next_start WHERE job_name = 'soon 1';
COMMIT;
SELECT * FROM next_start;
SELECT ratchet.alter_job('soon 1', schedule => '3 hours');
SELECT * FROM next_start WHERE job_name = 'soon 1';
SELECT ratchet.pause_job('soon 1');
SELECT * FROM next_start WHERE job_name = 'soon 1';
SELECT ratchet.resume_job('soon 1');
SELECT * FROM next_start WHERE job_name = 'soon 1';
DROP VIEW next_start;
SELECT ratchet.unschedule(job_name) FROM ratchet.jobs WHERE job_name LIKE 'soon%';

-- Lines of other schedulers.
SELECT ratchet.schedule('of others', 'CRON_TZ=Europe/Berlin 0 9 * * *', 'SELECT 1');
SELECT ratchet.schedule('of others', 'tz=UTC @daily', 'SELECT 1');
SELECT ratchet.schedule('of others', '0 0 9 ? * 2#1', 'SELECT 1', time_zone => 'UTC') > 0 AS quartz;
SELECT ratchet.alter_job('of others', schedule => '0 0 9 ? * MON#2,FRIL');
SELECT ratchet.alter_job('of others', schedule => '0 0 9 ? * MON,4-5');
SELECT ratchet.alter_job('of others', comment => 'told already');
SELECT ratchet.unschedule('of others');
-- As a calendar file folds them, and as people indent them.
SELECT ratchet.describe_schedule(E'RRULE:FREQ=WEEKLY;BYDAY=MO,T\r\n U;BYHOUR=9\r\n');
SELECT ratchet.describe_schedule(E'RRULE:FREQ=WEEKLY;BYDAY=MO,T\n\tU;BYHOUR=9');
SELECT * FROM ratchet.next_runs(E'DTSTART:20270104T090000\r\n RRULE:FREQ=DAILY;COU\r\n NT=3\r\n EXDATE:2027\r\n 0105', 'UTC', 3, '2027-01-01');
SELECT ratchet.describe_schedule(E'RRULE:FREQ=WEEKLY;BYDAY=MO,T\r\n  U');

-- A session whose zone is none that jobs can have: what needs none gets UTC.
SET TimeZone = '+05:30';
SELECT job, ratchet.schedule(job, job, 'SELECT 1') > 0 AS ok
  FROM unnest('{5 minutes,@manual,@continuous,@startup,1 hour after completion,at 2099-01-01 00:00Z}'::text[]) job;
SELECT DISTINCT time_zone FROM ratchet.jobs WHERE job_name = schedule;
SELECT count(*) FROM ratchet.next_runs('5 minutes', count => 3);
SELECT ratchet.schedule('no zone', '0 9 * * *', 'SELECT 1');
SELECT ratchet.schedule('no zone', '1 day', 'SELECT 1');
SELECT ratchet.schedule('no zone', '5 minutes', 'SELECT 1', active_window => 'Sat,Sun');
SELECT count(*) FROM ratchet.next_runs('1 day', count => 3);
SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name = schedule;
RESET TimeZone;

-- Tables that the library writes say nothing of their changes.
SELECT ratchet.schedule('after changes', '@manual', 'SELECT 1') > 0 AS ok;
SELECT ratchet.trigger_on_change('ratchet.run_log', 'after changes');
SELECT ratchet.trigger_on_change('ratchet.failed_item', 'after changes');
SELECT ratchet.trigger_on_change('ratchet.calendar_days', 'after changes') IS NOT NULL AS ok;
SELECT ratchet.unschedule('after changes');
SELECT ratchet.drop_trigger_on_change('ratchet.calendar_days', 'after changes');
