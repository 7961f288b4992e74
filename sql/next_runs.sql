-- What schedules mean, asked without a job.
SET TIME ZONE 'UTC';
SET datestyle = ISO;

SELECT ratchet.next_runs('0 9 * * MON-FRI', 'Europe/Berlin', 4, '2026-03-26 12:00');
SELECT ratchet.next_runs('0 9 * * MON-FRI', 'europe/berlin', 1, '2026-03-26 12:00');

-- Spring gap and repeated hour: once, at the first valid instant; once, in the first pass.
SELECT next_run, next_run AT TIME ZONE 'Europe/Berlin' AS in_berlin
  FROM ratchet.next_runs('30 2 * * *', 'Europe/Berlin', 3, '2026-03-28 00:00') AS next_run;
SELECT next_run, next_run AT TIME ZONE 'Europe/Berlin' AS in_berlin
  FROM ratchet.next_runs('30 2 * * *', 'Europe/Berlin', 3, '2026-10-24 00:00') AS next_run;

-- Intervals are anchored at "after"; those of days keep the wall clock.
SELECT ratchet.next_runs('90 seconds', count => 3, after => '2026-01-01 00:00:10');
SELECT ratchet.next_runs('1 day', 'Europe/Berlin', 3, '2026-03-27 06:00');
SELECT ratchet.next_runs('1 month', 'UTC', 4, '2026-01-31 10:00');
SELECT ratchet.next_runs('5 minutes after completion', 'UTC', 2, '2026-01-01 00:00');
SELECT ratchet.next_runs('at 2027-01-01 00:00', 'America/New_York');
SELECT ratchet.next_runs('at 2027-01-01', 'America/New_York');
SELECT ratchet.next_runs('@manual');
SELECT ratchet.next_runs('@daily', 'UTC', 0);

-- H depends on the job's name; here it is empty.
SELECT ratchet.next_runs('H H(1-5) * * *', 'UTC', 2, '2026-01-01 00:00');
SELECT job_name, ratchet._occurrences(job_name, 'H H * * *', 'UTC', NULL, NULL, '2026-01-01',
                                      NULL, NULL, '2026-01-01 09:12:59', '2026-01-01 09:13:00', 9) AS at_9_13
  FROM unnest(ARRAY['price orders', 'another']) AS job_name;

-- The defaults: five, in the session's time zone, from now on.
SELECT count(*), min(next_run) > now() AS later FROM ratchet.next_runs('@daily') AS next_run;
SELECT count(*) FROM ratchet.next_runs('* * * * *', 'UTC', 10000) AS next_run;

SELECT ratchet.next_runs('5 * * *');
SELECT ratchet.next_runs('@daily', 'foo');
SELECT ratchet.next_runs('@daily', 'Europe');
SELECT ratchet.next_runs('@daily', '<+05>-05:30');
SELECT ratchet.next_runs('@daily', '../etc/passwd');
-- A zone that may be meant.
SELECT ratchet.next_runs('@daily', 'Europe/Berln');
SELECT ratchet.next_runs('@daily', 'New York');
SELECT ratchet.next_runs('@daily', 'auckland');
SELECT ratchet.next_runs('@daily', 'UTC', -1);
SELECT ratchet.next_runs('@daily', 'UTC', 10001);
SELECT ratchet.next_runs('@daily', 'UTC', 1, 'infinity');
SELECT ratchet.next_runs(NULL);

SELECT schedule, ratchet.describe_schedule(schedule)
  FROM unnest(ARRAY['0 9 * * MON', '*/5 * * * *', '5 minutes', '1 day after completion', '@manual',
                    'at 2027-01-01 00:00', 'at 2027-01-01', 'H * * * *', '@continuous']) AS schedule;
SELECT ratchet.describe_schedule('nonsense');
SELECT ratchet.describe_schedule(NULL) IS NULL AS unknown;

-- iCalendar rules.
SELECT ratchet.next_runs('RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18', 'UTC', 3, '2026-01-01 00:00');
SELECT next_run AT TIME ZONE 'America/New_York' AS in_new_york
  FROM ratchet.next_runs('DTSTART:19970902T090000 RRULE:FREQ=DAILY;COUNT=4 EXDATE:19970904T090000',
                         'America/New_York', 10, '1997-01-01') AS next_run;
SELECT ratchet.next_runs(E'RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU\r\nDTSTART:20260324T023000', 'Europe/Berlin', 3,
                         '2026-03-01');
SELECT ratchet.next_runs('DTSTART:20260101T000000Z RRULE:FREQ=DAILY;UNTIL=20260103', 'Asia/Tokyo', 5, '2025-01-01');
SELECT ratchet.next_runs('DTSTART:20960229T090000 RRULE:FREQ=YEARLY', 'UTC', 2, '2096-03-01');
SELECT ratchet.next_runs('RRULE:FREQ=DAILY;BYMONTH=13');
SELECT ratchet.next_runs('RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30');
SELECT ratchet.next_runs('DTSTART;TZID=Europe/Paris:20260101T000000 RRULE:FREQ=DAILY');
SELECT ratchet.describe_schedule('RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18');
SELECT ratchet.schedule('over', 'DTSTART:20200101T000000 RRULE:FREQ=DAILY;COUNT=3', 'SELECT 1');
