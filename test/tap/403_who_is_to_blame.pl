# A process, or the server, dies while many tasks are in hand: who is to blame is found by halves, and the others lose
# neither an attempt nor time. What ends a process from outside counts against nobody, and a task that ignores its
# time-out counts as one that failed.

use strict;
use warnings;

use RatchetTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', conf => "ratchet.max_workers = 3\nmax_worker_processes = 16\nratchet.cancel_grace = 500ms\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE visit (n bigserial, patient uuid, attempt int, at timestamptz DEFAULT clock_timestamp());
-- What each attempt has seen, committed or not: a sequence is not rolled back.
CREATE SEQUENCE attempts;
CREATE TABLE gate (name text PRIMARY KEY);
INSERT INTO gate VALUES ('a');
CREATE FUNCTION see(payload jsonb) RETURNS void LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
	PERFORM nextval('attempts');
	CASE payload->>'and'
		WHEN 'wait' THEN PERFORM FROM gate WHERE name = 'a' FOR SHARE;
		WHEN 'die' THEN PERFORM pg_terminate_backend(pg_backend_pid());
		WHEN 'crash' THEN EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
			PERFORM pg_sleep(60);
		WHEN 'swallow' THEN
			LOOP
				BEGIN
					PERFORM pg_sleep(60);
				EXCEPTION WHEN query_canceled OR others THEN NULL;
				END;
			END LOOP;
		WHEN 'sleep' THEN PERFORM pg_sleep((payload->>'seconds')::float8);
		WHEN 'query_canceled' THEN RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled';
		WHEN 'unreachable' THEN RAISE EXCEPTION 'could not connect to server' USING ERRCODE = '08001';
		ELSE NULL;
	END CASE;
	INSERT INTO visit (patient, attempt) VALUES ((payload->>'patient')::uuid, ratchet.task_attempt());
END $$;
SELECT ratchet.create_queue('visits', 'SELECT see($1)', backoff => '100 ms', max_crashes => 3, concurrency => 1, batch_target => '1 hour');
SQL

# So many patients, with others among them, in one transaction.
sub enqueue
{
	my ($count, @special) = @_;
	value($node, 'TRUNCATE visit');
	my $specials = join(', ', map { "'$_'::jsonb" } @special);
	value($node, qq{SELECT ratchet.enqueue_many('visits', array_agg(p ORDER BY i)) FROM (
		SELECT i::float8 AS i, jsonb_build_object('patient', gen_random_uuid()) AS p FROM generate_series(1, $count) AS i
		UNION ALL SELECT $count / 2 + 0.5, s FROM unnest(ARRAY[$specials]::jsonb[]) AS s) t});
	return;
}

sub is_quiet
{
	my ($what) = @_;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.task_claim}, "$what: no claim is left");
	return;
}

sub gate
{
	my $session = session($node);
	$session->query_safe('BEGIN; SELECT FROM gate FOR UPDATE');
	return $session;
}

sub waits_at_gate
{
	my ($count) = @_;
	wait_until($node, "SELECT count(*) = $count FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%' AND wait_event_type = 'Lock'",
		'the tasks are in hand');
	return;
}

# The scheduler takes the queue for a quick one, and gives out hundreds of tasks at once.
sub make_quick
{
	enqueue(1500);
	wait_until($node, 'SELECT count(*) = 1500 FROM visit', 'the queue is quick');
	return;
}

# How many tasks the only claim has.
sub in_hand { return value($node, 'SELECT coalesce(sum(cardinality(task_ids)), 0) FROM ratchet.task_claim'); }

promise 'after a crash of the server 500 innocent tasks are done within a second, and lose no attempt' => sub {
	make_quick();
	my $session = gate();
	enqueue(500, '{"and": "wait", "patient": "00000000-0000-0000-0000-000000000001"}');
	waits_at_gate(1);
	my $in_hand = in_hand();
	cmp_ok($in_hand, '>', 100, "$in_hand of them are in hand");
	$node->stop('immediate');
	$session->quit;
	$node->start;
	wait_until($node, 'SELECT count(*) = 501 FROM visit', 'all are done');
	cmp_ok(value($node, 'SELECT extract(epoch FROM max(at) - min(at)) FROM visit WHERE at > pg_postmaster_start_time()'), '<', within(1),
		'those that were not done before within a second');
	is(value($node, 'SELECT count(DISTINCT patient) FROM visit WHERE attempt = 1'), 501, 'each of them once, at the first attempt');
	is_quiet('after an immediate stop');
};

promise 'a task that crashes the server is found by halves, alone counted, and set aside after max_crashes' => sub {
	make_quick();
	value($node, q{SELECT ratchet.pause_queue('visits')});
	enqueue(200, '{"and": "crash"}');
	value($node, q{SELECT ratchet.resume_queue('visits')});
	expect_crash($node, qr/was terminated by signal 9/);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead' AND payload->>'and' = 'crash'}, 'it is dead');
	is_deeply(row($node, q{SELECT attempts, crashes FROM ratchet.tasks WHERE state = 'dead' AND payload->>'and' = 'crash'}),
		{ attempts => 0, crashes => 3 }, 'by three crashes');
	wait_until($node, 'SELECT count(*) = 200 FROM visit', 'the others are done');
	is(value($node, 'SELECT count(DISTINCT patient) FROM visit WHERE attempt = 1'), 200, 'each of them once, at the first attempt');
	is_quiet('after crashes of the server');
	my $crashes = () = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /terminated by signal 9/g;
	cmp_ok($crashes, '<=', 14, "it took $crashes crashes");
	value($node, q{DELETE FROM ratchet.finished_task});
};

promise 'a task that ends its process alone is known at once, and its neighbours are not suspected' => sub {
	make_quick();
	enqueue(200, '{"and": "die"}');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead' AND payload->>'and' = 'die'}, 'it is dead');
	is_deeply(row($node, q{SELECT attempts, crashes FROM ratchet.tasks WHERE state = 'dead' AND payload->>'and' = 'die'}),
		{ attempts => 0, crashes => 3 }, 'by three crashes');
	wait_until($node, 'SELECT count(*) = 200 FROM visit', 'the others are done');
	is(value($node, 'SELECT count(DISTINCT patient) FROM visit WHERE attempt = 1'), 200, 'each of them once, at the first attempt');
	is_quiet('after the end of processes');
	value($node, q{DELETE FROM ratchet.finished_task});
};

promise 'who is terminated from outside counts neither as an attempt nor as a crash' => sub {
	value($node, q{SELECT ratchet.alter_queue('visits', concurrency => 2)});
	for my $round (1 .. 2)
	{
		my $session = gate();
		enqueue(20, '{"and": "wait", "patient": "00000000-0000-0000-0000-000000000002"}');
		waits_at_gate(1);
		value($node, q{SELECT pg_terminate_backend(pid) FROM ratchet.running WHERE cause = 'queue'});
		wait_until($node, q{SELECT count(*) > 0 FROM ratchet.running WHERE cause = 'queue'}, 'another worker has them');
		waits_at_gate(1);
		is(value($node, q{SELECT count(*) FROM ratchet.task WHERE attempts + crashes > 0 OR alone}), 0, 'nothing is counted');
		$node->stop('fast') if $round == 2;
		$session->quit;
		$node->start if $round == 2;
		wait_until($node, 'SELECT count(*) = 21 FROM visit', 'all are done');
		is(value($node, 'SELECT count(DISTINCT patient) FROM visit WHERE attempt = 1'), 21, 'each of them once, at the first attempt');
	}
	is_quiet('after that');
	value($node, q{SELECT ratchet.alter_queue('visits', concurrency => 1)});
};

promise 'a database that is dropped by force takes its tasks along, and blames none' => sub {
	value($node, 'CREATE DATABASE clinic');
	value($node, q{
		CREATE EXTENSION pg_ratchet;
		SELECT ratchet.create_queue('calls', 'SELECT pg_sleep(3600)');
		SELECT ratchet.enqueue('calls')}, db => 'clinic');
	wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.running WHERE cause = 'queue')}, 'a task is in hand', db => 'clinic');
	value($node, 'DROP DATABASE clinic WITH (FORCE)');
	is(value($node, q{SELECT count(*) FROM pg_database WHERE datname = 'clinic'}), 0, 'it is gone');
};

promise 'a handler that swallows its time-out is ended, and its task has timed out' => sub {
	value($node, q{SELECT ratchet.alter_queue('visits', timeout => '500 ms', max_attempts => 2)});
	enqueue(50, '{"and": "swallow"}');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead'}, 'it is dead');
	is_deeply(row($node, q{SELECT attempts, crashes, sqlstate, error FROM ratchet.tasks WHERE state = 'dead'}),
		{ attempts => 2, crashes => 0, sqlstate => '57014', error => 'the task exceeded the timeout of its queue' },
		'by two attempts that took too long, and no crash');
	wait_until($node, 'SELECT count(*) = 50 FROM visit', 'the others are done');
	is(value($node, 'SELECT count(DISTINCT patient) FROM visit WHERE attempt = 1'), 50, 'each of them once, at the first attempt');
	value($node, q{DELETE FROM ratchet.finished_task});
	value($node, q{SELECT ratchet.alter_queue('visits', reset => '{timeout,max_attempts}')});
	is_quiet('after time-outs');
};

promise 'a time-out of the session fails a task, and not the run' => sub {
	for my $settings ('{"statement_timeout": "400ms"}', '{"statement_timeout": "400ms", "idle_in_transaction_session_timeout": "100ms", "idle_session_timeout": "100ms"}')
	{
		value($node, qq{SELECT ratchet.alter_queue('visits', settings => '$settings', max_attempts => 1)});
		enqueue(100, '{"and": "sleep", "seconds": 3600}');
		wait_until($node, 'SELECT count(*) = 100 FROM visit', 'the others are done');
		wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead'}, 'the slow one is dead');
		is_deeply(row($node, q{SELECT sqlstate, error FROM ratchet.tasks WHERE state = 'dead'}),
			{ sqlstate => '57014', error => 'the task exceeded statement_timeout' }, 'and says why');
		value($node, q{DELETE FROM ratchet.finished_task});
		# Many that take longer together than one may.
		enqueue(0, ('{"and": "sleep", "seconds": 0.05, "patient": "00000000-0000-0000-0000-000000000003"}') x 20);
		wait_until($node, 'SELECT count(*) = 20 FROM visit', 'the time is that of a task, not of a batch');
	}
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status IN ('failed', 'timed_out')}), 0, 'no run has failed');
	is(value($node, q{SELECT count(*) FROM ratchet.task}), 0, 'no task is left');
	value($node, q{SELECT ratchet.alter_queue('visits', reset => '{settings}')});
};

promise 'an error that looks like the end of the run, and is raised by one task, fails that task' => sub {
	my $failed = value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status NOT IN ('queued', 'running', 'succeeded')});
	enqueue(60, '{"and": "query_canceled"}', '{"and": "unreachable"}');
	wait_until($node, 'SELECT count(*) = 60 FROM visit', 'the others are done');
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.tasks WHERE state = 'dead'}, 'these have failed');
	is(value($node, q{SELECT string_agg(sqlstate, ' ' ORDER BY sqlstate) FROM ratchet.tasks WHERE state = 'dead'}), '08001 57014', 'with what they say');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status NOT IN ('queued', 'running', 'succeeded')}), $failed, 'and no run has');
};

finish();
