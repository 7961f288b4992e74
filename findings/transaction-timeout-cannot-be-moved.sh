#!/usr/bin/env bash
# transaction_timeout: SET LOCAL within the transaction changes nothing, unless it goes through 0.
#
# With: PostgreSQL 18.4 (the setting came with 17).
# A session has transaction_timeout = 1 s. A transaction that needs longer says SET LOCAL transaction_timeout =
# '1 min' as its first statement, as one does with statement_timeout. The server accepts it, SHOW says 1min, and the
# connection is ended after 1 s. A shorter one is as little obeyed: the transaction lives on. Setting 0 takes the
# timer away, and after that any value counts, from that moment.
# A procedure that commits in its loop is not ended, as the timer starts anew with each of its transactions, while
# statement_timeout counts for the CALL as a whole.
#
# For who schedules: a limit for a role holds for its long jobs too, and a job cannot lift it in its own first
# statement in the way that one would write: it has to be set before the transaction begins, or go through 0.
. "$(dirname "$0")/laboratory"

outcome() { # what is tried
    local said
    said=$(sql pg18 -v VERBOSITY=terse 2>&1) || true
    echo "$1: $(grep -oE '^(ERROR|FATAL):.*|the end|1min|50ms' <<<"$said" | paste -sd, | sed 's/,/, /g')"
}

behaviour() {
    server pg18 18.4.0-beta.17
    outcome 'session 1 s, 2 s of work' <<'SQL'
SET transaction_timeout = '1s';
BEGIN; SELECT pg_sleep(2); COMMIT; SELECT 'the end';
SQL
    outcome 'SET LOCAL 1min first' <<'SQL'
SET transaction_timeout = '1s';
BEGIN; SET LOCAL transaction_timeout = '1min'; SHOW transaction_timeout; SELECT pg_sleep(2); COMMIT; SELECT 'the end';
SQL
    outcome 'SET LOCAL 0, then 1min' <<'SQL'
SET transaction_timeout = '1s';
BEGIN; SET LOCAL transaction_timeout = 0; SET LOCAL transaction_timeout = '1min'; SELECT pg_sleep(2); COMMIT; SELECT 'the end';
SQL
    outcome 'session 1min, SET LOCAL 50ms' <<'SQL'
SET transaction_timeout = '1min';
BEGIN; SET LOCAL transaction_timeout = '50ms'; SHOW transaction_timeout; SELECT pg_sleep(2); COMMIT; SELECT 'the end';
SQL
    sql pg18 <<'SQL'
CREATE PROCEDURE walk() LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..20 LOOP
        PERFORM pg_sleep(0.1);
        COMMIT;
    END LOOP;
END $$;
SQL
    outcome 'procedure of 2 s that commits, transaction_timeout 1 s' <<'SQL'
SET transaction_timeout = '1s';
CALL walk(); SELECT 'the end';
SQL
    outcome 'the same, statement_timeout 1 s' <<'SQL'
SET statement_timeout = '1s';
CALL walk();
SQL
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 18.4
session 1 s, 2 s of work: FATAL:  terminating connection due to transaction timeout
SET LOCAL 1min first: 1min, FATAL:  terminating connection due to transaction timeout
SET LOCAL 0, then 1min: the end
session 1min, SET LOCAL 50ms: 50ms, the end
procedure of 2 s that commits, transaction_timeout 1 s: the end
the same, statement_timeout 1 s: ERROR:  canceling statement due to statement timeout
RECORDED
