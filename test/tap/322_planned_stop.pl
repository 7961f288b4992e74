# The server is stopped as a matter of routine: for a minor release, another setting, a switchover. That is no crash.
# Batch jobs end at the end of their batch, other runs are canceled and taken up again, what has not started waits on,
# and nothing of it counts against a job. Each row and each run is done once.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $define = q{
	CREATE TABLE item (id int PRIMARY KEY);
	INSERT INTO item SELECT generate_series(1, 1000);
	CREATE TABLE done (job text, item int, run_id bigint);
	CREATE TABLE effect (job text, run_id bigint, attempt int);
	-- What hangs, hangs until the server has been started again.
	CREATE TABLE hangs_in (server timestamptz);
	CREATE FUNCTION hang() RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(3600) FROM hangs_in WHERE server = pg_postmaster_start_time();
		RETURN true;
	END $$;
	CREATE FUNCTION work(job text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO effect VALUES (job, ratchet.run_id(), ratchet.attempt());
		PERFORM hang();
	END $$;
	CREATE FUNCTION do_item(job text, item int, seconds float8) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO done VALUES (job, item, ratchet.run_id());
		PERFORM pg_sleep(seconds) FROM hangs_in WHERE server = pg_postmaster_start_time();
	END $$;
};

my $node = new_node('main', init => [ allows_streaming => 1 ], conf => "ratchet.cancel_grace = '2 s'\n");
$node->safe_psql('postgres', $define);

# From here to the next start of the server what hangs, hangs.
sub plant
{
	$node->safe_psql('postgres', 'TRUNCATE hangs_in; INSERT INTO hangs_in VALUES (pg_postmaster_start_time())');
	return;
}

# How long it took, in seconds.
sub stop_and_start
{
	my ($mode) = @_;
	my $before = time();
	$node->stop($mode // 'fast');
	my $took = time() - $before;
	$node->start;
	return $took;
}

sub is_under_way
{
	my ($run_id) = @_;
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.running r JOIN pg_stat_activity a USING (pid) WHERE run_id = $run_id AND wait_event IN ('PgSleep', 'advisory'))");
	return $run_id;
}

# The runs of a job, oldest first.
sub runs_of
{
	my ($job) = @_;
	return value($node, "SELECT string_agg(concat_ws(' ', cause, attempt, status, reason), ', ' ORDER BY run_id) FROM ratchet.runs WHERE job_name = '$job'");
}

sub comes_to_its_end
{
	my ($job, $run_id) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded' AND run_id > $run_id)", 'it comes to its end after the start');
	return;
}

# By data alone.
sub each_item_once
{
	my ($job, $items) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, "SELECT count(*) || ' ' || count(DISTINCT item) FROM done WHERE job = '$job'"), "$items $items", 'each item is done once');
	is(value($node, "SELECT sum(items_done) FROM ratchet.runs WHERE job_name = '$job'"), $items, 'as the log says');
	is(value($node, "SELECT count(*) FROM done d LEFT JOIN ratchet.runs r USING (run_id) WHERE d.job = '$job' AND r.status IS DISTINCT FROM 'partial' AND r.status IS DISTINCT FROM 'succeeded'"),
		0, 'by runs that say so');
	return;
}

# What a failure before has left, so that it can be seen to stay: after it the job has failed once.
sub fail_once
{
	my ($job) = @_;
	$node->safe_psql('postgres', "CREATE TABLE IF NOT EXISTS broken (job text); INSERT INTO broken VALUES ('$job')");
	my $run_id = value($node, "SELECT ratchet.trigger('$job')");
	wait_run($node, $run_id, 'failed', 'it has failed before');
	$node->safe_psql('postgres', "DELETE FROM broken WHERE job = '$job'");
	return;
}

sub standing
{
	my ($job) = @_;
	return row($node, "SELECT j.consecutive_failures, s.failures, s.runs FROM ratchet.jobs j JOIN ratchet.stat_jobs s USING (job_id) WHERE j.job_name = '$job'");
}

promise 'at a fast shutdown a batch job ends at the end of its batch, as partial' => sub {
	plant();
	my $run_id = begin_batch($node, 'walk', 'SELECT id FROM item', q{SELECT do_item('walk', $1, 0.01)}, 'batch_size => 50');
	wait_until($node, q{SELECT count(*) >= 150 FROM done WHERE job = 'walk'});
	is_under_way($run_id);
	cmp_ok(stop_and_start(), '<', within(5), 'the server does not wait for long');
	comes_to_its_end('walk', $run_id);
	is(runs_of('walk'), 'trigger 1 partial the server was shut down, catchup 1 succeeded', 'it is partial, and goes on at once');
	my $first = run_record($node, $run_id);
	is($first->{items_done} % 50, 0, 'at the end of a batch');
	cmp_ok($first->{items_done}, '>=', 150, 'all of them are kept');
	is($first->{sqlstate}, undef, 'that is no error');
	is(value($node, "SELECT checkpoint_from = '" . JSON::PP->new->encode($first->{checkpoint_to}) . "'::jsonb FROM ratchet.runs WHERE retry_of = $run_id"), 't', 'the next one begins behind it');
	each_item_once('walk', 1000);
};

promise 'a batch that takes longer than ratchet.cancel_grace is rolled back, and done after the start' => sub {
	plant();
	my $run_id = begin_batch($node, 'slow batch', 'SELECT id FROM item WHERE id <= 30', q{SELECT do_item('slow batch', $1, CASE $1 WHEN 15 THEN 3600 ELSE 0 END)}, 'batch_size => 10');
	wait_until($node, q{SELECT count(*) = 10 FROM done WHERE job = 'slow batch'});
	is_under_way($run_id);
	my $took = stop_and_start();
	cmp_ok($took, '>=', 1.9, 'it has had its time');
	cmp_ok($took, '<', within(5), 'and no more');
	comes_to_its_end('slow batch', $run_id);
	is_run(run_record($node, $run_id), { status => 'partial', items_done => 10, batches => 1, reason => 'the server was shut down' }, 'it keeps what had committed');
	each_item_once('slow batch', 30);
};

promise 'a batch job that waits for a lock' => sub {
	my $lock = lock_session($node, 1);
	my $run_id = begin_batch($node, 'locked', 'SELECT id FROM item WHERE id <= 30',
		q{SELECT do_item('locked', $1, 0), pg_advisory_xact_lock_shared(CASE $1 WHEN 15 THEN 1 ELSE 2 END)}, 'batch_size => 10');
	wait_until($node, q{SELECT count(*) >= 10 FROM done WHERE job = 'locked'});
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.running r JOIN pg_stat_activity a USING (pid) WHERE run_id = $run_id AND wait_event_type IN ('Lock', 'Extension'))");
	cmp_ok(stop_and_start(), '<', within(5), 'the server stops');
	eval { $lock->quit };
	wait_until($node, q{SELECT count(*) = 30 FROM done WHERE job = 'locked'}, 'it goes on');
	is(value($node, "SELECT status FROM ratchet.runs WHERE run_id = $run_id"), 'partial', 'it is partial');
	each_item_once('locked', 30);
};

promise 'a batch job that pauses between two batches ends at once' => sub {
	plant();
	my $run_id = begin_batch($node, 'pauses', 'SELECT id FROM item WHERE id <= 30', q{SELECT do_item('pauses', $1, 0.1)}, 'batch_size => 10, pause_ratio => 0.98');
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.running WHERE run_id = $run_id AND waits_for = 'pause')");
	cmp_ok(stop_and_start(), '<', within(2), 'nobody waits for the pause');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('pauses', pause_ratio => 0)});
	wait_until($node, q{SELECT count(*) = 30 FROM done WHERE job = 'pauses'}, 'it goes on');
	is_run(run_record($node, $run_id), { status => 'partial', items_done => 10, reason => 'the server was shut down' }, 'it is partial');
};

promise 'a run whose only_if is being evaluated' => sub {
	plant();
	my $run_id = is_under_way(begin_run($node, 'condition', q{SELECT work('condition')}, q{only_if => 'SELECT hang()'}));
	cmp_ok(stop_and_start(), '<', within(2), 'the server stops at once');
	comes_to_its_end('condition', $run_id);
	is(runs_of('condition'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'it is taken up again');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'condition'}), 1, 'it has run once');
};

promise 'other runs that a shutdown ends are canceled, and taken up again without counting as failures' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE broken (job text)');
	plant();
	$node->safe_psql('postgres', define_job('plain', q{SELECT 1 / (SELECT count(*) FROM (SELECT WHERE NOT EXISTS (SELECT FROM broken)) x); SELECT work('plain')}, q{backoff => '1 hour', max_attempts => 1}));
	fail_once('plain');
	wait_until($node, q{SELECT failures = 1 FROM ratchet.stat_jobs WHERE job_name = 'plain'});
	my $backoff = value($node, q{SELECT backoff_until FROM ratchet.jobs WHERE job_name = 'plain'});
	my $run_id = is_under_way(value($node, q{SELECT ratchet.trigger('plain')}));
	# What follows waits until it has been looked at.
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('plain')});
	cmp_ok(stop_and_start(), '<', within(2), 'the server stops at once');
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.runs WHERE retry_of = $run_id)");
	is_run(run_record($node, $run_id),
		{ status => 'canceled', reason => 'the server was shut down', sqlstate => '57P01', error => 'the run was ended by the shutdown of the server', attempt => 1, items_done => 0 },
		'it is canceled, with the reason');
	is_run(standing('plain'), { consecutive_failures => 1, failures => 1 }, 'the job has failed once, as before');
	is(value($node, q{SELECT backoff_until FROM ratchet.jobs WHERE job_name = 'plain'}), $backoff, 'and rests as before');
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('plain')});
	comes_to_its_end('plain', $run_id);
	is_run(row($node, "SELECT * FROM ratchet.runs WHERE retry_of = $run_id"), { cause => 'retry', status => 'succeeded', attempt => 1 }, 'the same attempt is taken up again');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'plain'}), 1, 'it is done once');
};

promise 'a procedure that commits, and statements on their own' => sub {
	plant();
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE step (n int, run_id bigint);
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN coalesce((ratchet.checkpoint() ->> 'n')::int, 0) + 1 .. 6 LOOP
		INSERT INTO step VALUES (n, ratchet.run_id());
		PERFORM ratchet.save_checkpoint(jsonb_build_object('n', n));
		IF n = 4 THEN
			PERFORM hang();
		END IF;
		COMMIT;
	END LOOP;
END $$;
SQL
	my $procedure = is_under_way(begin_run($node, 'procedure', 'CALL steps()'));
	my $statements = is_under_way(
		begin_run($node, 'statements', q{INSERT INTO done VALUES ('statements', 1); SELECT hang(); INSERT INTO done VALUES ('statements', 2)}, q{transaction => 'per_statement'}));
	stop_and_start();
	comes_to_its_end('procedure', $procedure);
	comes_to_its_end('statements', $statements);
	is(runs_of('procedure'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'the procedure is taken up again');
	is(value($node, q{SELECT string_agg(n || '', ' ' ORDER BY n) FROM step}), '1 2 3 4 5 6', 'behind its checkpoint');
	is(runs_of('statements'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'statements are taken up again');
	is(value($node, q{SELECT string_agg(item || '', ' ' ORDER BY item) FROM done WHERE job = 'statements'}), '1 1 2', 'from the first on, as after a crash');
};

promise 'a run that swallows its cancel is ended by its process, and recorded all the same' => sub {
	plant();
	my $run_id = is_under_way(begin_run($node, 'stubborn', <<'SQL'));
DO $$
BEGIN
	INSERT INTO effect VALUES ('stubborn', ratchet.run_id(), ratchet.attempt());
	PERFORM ratchet.progress(7, 0);
	LOOP
		BEGIN
			PERFORM hang();
			EXIT;
		EXCEPTION WHEN query_canceled THEN
			RAISE NOTICE 'not me';
		END;
	END LOOP;
END $$
SQL
	my $took = stop_and_start();
	cmp_ok($took, '>=', 2.9, 'it has its time');
	cmp_ok($took, '<', within(5), 'and no more');
	comes_to_its_end('stubborn', $run_id);
	is(runs_of('stubborn'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'it is taken up again');
	my $run = run_record($node, $run_id);
	is_run($run, { sqlstate => '57P01', items_done => 7 }, 'with what is known of it');
	is($run->{messages}[0]{text}, 'not me', 'and what it has said');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'stubborn'}), 1, 'it is done once');
};

promise 'a run that waits for its parallel workers' => sub {
	plant();
	my $setting = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
	my $run_id = begin_run($node, 'parallel', 'SELECT pg_sleep(CASE WHEN server = pg_postmaster_start_time() THEN 3600 ELSE 0 END) FROM hangs_in', qq{settings => '{"$setting": "on"}'});
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND wait_event = 'PgSleep')});
	stop_and_start();
	comes_to_its_end('parallel', $run_id);
	is(runs_of('parallel'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'it is taken up again');
};

promise 'on_crash decides whether a run is taken up again after a planned stop' => sub {
	plant();
	my $plain = is_under_way(begin_run($node, 'next', q{SELECT work('next')}, q{on_crash => 'next'}));
	my $walk = begin_batch($node, 'next walk', 'SELECT id FROM item WHERE id <= 100', q{SELECT do_item('next walk', $1, 0.02)}, q{batch_size => 10, on_crash => 'next'});
	wait_until($node, q{SELECT count(*) >= 20 FROM done WHERE job = 'next walk'});
	stop_and_start();
	comes_to_its_end('next walk', $walk);
	is(runs_of('next walk'), 'trigger 1 partial the server was shut down, catchup 1 succeeded', 'a walk that is partial goes on in any case');
	each_item_once('next walk', 100);
	is(runs_of('next'), 'trigger 1 canceled the server was shut down', 'with next, a run is not taken up again');
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue WHERE job_id = (SELECT job_id FROM ratchet.jobs WHERE job_name = 'next')}), 0, 'nothing waits');
	is(value($node, "SELECT consecutive_failures FROM ratchet.jobs WHERE job_name = 'next'"), 0, 'it has not failed');
};

promise 'runs that have not started wait on, and start after the start of the server' => sub {
	# Short runs are laid out ahead of the workers, behind long ones that nobody foresees.
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('quick', '@manual', 'SELECT 1', overlap => 'allow')});
	$node->safe_psql('postgres', q{SELECT ratchet.trigger('quick', "coalesce" => false) FROM generate_series(1, 200)});
	wait_until($node, q{SELECT count(*) = 200 FROM ratchet.runs WHERE job_name = 'quick' AND status = 'succeeded'});
	plant();
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('holds', '@manual', 'SELECT work(''holds'')', overlap => 'allow');
		SELECT ratchet.schedule('behind ' || i, '@manual', format('SELECT work(%L)', 'behind ' || i)) FROM generate_series(1, 5) i;
		SELECT ratchet.schedule('follows', '@manual', 'SELECT work(''follows'')', depends_on => '{quick}')});
	$node->safe_psql('postgres', q{SELECT ratchet.trigger('holds', "coalesce" => false) FROM generate_series(1, 3);
		SELECT ratchet.trigger(job_name => 'behind ' || i, payload => to_jsonb(i)) FROM generate_series(1, 5) i});
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name = 'holds' AND status = 'running'});
	my $claimed = q{SELECT count(*) FROM ratchet.run_queue q JOIN ratchet.jobs j USING (job_id) WHERE j.job_name LIKE 'behind%' AND q.claimed_at IS NOT NULL};
	wait_until($node, "SELECT ($claimed) > 0", 'some are claimed');
	my $waiting = value($node, q{SELECT string_agg(run_id || '', ' ' ORDER BY run_id) FROM ratchet.runs WHERE job_name LIKE 'behind%' AND status = 'queued'});
	note(value($node, $claimed) . ' of five are claimed');
	stop_and_start();
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.runs WHERE job_name LIKE 'behind%' AND status = 'succeeded'}, 'all of them succeed after the start');
	is(value($node, q{SELECT string_agg(run_id || '', ' ' ORDER BY run_id) FROM ratchet.runs WHERE job_name LIKE 'behind%'}), $waiting, 'they are the same runs, and there are no others');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name LIKE 'behind%' AND attempt = 1 AND cause = 'trigger' AND retry_of IS NULL}), 5, 'at their first attempt');
	is(value($node, q{SELECT string_agg(payload::text, ' ' ORDER BY run_id) FROM ratchet.runs WHERE job_name LIKE 'behind%'}), '1 2 3 4 5', 'each with its payload');
	is(value($node, q{SELECT count(*) || ' ' || count(DISTINCT job) FROM effect WHERE job LIKE 'behind%'}), '5 5', 'each is done once');
	wait_until($node, q{SELECT count(*) FILTER (WHERE status = 'succeeded') = 3 FROM ratchet.runs WHERE job_name = 'holds'}, 'and so are those that were under way');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'holds'}), 3, 'once');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE status = 'crashed'}), 0, 'nothing has crashed');
};

promise 'what the shutdown has ended makes room for nobody' => sub {
	plant();
	$node->safe_psql('postgres', define_job('in line', q{SELECT work('in line')}, q{overlap => 'queue'}));
	my ($first, $second) = map { value($node, qq{SELECT ratchet.trigger('in line', payload => '$_', "coalesce" => false)}) } 1 .. 2;
	is_under_way($first);
	# The postmaster tells one process after the other. Here it has told the worker and not yet the scheduler.
	my $file = $node->data_dir . '/postmaster.pid';
	my $text = slurp_file($file) =~ s/^ready *$/stopping/mr;
	open(my $out, '>', $file) or die "cannot write $file: $!";
	print $out $text;
	close($out);
	kill('TERM', value($node, "SELECT pid FROM ratchet.running WHERE run_id = $first")) == 1 or die 'there is no worker';
	wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.runs WHERE retry_of = $first)", 'its run has ended, and is to be taken up again');
	is(value($node, "SELECT status || ' ' || (claimed_at IS NULL) FROM ratchet.runs JOIN ratchet.run_queue USING (run_id) WHERE run_id = $second"), 'queued true', 'the one behind it goes on waiting');
	stop_and_start();
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name = 'in line' AND status = 'succeeded'}, 'both come to their end after the start');
	is(runs_of('in line'), 'trigger 1 canceled the server was shut down, trigger 1 succeeded, retry 1 succeeded', 'one has been canceled, and the other only waited');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'in line'}), 2, 'each is done once');
};

promise 'occurrences of a schedule are accounted for across planned stops' => sub {
	$node->safe_psql('postgres', q{CREATE TABLE tick (scheduled_at timestamptz);
		SELECT ratchet.schedule('tick', '100 ms', 'INSERT INTO tick SELECT ratchet.scheduled_at() FROM pg_sleep(0.05)', misfire => 'all', misfire_limit => 10000, overlap => 'queue')});
	for my $mode (qw(fast fast smart))
	{
		my $n = value($node, 'SELECT count(*) FROM tick');
		wait_until($node, "SELECT count(*) > $n + 5 FROM tick");
		stop_and_start($mode);
	}
	wait_until($node, q{SELECT max(scheduled_at) > now() - interval '2 seconds' FROM tick}, 'it catches up');
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('tick')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'tick' AND status IN ('queued', 'running'))});
	is(value($node, q{SELECT count(*) - count(DISTINCT scheduled_at) FROM tick}), 0, 'none is done twice');
	is(value($node, q{SELECT (extract(epoch FROM max(scheduled_at) - min(scheduled_at)) * 10 + 1)::bigint - count(*) FROM tick}), 0, 'none is left out');
	is(value($node, q{SELECT string_agg(DISTINCT status, ' ') FROM ratchet.runs WHERE job_name = 'tick' AND status NOT IN ('succeeded', 'canceled')}), '', 'none has crashed or failed');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'tick' AND previous_scheduled_at >= scheduled_at}), 0, 'each knows the one before it')
	  if value($node, q{SELECT count(*) FROM information_schema.columns WHERE table_schema = 'ratchet' AND table_name = 'runs' AND column_name = 'previous_scheduled_at'});
};

promise 'a foreground run whose session the shutdown ends is canceled, and not taken up again' => sub {
	plant();
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('foreground', '@manual', 'SELECT work(''foreground'')');
		SELECT ratchet.schedule_batch('foreground walk', '@manual', 'SELECT id FROM item WHERE id <= 30',
			'SELECT do_item(''foreground walk'', $1, CASE $1 WHEN 15 THEN 3600 ELSE 0 END)', batch_size => 10)});
	my @sessions = map { session($node) } 1 .. 2;
	$sessions[0]->query_until(qr/on/, "\\echo on\nCALL ratchet.run('foreground');\n");
	$sessions[1]->query_until(qr/on/, "\\echo on\nCALL ratchet.run('foreground walk');\n");
	wait_until($node, q{SELECT count(*) = 2 FROM pg_stat_activity a JOIN ratchet.running r USING (pid) WHERE wait_event = 'PgSleep'});
	cmp_ok(stop_and_start(), '<', within(2), 'the server stops at once');
	eval { $_->quit } for @sessions;
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name LIKE 'foreground%'});
	is(runs_of('foreground'), 'foreground 1 canceled the server was shut down', 'it is canceled');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'foreground'}), 0, 'and has done nothing');
	is(runs_of('foreground walk'), 'foreground 1 canceled the server was shut down', 'a walk, too');
	is(value($node, q{SELECT items_done || ' ' || batches || ' ' || (checkpoint_to ->> 'id') FROM ratchet.runs WHERE job_name = 'foreground walk'}), '10 1 10', 'with what it has committed');
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue q JOIN ratchet.jobs j USING (job_id) WHERE job_name LIKE 'foreground%'}), 0, 'nobody goes on with them');
	is(run_job($node, 'after', 'SELECT 1')->{status}, 'succeeded', 'others run');
	my $next = value($node, q{SELECT ratchet.trigger('foreground walk')});
	wait_run($node, $next, 'succeeded', 'the next walk');
	is(value($node, q{SELECT count(*) || ' ' || count(DISTINCT item) FROM done WHERE job = 'foreground walk'}), '30 30', 'begins behind it');
};

promise 'a run that only has to commit succeeds, and the wait for a synchronous standby is not cut short' => sub {
	my $local = 'SET synchronous_commit = local;';
	$node->safe_psql('postgres', "$local " . define_job('confirmed', q{INSERT INTO effect VALUES ('confirmed', ratchet.run_id(), 1)}));
	$node->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	my $run_id = value($node, "$local SELECT ratchet.trigger('confirmed')");
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker' AND wait_event = 'SyncRep')});
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
	my $took = stop_and_start();
	cmp_ok($took, '>=', 2.9, 'the standby has its time');
	cmp_ok($took, '<', within(5), 'and no more');
	wait_run($node, $run_id, 'succeeded', 'what had committed has succeeded');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'confirmed'}), 1, 'once');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'confirmed'}), 1, 'and is not taken up again');
};

promise 'a retry that waits for its time is not touched' => sub {
	my $failed = begin_run($node, 'rests', 'SELECT 1 / 0', q{max_attempts => 3, backoff => '1 hour'});
	wait_run($node, $failed, 'failed');
	my $waits = "SELECT run_id || ' ' || attempt || ' ' || scheduled_at FROM ratchet.runs WHERE retry_of = $failed AND status = 'queued'";
	wait_until($node, "SELECT EXISTS ($waits)");
	my ($retry, $standing) = (value($node, $waits), standing('rests'));
	stop_and_start();
	is(run_job($node, 'after', 'SELECT 1')->{status}, 'succeeded', 'others run');
	is(value($node, $waits), $retry, 'it waits as before');
	is_deeply(standing('rests'), $standing, 'for a job that has failed once');
};

promise 'a canceled run that ignores it is canceled by whom it was' => sub {
	$node->safe_psql('postgres', q{ALTER SYSTEM SET ratchet.cancel_grace = '1 min'; SELECT pg_reload_conf()});
	plant();
	my $run_id = is_under_way(begin_run($node, 'ignores', <<'SQL'));
DO $$ BEGIN PERFORM hang(); EXCEPTION WHEN query_canceled THEN PERFORM hang(); END $$
SQL
	$node->safe_psql('postgres', "SELECT ratchet.cancel($run_id)");
	is_under_way($run_id);
	my $took = stop_and_start();
	cmp_ok($took, '<', within(5), 'its second cancel is heard');
	wait_run($node, $run_id, 'canceled', 'it is canceled');
	isnt(run_record($node, $run_id)->{reason} // '', 'the server was shut down', 'and not by the shutdown');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'ignores'}), 1, 'so that it is not taken up again');
	$node->safe_psql('postgres', q{ALTER SYSTEM RESET ratchet.cancel_grace; SELECT pg_reload_conf()});
};

promise 'in a smart shutdown jobs go on until the last client has left' => sub {
	plant();
	my $run_id = is_under_way(begin_run($node, 'outlasts', q{SELECT work('outlasts')}));
	my $client = session($node);
	$client->query_safe('SELECT 1');
	command_ok([ 'pg_ctl', '-D', $node->data_dir, '-m', 'smart', '--no-wait', 'stop' ], 'the server is told to stop');
	wait_log($node, 'received smart shutdown request', 'it has heard');
	my $asked = $client->query_safe(q{SELECT ratchet.trigger('after')});
	is($client->query_safe("CALL ratchet.wait_for($asked)"), 'succeeded', 'a run that is asked for meanwhile');
	is($client->query_safe("SELECT status FROM ratchet.runs WHERE run_id = $run_id"), 'running', 'what is under way stays so');
	$client->quit;
	my $file = $node->data_dir . '/postmaster.pid';
	my $end = time() + within(10);
	usleep(20_000) while -e $file && time() < $end;
	ok(!-e $file, 'then the server stops');
	$node->{_pid} = undef;
	$node->start;
	comes_to_its_end('outlasts', $run_id);
	is(runs_of('outlasts'), 'trigger 1 canceled the server was shut down, retry 1 succeeded', 'and what it has ended is taken up again');
};

for my $mode (qw(smart restart immediate))
{
	promise "the server is stopped in mode $mode" => sub {
		plant();
		my $plain = is_under_way(begin_run($node, "$mode plain", "SELECT work('$mode plain')"));
		my $walk = begin_batch($node, "$mode walk", 'SELECT id FROM item WHERE id <= 200', "SELECT do_item('$mode walk', \$1, 0.02)", 'batch_size => 10');
		wait_until($node, "SELECT count(*) >= 20 FROM done WHERE job = '$mode walk'");
		$mode eq 'restart' ? $node->restart : stop_and_start($mode);
		comes_to_its_end("$mode plain", $plain);
		comes_to_its_end("$mode walk", $walk);
		my ($reason, $of_plain, $of_walk) = $mode eq 'immediate'
		  ? ('the server stopped or crashed during the run', 'crashed', 'crashed')
		  : ('the server was shut down', 'canceled', 'partial');
		my ($next_plain, $next_walk) = $mode eq 'immediate' ? ('retry 2', 'retry 2') : ('retry 1', 'catchup 1');
		is(runs_of("$mode plain"), "trigger 1 $of_plain $reason, $next_plain succeeded", "a plain run is $of_plain");
		is(runs_of("$mode walk"), "trigger 1 $of_walk $reason, $next_walk succeeded", "a walk is $of_walk");
		is(value($node, "SELECT count(*) || ' ' || count(DISTINCT item) FROM done WHERE job = '$mode walk'"), '200 200', 'each item is done once');
		is(value($node, "SELECT count(*) FROM effect WHERE job = '$mode plain'"), 1, 'the run is done once');
	};
}

promise 'at a switchover the new primary goes on with what the old one has left' => sub {
	my $primary = new_node('old_primary', init => [ allows_streaming => 1 ], conf => "ratchet.cancel_grace = '2 s'\n");
	$primary->safe_psql('postgres', $define);
	$primary->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new('new_primary');
	$standby->init_from_backup($primary, 'copy', has_streaming => 1);
	watch_log($standby);
	$standby->start;
	$primary->safe_psql('postgres', 'INSERT INTO hangs_in VALUES (pg_postmaster_start_time())');
	my $plain = begin_run($primary, 'plain', q{SELECT work('plain')});
	my $walk = begin_batch($primary, 'walk', 'SELECT id FROM item', q{SELECT do_item('walk', $1, 0.01)}, 'batch_size => 50');
	wait_until($primary, q{SELECT count(*) >= 100 FROM done});
	wait_until($primary, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $plain");
	$primary->stop('fast');
	$standby->promote;
	wait_until($standby, "SELECT count(*) = 2 FROM ratchet.runs WHERE retry_of IN ($plain, $walk) AND status = 'succeeded'", 'both go on');
	is_run(run_record($standby, $walk), { status => 'partial', reason => 'the server was shut down' }, 'the walk is partial');
	is_run(run_record($standby, $plain), { status => 'canceled', reason => 'the server was shut down' }, 'the other run is canceled');
	is(value($standby, q{SELECT count(*) || ' ' || count(DISTINCT item) FROM done}), '1000 1000', 'each item is done once');
	is(value($standby, q{SELECT count(*) FROM effect}), 1, 'the other run is done once');
	is(value($standby, q{SELECT count(*) FROM ratchet.runs WHERE status IN ('crashed', 'failed')}), 0, 'nothing has crashed');
};

finish();
