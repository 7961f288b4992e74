\echo
\echo '-- the job: every night at three, Paris time'
\set ECHO queries
SELECT ratchet.schedule('segments', '0 3 * * *', 'CALL segment_partners()',
                        time_zone => 'Europe/Paris',
                        timeout   => '10 minutes',
                        comment   => 'customer segment from the rolling 12-month revenue',
                        tags      => '{sales,nightly}') AS job_id;

SELECT next_run, next_run AT TIME ZONE 'Europe/Paris' AS in_paris
  FROM ratchet.next_runs('0 3 * * *', 'Europe/Paris') AS next_run;

SELECT ratchet.describe_schedule('0 3 * * *');
