# A long scenario: one server, one database, and nearly all that the extension does, one after the other, in
# the same processes. Each part is tested better elsewhere; here memory grows old. script/valgrind runs this
# file with all processes of the server under valgrind.

use strict;
use warnings;

use RatchetTest;
use Test::More;

# The extension is created before valgrind watches, for that takes longer than many parts. The last part
# creates it once more.
my $valgrind = delete $ENV{RATCHET_VALGRIND};
my $node = new_node('main', conf => "ratchet.max_workers = 3\nratchet.log_runs = 'all'\n");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA ratchet TO app;
CREATE TABLE part (id int PRIMARY KEY, name text, n int NOT NULL DEFAULT 0, bad boolean NOT NULL DEFAULT false);
INSERT INTO part (id, name, bad) SELECT g, repeat('x', g % 100), g % 50 = 7 FROM generate_series(1, 400) g;
CREATE TABLE event (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE seen (run_id bigint, what text);
CREATE FUNCTION work(part_id int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT bad FROM part WHERE id = part_id) THEN RAISE 'part % is bad', part_id USING ERRCODE = '22023'; END IF;
	UPDATE part SET n = n + 1 WHERE id = part_id;
END $$;
CREATE PROCEDURE slices() LANGUAGE plpgsql AS $$
BEGIN
	FOR slice_no IN coalesce((ratchet.checkpoint() ->> 'slice')::int, 0) + 1 .. 3 LOOP
		INSERT INTO seen VALUES (ratchet.run_id(), 'slice ' || slice_no);
		PERFORM ratchet.save_checkpoint(jsonb_build_object('slice', slice_no));
		COMMIT;
	END LOOP;
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
SQL
if (defined $valgrind)
{
	$node->stop;
	$ENV{RATCHET_VALGRIND} = $valgrind;
	$node->start;
}

# The processes that have lived: their ids, by kind.
my %pids;
sub note_processes
{
	for my $kind (process_kinds())
	{
		$pids{$kind}{$_} = 1 for ratchet_pids($node, $kind);
	}
	$pids{postmaster}{ value($node, q{SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)}) } = 1;
	$pids{session}{ value($node, 'SELECT pg_backend_pid()') } = 1;
	return;
}

# Whether valgrind has watched a process from its beginning to its end. It has the last word of a process that has
# told pg_ctl that it is gone.
sub summed_up
{
	my ($path) = @_;
	for (1 .. 300)
	{
		open(my $file, '<', $path) or return 0;
		return 1 if grep { /ERROR SUMMARY/ } <$file>;
		close($file);
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

sub succeeded
{
	my ($job, $cause, $times) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, qq{SELECT count(*) >= $times FROM ratchet.runs
		WHERE job_name = '$job' AND cause IN ('$cause') AND status = 'succeeded'}, "$job: $cause");
	return;
}

my $sum = q{SELECT min(n) || ' ' || max(n) FROM part WHERE NOT bad};

promise 'batch jobs with bad rows' => sub {
	my $run = run_batch($node, 'items', 'SELECT id, name FROM part', 'SELECT work($1)', q{batch_size => 60, comment => 'häßlich'});
	is_run($run, { status => 'succeeded', items_done => 392, items_failed => 8 }, 'item by item');
	is_run(run_batch($node, 'slices', 'SELECT id FROM part', 'SELECT work(i) FROM unnest($1) i', q{per => 'batch', batch_target => '1 second'}),
		{ status => 'succeeded', items_done => 392, items_failed => 8 }, 'many at once');
	is_run(run_batch($node, 'too many', 'SELECT id FROM part', 'SELECT work($1)', q{max_failed_items => 2, key => '{id DESC}'}),
		{ status => 'failed', items_failed => 3, sqlstate => '54000' }, 'no more than so many');
	note_processes();
	$node->safe_psql('postgres', 'UPDATE part SET n = CASE WHEN bad THEN 1 ELSE 2 END, bad = false');
	my $again = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
	wait_run($node, $again, 'succeeded', 'the failed items of a run, when they have been mended');
	is(value($node, "SELECT count(*) FROM ratchet.failed_items WHERE run_id = $run->{run_id} AND resolved_at IS NULL"), 0, 'nothing is left');
	wait_run($node, value($node, "SELECT ratchet.replay($run->{run_id}, dry_run => true)"), 'succeeded', 'a dry run');
	is_run(run_batch($node, 'new', 'SELECT id FROM event', 'SELECT $1', q{mode => 'incremental'}), { items_done => 0 }, 'nothing is new');
	$node->safe_psql('postgres', 'INSERT INTO event SELECT FROM generate_series(1, 10)');
	wait_run($node, value($node, q{SELECT ratchet.trigger('new')}), 'succeeded');
	is(value($node, q{SELECT max(items_done) FROM ratchet.runs WHERE job_name = 'new'}), 10, 'what is new');
};

promise 'schedules of all kinds' => sub {
	$node->safe_psql('postgres', <<'SQL');
INSERT INTO ratchet.calendar_days (calendar, day) VALUES ('rest', '2001-01-01');
SELECT ratchet.schedule('every', '1 second', 'SELECT 1', max_runs => 3, calendar => 'rest', time_zone => 'Europe/Berlin');
SELECT ratchet.schedule('cron', '* * * * * *', 'INSERT INTO seen VALUES (ratchet.run_id(), $$cron$$)', max_runs => 2, run_as => 'app');
SELECT ratchet.schedule('rrule', 'RRULE:FREQ=SECONDLY;INTERVAL=1', 'SELECT ratchet.scheduled_at()', max_runs => 2,
	active_window => 'Mon-Sun 00:00-24:00', time_zone => 'America/Sao_Paulo');
SELECT ratchet.schedule('after', '500 ms after completion', 'SELECT 1', max_runs => 3);
SQL
	succeeded($_, q{schedule', 'catchup}, 2) for qw(every cron rrule after);
	note_processes();
	is(value($node, q{SELECT count(*) FROM unnest('{RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18, 0 9 LW * *, H H * * 1#2, 1 month 3 days}'::text[]) s,
		LATERAL ratchet.next_runs(s, 'Europe/Paris', 200)}),
		800, 'what is to come');
	is(value($node, q{SELECT ratchet.describe_schedule('RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18')}),
		'at 18:00 on the last Friday of every month', 'in words');
	psql_fails($node, q{SELECT ratchet.schedule('wrong', 'RRULE:FREQ=NEVER', 'SELECT 1')}, qr/22023/, 'a wrong rule');
	psql_fails($node, q{SELECT ratchet.schedule('wrong', '61 * * * *', 'SELECT 1')}, qr/22023/, 'a wrong line');
	is(value($node, q{SELECT ratchet.backfill('every', now() - interval '3 seconds', now()) BETWEEN 3 AND 4}), 't', 'a backfill');
	succeeded('every', 'backfill', 3);
};

promise 'triggers, changes, conditions' => sub {
	value($node, define_job('look', q{INSERT INTO seen SELECT ratchet.run_id(), ratchet.payload() ->> 'for'}, q{payload => '{"for": "all"}'}));
	wait_run($node, value($node, q{SELECT ratchet.trigger('look', '{"for": "one"}')}), 'succeeded', 'a payload');
	value($node, q{SELECT ratchet.trigger_on_change('event', 'look', debounce => '10 ms')});
	my $before = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'look'});
	$node->safe_psql('postgres', 'INSERT INTO event DEFAULT VALUES; BEGIN; INSERT INTO event DEFAULT VALUES; ROLLBACK');
	wait_until($node, qq{SELECT count(*) > $before FROM ratchet.runs WHERE job_name = 'look' AND status = 'succeeded'}, 'a change');
	value($node, q{SELECT ratchet.drop_trigger_on_change('event', 'look')});
	is_run(run_job($node, 'never', 'SELECT 1', q{only_if => 'SELECT false'}), { status => 'skipped', reason => 'only_if is false' }, 'only_if');
	is_run(run_job($node, 'broken condition', 'SELECT 1', q{only_if => 'SELECT 1 / 0 = 1'}), { status => 'failed', sqlstate => '22012' }, 'one that fails');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('watches', '1 second', 'SELECT 1', watch => '{event}')});
	succeeded('watches', q{schedule', 'catchup}, 1);
	wait_until($node, q{SELECT not_needed > 0 FROM ratchet.stat_jobs WHERE job_name = 'watches'}, 'nothing has changed');
	value($node, q{SELECT ratchet.unschedule('watches')});
};

promise 'failures, retries, time limits, cancel' => sub {
	is_run(run_job($node, 'wrong', 'SELECT 1; SELECT 1 / (SELECT 0)'), { status => 'failed', sqlstate => '22012' }, 'an error');
	$node->safe_psql('postgres', 'CREATE SEQUENCE tries');
	run_job($node, 'retried', q{DO 'BEGIN IF nextval(''tries'') < 3 THEN RAISE ''once more''; END IF; END'},
		q{max_attempts => 3, backoff => '10 ms', backoff_jitter => 0.5});
	succeeded('retried', 'retry', 1);
	is_run(run_job($node, 'limited', 'SELECT pg_sleep(1000)', q{timeout => '100 ms'}), { status => 'timed_out' }, 'a time limit');
	my $run = begin_run($node, 'long', 'SELECT pg_sleep(1000)');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run");
	note_processes();
	value($node, "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled', 'cancel');
	$run = begin_batch($node, 'long batch', 'SELECT g AS id FROM generate_series(1, 1000) g', 'SELECT pg_sleep(0.2)', 'batch_size => 2');
	wait_until($node, "SELECT batches > 0 FROM ratchet.runs WHERE run_id = $run", 'in the middle of a walk');
	value($node, "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled', 'cancel of a walk');
	$run = begin_run($node, 'terminated', 'SELECT pg_terminate_backend(pg_backend_pid())', q{on_crash => 'next'});
	wait_run($node, $run, 'crashed', 'a worker that is terminated');
};

promise 'dependencies and mutexes' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT ratchet.schedule(j, '@manual', 'SELECT 1', depends_on => p::text[], mutex => 'one')
  FROM (VALUES ('a', NULL), ('b', '{a}'), ('c', '{a}'), ('d', '{b,c}')) v (j, p);
SQL
	psql_fails($node, q{SELECT ratchet.alter_job('a', depends_on => '{d}')}, qr/22023|cycle/, 'a cycle');
	value($node, q{SELECT ratchet.trigger('a')});
	succeeded('d', 'dependency', 1);
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('a', command => 'SELECT no_such()')});
	value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE cause = 'dependency' AND status = 'skipped'}, 'a failure is told');
};

promise 'in the foreground' => sub {
	value($node, define_job('slices by hand', 'CALL slices()', q{transaction => 'per_statement'}));
	psql_ok($node, q{CALL ratchet.run('slices by hand')}, 'a procedure that commits');
	is(value($node, q{SELECT count(*) FROM seen WHERE what ~ 'slice'}), 3, 'has done its work');
	psql_ok($node, q{CALL ratchet.run('items')}, 'a walk');
	psql_ok($node, q{CALL ratchet.run('items', dry_run => true)}, 'dry');
	psql_fails($node, q{CALL ratchet.run('wrong')}, qr/22012/, 'an error');
	is(value($node, $sum), '3 3', 'each item as often as it was done');
	wait_run($node, begin_run($node, 'vacuum', 'VACUUM part'), 'succeeded', 'a statement for itself');
};

promise 'definitions as data' => sub {
	my $document = value($node, 'SELECT ratchet.export_jobs()');
	is(value($node, 'SELECT count(*) FROM ratchet.apply_jobs(ratchet.export_jobs()) WHERE change <> $$unchanged$$'), 0, 'export and apply');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('look', new_name => 'looked', tags => '{a,b}', reset => '{payload}')});
	my $jobs = value($node, 'SELECT count(*) FROM ratchet.jobs');
	is(value($node, q{SELECT count(*) FROM ratchet.apply_jobs('[]', prune => true, dry_run => true)}), $jobs, 'what would be dropped');
	is(value($node, "SELECT count(*) FROM ratchet.apply_jobs(\$document\$$document\$document\$, prune => true) WHERE change <> 'unchanged'"),
		2, 'as before');
	psql_ok($node, 'SELECT * FROM ratchet.status(); TABLE ratchet.job_health; TABLE ratchet.stat_jobs; TABLE ratchet.running; TABLE ratchet.backfills; TABLE ratchet.change_triggers',
		'the views');
	psql_ok($node, q{SELECT ratchet.schedule('mine', '@manual', 'SELECT current_user'); SELECT ratchet.trigger('mine')}, 'of a role', user => 'app');
	succeeded('mine', 'trigger', 1);
};

promise 'the extension goes, and comes again' => sub {
	note_processes();
	my $run = begin_run($node, 'under way', 'SELECT pg_sleep(2)');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run");
	psql_ok($node, 'DROP EXTENSION pg_ratchet CASCADE', 'it is dropped');
	wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet scheduler%' OR query LIKE 'SELECT pg_sleep(2)%' AND state = 'active'}, 'the scheduler leaves, and the run ends');
	psql_ok($node, 'CREATE EXTENSION pg_ratchet', 'it is created again');
	is_run(run_job($node, 'again', 'SELECT 1'), { status => 'succeeded' }, 'and works');
	note_processes();
};

$node->stop;
# Each kind of process has been looked at, and not only the sessions of the test.
SKIP: {
	my $logs = $ENV{RATCHET_VALGRIND_LOGS} or skip 'valgrind does not watch', 1;
	for my $kind (sort keys %pids)
	{
		my @watched = grep { summed_up("$logs/$_.log") } keys %{ $pids{$kind} };
		is(scalar(@watched), scalar(keys %{ $pids{$kind} }), "valgrind has watched each $kind") or diag(explain(\%pids));
		cmp_ok(scalar(@watched), '>', 0, "there was a $kind");
	}
}

finish();
