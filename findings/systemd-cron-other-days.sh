#!/usr/bin/env bash
# systemd-cron makes "every day" of a cron line for Friday to Sunday, and a day of rest of every ten days.
#
# With: systemd-cron 1.15.19 (1.15.19-5, Debian 12), whose generator turns crontabs and anacrontab into timers.
# It stands in for cron ("Provides: cron-daemon"), so that a good guess is: the same times. Seen for valid lines:
#   5-7 as the weekday   Friday to Sunday, as 7 is Sunday in crontab(5). There is a complaint in the log of the boot, and
#                        a timer without a weekday, which runs each day. 6-7 as well; "5,6,7" is right.
#   1,15 and Monday      cron runs on the 1st, the 15th and each Monday; the timer only where both fall together.
#   anacron, 10 days     days 1, 11, 21, 31, and 1 again: after the 31st the next run is a day later.
#   anacron, 45 days     ends the generator with an error of Python. The crontabs of users are read after it: none of
#                        them has a timer then.
# The generator is run here with its folders moved into the temporary one.
#
# For who schedules: what a machine with systemd-cron has run is not what its crontab says in the words of cron.
. "$(dirname "$0")/laboratory"

generate() {
    rm -rf "$lab/timers"
    mkdir "$lab/timers"
    python3 -W ignore "$lab/generator" "$lab/timers" 2>&1 | sed "s#$lab##g" | grep -E 'garbled|Error' || true
}

# Description and OnCalendar of each timer. Blanks around the value are not part of it, by systemd.syntax(7).
timers() {
    local timer
    for timer in "$lab"/timers/*.timer; do
        sed -nE 's/^Description=\[Timer\] "(.*)"$/\1/p; s/^OnCalendar= */  /p' "$timer" | paste -sd' '
    done | sort
}

behaviour() {
    debian systemd-cron 1.15.19-5
    mkdir -p "$lab/etc" "$lab/run/systemd" "$lab/var/spool/cron/crontabs"
    sed "s#'/etc/#'$lab/etc/#g; s#'/run/#'$lab/run/#g; s#'/var/spool/#'$lab/var/spool/#g" \
        "$lab/debian/lib/systemd/system-generators/systemd-crontab-generator" >"$lab/generator"
    cat >"$lab/etc/crontab" <<'CRONTAB'
0 9 * * 5-7 root echo friday to sunday
0 9 * * 6-7 root echo saturday and sunday
0 9 * * 5,6,7 root echo friday, saturday, sunday
0 9 1,15 * 1 root echo first, fifteenth, mondays
CRONTAB
    echo '30 5 * * * echo nightly' >"$lab/var/spool/cron/crontabs/nobody"
    echo '10 5 tidy echo every ten days' >"$lab/etc/anacrontab"
    generate
    timers
    echo 'with a period of 45 days:'
    echo '45 5 tidy echo every 45 days' >"$lab/etc/anacrontab"
    generate
    timers
}

as_recorded behaviour <<'RECORDED'
systemd-cron 1.15.19-5 (Debian 12)
generator: garbled time in /etc/crontab [0 9 * * 5-7 root echo friday to sunday]: 5-7
generator: garbled time in /etc/crontab [0 9 * * 6-7 root echo saturday and sunday]: 6-7
0 9 * * 5,6,7 root echo friday, saturday, sunday   Sun,Fri,Sat *-*-* 9:0:00
0 9 * * 5-7 root echo friday to sunday   *-*-* 9:0:00
0 9 * * 6-7 root echo saturday and sunday   *-*-* 9:0:00
0 9 1,15 * 1 root echo first, fifteenth, mondays   Mon *-*-1,15 9:0:00
10 5 tidy echo every ten days   *-*-1/10 0:5:0
30 5 * * * echo nightly   *-*-* 5:30:00
with a period of 45 days:
generator: garbled time in /etc/crontab [0 9 * * 5-7 root echo friday to sunday]: 5-7
generator: garbled time in /etc/crontab [0 9 * * 6-7 root echo saturday and sunday]: 6-7
TypeError: unsupported operand type(s) for /: 'str' and 'int'
0 9 * * 5,6,7 root echo friday, saturday, sunday   Sun,Fri,Sat *-*-* 9:0:00
0 9 * * 5-7 root echo friday to sunday   *-*-* 9:0:00
0 9 * * 6-7 root echo saturday and sunday   *-*-* 9:0:00
0 9 1,15 * 1 root echo first, fifteenth, mondays   Mon *-*-1,15 9:0:00
RECORDED
