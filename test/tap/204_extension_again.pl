# DROP EXTENSION with runs that wait for a worker, are under way, have just ended or are waited for, and CREATE
# EXTENSION right behind it. The numbers of jobs and runs begin again: what is left of the first extension
# must not be taken for the second one's.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

# MaxBackends is small: see below.
my $node = new_node('main',
	conf => "ratchet.max_workers = 2\nratchet.max_workers_per_role = 2\nmax_worker_processes = 8\nmax_connections = 20\n"
	  . "max_wal_senders = 0\nautovacuum_max_workers = 1\n");

value($node, q{
	CREATE ROLE librarian LOGIN; CREATE ROLE archivist LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	SELECT ratchet.schedule('shift ' || n, '@manual', 'SELECT pg_advisory_xact_lock_shared(1)') FROM generate_series(1, 2) n;
	SELECT ratchet.schedule('count books', '@manual', 'SELECT 1', run_as => 'librarian');
	SELECT ratchet.schedule('count loans', '@manual', 'SELECT 1', run_as => 'archivist')});
value($node, 'CREATE DATABASE branch');
value($node, 'CREATE TABLE done (job text, by name DEFAULT current_user)', db => 'branch');

my $create = 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC;';
my $fresh = "DROP EXTENSION IF EXISTS pg_ratchet; $create";
my $new_job = q{SELECT ratchet.schedule('new', '@manual', $$INSERT INTO public.done VALUES ('new')$$) \g /dev/null
};

# All workers of the server have a run in hand, until the session that is returned ends.
sub occupy_workers
{
	my $gate = lock_session($node, 1);
	value($node, q{SELECT ratchet.trigger('shift ' || n) FROM generate_series(1, 2) n});
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted});
	return $gate;
}

# Job 1 of the extension in database branch waits for a worker.
sub old_job_waits
{
	value($node, "$fresh TRUNCATE public.done;" . q{
		SELECT ratchet.schedule('old', '@manual', $$INSERT INTO public.done VALUES ('old')$$, overlap => 'allow');
		SELECT ratchet.trigger('old', payload => to_jsonb(n)) FROM generate_series(1, 3) n}, db => 'branch');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet._live_runs() WHERE state = 'queued'}, undef, db => 'branch');
	return;
}

# The scheduler stands still, outside of a transaction, until the process that is returned is sent SIGCONT.
sub stop_scheduler
{
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'branch');
	kill('STOP', $scheduler);
	while (value($node, "SELECT count(*) FROM pg_locks WHERE pid = $scheduler AND locktype = 'relation'") > 0)
	{
		kill('CONT', $scheduler);
		kill('STOP', $scheduler);
	}
	return $scheduler;
}

# The new extension has run its own jobs, and nothing of the old one.
sub only_new_job_has_run
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run = value($node, "$new_job SELECT ratchet.trigger('new')", db => 'branch');
	wait_run($node, $run, 'succeeded', 'its own job runs', db => 'branch');
	is(value($node, q{SELECT string_agg(job, ', ') FROM public.done}, db => 'branch'), 'new', 'once, and nothing of the one before');
	is(value($node, q{SELECT string_agg(job_name || ' ' || status, ', ') FROM ratchet.runs}, db => 'branch'), 'new succeeded', 'nor is that recorded');
	check_board($node, 'what is left');
	return;
}

my %drops = (
	'DROP EXTENSION'             => 'DROP EXTENSION pg_ratchet',
	'DROP EXTENSION ... CASCADE' => 'DROP EXTENSION pg_ratchet CASCADE',
	'DROP OWNED'                 => 'DROP OWNED BY founder CASCADE');
for my $drop (sort keys %drops)
{
	promise "$drop: what waited for a worker is not run by the extension that is created next" => sub {
		my $gate = occupy_workers();
		value($node, 'CREATE ROLE founder SUPERUSER') if $drop eq 'DROP OWNED';
		$create = "SET ROLE founder; CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC; RESET ROLE;" if $drop eq 'DROP OWNED';
		$fresh = "DROP EXTENSION IF EXISTS pg_ratchet; $create";
		old_job_waits();
		value($node, "$drops{$drop}; $create $new_job", db => 'branch');
		$gate->quit;
		only_new_job_has_run();
		value($node, $drops{$drop}, db => 'branch');
	};
}
$create = 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC;';
$fresh = "DROP EXTENSION IF EXISTS pg_ratchet; $create";

promise 'DROP EXTENSION and CREATE EXTENSION in one transaction: what waited for a worker is not run' => sub {
	my $gate = occupy_workers();
	old_job_waits();
	value($node, "BEGIN; DROP EXTENSION pg_ratchet; $create COMMIT", db => 'branch');
	$gate->quit;
	only_new_job_has_run();
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'a worker that takes what waited, ahead of the scheduler, does not execute it' => sub {
	my $gate = lock_session($node, 3, db => 'branch');
	value($node, "$fresh TRUNCATE public.done;" . q{
		SELECT ratchet.schedule('old', '@manual', $$SELECT pg_advisory_xact_lock_shared(3) WHERE ratchet.payload() ? 'wait'$$, overlap => 'allow');
		SELECT ratchet.trigger('old', payload => to_jsonb(n)) FROM generate_series(1, 200) n}, db => 'branch');
	wait_until($node, q{SELECT count(*) = 200 FROM ratchet.runs WHERE status = 'succeeded'}, 'runs that are short', db => 'branch');
	value($node, q{SELECT ratchet.trigger('old', payload => jsonb_build_object('wait', n)) FROM generate_series(1, 6) n}, db => 'branch');
	wait_until($node, q{SELECT count(*) FILTER (WHERE state = 'queued') > 0 AND count(*) FILTER (WHERE state = 'running') = 2 FROM ratchet._live_runs()},
		'so that more are laid out behind those under way', db => 'branch');
	my $scheduler = stop_scheduler();
	value($node, "DROP EXTENSION pg_ratchet; $create $new_job", db => 'branch');
	$gate->quit;
	wait_log($node, qr/job "old" run 20[3-6] failed in .*: 42704 extension pg_ratchet has been dropped/, 'it refuses');
	kill('CONT', $scheduler);
	only_new_job_has_run();
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'a run under way keeps nobody waiting, and is recorded nowhere' => sub {
	my $gate = lock_session($node, 2, db => 'branch');
	value($node, "$fresh TRUNCATE public.done;" . q{
		SELECT ratchet.schedule('old', '@manual', 'SELECT pg_advisory_xact_lock_shared(2)', mutex => 'shelf'), ratchet.trigger('old')}, db => 'branch');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running}, 'a run is under way', db => 'branch');
	value($node, "DROP EXTENSION pg_ratchet; $create", db => 'branch');
	my $run = value($node, q{SELECT ratchet.schedule('new', '@manual', 'SELECT 1', mutex => 'shelf') \g /dev/null
		SELECT ratchet.trigger('new')}, db => 'branch');
	wait_run($node, $run, 'succeeded', 'job 1 of the next extension runs beside it, and has the mutex', db => 'branch');
	is(value($node, q{SELECT count(*) FROM ratchet.running}, db => 'branch'), 0, 'which does not list it');
	$gate->quit;
	wait_log($node, qr/run 1 of job "old" cannot be recorded: extension pg_ratchet has been dropped/, 'it says so in the log');
	is(value($node, q{SELECT string_agg(DISTINCT job_name, ', ') FROM ratchet.runs}, db => 'branch'), 'new', 'and not in the next one');
	check_board($node, 'what is left');
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'a batch job under way does not go on in the extension that is created next' => sub {
	my $gate = lock_session($node, 3, db => 'branch');
	value($node, "$fresh TRUNCATE public.done; CREATE TABLE item AS SELECT n FROM generate_series(1, 9) n; ALTER TABLE item ADD PRIMARY KEY (n);" . q{
		SELECT ratchet.schedule_batch('old', '@manual', 'SELECT n FROM public.item', $$INSERT INTO public.done SELECT 'old' FROM pg_advisory_xact_lock_shared(3) WHERE $1 > 0$$, batch_size => 3),
			ratchet.trigger('old')}, db => 'branch');
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 3 AND objsubid = 1 AND NOT granted}, 'it is in the middle');
	value($node, "DROP EXTENSION pg_ratchet; $create $new_job", db => 'branch');
	$gate->quit;
	wait_log($node, qr/job "old" run \d+ failed in .*: 42704 extension pg_ratchet has been dropped/, 'it fails');
	only_new_job_has_run();
	is(value($node, 'SELECT count(*) FROM ratchet.job_checkpoint', db => 'branch'), 0, 'and leaves no checkpoint');
	value($node, 'DROP TABLE item; DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'a run that has ended, and that no scheduler has seen yet, is not recorded by the next extension' => sub {
	value($node, "$fresh TRUNCATE public.done;" . q{SELECT ratchet.schedule('old', '@manual', 'SELECT 1 / 0')}, db => 'branch');
	wait_until($node, q{SELECT state = 'active' FROM ratchet.status() WHERE component = 'scheduler'}, undef, db => 'branch');
	my $scheduler = stop_scheduler();
	psql_fails($node, q{CALL ratchet.run('old')}, qr/ERROR:  22012/, 'a run fails', db => 'branch');
	value($node, "DROP EXTENSION pg_ratchet; $create $new_job", db => 'branch');
	kill('CONT', $scheduler);
	only_new_job_has_run();
	is(value($node, q{SELECT sum(failures) FROM ratchet.stat_jobs}, db => 'branch'), 0, 'nor counted');
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'who waits for a run is told when the extension goes' => sub {
	my $gate = lock_session($node, 2, db => 'branch');
	my $run = value($node, "$fresh" . q{
		SELECT ratchet.schedule('old', '@manual', 'SELECT pg_advisory_xact_lock_shared(2)') \g /dev/null
		SELECT ratchet.trigger('old')}, db => 'branch');
	wait_until($node, q{SELECT string_agg(j.job_name, ' ') = 'old'
		FROM pg_locks l JOIN ratchet.jobs j ON j.job_id = l.objid::bigint
		WHERE l.locktype = 'advisory' AND l.objsubid = 3 AND l.classid::bigint = 1918989411 # 'ratchet.job'::regclass::oid::bigint
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())}, 'it runs, as its lock says', db => 'branch');
	my $waits = session($node, db => 'branch');
	$waits->query_until(qr/waits/, "\\echo waits\n\\set VERBOSITY verbose\nSELECT ratchet.wait($run);\n\\echo over\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT ratchet.wait(%' AND state = 'active' AND pid <> pg_backend_pid()});
	value($node, "DROP EXTENSION pg_ratchet; $create", db => 'branch');
	$waits->query_until(qr/over/, '');
	like($waits->{stderr}, qr/42704: extension pg_ratchet has been dropped/, 'and not of a run of the next one');
	$waits->quit;
	$gate->quit;
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'branch' AND backend_type = 'pg_ratchet worker' AND state = 'active')});
	check_board($node, 'what is left');
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
};

promise 'a pool that waits for a worker of an extension that is gone holds nobody back' => sub {
	my $gate = occupy_workers();
	old_job_waits();
	wait_until($node, q{SELECT state = 'short' FROM ratchet.status() WHERE component = 'workers'}, 'runs wait for a worker');
	value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
	$gate->quit;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running});
	is(value($node, q{SELECT state FROM ratchet.status() WHERE component = 'workers'}), 'ok', 'nobody waits');
	terminate_ratchet($node, 'worker');
	starts_within($node, value($node, q{SELECT ratchet.trigger('count books')}), 1, 'a role has its run');
	starts_within($node, value($node, q{SELECT ratchet.trigger('count loans')}), 1, 'and so has another one');
	is(value($node, 'SELECT count(*) FROM public.done', db => 'branch'), 0, 'nothing of the old one has run');
};

promise 'CREATE EXTENSION right behind DROP EXTENSION loses nothing' => sub {
	for my $round (1 .. 8)
	{
		value($node, "$fresh" . q{SELECT ratchet.schedule('old', '50 ms', 'SELECT 1')}, db => 'branch');
		my ($one, $other) = map { session($node, db => 'branch') } 1 .. 2;
		$one->query_safe('DROP EXTENSION pg_ratchet');
		$other->query_safe('CREATE EXTENSION pg_ratchet');
		$other->query_safe($new_job);
		my $run = $other->query_safe(q{SELECT ratchet.trigger('new')});
		wait_run($node, $run, 'succeeded', 'its job runs', db => 'branch');
		$_->quit for $one, $other;
		value($node, 'DROP EXTENSION pg_ratchet', db => 'branch');
	}
	check_board($node, 'what is left');
};

promise 'sessions that are terminated while they wait for a run are not counted any more' => sub {
	my $gate = lock_session($node, 2);
	my $run = value($node, q{SELECT ratchet.schedule('long', '@manual', 'SELECT pg_advisory_xact_lock_shared(2)') \g /dev/null
		SELECT ratchet.trigger('long')});
	# More than the server can have at a time.
	for my $one (1 .. 60)
	{
		my $waits = session($node);
		$waits->query_until(qr/waits/, "\\echo waits\nSELECT ratchet.wait($run);\n");
		wait_until($node, q{SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE query LIKE 'SELECT ratchet.wait(%' AND state = 'active' AND wait_event_type = 'Extension'});
		eval { $waits->quit };
	}
	check_board($node, 'what is left');
	$gate->quit;
	wait_run($node, $run, 'succeeded', 'the run goes on');
};

finish();
