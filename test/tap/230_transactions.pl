# The SQL API is transactional: what it does takes effect at commit, at once, and vanishes on rollback.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE TABLE done (what text, at timestamptz DEFAULT clock_timestamp());
	SELECT ratchet.schedule('plain', '@manual', $$INSERT INTO done VALUES ('plain')$$);
	SELECT ratchet.schedule('slow', '@manual', 'SELECT pg_sleep(600)')});

sub jobs_and_runs
{
	return value($node, q{
		SELECT (SELECT count(*) FROM ratchet.jobs) || ' ' || (SELECT count(*) FROM ratchet.runs)
			|| ' ' || (SELECT string_agg(command || enabled || priority, ',' ORDER BY job_id) FROM ratchet.jobs)});
}

# Every change, in a transaction that ends with $end.
sub changes
{
	my ($running, $waiting) = @_;
	return qq{
		SELECT ratchet.schedule('ghost', '50 ms', 'SELECT 1');
		SELECT ratchet.trigger('plain');
		SELECT ratchet.trigger('plain', "coalesce" => false);
		SELECT ratchet.alter_job('plain', command => 'SELECT 1/0');
		SELECT ratchet.pause_job('plain');
		SELECT ratchet.cancel($running);
		SELECT ratchet.cancel($waiting);
		SELECT ratchet.unschedule('slow')};
}

# Something that the scheduler did after all that was asked of it before: it keeps the order.
sub scheduler_is_through
{
	my $run = value($node, q{SELECT ratchet.trigger('plain')});
	return wait_run($node, $run, 'succeeded', 'a run later');
}

sub running_and_waiting
{
	my $running = value($node, q{SELECT ratchet.trigger('slow')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $running", 'a run is running');
	my $waiting = value($node, q{SELECT ratchet.trigger('plain', run_at => now() + interval '1 day')});
	return ($running, $waiting);
}

for my $end ([ 'ROLLBACK', 'BEGIN', 'ROLLBACK' ],
	[ 'ROLLBACK TO SAVEPOINT', 'BEGIN; SAVEPOINT s', 'ROLLBACK TO SAVEPOINT s; COMMIT' ],
	[ 'the error of a block', 'DO $block$BEGIN', q{RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END$block$} ])
{
	my ($name, $begin, $finish) = @$end;
	promise "all of it vanishes on $name" => sub {
		my ($running, $waiting) = running_and_waiting();
		my $before = jobs_and_runs();
		my $changes = changes($running, $waiting);
		$changes =~ s/SELECT ratchet/PERFORM ratchet/g if $begin =~ /^DO/;
		psql_ok($node, $begin =~ /^DO/ ? "$begin $changes; $finish" : "$begin; $changes; $finish", "changes and $name");
		is(jobs_and_runs(), $before, 'nothing has changed');
		scheduler_is_through();
		is(run_status($node, $running), 'running', 'the run that was to be canceled is running');
		is(run_status($node, $waiting), 'queued', 'the one that was to be canceled waits');
		is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'ghost'}), 0,
			'the job that never was has not run');
		value($node, "SELECT ratchet.cancel($running); SELECT ratchet.cancel($waiting)");
		wait_run($node, $running, 'canceled', 'it can be canceled');
		is(run_status($node, $waiting), 'canceled', 'and so can the other one');
	};
}

promise 'nothing starts before the commit' => sub {
	my $session = session($node);
	my $run = $session->query_safe(q{
		BEGIN;
		SELECT ratchet.schedule('early', '20 ms', $$INSERT INTO done VALUES ('early')$$) \g /dev/null
		SELECT ratchet.alter_job('plain', priority => 1) \g /dev/null
		SELECT ratchet.trigger('early')});
	scheduler_is_through();
	is(value($node, q{SELECT count(*) FROM done WHERE what = 'early'}), 0, 'nothing has started');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $run"), 0, 'nothing is seen');
	$session->query_safe('COMMIT');
	wait_run($node, $run, 'succeeded', 'it starts after it');
	wait_until($node, q{SELECT count(*) > 3 FROM done WHERE what = 'early'}, 'and so does the job');
	$session->quit;
	value($node, q{SELECT ratchet.unschedule('early')});
};

promise 'a commit is followed by the run within milliseconds' => sub {
	scheduler_is_through();    # there is a worker, warm
	my @lags;
	for (1 .. 20)
	{
		my $run = value($node, q{SELECT ratchet.trigger('plain')});
		value($node, "SELECT ratchet.wait($run)");
		push @lags, value($node,
			"SELECT extract(epoch FROM started_at - queued_at) * 1000 FROM ratchet.runs WHERE run_id = $run");
	}
	@lags = sort { $a <=> $b } @lags;
	note("lags in milliseconds: @lags");
	# On a machine that does other things as well.
	cmp_ok($lags[10], '<', within(50), 'the median');
};

promise '100 triggers in a transaction share one run' => sub {
	my $runs = value($node, q{
		SELECT count(DISTINCT ratchet.trigger('plain')) || ' ' || count(*) FROM generate_series(1, 100)});
	is($runs, '1 100', 'one run id');
	my $last = value($node, 'SELECT max(run_id) FROM ratchet.runs');
	wait_run($node, $last, 'succeeded', 'it runs');
	scheduler_is_through();
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = 'plain' AND run_id > $last"), 1,
		'once');
};

promise 'triggers with payloads of their own are runs of their own' => sub {
	is( value($node, q{
			SELECT count(DISTINCT ratchet.trigger('plain', payload => jsonb_build_object('n', i % 3)))
			FROM generate_series(1, 30) AS i}),
		3, 'as many as there are payloads');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE payload ? 'n' AND status = 'succeeded'},
		'they run');
};

promise 'triggers that do not coalesce are runs, one after the other' => sub {
	value($node, q{
		CREATE TABLE spans (run_id bigint, started timestamptz, ended timestamptz);
		SELECT ratchet.schedule('each', '@manual',
			$$INSERT INTO spans SELECT ratchet.run_id(), now(), clock_timestamp()$$)});
	is( value($node, q{
			SELECT count(DISTINCT ratchet.trigger('each', "coalesce" => false)) FROM generate_series(1, 100)}),
		100, 'hundred run ids');
	wait_until($node, q{SELECT count(*) = 100 FROM ratchet.runs WHERE job_name = 'each' AND status = 'succeeded'},
		'hundred runs');
	is(value($node, 'SELECT count(DISTINCT run_id) || \' \' || count(*) FROM spans'), '100 100', 'once each');
	is( value($node, q{
			SELECT count(*) FROM (SELECT started < lag(ended) OVER (ORDER BY run_id) AS early FROM spans) s
			WHERE early}),
		0, 'none began before the one before had ended');
};

promise 'run_at: not before that time' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('plain', run_at => clock_timestamp() + interval '700 ms')});
	my $sooner = value($node, q{SELECT ratchet.trigger('plain')});
	isnt($sooner, $run, 'a trigger for now is another run');
	wait_run($node, $sooner, 'succeeded', 'which does not wait for it');
	wait_run($node, $run, 'succeeded', 'it runs');
	is( value($node, "SELECT started_at >= scheduled_at AND started_at < scheduled_at + interval '5 s' FROM ratchet.runs WHERE run_id = $run"),
		't', 'when it is time');
};

promise 'a run that waits is shared by those who ask for the same instant and payload' => sub {
	my $at = "run_at => '2100-01-01 12:00+00'";
	my $run = value($node, "SELECT ratchet.trigger('plain', $at)");
	is(value($node, "SELECT ratchet.trigger('plain', run_at => '2100-01-01 13:00+01')"), $run, 'the same instant, however it is written');
	my @others = map { value($node, "SELECT ratchet.trigger('plain', $_)") } (
		"run_at => '2100-01-01 12:00:00.000001+00'", qq{$at, payload => '{"a": 1}'}, qq{$at, "coalesce" => false});
	is(scalar(grep { $_ == $run } @others), 0, 'another instant, another payload, and one that wants none to be shared');
	is(value($node, qq{SELECT ratchet.trigger('plain', $at, payload => '{ "a":1 }')}), $others[1], 'a payload is compared as jsonb');
	# A change trigger asks for a run of its own, which nobody shares.
	value($node, q{CREATE TABLE changed (x int); SELECT ratchet.trigger_on_change('changed', 'plain', debounce => '1 hour');
		INSERT INTO changed VALUES (1)});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.run_queue WHERE on_change}, 'a change asks for a run');
	my $change = value($node, q{SELECT run_id FROM ratchet.run_queue WHERE on_change});
	my $now = value($node, q{SELECT ratchet.trigger('plain')});
	isnt($now, $change, 'a trigger for now does not wait for it');
	wait_run($node, $now, 'succeeded', 'and runs');
	is(value($node, "SELECT bool_and(ratchet.cancel(r)) FROM unnest(ARRAY[$run, $change, " . join(', ', @others) . ']) r'), 't',
		'they wait until they are canceled');
	value($node, q{DROP TABLE changed});
};

promise 'a run whose trigger commits after its job is gone is canceled, also while the job still runs' => sub {
	value($node, q{SELECT ratchet.schedule('going', '@manual', 'SELECT pg_sleep(600)', overlap => 'allow')});
	my $running = value($node, q{SELECT ratchet.trigger('going')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $running", 'it runs');
	my $late  = session($node);
	my $asked = $late->query_safe(q{BEGIN; SELECT ratchet.trigger('going')});
	value($node, q{SELECT ratchet.unschedule('going')});
	scheduler_is_through();
	$late->query_safe('COMMIT');
	wait_run($node, $asked, 'canceled', 'the run that was asked for is canceled');
	is(value($node, "SELECT reason FROM ratchet.runs WHERE run_id = $asked"), 'the job was unscheduled', 'and says why');
	is(value($node, "SELECT status FROM ratchet.runs WHERE run_id = $running"), 'running', 'the other one is let finish');
	value($node, "SELECT ratchet.cancel($running)");
	wait_run($node, $running, 'canceled', 'by hand it ends');
	$late->quit;
};

promise 'to wait for a run of the same transaction is an error, not an endless wait' => sub {
	psql_fails($node, q{BEGIN; SELECT ratchet.wait(ratchet.trigger('plain'))},
		qr/ERROR:  55000.*triggered in this transaction.*HINT:  COMMIT/s, 'wait');
	psql_fails($node, q{SELECT ratchet.wait(ratchet.trigger('plain'))}, qr/ERROR:  55000/,
		'in one statement');
	psql_fails($node, q{SELECT ratchet.wait(-1)}, qr/ERROR:  42704/, 'a run that does not exist');
};

promise 'wait returns how things stand when its time is over' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('slow')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run", 'it runs');
	is(value($node, "SELECT ratchet.wait($run, '50 ms')"), 'running', 'a run that is running');
	is(value($node, "SELECT ratchet.wait($run, '0')"), 'running', 'without waiting at all');
	my $later = value($node, q{SELECT ratchet.trigger('plain', run_at => now() + interval '1 day')});
	is(value($node, "SELECT ratchet.wait($later, '50 ms')"), 'queued', 'a run that waits');
	is(value($node, "CALL ratchet.wait_for($later, '50 ms')"), 'queued', 'wait_for as well');
	value($node, "SELECT ratchet.cancel($run); SELECT ratchet.cancel($later)");
	is(value($node, "SELECT ratchet.wait($run, '30 s')"), 'canceled', 'the final status');
	is(value($node, "CALL ratchet.wait_for($later)"), 'canceled', 'wait_for as well');
};

promise 'wait_for holds no snapshot, so that a job may CREATE INDEX CONCURRENTLY' => sub {
	value($node, q{
		CREATE TABLE indexed AS SELECT generate_series(1, 1000) AS a;
		SELECT ratchet.schedule('index', '@manual', 'CREATE INDEX CONCURRENTLY indexed_a ON indexed (a)')});
	# A transaction holds the job up, so that there is time for a look at the waiting session.
	my $holder = session($node);
	$holder->query_safe('BEGIN; LOCK TABLE indexed IN ROW EXCLUSIVE MODE');
	my $run = value($node, q{SELECT ratchet.trigger('index')});
	my $waiter = session($node);
	my $pid = $waiter->query_safe('SELECT pg_backend_pid()');
	$waiter->query_until(qr/sent/, "\\echo sent\nCALL ratchet.wait_for($run, '2 minutes') \\g\n\\echo through\n");
	wait_until($node, qq{
		SELECT state = 'active' AND query LIKE 'CALL%' AND wait_event_type = 'Extension' AND backend_xmin IS NULL
		FROM pg_stat_activity WHERE pid = $pid}, 'the session waits, without a snapshot');
	$holder->query_safe('COMMIT');
	wait_run($node, $run, 'succeeded', 'the index is built');
	like($waiter->query_until(qr/through/, ''), qr/succeeded/, 'and the session is told');
	psql_fails($node, "BEGIN; CALL ratchet.wait_for($run)", qr/ERROR:  25001/, 'it needs a transaction of its own');
	$_->quit for $holder, $waiter;
};

promise 'a session that waits can be canceled' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('plain', run_at => now() + interval '1 day')});
	psql_fails($node, "SET statement_timeout = '100 ms'; SELECT ratchet.wait($run)", qr/ERROR:  57014/, 'wait');
	psql_fails($node, "SET statement_timeout = '100 ms'; CALL ratchet.wait_for($run)", qr/ERROR:  57014/, 'wait_for');
	value($node, "SELECT ratchet.cancel($run)");
};

promise 'two-phase commit: what a prepared transaction did counts when it is committed' => sub {
	my $run = value($node, q{
		BEGIN;
		SELECT ratchet.schedule('prepared', '50 ms', $$INSERT INTO done VALUES ('prepared')$$) \g /dev/null
		SELECT ratchet.trigger('plain');
		PREPARE TRANSACTION 'later'});
	scheduler_is_through();
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'prepared'}), 0, 'not before');
	psql_ok($node, q{COMMIT PREPARED 'later'}, 'COMMIT PREPARED');
	wait_run($node, $run, 'succeeded', 'what was triggered runs');
	wait_until($node, q{SELECT count(*) > 1 FROM done WHERE what = 'prepared'}, 'the job runs');
	psql_ok($node, q{
		BEGIN; SELECT ratchet.unschedule('prepared'); PREPARE TRANSACTION 'never'; ROLLBACK PREPARED 'never'},
		'ROLLBACK PREPARED');
	my $count = value($node, q{SELECT count(*) FROM done WHERE what = 'prepared'});
	wait_until($node, "SELECT count(*) > $count + 2 FROM done WHERE what = 'prepared'", 'the job goes on');
	value($node, q{SELECT ratchet.unschedule('prepared')});
};

promise 'two-phase commit: a cancel counts, or is refused' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('slow')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run", 'a run');
	my ($status, $out, $err) = $node->psql('postgres',
		"BEGIN; SELECT ratchet.cancel($run); PREPARE TRANSACTION 'cancel'");
	if ($status == 0 && $err eq '')
	{
		scheduler_is_through();
		is(run_status($node, $run), 'running', 'not before the commit');
		value($node, q{COMMIT PREPARED 'cancel'});
		wait_run($node, $run, 'canceled', 'it is canceled', timeout => 10);
	}
	else
	{
		like($err, qr/prepare/i, 'refused with a reason');
		value($node, "SELECT ratchet.cancel($run)");
	}
};

finish();
