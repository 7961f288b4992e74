\echo
\echo '-- the job: every night at three, Paris time; each 200 partners are a transaction; it rests for a fifth of the time'
\set ECHO queries
SELECT ratchet.schedule_batch('segments', '0 3 * * *',
                              source      => 'SELECT partner_id FROM partner',
                              action      => 'SELECT segment_partner($1)',
                              batch_size  => 200,
                              pause_ratio => 0.2,
                              time_zone   => 'Europe/Paris',
                              timeout     => '10 minutes',
                              comment     => 'customer segment from the rolling 12-month revenue',
                              tags        => '{sales,nightly}') AS job_id;

SELECT next_run, next_run AT TIME ZONE 'Europe/Paris' AS in_paris
  FROM ratchet.next_runs('0 3 * * *', 'Europe/Paris', 2) AS next_run;

SELECT ratchet.describe_schedule('0 3 * * *');
