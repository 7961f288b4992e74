-- Runs that are asked for because a table has changed.

CREATE FUNCTION ratchet.trigger_on_change(
    table_name regclass,
    job_name   text,
    debounce   interval DEFAULT '1 second')
RETURNS text
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_trigger_on_change';
COMMENT ON FUNCTION ratchet.trigger_on_change IS
    'from now on, whatever writes to the table asks for a run of the job, which starts this long after the commit of the first change that it has to see; again with another debounce changes it; returns the name of the trigger on the table';

CREATE FUNCTION ratchet.drop_trigger_on_change(
    table_name regclass,
    job_name   text,
    if_exists  boolean DEFAULT false)
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_drop_trigger_on_change';
COMMENT ON FUNCTION ratchet.drop_trigger_on_change IS
    'changes of the table ask for no run of the job any more; false when they did not';

-- Called for every statement that writes, so it looks up nothing. Who fires it needs no privilege on
-- it, only who makes a trigger of it: trigger_on_change() does that, and checks who may.
CREATE FUNCTION ratchet._change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'ratchet_change';
COMMENT ON FUNCTION ratchet._change IS
    'internal: the trigger that ratchet.trigger_on_change() makes; its arguments are the job''s id, the debounce, when the job was made, its name at that time, and the name and number of the role that has made the trigger';
REVOKE EXECUTE ON FUNCTION ratchet._change() FROM PUBLIC;

CREATE FUNCTION ratchet._describe_trigger(
    table_name regclass, trigger_oid oid, job_owner oid, OUT made_by regrole, OUT why_not text)
RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_describe_trigger';
COMMENT ON FUNCTION ratchet._describe_trigger IS
    'internal: who has made a change trigger, and why it asks for no runs of a job of that owner';

CREATE VIEW ratchet.change_triggers WITH (security_invoker = true) AS
SELECT t.tgrelid::regclass AS table_name, j.job_name, a.debounce, t.tgenabled <> 'D' AS enabled,
       t.tgname AS trigger_name, j.owner, j.job_id,
       d.made_by, d.why_not
  FROM pg_trigger t
 CROSS JOIN LATERAL (SELECT string_to_array(encode(t.tgargs, 'escape'), '\000') AS part) s
 CROSS JOIN LATERAL (SELECT s.part[2]::interval AS debounce) a
  JOIN ratchet.job j ON j.job_id = s.part[1]::bigint
   AND j.created_at = timestamptz '2000-01-01 00:00:00+00' + s.part[3]::bigint * interval '1 microsecond'
  LEFT JOIN LATERAL ratchet._describe_trigger(t.tgrelid, t.oid, j.owner) d ON true
 WHERE t.tgfoid = 'ratchet._change'::regproc AND t.tgnargs = 6;

COMMENT ON VIEW ratchet.change_triggers IS 'tables whose changes ask for runs, by job';
COMMENT ON COLUMN ratchet.change_triggers.debounce IS
    'how long after a change the run starts, so that one run sees many changes';
COMMENT ON COLUMN ratchet.change_triggers.enabled IS
    'false after ALTER TABLE ... DISABLE TRIGGER';

COMMENT ON COLUMN ratchet.change_triggers.made_by IS 'the role that has made it';
COMMENT ON COLUMN ratchet.change_triggers.why_not IS
    'why it asks for no runs: who has made it has lost the right to; null: it does';

GRANT SELECT ON ratchet.change_triggers TO PUBLIC;
