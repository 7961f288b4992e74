-- Batch jobs: what is taken, what is refused, and what is warned of when one is defined.
SET TIME ZONE 'UTC';

CREATE SCHEMA batch_definition;
SET search_path = batch_definition;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN age AS integer CHECK (VALUE >= 0);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    shop integer NOT NULL,
    "Bill No" text COLLATE "C" NOT NULL,
    note text,
    plain integer,
    done boolean NOT NULL DEFAULT false,
    tags text[],
    tags_json jsonb,
    place point);
CREATE UNIQUE INDEX ON orders (shop, "Bill No");
CREATE VIEW open_orders AS SELECT id AS number, shop, note FROM orders WHERE NOT done;
CREATE TABLE heap (a integer, "B" text);
CREATE TABLE parts (id integer NOT NULL, day date NOT NULL, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE parts_2027 PARTITION OF parts FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
CREATE PROCEDURE work(bigint) LANGUAGE sql AS 'UPDATE orders SET done = true WHERE id = $1';
CREATE FUNCTION work_all(bigint[]) RETURNS void LANGUAGE sql AS 'UPDATE orders SET done = true WHERE id = ANY ($1)';

-- Defines a job by what follows its name, and drops it. An error is told as the others are: with its
-- state, message, detail and hint.
CREATE FUNCTION define(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; key text;
BEGIN
    EXECUTE 'SELECT ratchet.schedule_batch(''b'', ''@manual'', ' || arguments || ')';
    SELECT j.key::text INTO key FROM ratchet.jobs j WHERE job_name = 'b';
    PERFORM ratchet.unschedule('b');
    RETURN 'key ' || key;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                            detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    -- What the server says more of functions that are not there is not the same in all versions.
    IF state = '42883' AND message LIKE '% does not exist' THEN
        detail := NULL;
        hint := NULL;
    END IF;
    RETURN concat_ws(E'\n', state || ': ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY default
\set SHOW_CONTEXT never

-- Sources
SELECT define($$ 'SELECT id FROM orders', 'UPDATE orders SET done = true WHERE id = $1' $$);
SELECT define($$ 'SELECT id, note FROM orders; -- the open ones', 'CALL work($1)' $$);
SELECT define($$ 'TABLE orders', 'CALL work($1)' $$);
SELECT define($$ 'VALUES (1::bigint), (2)', 'CALL work($1)' $$);
SELECT define($$ 'WITH o AS (SELECT id, shop FROM orders WHERE NOT done) SELECT * FROM o', 'CALL work($1)' $$);
SELECT define($$ 'SELECT number, note FROM open_orders', 'CALL work($1)' $$);
SELECT define($$ 'SELECT o.id, p.id FROM orders o JOIN parts p ON p.id = o.plain', 'CALL work($1)', key => '{id}' $$);
SELECT define($$ 'SELECT o.id, p.day FROM orders o JOIN parts p ON p.id = o.plain', 'CALL work($1)' $$);
SELECT define($$ 'SELECT n FROM generate_series(1, 100) n', 'CALL work($1)' $$);
SELECT define($$ 'SELECT n FROM generate_series(1, 100000) n', 'CALL work($1)' $$);
SELECT define($$ 'SELECT shop FROM orders GROUP BY shop', 'SELECT $1' $$);
SELECT define($$ 'SELECT DISTINCT plain FROM orders', 'SELECT $1', batch_size => 1 $$);
SELECT define($$ 'SELECT id FROM orders WHERE NOT done FOR UPDATE SKIP LOCKED', 'CALL work($1)', batch_size => 1 $$);
SELECT define($$ 'SELECT id FROM orders ORDER BY id LIMIT 10', 'CALL work($1)' $$);
-- An order of its own is no walk's, unless it is that of the key.
SELECT define($$ 'SELECT id, note FROM orders ORDER BY note DESC', 'CALL work($1)' $$);
SELECT define($$ 'SELECT id FROM orders ORDER BY id DESC', 'CALL work($1)' $$);
SELECT define($$ 'SELECT id FROM orders ORDER BY id NULLS FIRST', 'CALL work($1)' $$);
SELECT define($$ 'SELECT id FROM orders UNION SELECT 1 ORDER BY 1 DESC', 'CALL work($1)' $$);
SELECT define($$ 'SELECT a FROM heap WHERE a IS NOT NULL ORDER BY "B"', 'SELECT $1' $$);
SELECT define($$ 'SELECT id, note FROM orders ORDER BY id, note DESC', 'CALL work($1)' $$);
SELECT define($$ 'SELECT id, shop, "Bill No" FROM orders ORDER BY shop', 'CALL work($1)', key => '{shop,Bill No}' $$);
SELECT define($$ 'SELECT id FROM orders ORDER BY id DESC', 'CALL work($1)', key => '{id DESC}' $$);
SELECT define($$ 'SELECT DISTINCT ON (plain) plain FROM orders ORDER BY plain, id', 'SELECT $1', batch_size => 1000000 $$);

-- A foreign table: nothing is known of its keys and indexes, so nothing is warned of.
CREATE FUNCTION define_foreign() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'file_fdw') THEN
        RETURN 'key {id}';
    END IF;
    CREATE EXTENSION file_fdw;
    CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE remote (id integer, note text) SERVER files OPTIONS (program 'true');
    RETURN define($d$ 'SELECT id FROM remote', 'SELECT $1', batch_size => 1 $d$);
END $$;
BEGIN;
SELECT define_foreign();
ROLLBACK;

-- Actions
SELECT define($$ 'SELECT id FROM orders', 'DELETE FROM orders WHERE id = $1; INSERT INTO heap VALUES ($1)' $$);
SELECT define($$ 'SELECT id FROM orders', 'MERGE INTO orders o USING (SELECT $1 AS id) s ON o.id = s.id WHEN MATCHED THEN DELETE' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT work_all($1)', per => 'batch' $$);
SELECT define($$ 'SELECT id, note FROM orders', 'UPDATE orders o SET note = u.note FROM unnest($1, $2) u (id, note) WHERE u.id = o.id', per => 'batch' $$);
SELECT define($$ 'SELECT id FROM orders', 'DO $do$BEGIN PERFORM 1; END$do$' $$);

-- Keys of all types
SELECT type, define(format($$ 'SELECT NULL::%s AS k WHERE false', 'SELECT $1' $$, type))
  FROM unnest(ARRAY['smallint', 'integer', 'bigint', 'numeric', 'numeric(10,2)', 'float8', 'text', 'text COLLATE "C"',
                    'varchar(10)', 'char(3)', 'name', 'uuid', 'date', 'timestamp', 'timestamptz', 'time', 'interval', 'bytea',
                    'inet', 'boolean', 'jsonb', 'colour', 'age', 'integer[]', 'int4range', 'json', 'point', 'xid',
                    'orders']) AS type;
SELECT define($$ 'SELECT shop, "Bill No" FROM orders', 'SELECT $1, $2', key => '{shop,Bill No}' $$);
SELECT define($$ 'SELECT shop, "Bill No" FROM orders', 'SELECT $1, $2', key => '{shop desc,"Bill No  DESC"}' $$);
SELECT define($$ 'SELECT shop, "Bill No" FROM orders', 'SELECT $1, $2', key => '{shop ASC,"Bill No"}' $$);
SELECT define($$ 'SELECT id AS "id DESC" FROM orders', 'CALL work($1)', key => '{id DESC}', mode => 'incremental' $$);
SELECT define($$ 'SELECT "Bill No" FROM orders WHERE shop = 7', 'SELECT $1' $$);
SELECT define($$ 'SELECT "Bill No" FROM (SELECT * FROM orders WHERE shop = 7 AND done) s', 'SELECT $1' $$);
SELECT define($$ 'SELECT id + 1 AS n FROM orders', 'SELECT $1' $$);
SELECT define($$ 'SELECT id, day FROM parts', 'SELECT $1', key => '{day,id}' $$);

-- Keys that are warned of
SELECT define($$ 'SELECT a, "B" FROM heap', 'SELECT $1' $$);
SELECT define($$ 'SELECT a, "B" FROM heap WHERE "B" > '''' AND a IS NOT NULL', 'SELECT $1', key => '{B,a}' $$);
CREATE INDEX heap_a ON heap (a);
SELECT define($$ 'SELECT a FROM heap WHERE a = 5', 'SELECT $1' $$);
SELECT define($$ 'SELECT a FROM heap WHERE a > 5', 'SELECT $1' $$);
CREATE UNIQUE INDEX heap_lower ON heap (lower("B"));
SELECT define($$ 'SELECT "B" FROM heap WHERE "B" <> ''''', 'SELECT $1' $$);
CREATE UNIQUE INDEX heap_b ON heap ("B" DESC);
SELECT define($$ 'SELECT "B" FROM heap', 'SELECT $1' $$);
SELECT define($$ 'SELECT "B" COLLATE "C" AS b FROM heap', 'SELECT $1', batch_size => 1 $$);
SELECT define($$ 'SELECT id, day FROM parts', 'SELECT $1', key => '{id,day}' $$);
SELECT define($$ 'SELECT o.id, p.id AS part FROM orders o JOIN parts p ON p.id = o.plain', 'SELECT $1', key => '{part,id}' $$);

-- Keys that are refused
SELECT define($$ 'SELECT shop FROM orders', 'SELECT $1' $$);
SELECT define($$ 'SELECT shop FROM open_orders', 'SELECT $1' $$);
SELECT define($$ 'SELECT id FROM parts', 'SELECT $1' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT $1', key => '{nr}' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT $1', key => '{ID desc}' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT $1', key => '{}' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT $1', key => '{NULL}' $$);
SELECT define($$ 'SELECT id FROM orders', 'SELECT $1', key => '{id,id DESC}' $$);
SELECT define($$ 'SELECT id, shop FROM orders', 'SELECT $1', key => '{id,shop DESC}' $$);
SELECT define($$ 'SELECT o.id, p.id FROM orders o JOIN parts p ON p.id = o.plain', 'CALL work($1)' $$);
SELECT define($$ 'SELECT a."B" || b."Bill No" AS k FROM heap a, orders b', 'SELECT $1' $$);
-- Rows of children are not in a unique index of their parent.
CREATE TABLE parent (id integer PRIMARY KEY, note text);
SELECT define($$ 'SELECT id FROM parent', 'SELECT $1' $$);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT define($$ 'SELECT id FROM parent', 'SELECT $1' $$);
SELECT define($$ 'SELECT id, note FROM parent WHERE note IS NOT NULL', 'SELECT $1', key => '{id,note}' $$);
SELECT define($$ 'SELECT id FROM ONLY parent', 'SELECT $1' $$);
SELECT define($$ 'SELECT id, tableoid AS t FROM parent', 'SELECT $1', key => '{id,t}', batch_size => 10000 $$);

-- Sources that are refused
SELECT source, define(format('%L, %L', source, 'SELECT $1')) FROM unnest(ARRAY[
    '', ' ', ';', '-- nothing', 'SELEC id', 'SELECT idd FROM orders', 'SELECT id FROM nowhere', 'SELECT FROM orders',
    'SELECT id FROM orders; SELECT 1', 'SELECT id INTO x FROM orders', 'SELECT id FROM orders WHERE id = $1',
    'UPDATE orders SET done = true RETURNING id', 'WITH d AS (DELETE FROM orders RETURNING id) SELECT id FROM d',
    'VACUUM', 'EXPLAIN SELECT 1', 'SELECT pg_sleep(0)', 'SELECT ROW(1, 2)', 'SELECT DISTINCT 1 FROM orders FOR UPDATE'
]) AS source;
CREATE TEMPORARY TABLE gone (id integer PRIMARY KEY);
SELECT define($$ 'SELECT id FROM gone', 'SELECT $1' $$);
SELECT define($$ 'SELECT id FROM orders', 'INSERT INTO gone SELECT $1' $$);

-- Actions that are refused
SELECT action, define(format('%L, %L', 'SELECT id, note FROM orders', action)) FROM unnest(ARRAY[
    '', ';', 'UPDAT orders', 'UPDATE orders SET dun = true WHERE id = $1', 'SELECT $3', 'SELECT $1, $1000', 'SELECT $0',
    'UPDATE orders SET done = $2 WHERE id = $1', 'CALL work($2)', 'CALL work($1, $2)', 'SELECT no_such_function($1)',
    'COMMIT', 'SELECT $1; ROLLBACK', 'BEGIN', 'SAVEPOINT a', 'VACUUM', 'CREATE INDEX CONCURRENTLY ON orders (note)',
    'COPY orders FROM STDIN', 'COPY orders TO STDOUT', 'CREATE TEMPORARY TABLE made (a bigint); INSERT INTO made SELECT $1'
]) AS action;
SELECT define($$ 'SELECT id FROM orders', 'CALL work($1)', per => 'batch' $$);
SELECT define($$ 'SELECT id, tags FROM orders', 'SELECT $1, $2', per => 'batch' $$);
SELECT define($$ 'SELECT id, tags FROM orders', 'SELECT $1, $2' $$);
SELECT define($$ 'SELECT id, to_jsonb(tags) FROM orders', 'SELECT $1, $2', per => 'batch' $$);

-- Options
SELECT option, define(format('%L, %L, %s', 'SELECT id FROM orders', 'SELECT $1', option)) FROM unnest(ARRAY[
    'per => ''row''', 'mode => ''partial''', 'batch_size => 0', 'batch_target => ''0''', 'max_run_time => ''-1 s''',
    'max_failed_items => -1', 'max_failed_items => 0', 'pause_ratio => -0.1', 'pause_ratio => 1', 'pause_ratio => ''NaN''',
    'pause_ratio => 0.99', 'max_replication_lag => ''-1 s''', 'max_replication_lag => ''0''',
    'backfill_from => ''infinity''', 'transaction => ''per_statement''', 'mode => ''incremental'', overlap => ''allow''',
    'mode => ''incremental'', key => ''{id DESC}''', 'mode => ''incremental'', overlap => ''queue'''
]) AS option;
\set SHOW_CONTEXT errors
\pset tuples_only off
\pset format aligned

-- A position in the text is shown in the text.
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT id FROM ordres', 'SELECT $1');
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT id FROM orders', 'SELECT $1, $2');
SELECT ratchet.schedule_batch('b', '@manual', NULL, 'SELECT $1');
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT 1', NULL);

-- All options, and back.
SELECT ratchet.schedule_batch('b', '0 3 * * *', 'SELECT id, shop FROM orders', 'SELECT $1', enabled => false,
    timeout => '1 hour', backfill_from => '2026-01-01', key => '{id DESC}', per => 'batch', batch_size => 7,
    batch_target => '100 ms', mode => 'full', max_run_time => '10 minutes', max_failed_items => 3,
    pause_ratio => 0.25, max_replication_lag => '5 s') AS job_id \gset
CREATE VIEW definition AS
SELECT version, command, source, action, key, per, batch_size, batch_target, mode, max_run_time, max_failed_items,
       pause_ratio, max_replication_lag, backfill_from, timeout
  FROM ratchet.jobs WHERE job_name = 'b';
\x on
SELECT * FROM definition;
SELECT ratchet.alter_job('b', reset => '{key,per,batch_size,batch_target,mode,max_run_time,max_failed_items,pause_ratio,max_replication_lag,backfill_from}');
SELECT * FROM definition;
\x off
-- What a run does counts as a version; the rest does not.
SELECT ratchet.alter_job('b', comment => 'x', backfill_from => '2026-01-01', priority => 1);
SELECT ratchet.alter_job('b', batch_size => 500);
SELECT version FROM definition;
SELECT ratchet.alter_job('b', batch_size => 501);
SELECT ratchet.alter_job('b', source => 'SELECT id FROM orders');
SELECT ratchet.alter_job('b', action => 'CALL work($1)', pause_ratio => 0);
SELECT version, source, action, key, batch_size, pause_ratio FROM definition;

-- alter_job checks again what may not go together any more.
\set VERBOSITY terse
SELECT ratchet.alter_job('b', per => 'batch');
\set VERBOSITY default
SELECT ratchet.alter_job('b', source => 'SELECT shop, id FROM orders');
SELECT ratchet.alter_job('b', key => '{id desc}', mode => 'incremental');
SELECT ratchet.alter_job('b', source => 'SELECT shop FROM orders');
SELECT ratchet.alter_job('b', settings => '{"search_path": "pg_catalog"}');
SELECT ratchet.alter_job('b', transaction => 'per_statement');
SELECT ratchet.alter_job('b', command => 'SELECT 1');
SELECT ratchet.alter_job('b', source => ' ');
SELECT source, action, key FROM definition;

-- The checkpoint outlives a change of the source, and not one of the key.
CREATE VIEW checkpoints AS SELECT value FROM ratchet.job_checkpoint WHERE job_id = (SELECT job_id FROM ratchet.jobs WHERE job_name = 'b');
CREATE PROCEDURE save() LANGUAGE sql AS $$
    INSERT INTO ratchet.job_checkpoint (job_id, walk, owner, run_id, saved_at, value, items_done, items_failed, batches, rows_affected, walk_items, first_run)
    SELECT job_id, 0, owner::oid, 1, now(), '{"id": 5}', 5, 0, 1, 5, 0, 1 FROM ratchet.jobs WHERE job_name = 'b' $$;
CALL save();
SELECT ratchet.alter_job('b', source => 'SELECT shop, id FROM orders', action => 'CALL work($2)', batch_size => 9);
SELECT * FROM checkpoints;
SELECT ratchet.alter_job('b', key => '{id DESC}');
SELECT * FROM checkpoints;
CALL save();
-- A plain job, and a batch job again: the same job.
SELECT ratchet.schedule('b', '@manual', 'SELECT 1') = :job_id AS same;
SELECT * FROM checkpoints;
SELECT version, command, source, action, key, per, batch_size, mode FROM definition;
\set VERBOSITY terse
SELECT ratchet.schedule('b', '@manual', 'SELECT 1', batch_size => 5);
\set VERBOSITY default
SELECT ratchet.alter_job('b', source => 'SELECT 1');
SELECT ratchet.alter_job('b', batch_size => 5);
SELECT ratchet.alter_job('b', reset => '{timeout,key}');
\set VERBOSITY terse
SELECT ratchet.alter_job('b', reset => '{keys}');
\set VERBOSITY default
CALL save();
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT id FROM orders', 'CALL work($1)') = :job_id AS same;
SELECT version FROM definition;
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT id FROM orders', 'CALL work($1)') = :job_id AS same;
SELECT version, command, source, action, key FROM definition;
SELECT ratchet.unschedule('b');

-- As the owner: names, privileges, search_path.
CREATE ROLE ratchet_clerk LOGIN;
GRANT USAGE ON SCHEMA ratchet TO ratchet_clerk;
CREATE FUNCTION attempt(arguments text) RETURNS text LANGUAGE sql AS $$
    SELECT define(arguments || ', run_as => ''ratchet_clerk''') $$;
\pset format unaligned
\pset tuples_only on
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1' $$);
GRANT USAGE ON SCHEMA batch_definition TO ratchet_clerk;
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1' $$);
SELECT attempt($$ 'SELECT id FROM orders WHERE false', 'SELECT $1' $$);
GRANT SELECT (id) ON orders TO ratchet_clerk;
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1' $$);
SELECT attempt($$ 'SELECT id, note FROM orders', 'SELECT $1' $$);
SELECT attempt($$ 'SELECT id FROM orders FOR UPDATE', 'SELECT $1' $$);
SELECT attempt($$ 'SELECT id FROM orders', 'UPDATE orders SET done = true WHERE id = $1' $$);
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1; DELETE FROM orders WHERE id = $1' $$);
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA batch_definition FROM PUBLIC;
SELECT attempt($$ 'SELECT id FROM orders', 'CALL work($1)' $$);
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT work_all(ARRAY[$1])' $$);
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1', settings => '{"search_path": "public"}' $$);
-- Nothing of the owner's is executed as somebody else, and nothing is left behind in the session.
GRANT CREATE ON SCHEMA batch_definition TO ratchet_clerk;
SET ROLE ratchet_clerk;
CREATE FUNCTION who() RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RAISE INFO 'planned as %, by %', current_user, current_setting('search_path');
    PERFORM set_config('role', 'none', false);
    RETURN 'x';
END $$;
RESET ROLE;
SELECT attempt($$ 'SELECT id FROM orders', 'SELECT $1, batch_definition.who()', settings => '{"search_path": "pg_temp"}' $$);
SELECT attempt($$ 'SELECT id FROM batch_definition.orders', 'SELECT $1, batch_definition.who()', settings => '{"search_path": "pg_temp"}' $$);
SELECT current_user = session_user AS same_user, current_setting('search_path') AS search_path, current_setting('enable_sort') AS enable_sort;
\pset tuples_only off
\pset format aligned

-- Failed items
SELECT * FROM ratchet.failed_items;

SET client_min_messages = warning;
DROP SCHEMA batch_definition CASCADE;
REVOKE ALL ON SCHEMA ratchet FROM ratchet_clerk;
DROP ROLE ratchet_clerk;
