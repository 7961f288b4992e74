# ratchet.replay(): what an earlier run ran is run again, whatever has become of its job.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice, bob;
CREATE SCHEMA app AUTHORIZATION alice;
GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE TABLE effect (job text, version text, run_id bigint, who name, setting text, payload jsonb,
	scheduled_at timestamptz, previous_scheduled_at timestamptz, checkpoint jsonb, attempt int);
GRANT INSERT, SELECT ON effect TO PUBLIC;
CREATE FUNCTION note(job text, version text) RETURNS void BEGIN ATOMIC
	INSERT INTO effect VALUES (job, version, ratchet.run_id(), session_user, current_setting('my.setting', true),
		ratchet.payload(), ratchet.scheduled_at(), ratchet.previous_scheduled_at(), ratchet.checkpoint(), ratchet.attempt());
END;
SQL

sub replay
{
	my ($run_id, $options, %option) = @_;
	return value($node, "SELECT ratchet.replay($run_id" . (defined $options ? ", $options" : '') . ')', %option);
}

# What a run did, without what differs from one to the next.
sub effect
{
	my ($run_id) = @_;
	return value($node, "SELECT row_to_json(e) FROM (SELECT job, version, who, setting, payload, scheduled_at, previous_scheduled_at, checkpoint FROM effect WHERE run_id = $run_id) e");
}

sub standing
{
	my ($job) = @_;
	return value($node, "SELECT s FROM ratchet.job_state s JOIN ratchet.job j USING (job_id) WHERE j.job_name = '$job'");
}

my $original;

promise 'a replay runs what the run has pinned, after the job was altered' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('pinned', '100 ms', $$SELECT note('pinned', 'old')$$,
		run_as => 'alice', settings => '{"my.setting": "old"}', payload => '{"p": "job"}', misfire => 'all')});
	wait_until($node, q{SELECT count(*) > 2 FROM ratchet.runs WHERE job_name = 'pinned' AND status = 'succeeded'});
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('pinned', schedule => '@manual')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'pinned' AND status IN ('queued', 'running'))});
	$original = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'pinned' AND status = 'succeeded'});
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('pinned', command => $$SELECT note('pinned', 'new')$$,
		settings => '{"my.setting": "new"}', payload => '{"p": "new"}')});
	my $before = standing('pinned');
	my $run_id = replay($original);
	wait_run($node, $run_id, 'succeeded');
	is(effect($run_id), effect($original), 'command, settings, payload and logical time are those of the original');
	like(effect($run_id), qr/"old","who":"alice".*"old".*job.*"previous_scheduled_at":"20/, 'which differ from what the job is now');
	is_run(run_record($node, $run_id), { cause => 'replay', replay_of => int($original), attempt => 1, owner => 'alice' }, 'the record says so');
	is(standing('pinned'), $before, q{the job's standing is as before});
	is(effect(value($node, q{SELECT ratchet.trigger('pinned') AS r \gset
SELECT ratchet.wait(:r) \g /dev/null
SELECT :r})) =~ /"new","who":"alice"/ ? 1 : 0, 1, 'a trigger runs what the job is now');
};

promise 'payload of a trigger, and a replay of a replay' => sub {
	my $run_id = value($node, q{SELECT ratchet.trigger('pinned', payload => '{"of": "trigger"}')});
	wait_run($node, $run_id, 'succeeded');
	my $replay = replay($run_id);
	wait_run($node, $replay, 'succeeded');
	is(effect($replay), effect($run_id), 'the payload is that of the run');
	my $again = replay($replay);
	wait_run($node, $again, 'succeeded');
	is(effect($again), effect($run_id), 'and of a replay of the replay');
	is(run_record($node, $again)->{replay_of}, $replay, 'which names the replay');
};

promise 'a dry run leaves nothing' => sub {
	my $run_id = replay($original, 'dry_run => true');
	wait_run($node, $run_id, 'succeeded');
	is_run(run_record($node, $run_id), { dry_run => JSON::PP::true, rows_affected => run_record($node, $original)->{rows_affected} }, 'it is recorded as one');
	is(effect($run_id), '', 'but its effect');
	my $real = replay($run_id);
	wait_run($node, $real, 'succeeded');
	is(effect($real), effect($original), 'a replay of a dry run is none itself');
};

promise 'after a rename, and after unschedule' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('pinned', new_name => 'renamed')});
	my $run_id = replay($original);
	wait_run($node, $run_id, 'succeeded');
	is(effect($run_id), effect($original), 'after a rename');
	is(run_record($node, $run_id)->{job_name}, 'pinned', 'under the name that is pinned');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('renamed')});
	$run_id = replay($original);
	wait_run($node, $run_id, 'succeeded');
	is(effect($run_id), effect($original), 'after unschedule');
	$node->restart;
	$run_id = replay($original);
	wait_run($node, $run_id, 'succeeded');
	is(effect($run_id), effect($original), 'and after a restart');
	is(value($node, 'SELECT count(*) FROM ratchet.job_state LEFT JOIN ratchet.job USING (job_id) WHERE job_name IS NULL'), 0, 'it writes no standing of a job that is not there');
	is(value($node, 'SELECT count(*) FROM ratchet.job_stat LEFT JOIN ratchet.job USING (job_id) WHERE job_name IS NULL'), 0, 'and no statistics');
	like(value($node, q{SELECT detail FROM ratchet.status() WHERE component ~ 'scheduler'}), qr/\b0 jobs/, 'nor is it counted as a job');
};

promise 'what waits when a job is unscheduled' => sub {
	my $lock = lock_session($node, 1);
	my $run_id = begin_run($node, 'goes', q{SELECT pg_advisory_xact_lock_shared(1), note('goes', 'old')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	my $trigger = value($node, q{SELECT ratchet.trigger('goes', payload => '1')});
	my $replay = value($node, qq{SELECT ratchet.replay(run_id) FROM ratchet.runs WHERE run_id = $original});
	wait_run($node, $replay, 'succeeded');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('goes')});
	wait_run($node, $trigger, 'canceled', 'a trigger is canceled');
	$lock->quit;
	wait_run($node, $run_id, 'succeeded', 'the run that is under way is let finish');
	my $first = lock_session($node, 1);
	my $one = replay($run_id);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $one");
	my $two = replay($run_id);
	my $three = replay($run_id);
	is(value($node, "SELECT string_agg(job_name || ' ' || status, ', ') FROM ratchet.runs WHERE run_id IN ($two, $three)"), 'goes queued, goes queued',
		'replays of a job that is not there do not overlap');
	$node->safe_psql('postgres', "SELECT ratchet.cancel($two)");
	is_run(run_record($node, $two), { status => 'canceled', job_name => 'goes' }, 'one that waits can be canceled');
	terminate_ratchet($node, 'scheduler', 'postgres');
	$first->quit;
	wait_run($node, $one, 'succeeded');
	wait_run($node, $three, 'succeeded', 'the other one has its turn, also with another scheduler');
	is(value($node, "SELECT (SELECT finished_at FROM ratchet.runs WHERE run_id = $one) <= (SELECT started_at FROM ratchet.runs WHERE run_id = $three)"), 't', 'after the first');
};

promise 'a replay waits for its turn' => sub {
	my $lock = lock_session($node, 1);
	my $first = begin_run($node, 'busy', q{SELECT note('busy', 'a')});
	wait_run($node, $first, 'succeeded');
	my $run_id = begin_run($node, 'busy', q{SELECT pg_advisory_xact_lock_shared(1)});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	my $replay = replay($first);
	psql_fails($node, "SELECT ratchet.replay($run_id)", qr/55000.*run $run_id has not ended yet.*HINT: .*ratchet\.wait/s, 'a run that is running');
	psql_fails($node, "SELECT ratchet.replay($replay)", qr/55000.*run $replay has not ended yet/s, 'a run that waits');
	is(run_status($node, $replay), 'queued', 'a run of the job is under way');
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('busy')});
	$lock->quit;
	wait_run($node, $replay, 'succeeded', 'and then runs, though the job is paused');
	$node->safe_psql('postgres', "BEGIN; SELECT ratchet.replay($first); ROLLBACK");
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE replay_of = $first"), 1, 'one that is rolled back is none');
};

promise 'a replay that fails' => sub {
	my $run_id = begin_run($node, 'fails', 'SELECT 1/0', q{max_attempts => 5, backoff => '1 ms', backoff_cap => '1 ms', enabled => true});
	wait_until($node, q{SELECT count(*) = 5 AND bool_and(status = 'failed') FROM ratchet.runs WHERE job_name = 'fails'});
	my $before = standing('fails');
	my $replay = replay($run_id);
	wait_run($node, $replay, 'failed');
	is(standing('fails'), $before, q{leaves the job's standing as it is});
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE retry_of = $replay OR (job_name = 'fails' AND status IN ('queued', 'running'))"), 0, 'and is not tried again');
};

promise 'crashes' => sub {
	my $run_id = begin_run($node, 'crash', q{SELECT note('crash', 'a'), pg_sleep(3600) WHERE ratchet.attempt() = 1 AND EXISTS (SELECT FROM effect WHERE job = 'switch') UNION ALL SELECT note('crash', 'b'), NULL},
		q{payload => '{"x": 1}'});
	wait_run($node, $run_id, 'succeeded');
	$node->safe_psql('postgres', q{INSERT INTO effect (job) VALUES ('switch')});
	for my $dropped (0, 1)
	{
		$node->safe_psql('postgres', q{SELECT ratchet.unschedule('crash')}) if $dropped;
		my $replay = replay($run_id);
		wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $replay");
		# A durable commit takes all WAL before it to disk. To wait for that would not do: what a query writes that
		# prunes a page is flushed by the next commit, and there may be none.
		value($node, q{SELECT pg_logical_emit_message(true, 'test', '')});
		kill_and_wait($node, run_record($node, $replay)->{worker_pid});
		wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $replay", 'a replay that is killed is taken up again' . ($dropped ? ' after unschedule' : ''));
		is_run(run_record($node, $replay), { status => 'crashed', job_name => 'crash' }, 'it is recorded as crashed');
		is_run(row($node, "SELECT * FROM ratchet.runs WHERE retry_of = $replay"), { replay_of => int($run_id), attempt => 2, cause => 'retry', version => 1 },
			'what is taken up is the same');
		is(value($node, "SELECT string_agg(DISTINCT scheduled_at::text, ',') = (SELECT scheduled_at::text FROM ratchet.runs WHERE run_id = $run_id) FROM ratchet.runs WHERE replay_of = $run_id"), 't', 'for the same logical time');
	}
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'crash'}), 3, 'each was done once');
};

promise 'a hand-written procedure begins without a checkpoint, and goes on behind its own' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
DECLARE done int := coalesce((ratchet.checkpoint() ->> 'n')::int, 0);
BEGIN
	INSERT INTO effect (job, run_id, checkpoint) VALUES ('steps', ratchet.run_id(), ratchet.checkpoint());
	IF done > 0 THEN PERFORM pg_advisory_xact_lock_shared(2); END IF;
	PERFORM ratchet.save_checkpoint(jsonb_build_object('n', done + 1));
	PERFORM ratchet.progress(1, 2 - done);
END $$;
SQL
	my $run_id = begin_run($node, 'steps', 'CALL steps()');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name = 'steps' AND status IN ('partial', 'succeeded')});
	is(value($node, q{SELECT string_agg(coalesce(checkpoint ->> 'n', '-'), ' ' ORDER BY run_id) FROM effect WHERE job = 'steps'}), '- 1 2', 'the original');
	# Where the job stands must not matter, nor be touched.
	$node->safe_psql('postgres', q{INSERT INTO ratchet.job_checkpoint SELECT job_id, 0, owner::oid, 1, now(), '{"n": 77}', NULL, 0, 0, 0, 0, 0, 1 FROM ratchet.job WHERE job_name = 'steps'});
	my $replay = replay($run_id);
	wait_until($node, "SELECT count(*) = 3 AND bool_or(status = 'succeeded') FROM ratchet.runs WHERE replay_of = $run_id AND status IN ('partial', 'succeeded')", 'the replay goes on, too');
	is(value($node, "SELECT string_agg(coalesce(checkpoint ->> 'n', '-'), ' ' ORDER BY run_id) FROM effect WHERE job = 'steps' AND run_id >= $replay"), '- 1 2', 'with a checkpoint of its own');
	is(value($node, 'SELECT string_agg(walk || value::text, $$ $$) FROM ratchet.job_checkpoint'), '0{"n": 77}', q{the job's is as it was, and the replay's is gone});
	my $lock = lock_session($node, 2);
	$replay = replay($run_id);
	wait_run($node, $replay, 'partial');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $replay");
	my $next = value($node, "SELECT run_id FROM ratchet.runs WHERE retry_of = $replay");
	$node->safe_psql('postgres', "SELECT ratchet.cancel($next)");
	wait_run($node, $next, 'canceled');
	$lock->quit;
	wait_until($node, 'SELECT count(*) = 1 FROM ratchet.job_checkpoint', 'a walk that is canceled leaves no checkpoint');
};

promise 'the record of a lost run says what it had committed' => sub {
	for my $how (qw(terminate kill))
	{
		my $run_id = begin_run($node, "lost $how", 'SELECT pg_sleep(3600) WHERE ratchet.attempt() = 1');
		wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
		# As the engine of batch jobs does: with each batch, what the run has committed so far.
		$node->safe_psql('postgres', "INSERT INTO ratchet.job_checkpoint SELECT job_id, 0, owner::oid, $run_id, now(), '[7]', '[3]', 40, 2, 4, 41, 0, 1, NULL, (SELECT mark FROM ratchet.run_queue WHERE run_id = $run_id) FROM ratchet.job WHERE job_name = 'lost $how'");
		my $pid = run_record($node, $run_id)->{worker_pid};
		if ($how eq 'kill') { kill_and_wait($node, $pid) }
		else { $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") }
		wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id", "after $how it is taken up again");
		is_run(run_record($node, $run_id), { status => 'crashed', items_done => 40, items_failed => 2, batches => 4, rows_affected => 41, checkpoint_from => [3], checkpoint_to => [7] },
			'its record is exact');
	}
	my $run_id = begin_run($node, 'lost other', 'SELECT pg_sleep(3600) WHERE ratchet.attempt() = 1');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	$node->safe_psql('postgres', "INSERT INTO ratchet.job_checkpoint SELECT job_id, 0, owner::oid, 1, now(), '[7]', '[3]', 40, 2, 4, 41, 0, 1 FROM ratchet.job WHERE job_name = 'lost other'");
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . run_record($node, $run_id)->{worker_pid} . ')');
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id");
	isnt(run_record($node, $run_id)->{items_done}, 40, 'what an earlier run has committed is not its own');
};

promise 'the failed items of a run go with its record' => sub {
	my $run_id = begin_run($node, 'items', 'SELECT pg_sleep(3600) WHERE ratchet.attempt() = 1', q{keep_history => '1 ms'});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	$node->safe_psql('postgres', "INSERT INTO ratchet.job_checkpoint SELECT job_id, 0, owner::oid, $run_id, now(), '[7]', NULL, 40, 1, 4, 41, 0, 1, NULL, (SELECT mark FROM ratchet.run_queue WHERE run_id = $run_id) FROM ratchet.job WHERE job_name = 'items';
		INSERT INTO ratchet.failed_item SELECT 1, job_id, $run_id, owner::oid, 'items', 1, '[5]', '{}', '22012', 'bad', NULL, 1, now() FROM ratchet.job WHERE job_name = 'items'");
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . run_record($node, $run_id)->{worker_pid} . ')');
	wait_until($node, "SELECT NOT EXISTS (SELECT FROM ratchet.run_log WHERE run_id = $run_id) AND NOT EXISTS (SELECT FROM ratchet.failed_item)", 'when its time is over')
	  if wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.failed_item)");
};

promise 'what cannot be replayed' => sub {
	psql_fails($node, 'SELECT ratchet.replay(NULL)', qr/22004.*run_id must not be null/s, 'null');
	psql_fails($node, 'SELECT ratchet.replay(987654321)', qr/42704.*run 987654321 does not exist/s, 'no such run');
	psql_fails($node, 'SELECT ratchet.replay(-1)', qr/42704/, 'a negative one');
	psql_fails($node, "SELECT ratchet.replay($original, only_failed => true)", qr/55000.*job "pinned" is not a batch job.*HINT/s, 'only_failed of a plain job');
	my $canceled = value($node, q{SELECT ratchet.schedule('never', '@manual', 'SELECT 1') \g /dev/null
SELECT ratchet.trigger('never', run_at => now() + interval '1 day')});
	$node->safe_psql('postgres', "SELECT ratchet.cancel($canceled)");
	psql_fails($node, "SELECT ratchet.replay($canceled)", qr/55000.*run $canceled was canceled and did not run.*HINT/s, 'a run that never ran');
	psql_fails($node, "SELECT ratchet.replay($original)", qr/42704.*run $original does not exist/s, 'a run of somebody else', user => 'bob');
	$node->safe_psql('postgres', 'GRANT pg_monitor TO bob');
	psql_fails($node, "SELECT ratchet.replay($original)", qr/42501.*must be owner of run $original/s, 'one that may only be seen', user => 'bob');
	my $run_id = replay($original, undef, user => 'alice');
	wait_run($node, $run_id, 'succeeded', 'its owner may');
	psql_fails($node, 'BEGIN READ ONLY; SELECT ratchet.replay(1)', qr/25006/, 'not in a read-only transaction');
	$node->safe_psql('postgres', "DELETE FROM ratchet.job_version WHERE job_name = 'never'");
	my $gone = begin_run($node, 'gone', 'SELECT 1');
	wait_run($node, $gone, 'succeeded');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('gone'); DELETE FROM ratchet.job_version WHERE job_name = 'gone'});
	psql_fails($node, "SELECT ratchet.replay($gone)", qr/55000.*is not kept.*HINT/s, 'one whose definition is gone');
};

promise 'history that a replay needs is kept' => sub {
	my $run_id = begin_run($node, 'short', q{SELECT note('short', 'a'), pg_advisory_xact_lock_shared(2)}, q{keep_history => '1 ms'});
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.run_log WHERE run_id = $run_id");
	my $lock = lock_session($node, 2);
	my ($replay) = value($node, "SELECT ratchet.replay($run_id)");
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $replay");
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('short', priority => 1)});
	my $other = begin_run($node, 'other', 'SELECT 1', q{keep_history => '1 ms'});
	wait_until($node, "SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE run_id = $other)", 'the record of another job goes');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $run_id"), 1, 'that of the original stays');
	$lock->quit;
};

finish();
