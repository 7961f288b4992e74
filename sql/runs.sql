-- Runs: asked for, waited for, canceled, and what the views say about them.
SET TIME ZONE 'UTC';

-- The messages below name runs.
SELECT setval('ratchet.run_id_seq', 3000);
CREATE TABLE effect (what text);

SELECT ratchet.schedule('works', '@manual', $$INSERT INTO effect VALUES ('worked')$$) IS NOT NULL AS created;
SELECT ratchet.trigger('works') AS run_id \gset
SELECT ratchet.wait(:run_id);
SELECT * FROM effect;
SELECT job_name, cause, status, attempt, scheduled_at = queued_at AS at_once, started_at >= queued_at AS started,
       duration = finished_at - started_at AS took, rows_affected, error, worker_pid IS NOT NULL AS pid,
       node IS NOT NULL AS node, payload, dry_run, version, owner = current_user::regrole AS own
  FROM ratchet.runs WHERE run_id = :run_id;

-- Where the job stands is up to date as soon as wait() returns.
SELECT last_status, last_run_id = :run_id AS last_run, consecutive_failures, running, next_run_at,
       last_success_at IS NOT NULL AS success
  FROM ratchet.jobs WHERE job_name = 'works';
SELECT color, why, runs_24h, failures_24h FROM ratchet.job_health WHERE job_name = 'works';
SELECT runs, succeeded, failures, rows_affected FROM ratchet.stat_jobs WHERE job_name = 'works';

-- Without a snapshot.
SELECT ratchet.trigger('works') AS run_id \gset
CALL ratchet.wait_for(:run_id);
CALL ratchet.wait_for(run_id => :run_id, timeout => '1 s');
BEGIN;
CALL ratchet.wait_for(:run_id);
ROLLBACK;

-- A paused job runs when it is asked to.
SELECT ratchet.pause_job('works');
SELECT ratchet.wait(ratchet.trigger('works'));
SELECT ratchet.trigger('works') AS run_id \gset
SELECT ratchet.wait(:run_id);
SELECT color, why FROM ratchet.job_health WHERE job_name = 'works';
SELECT ratchet.resume_job('works');

-- A run's payload is the same while it waits and when it has ended, also when the job has another one by now.
SELECT ratchet.schedule('pays', '@manual', 'SELECT ratchet.payload()', payload => '{"of": "the job"}') IS NOT NULL AS created;
BEGIN;
SELECT ratchet.trigger('pays') AS run_id, ratchet.trigger('pays', '{"of": "the run"}') AS own_id \gset
SELECT status, payload FROM ratchet.runs WHERE run_id IN (:run_id, :own_id) ORDER BY run_id;
COMMIT;
SELECT ratchet.wait(:run_id), ratchet.wait(:own_id);
SET client_min_messages = warning; -- its notice has the number of the run
CALL ratchet.run('pays');
RESET client_min_messages;
SELECT ratchet.alter_job('pays', payload => '{"of": "the job today"}');
SELECT ratchet.replay(:run_id) AS again_id \gset
SELECT ratchet.wait(:again_id);
SELECT cause, status, payload, result FROM ratchet.runs WHERE job_name = 'pays' ORDER BY run_id;
SELECT ratchet.unschedule('pays');

-- Failure.
SELECT ratchet.schedule('fails', '@manual', 'SELECT 1 / 0') IS NOT NULL AS created;
SELECT color, why FROM ratchet.job_health WHERE job_name = 'fails';
SELECT ratchet.trigger('fails') AS run_id \gset
SELECT ratchet.wait(:run_id);
SELECT status, sqlstate, error, rows_affected FROM ratchet.runs WHERE run_id = :run_id;
SELECT last_status, consecutive_failures FROM ratchet.jobs WHERE job_name = 'fails';
SELECT color, why FROM ratchet.job_health WHERE job_name = 'fails';
SELECT ratchet.trigger('fails') AS run_id \gset
SELECT ratchet.wait(:run_id);
SELECT color, why FROM ratchet.job_health WHERE job_name = 'fails';

-- Later runs wait, and are shared when they ask for the same.
SELECT ratchet.trigger('works', '{"a": 1}', 'tomorrow') AS run_id \gset
SELECT ratchet.trigger('works', '{"a": 1}', 'tomorrow') = :run_id AS shared,
       ratchet.trigger('works', '{"a": 2}', 'tomorrow') = :run_id AS other_payload,
       ratchet.trigger('works', '{"a": 1}', 'tomorrow 01:00') = :run_id AS other_time,
       ratchet.trigger('works', '{"a": 1}', 'tomorrow', "coalesce" => false) = :run_id AS not_wanted;
SELECT cause, status, payload, scheduled_at = 'tomorrow' AS tomorrow, started_at, duration, worker_pid
  FROM ratchet.runs WHERE job_name = 'works' AND status = 'queued' ORDER BY run_id;
SELECT ratchet.wait(:run_id, '0'), ratchet.wait(:run_id, '50 ms');

-- Canceled while it waits: in the transaction, like everything.
BEGIN;
SELECT ratchet.cancel(:run_id);
SELECT ratchet.wait(:run_id);
ROLLBACK;
SELECT ratchet.wait(:run_id, '0');
SELECT ratchet.cancel(:run_id);
SELECT ratchet.wait(:run_id, '0'), ratchet.cancel(:run_id);
SELECT status, replace(reason, current_user, 'me') AS reason, started_at, error FROM ratchet.runs WHERE run_id = :run_id;

-- An unscheduled job's waiting runs end; what was recorded stays.
SELECT ratchet.unschedule('works');
DO $$ BEGIN
    WHILE EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'works' AND status = 'queued') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT status, replace(reason, current_user, 'me') AS reason, count(*) FROM ratchet.runs WHERE job_name = 'works' GROUP BY 1, 2 ORDER BY 1, 2;

-- Canceled while it runs.
SELECT ratchet.schedule('sleeps', '@manual', 'SELECT pg_sleep(3600)') IS NOT NULL AS created;
SELECT ratchet.trigger('sleeps') AS run_id \gset
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM ratchet.running WHERE job_name = 'sleeps') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT ratchet.wait(:run_id, '0');
SELECT run_id = :run_id AS this_run, pid IS NOT NULL AS pid, cause, attempt, elapsed > '0' AS elapsed,
       items_done, cancel_asked
  FROM ratchet.running WHERE job_name = 'sleeps';
SELECT status, duration > '0' AS runs, worker_pid IS NOT NULL AS pid, node IS NOT NULL AS node
  FROM ratchet.runs WHERE run_id = :run_id;
SELECT running FROM ratchet.jobs WHERE job_name = 'sleeps';
BEGIN;
SELECT ratchet.cancel(:run_id);
ROLLBACK;
SELECT ratchet.wait(:run_id, '50 ms');
SELECT ratchet.cancel(:run_id);
SELECT ratchet.wait(:run_id);
SELECT status, sqlstate, error FROM ratchet.runs WHERE run_id = :run_id;
SELECT color, why FROM ratchet.job_health WHERE job_name = 'sleeps';

-- A run of the own transaction cannot start before it commits.
BEGIN;
SELECT ratchet.trigger('sleeps') AS run_id \gset
SAVEPOINT s;
SELECT ratchet.wait(:run_id);
ROLLBACK TO s;
SELECT ratchet.cancel(:run_id);
SELECT ratchet.wait(:run_id);
ROLLBACK;
SELECT ratchet.wait(:run_id);
SELECT ratchet.cancel(:run_id);

-- wait() sees what has committed since, whatever its snapshot.
SELECT ratchet.trigger('fails') AS run_id \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) >= 0 AS snapshot FROM ratchet.runs;
SELECT ratchet.wait(:run_id);
COMMIT;

SELECT ratchet.trigger('no such job');
SELECT ratchet.trigger('fails', run_at => 'infinity');
SELECT ratchet.trigger(NULL);
SELECT ratchet.wait(NULL);
SELECT ratchet.wait(:run_id, '-1 s');
SELECT ratchet.wait(-1);
SELECT ratchet.cancel(NULL);

-- By the name of the job: the run that is under way, and then the last one.
SELECT ratchet.schedule('waits', '@manual', 'SELECT pg_sleep(600)', overlap => 'allow') \g /dev/null
SELECT ratchet.wait('waits');
SELECT ratchet.cancel('waits');
SELECT ratchet.trigger('waits', '1') \g /dev/null
SELECT ratchet.trigger('waits', '2', run_at => now() + interval '1 day') \g /dev/null
SELECT ratchet.wait('waits', '0');
SELECT ratchet.cancel('waits');
SELECT ratchet.wait('waits');
CALL ratchet.wait_for('waits');
SELECT ratchet.cancel('waits');
SELECT count(*), min(status), max(status) FROM ratchet.runs WHERE job_name = 'waits';
SELECT ratchet.wait('wait');
SELECT ratchet.cancel('wait');
SELECT ratchet.cancel('4711');
SELECT ratchet.cancel(job_name => NULL);
SELECT ratchet.unschedule('waits');

SELECT ratchet.unschedule('fails'), ratchet.unschedule('sleeps');
DROP TABLE effect;
