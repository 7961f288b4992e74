# only_if: a query that says whether a run is needed.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.cancel_grace = 300ms\nautovacuum = off");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE effect (n int);
CREATE TABLE gate (open boolean);
INSERT INTO gate VALUES (false);
CREATE SEQUENCE numbers;
CREATE ROLE alice LOGIN;
CREATE ROLE other NOLOGIN;
GRANT other TO alice;
GRANT USAGE ON SCHEMA ratchet TO alice;
GRANT CREATE ON SCHEMA public TO alice;
CREATE TABLE alices (n int);
ALTER TABLE alices OWNER TO alice;
CREATE FUNCTION stubborn() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		BEGIN
			PERFORM pg_sleep(60);
		EXCEPTION WHEN query_canceled THEN
			NULL;
		END;
	END LOOP;
END $$;
CREATE FUNCTION swallows_once() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(60);
	RETURN true;
EXCEPTION WHEN query_canceled THEN
	RETURN true;
END $$;
CREATE FUNCTION dies() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_terminate_backend(pg_backend_pid());
	PERFORM pg_sleep(60);
	RETURN true;
END $$;
SQL

sub not_needed
{
	my ($job) = @_;
	return value($node, "SELECT coalesce(sum(not_needed), 0) FROM ratchet.stat_jobs WHERE job_name = '$job'");
}

sub wait_not_needed
{
	my ($job, $more, $what) = @_;
	my $n = not_needed($job) + $more;
	wait_until($node, "SELECT not_needed >= $n FROM ratchet.stat_jobs WHERE job_name = '$job'", $what);
	return;
}

sub effects { return value($node, 'SELECT count(*) FROM effect'); }

# A job with a condition, triggered once.
sub run_if
{
	my ($name, $only_if, $options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return run_job($node, $name, 'INSERT INTO effect VALUES (1)',
		"only_if => \$only_if\$$only_if\$only_if\$" . (defined $options ? ", $options" : ''));
}

promise 'an occurrence for which it is false leaves nothing but a count' => sub {
	psql_ok($node,
		q{SELECT ratchet.schedule('gated', '50 ms', 'INSERT INTO effect VALUES (extract(epoch FROM ratchet.scheduled_at() - coalesce(ratchet.previous_scheduled_at(), ratchet.scheduled_at())) * 1000)', only_if => 'SELECT open FROM gate', max_runs => 2)});
	wait_not_needed('gated', 4, 'it is counted as not needed');
	# On a busy machine some come due while one is being looked at.
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'gated' AND reason !~ '^(already running|missed)'}), 0, 'no row in the log');
	is(effects(), 0, 'nothing ran');
	my $job = row($node, q{SELECT * FROM ratchet.jobs WHERE job_name = 'gated'});
	is($job->{run_count}, 0, 'it does not count towards max_runs');
	is($job->{last_run_at}, undef, 'it has not run');
	is($job->{last_status}, undef, 'and has no status');
	isnt($job->{last_not_needed_at}, undef, 'and says when it was not needed');
	isnt($job->{next_run_at}, undef, 'and when it is due next');
	my $stat = row($node, q{SELECT * FROM ratchet.stat_jobs WHERE job_name = 'gated'});
	is($stat->{runs}, 0, 'no run in the statistics');
	cmp_ok($stat->{skipped}, '>=', $stat->{not_needed}, 'not needed is skipped');
	is(value($node, q{SELECT color || ': ' || why FROM ratchet.job_health WHERE job_name = 'gated'}),
		'gray: has not been needed yet', 'its health says so');
	psql_ok($node, 'UPDATE gate SET open = true');
	wait_until($node, q{SELECT run_count = 2 FROM ratchet.jobs WHERE job_name = 'gated'}, 'it runs once the condition is true');
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name = 'gated' AND status = 'succeeded'});
	is(value($node, 'SELECT n FROM effect ORDER BY ctid LIMIT 1'), 0,
		'its first run has no previous one: what was not needed is none');
	is(value($node, q{SELECT next_run_at IS NULL FROM ratchet.jobs WHERE job_name = 'gated'}), 't', 'max_runs holds');
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue q JOIN ratchet.job j USING (job_id) WHERE job_name = 'gated'}), 0, 'the queue is empty');
	psql_ok($node, q{SELECT ratchet.unschedule('gated')});
};

promise 'health: two occurrences that were not needed are no alarm' => sub {
	psql_ok($node, q{SELECT ratchet.schedule('hourly', '1 hour', 'SELECT 1', only_if => 'SELECT false')});
	wait_until($node, q{SELECT next_run_at IS NOT NULL FROM ratchet.jobs WHERE job_name = 'hourly'});
	# As if it had been there for three hours, and found not to be needed half an hour ago.
	psql_ok($node, q{UPDATE ratchet.job SET schedule_since = now() - interval '3 hours 10 minutes' WHERE job_name = 'hourly';
		UPDATE ratchet.job_state s SET last_scheduled_at = now() - interval '30 minutes' FROM ratchet.job j WHERE j.job_id = s.job_id AND job_name = 'hourly'});
	is(value($node, q{SELECT color FROM ratchet.job_health WHERE job_name = 'hourly'}), 'red', 'without a look at it, it is red');
	psql_ok($node, q{UPDATE ratchet.job_state s SET last_not_needed_at = now() - interval '30 minutes', last_scheduled_at = now() FROM ratchet.job j WHERE j.job_id = s.job_id AND job_name = 'hourly'});
	is(value($node, q{SELECT color FROM ratchet.job_health WHERE job_name = 'hourly'}), 'gray', 'with one, it is not');
	psql_ok($node, q{SELECT ratchet.unschedule('hourly')});
};

promise 'a schedule after completion goes on' => sub {
	psql_ok($node, q{SELECT ratchet.schedule('after', '50 ms after completion', 'SELECT 1', only_if => 'SELECT false')});
	wait_not_needed('after', 3, 'again and again');
	terminate_ratchet($node, 'scheduler');
	wait_not_needed('after', 3, 'also after a restart of the scheduler');
	psql_ok($node, q{SELECT ratchet.unschedule('after')});
};

promise 'null, no row, rows' => sub {
	my $before = effects();
	for my $query ('SELECT NULL::boolean', 'SELECT true WHERE false', 'SELECT false')
	{
		is_run(run_if('c', $query), { status => 'skipped', reason => 'only_if is false', started_at => undef, items_done => undef, error => undef },
			"$query: the run is skipped");
	}
	is(effects(), $before, 'nothing ran');
	is_run(run_if('c', 'VALUES (true), (true)'), { status => 'failed', sqlstate => '21000', reason => 'only_if could not be evaluated' },
		'more than one row is an error');
	is_run(run_if('c', 'SELECT true'), { status => 'succeeded', reason => undef }, 'true: it runs');
	is(effects(), $before + 1, 'once');
};

promise 'a run that was asked for can be waited for' => sub {
	psql_ok($node, define_job('p', 'INSERT INTO effect VALUES (1)', q{only_if => $$SELECT (ratchet.payload() ->> 'go')::boolean AND ratchet.run_id() > 0$$}));
	my $no = value($node, q{SELECT ratchet.trigger('p', '{"go": false}')});
	is(value($node, "SELECT ratchet.wait($no)"), 'skipped', 'ratchet.wait() ends');
	my $yes = value($node, q{SELECT ratchet.trigger('p', '{"go": true}')});
	is(value($node, "SELECT ratchet.wait($yes)"), 'succeeded', 'the condition knows the payload and the run');
	is_run(row($node, q{SELECT * FROM ratchet.jobs WHERE job_name = 'p'}),
		{ last_status => 'succeeded', consecutive_failures => 0 }, 'how the job stands');
	$no = value($node, q{SELECT ratchet.trigger('p', '{"go": false}')});
	is(value($node, "SELECT ratchet.wait($no)"), 'skipped');
	is_run(row($node, q{SELECT * FROM ratchet.jobs WHERE job_name = 'p'}),
		{ last_status => 'succeeded', last_run_id => $yes + 0 }, 'is not touched by a run that was not needed');
};

promise 'its error is a failure, and not false' => sub {
	my $run = run_if('wrong', 'SELECT 1 / (SELECT count(*) FROM gate WHERE open IS NULL) > 0');
	is_run($run, { status => 'failed', sqlstate => '22012', reason => 'only_if could not be evaluated', error => 'division by zero' }, 'recorded as what it is');
	like($run->{error_context}, qr/only_if/, 'with its place');
	is_run(row($node, q{SELECT consecutive_failures, backoff_until IS NOT NULL AS rests FROM ratchet.jobs WHERE job_name = 'wrong'}),
		{ consecutive_failures => 1, rests => JSON::PP::true }, 'the job rests');
	is_run(run_job($node, 'wrong', 'SELECT 1 / 0', q{only_if => 'SELECT true'}), { status => 'failed', reason => undef }, 'the error of the job is another one');
	$run = run_if('tries', q{SELECT count(*) / (CASE WHEN ratchet.attempt() = 1 THEN 0 ELSE 1 END) > 0 FROM gate}, q{max_attempts => 2, backoff => '100 ms', backoff_factor => 1});
	is_run($run, { status => 'failed' }, 'the first attempt');
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run->{run_id}", 'it is evaluated again by the retry');
	$run = run_if('gone', 'SELECT NOT EXISTS (SELECT FROM effect) OR true', undef);
	psql_ok($node, 'ALTER TABLE effect RENAME TO renamed');
	my $id = value($node, q{SELECT ratchet.trigger('gone')});
	wait_run($node, $id, 'failed');
	is_run(run_record($node, $id), { sqlstate => '42P01', reason => 'only_if could not be evaluated' }, 'a table that is gone');
	psql_ok($node, 'ALTER TABLE renamed RENAME TO effect');
};

promise 'nothing in it may write' => sub {
	my %writes = (
		'nextval' => q{SELECT nextval('numbers') > 0},
		'a function that inserts' => q{SELECT inserts()},
		'a function that opens the transaction' => q{SELECT opens()},
		'set_config' => q{SELECT set_config('transaction_read_only', 'off', false) IS NOT NULL},
		'ratchet.trigger' => q{SELECT ratchet.trigger('p') > 0},
		'ratchet.save_checkpoint' => q{SELECT ratchet.save_checkpoint('1') IS NOT NULL});
	psql_ok($node, <<'SQL');
CREATE FUNCTION inserts() RETURNS boolean LANGUAGE sql AS 'INSERT INTO effect VALUES (99) RETURNING true';
CREATE FUNCTION opens() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	SET TRANSACTION READ WRITE;
	INSERT INTO effect VALUES (99);
	RETURN true;
END $$;
SQL
	for my $what (sort keys %writes)
	{
		my $run = run_if('writer', $writes{$what});
		is_run($run, { status => 'failed', reason => 'only_if could not be evaluated' }, "$what: refused");
		like($run->{sqlstate}, qr/^25(006|001)$/, 'as in a read-only transaction');
	}
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 99'), 0, 'nothing was written');
	is_run(run_if('writer', 'SELECT true'), { status => 'succeeded' }, 'the job itself writes');
};

promise 'what it sets does not reach the run' => sub {
	my $run = run_job($node, 'leak',
		q{SELECT current_setting('app.left', true) AS left, current_setting('work_mem') AS mem, current_user AS who, ratchet.progress(3, 0)},
		q{run_as => 'alice', settings => '{"work_mem": "7MB", "app.given": "yes"}', only_if => $$
SELECT ratchet.progress(1, 5) IS NOT NULL AND set_config('app.left', 'leaked', false) = 'leaked'
   AND set_config('work_mem', '9MB', false) = '9MB' AND set_config('role', 'other', false) = 'other'$$});
	is_run($run, { status => 'succeeded' }, 'it runs');
	like($run->{result}, qr/"left": ?(null|"")/, 'no setting of the condition');
	like($run->{result}, qr/"mem": ?"7MB".*"who": ?"alice"/, 'those of the job, as its owner');
	is_run(run_job($node, 'leak', 'SELECT 1', q{run_as => 'alice', settings => '{"app.given": "yes"}', only_if => $$SELECT current_setting('app.given') = 'yes'$$}),
		{ status => 'succeeded' }, 'the condition has the settings of the job');
	is_run(run_job($node, 'mine', 'SELECT 1', q{run_as => 'alice', only_if => $$SELECT session_user = 'alice' AND current_user = 'alice' AND NOT EXISTS (SELECT FROM alices)$$}),
		{ status => 'succeeded' }, 'and is evaluated as the owner, in a session of its own');
};

promise 'it takes too long' => sub {
	psql_ok($node, q{ALTER SYSTEM SET ratchet.only_if_timeout = '400 ms'});
	psql_ok($node, 'SELECT pg_reload_conf()');
	my $run = run_if('slow', 'SELECT pg_sleep(60) IS NOT NULL');
	is_run($run, { status => 'failed', sqlstate => '57014', reason => 'only_if could not be evaluated' }, 'it fails, and is not timed_out');
	like($run->{error}, qr/exceeded ratchet\.only_if_timeout/, 'and says which limit it was');
	is_run(run_if('slow', 'SELECT swallows_once()'), { status => 'failed', sqlstate => '57014' }, 'also when the cancel is swallowed');
	$run = run_if('slow', 'SELECT stubborn()');
	is_run($run, { status => 'failed', sqlstate => '57P01' }, 'what goes on in spite of it is terminated');
	like($run->{reason}, qr/only_if could not be evaluated: it ignored/, 'and recorded as such');
	is_run(run_if('slow', 'SELECT pg_sleep(60) IS NOT NULL', q{timeout => '100 ms'}), { status => 'timed_out', reason => 'only_if could not be evaluated' }, 'the timeout of the run is another limit');
	is_run(run_job($node, 'quick', 'SELECT pg_sleep(1)', q{only_if => 'SELECT true'}), { status => 'succeeded' }, 'it is none of the run');
	psql_ok($node, q{ALTER SYSTEM RESET ratchet.only_if_timeout});
	psql_ok($node, 'SELECT pg_reload_conf()');
};

promise 'it is canceled, and it dies' => sub {
	my $id = begin_run($node, 'long', 'SELECT 1', q{only_if => 'SELECT pg_sleep(60) IS NOT NULL', run_as => 'alice'});
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60) IS%' AND wait_event = 'PgSleep'}, 'it shows as what the worker does');
	psql_ok($node, "SELECT ratchet.cancel($id)");
	wait_run($node, $id, 'canceled');
	my $run = run_if('dies', 'SELECT dies()', q{on_crash => 'next'});
	is_run($run, { status => 'crashed', sqlstate => '57P01' }, 'FATAL in it is like FATAL in the job');
	is_run(run_if('dies', 'SELECT true'), { status => 'succeeded' }, 'others go on');
};

promise 'runs that do again what a run did ask nothing; a backfill does' => sub {
	psql_ok($node, 'UPDATE gate SET open = true');
	my $run = run_if('again', 'SELECT open FROM gate');
	psql_ok($node, 'UPDATE gate SET open = false');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id})");
	wait_run($node, $replay, 'succeeded', 'a replay is not asked whether it is needed');
	psql_ok($node, q{SELECT ratchet.schedule('past', '1 hour', 'SELECT 1', start_at => now() + interval '1 year', only_if => $$SELECT extract(hour FROM ratchet.scheduled_at() AT TIME ZONE 'UTC')::int % 2 = 0$$)});
	psql_ok($node, q{SELECT ratchet.alter_job('past', schedule => '0 * * * *', reset => '{start_at}')});
	psql_ok($node, q{SELECT ratchet.backfill('past', '2026-01-01 00:00+00', '2026-01-01 03:30+00')});
	wait_until($node, q{SELECT count(*) = 4 FROM ratchet.runs WHERE job_name = 'past' AND cause = 'backfill' AND status IN ('succeeded', 'skipped')}, 'a backfill is');
	is(value($node, q{SELECT string_agg(status, ' ' ORDER BY scheduled_at) FROM ratchet.runs WHERE job_name = 'past' AND cause = 'backfill'}),
		'succeeded skipped succeeded skipped', 'for each of its occurrences');
};

promise 'in the foreground' => sub {
	psql_ok($node, 'UPDATE gate SET open = false');
	psql_ok($node, define_job('fore', 'INSERT INTO effect VALUES (7)', q{only_if => 'SELECT open FROM gate'}));
	my ($status, $out, $err) = $node->psql('postgres', q{CALL ratchet.run('fore')});
	is($status, 0, 'a run that is not needed is no error');
	like($err, qr/NOTICE:  run \d+ of job "fore" is skipped: only_if is false/, 'but says so');
	is_run(row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'fore'}), { status => 'skipped', cause => 'foreground', reason => 'only_if is false' }, 'and is recorded');
	wait_until($node, q{SELECT last_not_needed_at IS NOT NULL FROM ratchet.jobs WHERE job_name = 'fore'}, 'the scheduler takes note');
	is(value($node, q{SELECT last_status IS NULL FROM ratchet.jobs WHERE job_name = 'fore'}), 't', 'how the job stands is not touched');
	psql_ok($node, 'UPDATE gate SET open = true');
	psql_ok($node, q{CALL ratchet.run('fore')}, 'true: it runs');
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 7'), 1, 'once');
	psql_ok($node, q{SELECT ratchet.alter_job('fore', only_if => $$SELECT nextval('numbers') > 0$$)});
	psql_fails($node, q{CALL ratchet.run('fore')}, qr/25006/, 'nothing in it may write here either');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'fore' AND status = 'failed' AND reason = 'only_if could not be evaluated'}, 'its error is recorded');
	psql_ok($node, q{SELECT ratchet.alter_job('fore', only_if => 'SELECT true')});
	psql_ok($node, q{CALL ratchet.run('fore')}, 'afterwards the session writes again');
};

promise 'a batch job' => sub {
	psql_ok($node, 'CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 10)');
	psql_ok($node, 'UPDATE gate SET open = false');
	my @batch = ('walk', 'SELECT id FROM item', 'INSERT INTO effect VALUES ($1 + 1000)', q{batch_size => 3, only_if => 'SELECT open FROM gate'});
	is_run(run_batch($node, @batch), { status => 'skipped', batches => undef }, 'false: no walk');
	psql_ok($node, 'UPDATE gate SET open = true');
	is_run(run_batch($node, @batch), { status => 'succeeded', items_done => 10 }, 'true: the walk');
	is(value($node, 'SELECT count(*) FROM effect WHERE n > 1000'), 10, 'of all items');
};

# In 18 these counters have moved.
sub wal_writes
{
	return value($node, value($node, 'SHOW server_version_num') >= 180_000
		? q{SELECT sum(writes) FROM pg_stat_io WHERE object = 'wal'}
		: 'SELECT wal_write FROM pg_stat_wal');
}

promise 'false costs no flush of the WAL' => sub {
	psql_ok($node, q{SELECT ratchet.schedule('often', '10 ms', 'SELECT 1', only_if => 'SELECT false')});
	wait_not_needed('often', 10, 'it is at work');
	my $writes = wal_writes();
	my $n = not_needed('often');
	wait_not_needed('often', 200, 'two hundred times');
	$n = not_needed('often') - $n;
	$writes = wal_writes() - $writes;
	diag("$writes writes of the WAL for $n evaluations");
	cmp_ok($writes, '<', $n / 2, 'far fewer writes of the WAL than evaluations');
	psql_ok($node, q{SELECT ratchet.unschedule('often')});
};

promise 'the server crashes while it is evaluated' => sub {
	my $lock = lock_session($node, 7);
	my $id = begin_run($node, 'crash', 'INSERT INTO effect VALUES (77)', q{only_if => 'SELECT pg_advisory_lock(7) IS NOT NULL'});
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, 'it waits');
	my $pid = value($node, "SELECT worker_pid FROM ratchet.runs WHERE run_id = $id");
	kill_and_wait($node, $pid);
	eval { $lock->quit };
	wait_run($node, $id, 'crashed', 'the run is recorded');
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $id", 'and taken up again');
	is(value($node, 'SELECT count(*) FROM effect WHERE n = 77'), 1, 'nothing is lost, nothing done twice');
};

finish();
