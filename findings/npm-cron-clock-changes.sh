#!/usr/bin/env bash
# What npm's cron libraries make of a clock change that is not one hour at two in the morning.
#
# With: npm cron 4.4.0 (and luxon 3.7.2), cron-parser 5.10.6 and 4.9.0 (the one of node-schedule 2.1.1), croner 11.0.1,
# cron-schedule 6.0.0.
# All of them have an answer for the hour that is left out in Berlin, and a good guess is that it is the same one for
# Cairo, where the clock goes on from midnight to one and back from midnight to eleven, and for Lord Howe Island, where
# it moves by half an hour. Seen:
#   cron          names 23:00 of the day before for the line "0 0", and 01:45 for "15 2": times that are on no line, in
#                 addition to another one within the hour. A daily job runs twice, the first time too early.
#   cron-parser 4 has no run in Cairo on the day whose midnight is left out, where in Berlin it moves the time.
#   cron-parser 5 has that one. Both have no run on a day on Lord Howe Island in spring, and two in autumn, with both
#                 passes of 01:45, where in Berlin they have one.
#   cron-schedule does not run in the second pass in autumn, not even "every half hour": 90 minutes of rest.
#   croner        is the one that gives the same answer everywhere.
#
# For who schedules: who takes a line from an application into the database gets other times on two days of a year.
# Of a library's answer for one zone nothing follows for another; the table of clock changes in docs/reference.md holds
# for each zone.
. "$(dirname "$0")/laboratory"

behaviour() {
    npm_packages cron@4.4.0 luxon@3.7.2 cron-parser@5.10.6 cron-parser-4@npm:cron-parser@4.9.0 croner@11.0.1 cron-schedule@6.0.0
    cat >"$lab/next.mjs" <<'SCRIPT'
import cron from 'cron'
import four from 'cron-parser-4'
import five from 'cron-parser'
import { Cron } from 'croner'
import { parseCronExpression } from 'cron-schedule'
import { DateTime } from 'luxon'

const next = {
    cron: (line, zone, from) => new cron.CronTime(line, zone).getNextDateFrom(from, zone).toJSDate(),
    'cron-parser 4': (line, tz, currentDate) => four.parseExpression(line, { currentDate, tz }).next().toDate(),
    'cron-parser 5': (line, tz, currentDate) => five.CronExpressionParser.parse(line, { currentDate, tz }).next().toDate(),
    croner: (line, timezone, from) => new Cron(line, { timezone, paused: true }).nextRun(from),
    'cron-schedule': (line, zone, from) => { // knows only the zone of the process
        process.env.TZ = zone
        return parseCronExpression(line).getNextDate(from)
    },
}

function show(what, line, zone, from, count) {
    console.log(`${what}: ${line} ${zone}`)
    for (const [name, find] of Object.entries(next)) {
        const times = []
        let at = new Date(from)
        while (times.length < count) {
            at = find(line, zone, at)
            times.push(DateTime.fromJSDate(at, { zone }).toFormat('d HH:mmZ'))
        }
        console.log(`  ${name.padEnd(13)}  ${times.join('  ')}`)
    }
}

show('spring', '30 2 * * *', 'Europe/Berlin', '2027-03-27T00:00Z', 3)
show('spring', '0 0 * * *', 'Africa/Cairo', '2027-04-28T00:00Z', 3)
show('autumn', '0 0 * * *', 'Africa/Cairo', '2027-10-27T00:00Z', 3)
show('spring', '15 2 * * *', 'Australia/Lord_Howe', '2027-10-01T12:00Z', 3)
show('autumn', '45 1 * * *', 'Australia/Lord_Howe', '2027-04-02T12:00Z', 3)
show('autumn', '30 2 * * *', 'Europe/Berlin', '2027-10-30T12:00Z', 2)
show('autumn', '*/30 * * * *', 'Europe/Berlin', '2027-10-31T00:10Z', 4)
SCRIPT
    (cd "$lab" && TZ=UTC node next.mjs)
}

as_recorded behaviour <<'RECORDED'
cron@4.4.0 luxon@3.7.2 cron-parser@5.10.6 cron-parser-4@npm:cron-parser@4.9.0 croner@11.0.1 cron-schedule@6.0.0 (npm)
spring: 30 2 * * * Europe/Berlin
  cron           27 02:30+1  28 03:00+2  29 02:30+2
  cron-parser 4  27 02:30+1  28 03:30+2  29 02:30+2
  cron-parser 5  27 02:30+1  28 03:30+2  29 02:30+2
  croner         27 02:30+1  28 03:00+2  29 02:30+2
  cron-schedule  27 02:30+1  28 03:30+2  29 02:30+2
spring: 0 0 * * * Africa/Cairo
  cron           29 00:00+2  30 01:00+3  1 00:00+3
  cron-parser 4  29 00:00+2  1 00:00+3  2 00:00+3
  cron-parser 5  29 00:00+2  30 01:00+3  1 00:00+3
  croner         29 00:00+2  30 01:00+3  1 00:00+3
  cron-schedule  29 00:00+2  30 01:00+3  1 00:00+3
autumn: 0 0 * * * Africa/Cairo
  cron           28 00:00+3  28 23:00+2  29 00:00+2
  cron-parser 4  28 00:00+3  29 00:00+2  30 00:00+2
  cron-parser 5  28 00:00+3  29 00:00+2  30 00:00+2
  croner         28 00:00+3  29 00:00+2  30 00:00+2
  cron-schedule  28 00:00+3  29 00:00+2  30 00:00+2
spring: 15 2 * * * Australia/Lord_Howe
  cron           2 02:15+10:30  3 01:45+10:30  3 02:45+11
  cron-parser 4  2 02:15+10:30  4 02:15+11  5 02:15+11
  cron-parser 5  2 02:15+10:30  4 02:15+11  5 02:15+11
  croner         2 02:15+10:30  3 02:30+11  4 02:15+11
  cron-schedule  2 02:15+10:30  3 02:45+11  4 02:15+11
autumn: 45 1 * * * Australia/Lord_Howe
  cron           3 01:45+11  4 01:45+11  5 01:45+10:30
  cron-parser 4  3 01:45+11  4 01:45+11  4 01:45+10:30
  cron-parser 5  3 01:45+11  4 01:45+11  5 01:45+10:30
  croner         3 01:45+11  4 01:45+11  5 01:45+10:30
  cron-schedule  3 01:45+11  4 01:45+11  5 01:45+10:30
autumn: 30 2 * * * Europe/Berlin
  cron           31 02:30+2  1 02:30+1
  cron-parser 4  31 02:30+2  1 02:30+1
  cron-parser 5  31 02:30+2  1 02:30+1
  croner         31 02:30+2  1 02:30+1
  cron-schedule  31 02:30+2  1 02:30+1
autumn: */30 * * * * Europe/Berlin
  cron           31 02:30+2  31 02:00+1  31 02:30+1  31 03:00+1
  cron-parser 4  31 02:30+2  31 02:00+1  31 02:30+1  31 03:00+1
  cron-parser 5  31 02:30+2  31 02:00+1  31 02:30+1  31 03:00+1
  croner         31 02:30+2  31 02:00+1  31 02:30+1  31 03:00+1
  cron-schedule  31 02:30+2  31 03:00+1  31 03:30+1  31 04:00+1
RECORDED
