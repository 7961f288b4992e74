-- The options only_if and watch: what is taken and what is refused when a job is defined.
CREATE SCHEMA conditions;
SET search_path = conditions;
CREATE ROLE ratchet_carol LOGIN;
GRANT USAGE ON SCHEMA ratchet, conditions TO ratchet_carol;
CREATE TABLE orders (id bigint PRIMARY KEY, exported boolean NOT NULL DEFAULT false, n integer);
CREATE VIEW open_orders AS SELECT * FROM orders WHERE NOT exported;
CREATE TABLE secret (id integer);
CREATE SEQUENCE numbers;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
CREATE TABLE parts (id integer, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE FUNCTION private() RETURNS boolean LANGUAGE sql AS 'SELECT true';
REVOKE EXECUTE ON FUNCTION private() FROM PUBLIC;
GRANT SELECT ON orders TO ratchet_carol;
GRANT SELECT (id) ON parts TO ratchet_carol;

-- Defines a job by its options, and drops it. An error is told with its state, message, detail and hint.
CREATE FUNCTION define(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; said text;
BEGIN
    EXECUTE 'SELECT ratchet.schedule(''c'', ''@manual'', ''SELECT 1'', ' || options || ')';
    SELECT concat_ws(' ', only_if, watch) INTO said FROM ratchet.jobs WHERE job_name = 'c';
    PERFORM ratchet.unschedule('c');
    RETURN said;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                            detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ': ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END $$;
GRANT EXECUTE ON FUNCTION define(text) TO ratchet_carol;
\pset format unaligned
\pset tuples_only on

-- only_if is one query that gives one boolean
SELECT define($$ only_if => 'SELECT EXISTS (SELECT FROM orders WHERE NOT exported)' $$);
SELECT define($$ only_if => 'SELECT true; -- always' $$);
SELECT define($$ only_if => 'VALUES (true)' $$);
SELECT define($$ only_if => 'WITH o AS (SELECT n FROM orders) SELECT bool_or(n > 1) AS any FROM o' $$);
SELECT define($$ only_if => 'SELECT exported FROM open_orders ORDER BY id LIMIT 1' $$);
SELECT define($$ only_if => 'SELECT ratchet.scheduled_at() < now()' $$);
SELECT define($$ only_if => 'SELECT 1 / 0 > 0' $$);
SELECT define($$ only_if => '  ' $$);
SELECT define($$ only_if => '-- nothing' $$);
SELECT define($$ only_if => 'EXISTS (SELECT FROM orders)' $$);
SELECT define($$ only_if => 'SELECT true; SELECT false' $$);
SELECT define($$ only_if => 'SELECT count(*) FROM orders' $$);
SELECT define($$ only_if => 'SELECT true, false' $$);
SELECT define($$ only_if => 'SELECT FROM orders' $$);
SELECT define($$ only_if => 'SELECT NULL' $$);
SELECT define($$ only_if => 'UPDATE orders SET exported = true RETURNING true' $$);
SELECT define($$ only_if => 'WITH u AS (UPDATE orders SET exported = true RETURNING true AS t) SELECT t FROM u' $$);
SELECT define($$ only_if => 'SELECT exported FROM orders FOR UPDATE' $$);
SELECT define($$ only_if => 'SELECT true INTO t' $$);
SELECT define($$ only_if => 'CREATE TABLE t AS SELECT true' $$);
SELECT define($$ only_if => 'CALL nothing()' $$);
SELECT define($$ only_if => 'EXPLAIN SELECT true' $$);
SELECT define($$ only_if => 'BEGIN' $$);
SELECT define($$ only_if => 'SELECT $1' $$);
SELECT define($$ only_if => 'SELECT true FROM nowhere' $$);
CREATE TEMP TABLE gone (id int);
SELECT define($$ only_if => 'SELECT EXISTS (SELECT FROM gone)' $$);
-- as the owner
SELECT define($$ only_if => 'SELECT EXISTS (SELECT FROM secret)', run_as => 'ratchet_carol' $$);
SELECT define($$ only_if => 'SELECT private()', run_as => 'ratchet_carol' $$);
SELECT define($$ only_if => 'SELECT EXISTS (SELECT FROM orders)', run_as => 'ratchet_carol' $$);
-- by the job's search_path
SELECT define($$ only_if => 'SELECT EXISTS (SELECT FROM orders)', settings => '{"search_path": "pg_catalog"}' $$);

-- watch
SELECT define($$ watch => '{orders,parts}' $$);
SELECT define($$ watch => '{totals}' $$);
SELECT define($$ watch => '{}' $$);
SELECT define($$ watch => '{NULL}' $$);
SELECT define($$ watch => '{nowhere}' $$);
SELECT define($$ watch => ARRAY[1::oid::regclass] $$);
SELECT define($$ watch => '{orders,open_orders}' $$);
SELECT define($$ watch => '{numbers}' $$);
SELECT define($$ watch => '{orders_pkey}' $$);
SELECT define($$ watch => '{pg_class}' $$);
SELECT define($$ watch => '{gone}' $$);
SELECT define($$ watch => '{parts}', run_as => 'ratchet_carol' $$);
SELECT define($$ watch => '{orders,secret}', run_as => 'ratchet_carol' $$);

-- alter_job: the same checks; what is not given stays, and is not checked again
SELECT ratchet.schedule('w', '@manual', 'SELECT 1', only_if => 'SELECT EXISTS (SELECT FROM secret)', watch => '{secret}') IS NOT NULL;
SELECT version, only_if, watch FROM ratchet.jobs WHERE job_name = 'w';
\set VERBOSITY terse
SELECT ratchet.alter_job('w', only_if => 'SELECT 1');
SELECT ratchet.alter_job('w', run_as => 'ratchet_carol');
SELECT ratchet.alter_job('w', watch => '{open_orders}');
DROP TABLE secret;
SELECT ratchet.alter_job('w', priority => 3);
SELECT ratchet.alter_job('w', only_if => 'SELECT true', watch => '{orders}');
SELECT version, only_if, watch FROM ratchet.jobs WHERE job_name = 'w';
SELECT ratchet.alter_job('w', reset => '{only_if,watch}');
SELECT version, only_if, watch FROM ratchet.jobs WHERE job_name = 'w';
SELECT ratchet.unschedule('w');

-- A batch job has them, too.
SELECT ratchet.schedule_batch('b', '@manual', 'SELECT id FROM orders', 'SELECT $1', only_if => 'SELECT true', watch => '{orders}') IS NOT NULL;
SELECT only_if, watch FROM ratchet.jobs WHERE job_name = 'b';
SELECT ratchet.unschedule('b');

DROP SCHEMA conditions CASCADE;
REVOKE USAGE ON SCHEMA ratchet FROM ratchet_carol;
DROP ROLE ratchet_carol;
