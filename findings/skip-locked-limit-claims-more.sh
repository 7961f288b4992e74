#!/usr/bin/env bash
# "LIMIT 5 FOR UPDATE SKIP LOCKED" in a sub-select takes every waiting task of a queue.
#
# With: PostgreSQL 15.18 and 18.4, with the settings that they come with.
# A queue's table has a partial index on the tasks that wait, and its last ANALYZE was in a quiet hour, when none
# did. The statement that takes five names their state twice, as careful ones do: in the sub-select, and outside, so
# that no task is taken that somebody else has taken meanwhile. A good guess is five at most. All fifty are taken.
# The sub-select becomes the inner side of a nested loop and is executed once for each row outside; each time it
# passes over what the statement has updated already, and finds the next five. The statement may have worked for
# months: an ANALYZE in a busy hour gives another plan, which takes five.
#
# For who schedules: a worker that takes all, and does five, leaves the others marked as running until somebody
# resets them. A CTE that is MATERIALIZED, or "id = ANY (ARRAY(SELECT …))", is executed once, whatever the plan.
. "$(dirname "$0")/laboratory"

claim() { # server, condition, what comes before the statement
    sql "$1" <<SQL
BEGIN;
${3:-} UPDATE task SET state = 'running' WHERE state = 'ready' AND id $2;
\echo taken :ROW_COUNT
ROLLBACK;
SQL
}

behaviour() {
    local version next
    next="SELECT id FROM task WHERE state = 'ready' ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED"
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        sql "pg$version" <<'SQL'
CREATE TABLE task (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text NOT NULL);
INSERT INTO task (state) SELECT 'done' FROM generate_series(1, 10000);
CREATE INDEX ON task (id) WHERE state = 'ready';
ANALYZE task;
INSERT INTO task (state) SELECT 'ready' FROM generate_series(1, 50);
SQL
        echo "IN (SELECT): $(claim "pg$version" "IN ($next)")"
        sql "pg$version" -c "EXPLAIN (COSTS OFF) UPDATE task SET state = 'running' WHERE state = 'ready' AND id IN ($next)" |
            grep -oE 'Nested Loop Semi Join|Subquery Scan|Limit|LockRows'
        echo "= ANY (ARRAY(SELECT)): $(claim "pg$version" "= ANY (ARRAY($next))")"
        echo "WITH … AS MATERIALIZED: $(claim "pg$version" 'IN (SELECT id FROM next)' "WITH next AS MATERIALIZED ($next)")"
    done
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
IN (SELECT): taken 50
Nested Loop Semi Join
Subquery Scan
Limit
LockRows
= ANY (ARRAY(SELECT)): taken 5
WITH … AS MATERIALIZED: taken 5
postgres (PostgreSQL) 18.4
IN (SELECT): taken 50
Nested Loop Semi Join
Subquery Scan
Limit
LockRows
= ANY (ARRAY(SELECT)): taken 5
WITH … AS MATERIALIZED: taken 5
RECORDED
