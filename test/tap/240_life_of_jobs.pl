# When jobs run and when they do not: kinds of schedules, the life of a job, pausing, priorities, runs in
# the foreground, and sessions with odd settings.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nratchet.max_workers_per_role = 4\nmax_prepared_transactions = 4\n");

value($node, q{
	CREATE ROLE alice LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO alice;
	CREATE TABLE done (what text, at timestamptz DEFAULT clock_timestamp(), pid int DEFAULT pg_backend_pid());
	GRANT ALL ON done TO alice;
	SELECT ratchet.schedule('at_start', '@startup', $$INSERT INTO done VALUES ('at_start')$$);
	SELECT ratchet.schedule('by_hand', '@manual', $$INSERT INTO done VALUES ('by_hand')$$);
	SELECT ratchet.schedule('tick', '200 ms', $$INSERT INTO done VALUES ('tick')$$)});

sub times_done
{
	my ($what) = @_;
	return value($node, "SELECT count(*) FROM done WHERE what = '$what'");
}

# Time goes by, as the job that runs all the time shows.
sub ticks
{
	my ($times) = @_;
	my $count = times_done('tick');
	return wait_until($node, "SELECT count(*) >= $count + $times FROM done WHERE what = 'tick'");
}

promise '@startup runs once at each start of the server, and not when it is scheduled' => sub {
	ticks(3);
	is(times_done('at_start'), 0, 'not when it is scheduled');
	$node->restart;
	wait_until($node, q{SELECT count(*) = 1 FROM done WHERE what = 'at_start'}, 'after a restart');
	ticks(3);
	terminate_ratchet($node, 'scheduler', 'postgres');
	ticks(3);
	is(times_done('at_start'), 1, 'once, also when its scheduler was replaced');
	$node->restart;
	wait_until($node, q{SELECT count(*) = 2 FROM done WHERE what = 'at_start'}, 'after another restart');
};

promise '@manual never runs by itself' => sub {
	is(times_done('by_hand'), 0, 'not in all that time, with two restarts');
	is(value($node, q{SELECT next_run_at IS NULL FROM ratchet.jobs WHERE job_name = 'by_hand'}), 't',
		'and is not expected to');
};

promise 'at ...: once' => sub {
	value($node, q{SELECT ratchet.schedule('once', 'at ' || (clock_timestamp() + interval '300 ms')::text,
		$$INSERT INTO done VALUES ('once')$$)});
	wait_until($node, q{SELECT count(*) = 1 FROM done WHERE what = 'once'}, 'it runs');
	ticks(3);
	is(times_done('once'), 1, 'once');
	is(value($node, q{SELECT next_run_at IS NULL FROM ratchet.jobs WHERE job_name = 'once'}), 't',
		'nothing is left');
	psql_fails($node, q{SELECT ratchet.schedule('over', 'at 2001-01-01 00:00', 'SELECT 1')}, qr/ERROR:  22023/,
		'a time that is over');
};

promise 'start_at, end_at: not before, not after' => sub {
	value($node, q{SELECT ratchet.schedule('bounded', '100 ms', $$INSERT INTO done VALUES ('bounded')$$,
		start_at => clock_timestamp() + interval '500 ms', end_at => clock_timestamp() + interval '1 second')});
	wait_until($node, q{SELECT clock_timestamp() > end_at AND next_run_at IS NULL FROM ratchet.jobs WHERE job_name = 'bounded'},
		'it has run out');
	is( value($node, q{
			SELECT count(*) FROM ratchet.runs JOIN ratchet.job USING (job_id)
			WHERE runs.job_name = 'bounded' AND NOT scheduled_at BETWEEN start_at AND end_at}),
		0, 'no occurrence outside');
	is( value($node, q{
			SELECT sum(occurrences) FROM ratchet.runs WHERE job_name = 'bounded'}),
		6, 'all of those inside, the one at start_at included');
};

promise 'max_runs: so many and no more' => sub {
	value($node, q{SELECT ratchet.schedule('three', '50 ms', $$INSERT INTO done VALUES ('three')$$, max_runs => 3)});
	wait_until($node, q{SELECT count(*) = 3 FROM done WHERE what = 'three'}, 'it runs');
	ticks(3);
	is(times_done('three'), 3, 'three times');
};

promise 'after completion: the interval starts at the end of the run before' => sub {
	value($node, q{SELECT ratchet.schedule('rest', '300 ms after completion', 'SELECT pg_sleep(0.2)')});
	wait_until($node, q{SELECT count(*) >= 4 FROM ratchet.runs WHERE job_name = 'rest' AND status = 'succeeded'}, 'it runs');
	is( value($node, q{
			SELECT min(rest) >= interval '300 ms' FROM (
				SELECT started_at - lag(finished_at) OVER (ORDER BY run_id) AS rest
				FROM ratchet.runs WHERE job_name = 'rest') r}),
		't', 'never sooner');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'rest' AND status = 'skipped'}), 0,
		'nothing is skipped');
	value($node, q{SELECT ratchet.unschedule('rest')});
};

promise 'pause_job and resume_job: a run that is running is let finish' => sub {
	my $holder = lock_session($node, 7);
	value($node, q{SELECT ratchet.schedule('pausing', '100 ms', $$
		INSERT INTO done VALUES ('pausing'); SELECT pg_advisory_xact_lock(7)$$)});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'pausing'}, 'it runs');
	my $run = value($node, q{SELECT run_id FROM ratchet.running WHERE job_name = 'pausing'});
	value($node, q{SELECT ratchet.pause_job('pausing')});
	ticks(2);
	is(run_status($node, $run), 'running', 'the run goes on');
	$holder->quit;
	wait_run($node, $run, 'succeeded', 'and ends well');
	ticks(3);
	is(times_done('pausing'), 1, 'no other one starts');
	value($node, q{SELECT ratchet.resume_job('pausing')});
	wait_until($node, q{SELECT count(*) > 2 FROM done WHERE what = 'pausing'}, 'until it is resumed');
	value($node, q{SELECT ratchet.unschedule('pausing')});
};

promise 'a paused job can be triggered' => sub {
	value($node, q{SELECT ratchet.pause_job('by_hand')});
	my $run = value($node, q{SELECT ratchet.trigger('by_hand')});
	wait_run($node, $run, 'succeeded', 'it runs');
	value($node, q{SELECT ratchet.resume_job('by_hand')});
};

promise 'ratchet.enabled: off and on by a reload' => sub {
	$node->append_conf('postgresql.conf', 'ratchet.enabled = off');
	$node->reload;
	wait_until($node, q{SELECT state = 'off' FROM ratchet.status() WHERE component = 'enabled'}, 'off');
	my $run = value($node, q{SELECT ratchet.trigger('by_hand')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running}, 'what runs is let finish');
	# The scheduler has read its settings when it has nothing in hand; then time has to go by.
	my $count = times_done('tick');
	value($node, 'SELECT pg_sleep(1)');
	cmp_ok(times_done('tick'), '<=', $count + 1, 'nothing starts');
	is(run_status($node, $run), 'queued', 'what is asked for waits');
	$node->append_conf('postgresql.conf', 'ratchet.enabled = on');
	$node->reload;
	wait_run($node, $run, 'succeeded', 'what waited runs');
	ticks(2);
	is(value($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'skipped' AND reason IS NOT NULL}),
		't', 'what was missed is recorded');
};

promise 'work that waits starts in the order of its priority' => sub {
	my $order = value($node, q{
		SELECT ratchet.schedule('p' || p, '@manual', format($$INSERT INTO done VALUES ('p%s')$$, p),
			priority => p, run_as => 'alice') FROM unnest(ARRAY[5, -5, 0, 9, 1]) AS p \g /dev/null
		SELECT 1});
	# All four workers are taken, so that all of it waits; then one of them is let go.
	value($node, q{
		SELECT ratchet.schedule('block' || i, '@manual', format('SELECT pg_advisory_xact_lock(%s)', 100 + i))
		FROM generate_series(1, 4) AS i});
	value($node, q{SELECT ratchet.pause_job('tick')});
	my @holders = map { lock_session($node, 100 + $_) } 1 .. 4;
	value($node, q{SELECT ratchet.trigger('block' || i) FROM generate_series(1, 4) AS i});
	wait_until($node, q{SELECT count(*) = 4 FROM ratchet.running WHERE job_name LIKE 'block%'}, 'no worker is free');
	value($node, q{SELECT ratchet.trigger('p' || p) FROM unnest(ARRAY[9, 5, 1, 0, -5]) AS p});
	$holders[0]->quit;
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.runs WHERE job_name ~ '^p-?\d$' AND status = 'succeeded'}, 'all have run');
	is( value($node, q{SELECT string_agg(job_name, ' ' ORDER BY started_at) FROM ratchet.runs WHERE job_name ~ '^p-?\d$'}),
		'p-5 p0 p1 p5 p9', 'in their order');
	$_->quit for @holders[ 1 .. 3 ];
	value($node, q{SELECT ratchet.resume_job('tick')});
};

promise 'CALL ratchet.run runs a job here and now, with a record as any other' => sub {
	my $pid = value($node, q{
		CALL ratchet.run('by_hand');
		SELECT pg_backend_pid()});
	my $run = row($node, q{SELECT * FROM ratchet.runs WHERE cause = 'foreground' ORDER BY run_id DESC LIMIT 1});
	is_run($run, { job_name => 'by_hand', status => 'succeeded', worker_pid => $pid + 0, rows_affected => 1 }, 'the record');
	is(value($node, "SELECT count(*) FROM done WHERE what = 'by_hand' AND pid = $pid"), 1, 'the effect');
};

promise 'CALL ratchet.run of a job that fails is an error, and is recorded' => sub {
	value($node, q{SELECT ratchet.schedule('broken', '@manual', $$INSERT INTO done VALUES ('broken'); SELECT 1/0$$)});
	psql_fails($node, q{CALL ratchet.run('broken')}, qr/ERROR:  22012.*division by zero/, 'the error of the job');
	my $run = row($node, q{SELECT * FROM ratchet.runs WHERE cause = 'foreground' ORDER BY run_id DESC LIMIT 1});
	is_run($run, { job_name => 'broken', status => 'failed', sqlstate => '22012', error => 'division by zero' }, 'the record');
	is(times_done('broken'), 0, 'no effect');
	is(value($node, q{DO $$BEGIN NULL; END$$; SELECT ratchet.run_id() IS NULL}), 't', 'the session is its own again');
};

promise 'CALL ratchet.run with dry_run does it and takes it back' => sub {
	my $before = times_done('by_hand');
	psql_ok($node, q{CALL ratchet.run('by_hand', dry_run => true)}, 'a dry run');
	is(times_done('by_hand'), $before, 'no effect');
	is( value($node, q{SELECT status || dry_run || rows_affected FROM ratchet.runs WHERE cause = 'foreground' ORDER BY run_id DESC LIMIT 1}),
		'succeededtrue1', 'a record that says what it would have done');
};

promise 'CALL ratchet.run hands over a payload' => sub {
	value($node, q{SELECT ratchet.schedule('payload', '@manual', $$INSERT INTO done SELECT ratchet.payload()->>'what'$$, payload => '{"what": "own"}')});
	psql_ok($node, q{CALL ratchet.run('payload'); CALL ratchet.run('payload', '{"what": "given"}')}, 'two runs');
	is(value($node, q{SELECT string_agg(what, ' ' ORDER BY at) FROM done WHERE what IN ('own', 'given')}), 'own given',
		q{the job's, and the run's});
};

promise 'CALL ratchet.run gives the session its settings back, and nothing else' => sub {
	value($node, define_job('leaves', q{SET TimeZone = 'Asia/Tokyo'; CREATE TEMP TABLE left_over (); SELECT pg_advisory_lock(9); PREPARE p AS SELECT 1},
			q{settings => '{"work_mem": "7MB"}'}));
	my $left = q{
		SELECT concat_ws(' ', current_setting('work_mem'), current_setting('TimeZone'), to_regclass('left_over'),
			(SELECT name FROM pg_prepared_statements), (SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))};
	is(value($node, "CALL ratchet.run('leaves'); $left"), '4MB Asia/Tokyo left_over p 9', 'what its command has left in the session stays');
	is(value($node, "CALL ratchet.run('leaves'); DISCARD ALL; $left"), '4MB UTC', 'until it is discarded, as poolers do when a client leaves');
};

promise 'CALL ratchet.run: who may not' => sub {
	psql_fails($node, q{BEGIN; CALL ratchet.run('by_hand')}, qr/ERROR:  25001/, 'inside a transaction block');
	psql_fails($node, q{DO $$BEGIN CALL ratchet.run('by_hand'); COMMIT; END$$; BEGIN; DO $$BEGIN CALL ratchet.run('by_hand'); END$$},
		qr/ERROR:  (25001|2D000)/, 'inside a block inside a transaction block');
	value($node, q{SELECT ratchet.schedule('alices', '@manual', 'SELECT 1', run_as => 'alice')});
	psql_fails($node, q{CALL ratchet.run('alices')}, qr/ERROR:  42501.*HINT:.*trigger/s, q{a superuser with another role's job});
	psql_fails($node, q{SET ROLE alice; CALL ratchet.run('alices')}, qr/ERROR:  42501/, 'nor with SET ROLE');
	psql_fails($node, q{SET SESSION AUTHORIZATION alice; CALL ratchet.run('alices')}, qr/ERROR:  42501/, 'nor with SET SESSION AUTHORIZATION');
	psql_ok($node, q{CALL ratchet.run('alices')}, 'the owner may', user => 'alice');
	psql_fails($node, q{CALL ratchet.run('no such job')}, qr/ERROR:  42704/, 'a job that does not exist');
};

promise 'CALL ratchet.run does not overlap with other runs of the job' => sub {
	value($node, q{SELECT ratchet.schedule('alone', '@manual', 'SELECT pg_advisory_xact_lock(8)')});
	my $holder = lock_session($node, 8);
	my $run = value($node, q{SELECT ratchet.trigger('alone')});
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 8 AND NOT granted}, 'a run');
	psql_ok($node, q{CALL ratchet.run('alone')}, 'CALL ratchet.run does not wait for it');
	my $skipped = row($node, q{SELECT * FROM ratchet.runs WHERE cause = 'foreground' ORDER BY run_id DESC LIMIT 1});
	is($skipped->{status}, 'skipped', 'it does not run');
	like($skipped->{reason}, qr/already running: run $run/, 'and the record says why');
	$holder->quit;
	wait_run($node, $run, 'succeeded', 'it ends');
};

promise 'odd settings of the session that schedules change nothing' => sub {
	my $odd = q{
		SET search_path = nowhere;
		SET TimeZone = 'Pacific/Chatham';
		SET DateStyle = 'German, DMY';
		SET IntervalStyle = 'sql_standard';
		SET default_transaction_isolation = 'serializable';
		SET default_transaction_deferrable = on;
		SET extra_float_digits = -15;
		SET bytea_output = 'escape';
		SET lc_messages = 'C';
		SET row_security = off;
		SET work_mem = '64kB';};
	my $run = value($node, "$odd" . q{
		SELECT ratchet.schedule('odd', '*/5 * * * *', 'INSERT INTO public.done VALUES (''odd'')',
			start_at => '2020-02-01 00:00+00', time_zone => 'UTC', timeout => '1 hour', backoff_factor => 1.5) \g /dev/null
		SELECT ratchet.alter_job('odd', comment => 'x') \g /dev/null
		SELECT ratchet.trigger('odd')});
	is(value($node, "$odd SELECT ratchet.wait($run)"), 'succeeded', 'it runs');
	is(value($node, q{SELECT start_at = '2020-02-01 00:00+00' AND timeout = '1 hour' AND backoff_factor = 1.5 FROM ratchet.jobs WHERE job_name = 'odd'}),
		't', 'and is what was meant');
	psql_ok($node, "$odd SELECT count(*) FROM ratchet.$_", "ratchet.$_") for qw(jobs runs running job_health stat_jobs);
	psql_ok($node, "$odd CALL ratchet.run('odd')", 'CALL ratchet.run');
	psql_ok($node, "$odd SELECT ratchet.unschedule('odd')", 'unschedule');
	psql_fails($node, q{SET default_transaction_read_only = on; SELECT ratchet.trigger('by_hand')}, qr/ERROR:  25006/,
		'a read-only transaction writes nothing');
};

promise 'odd defaults of the role and of the database do not stop its jobs' => sub {
	# The job that shows that time goes by is to write.
	value($node, q{
		SELECT ratchet.alter_job('tick', settings => '{"default_transaction_read_only": "off"}');
		ALTER ROLE alice SET default_transaction_isolation = 'serializable';
		ALTER ROLE alice SET search_path = nowhere;
		ALTER ROLE alice SET TimeZone = 'Pacific/Chatham';
		ALTER ROLE alice SET DateStyle = 'German, DMY';
		ALTER ROLE alice SET row_security = off;
		ALTER ROLE alice SET statement_timeout = '1h';
		ALTER ROLE alice SET client_min_messages = 'error';
		ALTER ROLE alice SET default_transaction_read_only = on;
		ALTER DATABASE postgres SET default_transaction_deferrable = on;
		ALTER DATABASE postgres SET default_transaction_read_only = on});
	my $begin = 'SET default_transaction_read_only = off;';
	my $run = value($node, $begin . q{
		SELECT ratchet.schedule('reads', '@manual', 'SELECT current_setting(''transaction_read_only'')', run_as => 'alice') \g /dev/null
		SELECT ratchet.trigger('reads')});
	wait_run($node, $run, 'succeeded', 'a job that only reads is recorded');
	is(value($node, "SELECT result FROM ratchet.runs WHERE run_id = $run") =~ /"on"/ ? 'on' : 'off', 'on',
		'the setting holds for the job');
	$run = value($node, $begin . q{
		SELECT ratchet.schedule('writes', '@manual', 'INSERT INTO public.done VALUES (''writes'')', run_as => 'alice') \g /dev/null
		SELECT ratchet.trigger('writes')});
	wait_run($node, $run, 'failed', 'a job that writes is refused that');
	is(value($node, "SELECT sqlstate FROM ratchet.runs WHERE run_id = $run"), '25006', 'by the server');
	$run = value($node, $begin . q{
		SELECT ratchet.alter_job('writes', settings => '{"default_transaction_read_only": "off"}') \g /dev/null
		SELECT ratchet.trigger('writes')});
	wait_run($node, $run, 'succeeded', 'unless its settings say otherwise');
	terminate_ratchet($node, 'scheduler', 'postgres');
	ticks(2);
};

finish();
