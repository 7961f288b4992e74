# What is recorded about a run, how long it is kept, and that it agrees with what the run did.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE effect (n int);
CREATE TABLE parent (n int PRIMARY KEY);
CREATE TABLE child (n int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
SQL

# Whether a run's effect and its record were written by the same transaction.
sub same_transaction
{
	my ($run_id, $effect) = @_;
	return value($node, "SELECT l.xmin = ($effect) FROM ratchet.run_log l WHERE run_id = $run_id");
}

subtest 'effects and record are one transaction' => sub {
	my $run = run_job($node, 'single', 'INSERT INTO effect VALUES (1)');
	is(same_transaction($run->{run_id}, 'SELECT xmin FROM effect WHERE n = 1'), 't', 'of one statement');
	$run = run_job($node, 'several', 'INSERT INTO effect VALUES (2); INSERT INTO effect VALUES (3)');
	is(same_transaction($run->{run_id}, 'SELECT xmin FROM effect WHERE n IN (2, 3) GROUP BY xmin'), 't', 'of several');
	$run = run_job($node, 'committing',
		'DO $$ BEGIN INSERT INTO effect VALUES (4); COMMIT; INSERT INTO effect VALUES (5); END $$');
	is(same_transaction($run->{run_id}, 'SELECT xmin FROM effect WHERE n = 4'), 'f', 'of a procedure, not what it committed');
	is(same_transaction($run->{run_id}, 'SELECT xmin FROM effect WHERE n = 5'), 't', 'but its last part');
	$run = run_job($node, 'each', 'INSERT INTO effect VALUES (6); INSERT INTO effect VALUES (7)',
		q{transaction => 'per_statement'});
	is(same_transaction($run->{run_id}, 'SELECT xmin FROM effect WHERE n = 7'), 't', 'of the last statement with per_statement');
	$run = run_job($node, 'failing', 'INSERT INTO effect VALUES (8); SELECT 1 / 0');
	is_run($run, { status => 'failed' }, 'a run that fails is recorded');
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 8'), 0, 'without effect');
};

subtest 'a failure is recorded with all that the server said' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION complain() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'the message' USING errcode = 'XY123', detail = 'the detail', hint = 'the hint';
END $$;
SQL
	my $run = run_job($node, 'complaint', 'SELECT complain()');
	is_run(
		$run,
		{
			status => 'failed', sqlstate => 'XY123', error => 'the message',
			error_detail => 'the detail', error_hint => 'the hint', rows_affected => 0,
		},
		'SQLSTATE, message, detail and hint');
	like($run->{error_context}, qr/PL\/pgSQL function complain\(\) line 3 at RAISE/, 'and context');
	ok($run->{worker_pid} > 0 && $run->{started_at} && $run->{finished_at} && $run->{node}, 'where and when it ran');
	is( value($node, q{SELECT last_status || ' ' || consecutive_failures FROM ratchet.jobs WHERE job_name = 'complaint'}),
		'failed 1',
		'ratchet.jobs says so');
};

subtest 'what fails at commit has no effect' => sub {
	is_run(
		run_job($node, 'deferred', 'INSERT INTO child VALUES (1)'),
		{ status => 'failed', sqlstate => '23503' },
		'a deferred constraint');
	is(value($node, 'SELECT count(*) FROM child'), 0, 'undoes the run');
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE watched (n int);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not at commit'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION refuse();
SQL
	is_run(
		run_job($node, 'deferred', 'INSERT INTO watched VALUES (1)'),
		{ status => 'failed', sqlstate => 'P0001', error => 'not at commit' },
		'a deferred trigger that raises an error');
	is(value($node, 'SELECT count(*) FROM watched'), 0, 'undoes the run');
	is_run(
		run_job($node, 'deferred', 'DO $$ BEGIN INSERT INTO effect VALUES (20); COMMIT; INSERT INTO watched VALUES (1); END $$'),
		{ status => 'failed', error => 'not at commit' },
		'in the last part of a procedure');
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 20'), 1, 'what was committed before stays');
	is_run(
		run_job($node, 'deferred', 'INSERT INTO child VALUES (2); INSERT INTO parent VALUES (2)'),
		{ status => 'succeeded' },
		'a constraint that holds in the end is fine');
};

subtest 'an error message of 10 MB is cut' => sub {
	my $run = run_job($node, 'verbose', <<'SQL');
DO $$ BEGIN
	RAISE EXCEPTION USING message = repeat(U&'\20AC', 3500000), detail = repeat('d', 10000000), hint = repeat('h', 10000000);
END $$
SQL
	is_run($run, { status => 'failed', sqlstate => 'P0001' }, 'the run is recorded');
	is( value(
			$node,
			"SELECT octet_length(error) BETWEEN 1000 AND 8000 AND octet_length(error_detail) BETWEEN 1000 AND 8000
			    AND octet_length(error_hint) BETWEEN 1000 AND 8000 AND error = repeat(U&'\\20AC', length(error))
			   FROM ratchet.runs WHERE run_id = $run->{run_id}"),
		't',
		'with the beginning of each text, cut between two characters');
	is_run(run_job($node, 'single', 'SELECT 1'), { status => 'succeeded', worker_pid => $run->{worker_pid} },
		'the worker goes on');
};

subtest 'an error message that is not valid in the encoding of the database' => sub {
	$node->safe_psql('postgres', q{CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'});
	$node->safe_psql('ascii', 'CREATE EXTENSION pg_ratchet');
	my $raise = q{DO $r$ BEGIN RAISE EXCEPTION E'caf\\xe9 \\xff' USING detail = E'd\\xe9tail'; END $r$};
	is_run(
		run_job($node, 'raise', $raise, undef, db => 'ascii'),
		{ status => 'failed', sqlstate => 'P0001' },
		'any bytes in a database without an encoding');
	is( value($node, q{SELECT encode(error::bytea, 'hex') FROM ratchet.runs WHERE job_name = 'raise'}, db => 'ascii'),
		'636166e920ff',
		'are kept as they are');
	# dblink passes on what the other database said, as it is, once that is not to convert it any more.
	if ($node->psql('postgres', 'CREATE EXTENSION dblink') == 0)
	{
		my $connection = $node->connstr('ascii');
		$connection =~ s/'//g;
		my $run = run_job($node, 'raise', "SELECT dblink_exec('$connection', \$q\$SET client_encoding = 'SQL_ASCII'; $raise\$q\$)");
		is_run($run, { status => 'failed', sqlstate => 'P0001' }, 'bytes that are no UTF-8');
		like($run->{error} // '', qr/caf/, 'the readable part is kept');
		is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE error LIKE '%caf%' AND convert_from(convert_to(error, 'UTF8'), 'UTF8') = error}),
			1, 'as valid text');
	}
	is_run(run_job($node, 'single', 'SELECT 1'), { status => 'succeeded' }, 'others go on');
};

subtest 'counters are measured' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE filled (n int, note text)');
	my $run = run_job($node, 'writer', q{INSERT INTO filled SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i});
	is_run($run, { status => 'succeeded', rows_affected => 20000 }, 'rows');
	cmp_ok($run->{wal_bytes}, '>', 20000 * 100, 'WAL');
	cmp_ok($run->{blocks_hit}, '>', 20000, 'blocks');
	is( value($node, "SELECT cpu_time > '1 ms' AND cpu_time < duration + '50 ms' FROM ratchet.runs WHERE run_id = $run->{run_id}"),
		't', 'CPU time');
	my $idle = run_job($node, 'sleeper', 'SELECT pg_sleep(0.3)');
	cmp_ok($idle->{wal_bytes}, '<', 10000, 'a run that writes nothing has no WAL');
	is(value($node, "SELECT cpu_time < '200 ms' AND duration >= '300 ms' FROM ratchet.runs WHERE run_id = $idle->{run_id}"),
		't', 'and time that is slept is no CPU time');
	my $failed = run_job($node, 'writer', 'INSERT INTO filled SELECT generate_series(1, 20000); SELECT 1 / 0');
	cmp_ok($failed->{wal_bytes}, '>', 20000, 'a run that fails has cost something too');
	wait_until($node, q{SELECT runs = 2 AND failures = 1 AND wal_bytes > 2000000 FROM ratchet.stat_jobs WHERE job_name = 'writer'},
		'ratchet.stat_jobs sums up');
};

subtest 'every version of a job that ran is kept' => sub {
	my @runs = map { run_job($node, 'versioned', "SELECT $_ AS n", q{settings => '{"work_mem": "64MB"}'}) } 1 .. 3;
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('versioned', command => 'SELECT 4 AS n')});
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('versioned', command => 'SELECT 5 AS n', comment => 'new')});
	push @runs, run_record($node, wait_for('versioned'));
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('versioned')});
	my $ids = join ', ', map { $_->{run_id} } @runs;
	is( value(
			$node,
			"SELECT string_agg(v.command || ' ' || (v.settings ->> 'work_mem') || ' ' || v.owner_name || r.result, ', ' ORDER BY run_id)
			   FROM ratchet.runs r JOIN ratchet.job_version v USING (job_id, version) WHERE run_id IN ($ids)"),
		join(', ', map { "SELECT $_ AS n 64MB " . value($node, 'SELECT current_user') . "{\"n\":$_}" } 1, 2, 3, 5),
		'after the job is dropped, each run leads to what it ran');
	is(value($node, q{SELECT count(*) FROM ratchet.job_version WHERE command = 'SELECT 4 AS n'}), 0,
		'a version that never ran is not kept');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('same', '@manual', 'SELECT 1')});
	my @same = map { run_record($node, wait_for('same')) } 1, 2;
	is($same[0]{version}, $same[1]{version}, 'runs of the same version share it');
};

# Triggers a job and waits for the run's end.
sub wait_for
{
	my ($job) = @_;
	my $run_id = value($node, "SELECT ratchet.trigger('$job')");
	wait_run($node, $run_id, 'succeeded');
	return $run_id;
}

subtest 'history goes away by itself' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('steady', '100 ms', 'SELECT 1', keep_history => '1 day')});
	run_job($node, 'kept', 'SELECT 1', q{keep_history => '1 day'});
	run_job($node, 'short', 'SELECT 1', q{keep_history => '1 day'});
	# More than goes in one step.
	$node->safe_psql('postgres', <<'SQL');
INSERT INTO ratchet.run_log (run_id, job_id, job_name, owner, version, cause, status, attempt, scheduled_at, queued_at, finished_at, dry_run, occurrences)
SELECT nextval('ratchet.run_id_seq'), job_id, job_name, owner, version, cause, status, attempt, scheduled_at, queued_at,
       finished_at, dry_run, occurrences
  FROM ratchet.run_log, generate_series(1, 3000) WHERE job_name = 'short';
SQL
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'short'}), 3001, 'a long history');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('short', keep_history => '1 second')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_log WHERE job_name = 'short'}, 'after keep_history');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'kept'}), 1, 'of that job only');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'steady' AND status NOT IN ('queued', 'running', 'succeeded')}), 0,
		'other jobs go on meanwhile');
	# Not run_job: the record may be gone before it is looked at.
	my $again = begin_run($node, 'short', 'SELECT 2', q{keep_history => '1 second'});
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.runs WHERE run_id = $again", 'and again');

	run_job($node, 'dropped', 'SELECT 1');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('dropped')});
	my $before = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'steady'});
	wait_until($node, "SELECT count(*) > $before + 10 FROM ratchet.runs WHERE job_name = 'steady'");
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'dropped'}), 1, 'the history of a dropped job stays');
	$node->safe_psql('postgres', 'ALTER SYSTEM SET ratchet.keep_history = 0');
	$node->reload;
	wait_until($node, q{SELECT setting = '0' FROM pg_settings WHERE name = 'ratchet.keep_history'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('single')});
	wait_until(
		$node,
		q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'single')
		     AND NOT EXISTS (SELECT FROM ratchet.job_version WHERE job_name = 'single')},
		'until ratchet.keep_history is over, and its versions go with it');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'kept'}), 1,
		'a job with an option of its own keeps its history');
};

finish();
