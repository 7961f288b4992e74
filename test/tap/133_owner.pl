# Owners that cannot run anything (any more): what is recorded, and that the jobs of others go on.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
CREATE TABLE shared (n int);
CREATE ROLE healthy LOGIN;
SELECT ratchet.schedule('healthy', '100 ms', 'SELECT 1', run_as => 'healthy');
SQL

# A job of a role of its own that runs often, whatever happens, and has run.
sub make_job
{
	my ($role, $command) = @_;
	$node->safe_psql('postgres', <<"SQL");
CREATE ROLE $role LOGIN;
SELECT ratchet.schedule('$role', '100 ms', '$command', run_as => '$role', backoff => '10 ms', backoff_cap => '10 ms');
SQL
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = '$role' AND status = 'succeeded'", "$role: runs at first");
	return;
}

# The job fails from now on; returns the last record.
sub wait_failure
{
	my ($role, $expected, $what) = @_;
	my $last = value($node, 'SELECT max(run_id) FROM ratchet.runs');
	wait_until($node, "SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = '$role' AND status = 'failed' AND run_id > $last");
	my $run = row($node, "SELECT * FROM ratchet.runs WHERE job_name = '$role' AND status = 'failed' ORDER BY run_id DESC LIMIT 1");
	is_run($run, $expected, $what);
	my $n = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'healthy' AND status = 'succeeded'});
	wait_until($node, "SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'healthy' AND status = 'succeeded' AND run_id > $n", 'the job of another role goes on');
	return $run;
}

sub wait_success
{
	my ($role, $what) = @_;
	my $last = value($node, 'SELECT max(run_id) FROM ratchet.runs');
	wait_until($node, "SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = '$role' AND status = 'succeeded' AND run_id > $last", $what);
	return;
}

subtest 'the owner is dropped' => sub {
	make_job('dropped', 'SELECT 1');
	$node->safe_psql('postgres', 'DROP ROLE dropped');
	my $run = wait_failure('dropped', { sqlstate => '42704', error => 'the role that owned the job does not exist any more' }, 'its runs fail and say why');
	like($run->{error_hint}, qr/run_as/, 'and what to do');
	$node->safe_psql('postgres', 'CREATE ROLE dropped LOGIN');
	wait_failure('dropped', { sqlstate => '42704' }, 'another role of the same name does not inherit the job');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('dropped', run_as => 'healthy')});
	wait_success('dropped', 'until the job gets an owner');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('dropped')});
};

subtest 'the owner is dropped while a worker of it is idle' => sub {
	$node->safe_psql('postgres', q{CREATE ROLE idler LOGIN; SELECT ratchet.schedule('idler', '@manual', 'SELECT current_user', run_as => 'idler')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('idler')}), 'succeeded', 'it runs at first');
	# At once: the scheduler has looked at the role a moment ago, and believes that it is there.
	my $run_id = value($node, q{DROP ROLE idler; SELECT ratchet.trigger('idler')});
	# What the scheduler has heard of first decides which of them it is.
	wait_until($node, "SELECT status IN ('canceled', 'failed') FROM ratchet.runs WHERE run_id = $run_id");
	is_run(run_record($node, $run_id), { started_at => undef }, 'then it does not run');
	$run_id = value($node, q{SELECT ratchet.trigger('idler')});
	wait_run($node, $run_id, 'failed', 'nor does the next one');
	my $run = run_record($node, $run_id);
	is_run($run, { sqlstate => '42704', error => 'the role that owned the job does not exist any more' }, 'which says so');
	like($run->{error_hint}, qr/run_as/, 'and what to do');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('idler')});
};

subtest 'the owner may not log in' => sub {
	make_job('locked', 'SELECT 1');
	$node->safe_psql('postgres', 'ALTER ROLE locked NOLOGIN');
	wait_failure('locked', { sqlstate => '28000', error => 'role "locked" is not permitted to log in' }, 'its runs fail, also in a worker that is connected already');
	$node->safe_psql('postgres', 'ALTER ROLE locked LOGIN');
	wait_success('locked', 'until it may again');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('locked')});
};

subtest 'NOLOGIN and LOGIN hold for the next run' => sub {
	$node->safe_psql('postgres', q{CREATE ROLE fickle LOGIN; SELECT ratchet.schedule('fickle', '@manual', 'SELECT 1', run_as => 'fickle')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('fickle')}), 'succeeded', 'it runs at first');
	for my $round (1 .. 3)
	{
		my $run_id = value($node, q{ALTER ROLE fickle NOLOGIN; SELECT ratchet.trigger('fickle')});
		wait_run($node, $run_id, 'failed', 'at once after NOLOGIN it fails');
		like(run_record($node, $run_id)->{error_hint}, qr/LOGIN.*run_as/, 'and says what to do');
		$run_id = value($node, q{ALTER ROLE fickle LOGIN; SELECT ratchet.trigger('fickle')});
		wait_run($node, $run_id, 'succeeded', 'at once after LOGIN it does not');
	}
	$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO healthy');
	my $run_id = value($node, q{REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; SELECT ratchet.trigger('fickle')});
	wait_run($node, $run_id, 'failed', 'the same for CONNECT');
	like(run_record($node, $run_id)->{error_hint}, qr/GRANT CONNECT/, 'and says what to do');
	$run_id = value($node, q{GRANT CONNECT ON DATABASE postgres TO PUBLIC; SELECT ratchet.trigger('fickle')});
	wait_run($node, $run_id, 'succeeded', 'which helps at once');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('fickle')});
};

subtest 'the owner may not connect to the database' => sub {
	make_job('outside', 'SELECT 1');
	$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO healthy; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
	wait_failure('outside', { sqlstate => '42501' }, 'its runs fail');
	$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
	wait_success('outside', 'until it may again');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('outside')});
};

subtest 'the owner loses a privilege' => sub {
	$node->safe_psql('postgres', 'GRANT SELECT ON shared TO PUBLIC');
	make_job('poor', 'SELECT count(*) FROM shared');
	$node->safe_psql('postgres', 'REVOKE SELECT ON shared FROM PUBLIC');
	wait_failure('poor', { sqlstate => '42501', error => 'permission denied for table shared' }, 'its runs fail');
	$node->safe_psql('postgres', 'GRANT SELECT ON shared TO PUBLIC');
	wait_success('poor', 'until it has it again');
	$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA ratchet TO healthy; REVOKE USAGE ON SCHEMA ratchet FROM PUBLIC');
	wait_failure('poor', { sqlstate => '42501', error => 'permission denied for schema ratchet: role "poor" may not have jobs' }, 'the privilege to have jobs');
	$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA ratchet TO PUBLIC');
	wait_success('poor', 'is one as well');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('poor')});
};

subtest 'a table is dropped' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE short_lived (n int); GRANT SELECT ON short_lived TO PUBLIC');
	make_job('late', 'SELECT count(*) FROM short_lived');
	$node->safe_psql('postgres', 'DROP TABLE short_lived');
	wait_failure('late', { sqlstate => '42P01', error => 'relation "short_lived" does not exist' }, 'runs that read it fail');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('late')});
};

subtest 'the owner cannot start a session' => sub {
	make_job('broken', 'SELECT 1');
	# Before a session of the role is there, the server looks for this library, and cannot go on without it.
	$node->safe_psql('postgres', q{ALTER ROLE broken SET role = 'no_such_role'});
	wait_success('broken', 'the server ignores a setting that it cannot apply');
	$node->safe_psql('postgres', q{ALTER ROLE broken RESET role; SELECT ratchet.unschedule('broken')});
};

subtest 'the settings of a role reach its next run' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('setting', '@manual', 'SHOW work_mem', run_as => 'healthy')});
	for my $value ('11MB', '12MB')
	{
		$node->safe_psql('postgres', "ALTER ROLE healthy SET work_mem = '$value'");
		my $run_id = value($node, q{SELECT ratchet.trigger('setting')});
		wait_run($node, $run_id, 'succeeded');
		is(run_record($node, $run_id)->{result}, "{\"work_mem\":\"$value\"}", $value);
	}
};

subtest 'database and role are at their connection limits' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE crowded CONNECTION LIMIT 1; ALTER ROLE healthy CONNECTION LIMIT 1');
	$node->safe_psql('crowded', 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC');
	my $session = $node->background_psql('crowded', extra_params => [ '-U', 'healthy' ]);
	my ($status, $out, $err) = $node->psql('crowded', 'SELECT 1', extra_params => [ '-U', 'locked' ]);
	like($err, qr/too many connections for database/, 'a client is refused');
	is_run(
		run_job($node, 'fits', 'SELECT 1', q{run_as => 'healthy'}, db => 'crowded'),
		{ status => 'succeeded' },
		'a run is not, for it is no client');
	$session->quit;
	wait_success('healthy', 'other databases go on');
};

finish();
