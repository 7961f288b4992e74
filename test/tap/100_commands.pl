# What the command of a job can be, and what it finds inside of a run.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (n int, note text);
CREATE TABLE a (n int);
CREATE TABLE b (n int);
CREATE ROLE alice LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice;
SQL

sub numbers
{
	return value($node, q{SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), '') FROM t});
}

sub empty_table { $node->safe_psql('postgres', 'TRUNCATE t'); return; }

subtest 'one statement' => sub {
	empty_table();
	is_run(
		run_job($node, 'one', 'INSERT INTO t SELECT generate_series(1, 3)'),
		{ status => 'succeeded', cause => 'trigger', rows_affected => 3, result => undef, error => undef },
		'an INSERT succeeds, and its rows are counted');
	is(numbers(), '1 2 3', 'its rows are there');
};

subtest 'several statements are one transaction' => sub {
	empty_table();
	is_run(
		run_job($node, 'several', 'INSERT INTO t VALUES (1); INSERT INTO t VALUES (2), (3)'),
		{ status => 'succeeded', rows_affected => 3 },
		'the rows of all statements are counted');
	is(value($node, 'SELECT count(DISTINCT xmin::text) FROM t'), 1, 'one transaction wrote them');
	my $run = run_job($node, 'several', 'INSERT INTO t VALUES (4); SELECT 1 / 0; INSERT INTO t VALUES (5)');
	is_run($run, { status => 'failed', sqlstate => '22012', error => 'division by zero' }, 'an error fails the run');
	like($run->{error_context} // '', qr/statement 2 of 3/, 'the record says at which statement');
	is(numbers(), '1 2 3', 'and undoes the statement before it');
};

subtest 'how far a command is, as the server shows it' => sub {
	empty_table();
	value($node, q{INSERT INTO t SELECT generate_series(1, 3);
		CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN n; END $$});
	my $lock = lock_session($node, 77);
	my $run = begin_run($node, 'index', 'CREATE INDEX t_slow ON t (public.slow(n))');
	wait_until($node, q{SELECT command_progress ->> 'phase' ~ '^building index' FROM ratchet.running}, 'it is at work');
	is(value($node, q{SELECT concat_ws(' ', command_progress ->> 'command', command_progress ->> 'relation', command_progress ? 'blocks_total') FROM ratchet.running}),
		'CREATE INDEX public.t t', 'ratchet.running says at what');
	is(value($node, q{SELECT command_progress FROM ratchet.running}, user => 'alice'), '', 'for those who see the run');
	$lock->quit;
	wait_run($node, $run, 'succeeded');
	$run = begin_run($node, 'index', 'SELECT pg_sleep(600)');
	wait_until($node, q{SELECT command_progress IS NULL FROM ratchet.running}, 'nothing of any other command');
	value($node, "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled');
	value($node, 'DROP INDEX t_slow');
};

subtest 'VACUUM and CREATE INDEX CONCURRENTLY, which need the top level' => sub {
	is_run(run_job($node, 'vacuum', 'VACUUM t'), { status => 'succeeded' }, 'VACUUM succeeds');
	wait_until($node, q{SELECT vacuum_count > 0 FROM pg_stat_all_tables WHERE relid = 't'::regclass},
		'the table was vacuumed');
	is_run(run_job($node, 'index', 'CREATE INDEX CONCURRENTLY t_note ON t (note)'),
		{ status => 'succeeded' }, 'CREATE INDEX CONCURRENTLY succeeds');
	is(value($node, q{SELECT indisvalid FROM pg_index WHERE indexrelid = 't_note'::regclass}),
		't', 'the index is valid');
	is_run(run_job($node, 'index', 'DROP INDEX CONCURRENTLY t_note'),
		{ status => 'succeeded' }, 'DROP INDEX CONCURRENTLY succeeds');
};

subtest 'procedures may commit and roll back' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA app;
CREATE TABLE app.kept (n int);
CREATE PROCEDURE app.work() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO kept VALUES (1);
	COMMIT;
	INSERT INTO kept VALUES (2);
	ROLLBACK;
	INSERT INTO kept VALUES (3);
END $$;
CREATE PROCEDURE app.fail_late() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO kept VALUES (4);
	COMMIT;
	INSERT INTO kept VALUES (5);
	RAISE EXCEPTION 'too late';
END $$;
SQL
	my $settings = q{settings => '{"search_path": "app"}'};
	is_run(run_job($node, 'call', 'CALL work()', $settings), { status => 'succeeded' },
		'CALL with COMMIT and ROLLBACK succeeds; the search_path of the job survives both');
	is(value($node, 'SELECT array_agg(n ORDER BY n) FROM app.kept'), '{1,3}', 'as they were meant');
	is_run(
		run_job($node, 'call', 'CALL fail_late()', $settings),
		{ status => 'failed', sqlstate => 'P0001', error => 'too late' },
		'it fails after a COMMIT');
	is(value($node, 'SELECT array_agg(n ORDER BY n) FROM app.kept'),
		'{1,3,4}', 'what it committed stays, the rest is undone');
	empty_table();
	is_run(
		run_job($node, 'do', 'DO $$ BEGIN FOR i IN 1 .. 5 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$'),
		{ status => 'succeeded' },
		'DO with COMMIT succeeds');
	is(value($node, 'SELECT count(DISTINCT xmin::text) FROM t'), 5, 'in five transactions');
	my $run = run_job($node, 'call', 'SELECT 1; CALL work()', $settings);
	is_run($run, { status => 'failed', sqlstate => '2D000' }, 'among several statements a procedure cannot commit');
	like($run->{error_hint}, qr/transaction => 'per_statement'/, 'and the hint says what helps');
	$run = run_job($node, 'call', 'DO $$ BEGIN CALL work(); EXCEPTION WHEN division_by_zero THEN NULL; END $$', $settings);
	is_run($run, { sqlstate => '2D000', error_hint => undef }, 'which is not said where it does not');
	psql_fails($node, define_job('call', 'SELECT 1; CALL work()', $settings) . q{CALL ratchet.run('call')},
		qr/ERROR:  2D000.*HINT:.*transaction => 'per_statement'/s, 'it is said to who runs it in the foreground');
	is_run(row($node, q{SELECT sqlstate, substring(error_hint FROM 'per_statement') AS hint FROM ratchet.runs WHERE cause = 'foreground'}),
		{ sqlstate => '2D000', hint => 'per_statement' }, 'and in the record');
	psql_ok($node, define_job('call', 'SELECT 1; CALL work()', "$settings, transaction => 'per_statement'") . q{CALL ratchet.run('call')},
		'where it helps, too');
	for my $run (
		q{SELECT ratchet.replay(max(run_id), dry_run => true) FROM ratchet.runs WHERE job_name = 'call' AND status = 'succeeded'},
		q{CALL ratchet.run('call', dry_run => true)})
	{
		my $before = value($node, q{SELECT count(*) FROM ratchet.runs WHERE dry_run AND status = 'failed'});
		$node->psql('postgres', $run);
		wait_until($node, qq{SELECT count(*) > $before FROM ratchet.runs WHERE dry_run AND status = 'failed'});
		like(value($node, q{SELECT error_hint FROM ratchet.runs WHERE dry_run ORDER BY run_id DESC LIMIT 1}),
			qr/a command that commits cannot run dry/, "a dry run: $run");
	}
};

subtest 'COPY' => sub {
	my $file = PostgreSQL::Test::Utils::tempdir() . '/out.csv';
	is_run(
		run_job($node, 'copy', "COPY (SELECT generate_series(1, 3)) TO '$file'"),
		{ status => 'succeeded', rows_affected => 3 },
		'a superuser copies to a file of the server');
	is(slurp_file($file), "1\n2\n3\n", 'the file has the rows');
	is_run(
		run_job($node, 'copy_alice', "COPY (SELECT 1) TO '$file'", undef, user => 'alice'),
		{ status => 'failed', sqlstate => '42501' },
		'somebody else is refused by the server');
	psql_fails($node, q{SELECT ratchet.schedule('copy', '@manual', 'COPY t FROM STDIN')},
		qr/ERROR:  0A000: COPY FROM STDIN is not allowed/, 'COPY FROM STDIN is refused when it is scheduled');
	psql_fails($node, q{SELECT ratchet.schedule('copy', '@manual', 'SELECT 1; COPY t TO STDOUT')},
		qr/ERROR:  0A000: COPY TO STDOUT is not allowed/, 'so is COPY TO STDOUT');
};

subtest 'SELECT' => sub {
	is_run(
		run_job($node, 'select', q{SELECT i AS n, 'x' AS note FROM generate_series(1, 1000) i}),
		{ status => 'succeeded', rows_affected => 1000, result => '{"n":1,"note":"x"}' },
		'rows are counted, and the first one is kept');
	is_run(
		run_job($node, 'select', 'SELECT 1 AS n; SELECT 2 AS n; INSERT INTO a VALUES (1)'),
		{ status => 'succeeded', result => '{"n":2}' },
		'of several queries the last one counts');
	my $run = run_job($node, 'select', q{SELECT repeat('x', 10000000) AS long});
	is_run($run, { status => 'succeeded', rows_affected => 1 }, 'a row of 10 MB is no problem');
	ok(length($run->{result}) > 1000 && length($run->{result}) <= 8000, 'it is cut');
	$run = run_job($node, 'select', q{SELECT repeat(U&'\20AC', 1000000) AS long});
	is_run($run, { status => 'succeeded' }, 'nor is one of three-byte characters');
	is(value($node, "SELECT octet_length(result) BETWEEN 7900 AND 8000 FROM ratchet.runs WHERE run_id = $run->{run_id}"),
		't', 'it is cut between two of them');
	is_run(run_job($node, 'select', 'SELECT WHERE false'),
		{ status => 'succeeded', rows_affected => 0, result => undef }, 'no row is no result');
};

subtest 'DDL' => sub {
	is_run(
		run_job($node, 'ddl', 'CREATE TABLE made (n int PRIMARY KEY); ALTER TABLE made ADD note text; INSERT INTO made VALUES (1)'),
		{ status => 'succeeded', rows_affected => 1 },
		'tables are made, changed and filled in one transaction');
	is(value($node, 'SELECT n FROM made'), 1, 'the table is there');
};

subtest 'what no run can execute is refused when it is scheduled' => sub {
	my %refused = (
		'BEGIN; SELECT 1; COMMIT' => qr/0A000: BEGIN is not allowed/,
		'SELECT 1; COMMIT' => qr/0A000: COMMIT is not allowed/,
		'ROLLBACK' => qr/0A000: ROLLBACK is not allowed/,
		'SAVEPOINT s' => qr/0A000: SAVEPOINT is not allowed/,
		q{PREPARE TRANSACTION ''x''} => qr/0A000: PREPARE TRANSACTION is not allowed/,
		q{COMMIT PREPARED ''x''} => qr/0A000: COMMIT PREPARED is not allowed/,
		'SELEC 1' => qr/42601: syntax error/,
		' ; ' => qr/22023: /,
		'VACUUM a; VACUUM b' => qr/25001: VACUUM cannot be one of several.*HINT:.*per_statement/s,
	);
	for my $command (sort keys %refused)
	{
		psql_fails($node, "SELECT ratchet.schedule('refused', '\@manual', '$command')",
			$refused{$command}, $command);
	}
	psql_fails($node,
		q{SELECT ratchet.schedule('refused', '@manual', 'BEGIN; SELECT 1; COMMIT', transaction => 'per_statement')},
		qr/0A000: BEGIN is not allowed/, 'also with per_statement');
	psql_fails($node, q{SELECT ratchet.alter_job('one', command => 'SELECT 1; COMMIT')},
		qr/0A000: COMMIT is not allowed/, 'and when a job is altered');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'refused'}), 0, 'no job was made');
};

subtest 'per_statement: each statement on its own at top level' => sub {
	empty_table();
	my $each = q{transaction => 'per_statement'};
	is_run(run_job($node, 'each', 'VACUUM a; VACUUM b', $each), { status => 'succeeded' }, 'VACUUM a; VACUUM b');
	my $run = run_job($node, 'each',
		'INSERT INTO t VALUES (1); SELECT 1 / 0; INSERT INTO t VALUES (2)', $each);
	is_run($run, { status => 'failed', sqlstate => '22012' }, 'it stops at the first error');
	like($run->{error_context} // '', qr/statement 2 of 3/, 'says at which statement');
	is(numbers(), '1', 'and keeps what was done before');
};

subtest 'NOTIFY' => sub {
	my $session = $node->background_psql('postgres');
	$session->query_safe('LISTEN news');
	is_run(run_job($node, 'notify', q{NOTIFY news, 'lost'; SELECT 1 / 0}), { status => 'failed' }, 'a run that fails');
	is_run(run_job($node, 'notify', q{NOTIFY news, 'hello'}), { status => 'succeeded' }, 'a run that notifies');
	my ($heard, $looks) = ('', 0);
	until ($heard =~ /hello/ || $looks++ > 500)
	{
		usleep(20_000) if $looks > 1;
		$heard .= $session->query('SELECT 1');
	}
	like($heard, qr/Asynchronous notification "news" with payload "hello"/, 'is heard by a session that listens');
	unlike($heard, qr/lost/, 'the one that failed is not');
	$session->quit;
	my $run = run_job($node, 'listen', 'LISTEN news');
	is_run($run, { status => 'failed', sqlstate => '0A000' }, 'a job, which has no client, cannot listen');
};

subtest 'settings' => sub {
	is_run(
		run_job($node, 'settings', q{SELECT current_setting('work_mem') AS work_mem, current_setting('application_name') AS name},
			q{settings => '{"work_mem": "123MB"}'}),
		{ status => 'succeeded', result => '{"work_mem":"123MB","name":"pg_ratchet: settings"}' },
		'are in force in the run, and application_name names the job');
	my $run = run_job($node, 'settings', 'SELECT pg_sleep(60)', q{settings => '{"statement_timeout": "200ms"}'});
	is_run($run, { status => 'failed', sqlstate => '57014' }, 'statement_timeout is enforced');
	like($run->{error}, qr/statement timeout/, 'and named in the record');
	$run = run_job($node, 'settings', 'SELECT 1; SELECT pg_sleep(60)', q{settings => '{"statement_timeout": "200ms"}'});
	is_run($run, { status => 'failed', sqlstate => '57014' }, 'also in several statements');
	is_run(
		run_job($node, 'settings', 'SELECT pg_sleep(0.2); SELECT pg_sleep(0.2); SELECT pg_sleep(0.2)',
			q{settings => '{"statement_timeout": "500ms"}', transaction => 'per_statement'}),
		{ status => 'succeeded' },
		'for each statement on its own');
};

subtest 'a run knows itself' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE seen (run_id bigint, attempt int, scheduled_at timestamptz, previous timestamptz, payload jsonb);
CREATE FUNCTION see() RETURNS void BEGIN ATOMIC
	INSERT INTO seen VALUES (ratchet.run_id(), ratchet.attempt(), ratchet.scheduled_at(),
		ratchet.previous_scheduled_at(), ratchet.payload());
END;
SELECT ratchet.schedule('self', '100 ms', 'SELECT see()', payload => '{"a": 1}');
SQL
	wait_until($node, 'SELECT count(*) >= 4 FROM seen');
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('self')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'self' AND status IN ('queued', 'running'))});
	is( value(
			$node,
			q{SELECT bool_and(r.status = 'succeeded' AND s.attempt = 1 AND s.scheduled_at = r.scheduled_at AND s.payload = '{"a": 1}')
			    FROM seen s LEFT JOIN ratchet.runs r USING (run_id)}),
		't',
		'run_id, attempt, scheduled_at and payload are those of the record');
	is( value(
			$node,
			q{SELECT bool_and(previous = before)
			    FROM (SELECT previous, lag(scheduled_at) OVER (ORDER BY run_id) AS before FROM seen) s WHERE before IS NOT NULL}),
		't',
		'previous_scheduled_at is the occurrence before');
	is(value($node, 'SELECT previous IS NULL FROM seen ORDER BY run_id LIMIT 1'), 't', 'and null at first');
	my $last = value($node, 'SELECT max(scheduled_at) FROM seen');
	my $run_id = value($node, q{SELECT ratchet.trigger('self', payload => '{"a": 2}')});
	wait_run($node, $run_id, 'succeeded');
	my $seen = row($node, "SELECT payload, previous = '$last' AS follows FROM seen WHERE run_id = $run_id");
	is_deeply($seen->{payload}, { a => 2 }, 'the payload of a trigger takes the place of the one of the job');
	ok($seen->{follows}, 'and it follows the last occurrence');
	is( value(
			$node,
			'SELECT (ratchet.run_id(), ratchet.attempt(), ratchet.scheduled_at(), ratchet.previous_scheduled_at(), ratchet.payload(), ratchet.checkpoint()) IS NULL'),
		't',
		'outside of a run all is null');
};

subtest 'progress is visible while the run goes on' => sub {
	my $session = lock_session($node, 1);
	my $run_id = begin_run($node, 'progress',
		'DO $$ BEGIN PERFORM ratchet.progress(3, 7); PERFORM pg_advisory_xact_lock(1); PERFORM ratchet.progress(10, 0); END $$');
	wait_until($node, "SELECT items_done = 3 AND items_remaining = 7 FROM ratchet.running WHERE run_id = $run_id",
		'in ratchet.running');
	is( value($node, "SELECT job_name || ' ' || (pid = worker_pid) FROM ratchet.running JOIN ratchet.runs USING (run_id, job_name) WHERE run_id = $run_id"),
		'progress true',
		'with its job and its process');
	$session->quit;
	wait_run($node, $run_id, 'succeeded');
	is(run_record($node, $run_id)->{items_done}, 10, 'the record keeps what was done');
};

finish();
