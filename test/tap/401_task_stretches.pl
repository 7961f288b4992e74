# What the handler of a queue does with its tasks, and what becomes of them when it fails, when its process dies, and
# when the server stops or crashes: effects, completions and the tasks that it enqueues commit together, a task that
# fails does so alone, and nothing is done twice.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 2\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
-- One row for each time that a parcel was sent.
CREATE TABLE sent (parcel int, task_id bigint, attempt int, run_id bigint);
CREATE FUNCTION send(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sent VALUES ((payload->>'parcel')::int, ratchet.task_id(), ratchet.task_attempt(), ratchet.run_id());
	CASE payload->>'and'
		WHEN 'fail' THEN RAISE EXCEPTION 'no such address: %', payload->>'parcel' USING ERRCODE = 'P0001';
		WHEN 'die' THEN PERFORM pg_terminate_backend(pg_backend_pid());
		WHEN 'sleep' THEN PERFORM pg_sleep((payload->>'seconds')::float8);
		WHEN 'snooze' THEN
			IF ratchet.task_attempt() = 1 AND (SELECT count(*) FROM sent WHERE task_id = ratchet.task_id()) < 3 THEN
				PERFORM ratchet.snooze('10 ms');
			END IF;
		WHEN 'discard' THEN PERFORM ratchet.discard('the addressee has moved');
		WHEN 'forward' THEN PERFORM ratchet.enqueue('parcels', jsonb_build_object('parcel', -(payload->>'parcel')::int));
		ELSE NULL;
	END CASE;
END $$;
SELECT ratchet.create_queue('parcels', 'SELECT send($1)', backoff => '1 hour');
SQL

my $n = 0;

# Enqueues so many ordinary parcels with the given ones among them, in one transaction, and returns the first one's
# number.
sub enqueue
{
	my ($count, @special) = @_;
	my $first = $n + 1;
	my @payloads = map { qq({"parcel": $_}) } $first .. $first + $count - 1;
	splice(@payloads, int(@payloads / 2), 0, @special);
	$n += $count;
	value($node, sprintf(q{SELECT ratchet.enqueue_many('parcels', ARRAY[%s]::jsonb[])}, join(', ', map { "'$_'" } @payloads)));
	return $first;
}

sub all_sent
{
	my ($first, $count, $what) = @_;
	my $last = $first + $count - 1;
	wait_until($node, "SELECT count(DISTINCT parcel) = $count FROM sent WHERE parcel BETWEEN $first AND $last", $what);
	return;
}

sub each_sent_once
{
	my ($first, $count, $what) = @_;
	my $last = $first + $count - 1;
	is(value($node, "SELECT count(*) || ' rows of ' || count(DISTINCT parcel) FROM sent WHERE parcel BETWEEN $first AND $last"),
		"$count rows of $count", $what);
	return;
}

promise 'tasks of a queue are done by its handler, each once, and a run stands for a stretch of them' => sub {
	my $first = enqueue(500);
	all_sent($first, 500, 'all are done');
	each_sent_once($first, 500, 'each of them once');
	wait_until($node, "SELECT sum(items_done) = 500 FROM ratchet.runs WHERE cause = 'queue' AND status = 'succeeded'",
		'their runs count them');
	is(value($node, "SELECT count(*) < 20 FROM ratchet.runs WHERE cause = 'queue'"), 't', 'by far fewer runs than tasks');
	is(value($node, 'SELECT count(*) FROM ratchet.task'), 0, 'nothing of them is left');
	is(value($node, 'SELECT count(*) FROM sent s WHERE NOT EXISTS (SELECT FROM ratchet.runs r WHERE r.run_id = s.run_id)'),
		0, 'inside of a handler run_id() is that of the stretch');
};

promise 'a task that fails does so alone, and its 499 neighbours are done once' => sub {
	my $first = enqueue(499, '{"parcel": 100001, "and": "fail"}');
	all_sent($first, 499, 'the neighbours are done');
	each_sent_once($first, 499, 'each of them once');
	is(value($node, 'SELECT count(*) FROM sent WHERE parcel = 100001'), 0, 'what it has done itself is undone');
	my $task = row($node, "SELECT state, attempts, crashes, sqlstate, error FROM ratchet.tasks WHERE payload->>'and' = 'fail'");
	is_deeply($task,
		{ state => 'scheduled', attempts => 1, crashes => 0, sqlstate => 'P0001', error => 'no such address: 100001' },
		'it waits for its next attempt, and says why');
	value($node, "SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE payload->>'and' = 'fail'");
};

promise 'tasks that a handler enqueues commit with what it does' => sub {
	my $first = enqueue(2, '{"parcel": 7001, "and": "forward"}');
	all_sent($first, 2, 'the others are done');
	wait_until($node, 'SELECT count(*) = 2 FROM sent WHERE parcel IN (7001, -7001)', 'and so is the one that follows');
};

promise 'a handler snoozes its task without an attempt, or discards it' => sub {
	enqueue(1, '{"parcel": 7002, "and": "snooze"}', '{"parcel": 7003, "and": "discard"}');
	wait_until($node, 'SELECT count(*) = 3 FROM sent WHERE parcel = 7002', 'it is done when it snoozes no more');
	is(value($node, 'SELECT max(attempt) FROM sent WHERE parcel = 7002'), 1, 'a snooze is no attempt');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.tasks WHERE payload->>'and' = 'discard' AND state = 'dead'",
		'the other one is set aside at once');
	is(value($node, "SELECT error FROM ratchet.tasks WHERE payload->>'and' = 'discard'"), 'the addressee has moved',
		'for the reason that was given');
	is(value($node, "SELECT coalesce(ratchet.task_id()::text, 'null') || coalesce(ratchet.snooze('1 s')::text, '')"), 'null',
		'outside of a handler these functions do nothing');
};

promise 'a task that takes longer than the timeout of its queue fails alone' => sub {
	value($node, q{SELECT ratchet.alter_queue('parcels', timeout => '500 ms')});
	my $first = enqueue(20, '{"parcel": 7004, "and": "sleep", "seconds": 3600}');
	all_sent($first, 20, 'the others are done');
	each_sent_once($first, 20, 'each of them once');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.tasks WHERE payload->>'parcel' = '7004' AND attempts = 1 AND sqlstate = '57014'",
		'it counts as an attempt');
	value($node, "SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE payload->>'parcel' = '7004'");
	value($node, q{SELECT ratchet.alter_queue('parcels', reset => '{timeout}')});
};

promise 'a task that takes its process down is found, run alone, and set aside after max_crashes' => sub {
	value($node, q{SELECT ratchet.alter_queue('parcels', backoff => '100 ms', max_crashes => 3)});
	my $first = enqueue(200, '{"parcel": 7005, "and": "die"}');
	all_sent($first, 200, 'the others are done');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.tasks WHERE payload->>'and' = 'die' AND state = 'dead'", 'it is dead');
	each_sent_once($first, 200, 'the others were done once');
	is_deeply(row($node, "SELECT attempts, crashes FROM ratchet.tasks WHERE payload->>'and' = 'die'"),
		{ attempts => 0, crashes => 3 }, 'crashes are counted apart from attempts');
	is(value($node, 'SELECT count(*) FROM ratchet.task_claim'), 0, 'no claim is left');
	value($node, q{SELECT ratchet.alter_queue('parcels', backoff => '1 hour')});
};

promise 'a task that is tried shows what would happen, and is rolled back' => sub {
	value($node, q{SELECT ratchet.pause_queue('parcels')});
	my $good = value($node, q{SELECT ratchet.enqueue('parcels', '{"parcel": 7006}')});
	my $bad = value($node, q{SELECT ratchet.enqueue('parcels', '{"parcel": 7007, "and": "fail"}')});
	my $tried = row($node, "SELECT t->>'outcome' AS outcome, t->>'queue_name' AS queue, (t->>'wal_bytes')::int > 0 AS wal,
		(t->>'milliseconds')::float8 > 0 AS time FROM ratchet.try_task($good) AS t");
	is($tried->{outcome}, 'completed', 'one that would go well');
	ok($tried->{wal} && $tried->{time}, 'with what it costs');
	is_deeply(row($node, "SELECT t->>'outcome' AS outcome, t->>'sqlstate' AS sqlstate, t->>'message' AS message FROM ratchet.try_task($bad) AS t"),
		{ outcome => 'failed', sqlstate => 'P0001', message => 'no such address: 7007' }, 'one that would fail');
	is(value($node, 'SELECT count(*) FROM sent WHERE parcel IN (7006, 7007)'), 0, 'nothing of it stays');
	is(value($node, "SELECT sum(attempts) FROM ratchet.tasks WHERE task_id IN ($good, $bad)"), 0, 'and it counts as no attempt');
	psql_fails($node, 'SELECT ratchet.try_task(999999999)', qr/42704.*task 999999999 does not exist/, 'one that there is not');
	value($node, 'CREATE ROLE anna LOGIN; GRANT USAGE ON SCHEMA ratchet TO anna; GRANT pg_monitor TO anna');
	psql_fails($node, "SELECT ratchet.try_task($good)", qr/42501.*only the owner can try tasks of queue "parcels"/,
		'one of somebody else', user => 'anna');
	value($node, "SELECT ratchet.cancel_task(id) FROM unnest(ARRAY[$good, $bad]) AS id");
	value($node, q{SELECT ratchet.resume_queue('parcels')});
};

# Tasks that take long enough to be in the middle of them.
sub enqueue_slow
{
	my ($count) = @_;
	my $first = $n + 1;
	$n += $count;
	value($node, qq{SELECT ratchet.enqueue_many('parcels', array_agg(jsonb_build_object('parcel', i, 'and', 'sleep', 'seconds', 0.01)))
		FROM generate_series($first, $n) AS i});
	return $first;
}

promise 'a planned stop ends a stretch at the end of its batch, and counts against no task' => sub {
	my $first = enqueue_slow(600);
	wait_until($node, "SELECT count(*) > 20 FROM sent WHERE parcel >= $first", 'some are done');
	$node->stop('fast');
	$node->start;
	all_sent($first, 600, 'after the start the others are done');
	each_sent_once($first, 600, 'each of them once');
	is(value($node, "SELECT max(attempt) FROM sent WHERE parcel >= $first"), 1, 'at the first attempt');
	is(value($node, 'SELECT count(*) FROM ratchet.task_claim'), 0, 'no claim is left');
};

promise 'after a crash of the server each task is done once, and none is lost' => sub {
	my $first = enqueue_slow(600);
	for my $round (1 .. 2)
	{
		my $done = value($node, "SELECT count(*) FROM sent WHERE parcel >= $first");
		wait_until($node, "SELECT count(*) > $done + 20 FROM sent WHERE parcel >= $first", 'some are done');
		kill_and_wait($node, (ratchet_pids($node, 'worker'))[0]);
	}
	all_sent($first, 600, 'all are done');
	each_sent_once($first, 600, 'each of them once');
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task WHERE alone OR crashes > 0', 'nobody is suspected for long');
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task_claim', 'no claim is left');
};

promise 'a stretch that is canceled gives its tasks back' => sub {
	my $first = enqueue_slow(400);
	wait_until($node, "SELECT count(*) > 20 FROM sent WHERE parcel >= $first", 'some are done');
	value($node, "SELECT ratchet.cancel(run_id) FROM ratchet.running WHERE cause = 'queue'");
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE cause = 'queue' AND status = 'canceled'", 'the run is canceled');
	all_sent($first, 400, 'another stretch does the rest');
	each_sent_once($first, 400, 'each of them once');
	is(value($node, "SELECT max(attempt) FROM sent WHERE parcel >= $first"), 1, 'at the first attempt');
};

finish();
