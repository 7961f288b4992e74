# Queues in a dump, and roles that go: definitions and tasks that wait are carried, finished ones are not; a copy
# holds still until it is adopted; a queue whose owner is dropped is nobody's.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE shop LOGIN;
	CREATE ROLE leaver LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO alice, shop, leaver;
	SELECT ratchet.create_queue('mail', 'SELECT $1', per => 'batch', rate => 5, rate_per_key => true, concurrency_per_key => 2, retention => '1 day',
		lease => '3 minutes', producers => '{shop}', consumers => '{shop,alice}', synchronous => false, enabled => false, run_as => 'alice');
	SELECT ratchet.create_queue('print');
	SELECT ratchet.create_queue('leavers', run_as => 'leaver')});
my $kept = value($node, q{SELECT ratchet.enqueue('mail', '{"to": "ann"}', delay => '1 day', priority => 3, unique_key => 'ann', ordering_key => 'o',
	group_key => 'g', expires_at => now() + interval '2 days')}, user => 'shop');
my $gone = value($node, q{SELECT ratchet.enqueue('mail', '{"to": "bob"}')}, user => 'shop');
value($node, "SELECT ratchet.cancel_task($gone)");
value($node, q{SELECT ratchet.enqueue_many('print', '{1,2,3}')});
value($node, q{SELECT ratchet.enqueue('leavers', '1')});

my $queues = q{SELECT string_agg((to_jsonb(q) - 'seal')::text, E'\n' ORDER BY queue_id) FROM ratchet.queue q WHERE queue_name <> 'leavers'};
my $tasks = q{SELECT string_agg((to_jsonb(t) - '{seal,enqueued_by}'::text[])::text, E'\n' ORDER BY task_id) FROM ratchet.task t
	JOIN ratchet.queue q USING (queue_id) WHERE queue_name <> 'leavers'};

promise 'the queue of a role that was dropped belongs to nobody, and its tasks stay until a superuser gives it away' => sub {
	value($node, 'REVOKE ALL ON SCHEMA ratchet FROM leaver; DROP ROLE leaver; CREATE ROLE heir LOGIN; GRANT USAGE ON SCHEMA ratchet TO heir');
	wait_until($node, q{SELECT j.owner = 0 FROM ratchet.job j JOIN ratchet.queue q ON q.queue_id = j.job_id WHERE queue_name = 'leavers'}, 'it has no owner');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE queue_name = 'leavers'}), 1, 'its task is there');
	psql_fails($node, q{SELECT ratchet.alter_queue('leavers', run_as => 'heir')}, qr/ERROR:  42501/, 'nobody takes it', user => 'heir');
};

my $dump = $node->basedir . '/dump.sql';
promise 'a dump has the queues and the tasks that wait, and nothing of those that have ended' => sub {
	$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'a dump');
	value($node, 'CREATE DATABASE copy TEMPLATE template0');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'is restored');
	is(value($node, $queues, db => 'copy'), value($node, $queues), 'the queues are all there, their lists by name');
	is(value($node, q{SELECT count(*) FROM ratchet.queue WHERE queue_name = 'leavers'}, db => 'copy'), 0, 'but for the one without an owner');
	is(value($node, $tasks, db => 'copy'), value($node, $tasks), 'and so are the tasks that wait');
	is(value($node, q{SELECT count(*) FROM ratchet.task t WHERE NOT EXISTS (SELECT FROM ratchet.queue q WHERE q.queue_id = t.queue_id)}, db => 'copy'), 0,
		'and none without its queue');
	is(value($node, q{SELECT count(*) FROM ratchet.finished_task}, db => 'copy'), 0, 'none that has ended');
};

promise 'a restored queue is held back until it is adopted, and then goes on' => sub {
	is(value($node, q{SELECT string_agg(DISTINCT color || ': ' || why, ', ') FROM ratchet.queues}, db => 'copy'), 'gray: held back until ratchet.adopt()', 'the view says so');
	psql_fails($node, q{SELECT ratchet.enqueue('mail', '1')}, qr/ERROR:  42501/, 'the list of producers does not count', db => 'copy', user => 'shop');
	is(value($node, q{SELECT string_agg(job_name, ',' ORDER BY job_name) FROM ratchet.adopt()}, db => 'copy'), 'queue mail,queue print', 'they are adopted');
	is(value($node, q{SELECT count(*) FROM ratchet.queues WHERE quarantined}, db => 'copy'), 0, 'none is held back');
	cmp_ok(value($node, q{SELECT ratchet.enqueue('mail', '1')}, db => 'copy', user => 'shop'), '>', value($node, 'SELECT max(task_id) FROM ratchet.task', db => 'copy') - 1,
		'producers enqueue again, with numbers that follow');
	is(value($node, q{SELECT ratchet.enqueue('mail', '1', unique_key => 'ann')}, db => 'copy', user => 'shop'), $kept, 'keys are kept');
};

promise 'numbers of tasks do not come again when their sequence is set back' => sub {
	my $highest = value($node, q{SELECT max(task_id) FROM ratchet.tasks});
	value($node, q{SELECT setval('ratchet.task_id_seq', 1)});
	cmp_ok(value($node, q{SELECT ratchet.enqueue('print', '4')}), '>', $highest, 'the next one follows the highest');
};

promise 'what a superuser writes by hand is leased to nobody' => sub {
	value($node, q{INSERT INTO ratchet.task (task_id, queue_id, priority, enqueued_at, enqueued_by, attempts, crashes, alone, token, lease_until, seal)
		SELECT 1000000, queue_id, 0, now(), 10, 0, 0, false, 7, now() + interval '1 day', 4711 FROM ratchet.queue WHERE queue_name = 'print'});
	is(value($node, q{SELECT concat_ws('|', enqueued_by, token, lease_until, seal) FROM ratchet.task WHERE task_id = 1000000}), '', 'no lease, no token, no seal');
};

finish();
