-- What each option takes, and how it says no.
SET TIME ZONE 'UTC';

-- Runs a command and tells how it failed.
CREATE FUNCTION attempt(command text, OUT state text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    state := '00000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                            hint = PG_EXCEPTION_HINT;
    hint := nullif(hint, '');
END $$;

\x on
\pset tuples_only on
-- Names, schedules, commands
SELECT * FROM unnest(ARRAY[
    $$ ratchet.schedule(NULL, '@manual', 'SELECT 1') $$,
    $$ ratchet.schedule('', '@manual', 'SELECT 1') $$,
    $$ ratchet.schedule(repeat('é', 128), '@manual', 'SELECT 1') $$,
    $$ ratchet.schedule(E'a\nb', '@manual', 'SELECT 1') $$,
    $$ ratchet.schedule('o', NULL, 'SELECT 1') $$,
    $$ ratchet.schedule('o', '', 'SELECT 1') $$,
    $$ ratchet.schedule('o', 'now and then', 'SELECT 1') $$,
    $$ ratchet.schedule('o', '0 25 * * *', 'SELECT 1') $$,
    $$ ratchet.schedule('o', 'at 2020-01-01 00:00', 'SELECT 1') $$,
    $$ ratchet.schedule('o', '1 day', 'SELECT 1', start_at => '2040-01-01', end_at => '2039-01-01') $$,
    $$ ratchet.schedule('o', '0 0 1 1 *', 'SELECT 1', start_at => '2040-01-02', end_at => '2040-03-01') $$,
    $$ ratchet.schedule('o', '@manual', NULL) $$,
    $$ ratchet.schedule('o', '@manual', E' \n') $$,
    $$ ratchet.schedule('o', '@manual', 'SELEC 1') $$
]) AS command, attempt('SELECT ' || command);

-- Words
SELECT * FROM unnest(ARRAY['overlap', 'transaction', 'on_crash', 'misfire', 'time_zone']) AS option,
    attempt(format($$ SELECT ratchet.schedule('o', '@manual', 'SELECT 1', %s => 'foo') $$, option));

-- Spans and numbers
SELECT * FROM unnest(ARRAY[
    $$ timeout => '0' $$, $$ timeout => '-1 s' $$, $$ timeout => '101 years' $$,
    $$ backoff => '0' $$, $$ backoff_cap => '-1 day' $$, $$ keep_history => '-1 s' $$,
    $$ keep_history => '178000000 years' $$,
    $$ max_attempts => 0 $$, $$ max_runs => 0 $$, $$ misfire_limit => -1 $$,
    $$ backoff_factor => 'NaN' $$, $$ backoff_factor => 'Infinity' $$, $$ backoff_factor => -1 $$,
    $$ backoff_jitter => 1.1 $$, $$ backoff_jitter => -0.1 $$, $$ backoff_jitter => 'NaN' $$
]) AS option, attempt(format($$ SELECT ratchet.schedule('o', '@manual', 'SELECT 1', %s) $$, option));

-- Times and lists
SELECT * FROM unnest(ARRAY[
    $$ start_at => 'infinity' $$, $$ end_at => '-infinity' $$, $$ start_at => '2000-01-01 00:00+00' $$,
    $$ environments => '{}' $$, $$ environments => '{a,NULL}' $$, $$ tags => '{{a},{b}}' $$
]) AS option, attempt(format($$ SELECT ratchet.schedule('o', '@manual', 'SELECT 1', %s) $$, option));

-- Settings
SELECT * FROM unnest(ARRAY[
    $$ '[]' $$, $$ '"a"' $$, $$ '{"work_mem": null}' $$, $$ '{"work_mem": {"a": 1}}' $$,
    $$ '{"no_such_setting": 1}' $$, $$ '{"work_mem": "much"}' $$, $$ '{"shared_buffers": "1GB"}' $$,
    $$ '{"ratchet.no_such_setting": 1}' $$,
    $$ '{"role": "postgres"}' $$, $$ '{"Session_Authorization": "postgres"}' $$,
    $$ '{"transaction_isolation": "serializable"}' $$
]) AS settings,
    attempt(format($$ SELECT ratchet.schedule('o', '@manual', 'SELECT 1', settings => %s) $$, settings));
\x off
\pset tuples_only off

-- Whatever is wrong, the message or its context names the argument: none that does not.
CREATE FUNCTION words_of_refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    context text;
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
    -- PL/pgSQL's own lines quote the call.
    RETURN message || E'\n' || regexp_replace(context, '^(SQL statement|PL/pgSQL function).*', '', 'gn');
END $$;
SELECT argument, value, words FROM (VALUES
    ('schedule', '0 minutes'), ('schedule', '-5 minutes'), ('schedule', '5 lightyears'),
    ('schedule', '10 us'), ('schedule', '101 years'), ('schedule', 'every'), ('schedule', '1:60'),
    ('schedule', '61 * * * *'), ('schedule', '* * *'), ('schedule', '@never'), ('schedule', 'at noon'),
    ('schedule', 'RRULE:FREQ=DAYLY'), ('command', 'SELEC 1'), ('command', 'SELECT (1'),
    ('command', 'COMMIT'), ('active_window', 'Mon-'), ('active_window', '25:00-26:00'),
    ('active_window', 'Mon;;'), ('active_window', repeat('Mon,', 600)), ('only_if', 'SELEC'),
    ('settings', '{"work_mem": "much"}'), ('time_zone', 'Mars'), ('depends_on', '{nobody}')
) AS v (argument, value),
    words_of_refusal(format('SELECT ratchet.schedule(%s)', (
        SELECT string_agg(format('%s => %L', name, coalesce(CASE WHEN name = argument THEN value END, usual)), ', ')
          FROM (VALUES ('job_name', 'o'), ('schedule', '@manual'), ('command', 'SELECT 1'), (argument, NULL)) AS a (name, usual)
         WHERE usual IS NOT NULL OR argument NOT IN ('schedule', 'command')))) AS words
 WHERE position(argument IN words) = 0;

-- Nothing of all that is left.
SELECT count(*) FROM ratchet.job WHERE job_name = 'o';

-- What is accepted.
SELECT ratchet.schedule('o', '1 day', 'VACUUM; VACUUM', time_zone => 'AMERICA/new_york',
    overlap => 'queue', transaction => 'per_statement', timeout => '1 month', max_attempts => 3,
    backoff => '1 ms', backoff_factor => 0, backoff_cap => '100 years', backoff_jitter => 1,
    on_crash => 'next', misfire => 'all', misfire_limit => 7, start_at => '2040-01-01 12:00',
    end_at => '2041-01-01', max_runs => 10, environments => '{production,staging}', priority => -3,
    settings => '{"my.own": "x", "work_mem": "1MB"}', payload => 'null', keep_history => '0',
    enabled => false, comment => '', tags => '{}') IS NOT NULL AS created;
\x on
SELECT time_zone, overlap, transaction, timeout, max_attempts, backoff, backoff_factor, backoff_cap,
       backoff_jitter, on_crash, misfire, misfire_limit, start_at, end_at, max_runs, environments,
       priority, settings, payload, keep_history, enabled, comment, tags
  FROM ratchet.jobs WHERE job_name = 'o';
SELECT ratchet.alter_job('o', reset => '{overlap,transaction,timeout,max_attempts,backoff,backoff_factor,backoff_cap,backoff_jitter,on_crash,misfire,misfire_limit,start_at,end_at,max_runs,environments,priority,settings,payload,keep_history,enabled,comment,tags,time_zone,run_as}',
                         command => 'VACUUM');
SELECT time_zone, overlap, transaction, timeout, max_attempts, backoff, backoff_factor, backoff_cap,
       backoff_jitter, on_crash, misfire, misfire_limit, start_at, end_at, max_runs, environments,
       priority, settings, payload, keep_history, enabled, comment, tags
  FROM ratchet.jobs WHERE job_name = 'o';
\x off

-- A deployment script may run again after its one-time job is over; changing that job is another matter.
UPDATE ratchet.job SET schedule = 'at 2020-01-01 00:00' WHERE job_name = 'o';
SELECT ratchet.schedule('o', 'at 2020-01-01 00:00', 'VACUUM') IS NOT NULL AS accepted;
SELECT ratchet.alter_job('o', time_zone => 'Europe/Paris');

-- The default time zone.
SET ratchet.default_time_zone = 'asia/tokyo';
SELECT ratchet.schedule('o', '@daily', 'VACUUM') IS NOT NULL AS accepted;
SELECT time_zone FROM ratchet.jobs WHERE job_name = 'o';
RESET ratchet.default_time_zone;
SET TIME ZONE '+02:30';
SELECT ratchet.schedule('o', '@daily', 'VACUUM');
RESET TIME ZONE;

-- An option that is none: the hint names those that there are, the arguments behind the action.
SELECT a.message, a.hint = 'The options are ' ||
       (SELECT string_agg(name, ', ' ORDER BY n) FROM unnest(p.proargnames) WITH ORDINALITY AS argument (name, n)
         WHERE n > array_position(p.proargnames, 'action')) || '.' AS names_all
  FROM attempt($$ SELECT ratchet.alter_job('o', reset => '{none}') $$) AS a,
       pg_proc p WHERE p.oid = 'ratchet.schedule_batch'::regproc;
SELECT ratchet.unschedule('o');
DROP FUNCTION attempt;
