# What a run was given is the run's own: it is told so, recorded so and replayed so, however it ends and whoever
# records it, and the definition of its job keeps what the job has.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE TABLE export (run_id bigint, target text);
	CREATE TABLE down (target text);
	INSERT INTO down VALUES ('test');
	CREATE FUNCTION export_to(target text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO export VALUES (ratchet.run_id(), target);
		PERFORM pg_advisory_xact_lock_shared(1) WHERE target = 'slow';
		IF EXISTS (SELECT FROM down d WHERE d.target = export_to.target) THEN
			RAISE EXCEPTION USING ERRCODE = 'io_error', MESSAGE = 'no connection to ' || target;
		END IF;
	END $$;
	SELECT ratchet.schedule('export', '@manual', $$SELECT export_to(ratchet.payload()->>'target')$$, payload => '{"target": "prod"}', on_crash => 'next')});

sub newest
{
	my ($columns) = @_;
	return value($node, qq{SELECT $columns FROM ratchet.runs WHERE job_name = 'export' AND cause = 'foreground' ORDER BY run_id DESC LIMIT 1});
}

sub replay
{
	my ($run_id) = @_;
	my $replay = value($node, "SELECT ratchet.replay($run_id)");
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $replay");
	return $replay;
}

# Nothing is left of what it was given once it is recorded.
sub is_settled
{
	return wait_until($node, 'SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)', 'and is left nowhere else');
}

promise 'the first run of a definition, in the foreground and with a payload' => sub {
	my $err = psql_fails($node, q{CALL ratchet.run('export', '{"target": "test"}')}, qr/no connection to test/, 'it fails');
	is(value($node, q{SELECT job_version.payload->>'target' FROM ratchet.job_version JOIN ratchet.job USING (job_id, version) WHERE job.job_name = 'export'}), 'prod',
		'the definition that is kept has what the job has');
};

promise 'a run in the foreground that fails' => sub {
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE cause = 'foreground' AND status = 'failed'}, 'is recorded');
	is(newest(q{payload->>'target'}), 'test', 'with what it was given');
	is_settled();
	my $replay = replay(newest('run_id'));
	is_run(run_record($node, $replay), { status => 'failed', error => 'no connection to test' }, 'its replay does the same');
	value($node, 'DELETE FROM down');
	$replay = replay(newest('run_id'));
	is_run(run_record($node, $replay), { status => 'succeeded', payload => { target => 'test' } }, 'and does what it was to do, now that it can be done');
	is(value($node, "SELECT target FROM export WHERE run_id = $replay"), 'test', 'for whom it was to be done');
};

promise 'a new attempt at a run in the foreground' => sub {
	value($node, q{INSERT INTO down VALUES ('test');
		SELECT ratchet.alter_job('export', max_attempts => 2, backoff => '1 ms')});
	psql_fails($node, q{CALL ratchet.run('export', '{"target": "test"}')}, qr/no connection to test/, 'it fails');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE cause = 'retry' AND status = 'failed'}, 'and again');
	is(value($node, q{SELECT error || ' ' || (payload->>'target') FROM ratchet.runs WHERE cause = 'retry'}), 'no connection to test test', 'with the same payload');
	value($node, q{DELETE FROM down; SELECT ratchet.alter_job('export', reset => '{max_attempts,backoff}')});
	is_settled();
};

promise 'a run in the foreground that succeeds' => sub {
	psql_ok($node, q{CALL ratchet.run('export', '{"target": "staging"}')}, 'it does');
	is(newest(q{status || ' ' || (payload->>'target')}), 'succeeded staging', 'and is recorded with what it was given');
	is_settled();
	psql_ok($node, q{CALL ratchet.run('export', '{"target": "staging"}', dry_run => true)}, 'a dry run');
	is(newest(q{status || ' ' || (payload->>'target') || ' ' || dry_run}), 'succeeded staging true', 'is recorded the same way');
	is_settled();
	psql_ok($node, q{CALL ratchet.run('export')}, 'and one without');
	is(newest(q{status || ' ' || (payload->>'target')}), 'succeeded prod', 'has that of its job');
};

promise 'while it runs' => sub {
	my $lock = lock_session($node, 1);
	my $session = session($node);
	$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('export', '{\"target\": \"slow\"}');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'export'}, 'it runs');
	is(newest(q{status || ' ' || (payload->>'target')}), 'running slow', 'it shows what it was given');
	value($node, q{SELECT ratchet.alter_job('export', overlap => 'queue')});
	psql_fails($node, q{CALL ratchet.run('export', '{"target": "other"}')}, qr/55006.*job "export" is running/s, 'another one is refused');
	value($node, q{SELECT ratchet.alter_job('export', overlap => 'skip')});
	psql_ok($node, q{CALL ratchet.run('export', '{"target": "other"}')}, 'or skipped');
	is(newest(q{status || ' ' || (payload->>'target')}), 'skipped other', 'and recorded with what it was given');
	is(value($node, 'SELECT count(*) FROM ratchet.run_queue'), 1, 'no more is left of either');

	# The scheduler reads everything anew, and so does another one.
	$node->append_conf('postgresql.conf', 'ratchet.environment = production');
	$node->reload;
	run_job($node, 'passes', 'SELECT 1');
	terminate_ratchet($node, 'scheduler', 'postgres');
	run_job($node, 'passes', 'SELECT 1');
	is(value($node, q{SELECT payload->>'target' FROM ratchet.runs JOIN ratchet.running USING (run_id)}), 'slow', 'a new scheduler leaves it alone');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE status = 'crashed'}), 0, 'and takes it for no run that has died');
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE status = 'succeeded' AND payload->>'target' = 'slow'}, 'it succeeds');
	$session->quit;
	is_settled();
};

promise 'its session is ended' => sub {
	my $lock = lock_session($node, 1);
	my $session = session($node);
	$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('export', '{\"target\": \"slow\"}');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'export'}, 'it runs');
	my $run_id = newest('run_id');
	value($node, q{SELECT pg_terminate_backend(pid) FROM ratchet.running});
	wait_run($node, $run_id, 'crashed', 'it is lost');
	is(newest(q{payload->>'target'}), 'slow', 'and recorded with what it was given');
	is_settled();
	eval { $session->quit };
	$lock->quit;
	my $replay = replay($run_id);
	is(value($node, "SELECT target FROM export WHERE run_id = $replay"), 'slow', 'its replay does what it was to do');
};

promise 'the server crashes' => sub {
	my $lock = lock_session($node, 1);
	my $session = session($node);
	$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('export', '{\"target\": \"slow\"}');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'export'}, 'it runs');
	my $run_id = newest('run_id');
	$node->stop('immediate');
	eval { $session->quit };
	eval { $lock->quit };
	$node->start;
	wait_run($node, $run_id, 'crashed', 'it is known to have run');
	is(newest(q{payload->>'target'}), 'slow', 'with what it was given');
	is_settled();
};

finish();
