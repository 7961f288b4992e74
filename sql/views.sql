-- The columns that other people rely on, and how the views are read.
SET TIME ZONE 'UTC';

\pset format unaligned
SELECT relname AS view, string_agg(attname, ', ' ORDER BY attnum) AS columns
  FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
 WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'v'
 GROUP BY relname ORDER BY relname;
\pset format aligned

-- The views look as whoever asks.
SELECT relname FROM pg_class
 WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'v'
   AND NOT coalesce('security_invoker=true' = ANY (reloptions), false);

-- The newest runs come by the primary key, those of a job by its index: no arm hides it.
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ '(Merge Append|run_log r$)' THEN
            RETURN NEXT trim(line);
        END IF;
    END LOOP;
END $$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT plan_of('SELECT * FROM ratchet.runs ORDER BY run_id DESC LIMIT 50');
SELECT plan_of('SELECT * FROM ratchet.runs WHERE job_id = 7 ORDER BY run_id DESC LIMIT 50');
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP FUNCTION plan_of;

-- Health that depends on the time: jobs whose schedule has been in force for a while and that never ran,
-- because nothing runs them in this environment but the view is told that they are meant for it.
BEGIN;
SELECT ratchet.schedule('h_' || n, s, 'SELECT 1', start_at => st, end_at => en, enabled => e) IS NOT NULL AS created
  FROM (VALUES (1, '1 hour', NULL::timestamptz, NULL::timestamptz, true),
               (2, '1 hour', NULL, NULL, false),
               (3, '@manual', NULL, NULL, true),
               (4, '1 hour', now() + '1 day', NULL, true)) AS v (n, s, st, en, e);
SELECT job_name, color, why FROM ratchet.job_health WHERE job_name LIKE 'h\_%' ORDER BY 1;
UPDATE ratchet.job SET schedule_since = now() - interval '80 minutes' WHERE job_name LIKE 'h\_%';
SELECT job_name, color, why FROM ratchet.job_health WHERE job_name LIKE 'h\_%' ORDER BY 1;
UPDATE ratchet.job SET schedule_since = now() - interval '150 minutes' WHERE job_name LIKE 'h\_%';
SELECT job_name, color, regexp_replace(why, 'since .*', 'since ...') AS why
  FROM ratchet.job_health WHERE job_name LIKE 'h\_%' ORDER BY 1;
UPDATE ratchet.job SET environments = '{elsewhere}' WHERE job_name = 'h_1';
SELECT job_name, color, why FROM ratchet.job_health WHERE job_name = 'h_1';
-- A schedule that cannot be read takes the view from nobody.
UPDATE ratchet.job SET environments = NULL, schedule = 'nonsense' WHERE job_name = 'h_1';
SELECT job_name, color, why FROM ratchet.job_health WHERE job_name = 'h_1';
ROLLBACK;

-- Everything is explained.
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'ratchet'::regnamespace AND c.relkind IN ('r', 'v', 'S')
   AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace = 'ratchet'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT obj_description('ratchet'::regnamespace, 'pg_namespace') IS NOT NULL AS schema_too;

-- The state of the parts; only what is the same everywhere.
SELECT component, state FROM ratchet.status() WHERE component IN ('library', 'enabled', 'launcher', 'environment');
