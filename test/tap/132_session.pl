# A job runs as its owner and nobody else, in a session that shows nothing of the runs before.

use strict;
use warnings;

use FindBin;
use RatchetTest;
use ServerFunctions;
use Test::More;

my $node = new_node('main');
my $superuser = value($node, 'SELECT quote_ident(current_user)');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE team;
CREATE ROLE bob LOGIN IN ROLE team;
CREATE ROLE carol LOGIN;
CREATE SCHEMA bob AUTHORIZATION bob;
GRANT USAGE ON SCHEMA ratchet TO bob, team;
SQL
$node->safe_psql('postgres', <<'SQL', extra_params => [ '-U', 'bob' ]);
CREATE TABLE who (label text, session name, current name, is_superuser text, security text);
CREATE FUNCTION who(label text) RETURNS void BEGIN ATOMIC
	INSERT INTO who SELECT label, session_user, current_user, current_setting('is_superuser');
END;
CREATE TABLE probe (pid int, settings jsonb, state text);
CREATE FUNCTION probe() RETURNS void LANGUAGE plpgsql AS $$
DECLARE last text := 'none';
BEGIN
	BEGIN
		last := lastval();
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		NULL;
	END;
	INSERT INTO bob.probe SELECT pg_backend_pid(),
		(SELECT jsonb_object_agg(name, setting ORDER BY name) FROM pg_settings),
		concat_ws(' ', session_user, current_user, 'custom', nullif(current_setting('my.custom', true), ''),
			'temporary', to_regclass('pg_temp.leftover')::oid, 'prepared', (SELECT count(*) FROM pg_prepared_statements),
			'cursors', (SELECT count(*) FROM pg_cursors WHERE is_holdable),
			'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid < 3),
			'lastval', last);
END $$;
CREATE SEQUENCE numbers;
SELECT ratchet.schedule('probe', '@manual', 'SELECT bob.probe()');
SQL

my $mess = <<'SQL';
SET work_mem = '1MB';
SET search_path = 'nowhere';
SET TimeZone = 'Asia/Kathmandu';
SET statement_timeout = '50ms';
SET lock_timeout = '1ms';
SET synchronous_commit = off;
SET client_min_messages = error;
SET default_transaction_read_only = on;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SET application_name = 'mess';
SELECT set_config('my.custom', 'x', false);
CREATE TEMPORARY TABLE leftover (n int);
CREATE FUNCTION pg_temp.now() RETURNS int LANGUAGE sql AS 'SELECT 1';
PREPARE p AS SELECT 1;
DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10);
SELECT pg_advisory_lock(77), pg_advisory_lock(1, 2), pg_advisory_lock_shared(78);
SELECT nextval('bob.numbers');
SELECT setseed(0.5);
SET ROLE team
SQL

sub probe
{
	my $run_id = value($node, q{SELECT ratchet.trigger('probe')});
	wait_run($node, $run_id, 'succeeded');
	return row($node, 'SELECT * FROM bob.probe ORDER BY ctid DESC LIMIT 1');
}

my $before = probe();

sub leaves_nothing
{
	my ($what) = @_;
	my $after = probe();
	is($after->{pid}, $before->{pid}, "$what: the same worker");
	my %changed = map { $_ => $after->{settings}{$_} }
	  grep { ($before->{settings}{$_} // '') ne ($after->{settings}{$_} // '') } keys %{ $after->{settings} };
	is_deeply(\%changed, {}, 'all settings are as before');
	is($after->{state}, $before->{state}, 'so are role, temporary tables, statements, cursors, locks and sequences');
	return;
}

subtest 'a run leaves nothing to the next one' => sub {
	like($before->{state}, qr/^bob bob custom temporary prepared 0 cursors 0 locks 0 lastval none$/, 'at first there is nothing');
	is_run(run_job($node, 'mess', $mess, undef, user => 'bob'), { status => 'succeeded' }, 'a job changes all it can');
	leaves_nothing('after a run that succeeded');
	is_run(run_job($node, 'mess', "$mess; SELECT 1 / 0", undef, user => 'bob'), { status => 'failed', sqlstate => '22012' }, 'and fails');
	leaves_nothing('after one that failed');
	is_run(run_job($node, 'mess', "$mess; RESET ROLE; RESET search_path; SELECT 1 / 0", q{transaction => 'per_statement'}, user => 'bob'),
		{ status => 'failed' }, 'or commits each step');
	leaves_nothing('after that');
	my $run = run_job($node, 'mess', "$mess; SELECT pg_sleep(60)", q{timeout => '200 ms', transaction => 'per_statement'}, user => 'bob');
	ok($run->{status} eq 'timed_out' || $run->{status} eq 'failed', 'or is stopped');
	leaves_nothing('after that, too');
	is_run(run_job($node, 'discard', 'DISCARD ALL', undef, user => 'bob'), { status => 'succeeded' }, 'a job may discard all by itself');
	leaves_nothing('after DISCARD ALL');
	is_run(
		run_job($node, 'abandoned', 'SELECT pg_advisory_lock(79)', undef, user => 'bob'),
		{ status => 'succeeded', worker_pid => $before->{pid} },
		'a job may keep an advisory lock on purpose');
	is(value($node, 'SELECT pg_try_advisory_lock(79)'), 't', 'as long as it runs');
};

subtest 'random numbers cannot be known' => sub {
	my @seen = map {
		run_job($node, 'seed', 'SELECT setseed(0.5)', undef, user => 'bob');
		run_job($node, 'random', 'SELECT random()', undef, user => 'bob')->{result}
	} 1 .. 2;
	isnt($seen[0], $seen[1], 'after setseed() in a run before');
};

# Runs a command as bob, and returns who it was when it called who().
sub who_after
{
	my ($command, $label, $options) = @_;
	my $run = run_job($node, 'who', $command, $options, user => 'bob');
	return $run->{status} . value($node, "SELECT coalesce(string_agg(' ' || session || ' ' || current || ' ' || is_superuser, ','), '') FROM bob.who WHERE label = '$label'")
	  . (defined $run->{sqlstate} ? " $run->{sqlstate}" : '');
}

subtest 'a job is its owner and nobody else' => sub {
	is(who_after(q{SELECT bob.who('plain')}, 'plain'), 'succeeded bob bob off', 'session_user and current_user are the owner');
	my $n = 0;
	for my $attack ('RESET ROLE', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET ALL')
	{
		$n++;
		is(who_after("$attack; SELECT bob.who('$n')", $n), 'succeeded bob bob off', "$attack gains nothing");
		is(who_after("$attack; SELECT bob.who('each$n')", "each$n", q{transaction => 'per_statement'}), 'succeeded bob bob off',
			'nor in a transaction of its own');
	}
	is(who_after("SET SESSION AUTHORIZATION $superuser", 'none'), 'failed 42501', 'SET SESSION AUTHORIZATION to a superuser is refused');
	is(who_after("SET ROLE $superuser", 'none'), 'failed 42501', 'SET ROLE to a superuser is refused');
	is(who_after('SET ROLE carol', 'none'), 'failed 42501', 'SET ROLE to a role of others is refused');
	is(who_after(q{SET ROLE team; RESET ROLE; SELECT bob.who('team')}, 'team'), 'succeeded bob bob off', 'RESET ROLE leads back to the owner');
	is(
		who_after(
			q{DO $$ BEGIN ROLLBACK; PERFORM bob.who('rolled back'); COMMIT; RESET ROLE; RESET SESSION AUTHORIZATION; PERFORM bob.who('committed'); END $$},
			'rolled back'),
		'succeeded bob bob off', 'after a ROLLBACK');
	is(value($node, q{SELECT session || ' ' || current || ' ' || is_superuser FROM bob.who WHERE label = 'committed'}), 'bob bob off', 'and after a COMMIT');
};

subtest 'deferred triggers run as the owner' => sub {
	$node->safe_psql('postgres', <<'SQL', extra_params => [ '-U', 'bob' ]);
CREATE TABLE bob.late (action text);
CREATE FUNCTION bob.act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE NEW.action;
	PERFORM bob.who(NEW.action);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER act AFTER INSERT ON bob.late DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION bob.act();
SQL
	for my $action ('SELECT 1', 'RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT')
	{
		is(who_after("INSERT INTO bob.late VALUES ('$action')", $action), 'succeeded bob bob off', $action);
	}
	for my $action (q{DELETE FROM ratchet.run_log}, q{UPDATE ratchet.job SET command = 'x'}, q{INSERT INTO ratchet.run_log SELECT * FROM ratchet.run_log},
		"SET SESSION AUTHORIZATION $superuser")
	{
		my $run = run_job($node, 'late', "INSERT INTO bob.late VALUES (\$\$$action\$\$)", undef, user => 'bob');
		is_run($run, { status => 'failed', sqlstate => '42501' }, "$action: refused");
		is_run(run_job($node, 'direct', $action, undef, user => 'bob'), { status => 'failed', sqlstate => '42501' }, 'as in the command itself');
	}
};

subtest 'a run that leaves its working directory changed takes the process along' => sub {
	my $library = compile('away');
	plan(skip_all => 'no C compiler, or no headers of the server') unless defined $library;
	$node->safe_psql('postgres', "CREATE FUNCTION away() RETURNS int LANGUAGE c AS '$library', 'away'");
	my @pids = map { run_job($node, 'where', $_)->{worker_pid} } 'SELECT 1', 'SELECT away()', 'SELECT 1', 'SELECT 1';
	is($pids[1], $pids[0], 'a worker has further runs');
	isnt($pids[2], $pids[1], 'but no more after such a run');
	is($pids[3], $pids[2], 'the next one has them again');
};

subtest 'the record of a run is safe from its job' => sub {
	is_run(
		run_job($node, 'role', 'SET ROLE team', undef, user => 'bob'),
		{ status => 'succeeded' },
		'a run that ends as another role is recorded');
	is_run(
		run_job($node, 'readonly', 'SET TRANSACTION READ ONLY', undef, user => 'bob'),
		{ status => 'succeeded' },
		'so is one that ends read-only');
	is_run(
		run_job($node, 'readonly', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', undef, user => 'bob'),
		{ status => 'succeeded' },
		'or makes the session so');
	is_run(
		run_job($node, 'path', 'SET search_path = bob', undef, user => 'bob'),
		{ status => 'succeeded' },
		'or hides the catalog');
	is_run(
		run_job($node, 'serializable', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT bob.who(\'serializable\')', undef, user => 'bob'),
		{ status => 'succeeded' },
		'or is serializable');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'role' AND owner = 'bob'::regrole AND status = 'succeeded'}), 1, 'each under its owner');
};

finish();
