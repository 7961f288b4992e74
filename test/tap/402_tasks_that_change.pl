# What is changed while a worker has tasks laid out: a task that is replaced or canceled before its turn comes, and the
# definition of its queue. What is done is what was committed last.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 3\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE done (n bigserial, task_id bigint, text text, handler text, pid int DEFAULT pg_backend_pid());
CREATE TABLE gate (name text PRIMARY KEY);
-- Waits at a gate for as long as somebody holds it.
CREATE FUNCTION work(payload jsonb, handler text) RETURNS void LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
	IF payload ? 'gate' THEN
		PERFORM FROM gate WHERE name = payload->>'gate' FOR SHARE;
	END IF;
	INSERT INTO done (task_id, text, handler) VALUES (ratchet.task_id(), payload->>'text', handler);
END $$;
INSERT INTO gate VALUES ('a'), ('b');
-- One worker, and batches of one task: what it is given together lies before it until its turn comes.
SELECT ratchet.create_queue('letters', $$SELECT work($1, 'first')$$, concurrency => 1, batch_size => 1);
SQL

my $holder;

sub close_gate
{
	my ($name) = @_;
	$holder = session($node);
	$holder->query_safe("BEGIN; SELECT FROM gate WHERE name = '$name' FOR UPDATE");
	return;
}

sub open_gate
{
	$holder->query_safe('COMMIT');
	$holder->quit;
	return;
}

sub waits_at_gate
{
	my ($what) = @_;
	wait_until($node, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%' AND wait_event_type = 'Lock')", $what);
	return;
}

# Quick ones, so that the scheduler lays out the next tasks beside those that are being done.
sub warm_up
{
	my $before = value($node, 'SELECT count(*) FROM done');
	value($node, q{SELECT ratchet.enqueue_many('letters', array_agg('{"text": "quick"}'::jsonb)) FROM generate_series(1, 300)});
	wait_until($node, "SELECT count(*) = $before + 300 FROM done", 'the worker is quick');
	return;
}

promise 'a task that is replaced or canceled before its turn is looked at again' => sub {
	value($node, q{SELECT ratchet.alter_queue('letters', batch_size => 100)});
	warm_up();
	close_gate('a');
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "at the gate", "gate": "a"}')});
	waits_at_gate('the worker waits at the gate');
	# They are laid out before it, and taken back when it is busy for long.
	value($node, q{SELECT ratchet.enqueue('letters', jsonb_build_object('text', 'old'), unique_key => 'k' || i) FROM generate_series(1, 30) AS i});
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "new"}', unique_key => 'k' || i, on_conflict => 'replace')
		FROM generate_series(1, 30) AS i});
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "later"}', unique_key => 'k' || i, on_conflict => 'replace', delay => '1 hour')
		FROM generate_series(11, 20) AS i});
	value($node, q{SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE unique_key IN ('k21', 'k22', 'k30')});
	open_gate();
	wait_until($node, q{SELECT count(*) = 17 FROM done WHERE text = 'new'}, 'what was replaced is done with its new text');
	is(value($node, q{SELECT count(*) FROM done WHERE text IN ('old', 'later')}), 0, 'nothing with its old one, or before its time');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE queue_name = 'letters' AND state = 'scheduled'}), 10,
		'what was put off waits');
	wait_until($node, q{SELECT scheduled = 10 AND running = 0 AND ready = 0 FROM ratchet.queues WHERE queue_name = 'letters'}, 'and is counted as such');
	value($node, q{SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE state = 'scheduled'});
};

promise 'a task whose ordering key is replaced before its turn waits for its new key' => sub {
	value($node, q{SELECT ratchet.alter_queue('letters', concurrency => 2, batch_size => 100)});
	warm_up();
	close_gate('a');
	value($node, q{
		SELECT ratchet.enqueue('letters', '{"text": "holds key x", "gate": "a"}', ordering_key => 'x')});
	waits_at_gate('a task has the key');
	# The other worker waits, too, and has more laid out.
	my $second = session($node);
	$second->query_safe("BEGIN; SELECT FROM gate WHERE name = 'b' FOR UPDATE");
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "waits", "gate": "b"}')});
	wait_until($node, q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%' AND wait_event_type = 'Lock'},
		'both workers wait');
	# Which is laid out before one of them, and taken back again and again.
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "moves"}', unique_key => 'moves', ordering_key => 'y')});
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "has moved"}', unique_key => 'moves', ordering_key => 'x', on_conflict => 'replace')});
	$second->query_safe('COMMIT');
	$second->quit;
	wait_until($node, q{SELECT count(*) = 1 FROM done WHERE text = 'waits'}, 'the second worker goes on');
	wait_until($node, q{SELECT blocked = 1 FROM ratchet.queues WHERE queue_name = 'letters'}, 'the one that has moved is blocked');
	is(value($node, q{SELECT count(*) FROM done WHERE text = 'has moved'}), 0, 'and is not done');
	open_gate();
	wait_until($node, q{SELECT count(*) = 1 FROM done WHERE text = 'has moved'}, 'until the key is free');
};

promise 'what is laid out before a worker that is busy for long is done by another one' => sub {
	value($node, q{SELECT ratchet.alter_queue('letters', concurrency => 1, batch_size => 100)});
	warm_up();
	close_gate('a');
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "holds a worker", "gate": "a"}')});
	waits_at_gate('a worker is busy');
	value($node, q{SELECT ratchet.alter_queue('letters', concurrency => 2)});
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "is quick"}')});
	wait_until($node, q{SELECT count(*) = 1 FROM done WHERE text = 'is quick'}, 'the other worker has done it');
	open_gate();
};

promise 'a stretch ends at the next batch when its queue is altered, paused or dropped' => sub {
	value($node, q{SELECT ratchet.alter_queue('letters', concurrency => 1, batch_size => 1)});
	warm_up();
	for my $change (
		[ 'the handler', q{SELECT ratchet.alter_queue('letters', handler => $$SELECT work($1, 'second')$$)}, q{handler = 'second'} ],
		[ 'the settings', q{SELECT ratchet.alter_queue('letters', handler => $$SELECT work($1, current_setting('app.name'))$$,
			settings => '{"app.name": "third"}')}, q{handler = 'third'} ])
	{
		my ($what, $sql, $is_new) = @$change;
		close_gate('a');
		my $last = value($node, 'SELECT coalesce(max(n), 0) FROM done');
		value($node, q{
			SELECT ratchet.enqueue('letters', '{"text": "gate", "gate": "a"}');
			SELECT ratchet.enqueue_many('letters', array_agg('{"text": "after"}'::jsonb)) FROM generate_series(1, 40)});
		waits_at_gate('a batch is in hand');
		value($node, $sql);
		# Until the scheduler has heard of it.
		value($node, 'SELECT pg_sleep(0.5)');
		open_gate();
		wait_until($node, "SELECT count(*) = 41 FROM done WHERE n > $last", 'all are done');
		is(value($node, "SELECT count(*) FROM done WHERE n > $last AND text = 'after' AND NOT ($is_new)"), 0,
			"$what that holds is the one that was committed");
	}
	close_gate('a');
	my $last = value($node, 'SELECT max(n) FROM done');
	value($node, q{
		SELECT ratchet.enqueue('letters', '{"text": "gate", "gate": "a"}');
		SELECT ratchet.enqueue_many('letters', array_agg('{"text": "paused"}'::jsonb)) FROM generate_series(1, 40)});
	waits_at_gate('a batch is in hand');
	value($node, q{SELECT ratchet.pause_queue('letters')});
	value($node, 'SELECT pg_sleep(0.5)');
	open_gate();
	wait_until($node, q{SELECT running = 0 AND ready = 40 AND paused FROM ratchet.queues WHERE queue_name = 'letters'}, 'a queue that is paused rests behind the batch');
	is(value($node, "SELECT count(*) FROM done WHERE n > $last AND text = 'paused'"), 0, 'nothing more of it is done');
	value($node, q{SELECT ratchet.resume_queue('letters')});
	wait_until($node, "SELECT count(*) = 41 FROM done WHERE n > $last", 'and goes on');
	close_gate('a');
	value($node, q{
		SELECT ratchet.enqueue('letters', '{"text": "gate", "gate": "a"}');
		SELECT ratchet.enqueue_many('letters', array_agg('{"text": "dropped"}'::jsonb)) FROM generate_series(1, 40)});
	waits_at_gate('a batch is in hand');
	my $drop = session($node);
	$drop->query_until(qr//, "SELECT ratchet.drop_queue('letters', force => true);\n");
	open_gate();
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.queue}, 'a queue that is dropped is gone');
	$drop->quit;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running}, 'and so is its run');
	is(value($node, q{SELECT count(*) FROM ratchet.task}), 0, 'no task is left');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.task_claim}, 'and no claim');
};

finish();
