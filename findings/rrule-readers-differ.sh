#!/usr/bin/env bash
# One iCalendar rule, five libraries, other days: libical and ical.js go wrong where the rule's table is clear.
#
# With: libical 3.0.16 (Debian libical3), npm ical.js 2.2.1, rrule 2.8.1 and rrule-temporal 2.2.8, dateutil 2.8.2
# (Debian python3-dateutil).
# The first date fits each rule, and each reading that differs contradicts the table of BY… parts in RFC 5545, 3.3.10.
#   BYSETPOS      is left aside by libical and ical.js in weekly rules, where "the last of Monday, Wednesday, Friday"
#                 becomes all three; in monthly ones with BYHOUR the set is that of each hour, or of something else.
#   BYMONTHDAY    that names a day twice (31 and -1) leaves libical with the last of February, once a year.
#   YEARLY with BYMONTHDAY and no month means every month; libical and ical.js know only that of the first date,
#                 libical also for Friday the 13th.
#   INTERVAL      is kept in 16 bits by libical: once in 86 400 seconds comes three times on the first day.
#   week numbers  and the n-th weekday of a year: ical.js takes every Monday, for two examples of the RFC itself.
#   rrule         loses the count over a night: every 45 minutes from 9 to 11 begins at 9:15 on the second day.
# Another valid rule, with a daily frequency, has ical.js search for ever: it is not in this file.
#
# For who schedules: the calendar program that made a rule may show other days than those on which a job runs.
# ratchet.next_runs() says which these are.
. "$(dirname "$0")/laboratory"

behaviour() {
    debian libical3 3.0.16-1+b1
    debian python3-dateutil 2.8.2-2
    debian python3-six 1.16.0-4
    npm_packages ical.js@2.2.1 rrule@2.8.1 rrule-temporal@2.2.8
    cat >"$lab/rules" <<'RULES'
20270108T090000Z FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1
20270129T090000Z FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17;BYSETPOS=-2
20270131T090000Z FREQ=MONTHLY;BYMONTHDAY=30,31,-1;BYSETPOS=-1
20280229T090000Z FREQ=YEARLY;BYMONTHDAY=29
20270813T090000Z FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR
20270101T090000Z FREQ=SECONDLY;INTERVAL=86400
19970512T090000Z FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO
19970519T090000Z FREQ=YEARLY;BYDAY=20MO
20270104T090000Z FREQ=MINUTELY;INTERVAL=45;BYHOUR=9,10
RULES
    cat >"$lab/read.py" <<'SCRIPT'
import calendar, ctypes, datetime, glob, itertools, sys
lab = sys.argv[1]
sys.path.insert(0, lab + "/debian/usr/lib/python3/dist-packages")
from dateutil.rrule import rrulestr
libical = ctypes.CDLL(glob.glob(lab + "/debian/usr/lib/*/libical.so.3")[0])

for line in open(lab + "/rules"):
    start, rule = line.split()
    first = datetime.datetime.strptime(start, "%Y%m%dT%H%M%SZ")
    times = itertools.islice(rrulestr(rule, dtstart=first), 4)
    print(rule, "dateutil", *(t.strftime("%Y-%m-%dT%H:%M") for t in times))
    found = (ctypes.c_long * 4)()
    libical.icalrecur_expand_recurrence(rule.encode(), ctypes.c_long(calendar.timegm(first.timetuple())), 4, found)
    epoch = datetime.datetime(1970, 1, 1)
    print(rule, "libical", *((epoch + datetime.timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M") for s in found if s))
SCRIPT
    cat >"$lab/read.mjs" <<'SCRIPT'
import { readFileSync } from 'fs'
import ICAL from 'ical.js'
import rrule from 'rrule'
import { RRuleTemporal } from 'rrule-temporal'

const minutes = date => date.toISOString().slice(0, 16)
for (const line of readFileSync('rules', 'utf8').trim().split('\n')) {
    const [start, rule] = line.split(' ')
    const text = `DTSTART:${start}\nRRULE:${rule};COUNT=4`
    const first = ICAL.Time.fromDateTimeString(start.replace(/(....)(..)(..)T(..)(..)(..)/, '$1-$2-$3T$4:$5:$6'))
    const each = ICAL.Recur.fromString(rule).iterator(first)
    console.log(rule, 'ical.js', [1, 2, 3, 4].map(() => minutes(each.next().toJSDate())).join(' '))
    console.log(rule, 'rrule', rrule.rrulestr(text).all().map(minutes).join(' '))
    const times = new RRuleTemporal({ rruleString: text }).all().map(t => new Date(t.epochMilliseconds))
    console.log(rule, 'rrule-temporal', times.map(minutes).join(' '))
}
SCRIPT
    python3 "$lab/read.py" "$lab" >"$lab/readings"
    (cd "$lab" && TZ=UTC node read.mjs) >>"$lab/readings"
    # By rule, libraries that agree on one line.
    awk '
        !($1 in seen) { seen[$1] = 1; rules[++count] = $1 }
        {
            reading = $3 " " $4 " " $5 " " $6
            if (!(($1, reading) in who)) { who[$1, reading] = $2; readings[$1, ++n[$1]] = reading }
            else who[$1, reading] = who[$1, reading] ", " $2
        }
        END {
            for (i = 1; i <= count; i++) {
                print rules[i]
                for (j = 1; j <= n[rules[i]]; j++)
                    printf "  %s  %s\n", readings[rules[i], j], who[rules[i], readings[rules[i], j]]
            }
        }' "$lab/readings"
}

as_recorded behaviour <<'RECORDED'
libical3 3.0.16-1+b1 (Debian 12)
python3-dateutil 2.8.2-2 (Debian 12)
python3-six 1.16.0-4 (Debian 12)
ical.js@2.2.1 rrule@2.8.1 rrule-temporal@2.2.8 (npm)
FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1
  2027-01-08T09:00 2027-01-15T09:00 2027-01-22T09:00 2027-01-29T09:00  dateutil, rrule, rrule-temporal
  2027-01-08T09:00 2027-01-11T09:00 2027-01-13T09:00 2027-01-15T09:00  libical, ical.js
FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17;BYSETPOS=-2
  2027-01-29T09:00 2027-02-26T09:00 2027-03-31T09:00 2027-04-30T09:00  dateutil, rrule, rrule-temporal
  2027-02-25T09:00 2027-02-25T17:00 2027-03-30T09:00 2027-03-30T17:00  libical
  2027-02-01T17:00 2027-02-25T09:00 2027-02-25T17:00 2027-03-01T17:00  ical.js
FREQ=MONTHLY;BYMONTHDAY=30,31,-1;BYSETPOS=-1
  2027-01-31T09:00 2027-02-28T09:00 2027-03-31T09:00 2027-04-30T09:00  dateutil, rrule, rrule-temporal
  2027-02-28T09:00 2028-02-29T09:00 2029-02-28T09:00 2030-02-28T09:00  libical
  2027-01-31T09:00 2027-02-28T09:00 2027-03-30T09:00 2027-03-31T09:00  ical.js
FREQ=YEARLY;BYMONTHDAY=29
  2028-02-29T09:00 2028-03-29T09:00 2028-04-29T09:00 2028-05-29T09:00  dateutil, rrule, rrule-temporal
  2028-02-29T09:00 2032-02-29T09:00 2036-02-29T09:00 2040-02-29T09:00  libical, ical.js
FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR
  2027-08-13T09:00 2028-10-13T09:00 2029-04-13T09:00 2029-07-13T09:00  dateutil, ical.js, rrule, rrule-temporal
  2027-08-13T09:00 2032-08-13T09:00 2038-08-13T09:00 2049-08-13T09:00  libical
FREQ=SECONDLY;INTERVAL=86400
  2027-01-01T09:00 2027-01-02T09:00 2027-01-03T09:00 2027-01-04T09:00  dateutil, ical.js, rrule, rrule-temporal
  2027-01-01T09:00 2027-01-01T14:47 2027-01-01T20:35 2027-01-02T02:23  libical
FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO
  1997-05-12T09:00 1998-05-11T09:00 1999-05-17T09:00 2000-05-15T09:00  dateutil, libical, rrule, rrule-temporal
  1997-05-19T09:00 1997-05-26T09:00 1997-06-02T09:00 1997-06-09T09:00  ical.js
FREQ=YEARLY;BYDAY=20MO
  1997-05-19T09:00 1998-05-18T09:00 1999-05-17T09:00 2000-05-15T09:00  dateutil, libical, rrule, rrule-temporal
  1997-05-19T09:00 1997-05-26T09:00 1997-06-02T09:00 1997-06-09T09:00  ical.js
FREQ=MINUTELY;INTERVAL=45;BYHOUR=9,10
  2027-01-04T09:00 2027-01-04T09:45 2027-01-04T10:30 2027-01-05T09:00  dateutil, libical, ical.js, rrule-temporal
  2027-01-04T09:00 2027-01-04T09:45 2027-01-04T10:30 2027-01-05T09:15  rrule
RECORDED
