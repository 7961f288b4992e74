# One unfinished task per unique key, whoever enqueues, however many do so at once, and whichever of their
# transactions are rolled back. Queues without a handler, so that their tasks stay.

use strict;
use warnings;

use IPC::Run ();
use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "max_connections = 90\nmax_prepared_transactions = 5\n");
value($node, q{
	SELECT ratchet.create_queue('parcels');
	SELECT ratchet.create_queue('letters');
	CREATE TABLE said (task bigint)});

sub tasks
{
	my ($where) = @_;
	return value($node, "SELECT count(*) FROM ratchet.tasks WHERE $where");
}

# A statement that another session has begun, and that waits for somebody.
sub begins_to_wait
{
	my ($session, $sql, $what) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/waiting/, "\\echo waiting\n$sql\n");
	wait_until($node, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", $what);
	return;
}

# pgbench with so many clients, of a script in a file.
sub producers
{
	my ($clients, $transactions, $script) = @_;
	my $path = $node->basedir . '/producers.sql';
	open(my $file, '>', $path) or die "cannot write $path: $!";
	print $file $script;
	close($file);
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run(
		[ $node->installed_command('pgbench'), '-n', '-c', $clients, '-j', 2, '-t', $transactions, '-f', $path,
			$node->connstr('postgres') ],
		'>', \$out, '2>', \$err);
	diag($err) if !$ok;
	unlike($err, qr/ERROR|aborted/, 'no producer has an error');
	like($out, qr{transactions actually processed: (\d+)/\1}, 'all have done what they were to');
	return;
}

promise '64 producers of the same keys, half of whom roll back, leave one task per key' => sub {
	producers(64, 15, <<'SQL');
\set key random(1, 40)
\set rolls_back random(0, 1)
BEGIN;
SELECT ratchet.enqueue('parcels', to_jsonb(:key), unique_key => 'parcel ' || :key);
\if :rolls_back
ROLLBACK;
\else
COMMIT;
\endif
SQL
	is(tasks(q{queue_name = 'parcels'}), value($node, q{SELECT count(DISTINCT unique_key) FROM ratchet.tasks WHERE queue_name = 'parcels'}),
		'none twice');
	is(tasks(q{queue_name = 'parcels'}), 40, 'and none is missing');
	is(value($node, q{SELECT bool_and(unique_key = 'parcel ' || payload::text) FROM ratchet.tasks WHERE queue_name = 'parcels'}), 't',
		'each with its own payload');
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'parcels'});
};

promise 'bulk goes the same way: 16 producers of 300 keys in every order do not block each other' => sub {
	producers(16, 4, <<'SQL');
WITH k AS (SELECT i FROM generate_series(1, 300) i ORDER BY random())
SELECT ratchet.enqueue_many('letters', array_agg(to_jsonb(i)), unique_keys => array_agg('letter ' || i)) FROM k;
SQL
	is(tasks(q{queue_name = 'letters'}), 300, 'one each');
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'letters'});
};

promise 'the loser of a race waits for the winner, and gets its task when that rolls back' => sub {
	for my $conflict ('skip', 'replace', 'raise')
	{
		my ($winner, $loser) = (session($node), session($node));
		$winner->query_safe(qq{BEGIN; SELECT ratchet.enqueue('parcels', '"winner"', unique_key => '$conflict')});
		begins_to_wait($loser,
			qq{INSERT INTO said SELECT ratchet.enqueue('parcels', '"loser"', unique_key => '$conflict', on_conflict => '$conflict');},
			"$conflict: it waits");
		$winner->query_safe('ROLLBACK');
		wait_until($node, q{SELECT count(*) = 1 FROM said}, "$conflict: it goes on");
		is(value($node, "SELECT payload FROM ratchet.tasks WHERE task_id = (SELECT task FROM said) AND unique_key = '$conflict'"),
			'"loser"', "$conflict: with a task of its own");
		value($node, 'DELETE FROM said');
		$_->quit for $winner, $loser;
	}
};

promise 'when the winner commits, the loser is told which task has the key' => sub {
	my ($winner, $loser) = (session($node), session($node));
	my $first = $winner->query_safe(q{BEGIN; SELECT ratchet.enqueue('parcels', '1', unique_key => 'commits')});
	begins_to_wait($loser, q{INSERT INTO said SELECT ratchet.enqueue('parcels', '2', unique_key => 'commits');}, 'it waits');
	$winner->query_safe('COMMIT');
	wait_until($node, q{SELECT count(*) = 1 FROM said}, 'it goes on');
	is(value($node, 'DELETE FROM said RETURNING task'), $first, 'with the number of the other one');
	is(value($node, "SELECT payload FROM ratchet.tasks WHERE task_id = $first"), 1, 'which is as it was');
	$winner->query_safe(q{BEGIN; SELECT ratchet.enqueue('parcels', '3', unique_key => 'replaced')});
	begins_to_wait($loser, q{INSERT INTO said SELECT ratchet.enqueue('parcels', '4', unique_key => 'replaced', on_conflict => 'replace');},
		'one that replaces waits');
	$winner->query_safe('COMMIT');
	wait_until($node, q{SELECT count(*) = 1 FROM said}, 'and goes on');
	is(value($node, q{SELECT payload FROM ratchet.tasks WHERE task_id = (SELECT task FROM said)}), 4, 'it has replaced it');
	value($node, 'DELETE FROM said');
	$_->quit for $winner, $loser;
};

promise 'of two that replace a task the later one wins, and neither is lost when the other rolls back' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '0', unique_key => 'often')});
	for my $end ('COMMIT', 'ROLLBACK')
	{
		my ($first, $second) = (session($node), session($node));
		$first->query_safe(q{BEGIN; SELECT ratchet.enqueue('parcels', '1', unique_key => 'often', on_conflict => 'replace')});
		begins_to_wait($second, q{INSERT INTO said SELECT ratchet.enqueue('parcels', '2', unique_key => 'often', on_conflict => 'replace');},
			"$end: the second one waits");
		$first->query_safe($end);
		wait_until($node, q{SELECT count(*) = 1 FROM said}, "$end: and goes on");
		is(value($node, "SELECT payload FROM ratchet.tasks WHERE task_id = $task"), 2, "$end: its payload stays");
		value($node, 'DELETE FROM said');
		$_->quit for $first, $second;
	}
};

promise 'a task that is canceled or retried gives its key away and takes it back' => sub {
	my $one = value($node, q{SELECT ratchet.enqueue('parcels', '1', unique_key => 'again')});
	is(value($node, "SELECT ratchet.cancel_task($one)"), 't', 'one is canceled');
	my $two = value($node, q{SELECT ratchet.enqueue('parcels', '2', unique_key => 'again')});
	cmp_ok($two, '>', $one, 'its key is free');
	psql_fails($node, "SELECT ratchet.retry_task($one)", qr/ERROR:  23505: .*unique_key "again" already\n.*DETAIL:  It is task $two/s,
		'the first one cannot come back');
	is(value($node, "SELECT state FROM ratchet.tasks WHERE task_id = $one"), 'canceled', 'and stays what it was');
	value($node, "SELECT ratchet.cancel_task($two)");
	is(value($node, "SELECT ratchet.retry_task($one)"), 't', 'it can when the other one has gone');
	is(value($node, q{SELECT ratchet.enqueue('parcels', '3', unique_key => 'again')}), $one, 'and has its key');
};

promise 'a prepared transaction has its keys until it ends' => sub {
	value($node, q{BEGIN; SELECT ratchet.enqueue('parcels', '1', unique_key => 'prepared'); PREPARE TRANSACTION 'p'});
	my $loser = session($node);
	begins_to_wait($loser, q{INSERT INTO said SELECT ratchet.enqueue('parcels', '2', unique_key => 'prepared');}, 'the loser waits');
	value($node, q{ROLLBACK PREPARED 'p'});
	wait_until($node, q{SELECT count(*) = 1 FROM said}, 'and goes on');
	is(value($node, q{SELECT payload FROM ratchet.tasks WHERE task_id = (SELECT task FROM said)}), 2, 'with its task');
	value($node, 'DELETE FROM said');
	$loser->quit;
};

promise 'a queue is dropped with no task left over, and no task is put into one that is gone' => sub {
	value($node, q{SELECT ratchet.create_queue('short')});
	my ($producer, $owner) = (session($node), session($node));
	$producer->query_safe(q{BEGIN; SELECT ratchet.enqueue('short', '1')});
	psql_fails($node, q{SELECT ratchet.drop_queue('short', force => true)}, qr/ERROR:  55P03/, 'a producer is under way');
	$producer->query_safe('COMMIT');
	psql_fails($node, q{SELECT ratchet.drop_queue('short')}, qr/ERROR:  2BP01/, 'there is a task');
	$owner->query_safe(q{BEGIN; SELECT ratchet.drop_queue('short', force => true)});
	begins_to_wait($producer, q{SELECT ratchet.enqueue('short', '2');}, 'who enqueues waits for the end of the drop');
	$owner->query_safe('COMMIT');
	my $stderr = '';
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')}, 'it is over');
	is(value($node, q{SELECT count(*) FROM ratchet.task t WHERE NOT EXISTS (SELECT FROM ratchet.queue q WHERE q.queue_id = t.queue_id)}), 0,
		'no task is without a queue');
	$_->quit for $producer, $owner;
};

finish();
