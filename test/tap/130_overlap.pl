# Two runs of one job never overlap unless they may: by schedule, by trigger, in the foreground.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => 'ratchet.max_workers = 8');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE span (job text, run_id bigint, scheduled_at timestamptz, began timestamptz, ended timestamptz);
CREATE FUNCTION work(job text, seconds float8, key bigint DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
	PERFORM pg_sleep(seconds);
	PERFORM pg_advisory_xact_lock_shared(key);
	INSERT INTO span VALUES (job, ratchet.run_id(), ratchet.scheduled_at(), began, clock_timestamp());
END $$;
SQL

my $idle = q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '%s' AND status IN ('queued', 'running'))};

sub overlaps
{
	my ($job) = @_;
	return value($node,
		"SELECT count(*) FROM span a JOIN span b ON a.job = b.job AND a.run_id < b.run_id AND a.ended > b.began AND b.ended > a.began WHERE a.job = '$job'");
}

# No occurrence starts any more; waits for the runs that there are.
sub end_job
{
	my ($job) = @_;
	$node->safe_psql('postgres', "SELECT ratchet.pause_job('$job')");
	wait_until($node, sprintf($idle, $job));
	return;
}

# Whether the lock of the job is shown, as held by the process.
sub lock_of
{
	my ($job, $pid) = @_;
	return value(
		$node,
		"SELECT count(*) FROM pg_locks AS l JOIN ratchet.job ON objid = job_id::oid
		  WHERE locktype = 'advisory' AND objsubid > 2 AND l.mode = 'ExclusiveLock' AND granted AND pid = $pid AND job_name = '$job'");
}

subtest q{overlap => 'skip': an occurrence that comes too early is skipped} => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('skip', '200 ms', 'SELECT work(''skip'', 0.5)')});
	wait_until($node, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE job_name = 'skip' AND status = 'skipped'}, 'it is recorded');
	end_job('skip');
	is(overlaps('skip'), 0, 'two runs never overlap');
	is( value(
			$node,
			q{SELECT bool_and(EXISTS (SELECT FROM ratchet.runs b WHERE b.job_name = 'skip' AND b.status = 'succeeded'
			                             AND s.reason ~ ('already running: run ' || b.run_id || ' \(pid ' || b.worker_pid || '\)')))
			    FROM ratchet.runs s WHERE job_name = 'skip' AND status = 'skipped'}),
		't',
		'the reason names the run that was in the way, and its process');
	is( value(
			$node,
			q{SELECT sum(occurrences) = extract(epoch FROM max(scheduled_at) - min(scheduled_at)) * 5 + 1
			    FROM ratchet.runs WHERE job_name = 'skip'}),
		't',
		'each occurrence is either run or skipped');
};

subtest q{overlap => 'allow': runs go on side by side} => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('allow', '200 ms', 'SELECT work(''allow'', 0.7)', overlap => 'allow')});
	wait_until($node, q{SELECT count(*) > 1 FROM ratchet.running WHERE job_name = 'allow'}, 'two at once');
	end_job('allow');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'allow' AND status <> 'succeeded'}), 0, 'none is skipped');
};

subtest q{overlap => 'queue': runs follow each other} => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('queue', '100 ms', 'SELECT work(''queue'', 0.2)', overlap => 'queue')});
	wait_until($node, q{SELECT count(*) >= 6 FROM span WHERE job = 'queue'});
	end_job('queue');
	is(overlaps('queue'), 0, 'one at a time');
	is( value(
			$node,
			q{SELECT bool_and(step IS NULL OR step = '100 ms') FROM (
				SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY began) AS step FROM span WHERE job = 'queue') s}),
		't',
		'none is left out, and they keep their order');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'queue' AND status <> 'succeeded'}), 0, 'all succeed');
};

subtest 'a trigger while the job runs' => sub {
	my $lock = lock_session($node, 1);
	my $first = begin_run($node, 'busy', 'SELECT work(\'busy\', 0); SELECT pg_advisory_xact_lock_shared(1)');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $first");
	my $bare = value($node, q{SELECT ratchet.trigger('busy')});
	wait_run($node, $bare, 'skipped', 'is content with the run that is under way');
	like(run_record($node, $bare)->{reason}, qr/already running: run $first /, 'and says so');
	my $loaded = value($node, q{SELECT ratchet.trigger('busy', payload => '{"a": 1}')});
	my $insistent = value($node, q{SELECT ratchet.trigger('busy', "coalesce" => false)});
	wait_until($node, "SELECT count(*) = 2 FROM ratchet.runs WHERE status = 'queued' AND run_id IN ($loaded, $insistent)",
		'waits when it has a payload, or asks for a run of its own');
	$lock->quit;
	wait_run($node, $_, 'succeeded') for $first, $loaded, $insistent;
	is(overlaps('busy'), 0, 'one after the other');
};

subtest 'a running job is locked' => sub {
	my $lock = lock_session($node, 1);
	$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE unlock() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_unlock_all();
	COMMIT;
	PERFORM pg_advisory_unlock_all();
	PERFORM pg_advisory_xact_lock_shared(1);
END $$;
SQL
	for my $command ('SELECT pg_advisory_xact_lock_shared(1)', 'SELECT pg_advisory_unlock_all(); SELECT pg_advisory_xact_lock_shared(1)',
		'CALL unlock()')
	{
		my $run_id = begin_run($node, 'locked', $command);
		wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted});
		my $pid = run_record($node, $run_id)->{worker_pid};
		is(lock_of('locked', $pid), 1, "visibly in pg_locks: $command");
		psql_ok($node, q{CALL ratchet.run('locked')});
		is_run(
			row($node, q{SELECT status, started_at, reason FROM ratchet.runs WHERE job_name = 'locked' AND cause = 'foreground' ORDER BY run_id DESC LIMIT 1}),
			{ status => 'skipped', started_at => undef, reason => "already running: run $run_id (pid $pid)" },
			'a run in the foreground is skipped');
		my $trigger = value($node, q{SELECT ratchet.trigger('locked')});
		wait_run($node, $trigger, 'skipped', 'a trigger is skipped');
		$lock->query_safe('SELECT pg_advisory_unlock(1)');
		wait_run($node, $run_id, 'succeeded');
		is(lock_of('locked', $pid), 0, 'until it has ended');
		$lock->query_safe('SELECT pg_advisory_lock(1)');
	}
	$lock->quit;
};

subtest 'a run in the foreground' => sub {
	my $lock = lock_session($node, 1);
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('front', '@manual', 'SELECT pg_advisory_xact_lock_shared(1)')});
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$session->query_until(qr/started/, "\\echo started\nCALL ratchet.run('front');\n\\echo over\n");
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'front' AND pid = $pid AND cause = 'foreground'", 'shows as running');
	my $run_id = value($node, q{SELECT run_id FROM ratchet.running WHERE job_name = 'front'});
	is(lock_of('front', $pid), 1, 'holds the lock of the job');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('front', schedule => '200 ms')});
	wait_until($node, q{SELECT count(*) >= 2 FROM ratchet.runs WHERE job_name = 'front' AND status = 'skipped'}, 'occurrences are skipped meanwhile');
	like(value($node, q{SELECT min(reason) FROM ratchet.runs WHERE job_name = 'front' AND status = 'skipped'}),
		qr/already running: run $run_id \(pid $pid, in the foreground\)/, 'and say why');
	is(value($node, q{SELECT count(*) FROM ratchet.running WHERE job_name = 'front'}), 1, 'nobody else runs it');
	$lock->quit;
	wait_run($node, $run_id, 'succeeded', 'it ends');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'front' AND status = 'succeeded' AND cause <> 'foreground'}, 'and the schedule goes on');
	end_job('front');
	$session->quit;
};

subtest 'a foreground session dies in the run' => sub {
	my $lock = lock_session($node, 1);
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$session->query_until(qr/started/, "\\echo started\nCALL ratchet.run('front');\n");
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE pid = $pid");
	my $run_id = value($node, "SELECT run_id FROM ratchet.running WHERE pid = $pid");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_run($node, $run_id, 'crashed', 'the run is recorded as crashed');
	$lock->quit;
	$session->{run}->kill_kill;
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $run_id AND status = 'queued'", 'what follows from it waits, as the job is paused');
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('front')});
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $run_id AND status = 'succeeded'", 'and comes when it goes on');
	end_job('front');
	is(run_job($node, 'front', 'SELECT 1')->{status}, 'succeeded', 'and the job can run again');
};

subtest 'the scheduler changes while the job runs' => sub {
	# The run lasts until the new scheduler has been seen, however long it takes to come.
	my $lock = lock_session($node, 3);
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('handed_over', '200 ms', 'SELECT work(''handed_over'', 0.1, 3)')});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'handed_over'});
	my $run_id = value($node, q{SELECT run_id FROM ratchet.running WHERE job_name = 'handed_over'});
	my $last = value($node, q{SELECT coalesce(max(run_id), 0) FROM ratchet.runs WHERE job_name = 'handed_over'});
	terminate_ratchet($node, 'scheduler', 'postgres');
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE run_id > $last AND status = 'skipped' AND reason LIKE 'already running: run $run_id %'",
		'the next one skips occurrences for the same run');
	$lock->quit;
	end_job('handed_over');
	is(run_status($node, $run_id), 'succeeded', 'which ends as it would have');
	is(overlaps('handed_over'), 0, 'two runs never overlap');
};

finish();
