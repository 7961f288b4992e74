# Runs and sessions that change the same rows of the extension's tables at the same time: who waits for whom,
# who is first, and that nobody fails for it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 6\nmax_worker_processes = 20\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE item (id uuid PRIMARY KEY, n int NOT NULL UNIQUE, bad boolean NOT NULL DEFAULT false);
INSERT INTO item SELECT md5(i::text)::uuid, i, i % 10 = 0 FROM generate_series(1, 200) i;
CREATE TABLE effect (job text, id uuid, run_id bigint);
CREATE TABLE gate (job text);
-- Waits without a lock until the gate is open, and leaves an effect, or fails for a bad item.
CREATE FUNCTION pass(what text, item uuid, is_bad boolean, at_gate boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE at_gate AND EXISTS (SELECT FROM gate WHERE job = what) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	IF is_bad THEN
		RAISE EXCEPTION 'item % is bad', item;
	END IF;
	INSERT INTO effect VALUES (what, item, ratchet.run_id());
END $$;
SQL

my $all = 'SELECT id, bad, n FROM item';

# Notices are no errors.
sub quiet_session
{
	my $session = session($node);
	$session->query_safe('SET client_min_messages = error');
	return $session;
}

sub acts { return "SELECT pass('$_[0]', \$1, \$2, \$3 = 50)" }

sub close_gate { return $node->safe_psql('postgres', "INSERT INTO gate VALUES ('$_[0]')") }

sub open_gate { return $node->safe_psql('postgres', "DELETE FROM gate WHERE job = '$_[0]'") }

sub waits
{
	my ($run_id, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_until($node, "SELECT waits_for = 'lock' FROM ratchet.running WHERE run_id = $run_id", $what // 'it waits, and says so');
}

sub trigger { return value($node, "SELECT ratchet.trigger('$_[0]', \"coalesce\" => false)") }

sub again
{
	my ($job, $status) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run_id = trigger($job);
	wait_run($node, $run_id, $status // 'succeeded');
	return $run_id;
}

# Each item that is not bad has been done so many times for the job.
sub done_each
{
	my ($job, $times, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(value($node, "SELECT count(DISTINCT e.id), min(n), max(n) FROM (SELECT id, count(*) AS n FROM effect WHERE job = '$job' GROUP BY id) e"),
		"180|$times|$times", $what);
}

promise 'walks of one job at the same time' => sub {
	psql_ok($node, define_batch('beside', $all, acts('beside'), q{overlap => 'allow', batch_size => 20}) . 'SELECT 1');
	close_gate('beside');
	my @runs = map { trigger('beside') } 1 .. 4;
	wait_until($node, "SELECT count(*) = 4 FROM ratchet.running WHERE job_name = 'beside'", 'four at once');
	open_gate('beside');
	is(join(' ', map { wait_run($node, $_, 'succeeded'); run_record($node, $_)->{items_failed} } @runs), '20 20 20 20', 'each sets aside its bad items');
	done_each('beside', 4, 'and does the others');
	is(value($node, q{SELECT count(*) FROM ratchet.failed_items WHERE job_name = 'beside'}), 80, 'all are recorded');

	# Of all of them, one after the other: what the first one has resolved the next ones leave alone.
	$node->safe_psql('postgres', q{UPDATE item SET bad = false; DELETE FROM effect});
	@runs = map { trigger('beside') } 1 .. 4;
	wait_run($node, $_, 'succeeded') for @runs;
	is(value($node, q{SELECT count(*) FROM ratchet.failed_items WHERE job_name = 'beside' AND resolved_at IS NULL}), 0, 'complete walks at the same time resolve them all');
	$node->safe_psql('postgres', q{UPDATE item SET bad = n % 10 = 0});
};

promise 'replays of failed items at the same time' => sub {
	my $first = run_batch($node, 'mended', $all, acts('mended'), q{overlap => 'allow', batch_size => 20});
	is($first->{items_failed}, 20, 'items have failed');
	for my $mended (0, 1)
	{
		$node->safe_psql('postgres', 'UPDATE item SET bad = false') if $mended;
		my @replays = split /\n/, value($node, "SELECT ratchet.replay($first->{run_id}, only_failed => true) FROM generate_series(1, 4)");
		wait_run($node, $_, 'succeeded', ($mended ? 'mended' : 'bad still') . ": replay $_") for @replays;
		is(value($node, "SELECT count(*) FILTER (WHERE resolved_at IS NULL), min(attempts), max(attempts) FROM ratchet.failed_items WHERE run_id = $first->{run_id}"),
			$mended ? '0|5|5' : '20|5|5', 'each of them has tried every item that was left, one after the other');
	}
	is(value($node, q{SELECT count(*), count(DISTINCT id) FROM effect WHERE job = 'mended'}), '200|200', 'no item is done twice');
	$node->safe_psql('postgres', q{UPDATE item SET bad = n % 10 = 0});
};

promise 'another key, and another definition, while it runs' => sub {
	for my $change (
		q{SELECT ratchet.alter_job('changed', key => '{n}')},
		define_batch('changed', 'SELECT id, bad, n FROM item WHERE n > 0', acts('changed'), q{key => '{n}', batch_size => 7}) . 'SELECT 1',
		q{SELECT ratchet.alter_job('changed', key => '{id DESC}')})
	{
		$node->safe_psql('postgres', q{DELETE FROM effect WHERE job = 'changed'});
		psql_ok($node, define_batch('changed', $all, acts('changed'), q{key => '{id}', batch_size => 7}) . 'SELECT 1');
		close_gate('changed');
		my $run_id = trigger('changed');
		wait_until($node, "SELECT items_done > 0 FROM ratchet.running WHERE run_id = $run_id");
		my $session = quiet_session();
		$session->query_safe("BEGIN; $change");
		open_gate('changed');
		waits($run_id);
		$session->query_safe('COMMIT');
		wait_run($node, $run_id, 'succeeded', 'the run goes on with the definition with which it started');
		done_each('changed', 1, 'to its end');
		is_run(run_record($node, again('changed')), { items_done => 180, checkpoint_from => undef }, 'the next one begins at the start');
		$session->quit;
	}
};

# A full walk that was cut short, and one that is incremental: both have a checkpoint.
sub with_checkpoint
{
	my ($job, $options) = @_;
	$node->safe_psql('postgres', "DELETE FROM effect WHERE job = '$job'");
	psql_ok($node, define_batch($job, $all, acts($job), "batch_size => 7, $options") . "SELECT ratchet.reset_checkpoint('$job')");
	close_gate($job);
	my $run_id = trigger($job);
	wait_until($node, "SELECT items_done > 0 FROM ratchet.running WHERE run_id = $run_id");
	$node->safe_psql('postgres', "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
	open_gate($job);
	return run_record($node, $run_id);
}

promise 'reset_checkpoint in a transaction that is open while the job starts' => sub {
	for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
	{
		for my $mode ('full', 'incremental')
		{
			for my $end ('COMMIT', 'ROLLBACK')
			{
				my $cut = with_checkpoint('reset', "mode => '$mode'");
				my $session = quiet_session();
				$session->query_safe("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM item; SELECT ratchet.reset_checkpoint('reset')");
				my $run_id = trigger('reset');
				waits($run_id, "$mode, $level: the run waits");
				$session->query_safe($end);
				$session->quit;
				wait_run($node, $run_id, 'succeeded', "$end: it has succeeded");
				is_deeply(run_record($node, $run_id)->{checkpoint_from}, $end eq 'COMMIT' ? undef : $cut->{checkpoint_to},
					$end eq 'COMMIT' ? 'from the start' : 'behind the checkpoint');
			}
		}
	}
	my $cut = with_checkpoint('reset', q{mode => 'incremental'});
	close_gate('reset');
	my $run_id = trigger('reset');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run_id");
	psql_fails($node, q{SELECT ratchet.reset_checkpoint('reset')}, qr/55006.*job "reset" is running/s, 'that of a run which has begun is not reset');
	open_gate('reset');
	wait_run($node, $run_id, 'succeeded');
};

promise 'and while a procedure starts that saves its own' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
DECLARE done int := coalesce((ratchet.checkpoint() ->> 'n')::int, 0);
BEGIN
	INSERT INTO effect (job, run_id) SELECT 'steps ' || done, ratchet.run_id();
	FOR i IN done + 1 .. done + 3 LOOP
		PERFORM ratchet.save_checkpoint(jsonb_build_object('n', i));
		COMMIT;
	END LOOP;
	IF EXISTS (SELECT FROM gate WHERE job = 'fails') THEN
		RAISE EXCEPTION 'as it was told to';
	END IF;
END $$;
SQL
	close_gate('fails');
	my $run_id = begin_run($node, 'steps', 'CALL steps()', q{backoff => '1 hour', backoff_cap => '1 hour', max_attempts => 1});
	wait_run($node, $run_id, 'failed');
	for my $end ('ROLLBACK', 'COMMIT')
	{
		my $session = quiet_session();
		$session->query_safe(q{BEGIN; SELECT ratchet.reset_checkpoint('steps')});
		$run_id = trigger('steps');
		waits($run_id);
		$session->query_safe($end);
		$session->quit;
		wait_run($node, $run_id, 'failed');
		is(run_record($node, $run_id)->{error}, 'as it was told to', "$end: nothing else is in its way");
		is(value($node, "SELECT job FROM effect WHERE run_id = $run_id"), $end eq 'COMMIT' ? 'steps 0' : 'steps 3', 'and it has begun where it should');
	}
	my $session = quiet_session();
	$session->query_safe(q{BEGIN; SELECT ratchet.reset_checkpoint('steps')});
	my $front = quiet_session();
	$front->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('steps');\n");
	wait_until($node, q{SELECT waits_for = 'lock' FROM ratchet.running WHERE job_name = 'steps'}, 'in the foreground, too');
	$session->query_safe('COMMIT');
	$session->quit;
	my $front_id = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'steps'});
	wait_run($node, $front_id, 'failed');
	is(value($node, "SELECT job FROM effect WHERE run_id = $front_id"), 'steps 0', 'and begins at the start');
	$front->quit;
};

# ---- Saving, behind a transaction that is open -----------------------------------------------------

# Ways to be in the way of a batch that is to be saved, without being in the way of its action.
my @blockers = (
	[ 'alter_job',      q{SELECT ratchet.alter_job('saves', key => '{n}')} ],
	[ 'schedule',       define_batch('saves', 'SELECT n, id, bad FROM item', 'SELECT pass($$saves$$, $2, $3, $1 = 50)', q{key => '{n}'}) . 'SELECT 1' ],
	[ 'DROP EXTENSION', 'DROP EXTENSION pg_ratchet' ],
	[ 'LOCK TABLE',     'LOCK TABLE ratchet.job_checkpoint, ratchet.failed_item' ]);

sub begin_saving
{
	my ($blocker, $options, %option) = @_;
	$node->safe_psql('postgres', q{DELETE FROM effect WHERE job = 'saves'});
	psql_ok($node, define_batch('saves', $all, acts('saves'), "key => '{id}', batch_size => 7" . $options) . q{SELECT ratchet.reset_checkpoint('saves')});
	close_gate('saves');
	my $front = $option{front};
	$front->query_until(qr/begins/, "\\echo begins\nSET lock_timeout = '50 ms';\nCALL ratchet.run('saves');\n") if $front;
	my $run_id = $front ? undef : trigger('saves');
	wait_until($node, q{SELECT items_done > 0 FROM ratchet.running WHERE job_name = 'saves'});
	$run_id //= value($node, q{SELECT run_id FROM ratchet.running WHERE job_name = 'saves'});
	my $session = quiet_session();
	$session->query_safe("BEGIN; $blocker->[1]");
	open_gate('saves');
	return ($run_id, $session);
}

# The views cannot be read while the extension is being dropped.
sub waits_behind
{
	my ($run_id, $blocker) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return waits($run_id, "behind $blocker->[0] it waits, and says so") if $blocker->[0] ne 'DROP EXTENSION';
	return wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%' AND wait_event_type = 'Lock'});
}

promise 'a batch that cannot be saved at the moment is saved later' => sub {
	for my $options (', pause_ratio => 0.2', '', q{, mode => 'incremental'})
	{
		for my $blocker (@blockers)
		{
			my ($run_id, $session) = begin_saving($blocker, $options);
			waits_behind($run_id, $blocker);
			$session->query_safe('ROLLBACK');
			$session->quit;
			wait_run($node, $run_id, 'succeeded', "behind $blocker->[0]$options");
			done_each('saves', 1, 'each item is done once');
		}
	}
};

promise 'and can be canceled, and timed out, until then' => sub {
	my ($run_id, $session) = begin_saving($blockers[0], '');
	waits_behind($run_id, $blockers[0]);
	my $asked = value($node, "SELECT clock_timestamp() AS t \\gset\nSELECT ratchet.cancel($run_id) \\g /dev/null\nSELECT :'t'");
	wait_run($node, $run_id, 'canceled');
	cmp_ok(value($node, "SELECT extract(epoch FROM finished_at - '$asked') FROM ratchet.runs WHERE run_id = $run_id"), '<', within(2), 'a cancel takes effect at once');
	my $done = run_record($node, $run_id)->{items_done};
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'saves'}), $done, 'behind the last batch that was saved');
	$session->query_safe('ROLLBACK');
	$session->quit;

	($run_id, $session) = begin_saving($blockers[1], q{, timeout => '3 s'});
	waits_behind($run_id, $blockers[1]);
	wait_run($node, $run_id, 'timed_out');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'saves'}), run_record($node, $run_id)->{items_done}, 'a time-out likewise');
	$session->query_safe('ROLLBACK');
	$session->quit;
	is(value($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%'}) > 0 ? 1 : 0, 1, 'no worker had to die for it');
};

promise 'in the foreground, with a lock_timeout of the session' => sub {
	for my $options ('', ', pause_ratio => 0.2')
	{
		my $front = quiet_session();
		my ($run_id, $session) = begin_saving($blockers[0], $options, front => $front);
		waits_behind($run_id, $blockers[0]);
		$session->query_safe('ROLLBACK');
		$session->quit;
		wait_run($node, $run_id, 'succeeded', 'it goes on');
		done_each('saves', 1, 'each item is done once');
		is($front->query_safe('SHOW lock_timeout'), '50ms', 'the setting is what it was');
		$front->quit;
	}
};

# ---- Sessions among themselves, and the scheduler ----------------------------------------------------

promise 'jobs beyond those whose names a transaction locks' => sub {
	my $define = q{SELECT count(ratchet.schedule('many ' || i, '@manual', 'SELECT 1')) FROM generate_series(1, 520) i};
	$node->safe_psql('postgres', $define);
	my $first = quiet_session();
	$first->query_safe(q{BEGIN; SELECT count(ratchet.alter_job('many ' || i, comment => 'first')) FROM generate_series(1, 520) i});
	my $second = quiet_session();
	my $pid = $second->query_safe('SELECT pg_backend_pid()');
	$second->query_until(qr/begins/, "\\echo begins\nSELECT ratchet.alter_job('many 515', priority => 3);\n");
	wait_until($node, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", 'another session waits for the row');
	$first->query_safe('COMMIT');
	$second->query_safe('SELECT 1');
	is(value($node, q{SELECT comment, priority FROM ratchet.jobs WHERE job_name = 'many 515'}), 'first|3', 'and changes what the first one left');
	$_->quit for $first, $second;
	$node->safe_psql('postgres', q{SELECT count(ratchet.unschedule('many ' || i)) FROM generate_series(1, 520) i});
};

promise 'adopt() twice at once' => sub {
	my @sessions = map { quiet_session() } 1 .. 2;
	$sessions[0]->query_safe('BEGIN; SELECT ratchet.adopt()');
	my $pid = $sessions[1]->query_safe('SELECT pg_backend_pid()');
	$sessions[1]->query_until(qr/begins/, "\\echo begins\nSELECT ratchet.adopt();\n");
	wait_until($node, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
	$sessions[0]->query_safe('COMMIT');
	$sessions[1]->query_safe('SELECT 1');
	is(value($node, 'SELECT count(*) FROM ratchet.home'), 1, 'there is one home');
	$_->quit for @sessions;
};

promise 'the scheduler waits for nobody' => sub {
	my $session = quiet_session();
	my $other = run_batch($node, 'held 2', $all, acts('held 2'));
	$session->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM ratchet.failed_item WHERE run_id = $other->{run_id} FOR UPDATE) f");
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('held 2', keep_history => '1 ms')});
	again('held 2') for 1 .. 2;
	again('beside');
	pass('a session that holds failed items which are to be purged holds up nothing else');
	is(value($node, "SELECT count(*) FROM ratchet.failed_item WHERE run_id = $other->{run_id}"), 20, 'they stay');
	is(value($node, "SELECT count(*) FROM ratchet.run_log WHERE run_id = $other->{run_id}"), 1, 'and so does their record');
	$session->query_safe('ROLLBACK');
	$session->quit;
};

is(value($node, q{SELECT string_agg(DISTINCT error, ', ') FROM ratchet.runs WHERE sqlstate = 'XX000'}), '', 'there was no internal error in any run');
is(scalar(grep { /concurrently/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile)), 0, 'nor in any session');

finish();
