#!/usr/bin/env bash
# statement_timeout fires once in a statement: who catches it may go on for ever, and a function cannot set its own.
#
# With: PostgreSQL 15.18 and 18.4, the same in both.
# A procedure calls steps, each within a block that catches query_canceled, so that a step that takes too long does not
# end the others; statement_timeout is 300 ms. A good guess is 300 ms for each step, or an error for the whole at the
# second. Seen: the first step is ended after 300 ms, all others have no limit at all.
# CREATE FUNCTION … SET statement_timeout = '300ms' is accepted, SHOW in it says 300ms, and the function runs on: the
# timer is set when a statement of the client begins. With lock_timeout both work as one would think.
#
# For who schedules: inside of one statement there is one limit and no second one. Steps with a limit each are to be
# statements of their own, or jobs.
. "$(dirname "$0")/laboratory"

behaviour() {
    local version
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        sql "pg$version" -v VERBOSITY=terse -v connection="host=$lab/pg$version user=postgres dbname=postgres" <<'SQL'
CREATE FUNCTION step(seconds float) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(seconds);
    RETURN 'ran to its end';
EXCEPTION WHEN query_canceled THEN
    RETURN 'ended by the time-out';
END $$;
CREATE FUNCTION limited() RETURNS text LANGUAGE plpgsql SET statement_timeout = '300ms' AS $$
BEGIN
    PERFORM pg_sleep(1);
    RETURN 'ran to its end, ' || current_setting('statement_timeout');
END $$;
SET statement_timeout = '300ms';
SELECT format('three steps: %s, %s, %s', step(1), step(1), step(1));
SET statement_timeout = 0;
SELECT 'a function with a limit of its own: ' || limited();

CREATE EXTENSION dblink;
CREATE TABLE item ();
CREATE FUNCTION locking() RETURNS text LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
BEGIN
    LOCK TABLE item;
    RETURN 'locked';
EXCEPTION WHEN lock_not_available THEN
    RETURN 'ended by the time-out';
END $$;
\o /dev/null
SELECT dblink_connect('somebody', :'connection');
SELECT dblink_exec('somebody', 'BEGIN; LOCK TABLE item');
\o
SELECT format('lock_timeout of a function, twice: %s, %s', locking(), locking());
SQL
    done
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
three steps: ended by the time-out, ran to its end, ran to its end
a function with a limit of its own: ran to its end, 300ms
lock_timeout of a function, twice: ended by the time-out, ended by the time-out
postgres (PostgreSQL) 18.4
three steps: ended by the time-out, ran to its end, ran to its end
a function with a limit of its own: ran to its end, 300ms
lock_timeout of a function, twice: ended by the time-out, ended by the time-out
RECORDED
