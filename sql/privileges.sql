-- Who may do what, tried by those who may not.
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
-- The messages below name runs.
SELECT setval('ratchet.run_id_seq', 2000);

CREATE ROLE ratchet_boss SUPERUSER LOGIN;
CREATE ROLE ratchet_alice LOGIN;
CREATE ROLE ratchet_bob LOGIN;
CREATE ROLE ratchet_team LOGIN;
CREATE ROLE ratchet_nologin;
CREATE ROLE ratchet_watcher LOGIN IN ROLE pg_monitor;
CREATE ROLE ratchet_stranger LOGIN;
GRANT ratchet_team TO ratchet_alice;
GRANT USAGE ON SCHEMA ratchet TO ratchet_alice, ratchet_bob, ratchet_watcher, ratchet_nologin, ratchet_team;

-- Without USAGE on the schema: nothing at all.
SET SESSION AUTHORIZATION ratchet_stranger;
SELECT ratchet.schedule('s', '@manual', 'SELECT 1');
SELECT * FROM ratchet.jobs;
SELECT * FROM ratchet.status();

-- With it: jobs of one's own.
SET SESSION AUTHORIZATION ratchet_alice;
SELECT ratchet.schedule('alice job', '@manual', 'SELECT current_user, session_user') IS NOT NULL AS created;
SELECT ratchet.trigger('alice job') AS run_id \gset
SELECT ratchet.wait(:run_id);
SELECT job_name, status, result FROM ratchet.runs WHERE run_id = :run_id;
SELECT ratchet.trigger('alice job', run_at => 'tomorrow') AS waiting_id \gset

-- As a role that one may SET, and no other.
SELECT ratchet.schedule('team job', '@manual', 'SELECT current_user', run_as => 'ratchet_team') IS NOT NULL AS created;
SELECT ratchet.schedule('stolen', '@manual', 'SELECT 1', run_as => 'ratchet_bob');
SELECT ratchet.schedule('stolen', '@manual', 'SELECT 1', run_as => 'ratchet_boss');
SELECT ratchet.alter_job('alice job', run_as => 'ratchet_boss');
-- Redefining a job of another role wants that role's name, and does not take it over.
SELECT ratchet.schedule('team job', '@manual', 'SELECT session_user') IS NOT NULL AS updated;
SELECT ratchet.schedule('team job', '@manual', 'SELECT session_user', run_as => 'ratchet_team') IS NOT NULL AS updated;
SELECT job_name, owner FROM ratchet.jobs ORDER BY job_name;

-- Settings that only a superuser may change.
SELECT ratchet.schedule('log', '@manual', 'SELECT 1', settings => '{"session_replication_role": "replica"}');
SELECT ratchet.alter_job('alice job', settings => '{"log_statement": "none"}');

-- Somebody else sees nothing and can do nothing.
SET SESSION AUTHORIZATION ratchet_bob;
-- Of all tables and views that can be read at all.
CREATE FUNCTION pg_temp.has_rows(relation regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (SELECT FROM ' || relation || ')' INTO found;
    RETURN found;
END $$;
SELECT oid::regclass AS shows_something FROM pg_class
 WHERE relnamespace = 'ratchet'::regnamespace AND relkind IN ('r', 'v')
   AND has_table_privilege(oid, 'SELECT') AND pg_temp.has_rows(oid) ORDER BY relname;
DROP FUNCTION pg_temp.has_rows(regclass);
SELECT ratchet.schedule('alice job', '@manual', 'SELECT 1');
SELECT ratchet.alter_job('alice job', command => 'SELECT 2');
SELECT ratchet.alter_job('alice job', run_as => 'ratchet_bob');
SELECT ratchet.pause_job('alice job');
SELECT ratchet.resume_job('alice job');
SELECT ratchet.unschedule('alice job');
SELECT ratchet.unschedule('alice job', if_exists => true);
SELECT ratchet.trigger('alice job');
SELECT ratchet.stat_reset('alice job');
SELECT ratchet.stat_reset();
SELECT ratchet.adopt();
SELECT ratchet.wait(:run_id);
SELECT ratchet.wait(:waiting_id, '0');
SELECT ratchet.cancel(:run_id);
SELECT ratchet.cancel(:waiting_id);

-- Nothing can be written by hand.
INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)
    VALUES ('forged', 'ratchet_boss', '@manual', 'UTC', now(), 'ALTER ROLE ratchet_bob SUPERUSER');
UPDATE ratchet.job SET owner = 'ratchet_boss';
DELETE FROM ratchet.run_log;
TRUNCATE ratchet.run_queue;
UPDATE ratchet.jobs SET command = 'SELECT 2';
SELECT nextval('ratchet.job_id_seq');
SELECT setval('ratchet.run_id_seq', 1);
CREATE TABLE ratchet.mine ();
CREATE TEMPORARY TABLE mine (a int);
CREATE TRIGGER t AFTER INSERT ON mine EXECUTE FUNCTION ratchet._tables_changed();
SELECT ratchet._extension_created();

-- Table functions and operators of one's own do not get to see what the policy hides.
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    RAISE WARNING 'seen: %', $1;
    RETURN true;
END $$;
SELECT count(*) FROM ratchet.job WHERE pg_temp.leak(job_name);
SELECT count(*) FROM ratchet.runs WHERE pg_temp.leak(job_name);
DROP FUNCTION pg_temp.leak(text);
DROP TABLE mine;

-- pg_monitor sees everything and changes nothing.
SET SESSION AUTHORIZATION ratchet_watcher;
SELECT job_name, owner FROM ratchet.jobs ORDER BY job_name;
SELECT job_name, status FROM ratchet.runs WHERE job_name = 'alice job' ORDER BY run_id;
SELECT ratchet.wait(:run_id), ratchet.wait(:waiting_id, '0');
SELECT ratchet.cancel(:waiting_id);
SELECT ratchet.pause_job('alice job');

-- A role without LOGIN, or without CONNECT, cannot own a job: no session of its own could run it.
SET SESSION AUTHORIZATION ratchet_nologin;
SELECT ratchet.schedule('n', '@manual', 'SELECT 1');
RESET SESSION AUTHORIZATION;
SELECT current_database() AS database \gset
REVOKE CONNECT ON DATABASE :database FROM PUBLIC;
SET SESSION AUTHORIZATION ratchet_bob;
SELECT ratchet.schedule('n', '@manual', 'SELECT 1');
RESET SESSION AUTHORIZATION;
GRANT CONNECT ON DATABASE :database TO PUBLIC;

-- A superuser's job is a superuser's, also for members of the role.
GRANT ratchet_boss TO ratchet_bob;
SELECT ratchet.schedule('boss job', '@manual', 'SELECT 1', run_as => 'ratchet_boss') IS NOT NULL AS created;
SET SESSION AUTHORIZATION ratchet_bob;
SELECT ratchet.alter_job('boss job', command => 'SELECT 2');
SELECT ratchet.trigger('boss job');
SELECT ratchet.schedule('mine', '@manual', 'SELECT 1', run_as => 'ratchet_boss');
RESET SESSION AUTHORIZATION;

-- With the owner's privileges, whoever has them.
GRANT ratchet_alice TO ratchet_bob;
SET SESSION AUTHORIZATION ratchet_bob;
SELECT ratchet.pause_job('alice job');
SELECT ratchet.cancel(:waiting_id);
SELECT reason FROM ratchet.runs WHERE run_id = :waiting_id;
RESET SESSION AUTHORIZATION;

-- No SECURITY DEFINER, and a search_path of its own for each function but these.
SELECT p.oid::regproc AS function, l.lanname
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'ratchet'::regnamespace
   AND (p.prosecdef
        OR NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false))
 ORDER BY 1::text;
-- All tables have row-level security, and nobody but the owner has more than SELECT on any relation.
SELECT relname FROM pg_class
 WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r' AND NOT relrowsecurity;
SELECT relname, acl.grantee, acl.privilege_type
  FROM pg_class, aclexplode(relacl) acl
 WHERE relnamespace = 'ratchet'::regnamespace AND acl.grantee <> relowner
   AND acl.privilege_type <> 'SELECT';
SELECT nspacl IS NULL OR NOT EXISTS (SELECT FROM aclexplode(nspacl) acl WHERE acl.grantee = 0) AS closed
  FROM pg_namespace WHERE nspname = 'ratchet';

SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs;
REVOKE USAGE ON SCHEMA ratchet FROM ratchet_alice, ratchet_bob, ratchet_watcher, ratchet_nologin, ratchet_team;
DROP ROLE ratchet_alice, ratchet_bob, ratchet_team, ratchet_nologin, ratchet_watcher, ratchet_stranger, ratchet_boss;
