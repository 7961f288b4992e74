#!/usr/bin/env bash
# A timer of systemd with OnCalendar=hourly rests for two hours in autumn, and a nightly one for a day in spring.
#
# With: systemd 252 (252.39-1~deb12u2, Debian 12).
# hourly is "*-*-* *:00:00", and so runs at each full hour, a good guess has it; the manual's systemd.time says nothing
# of clock changes. In a zone with summer time, once a year nothing happens for two hours: the second pass of the
# repeated hour is never named, whatever the expression, every minute as well. In spring, a time that is left out is not
# made up for: there is no run at 02:30 in Berlin on that day, where Debian's cron and cronie start such a line at 03:00,
# and none for "daily" in Cairo, whose clock goes on from midnight to one.
#
# For who schedules: with a zone in the expression, or on a machine whose zone has summer time, a timer is neither
# "each hour" nor "each day". A cron line that became a timer lost what cron does on these two days.
. "$(dirname "$0")/laboratory"

behaviour() {
    debian systemd 252.39-1~deb12u2
    debian libsystemd-shared 252.39-1~deb12u2
    local name
    for name in libapparmor1 libip4tc2 libkmod2 libseccomp2 libmount1 libaudit1 libcap-ng0; do debian "$name" >/dev/null; done
    calendar 'autumn: hourly' '2027-10-30 22:30' 4 'hourly Europe/Berlin'
    calendar 'autumn: each 20 minutes' '2027-10-31 00:15' 4 '*:00/20 Europe/Berlin'
    calendar 'spring: 02:30 each day' '2027-03-27 00:00' 3 '*-*-* 02:30 Europe/Berlin'
    calendar 'spring: each two hours' '2027-03-27 22:30' 3 '0/2:00 Europe/Berlin'
    calendar 'spring, Cairo: daily' '2027-04-28 12:00' 3 'daily Africa/Cairo'
}

calendar() { # what, from (UTC), times, expression
    local libraries=$lab/debian/usr/lib/x86_64-linux-gnu
    echo "$1"
    TZ=UTC LC_ALL=C.UTF-8 LD_LIBRARY_PATH=$libraries/systemd:$libraries:$lab/debian/lib/x86_64-linux-gnu \
        "$lab/debian/usr/bin/systemd-analyze" calendar --base-time="$2 UTC" --iterations="$3" "$4" |
        sed -nE 's/^ *(Next elapse|Iter\. #[0-9]+): [A-Z][a-z]+ (.* UTC)$/  \2/p'
}

as_recorded behaviour <<'RECORDED'
systemd 252.39-1~deb12u2 (Debian 12)
libsystemd-shared 252.39-1~deb12u2 (Debian 12)
autumn: hourly
  2027-10-30 23:00:00 UTC
  2027-10-31 00:00:00 UTC
  2027-10-31 02:00:00 UTC
  2027-10-31 03:00:00 UTC
autumn: each 20 minutes
  2027-10-31 00:20:00 UTC
  2027-10-31 00:40:00 UTC
  2027-10-31 02:00:00 UTC
  2027-10-31 02:20:00 UTC
spring: 02:30 each day
  2027-03-27 01:30:00 UTC
  2027-03-29 00:30:00 UTC
  2027-03-30 00:30:00 UTC
spring: each two hours
  2027-03-27 23:00:00 UTC
  2027-03-28 02:00:00 UTC
  2027-03-28 04:00:00 UTC
spring, Cairo: daily
  2027-04-28 22:00:00 UTC
  2027-04-30 21:00:00 UTC
  2027-05-01 21:00:00 UTC
RECORDED
