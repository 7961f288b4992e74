# Who has a turn when there is more to do than can be done.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 1\n");

promise 'a job that failed has its turn on a server that is never at rest' => sub {
	# Each of them is always due.
	$node->safe_psql('postgres', qq{SELECT ratchet.schedule('busy$_', '5 ms', 'SELECT pg_sleep(0.02)', overlap => 'queue')}) for 1 .. 3;
	wait_until($node, q{SELECT count(*) > 30 FROM ratchet.runs WHERE job_name LIKE 'busy%' AND status = 'succeeded'});
	my $run_id = begin_run($node, 'unlucky', 'SELECT 1 / (ratchet.attempt() - 1)', q{max_attempts => 2, backoff => '50 ms'});
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id", 'the retry runs');
	is(value($node, q{SELECT count(DISTINCT job_name) FROM ratchet.runs WHERE job_name LIKE 'busy%' AND run_id >
			(SELECT run_id FROM ratchet.runs WHERE job_name = 'unlucky' AND attempt = 2)}),
		3, 'while all others go on');
};

# ---- Many runs of one job: some in line, the others aside

sub ask
{
	my ($job, $count) = @_;
	return value($node, qq{SELECT min(ratchet.trigger('$job', jsonb_build_object('n', n))) FROM generate_series(1, $count) AS n});
}

# All have ended, in the order in which they were asked for.
sub all_in_turn
{
	my ($job, $count, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '$job' AND status IN ('queued', 'running'))", undef);
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'"), $count, $what);
	is(value($node, qq{SELECT count(*) FROM (SELECT started_at < lag(finished_at) OVER (ORDER BY run_id) AS early
			FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded') s WHERE early}), 0, '... one after the other, in turn');
	return;
}

# A job whose first run waits for a lock, with many more behind it.
sub block
{
	my ($job, $options) = @_;
	my $lock = lock_session($node, 7);
	$node->safe_psql('postgres', define_job($job, 'SELECT pg_advisory_xact_lock_shared(7)', $options));
	my $first = ask($job, 200);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $first", undef);
	return ($lock, $first);
}

$node->safe_psql('postgres', q{SELECT ratchet.unschedule(job_name) FROM ratchet.jobs; CREATE ROLE heir LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO heir});

promise 'runs that are canceled while they wait hold up nobody' => sub {
	my ($lock, $first) = block('canceled');
	is(value($node, qq{SELECT count(*) FROM generate_series($first + 1, $first + 100) AS r WHERE ratchet.cancel(r)}), 100, 'a hundred');
	$lock->quit;
	all_in_turn('canceled', 100, 'the others run');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'canceled' AND status = 'canceled'}), 100, 'and those do not');
};

promise 'what waits goes with its job to another priority' => sub {
	my ($lock, $first) = block('moved');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('moved', priority => 7)});
	$lock->quit;
	all_in_turn('moved', 200, 'all run');
};

promise 'what waits ends when its job goes to another role' => sub {
	my ($lock, $first) = block('inherited');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('inherited', run_as => 'heir')});
	$lock->quit;
	all_in_turn('inherited', 1, 'what had begun is let finish');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = 'inherited' AND status = 'canceled' AND run_id > $first"),
		199, 'each of the others is recorded');
	my $next = value($node, q{SELECT ratchet.trigger('inherited')});
	wait_run($node, $next, 'succeeded', 'the next one runs');
	is(value($node, "SELECT owner FROM ratchet.runs WHERE run_id = $next"), 'heir', 'as its owner is now');
};

promise 'what stood aside runs side by side when the job may overlap' => sub {
	my ($lock, $first) = block('widened');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('widened', overlap => 'allow')});
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 200 FROM ratchet.runs WHERE job_name = 'widened' AND status = 'succeeded'}, 'all run');
};

promise 'runs that fail, runs that are dropped' => sub {
	my $lock = lock_session($node, 7);
	$node->safe_psql('postgres',
		define_job('failing', q{SELECT pg_advisory_xact_lock_shared(7); SELECT 1 / ((ratchet.payload() ->> 'n')::int % 2)}));
	my $first = ask('failing', 200);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $first", undef);
	$lock->quit;
	wait_until($node, q{SELECT count(*) FILTER (WHERE status = 'failed') = 100 AND count(*) FILTER (WHERE status = 'succeeded') = 100
		FROM ratchet.runs WHERE job_name = 'failing'}, 'a half of them fails, each alone');
	($lock, $first) = block('dropped');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('dropped')});
	wait_until($node, "SELECT count(*) = 199 FROM ratchet.runs WHERE run_id > $first AND status = 'canceled'", 'of a dropped job none waits');
	$lock->quit;
	wait_run($node, $first, 'succeeded', 'and what runs, ends');
};

finish();
