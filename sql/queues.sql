-- Defining queues, and putting tasks into them.
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
-- The messages below name tasks.
SELECT setval('ratchet.task_id_seq', 2000);
CREATE ROLE ratchet_shop LOGIN;
CREATE ROLE ratchet_web LOGIN;
CREATE ROLE ratchet_robot LOGIN;
CREATE ROLE ratchet_other LOGIN;
GRANT USAGE ON SCHEMA ratchet TO ratchet_shop, ratchet_web, ratchet_robot, ratchet_other;
CREATE SCHEMA AUTHORIZATION ratchet_shop;
SET SESSION AUTHORIZATION ratchet_shop;
CREATE TABLE ratchet_shop.mail (task bigint, recipient text);

-- A queue, and what it is by default.
SELECT ratchet.create_queue('mail', 'INSERT INTO ratchet_shop.mail VALUES ($2, $1->>''to'')') AS mail \gset
SELECT queue_name, owner, handler, per, batch_size, concurrency, rate, rate_period, max_attempts, max_crashes,
       retention, keep_dead, lease, producers, consumers, synchronous, paused
  FROM ratchet.queues \gx
-- The same name again is the same queue.
SELECT ratchet.create_queue('mail', 'INSERT INTO ratchet_shop.mail VALUES ($2, $1->>''to'')', rate => 100) = :mail AS same;
SELECT queue_name, rate FROM ratchet.queues;
-- Without a handler there are consumers only.
SELECT ratchet.create_queue('print', comment => 'labels') > 0 AS created;
SELECT queue_name, handler, comment FROM ratchet.queues WHERE handler IS NULL;

-- Every option, and back.
SELECT ratchet.alter_queue('mail', per => 'batch', handler => 'SELECT count(*) FROM unnest($1, $2)', batch_size => 50, batch_target => '1 second',
    timeout => '10 seconds', concurrency => 2, concurrency_per_key => 1, rate => 10, rate_period => '1 minute', rate_per_key => true,
    max_attempts => 3, backoff => '1 second', backoff_factor => 3, backoff_cap => '1 minute', backoff_jitter => 0.5, max_crashes => 2,
    retention => '1 day', keep_dead => '7 days', lease => '5 minutes', producers => '{ratchet_web}', consumers => '{ratchet_robot,ratchet_robot}',
    synchronous => false, priority => 5, active_window => 'Mon-Fri 08:00-18:00', time_zone => 'Europe/Berlin', mutex => 'm',
    environments => '{production}', settings => '{"work_mem": "8MB"}', keep_history => '1 day', comment => 'c', tags => '{t}');
SELECT * FROM (SELECT jsonb_each(to_jsonb(q) - '{queue_id,created_at,changed_at,color,why,ready,scheduled,blocked,running,dead,oldest_ready_age,rate_in,rate_out,failure_ratio,waits_for,enqueued,completed,failed,counted_since}'::text[]) FROM ratchet.queues q WHERE queue_name = 'mail') AS all_of_it;
SELECT ratchet.alter_queue('mail', handler => 'SELECT $1', reset => '{per,batch_size,batch_target,timeout,concurrency,concurrency_per_key,rate,rate_period,rate_per_key,max_attempts,backoff,backoff_factor,backoff_cap,backoff_jitter,max_crashes,retention,keep_dead,lease,producers,consumers,synchronous,priority,active_window,mutex,environments,settings,keep_history,comment,tags}');
SELECT rate, max_attempts, max_crashes, producers, consumers, synchronous, mutex, comment FROM ratchet.queues WHERE queue_name = 'mail';

-- What is refused.
SELECT ratchet.create_queue(NULL);
SELECT ratchet.create_queue('');
SELECT ratchet.create_queue(repeat('x', 250));
SELECT ratchet.create_queue('q', '');
SELECT ratchet.create_queue('q', 'SELECT 1; SELECT 2');
SELECT ratchet.create_queue('q', 'COMMIT');
SELECT ratchet.create_queue('q', 'VACUUM');
SELECT ratchet.create_queue('q', 'SET work_mem = ''1MB''');
SELECT ratchet.create_queue('q', 'SELECT $3');
SELECT ratchet.create_queue('q', 'SELECT * FROM nowhere WHERE id = $1');
SELECT ratchet.create_queue('q', 'SELECT $1 + 1');
SELECT ratchet.create_queue('q', 'SELEC $1');
SELECT ratchet.create_queue('q', 'SELECT $1', per => 'row');
SELECT ratchet.create_queue('q', 'SELECT $1', rate => -1);
SELECT ratchet.create_queue('q', 'SELECT $1', rate => 0);
SELECT ratchet.create_queue('q', 'SELECT $1', rate_period => '-1 second');
SELECT ratchet.create_queue('q', 'SELECT $1', concurrency => 0);
SELECT ratchet.create_queue('q', 'SELECT $1', lease => '0');
SELECT ratchet.create_queue('q', 'SELECT $1', max_crashes => 0);
SELECT ratchet.create_queue('q', 'SELECT $1', retention => '-1 day');
SELECT ratchet.create_queue('q', 'SELECT $1', producers => ARRAY[NULL]::regrole[]);
SELECT ratchet.create_queue('q', 'SELECT $1', producers => '{4294967295}');
SELECT ratchet.create_queue('q', 'SELECT $1', run_as => 'ratchet_other');
SELECT ratchet.create_queue('q', 'SELECT $1', settings => '{"log_statement": "all"}');
SELECT ratchet.alter_queue('mail', reset => '{nothing}');
SELECT ratchet.alter_queue('mail', rate => 1, reset => '{rate}');
SELECT ratchet.alter_queue('mail', handler => 'SELECT $1', reset => '{handler}');
SELECT ratchet.alter_queue('mial', rate => 1);
SELECT ratchet.alter_queue('mail', new_name => 'print');
SET client_min_messages = notice;
SELECT ratchet.create_queue('q', 'SELECT 1') > 0 AS created;
SET client_min_messages = warning;
SELECT ratchet.drop_queue('q');

-- Not a job: functions on jobs do not see it, and neither do the views.
SELECT count(*) FROM ratchet.jobs;
SELECT count(*) FROM ratchet.job_health;
SELECT ratchet.trigger('queue mail');
SELECT ratchet.alter_job('queue mail', enabled => false);
SELECT ratchet.pause_job('queue mail');
SELECT ratchet.unschedule('queue mail');
SELECT ratchet.unschedule('queue mail', if_exists => true);
SELECT ratchet.schedule('queue mail', '@manual', 'SELECT 1');
SELECT ratchet.schedule('child', '@manual', 'SELECT 1', depends_on => '{queue mail}');
CALL ratchet.run('queue mail');
-- Nor can a queue take the name of a job.
SELECT ratchet.schedule('queue post', '@manual', 'SELECT 1') > 0 AS scheduled;
SELECT ratchet.create_queue('post');
SELECT ratchet.alter_queue('mail', new_name => 'post');
SELECT ratchet.unschedule('queue post');

-- Another name.
SELECT ratchet.alter_queue('mail', new_name => 'post');
SELECT queue_name, queue_id = :mail AS same FROM ratchet.queues ORDER BY 1;
SELECT ratchet.alter_queue('post', new_name => 'mail');

-- Tasks. The queue is paused, so that they stay.
SELECT ratchet.pause_queue('mail');
SELECT paused FROM ratchet.queues WHERE queue_name = 'mail';
SELECT ratchet.enqueue('mail', '{"to": "ann"}') AS ann \gset
SELECT ratchet.enqueue('mail', '{"to": "bob"}', delay => '1 hour', priority => 3, unique_key => 'bob', ordering_key => 'o', group_key => 'g',
    expires_at => now() + interval '1 day') AS bob \gset
SELECT ratchet.enqueue('mail') AS empty \gset
SELECT state, payload, priority, unique_key, ordering_key, group_key, attempts, crashes, run_at > now() + interval '59 minutes' AS later,
       expires_at > now() AS expires, enqueued_by FROM ratchet.tasks WHERE queue_name = 'mail' ORDER BY task_id;
SELECT :ann < :bob AND :bob < :empty AS in_order;
-- In one transaction with what else it does.
BEGIN;
SELECT ratchet.enqueue('mail', '{"to": "nobody"}') > 0 AS enqueued;
ROLLBACK;
SELECT count(*) FROM ratchet.tasks WHERE payload->>'to' = 'nobody';

-- The same key again.
SELECT ratchet.enqueue('mail', '{"to": "bobby"}', unique_key => 'bob') = :bob AS skipped;
SELECT ratchet.enqueue('mail', '{"to": "bobby"}', unique_key => 'bob', on_conflict => 'skip') = :bob AS skipped;
SELECT ratchet.enqueue('mail', '{"to": "bobby"}', unique_key => 'bob', on_conflict => 'raise');
SELECT ratchet.enqueue('mail', '{"to": "robert"}', unique_key => 'bob', on_conflict => 'replace', priority => 1) = :bob AS replaced;
SELECT task_id = :bob AS same, payload, priority, ordering_key, group_key, run_at, expires_at FROM ratchet.tasks WHERE unique_key = 'bob';
SELECT ratchet.enqueue('print', '{"to": "bob"}', unique_key => 'bob') <> :bob AS in_another_queue;
-- Within a transaction, and after a savepoint.
BEGIN;
SELECT ratchet.enqueue('mail', '1', unique_key => 'once') AS once \gset
SELECT ratchet.enqueue('mail', '2', unique_key => 'once') = :once AS skipped;
SAVEPOINT s;
SELECT ratchet.enqueue('mail', '3', unique_key => 'twice') AS twice \gset
ROLLBACK TO s;
SELECT ratchet.enqueue('mail', '4', unique_key => 'twice') > :twice AS anew;
COMMIT;

-- Many at once.
SELECT ratchet.enqueue_many('mail', ARRAY[]::jsonb[]);
SELECT ratchet.enqueue_many('mail', (SELECT array_agg(to_jsonb(i)) FROM generate_series(1, 1000) i), priority => 9);
SELECT count(*), count(DISTINCT task_id) FROM ratchet.tasks WHERE priority = 9;
SELECT bool_and(ordered) FROM (SELECT payload::int = row_number() OVER (ORDER BY task_id) AS ordered FROM ratchet.tasks WHERE priority = 9) AS numbers;
SELECT ratchet.enqueue_many('mail', '{1,2,3,4}', unique_keys => '{k1,k1,bob,NULL}', ordering_keys => '{a,b,NULL,c}', group_keys => '{g,g,g,NULL}', priority => 8);
SELECT payload, unique_key, ordering_key, group_key FROM ratchet.tasks WHERE priority = 8 ORDER BY task_id;
SELECT ratchet.enqueue_many('mail', '{5,6}', unique_keys => '{k1,k1}', on_conflict => 'replace', priority => 8);
SELECT payload, unique_key, ordering_key FROM ratchet.tasks WHERE unique_key = 'k1';
SELECT ratchet.enqueue_many('mail', '{7,8}', unique_keys => '{new,k1}', on_conflict => 'raise');
SELECT count(*) AS half FROM ratchet.tasks WHERE unique_key = 'new';

-- What is refused.
SELECT ratchet.enqueue('mial', '1');
SELECT ratchet.enqueue('something else', '1');
SELECT ratchet.enqueue(NULL, '1');
SELECT ratchet.enqueue('mail', to_jsonb(repeat('x', 1100000)));
SELECT ratchet.enqueue('mail', '1', unique_key => '');
SELECT ratchet.enqueue('mail', '1', unique_key => repeat('k', 1001));
SELECT ratchet.enqueue('mail', '1', ordering_key => repeat('k', 1001));
SELECT ratchet.enqueue('mail', '1', group_key => repeat('k', 1001));
SELECT ratchet.enqueue('mail', '1', unique_key => repeat('k', 1000)) > 0 AS just_fits;
SELECT ratchet.enqueue('mail', '1', on_conflict => 'ignore');
SELECT ratchet.enqueue('mail', '1', run_at => 'infinity');
SELECT ratchet.enqueue('mail', '1', run_at => now(), delay => '1 s');
SELECT ratchet.enqueue('mail', '1', delay => '-1 s');
SELECT ratchet.enqueue('mail', '1', expires_at => now() - interval '1 s');
SELECT ratchet.enqueue('mail', '1', delay => '2 hours', expires_at => now() + interval '1 hour');
SELECT ratchet.enqueue_many('mail', NULL);
SELECT ratchet.enqueue_many('mail', '{{1,2},{3,4}}');
SELECT ratchet.enqueue_many('mail', '{1,2}', unique_keys => '{a}');
SELECT ratchet.enqueue_many('mail', ARRAY['1', to_jsonb(repeat('x', 1100000))], priority => 7);
SELECT count(*) AS half FROM ratchet.tasks WHERE priority = 7;

-- Cancel and retry.
SELECT ratchet.cancel_task(:ann), ratchet.cancel_task(:ann);
SELECT state, error, finished_at IS NOT NULL AS finished FROM ratchet.tasks WHERE task_id = :ann;
SELECT ratchet.retry_task(:ann), ratchet.retry_task(:ann);
SELECT state, payload FROM ratchet.tasks WHERE task_id = :ann;
SELECT ratchet.cancel_task(:bob);
SELECT ratchet.enqueue('mail', '{"to": "bob again"}', unique_key => 'bob') > :bob AS key_is_free;
SELECT ratchet.retry_task(:bob);
SELECT ratchet.cancel_task(0);
SELECT ratchet.retry_task(0);
SELECT ratchet.redrive('mail');
SELECT ratchet.redrive('mail', 0);

-- As data, and back.
SELECT jsonb_pretty(ratchet.export_jobs());
SELECT ratchet.alter_queue('mail', rate => 7, producers => '{ratchet_web}', consumers => '{ratchet_robot}');
SELECT ratchet.export_jobs() AS document \gset
SELECT * FROM ratchet.apply_jobs(:'document');
SELECT ratchet.alter_queue('mail', reset => '{rate,producers,consumers}');
SELECT * FROM ratchet.apply_jobs(:'document', dry_run => true);
SELECT rate FROM ratchet.queues WHERE queue_name = 'mail';
SELECT * FROM ratchet.apply_jobs('[{"queue_name": "new", "handler": "SELECT $1", "rate": 5}, {"job_name": "new", "schedule": "@manual", "command": "SELECT 1"}]');
-- Queues are not pruned.
SELECT * FROM ratchet.apply_jobs('[]', prune => true);
SELECT ratchet.apply_jobs('[{"queue_name": "new", "job_name": "new"}]');
SELECT ratchet.apply_jobs('[{"queue_name": "new"}, {"queue_name": "new"}]');
SELECT ratchet.apply_jobs('[{"queue_name": "new", "command": "SELECT 1"}]');
SELECT ratchet.apply_jobs('[{"queue_name": "new", "rate": "5"}]');
SELECT ratchet.apply_jobs('[{"queue_name": "new", "producers": ["nobody at all"]}]');
SELECT ratchet.drop_queue('new');

-- Who may do what.
SET SESSION AUTHORIZATION ratchet_web;
SELECT count(*) FROM ratchet.queues;
SELECT count(*) FROM ratchet.tasks;
SELECT ratchet.enqueue('mail', '1');
SELECT ratchet.enqueue('mial', '1');
SELECT ratchet.create_queue('mail', 'SELECT $1');
SELECT ratchet.alter_queue('mail', rate => 1);
SELECT ratchet.pause_queue('mail');
SELECT ratchet.drop_queue('mail', force => true);
SELECT ratchet.drop_queue('mail', if_exists => true, force => true);
SELECT ratchet.cancel_task(:ann);
SELECT ratchet.retry_task(:ann);
SELECT ratchet.redrive('mail');
SET SESSION AUTHORIZATION ratchet_shop;
SELECT ratchet.alter_queue('mail', producers => '{ratchet_web}', consumers => '{ratchet_robot}');
SET SESSION AUTHORIZATION ratchet_web;
SELECT ratchet.enqueue('mail', '{"to": "web"}') AS web \gset
SELECT ratchet.enqueue('mial', '1');
SELECT count(*) FROM ratchet.tasks;
SELECT ratchet.cancel_task(:ann);
SELECT ratchet.cancel_task(:web);
SELECT ratchet.alter_queue('mail', rate => 1);
SET SESSION AUTHORIZATION ratchet_robot;
SELECT ratchet.enqueue('mail', '1');
SELECT ratchet.cancel_task(:web);

-- Dropping one.
SET SESSION AUTHORIZATION ratchet_shop;
SELECT ratchet.drop_queue('mail');
SELECT ratchet.drop_queue('mial');
SELECT ratchet.drop_queue('mial', if_exists => true);
SELECT ratchet.drop_queue('mail', force => true);
SELECT ratchet.drop_queue('print', force => true);
SELECT (SELECT count(*) FROM ratchet.queue), (SELECT count(*) FROM ratchet.task), (SELECT count(*) FROM ratchet.finished_task);
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM ratchet.job;
DROP OWNED BY ratchet_shop, ratchet_web, ratchet_robot, ratchet_other;
DROP ROLE ratchet_shop, ratchet_web, ratchet_robot, ratchet_other;
