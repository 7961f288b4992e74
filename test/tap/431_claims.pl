# Consumers that claim tasks from the scheduler: who gets what, and what becomes of it when they go.

use strict;
use warnings;

use IPC::Run ();
use RatchetTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', conf => "max_connections = 60\nmax_prepared_transactions = 5\n");
value($node, q{
	SELECT ratchet.create_queue('parcels');
	SELECT ratchet.create_queue('short', lease => '300 ms', max_crashes => 100);
	CREATE TABLE effect (task bigint PRIMARY KEY)});

my $claim = q{SELECT string_agg(payload::text, ',' ORDER BY task_id) FROM ratchet.claim};

promise 'tasks are claimed, the first ones first, and nobody else gets them then' => sub {
	value($node, q{SELECT ratchet.enqueue_many('parcels', '{1,2,3}')});
	is(value($node, "$claim('parcels', 2)"), '1,2', 'two of them');
	is(value($node, "$claim('parcels', 10)"), '3', 'what is left');
	my $begun = time();
	is(value($node, "$claim('parcels', 10)"), '', 'nothing');
	cmp_ok(time() - $begun, '<', within(4), 'which is said at once');
	is(value($node, q{SELECT string_agg(DISTINCT state, ',') FROM ratchet.tasks WHERE queue_name = 'parcels'}), 'running', 'all are in hand');
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'parcels'});
};

promise 'a claim that is rolled back, or whose session dies, gives its tasks back' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	value($node, q{BEGIN; SELECT task_id FROM ratchet.claim('parcels'); ROLLBACK});
	wait_until($node, "SELECT state = 'ready' FROM ratchet.tasks WHERE task_id = $task", 'rolled back, it is ready');
	my $session = session($node);
	is($session->query_safe(q{BEGIN; SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}), $task, 'another one gets it');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	value($node, "SELECT pg_terminate_backend($pid)");
	is(value($node, q{SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}), $task, 'and a third one, when that is terminated');
	value($node, "SELECT ratchet.cancel_task($task)");
	eval { $session->quit };
};

promise 'who waits for a task gets it when it is enqueued' => sub {
	my $session = session($node);
	$session->query_until(qr/waiting/, "\\echo waiting\nINSERT INTO effect SELECT task_id FROM ratchet.claim('parcels', wait => '2 minutes');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO effect%' AND wait_event_type = 'Extension'}, 'it waits');
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	wait_until($node, "SELECT count(*) = 1 FROM effect WHERE task = $task", 'it has it');
	value($node, "TRUNCATE effect; SELECT ratchet.cancel_task($task)");
	$session->quit;
};

promise 'when a lease is over the task is given to somebody else, and the first token is stale' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('short', '1')});
	my $first = value($node, q{SELECT token FROM ratchet.claim('short')});
	my $second = value($node, q{SELECT token FROM ratchet.claim('short', lease => '1 hour', wait => '1 minute')});
	isnt($second, '', 'somebody else has it');
	psql_fails($node, "SELECT ratchet.complete($task, $first)", qr/ERROR:  55000/, 'the first one cannot complete it');
	value($node, "SELECT ratchet.complete($task, $second)");
	is(value($node, "SELECT count(*) FROM ratchet.tasks WHERE task_id = $task"), 0, 'the second one can');
};

promise 'many consumers at once do each task once' => sub {
	value($node, q{SELECT ratchet.enqueue_many('parcels', (SELECT array_agg(to_jsonb(i)) FROM generate_series(1, 400) i))});
	my $path = $node->basedir . '/consume.sql';
	open(my $file, '>', $path) or die "cannot write $path: $!";
	print $file <<'SQL';
WITH mine AS MATERIALIZED (SELECT * FROM ratchet.claim('parcels', 7)), done AS (INSERT INTO effect SELECT task_id FROM mine)
SELECT ratchet.complete(task_id, token) FROM mine;
SQL
	close($file);
	my ($out, $err) = ('', '');
	IPC::Run::run([ $node->installed_command('pgbench'), '-n', '-c', 8, '-j', 2, '-t', 20, '-f', $path, $node->connstr('postgres') ], '>', \$out, '2>', \$err);
	unlike($err, qr/ERROR|aborted/, 'none has an error') or diag($err);
	is(value($node, 'SELECT count(*) FROM effect'), 400, 'all are done');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE queue_name = 'parcels' AND state <> 'canceled'}), 0, 'and gone');
};

promise 'a transaction that has claimed cannot be prepared' => sub {
	value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	psql_fails($node, q{BEGIN; SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute'); PREPARE TRANSACTION 'p'}, qr/ERROR:  0A000/, 'refused');
	is(value($node, q{SELECT count(*) FROM ratchet.claim('parcels', wait => '1 minute')}), 1, 'the task is there for others');
};

finish();
