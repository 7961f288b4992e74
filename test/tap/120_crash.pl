# What becomes of runs when processes die or the server stops: nothing is lost, nothing is done twice.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE counter (n bigint);
INSERT INTO counter VALUES (0);
CREATE TABLE counted (run_id bigint PRIMARY KEY);
CREATE FUNCTION count_up() RETURNS void BEGIN ATOMIC
	UPDATE counter SET n = n + 1;
	INSERT INTO counted VALUES (ratchet.run_id());
END;
CREATE TABLE effect (job text, run_id bigint, attempt int);
-- Writes, and then is under way until lock 1 is free.
CREATE FUNCTION work(job text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO effect VALUES (job, ratchet.run_id(), ratchet.attempt());
	PERFORM pg_advisory_xact_lock_shared(1);
END $$;
-- The first run is under way until it is stopped.
CREATE FUNCTION stuck(job text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO effect VALUES (job, ratchet.run_id(), ratchet.attempt());
	PERFORM pg_sleep(3600) WHERE NOT EXISTS (SELECT FROM ratchet.run_log r WHERE r.job_name = job);
END $$;
SELECT ratchet.schedule('count', '100 ms', 'SELECT count_up()', backoff => '50 ms');
SQL

# The counter goes on from where it is now: runs start and succeed.
sub wait_count
{
	my ($more, $what) = @_;
	my $n = value($node, 'SELECT n FROM counter');
	wait_until($node, "SELECT n >= $n + $more FROM counter", $what);
	return;
}

# One look, one snapshot: what was done is what is recorded as done.
sub log_agrees
{
	my ($what) = @_;
	is( value(
			$node,
			q{SELECT (SELECT n FROM counter) = (SELECT count(*) FROM ratchet.run_log WHERE job_name = 'count' AND status = 'succeeded')
			     AND NOT EXISTS (SELECT FROM counted FULL JOIN
			             (SELECT run_id FROM ratchet.run_log WHERE job_name = 'count' AND status = 'succeeded') r USING (run_id)
			          WHERE counted.run_id IS NULL OR r.run_id IS NULL)}),
		't',
		$what);
	return;
}

# Starts a run that stays under way, and waits until a crash would find its traces.
sub begin_long_run
{
	my ($name, $command, $options) = @_;
	my $run_id = begin_run($node, $name, $command, $options);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	my $lsn = value($node, 'SELECT pg_current_wal_insert_lsn()');
	wait_until($node, "SELECT pg_current_wal_flush_lsn() >= '$lsn'");
	return $run_id;
}

# A run crashed, was taken up again exactly once, and the second attempt did all of it. After a planned stop it is
# no crash, and the same attempt.
sub was_resumed
{
	my ($job, $run_id, $planned) = @_;
	my ($status, $attempt) = $planned ? ('canceled', 1) : ('crashed', 2);
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id", 'it is taken up again');
	is_run(run_record($node, $run_id), { status => $status, attempt => 1 }, "the run that was cut is recorded as $status");
	is( value($node, "SELECT string_agg(cause || ' ' || attempt || ' ' || status, ', ') FROM ratchet.runs WHERE retry_of = $run_id"),
		"retry $attempt succeeded",
		'there is one retry');
	is( value($node, "SELECT string_agg(attempt || ' ' || (run_id IN (SELECT run_id FROM ratchet.runs WHERE retry_of = $run_id)), ', ') FROM effect WHERE job = '$job'"),
		"$attempt true",
		'what it did was done once');
	return;
}

subtest 'a worker is terminated' => sub {
	my $lock = lock_session($node, 1);
	my $run_id = begin_long_run('cut', q{SELECT work('cut')});
	my $pid = run_record($node, $run_id)->{worker_pid};
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE retry_of = $run_id", 'the run is taken up again at once');
	my $run = run_record($node, $run_id);
	is_run($run, { status => 'crashed', sqlstate => '57P01', worker_pid => $pid }, 'the first attempt is recorded as crashed');
	like($run->{error}, qr/terminating/, 'with the last words of its process');
	wait_count(3, 'other jobs go on meanwhile');
	$lock->quit;
	was_resumed('cut', $run_id);
	log_agrees('the log agrees with the data');
};

# 255 bytes, of characters that take two: somebody who cuts it may cut one of them.
subtest 'a run with the longest name' => sub {
	my $run_id = begin_run($node, "\xc3\x84" x 127 . 'x', 'SELECT pg_terminate_backend(pg_backend_pid())', q{on_crash => 'next'});
	wait_run($node, $run_id, 'crashed');
	is(value($node, "SELECT job_name = repeat(chr(196), 127) || 'x' FROM ratchet.runs WHERE run_id = $run_id"), 't', 'is recorded with all of it');
};

subtest 'a job ends its own session' => sub {
	my $run_id = begin_run($node, 'suicide', 'SELECT pg_terminate_backend(pg_backend_pid())',
		q{backoff => '600 ms', backoff_factor => 2});
	my $third = "(SELECT t FROM ratchet.runs f JOIN ratchet.runs s ON s.retry_of = f.run_id JOIN ratchet.runs t ON t.retry_of = s.run_id WHERE f.run_id = $run_id)";
	wait_until($node, "SELECT ($third).status = 'crashed'", 'it is tried three times');
	is( value(
			$node,
			"SELECT string_agg(attempt || ' ' || status || ' ' || sqlstate, ', ' ORDER BY run_id) FROM (SELECT * FROM ratchet.runs WHERE job_name = 'suicide' AND status = 'crashed' ORDER BY run_id LIMIT 3) r"),
		'1 crashed 57P01, 2 crashed 57P01, 3 crashed 57P01',
		'each attempt is recorded');
	my ($second, $then) = split /\|/, value(
		$node,
		'SELECT extract(epoch FROM after_first) < 1, extract(epoch FROM after_second) >= 1.2 FROM (
			SELECT lead(started_at) OVER w - finished_at AS after_first, lead(started_at, 2) OVER w - lead(finished_at) OVER w AS after_second
			  FROM (SELECT * FROM ratchet.runs WHERE job_name = \'suicide\' ORDER BY run_id LIMIT 3) r
			WINDOW w AS (ORDER BY run_id) LIMIT 1) t');
	is($second, 't', 'the second attempt starts at once');
	is($then, 't', 'the third one after a back-off');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('suicide')});
	log_agrees('other jobs are not disturbed');
};

subtest q{on_crash => 'next' waits for the next occurrence} => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE SEQUENCE tries;
SELECT ratchet.schedule('next', '1 second', on_crash => 'next', misfire => 'all', command =>
	$$SELECT pg_terminate_backend(pg_backend_pid()) WHERE nextval('tries') = 2$$);
SQL
	wait_until($node, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE job_name = 'next' AND status IN ('succeeded', 'crashed')}, 'it runs on');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('next')});
	is( value(
			$node,
			q{SELECT string_agg(status || ' ' || attempt || ' ' || (retry_of IS NULL), ', ' ORDER BY run_id)
			    FROM (SELECT * FROM ratchet.runs WHERE job_name = 'next' ORDER BY run_id LIMIT 3) r}),
		'succeeded 1 true, crashed 1 true, succeeded 1 true',
		'without a retry');
};

subtest 'the scheduler is terminated' => sub {
	my $lock = lock_session($node, 1);
	my $run_id = begin_long_run('unattended', q{SELECT work('unattended')});
	my $pid = run_record($node, $run_id)->{worker_pid};
	my ($scheduler) = terminate_ratchet($node, 'scheduler', 'postgres');
	wait_until($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler' AND datname = 'postgres' AND pid <> $scheduler",
		'another one takes its place');
	wait_count(3, 'jobs go on');
	is_run(run_record($node, $run_id), { status => 'running', worker_pid => $pid }, 'a run that was under way is not disturbed');
	$lock->quit;
	wait_run($node, $run_id, 'succeeded');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'unattended'}), 1, 'and not done twice');
	for (1 .. 3)
	{
		my ($pid) = terminate_ratchet($node, 'scheduler', 'postgres');
		wait_until($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler' AND datname = 'postgres' AND pid <> $pid");
		wait_count(2);
	}
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'count' AND status NOT IN ('succeeded', 'skipped', 'running', 'queued')}),
		0, 'no run is taken for a crashed one');
	log_agrees('the log agrees with the data');
};

subtest 'the launcher is terminated' => sub {
	my ($launcher) = terminate_ratchet($node, 'launcher');
	wait_count(2, 'jobs go on');
	wait_until($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet launcher' AND pid <> $launcher", 'it comes back');
	$node->safe_psql('postgres', 'CREATE DATABASE other');
	$node->safe_psql('other', q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '200 ms', 'SELECT 1')});
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE status = 'succeeded'}, 'and starts the scheduler of a new database',
		db => 'other');
	$node->safe_psql('postgres', 'DROP DATABASE other');
};

subtest 'a worker is killed: the server restarts' => sub {
	my $run_id = begin_long_run('killed', q{SELECT stuck('killed')});
	kill_and_wait($node, run_record($node, $run_id)->{worker_pid});
	was_resumed('killed', $run_id);
	like(run_record($node, $run_id)->{reason}, qr/the server stopped or crashed/, 'the record says why');
	log_agrees('the log agrees with the data');
};

subtest 'processes are terminated at any moment' => sub {
	for my $round (1 .. 4)
	{
		for my $kind (qw(worker scheduler launcher))
		{
			wait_count(1);
			$node->safe_psql('postgres',
				"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet $kind'");
		}
		log_agrees('the log agrees with the data');
	}
	wait_count(3, 'and the job goes on');
};

subtest 'processes are killed at any moment' => sub {
	for my $kind (qw(worker scheduler worker worker))
	{
		wait_count(2);
		my @pids = ratchet_pids($node, $kind, 'postgres');
		kill_and_wait($node, $pids[0]) if @pids;
		log_agrees("after a $kind was killed the log agrees with the data");
		wait_count(1, 'and the job goes on');
	}
};

subtest 'a procedure that keeps a checkpoint goes on behind it' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE step (n int, attempt int);
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN coalesce((ratchet.checkpoint() ->> 'n')::int, 0) + 1 .. 6 LOOP
		INSERT INTO step VALUES (n, ratchet.attempt());
		PERFORM ratchet.save_checkpoint(jsonb_build_object('n', n));
		IF n = 4 AND ratchet.attempt() = 1 THEN
			PERFORM pg_sleep(3600);
		END IF;
		COMMIT;
	END LOOP;
END $$;
SQL
	my $run_id = begin_long_run('steps', 'CALL steps()');
	wait_until($node, 'SELECT count(*) = 3 FROM step');
	my $lsn = value($node, 'SELECT pg_current_wal_insert_lsn()');
	wait_until($node, "SELECT pg_current_wal_flush_lsn() >= '$lsn'");
	kill_and_wait($node, run_record($node, $run_id)->{worker_pid});
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id", 'after a crash it is taken up again');
	is(value($node, q{SELECT string_agg(n || ' ' || attempt, ', ' ORDER BY n) FROM step}), '1 1, 2 1, 3 1, 4 2, 5 2, 6 2',
		'what it committed stays, what it had not is done again');
	is(value($node, q{SELECT count(*) FROM ratchet.job_checkpoint}), 0, 'its success ends the checkpoint');
};

subtest 'workers without work are terminated' => sub {
	run_job($node, 'any', 'SELECT 1');
	terminate_ratchet($node, 'worker', 'postgres');
	is_run(run_job($node, 'any', 'SELECT 1'), { status => 'succeeded', attempt => 1 }, 'others take their place');
	log_agrees('nobody notices');
};

my $stops = 0;
# In mode fast processes go one after the other: what one sees of it differs from time to time.
for my $mode (qw(fast fast fast immediate smart))
{
	subtest "the server is stopped in mode $mode" => sub {
		my $job = "$mode " . ++$stops;
		my $run_id = begin_long_run($job, "SELECT stuck('$job')");
		$node->stop($mode);
		$node->start;
		was_resumed($job, $run_id, $mode ne 'immediate');
		log_agrees('the log agrees with the data');
	};
}

subtest 'a trigger for later survives a restart' => sub {
	my $run_id = value($node, q{SELECT ratchet.schedule('later', '@manual', 'SELECT 1') \g /dev/null
SELECT ratchet.trigger('later', run_at => now() + interval '3 seconds')});
	$node->stop('immediate');
	$node->start;
	is(run_status($node, $run_id), 'queued', 'it waits');
	wait_run($node, $run_id, 'succeeded');
	is(value($node, "SELECT started_at >= scheduled_at FROM ratchet.runs WHERE run_id = $run_id"), 't', 'and starts when it is due');
};

subtest 'every occurrence is accounted for' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('count')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'count' AND status IN ('queued', 'running'))});
	is( value(
			$node,
			q{SELECT sum(occurrences) FILTER (WHERE retry_of IS NULL)
			         - (extract(epoch FROM max(scheduled_at) - min(scheduled_at)) * 10 + 1)::bigint
			    FROM ratchet.runs WHERE job_name = 'count'}),
		'0',
		'by runs, or by rows that say why there was none');
	is( value(
			$node,
			q{SELECT count(*) FROM (SELECT FROM ratchet.runs WHERE job_name = 'count' AND status = 'succeeded' GROUP BY scheduled_at HAVING count(*) > 1) r}),
		'0',
		'none of them was done twice');
	is(value($node, q{SELECT count(*) FROM ratchet.runs c WHERE status = 'crashed' AND job_name = 'count'
	                     AND (SELECT count(*) FROM ratchet.runs r WHERE r.retry_of = c.run_id) <> 1}),
		'0', 'each run that crashed was taken up again once');
	log_agrees('the log agrees with the data');
};

finish();
