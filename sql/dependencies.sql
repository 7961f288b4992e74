-- depends_on: what is taken and what is refused when jobs are defined, renamed and dropped.
SET TIME ZONE 'UTC';
CREATE ROLE ratchet_dora LOGIN;
CREATE ROLE ratchet_emil LOGIN;
GRANT USAGE ON SCHEMA ratchet TO ratchet_dora, ratchet_emil;
CREATE SCHEMA dependencies;
GRANT USAGE ON SCHEMA dependencies TO PUBLIC;

-- Without the id of the job. An error is told with its state, message, detail and hint.
CREATE FUNCTION dependencies.attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                            detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ': ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END $$;
CREATE FUNCTION dependencies.define(job text, options text DEFAULT NULL) RETURNS text LANGUAGE sql
RETURN dependencies.attempt(format('SELECT ratchet.schedule(%L, ''@manual'', ''SELECT 1''', job)
                            || coalesce(', ' || options, '') || ')');
CREATE VIEW dependencies.graph AS SELECT job_name, depends_on, waits_for FROM ratchet.jobs ORDER BY job_name;
GRANT SELECT ON dependencies.graph TO PUBLIC;
SET search_path = dependencies;

SELECT define(job) FROM unnest('{a,"Odd, \"name\""}'::text[]) job;
SELECT define('b', $$depends_on => '{a,"Odd, \"name\""}'$$);
SELECT define('c', $$depends_on => '{b}'$$);
TABLE graph;

-- What is refused.
SELECT define('x', $$depends_on => '{nobody}'$$);
SELECT define('x', $$depends_on => '{a,nobody}'$$);
SELECT define('x', $$depends_on => '{A}'$$);
SELECT define('x', $$depends_on => '{a,b,a}'$$);
SELECT define('x', $$depends_on => '{x}'$$);
SELECT define('x', $$depends_on => '{}'$$);
SELECT define('x', $$depends_on => '{a,NULL}'$$);
SELECT define('x', $$depends_on => '{""}'$$);
SELECT define('x', $$depends_on => '{{a},{b}}'$$);
SELECT define('a', $$depends_on => '{a}'$$);
SELECT count(*) FROM ratchet.jobs WHERE job_name = 'x';

-- Cycles: through one and through two others, by each way to make one.
SELECT define('a', $$depends_on => '{b}'$$);
SELECT define('a', $$depends_on => '{c}'$$);
SELECT attempt($$SELECT ratchet.alter_job('a', depends_on => '{c}')$$);
SELECT attempt($$SELECT ratchet.apply_jobs('[{"job_name": "a", "schedule": "@manual", "command": "SELECT 1", "depends_on": ["c"]}]')$$);
TABLE graph;

-- A name that comes back, or that another job takes.
SELECT ratchet.unschedule('a');
TABLE graph;
SELECT define('z', $$depends_on => '{c}'$$);
SELECT attempt($$SELECT ratchet.alter_job('z', new_name => 'a')$$);
SELECT define('a', $$depends_on => '{c}'$$);
SELECT define('a');
SELECT attempt($$SELECT ratchet.alter_job('z', depends_on => '{z}', new_name => 'y')$$);
SELECT attempt($$SELECT ratchet.alter_job('z', depends_on => '{y}', new_name => 'y')$$);
SELECT attempt($$SELECT ratchet.alter_job('a', depends_on => '{z}', new_name => 'a2')$$);

-- Who depends on a job knows it by its new name.
SELECT ratchet.alter_job('c', new_name => 'c2');
SELECT ratchet.alter_job('a', new_name => 'first');
TABLE graph;
SELECT job_name, version FROM ratchet.jobs ORDER BY job_name;

-- A name that is not there any more may stay in the list, but not be put there.
SELECT ratchet.unschedule('Odd, "name"');
SELECT attempt($$SELECT ratchet.alter_job('b', depends_on => '{first,"Odd, \"name\""}', comment => 'kept')$$);
SELECT attempt($$SELECT ratchet.alter_job('b', depends_on => '{"Odd, \"name\""}')$$);
SELECT attempt($$SELECT ratchet.alter_job('b', depends_on => '{first}')$$);
SELECT attempt($$SELECT ratchet.alter_job('b', depends_on => '{"Odd, \"name\""}')$$);
SELECT attempt($$SELECT ratchet.alter_job('b', reset => '{depends_on}')$$);
SELECT attempt($$SELECT ratchet.alter_job('b', depends_on => '{first}', reset => '{depends_on}')$$);
TABLE graph;

-- Nobody is warned of a job on which none depends.
SELECT ratchet.unschedule('b');
SELECT ratchet.unschedule('z');
SELECT ratchet.unschedule('c2');
SELECT ratchet.unschedule('first');

-- Other roles' jobs: neither to depend on, nor to see in a warning.
SET SESSION AUTHORIZATION ratchet_dora;
SELECT define('doras');
SELECT define('doras child', $$depends_on => '{doras}'$$);
SET SESSION AUTHORIZATION ratchet_emil;
SELECT define('emils', $$depends_on => '{doras}'$$);
SELECT define('emils');
SELECT attempt($$SELECT ratchet.alter_job('emils', depends_on => '{doras}')$$);
TABLE graph;
SELECT ratchet._waits_for_jobs(job_id, false) FROM ratchet.job WHERE job_name = 'doras child';
RESET SESSION AUTHORIZATION;
-- A superuser neither, as emil does not have the privileges of dora; with them, he may; then dora drops hers.
SELECT attempt($$SELECT ratchet.alter_job('emils', depends_on => '{doras}')$$);
GRANT ratchet_dora TO ratchet_emil;
SELECT attempt($$SELECT ratchet.alter_job('emils', depends_on => '{doras}')$$);
SET SESSION AUTHORIZATION ratchet_emil;
SELECT attempt($$SELECT ratchet.alter_job('emils', comment => 'another option')$$);
TABLE graph;
SET SESSION AUTHORIZATION ratchet_dora;
SELECT attempt($$SELECT ratchet.alter_job('doras', new_name => 'doras own')$$);
SELECT depends_on FROM ratchet.jobs ORDER BY job_id;
SELECT ratchet.unschedule('doras own');
RESET SESSION AUTHORIZATION;
TABLE graph;
SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name = 'doras child';
SELECT ratchet.unschedule('emils');

-- A long chain, and a wide one.
SELECT count(ratchet.schedule('n' || i, '@manual', 'SELECT 1', depends_on => CASE WHEN i > 1 THEN ARRAY['n' || i - 1] END))
  FROM generate_series(1, 300) i;
SELECT attempt($$SELECT ratchet.alter_job('n1', depends_on => '{n300}')$$);
SELECT attempt($$SELECT ratchet.alter_job('n300', depends_on => (SELECT array_agg('n' || i) FROM generate_series(1, 299) i))$$);
SELECT attempt($$SELECT ratchet.alter_job('n100', depends_on => '{n150,n120}')$$);
SET client_min_messages = error;
SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs;
RESET client_min_messages;

RESET search_path;
DROP SCHEMA dependencies CASCADE;
DROP OWNED BY ratchet_dora, ratchet_emil;
DROP ROLE ratchet_dora, ratchet_emil;
