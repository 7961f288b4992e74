#!/usr/bin/env bash
# What a transaction with an older snapshot sees of a table depends on how somebody else rewrote it meanwhile.
#
# With: PostgreSQL 15.18 and 18.4, the same in both.
# A transaction at REPEATABLE READ has its snapshot, has not yet touched a table of eight rows, and reads it after
# another session has changed and committed. A good guess is eight rows, whatever that was. The manual warns of
# TRUNCATE and of the forms of ALTER TABLE that rewrite, under "Caveats" of concurrency control, without a list.
# Seen: SET UNLOGGED, SET ACCESS METHOD and a new column of a domain without any default show an empty table;
# VACUUM FULL, CLUSTER and SET TABLESPACE, which rewrite as well, show all rows. REFRESH MATERIALIZED VIEW is of
# neither kind: the old snapshot sees rows that were committed after it was taken. Partitions that were attached or
# detached since then are there, or gone, as well. There is no error in any of these.
#
# For who schedules: a report or a walk over several statements at REPEATABLE READ may be empty, or of another time,
# and say that it succeeded.
. "$(dirname "$0")/laboratory"

seen_after() { # server, command, what comes before it, table to read
    sql "$1" <<SQL
SET client_min_messages = error;
DROP TABLE IF EXISTS item CASCADE;
DROP TABLE IF EXISTS whole CASCADE;
CREATE TABLE item (id int PRIMARY KEY, name varchar(10));
INSERT INTO item SELECT n, n FROM generate_series(1, 8) AS n;
${3:-}
BEGIN ISOLATION LEVEL REPEATABLE READ;
\o /dev/null
SELECT count(*) FROM pg_am;
SELECT dblink_exec('host=$lab/$1 user=postgres dbname=postgres', \$command\$ $2 \$command\$);
\o
SELECT format('%-52s %s', \$command\$$2\$command\$, count(*)) FROM ${4:-item};
COMMIT;
SQL
}

look() { # server
    sql "$1" <<SQL
CREATE EXTENSION dblink;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE DOMAIN amount AS int CHECK (VALUE > 0);
CREATE TABLESPACE elsewhere LOCATION '$lab/$1/elsewhere';
SQL
    seen_after "$1" 'ALTER TABLE item ALTER id TYPE bigint'
    seen_after "$1" 'ALTER TABLE item ALTER name TYPE varchar(20)'
    seen_after "$1" 'ALTER TABLE item ADD price int DEFAULT 1'
    seen_after "$1" 'ALTER TABLE item ADD price amount'
    seen_after "$1" 'ALTER TABLE item SET UNLOGGED'
    seen_after "$1" 'ALTER TABLE item SET ACCESS METHOD heap_again'
    seen_after "$1" 'ALTER TABLE item SET TABLESPACE elsewhere'
    seen_after "$1" 'VACUUM FULL item'
    seen_after "$1" 'CLUSTER item USING item_pkey'
    local view="CREATE MATERIALIZED VIEW total AS SELECT id FROM item; CREATE UNIQUE INDEX ON total (id);
        INSERT INTO item VALUES (9), (10), (11);"
    seen_after "$1" 'REFRESH MATERIALIZED VIEW total' "$view" total
    seen_after "$1" 'REFRESH MATERIALIZED VIEW CONCURRENTLY total' "$view" total
    local whole="CREATE TABLE whole (id int NOT NULL, name varchar(10)) PARTITION BY RANGE (id);"
    seen_after "$1" 'ALTER TABLE whole ATTACH PARTITION item DEFAULT' "$whole" whole
    seen_after "$1" 'ALTER TABLE whole DETACH PARTITION item' "$whole ALTER TABLE whole ATTACH PARTITION item DEFAULT;" whole
}

behaviour() {
    local version
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        as_server_user mkdir "$lab/pg$version/elsewhere"
        look "pg$version"
    done
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
ALTER TABLE item ALTER id TYPE bigint                0
ALTER TABLE item ALTER name TYPE varchar(20)         8
ALTER TABLE item ADD price int DEFAULT 1             8
ALTER TABLE item ADD price amount                    0
ALTER TABLE item SET UNLOGGED                        0
ALTER TABLE item SET ACCESS METHOD heap_again        0
ALTER TABLE item SET TABLESPACE elsewhere            8
VACUUM FULL item                                     8
CLUSTER item USING item_pkey                         8
REFRESH MATERIALIZED VIEW total                      11
REFRESH MATERIALIZED VIEW CONCURRENTLY total         8
ALTER TABLE whole ATTACH PARTITION item DEFAULT      8
ALTER TABLE whole DETACH PARTITION item              0
postgres (PostgreSQL) 18.4
ALTER TABLE item ALTER id TYPE bigint                0
ALTER TABLE item ALTER name TYPE varchar(20)         8
ALTER TABLE item ADD price int DEFAULT 1             8
ALTER TABLE item ADD price amount                    0
ALTER TABLE item SET UNLOGGED                        0
ALTER TABLE item SET ACCESS METHOD heap_again        0
ALTER TABLE item SET TABLESPACE elsewhere            8
VACUUM FULL item                                     8
CLUSTER item USING item_pkey                         8
REFRESH MATERIALIZED VIEW total                      11
REFRESH MATERIALIZED VIEW CONCURRENTLY total         8
ALTER TABLE whole ATTACH PARTITION item DEFAULT      8
ALTER TABLE whole DETACH PARTITION item              0
RECORDED
