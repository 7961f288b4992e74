#!/usr/bin/env bash
# pg_partman leaves a day without a partition when maintenance runs in another time zone than the one of the set-up.
#
# With: pg_partman 4.7.2 (postgresql-15-partman 4.7.2-1) on PostgreSQL 15.18.
# Somebody in Berlin makes a table with daily partitions on a timestamptz, from a session with its time zone. The
# nightly maintenance is a job, in the server's time zone, which is UTC or New York. A good guess is that partitions
# go on where the last one ended, or that there is an error at once if they would overlap. Instead one whole day is
# left out, without an error or a warning: the name for the next partition, which is made from the date in the zone of
# the session, is already there, and what has its name is passed over. All later names are a day behind. Rows of the
# day that is left out go to the default partition. With maintenance east of the set-up (Tokyo) all days are there.
#
# For who schedules: maintenance is to run with the time zone of the set-up, as a setting of that job.
. "$(dirname "$0")/laboratory"

# Each partition of a day begins where the one before it has ended. The day on which this runs makes no difference.
missing_days() { # time zone of the maintenance
    sql pg15 <<SQL
SET client_min_messages = warning;
DROP TABLE IF EXISTS reading;
DELETE FROM partman.part_config;
SET timezone = 'Europe/Berlin';
CREATE TABLE reading (at timestamptz NOT NULL, value float) PARTITION BY RANGE (at);
\o $lab/partman.out
SELECT partman.create_parent('public.reading', 'at', 'native', 'daily', p_premake => 2);
UPDATE partman.part_config SET premake = 6, infinite_time_partitions = true;
SET timezone = '$1';
SELECT partman.run_maintenance('public.reading');
\o
SELECT count(*) || ' partitions, days left out: ' || count(*) FILTER (WHERE lower > before)
FROM (SELECT lower, lag(upper) OVER (ORDER BY lower) AS before
      FROM pg_class, regexp_match(pg_get_expr(relpartbound, oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bound,
          LATERAL (SELECT bound[1]::timestamptz AS lower, bound[2]::timestamptz AS upper) AS range
      WHERE relispartition AND relkind = 'r' AND bound IS NOT NULL) AS part;
SQL
}

behaviour() {
    local zone
    debian postgresql-15-partman 4.7.2-1
    server pg15 15.18.0-beta.17
    cp "$lab"/debian/usr/share/postgresql/15/extension/pg_partman* "$lab/pg15/server/share/postgresql/extension/"
    sql pg15 -c 'CREATE SCHEMA partman' -c 'CREATE EXTENSION pg_partman SCHEMA partman'
    for zone in Europe/Berlin UTC America/New_York Asia/Tokyo; do
        echo "maintenance in $zone: $(missing_days "$zone")"
    done
}

as_recorded behaviour <<'RECORDED'
postgresql-15-partman 4.7.2-1 (Debian 12)
postgres (PostgreSQL) 15.18
maintenance in Europe/Berlin: 10 partitions, days left out: 0
maintenance in UTC: 9 partitions, days left out: 1
maintenance in America/New_York: 9 partitions, days left out: 1
maintenance in Asia/Tokyo: 10 partitions, days left out: 0
RECORDED
