#!/usr/bin/env bash
# pgAgent: a day and a weekday have both to fit, and a time in the hour that is left out in spring is a day without a run.
#
# With: pgAgent 4.2.2 (4.2.2-2, Debian 12), its function pga_next_schedule on PostgreSQL 15.18.
# pgAgent's schedules have the five fields of cron, as arrays, and are often made from cron lines. A good guess is
# cron's reading of a line with a day of the month and a weekday: one of the two. pgAgent wants both: "0 0 13 * 1",
# which is each Monday and each 13th, comes twice a year. The times are those of the session that asks, so that
# a schedule of the night has no run on the day of the clock change; and twice in autumn is once.
#
# For who schedules: a pgAgent schedule with a day and a weekday is no cron line with these two fields, in either direction.
. "$(dirname "$0")/laboratory"

behaviour() {
    debian pgagent 4.2.2-2
    server pg15 15.18.0-beta.17
    cp "$lab"/debian/usr/share/postgresql/15/extension/pgagent* "$lab/pg15/server/share/postgresql/extension/"
    sql pg15 <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION pgagent;
SET timezone = 'Europe/Berlin';
-- An array of n fields of which only the chosen one is on, or none, which means all.
CREATE FUNCTION field(n int, chosen int DEFAULT -1) RETURNS boolean[] LANGUAGE sql AS
    'SELECT array_agg(g = chosen ORDER BY g) FROM generate_series(0, n - 1) AS g';
CREATE FUNCTION next_three(since timestamptz, minute int, hour int, weekday int, day int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text := '';
    at timestamptz := since;
BEGIN
    FOR n IN 1..3 LOOP
        at := pgagent.pga_next_schedule(1, since, NULL, field(60, minute), field(24, hour), field(7, weekday),
            field(32, day - 1), field(12));
        found := found || to_char(at, '  FMDay YYYY-MM-DD HH24:MI TZ');
        since := at + interval '1 minute';
    END LOOP;
    RETURN found;
END $$;
SELECT 'the 13th and Monday:' || next_three('2027-01-01', 0, 0, 1, 13);
SELECT 'the 13th:' || next_three('2027-01-01', 0, 0, -1, 13);
SELECT '02:30, spring:' || next_three('2027-03-27', 30, 2, -1, 0);
SELECT '02:30, autumn:' || next_three('2027-10-30', 30, 2, -1, 0);
SQL
}

as_recorded behaviour <<'RECORDED'
pgagent 4.2.2-2 (Debian 12)
postgres (PostgreSQL) 15.18
the 13th and Monday:  Monday 2027-09-13 00:00 CEST  Monday 2027-12-13 00:00 CET  Monday 2028-03-13 00:00 CET
the 13th:  Wednesday 2027-01-13 00:00 CET  Saturday 2027-02-13 00:00 CET  Saturday 2027-03-13 00:00 CET
02:30, spring:  Saturday 2027-03-27 02:30 CET  Monday 2027-03-29 02:30 CEST  Tuesday 2027-03-30 02:30 CEST
02:30, autumn:  Saturday 2027-10-30 02:30 CEST  Sunday 2027-10-31 02:30 CET  Monday 2027-11-01 02:30 CET
RECORDED
