#!/usr/bin/env bash
# generate_series by a day never comes back to its hour after a clock change, nor by a month to its 31st.
#
# With: PostgreSQL 15.18 and 18.4, the same in both, also in the form of 16 and later with a time zone as argument.
# A table of due times is made by generate_series(first, last, interval '1 day'). first + n * interval '1 day' gives the
# same list, a good guess has it. But each value is the one before it plus the step: 02:30 in Berlin becomes 03:30
# on the day on which it is left out, and stays 03:30 for good. By a month from the 31st of January, all later ones are
# on the 28th.
#
# For who schedules: a list of planned runs made in this way leaves its hour at the first clock change.
. "$(dirname "$0")/laboratory"

behaviour() {
    local version form
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        sql "pg$version" <<'SQL'
SET timezone = 'Europe/Berlin';
SELECT 'series:          ' || string_agg(to_char(at, 'DD. HH24:MI'), '  ' ORDER BY at)
FROM generate_series('2027-03-26 02:30'::timestamptz, '2027-03-30 12:00', '1 day') AS at;
SELECT 'first + n days:  ' || string_agg(to_char('2027-03-26 02:30'::timestamptz + n * interval '1 day', 'DD. HH24:MI'), '  ' ORDER BY n)
FROM generate_series(0, 4) AS n;
SELECT 'series, months:  ' || string_agg(to_char(at, 'DD.MM.'), '  ' ORDER BY at)
FROM generate_series('2027-01-31'::timestamptz, '2027-05-31', '1 month') AS at;
SQL
    done
    form="SELECT 'with a zone:     ' || string_agg(to_char(at AT TIME ZONE 'Europe/Berlin', 'DD. HH24:MI'), '  ' ORDER BY at)
        FROM generate_series('2027-03-26 01:30Z'::timestamptz, '2027-03-30 12:00Z', '1 day', 'Europe/Berlin') AS at"
    sql pg18.4.0-beta.17 -c "$form"
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
series:          26. 02:30  27. 02:30  28. 03:30  29. 03:30  30. 03:30
first + n days:  26. 02:30  27. 02:30  28. 03:30  29. 02:30  30. 02:30
series, months:  31.01.  28.02.  28.03.  28.04.  28.05.
postgres (PostgreSQL) 18.4
series:          26. 02:30  27. 02:30  28. 03:30  29. 03:30  30. 03:30
first + n days:  26. 02:30  27. 02:30  28. 03:30  29. 02:30  30. 02:30
series, months:  31.01.  28.02.  28.03.  28.04.  28.05.
with a zone:     26. 02:30  27. 02:30  28. 03:30  29. 03:30  30. 03:30
RECORDED
