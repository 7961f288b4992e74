# What goes on with the walk of an earlier run belongs to that walk: when another run has completed it, or its
# checkpoint was given up, the rest is nothing, and no item is done twice.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
# Keys of people: out of order, text, beside a column that was dropped.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (gone int, id text PRIMARY KEY, other int UNIQUE NOT NULL, n int NOT NULL DEFAULT 0);
INSERT INTO account (id, other) SELECT md5(i::text), i FROM generate_series(1, 30) i;
ALTER TABLE account DROP COLUMN gone;
CREATE TABLE broken (what text);
CREATE FUNCTION one_more(k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE account SET n = n + 1 WHERE id = k;
	IF EXISTS (SELECT FROM broken) AND (SELECT count(*) FROM account WHERE n = 1) > 12 THEN
		RAISE EXCEPTION USING ERRCODE = 'io_error', MESSAGE = 'not now';
	END IF;
END $$;
SQL

# A window that is closed for days: it holds the rest of a walk, and no run in the foreground.
my $closed = q{(SELECT string_agg(to_char(now() + n * interval '1 day', 'Dy'), ',') || ' 00:00-23:00' FROM generate_series(3, 4) n)};

# A walk that is cut after its first batch, with its rest in the queue, where it stays. Then what the caller does.
sub cut_walk
{
	my ($job, $options, $and_then) = @_;
	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', qq{
		UPDATE account SET n = 0;
		SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT id FROM account', 'SELECT one_more(\$1)',
			batch_size => 10, max_run_time => '1 ms', active_window => $closed$options);
		CALL ratchet.run('$job')});
	return rest_of($job, $and_then);
}

sub rest_of
{
	my ($job, $and_then) = @_;
	wait_until($node, qq{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = '$job' AND cause = 'catchup' AND status = 'queued'},
		'the walk is cut, and its rest waits');
	my $rest = value($node, qq{SELECT run_id FROM ratchet.runs WHERE job_name = '$job' AND cause = 'catchup'});
	$node->safe_psql('postgres', $and_then);
	return $rest;
}

# What the job has left to do may begin.
sub open_window
{
	my ($job) = @_;
	return "SELECT ratchet.alter_job('$job', reset => '{active_window,max_run_time}')";
}

sub is_nothing
{
	my ($rest, $what) = @_;
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $rest");
	is_run(run_record($node, $rest), { status => 'skipped', reason => 'the walk that it was to go on with has ended', items_done => undef }, $what);
	return;
}

sub counts { return value($node, q{SELECT string_agg(n || ' x ' || c, ', ' ORDER BY n) FROM (SELECT n, count(*) AS c FROM account GROUP BY n) a}); }

promise 'a run in the foreground completes the walk' => sub {
	my $rest = cut_walk('front', undef, q{SELECT ratchet.alter_job('front', reset => '{max_run_time}'); CALL ratchet.run('front')});
	is_nothing($rest, 'the rest is nothing, before its window opens');
	is(counts(), '1 x 30', 'each item is done once');
	$node->safe_psql('postgres', open_window('front'));
	my $next = value($node, q{SELECT ratchet.trigger('front')});
	wait_run($node, $next, 'succeeded');
	is(counts(), '2 x 30', 'the next run is a walk of its own');
};

promise 'the checkpoint is given up' => sub {
	my $rest = cut_walk('reset', undef, q{SELECT ratchet.reset_checkpoint('reset'); } . open_window('reset'));
	is_nothing($rest, 'the rest is nothing');
	is(counts(), '0 x 20, 1 x 10', 'what was left is left to the next run');
};

promise 'the job gets another key' => sub {
	my $rest = cut_walk('rekeyed', undef, q{SELECT ratchet.alter_job('rekeyed', source => 'SELECT id, other FROM account', key => '{other}')});
	is_nothing($rest, 'the rest is nothing');
	is(counts(), '0 x 20, 1 x 10', 'what was left is left to the next run');
};

promise 'nobody has gone on with the walk' => sub {
	my $rest = cut_walk('plain', undef, open_window('plain'));
	wait_run($node, $rest, 'succeeded', 'the rest goes on with it');
	is(counts(), '1 x 30', 'and each item is done once');
};

promise 'an incremental job goes on behind its checkpoint, whoever was before' => sub {
	my $rest = cut_walk('more', q{mode => 'incremental'},
		q{SELECT ratchet.alter_job('more', reset => '{max_run_time}'); CALL ratchet.run('more'); INSERT INTO account VALUES ('zzz', 31); } . open_window('more'));
	wait_run($node, $rest, 'succeeded', 'the rest does what has come since');
	is(counts(), '1 x 31', 'each item is done once');
	$node->safe_psql('postgres', q{DELETE FROM account WHERE id = 'zzz'});
};

promise 'a new attempt at a walk that failed on its way' => sub {
	$node->safe_psql('postgres', q{UPDATE account SET n = 0; INSERT INTO broken VALUES ('yes')});
	my $run = begin_batch($node, 'failed', 'SELECT id FROM account', 'SELECT one_more($1)', q{batch_size => 10, max_attempts => 5, backoff => '1 hour'});
	wait_run($node, $run, 'failed');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $run AND status = 'queued'");
	my $retry = value($node, "SELECT run_id FROM ratchet.runs WHERE retry_of = $run");
	$node->safe_psql('postgres', 'TRUNCATE broken');
	wait_run($node, value($node, q{SELECT ratchet.trigger('failed')}), 'succeeded');
	is_nothing($retry, 'is nothing when another run has completed it');
	is(counts(), '1 x 30', 'each item is done once');
};

promise 'a walk that has ended before the scheduler has come to the run that had failed on its way' => sub {
	$node->safe_psql('postgres', q{
		UPDATE account SET n = 0; INSERT INTO broken VALUES ('yes');
		SELECT ratchet.schedule_batch('behind', '@manual', 'SELECT id FROM account', 'SELECT one_more($1)', batch_size => 10, max_attempts => 5, backoff => '1 ms')});
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	kill 'STOP', $scheduler;
	psql_fails($node, q{CALL ratchet.run('behind')}, qr/not now/, 'a run fails on its way');
	$node->safe_psql('postgres', q{TRUNCATE broken; CALL ratchet.run('behind')});
	is(counts(), '1 x 30', 'another one completes the walk');
	kill 'CONT', $scheduler;
	wait_until($node, q{SELECT array_agg(status ORDER BY run_id) = '{failed,succeeded}' FROM ratchet.runs WHERE job_name = 'behind'}, 'the scheduler comes to it');
	run_job($node, 'meanwhile', 'SELECT 1');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'behind'}), 2, 'there is nothing to try again');
	is(counts(), '1 x 30', 'each item is done once');
};

promise 'the checkpoint is given up when the rest of the walk waits for a worker' => sub {
	my $rest = cut_walk('late', undef, 'SELECT 1');
	# Workers that have nothing to do, and do not wake when there is something.
	run_job($node, 'short', 'SELECT 1');
	my @workers = ratchet_pids($node, 'worker', 'postgres');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running}, 'workers are idle');
	kill 'STOP', @workers;
	value($node, open_window('late'));
	wait_until($node, "SELECT claimed_at IS NOT NULL FROM ratchet.run_queue WHERE run_id = $rest", 'the rest is claimed');
	is(run_status($node, $rest), 'queued', 'and waits for a worker');
	is(value($node, q{SELECT ratchet.reset_checkpoint('late')}), 't', 'its checkpoint is given up');
	kill 'CONT', @workers;
	is_nothing($rest, 'it is nothing');
	is(counts(), '0 x 20, 1 x 10', 'no item is done twice');
};

promise 'a replay goes on with its own walk' => sub {
	$node->safe_psql('postgres', 'UPDATE account SET n = 0');
	my $run = run_batch($node, 'again', 'SELECT id FROM account', 'SELECT one_more($1)', q{batch_size => 10, max_run_time => '1 ms'});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'again' AND status = 'succeeded'});
	is(counts(), '1 x 30', 'the run and its rest do each item once');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id})");
	$node->safe_psql('postgres', q{CALL ratchet.run('again')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.job_checkpoint c JOIN ratchet.job USING (job_id) WHERE job_name = 'again')});
	is( value($node, "SELECT string_agg(DISTINCT status, ' ') FROM ratchet.runs WHERE replay_of = $run->{run_id} AND status <> 'partial'"),
		'succeeded', 'and comes to its end');
	is(value($node, 'SELECT sum(n) FROM account'), 60 + $run->{items_done}, 'it does the items of the run again, and the walk beside it all of them');
};

# What a backfill has done, in the order in which it was: the occurrence, and how many items of it.
sub done_of_days
{
	return value($node, q{SELECT string_agg(to_char(at, 'DD') || ': ' || n || ' of ' || d, ', ' ORDER BY first)
		FROM (SELECT at, min(n) AS first, count(*) AS n, count(DISTINCT id) AS d FROM effect GROUP BY at) e});
}

$node->safe_psql('postgres', 'CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, id text, at timestamptz)');
my $of_its_day = 'INSERT INTO effect (id, at) SELECT $1, ratchet.scheduled_at()';

sub backfill_days
{
	my ($job, $options, $days, $action) = @_;
	$action //= $of_its_day;
	return $node->safe_psql('postgres', qq{
		SET TIME ZONE 'UTC';
		TRUNCATE effect;
		SELECT ratchet.schedule_batch('$job', '\@daily', 'SELECT id FROM account', '$action', time_zone => 'UTC', batch_size => 10, $options);
		SELECT ratchet.backfill('$job', '2026-03-01 00:00Z', '2026-03-0$days 12:00Z')});
}

sub wait_backfilled
{
	my ($job) = @_;
	return wait_until($node, qq{SELECT NOT EXISTS (SELECT FROM ratchet.backfills WHERE job_name = '$job')
		AND NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '$job' AND status IN ('queued', 'running'))});
}

promise 'the rest of a run of a backfill comes before its next occurrence' => sub {
	backfill_days('days', q{max_run_time => '1 ms'}, 3);
	wait_backfilled('days');
	is(done_of_days(), '01: 30 of 30, 02: 30 of 30, 03: 30 of 30', 'each item is done once for each day, in their order');
	is(value($node, q{SELECT count(*) FROM effect e JOIN effect f ON f.n > e.n AND f.at < e.at}), 0, 'and no day has begun before the end of the one before');
};

promise 'and is not lost when the job is paused on its way' => sub {
	$node->safe_psql('postgres', q{
		CREATE TABLE gate (closed boolean);
		CREATE FUNCTION at_gate(k text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			WHILE k > '8' AND EXISTS (SELECT FROM gate) LOOP
				PERFORM pg_sleep(0.01);
			END LOOP;
			INSERT INTO effect (id, at) SELECT k, ratchet.scheduled_at();
		END $$});
	for my $dies (0, 1)
	{
		my $job = $dies ? 'paused, dies' : 'paused';
		$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
		backfill_days($job, q{max_run_time => '1 ms'}, 2, 'SELECT at_gate($1)');
		# Some batches are done, and one is at the gate.
		wait_until($node, qq{SELECT EXISTS (SELECT FROM effect) AND EXISTS (SELECT FROM ratchet.running WHERE job_name = '$job' AND elapsed > '0.2 s')});
		$node->safe_psql('postgres', "SELECT ratchet.pause_job('$job')");
		$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ratchet.running WHERE job_name = '$job'") if $dies;
		$node->safe_psql('postgres', 'DELETE FROM gate');
		wait_until($node, "SELECT status = 'queued' FROM ratchet.runs WHERE job_name = '$job' ORDER BY run_id DESC LIMIT 1", 'what is left waits');
		is(value($node, 'SELECT count(DISTINCT at) FROM effect'), 1, 'in the first of two days');
		$node->safe_psql('postgres', "SELECT ratchet.resume_job('$job')");
		wait_backfilled($job);
		is(done_of_days(), '01: 30 of 30, 02: 30 of 30', 'each item is done once for each day, in their order');
	}
};

sub environment
{
	my ($name) = @_;
	$node->append_conf('postgresql.conf', "ratchet.environment = '$name'");
	$node->reload;
	return wait_until($node, "SELECT current_setting('ratchet.environment') = '$name'");
}

promise 'what is left of a job, and another attempt, wait in an environment for which it is not meant' => sub {
	environment('production');
	psql_ok($node, q{TRUNCATE effect; INSERT INTO broken VALUES ('yes'); INSERT INTO gate VALUES (true)});
	my $here = q{, environments => '{production}'};
	my $cut = begin_batch($node, 'cut here', 'SELECT id FROM account', 'SELECT at_gate($1)', "batch_size => 20, max_run_time => '1 ms'$here");
	my $failed = begin_run($node, 'failed here', 'SELECT 1 / (length(what) - 3) FROM broken', "max_attempts => 1000, backoff => '1 s', backoff_factor => 1$here");
	wait_run($node, $failed, 'failed');
	environment('staging');
	$node->safe_psql('postgres', 'DELETE FROM gate; TRUNCATE broken');
	wait_run($node, $cut, 'partial');
	my $waiting = q{FROM ratchet.run_queue JOIN ratchet.job USING (job_id) WHERE job_name IN ('cut here', 'failed here')};
	wait_until($node, "SELECT count(*) = 2 AND max(run_at) < now() $waiting", 'both are due');
	run_job($node, 'anywhere', 'SELECT 1') for 1, 2;
	is(value($node, "SELECT count(*) $waiting AND claimed_at IS NULL"), 2, 'while other jobs run');
	environment('production');
	wait_until($node, "SELECT count(*) = 0 $waiting", 'back there they go on');
	is(effects(), '30 of 30', 'each item is done once');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'failed here' AND status = 'succeeded'}), 1, 'and the attempt is made');
};

promise 'nothing is left of a job that is dropped on the way of a run' => sub {
	psql_ok($node, q{TRUNCATE effect; INSERT INTO gate VALUES (true)});
	for my $dies (0, 1)
	{
		$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
		my $run = begin_batch($node, 'dropped', 'SELECT id FROM account', 'SELECT at_gate($1)', q{batch_size => 20, max_run_time => '1 ms'});
		wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run");
		$node->safe_psql('postgres', q{SELECT ratchet.unschedule('dropped')});
		$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ratchet.running WHERE run_id = $run") if $dies;
		$node->safe_psql('postgres', 'DELETE FROM gate');
		wait_run($node, $run, $dies ? 'crashed' : 'partial');
		wait_until($node, q{SELECT (SELECT count(*) FROM ratchet.run_queue) = 0 AND (SELECT count(*) FROM ratchet.job_state WHERE job_id NOT IN (SELECT job_id FROM ratchet.job)) = 0}, 'the queue is empty');
		is(value($node, "SELECT count(*) FROM ratchet.runs WHERE retry_of = $run"), 0, 'nobody goes on with it');
	}
};

promise 'a run that was kept from doing anything until its time was over' => sub {
	for my $row ('min', 'max')
	{
		my $session = session($node);
		$node->safe_psql('postgres', 'UPDATE account SET n = 0');
		$session->query_safe("BEGIN; SELECT FROM account WHERE id = (SELECT $row(id) FROM account) FOR UPDATE");
		my $job = "kept $row";
		my $run = run_batch($node, $job, 'SELECT id FROM account', 'SELECT one_more($1)', q{batch_size => 10, max_run_time => '0.7 s', backoff => '1 ms'});
		is($run->{status}, 'partial', "$row: its time is over");
		wait_until($node, "SELECT count(*) >= 1 FROM ratchet.runs WHERE job_name = '$job' AND cause = 'catchup' AND status = 'partial' AND items_done = 0",
			'and then that of its rest, which has done nothing either');
		$session->query_safe('ROLLBACK');
		$session->quit;
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'", 'another one comes to the end');
		is(counts(), '1 x 30', 'each item is done once');
	}
};

promise 'nor is an occurrence of a backfill lost by it' => sub {
	my $session = session($node);
	$session->query_safe('BEGIN; SELECT FROM account WHERE id = (SELECT min(id) FROM account) FOR UPDATE');
	backfill_days('kept days', q{max_run_time => '0.7 s', backoff => '1 ms'}, 2, $of_its_day . '; SELECT id FROM account WHERE id = $1 FOR SHARE');
	wait_until($node, q{SELECT count(*) >= 2 FROM ratchet.runs WHERE job_name = 'kept days' AND status = 'partial' AND items_done = 0});
	$session->query_safe('ROLLBACK');
	$session->quit;
	wait_backfilled('kept days');
	is(done_of_days(), '01: 30 of 30, 02: 30 of 30', 'each item is done once for each day, in their order');
};

promise 'a job that was incremental and is full from now on' => sub {
	psql_ok($node, 'TRUNCATE effect;' . define_batch('all again', 'SELECT id FROM account', $of_its_day, q{mode => 'incremental', batch_size => 7}));
	my $run = sub { my $id = value($node, q{SELECT ratchet.trigger('all again')}); wait_run($node, $id, 'succeeded'); return run_record($node, $id)->{items_done} };
	is($run->(), 30, 'it has done all items');
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.alter_job('all again', mode => 'full')});
	like($err, qr/NOTICE:  the checkpoint of job "all again" is void and has been deleted\nDETAIL:  The job walks all items now/, 'it says so');
	is($run->(), 30, 'the next run does all of them');

	# While a run is under way, which saves behind that.
	psql_ok($node, define_batch('all again', 'SELECT id FROM account', 'SELECT at_gate($1)', q{mode => 'incremental', batch_size => 7}));
	$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
	my $under_way = value($node, q{SELECT ratchet.trigger('all again')});
	wait_until($node, "SELECT items_done > 0 FROM ratchet.running WHERE run_id = $under_way");
	psql_ok($node, q{SET client_min_messages = warning; SELECT ratchet.alter_job('all again', mode => 'full')});
	$node->safe_psql('postgres', 'DELETE FROM gate');
	wait_run($node, $under_way, 'succeeded');
	is($run->(), 30, 'likewise');
	is($run->(), 30, 'and ever after');
};

# ---- What a walk is told -----------------------------------------------------------------------------------------

my $halves = q{SELECT id FROM account WHERE other % 2 = (ratchet.payload() ->> 'odd')::int};

sub trigger_half
{
	my ($job, $odd) = @_;
	return value($node, qq{SELECT ratchet.trigger('$job', '{"odd": $odd}')});
}

sub wait_for { my ($run) = @_; wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run"); return $run; }

sub effects { return value($node, q{SELECT count(*) || ' of ' || count(DISTINCT id) FROM effect}); }

promise 'runs with different payloads have walks of their own' => sub {
	psql_ok($node, 'TRUNCATE effect;' . define_batch('halves', $halves, $of_its_day, q{batch_size => 4, max_run_time => '1 ms'}));
	trigger_half('halves', $_) for 0, 1;
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name = 'halves' AND status = 'succeeded'}, 'both come to their ends');
	is(effects(), '30 of 30', 'and each has done all of its items, once');
	is(value($node, q{SELECT string_agg(DISTINCT status, ' ') FROM ratchet.runs WHERE job_name = 'halves'}), 'partial succeeded', 'none was skipped');
	is(value($node, 'SELECT count(*) FROM ratchet.job_checkpoint JOIN ratchet.job USING (job_id)' . q{ WHERE job_name = 'halves'}), 0, 'no checkpoint is left');
};

# Fails behind some batches, while it is told to.
$node->safe_psql('postgres', q{
	CREATE FUNCTION may_break() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM broken) AND (SELECT count(*) FROM effect) > 5 THEN
			RAISE EXCEPTION USING ERRCODE = 'io_error', MESSAGE = 'not now';
		END IF;
	END $$});
my $may_break = $of_its_day . '; SELECT may_break()';

sub break_half
{
	my ($job, $options) = @_;
	$options = defined $options ? ", $options" : '';
	psql_ok($node, q{TRUNCATE effect; INSERT INTO broken VALUES ('yes');} . define_batch($job, $halves, $may_break, "batch_size => 4$options"));
	wait_run($node, trigger_half($job, 0), 'failed');
	$node->safe_psql('postgres', 'TRUNCATE broken');
	is(effects(), '4 of 4', 'a run has failed on its way');
	return;
}

promise 'the checkpoint of a payload is for runs with the same one' => sub {
	break_half('broken half');
	is_run(run_record($node, wait_for(trigger_half('broken half', 1))), { status => 'succeeded', items_done => 15, checkpoint_from => undef }, 'another one begins at the start');
	is_run(run_record($node, wait_for(trigger_half('broken half', 0))), { status => 'succeeded', items_done => 11 }, 'the same one goes on behind it');
	is(effects(), '30 of 30', 'each item is done once');
	break_half('reset half');
	is(value($node, q{SELECT ratchet.reset_checkpoint('reset half')}), 't', 'reset_checkpoint gives it up, too');
	is_run(run_record($node, wait_for(trigger_half('reset half', 0))), { status => 'succeeded', items_done => 15 }, 'so that the same one begins at the start');
	break_half('front half');
	$node->safe_psql('postgres', qq{CALL ratchet.run('front half', '{"odd": $_}')}) for 1, 0;
	is(effects(), '30 of 30', 'in the foreground it is likewise');
};

promise 'so are the failed items that a complete walk resolves' => sub {
	psql_ok($node, 'TRUNCATE effect;' . define_batch('bad half', q{SELECT id, other FROM account WHERE other % 2 = (ratchet.payload() ->> 'odd')::int}, $of_its_day . '; SELECT 1 / ($2 - 6)'));
	my $open = q{SELECT count(*) FROM ratchet.failed_items WHERE job_name = 'bad half' AND resolved_at IS NULL};
	is(run_record($node, wait_for(trigger_half('bad half', 0)))->{items_failed}, 1, 'an item fails');
	wait_for(trigger_half('bad half', 1));
	is(value($node, $open), 1, 'a walk with another payload has not come to it');
	psql_ok($node, define_batch('bad half', $halves, $of_its_day));
	wait_for(trigger_half('bad half', 0));
	is(value($node, $open), 0, 'one with the same has');
};

promise 'a source that asks for the logical time has other items for another one' => sub {
	my $of_time = q{SELECT id FROM account WHERE other % 2 = extract(minute FROM ratchet.scheduled_at())::int % 2};
	my $at = sub { value($node, "SELECT ratchet.trigger('timed', run_at => '2026-03-01 10:0$_[0]Z')") };
	for my $options ('', q{, max_attempts => 1000, backoff => '100 ms', backoff_factor => 1})
	{
		psql_ok($node, q{TRUNCATE effect; INSERT INTO broken VALUES ('yes');} . define_batch('timed', $of_time, $may_break, "batch_size => 4$options"));
		my $run = $at->(0);
		wait_run($node, $run, 'failed');
		is(effects(), '4 of 4', 'a run has failed on its way');
		$node->safe_psql('postgres', 'TRUNCATE broken');
		if ($options)
		{
			wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'timed' AND cause = 'retry' AND status = 'succeeded')});
			is(effects(), '15 of 15', 'another attempt at it goes on behind its checkpoint');
		}
		is_run(run_record($node, wait_for($at->(1))), { status => 'succeeded', items_done => 15, checkpoint_from => undef }, 'a run of another time begins at the start');
		is(value($node, q{SELECT ratchet.reset_checkpoint('timed')}), 'f', 'and leaves no checkpoint');
	}
};

promise 'an incremental job has one checkpoint, whatever it is told' => sub {
	psql_ok($node, 'TRUNCATE effect;' . define_batch('adds', 'SELECT id FROM account', $of_its_day, q{mode => 'incremental'}));
	is(run_record($node, wait_for(trigger_half('adds', 0)))->{items_done}, 30, 'a run does all');
	is(run_record($node, wait_for(trigger_half('adds', 1)))->{items_done}, 0, 'the next one what is new');
};

promise 'what a procedure has saved for one payload is not read with another' => sub {
	$node->safe_psql('postgres', q{
		CREATE TABLE read_back (odd int, saved jsonb);
		CREATE PROCEDURE saves() LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO read_back VALUES ((ratchet.payload() ->> 'odd')::int, ratchet.checkpoint());
			PERFORM ratchet.save_checkpoint(ratchet.payload());
			COMMIT;
			RAISE 'as it was told to';
		END $$;
		SELECT ratchet.schedule('saves', '@manual', 'CALL saves()')});
	wait_run($node, trigger_half('saves', $_), 'failed') for 0, 1, 0;
	is(value($node, q{SELECT string_agg(concat(odd, ' ', coalesce(saved ->> 'odd', 'none')), ', ' ORDER BY ctid) FROM read_back}), '0 none, 1 none, 0 0', 'each reads its own');
};

promise 'an occurrence of a backfill that has failed leaves nothing of its walk to the next one' => sub {
	$node->safe_psql('postgres', q{
		CREATE FUNCTION not_first_day(k text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO effect (id, at) SELECT k, ratchet.scheduled_at();
			IF k > '8' AND ratchet.scheduled_at() < '2026-03-02' THEN
				RAISE EXCEPTION USING ERRCODE = 'io_error', MESSAGE = 'not on that day';
			END IF;
		END $$});
	backfill_days('bad day', q{backoff => '1 ms'}, 2, 'SELECT not_first_day($1)');
	wait_backfilled('bad day');
	like(done_of_days(), qr/^01: 10 of 10, 02: 30 of 30$/, 'which does all of its items');
};

promise 'a procedure of its own' => sub {
	$node->safe_psql('postgres', q{
		UPDATE account SET n = 0;
		CREATE TABLE quick (yes boolean);
		CREATE PROCEDURE walk() LANGUAGE plpgsql AS $$
		DECLARE at int := coalesce((ratchet.checkpoint() ->> 'at')::int, 0);
		BEGIN
			WHILE at < 30 LOOP
				at := at + 10;
				UPDATE account SET n = n + 1 WHERE other > at - 10 AND other <= at;
				PERFORM ratchet.save_checkpoint(jsonb_build_object('at', at)), ratchet.progress(at, 30 - at);
				EXIT WHEN NOT EXISTS (SELECT FROM quick);
			END LOOP;
		END $$;
		SELECT ratchet.schedule('own', '@manual', 'CALL walk()', active_window => } . $closed . q{);
		CALL ratchet.run('own')});
	my $rest = rest_of('own', q{INSERT INTO quick VALUES (true); CALL ratchet.run('own')});
	is_nothing($rest, 'its rest is nothing, too');
	is(counts(), '1 x 30', 'each item is done once');
};

promise 'a schedule that is shorter than the walk' => sub {
	$node->safe_psql('postgres', q{
		CREATE TABLE most (n int);
		CREATE FUNCTION slow(k text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_sleep(0.05);
			INSERT INTO most SELECT count(*) FROM ratchet.run_queue q JOIN ratchet.job USING (job_id)
				WHERE job_name = 'short' AND q.claimed_at IS NULL AND q.cause = 'catchup';
		END $$;
		SELECT ratchet.schedule_batch('short', '200 ms', 'SELECT id FROM account', 'SELECT slow($1)', batch_size => 1, max_run_time => '1 ms')});
	wait_until($node, q{SELECT count(*) >= 12 FROM ratchet.runs WHERE job_name = 'short' AND status = 'partial'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('short')});
	cmp_ok(value($node, 'SELECT max(n) FROM most'), '<=', 1, 'one rest waits at most');
};

finish();
