-- A job is checked under the settings under which it will run: those that its owner begins a session with, and its
-- own. None of them stays in the session that defines it.
SET client_min_messages = warning;
DROP ROLE IF EXISTS ratchet_tenant;
RESET client_min_messages;
CREATE ROLE ratchet_tenant LOGIN;
CREATE SCHEMA settings_in_force;
GRANT USAGE ON SCHEMA settings_in_force, ratchet TO ratchet_tenant;
SET search_path = settings_in_force;
CREATE TABLE item (id int PRIMARY KEY, tenant int NOT NULL);
CREATE TABLE guarded (id int PRIMARY KEY, tenant int NOT NULL);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (tenant = current_setting('app.tenant')::int);
GRANT SELECT ON item, guarded TO ratchet_tenant;

-- The planner evaluates what does not change within a statement.
CREATE FUNCTION who() RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'user %, tenant "%", replication role %, work_mem %', current_user, current_setting('app.tenant', true),
        current_setting('session_replication_role'), current_setting('work_mem');
    RETURN 'x';
END $$;
CREATE FUNCTION attempt(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    state text;
BEGIN
    PERFORM ratchet.unschedule('t', if_exists => true);
    EXECUTE 'SELECT ratchet.schedule_batch(''t'', ''@manual'', ' || arguments || ')';
    RETURN 'ok';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message;
END $$;
CREATE VIEW session AS SELECT current_user, current_setting('app.tenant', true) AS tenant, current_setting('work_mem') AS work_mem,
    current_setting('session_replication_role') AS replication, current_setting('search_path') AS search_path;

-- Source, action and only_if need the job's own settings.
SELECT attempt($$'SELECT id FROM item WHERE tenant = current_setting(''app.tenant'')::int', 'SELECT $1', settings => '{"app.tenant": "1"}'$$);
SELECT attempt($$'SELECT id FROM item', 'SELECT $1 WHERE current_setting(''app.tenant'')::int = 1', settings => '{"app.tenant": 1}'$$);
SELECT attempt($$'SELECT id FROM item', 'SELECT $1', only_if => 'SELECT current_setting(''app.tenant'')::int = 1', settings => '{"app.tenant": 1}'$$);
SELECT attempt($$'SELECT id FROM item WHERE tenant = current_setting(''app.tenant'')::int', 'SELECT $1', settings => '{"app.tenant": "one"}'$$);
SELECT tenant = '' AS none, work_mem, search_path FROM session;

-- What the owner's sessions begin with, the closer ones first; the job's own override them.
ALTER ROLE ratchet_tenant SET app.tenant = '2';
ALTER ROLE ratchet_tenant SET work_mem = '3MB';
SELECT attempt($$'SELECT id FROM item WHERE tenant = current_setting(''app.tenant'')::int AND who() = ''x''', 'SELECT $1', run_as => 'ratchet_tenant'$$);
SELECT attempt($$'SELECT id FROM item WHERE tenant = current_setting(''app.tenant'')::int AND who() = ''x''', 'SELECT $1', run_as => 'ratchet_tenant',
    settings => '{"work_mem": "4MB"}'$$);
SELECT attempt($$'SELECT id FROM guarded', 'SELECT $1', run_as => 'ratchet_tenant'$$);
ALTER ROLE ratchet_tenant RESET app.tenant;
SELECT attempt($$'SELECT id FROM guarded -- without it', 'SELECT $1', run_as => 'ratchet_tenant'$$);
SELECT attempt($$'SELECT id FROM guarded', 'SELECT $1', run_as => 'ratchet_tenant', settings => '{"app.tenant": 7}'$$);
DO $$BEGIN EXECUTE format('ALTER ROLE ratchet_tenant IN DATABASE %I SET app.tenant = ''5''', current_database()); END$$;
SELECT attempt($$'SELECT id FROM guarded WHERE who() = ''x''', 'SELECT $1', run_as => 'ratchet_tenant'$$);
SELECT tenant = '' AS none, work_mem, search_path FROM session;

-- What a superuser has set for the owner, and it may not set itself, is not set in this session; nor who it is.
ALTER ROLE ratchet_tenant SET session_replication_role = replica;
ALTER ROLE ratchet_tenant SET role = 'pg_monitor';
SELECT attempt($$'SELECT id FROM item WHERE who() = ''x''', 'SELECT $1, who()', run_as => 'ratchet_tenant'$$);
SELECT current_user = session_user AS myself, replication FROM session;
ALTER ROLE ratchet_tenant RESET role;

-- Nothing stays after an error either, within a transaction or not.
SELECT attempt($$'SELECT id FROM item', 'SELECT $1 + no_such_column', run_as => 'ratchet_tenant', settings => '{"work_mem": "9MB", "search_path": "settings_in_force"}'$$);
SELECT ratchet.schedule_batch('t', '@manual', 'SELECT id FROM no_such_table', 'SELECT $1', run_as => 'ratchet_tenant', settings => '{"work_mem": "9MB"}');
SELECT tenant = '' AS none, work_mem, replication, search_path FROM session;
BEGIN;
SET LOCAL work_mem = '7MB';
SELECT attempt($$'SELECT id FROM item', 'SELECT $1', settings => '{"work_mem": "9MB"}'$$);
SELECT work_mem FROM session;
COMMIT;
SELECT work_mem FROM session;

-- A command is read as its session will read it.
SELECT attempt($$'SELECT id FROM item', 'SELECT $1, E''it\''s''', settings => '{"backslash_quote": "off"}'$$);
SELECT ratchet.schedule('backslash', '@manual', $$SELECT E'it\'s'$$, settings => '{"backslash_quote": "on"}') > 0 AS scheduled;

SELECT ratchet.unschedule(job_name) FROM ratchet.jobs ORDER BY job_name;
SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA settings_in_force CASCADE;
DROP OWNED BY ratchet_tenant;
DROP ROLE ratchet_tenant;
