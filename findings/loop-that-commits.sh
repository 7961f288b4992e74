#!/usr/bin/env bash
# A PL/pgSQL loop over a query copies all that is left of it at its first COMMIT, and lets go of every lock.
#
# With: PostgreSQL 15.18 and 18.4, the same in both.
# FOR row IN SELECT … ORDER BY id LOOP … COMMIT after each hundred … END LOOP is how one walks a large table with
# short transactions. A good guess is that the loop goes on reading the table after a COMMIT, or fails. Seen: at the
# first COMMIT the rest of the result, of 20 000 rows here, is written to a temporary file, and everything after
# that comes from there. Of 10 000 rows deleted by somebody else early in the walk, all 10 000 are handed to the body
# in spite of it. With FOR UPDATE, the rows after the first COMMIT are not locked by anyone.
#
# For who schedules: a loop of this kind is one query at one time, as large as its result; only its effects are
# committed in parts. A walk by key, with a query for each slice, sees the table as it is.
. "$(dirname "$0")/laboratory"

walk() { # server
    sql "$1" -v VERBOSITY=terse -v connection="host=$lab/$1 user=postgres dbname=postgres" <<'SQL'
CREATE EXTENSION dblink;
\o /dev/null
SELECT dblink_connect('somebody', :'connection');
\o
CREATE TABLE item (id int PRIMARY KEY, content text);
INSERT INTO item SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n;
CREATE PROCEDURE walk() LANGUAGE plpgsql AS $$
DECLARE
    item record;
    turns int := 0;
    gone int := 0;
BEGIN
    FOR item IN SELECT * FROM item ORDER BY id LOOP
        turns := turns + 1;
        gone := gone + (NOT EXISTS (SELECT FROM item AS i WHERE i.id = item.id))::int;
        IF turns % 100 = 0 THEN COMMIT; END IF;
        IF turns = 200 THEN PERFORM dblink_exec('somebody', 'DELETE FROM item WHERE id > 10000'); END IF;
    END LOOP;
    RAISE INFO '% turns, % of them for rows that were gone', turns, gone;
END $$;
CALL walk();
\o /dev/null
SELECT pg_stat_force_next_flush();
\o
SELECT 'temporary files: ' || CASE WHEN temp_bytes > 9000000 THEN 'more than 9 MB' ELSE temp_bytes || ' bytes' END
FROM pg_stat_database WHERE datname = current_database();

TRUNCATE item;
INSERT INTO item SELECT generate_series(1, 1000);
CREATE PROCEDURE walk_locked() LANGUAGE plpgsql AS $$
DECLARE
    item record;
    locked int;
BEGIN
    FOR item IN SELECT * FROM item ORDER BY id FOR UPDATE LOOP
        IF item.id IN (100, 101) THEN
            SELECT 1000 - free INTO locked FROM dblink('somebody',
                'SELECT count(*) FROM (SELECT FROM item FOR UPDATE SKIP LOCKED) AS f') AS result (free int);
            RAISE INFO 'FOR UPDATE, row %: %', item.id,
                CASE WHEN locked = 0 THEN 'no row is locked' ELSE 'rows are locked' END;
        END IF;
        IF item.id % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
CALL walk_locked();
SQL
}

behaviour() {
    local version
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        walk "pg$version"
    done
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
INFO:  20000 turns, 10000 of them for rows that were gone
temporary files: more than 9 MB
INFO:  FOR UPDATE, row 100: rows are locked
INFO:  FOR UPDATE, row 101: no row is locked
postgres (PostgreSQL) 18.4
INFO:  20000 turns, 10000 of them for rows that were gone
temporary files: more than 9 MB
INFO:  FOR UPDATE, row 100: rows are locked
INFO:  FOR UPDATE, row 101: no row is locked
RECORDED
