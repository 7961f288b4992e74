#!/usr/bin/env bash
# DISCARD ALL leaves the seed of random() and the connections of dblink, with what these have open.
#
# With: PostgreSQL 15.18 and 18.4, and dblink 1.2 of each.
# Poolers send DISCARD ALL between two clients, and the manual says that it brings a session to its initial state.
# Seen: after setseed(0.5) the next client gets the same "random" numbers each time. A connection by dblink that was
# opened under a name is there for the next client, by that name, with its temporary table and within its open
# transaction. postgres_fdw keeps its connections too. A custom setting is not gone but an empty text.
#
# For who schedules: whatever keeps sessions for several jobs and resets them in this way, a pooler or a scheduler,
# hands these on. Who draws samples, jitter or tokens by random() gets the ones of the job before. A dblink connection
# is to be closed by the job that opened it.
. "$(dirname "$0")/laboratory"

behaviour() {
    local version
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        sql "pg$version" -v connection="host=$lab/pg$version user=postgres dbname=postgres" -v host="$lab/pg$version" <<'SQL'
CREATE EXTENSION dblink;
CREATE EXTENSION postgres_fdw;
CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', dbname 'postgres');
CREATE USER MAPPING FOR postgres SERVER there OPTIONS (user 'postgres');
CREATE TABLE local_table (i int);
CREATE FOREIGN TABLE remote_table (i int) SERVER there OPTIONS (table_name 'local_table');
\o /dev/null
SELECT setseed(0.5);
SELECT dblink_connect('report', :'connection');
SELECT dblink_exec('report', 'BEGIN');
SELECT dblink_exec('report', 'CREATE TEMPORARY TABLE draft AS SELECT 42 AS answer');
SELECT * FROM remote_table;
SET app.tenant = 'one';
\o
DISCARD ALL;
SELECT 'first random(): ' || random()::numeric(7, 6);
SELECT 'dblink: ' || array_to_string(dblink_get_connections(), ' ');
SELECT 'its temporary table: ' || answer FROM dblink('report', 'SELECT answer FROM draft') AS d (answer int);
SELECT 'sessions within a transaction: ' || count(*) FROM pg_stat_activity WHERE state = 'idle in transaction';
SELECT 'postgres_fdw: ' || count(*) || ' connection' FROM postgres_fdw_get_connections();
SELECT 'app.tenant: ' || coalesce(quote_literal(current_setting('app.tenant', true)), 'not set');
SQL
    done
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
first random(): 0.985168
dblink: report
its temporary table: 42
sessions within a transaction: 1
postgres_fdw: 1 connection
app.tenant: ''
postgres (PostgreSQL) 18.4
first random(): 0.985168
dblink: report
its temporary table: 42
sessions within a transaction: 1
postgres_fdw: 1 connection
app.tenant: ''
RECORDED
