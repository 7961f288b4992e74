# Runs that are stopped: by their timeout, by ratchet.cancel(), and against their will.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => 'ratchet.cancel_grace = 300ms');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE effect (n int);
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice, bob;
-- Takes no notice of being cancelled.
CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		BEGIN
			PERFORM pg_sleep(60);
		EXCEPTION WHEN query_canceled THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT ratchet.schedule('neighbour', '200 ms', 'SELECT 1');
SQL

# Seconds from the start of a run to its end.
sub seconds
{
	my ($run_id) = @_;
	return value($node, "SELECT extract(epoch FROM duration) FROM ratchet.runs WHERE run_id = $run_id");
}

sub begin_and_wait
{
	my (@arguments) = @_;
	my $run_id = begin_run($node, @arguments);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	return $run_id;
}

sub neighbour_goes_on
{
	my $n = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'neighbour' AND status = 'succeeded'});
	wait_until($node, "SELECT count(*) > $n FROM ratchet.runs WHERE job_name = 'neighbour' AND status = 'succeeded'", 'other jobs go on');
	return;
}

subtest 'timeout' => sub {
	my $run = run_job($node, 'slow', 'INSERT INTO effect VALUES (1); SELECT pg_sleep(60)', q{timeout => '500 ms'});
	is_run($run, { status => 'timed_out', sqlstate => '57014' }, 'a run that takes longer is timed_out');
	like($run->{error}, qr/timeout/, 'and says so');
	my $took = seconds($run->{run_id});
	cmp_ok($took, '>=', 0.5, 'not before its time');
	cmp_ok($took, '<', within(1.5), 'within a second');
	is(value($node, 'SELECT count(*) FROM effect'), 0, 'its work is undone');
	is_run(run_job($node, 'slow', 'SELECT pg_sleep(0.1)', q{timeout => '10 s'}), { status => 'succeeded' }, 'a run that is in time is not touched');
	is_run(
		run_job($node, 'loop', 'DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$', q{timeout => '300 ms'}),
		{ status => 'timed_out' },
		'an endless loop too');
	my $lock = lock_session($node, 1);
	is_run(
		run_job($node, 'waits', 'SELECT pg_advisory_lock(1)', q{timeout => '300 ms'}),
		{ status => 'timed_out' },
		'so is one that waits for a lock');
	$lock->quit;
	is_run(
		run_job($node, 'each', 'INSERT INTO effect VALUES (2); SELECT pg_sleep(60)', q{timeout => '300 ms', transaction => 'per_statement'}),
		{ status => 'timed_out' },
		'with per_statement the timeout is that of the run');
	is(value($node, 'SELECT count(*) FROM effect'), 1, 'and what was committed stays');
	is(value($node, q{SELECT consecutive_failures FROM ratchet.jobs WHERE job_name = 'loop'}), 1, 'it counts as a failure');
};

subtest 'a run that swallows its timeout is terminated' => sub {
	my $run = run_job($node, 'stubborn', 'SELECT stubborn()', q{timeout => '300 ms'});
	is_run($run, { status => 'timed_out', sqlstate => '57P01' }, 'and is timed_out');
	like($run->{reason}, qr/terminated/, 'the record says that it was terminated');
	cmp_ok(seconds($run->{run_id}), '<', within(3), 'after ratchet.cancel_grace');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'stubborn' AND cause = 'retry'}), 0, 'it is not taken for a crash');
	neighbour_goes_on();
};

subtest 'ratchet.cancel()' => sub {
	my $run_id = begin_and_wait('canceled', 'INSERT INTO effect VALUES (3); SELECT pg_sleep(60)');
	is(value($node, "SELECT ratchet.cancel($run_id)"), 't', 'is true for a run that is running');
	wait_run($node, $run_id, 'canceled');
	is_run(run_record($node, $run_id), { sqlstate => '57014' }, 'with its SQLSTATE');
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 3'), 0, 'its work is undone');
	is(value($node, q{SELECT consecutive_failures FROM ratchet.jobs WHERE job_name = 'canceled'}), 0, 'it is no failure of the job');
	is(value($node, "SELECT ratchet.cancel($run_id)"), 'f', 'false for a run that has ended');

	my $later = value($node, q{SELECT ratchet.trigger('canceled', run_at => now() + interval '1 hour')});
	is(value($node, "SELECT ratchet.cancel($later)"), 't', 'true for a run that waits');
	is(run_status($node, $later), 'canceled', 'which never starts');
	is(run_record($node, $later)->{started_at}, undef, 'and has no start');
	is_run(run_job($node, 'canceled', 'SELECT 1'), { status => 'succeeded' }, 'the job itself goes on');
	psql_fails($node, 'SELECT ratchet.cancel(1000000)', qr/42704: run 1000000 does not exist/, 'a run that does not exist is an error');
};

subtest 'a run that waits for a worker is canceled at once' => sub {
	my $one = new_node('one', conf => "ratchet.cancel_grace = 10min\n"
		# Launcher and scheduler leave a place for one worker.
		. "max_worker_processes = 3\nmax_logical_replication_workers = 0\nmax_parallel_workers = 0");
	value($one, q{CREATE TABLE effect (n int)});
	# So much is laid out ahead for a worker only of a role whose runs are short. On a slow server it is less, and
	# some of those that are canceled are not claimed yet.
	run_job($one, 'short', 'SELECT 1');
	value($one, q{SELECT count(ratchet.trigger('short', "coalesce" => false)) FROM generate_series(1, 100)});
	wait_until($one, q{SELECT count(*) = 101 FROM ratchet.runs WHERE job_name = 'short' AND status = 'succeeded'});
	my $lock = lock_session($one, 1);
	my $first = begin_run($one, 'first', 'SELECT pg_advisory_xact_lock(1)');
	wait_until($one, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $first");
	# The first and the last one of the line as well as one between them.
	my @waiting = map { begin_run($one, "waits$_", 'INSERT INTO effect VALUES (1)') } 1 .. 4;
	wait_until($one, "SELECT claimed_at IS NOT NULL FROM ratchet.run_queue WHERE run_id = $waiting[0]", 'they are about to run');
	my ($last) = splice(@waiting, 1, 1);
	for my $run_id (@waiting[ 1, 0, 2 ])
	{
		is(value($one, "SELECT ratchet.cancel($run_id)"), 't', 'cancel is true');
		wait_run($one, $run_id, 'canceled', 'it does not wait for the worker');
		my $record = run_record($one, $run_id);
		is_run($record, { started_at => undef, worker_pid => undef, sqlstate => undef }, 'it has not started');
		like($record->{reason}, qr/^canceled( by role ".*")? before it started$/, 'and its record says so');
	}
	is( value(
			$one,
			q{SELECT string_agg(concat_ws(' ', color, last_status, runs_24h), ', ') FROM ratchet.job_health WHERE job_name ~ '^waits'}),
		'gray 0, gray 0, gray 0, gray 0',
		'no run of these jobs has been');
	is(run_status($one, $first), 'running', 'which is busy all the time');
	is(run_status($one, $last),  'queued',  'the one that was left waits for it');
	$lock->quit;
	wait_run($one, $_, 'succeeded', 'and runs') for $first, $last;
	is(value($one, 'SELECT count(*) FROM effect'), 1, 'nothing was done by the others');
	is_run(run_job($one, 'third', 'SELECT 1'), { status => 'succeeded' }, 'the next run is not meant');
	$one->stop;
};

subtest 'a cancel that is rolled back does not happen' => sub {
	my $lock = lock_session($node, 1);
	my $run_id = begin_and_wait('spared', 'SELECT pg_advisory_xact_lock(1)');
	my $later = value($node, q{SELECT ratchet.trigger('canceled', run_at => now() + interval '1 hour')});
	$node->safe_psql('postgres', "BEGIN; SELECT ratchet.cancel($run_id), ratchet.cancel($later); ROLLBACK");
	is(run_status($node, $later), 'queued', 'to a run that waits');
	$lock->quit;
	wait_run($node, $run_id, 'succeeded', 'to one that is running');
	$node->safe_psql('postgres', "SELECT ratchet.cancel($later)");
};

subtest 'a run that swallows its cancel is terminated' => sub {
	my $run_id = begin_and_wait('stubborn', 'SELECT stubborn()');
	$node->safe_psql('postgres', "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
	is_run(run_record($node, $run_id), { sqlstate => '57P01' }, 'its process was ended');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'stubborn' AND cause = 'retry'}), 0, 'it is not taken up again');
	neighbour_goes_on();
};

subtest 'who may cancel' => sub {
	my $run_id = begin_and_wait('of_alice', 'SELECT pg_sleep(60)', undef, user => 'alice');
	psql_fails($node, "SELECT ratchet.cancel($run_id)", qr/ERROR:  42/, 'not another role', user => 'bob');
	is(run_status($node, $run_id), 'running', 'the run goes on');
	psql_ok($node, "SELECT ratchet.cancel($run_id)", 'its owner', user => 'alice');
	wait_run($node, $run_id, 'canceled');
	$run_id = begin_and_wait('of_alice', 'SELECT pg_sleep(60)', undef, user => 'alice');
	psql_ok($node, "SELECT ratchet.cancel($run_id)", 'and a superuser');
	wait_run($node, $run_id, 'canceled');
};

subtest 'pg_cancel_backend() by hand' => sub {
	my $run_id = begin_and_wait('by_hand', 'SELECT pg_sleep(60)');
	my $pid = run_record($node, $run_id)->{worker_pid};
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	wait_run($node, $run_id, 'failed');
	is_run(run_record($node, $run_id), { sqlstate => '57014' }, 'is a failure with its SQLSTATE');
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	is_run(run_job($node, 'by_hand', 'SELECT 1'), { status => 'succeeded' }, 'a cancel between two runs meets nobody');
};

finish();
