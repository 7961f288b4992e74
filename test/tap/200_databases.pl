# Any number of databases, with no setting that names them: where the extension is there are jobs, and
# its processes are in the way of no DDL on databases.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# Less than the five seconds for which the server itself waits until nobody is connected.
my $at_once = 4;

my $node = new_node(
	'main',
	extension => 0,
	conf      => "max_worker_processes = 40\nratchet.max_workers = 16\n");

# A database with a job that runs all the time.
sub new_database
{
	my ($name) = @_;
	value($node, "CREATE DATABASE $name");
	value(
		$node, q{
		CREATE EXTENSION pg_ratchet;
		GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
		CREATE TABLE seen (database name);
		SELECT ratchet.schedule('tick', '250 ms', 'INSERT INTO seen SELECT current_database()')},
		db => $name);
	return;
}

# Waits for runs that start after now.
sub runs_go_on
{
	my ($database, $what, $job) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$job //= 'tick';
	my $last = value($node, 'SELECT coalesce(max(run_id), 0) FROM ratchet.runs', db => $database);
	wait_until(
		$node, qq{
		SELECT count(*) >= 2 FROM ratchet.runs
		WHERE run_id > $last AND job_name = '$job' AND status = 'succeeded'},
		$what, db => $database);
	return;
}

sub is_quick
{
	my ($sql, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $begin = time();
	psql_ok($node, $sql, $what);
	cmp_ok(time() - $begin, '<', $at_once, "$what: at once");
	return;
}

sub scheduler_state
{
	my ($database) = @_;
	return value($node, q{SELECT state FROM ratchet.status() WHERE component = 'scheduler'},
		db => $database);
}

sub nobody_in
{
	my ($database, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until(
		$node, qq{
		SELECT count(*) = 0 FROM pg_stat_activity
		WHERE backend_type LIKE 'pg_ratchet%' AND datname = '$database'},
		$what);
	return;
}

promise 'CREATE EXTENSION: jobs run there at once, without a restart and without a setting' => sub {
	my $begin = time();
	new_database('shop');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE status = 'succeeded'},
		'a job has run', db => 'shop');
	cmp_ok(time() - $begin, '<', within(5), 'soon');
};

promise 'CREATE EXTENSION that is rolled back leaves nothing' => sub {
	value($node, 'CREATE DATABASE undecided');
	psql_ok(
		$node, q{
		BEGIN;
		CREATE EXTENSION pg_ratchet;
		SELECT ratchet.schedule('ghost', '100 ms', 'SELECT 1');
		ROLLBACK},
		'created and rolled back', db => 'undecided');
	is(value($node, q{SELECT count(*) FROM pg_namespace WHERE nspname = 'ratchet'}, db => 'undecided'),
		0, 'no schema');
	nobody_in('undecided', 'no process stays');
	psql_ok($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '250 ms', 'SELECT 1')},
		'it can be created later', db => 'undecided');
	runs_go_on('undecided', 'and jobs run');
};

promise 'DROP EXTENSION that is rolled back changes nothing' => sub {
	psql_ok($node, 'BEGIN; DROP EXTENSION pg_ratchet; ROLLBACK', 'dropped and rolled back',
		db => 'undecided');
	runs_go_on('undecided', 'jobs go on');
};

promise 'DROP EXTENSION stops everything, with jobs active, and the extension can come back' => sub {
	new_database('fickle');
	psql_ok($node, q{SELECT ratchet.schedule('slow', '100 ms', 'SELECT pg_sleep(0.3)')},
		'a job that nearly always runs', db => 'fickle');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.running WHERE job_name = 'slow'},
		'it runs', db => 'fickle');
	my $gate = lock_session($node, 7, db => 'fickle');
	psql_ok($node, q{
		SELECT ratchet.schedule('quiet', '@manual', 'SELECT pg_advisory_xact_lock_shared(7)'), ratchet.trigger('quiet');
		CREATE TABLE item (id int PRIMARY KEY);
		INSERT INTO item SELECT generate_series(1, 9);
		SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT id FROM item', 'SELECT pg_advisory_xact_lock_shared(7) WHERE $1 > 0', batch_size => 3),
			ratchet.trigger('walk')}, 'jobs that wait', db => 'fickle');
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted},
		'are in the middle', db => 'fickle');
	psql_ok($node, 'DROP EXTENSION pg_ratchet', 'dropped', db => 'fickle');
	$gate->quit;
	wait_log($node, qr/run \d+ of job "$_" cannot be recorded: extension pg_ratchet has been dropped/, "what was under way says so: $_")
	  for 'quiet', 'walk';
	wait_log($node, qr/job "walk" run \d+ failed in .*: 42704 extension pg_ratchet has been dropped/, 'and why it failed');
	unlike(slurp_file($node->logfile), qr/could not open relation/, 'and nobody looks for tables that are gone');
	wait_until($node,
		q{SELECT count(*) = 0 FROM pg_stat_activity
		  WHERE backend_type LIKE 'pg_ratchet scheduler%' AND datname = 'fickle'},
		'the scheduler leaves');
	psql_ok($node,
		q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '250 ms', 'SELECT 1')},
		'created again', db => 'fickle');
	runs_go_on('fickle', 'jobs run again');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs}, db => 'fickle'), 1,
		'the old jobs are gone');
};

promise 'DROP DATABASE with active jobs' => sub {
	new_database('doomed');
	psql_ok($node, q{
		SELECT ratchet.schedule('second' || i, '1 second', 'SELECT pg_sleep(0.2)')
		FROM generate_series(1, 4) AS i},
		'jobs every second', db => 'doomed');
	runs_go_on('doomed', 'they run', 'second1');
	is_quick('DROP DATABASE doomed', 'DROP DATABASE');
};

promise 'DROP DATABASE WITH (FORCE) with active jobs' => sub {
	new_database('doomed');
	psql_ok($node, q{SELECT ratchet.schedule('long', '100 ms', 'SELECT pg_sleep(600)')},
		'a job that takes ten minutes', db => 'doomed');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.running WHERE job_name = 'long'},
		'it runs', db => 'doomed');
	is_quick('DROP DATABASE doomed WITH (FORCE)', 'DROP DATABASE WITH (FORCE)');
	runs_go_on('shop', 'the jobs of other databases go on');
};

promise 'ALTER DATABASE ... RENAME TO with active jobs, which go on under the new name' => sub {
	new_database('old_name');
	runs_go_on('old_name', 'jobs run');
	is_quick('ALTER DATABASE old_name RENAME TO new_name', 'ALTER DATABASE ... RENAME TO');
	runs_go_on('new_name', 'jobs go on');
	wait_until($node, q{SELECT count(*) > 0 FROM seen WHERE database = 'new_name'},
		'under the new name', db => 'new_name');
	is(scheduler_state('new_name'), 'active', 'it is the same home');
};

promise 'ALTER DATABASE ... SET TABLESPACE with active jobs' => sub {
	psql_ok($node, q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE other LOCATION ''},
		'another tablespace');
	is_quick('ALTER DATABASE new_name SET TABLESPACE other', 'ALTER DATABASE ... SET TABLESPACE');
	runs_go_on('new_name', 'jobs go on');
};

promise 'a copy of a database with active jobs holds still until it is adopted' => sub {
	runs_go_on('shop', 'jobs run in the original');
	is_quick('CREATE DATABASE copy TEMPLATE shop', 'CREATE DATABASE ... TEMPLATE');
	runs_go_on('shop', 'the original goes on');
	wait_until($node,
		q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'},
		'the copy is quarantined', db => 'copy');
	like(value($node, q{SELECT hint FROM ratchet.status() WHERE component = 'scheduler'}, db => 'copy'),
		qr/ratchet\.adopt\(\)/, 'and told how to end that');
	my $runs = value($node, 'SELECT count(*) FROM ratchet.runs', db => 'copy');
	my $run = value($node, q{SELECT ratchet.trigger('tick')}, db => 'copy');
	runs_go_on('shop', 'the original has run again');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id <> $run", db => 'copy'),
		$runs, 'the copy has not');
	is(run_status($node, $run, db => 'copy'), 'queued', 'not even when asked to');
	is(value($node, q{SELECT count(*) FROM seen WHERE database = 'copy'}, db => 'copy'),
		0, 'nothing was done there');
	my $held_back = qr/NOTICE:  jobs of this database are held back, because it is a copy\n.*HINT: .*ratchet\.adopt\(\)/s;
	for my $sql (
		q{SELECT ratchet.schedule('of the copy', '@manual', 'SELECT 1')},
		q{SELECT ratchet.alter_job('of the copy', command => 'SELECT 2')},
		q{SELECT ratchet.trigger('of the copy'), ratchet.trigger('of the copy')},
		q{SELECT ratchet.pause_job('of the copy'), ratchet.resume_job('of the copy')},
		q{SELECT ratchet.backfill('tick', now() - interval '10 s', now())})
	{
		my ($status, $out, $said) = $node->psql('copy', $sql);
		like($said, $held_back, "who wants something of a job is told: $sql");
		is(scalar(() = $said =~ /NOTICE/g), 1, 'once');
	}
	value($node, q{SELECT ratchet.cancel_backfill('tick'); SELECT ratchet.unschedule('of the copy')}, db => 'copy');
	psql_ok($node, 'SELECT ratchet.adopt()', 'adopted', db => 'copy');
	wait_run($node, $run, 'succeeded', 'what was asked for runs', db => 'copy');
	runs_go_on('copy', 'and so do the jobs');
	runs_go_on('shop', 'in the original, too');
};

promise 'databases with jobs of the same names do not mix' => sub {
	is(value($node, q{SELECT string_agg(DISTINCT database, ',') FROM seen}, db => 'shop'),
		'shop', 'a job runs in its own database');
	is( value($node, q{SELECT string_agg(DISTINCT database, ',' ORDER BY database) FROM seen}, db => 'copy'),
		'copy,shop', 'and so does that of the copy');
	psql_ok($node, q{SELECT ratchet.unschedule('tick')}, 'unscheduled in one', db => 'copy');
	runs_go_on('shop', 'it goes on in the other');
};

promise 'a template1 with the extension does not get in the way of CREATE DATABASE' => sub {
	psql_ok($node, 'CREATE EXTENSION pg_ratchet', 'the extension in template1', db => 'template1');
	is_quick("CREATE DATABASE child$_", "CREATE DATABASE, time $_") for 1 .. 3;
	is(scalar(ratchet_pids($node, 'scheduler', 'template1')), 0, 'nobody is connected to template1');
	psql_ok($node, q{SELECT ratchet.schedule('tick', '250 ms', 'SELECT 1')}, 'a job in a child',
		db => 'child1');
	runs_go_on('child1', 'it runs: there was nothing in the template to hold back');
	psql_ok($node, 'DROP EXTENSION pg_ratchet', 'the extension leaves template1', db => 'template1');
};

promise 'who may not touch a database cannot disturb its scheduler by trying' => sub {
	value($node, 'CREATE ROLE mallory LOGIN CREATEDB');
	runs_go_on('shop', 'jobs run');
	my @before = ratchet_pids($node, 'scheduler', 'shop');
	is(scalar(@before), 1, 'one scheduler');
	for my $attempt (
		'DROP DATABASE shop',
		'DROP DATABASE shop WITH (FORCE)',
		'ALTER DATABASE shop RENAME TO loot',
		'ALTER DATABASE shop SET TABLESPACE pg_default',
		'CREATE DATABASE loot TEMPLATE shop')
	{
		psql_fails($node, $attempt, qr/ERROR:  42501/, $attempt, user => 'mallory');
	}
	is_deeply([ ratchet_pids($node, 'scheduler', 'shop') ], \@before, 'the same scheduler is at work');
};

promise 'a statement on a database that fails leaves its jobs running' => sub {
	psql_fails($node, 'BEGIN; DROP DATABASE shop', qr/ERROR:  25001/, 'DROP DATABASE in a transaction');
	runs_go_on('shop', 'jobs go on');
	psql_fails($node, 'ALTER DATABASE shop RENAME TO postgres', qr/ERROR:  42P04/,
		'a name that is taken');
	runs_go_on('shop', 'jobs go on');
};

promise 'a statement on a database that cannot run there keeps nobody out, however long its transaction goes on' => sub {
	value($node, 'CREATE ROLE landlord LOGIN CREATEDB; ALTER DATABASE shop OWNER TO landlord');
	my @before = ratchet_pids($node, 'scheduler', 'shop');
	my $stay = sub {
		my ($attempt) = @_;
		my $session = session($node, user => 'landlord');
		$session->query_until(qr/begins/, qq{\\echo begins
			DO \$\$BEGIN
				BEGIN EXECUTE '$attempt'; EXCEPTION WHEN OTHERS THEN RAISE LOG 'landlord: %', SQLERRM; END;
				PERFORM pg_sleep(600);
			END\$\$;
		});
		wait_until($node, q{SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE usename = 'landlord'}, "$attempt: in a transaction that goes on");
		return $session;
	};
	my $leave = sub {
		value($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'landlord'});
		wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'landlord'});
		eval { $_[0]->quit };
	};
	for my $attempt (
		'DROP DATABASE shop',
		'CREATE DATABASE another TEMPLATE shop',
		'ALTER DATABASE shop SET TABLESPACE pg_default',
		'ALTER DATABASE shop RENAME TO postgres')
	{
		my $session = $stay->($attempt);
		runs_go_on('shop', 'jobs go on');
		$leave->($session);
	}
	is_deeply([ ratchet_pids($node, 'scheduler', 'shop') ], \@before, 'all the time with the same scheduler');
	my $guest = session($node, db => 'shop');
	my $session = $stay->('ALTER DATABASE shop RENAME TO market');
	runs_go_on('shop', 'what has failed in a subtransaction keeps nobody out afterwards');
	$leave->($session);
	$guest->quit;
};

promise 'ratchet.status() says who keeps everybody out of a database' => sub {
	my $guest = session($node, db => 'shop');
	my $dropper = session($node);
	my $pid = $dropper->query_safe('SELECT pg_backend_pid()');
	$dropper->query_until(qr/sent/, "\\echo sent\nDROP DATABASE shop;\n");
	my $said = '';
	for (1 .. 100)
	{
		$said = $guest->query_safe(q{SELECT state || ': ' || detail FROM ratchet.status() WHERE component = 'scheduler'});
		last if $said =~ /^held/;
		$guest->query_safe('SELECT pg_sleep(0.02)');
	}
	is($said, "held: process $pid keeps everybody out of this database", 'with its process');
	wait_until($node, "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid", 'it gives up');
	eval { $_->quit } for $dropper, $guest;
	runs_go_on('shop', 'jobs go on');
};

promise 'a session that dies in DROP DATABASE does not keep the jobs out for ever' => sub {
	my $guest   = session($node, db => 'shop');
	my $dropper = session($node);
	my $pid     = $dropper->query_safe('SELECT pg_backend_pid()');
	$dropper->query_until(qr/sent/, "\\echo sent\nDROP DATABASE shop;\n");
	wait_until($node,
		qq{SELECT query LIKE 'DROP%' AND state = 'active' FROM pg_stat_activity WHERE pid = $pid},
		'it waits for the guest');
	nobody_in('shop', 'our processes have left');
	psql_ok($node, "SELECT pg_terminate_backend($pid)", 'the session is terminated');
	runs_go_on('shop', 'jobs go on');
	$guest->quit;
	eval { $dropper->quit };
};

promise 'ALTER ROLE ... SET and ALTER DATABASE ... SET count from the next run on' => sub {
	value($node, 'CREATE ROLE clerk LOGIN');
	value(
		$node, q{
		CREATE TABLE setting (worker int, work_mem text, lock_timeout text);
		GRANT INSERT ON setting TO clerk;
		SELECT ratchet.schedule('look', '@manual', $$INSERT INTO setting SELECT pg_backend_pid(),
			current_setting('work_mem'), current_setting('lock_timeout')$$, run_as => 'clerk')},
		db => 'shop');
	my $look = sub {
		my $run = value($node, q{SELECT ratchet.trigger('look')}, db => 'shop');
		wait_run($node, $run, 'succeeded', 'a run', db => 'shop');
		return value($node,
			q{DELETE FROM setting RETURNING work_mem || ' ' || lock_timeout}, db => 'shop');
	};
	$look->();
	value($node, q{ALTER ROLE clerk SET work_mem = '7MB'});
	is($look->(), '7MB 0', 'ALTER ROLE ... SET');
	value($node, q{ALTER DATABASE shop SET lock_timeout = '9s'});
	is($look->(), '7MB 9s', 'ALTER DATABASE ... SET');
	value($node, q{ALTER ROLE clerk RESET work_mem; ALTER DATABASE shop RESET lock_timeout});
	is($look->(), '4MB 0', 'and both RESET');
};

promise 'a job that does not end keeps no other job of its role from running' => sub {
	# More roles and databases than workers want one all the time, but only for a moment each. And until
	# now the runs of this role were short.
	value($node, q{SELECT ratchet.trigger('look', "coalesce" => false) FROM generate_series(1, 40)},
		db => 'shop');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue AS q JOIN ratchet.job USING (job_id) WHERE job_name = 'look'},
		undef, db => 'shop');
	value(
		$node, q{
		SELECT ratchet.schedule('endless', '@manual', 'SELECT pg_sleep(600)', run_as => 'clerk');
		SELECT ratchet.trigger('endless')},
		db => 'shop');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'endless'},
		'it runs', db => 'shop');
	my $run = value($node, q{SELECT ratchet.trigger('look')}, db => 'shop');
	wait_run($node, $run, 'succeeded', 'another one runs', db => 'shop', timeout => 20);
};

promise 'a run does not wait for workers whose session is out of date' => sub {
	value($node, q{SELECT ratchet.cancel(run_id) FROM ratchet.runs WHERE status IN ('queued', 'running')},
		db => 'shop');
	# The other databases leave their workers to this one.
	value($node, q{SELECT ratchet.pause_job('tick')}, db => $_) for qw(shop undecided fickle new_name child1);
	value($node, q{
		SELECT ratchet.schedule('hold' || i, '@manual', 'SELECT pg_advisory_xact_lock_shared(1)', run_as => 'clerk')
		FROM generate_series(1, 3) AS i}, db => 'shop');
	my $holder = lock_session($node, 1, db => 'shop');
	value($node, q{SELECT ratchet.trigger('hold' || i) FROM generate_series(1, 3) AS i}, db => 'shop');
	wait_until($node, q{SELECT count(*) = 3 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted},
		'three workers are busy', db => 'shop');
	$holder->quit;
	wait_until($node, q{
		SELECT count(*) = 3 FROM ratchet.runs WHERE job_name LIKE 'hold_' AND status = 'succeeded'},
		'and then idle', db => 'shop');
	# Once they have flushed their statistics they sleep for as long as they may.
	wait_until($node, q{
		SELECT count(*) >= 2 AND min(clock_timestamp() - state_change) > interval '1.5 s' FROM pg_stat_activity
		WHERE usename = 'clerk' AND backend_type LIKE 'pg_ratchet worker%'},
		'and asleep');
	value($node, q{ALTER ROLE clerk SET work_mem = '5MB'});
	my $run = value($node, q{SELECT ratchet.trigger('look')}, db => 'shop');
	wait_run($node, $run, 'succeeded', 'the next run starts', db => 'shop', timeout => 10);
};

$node->stop;

promise 'more databases than processes: all get their turn, and one message says what to raise' => sub {
	my $small = new_node(
		'small',
		extension => 0,
		conf      => "max_worker_processes = 6\nratchet.max_workers = 2\nmax_logical_replication_workers = 0\n");
	my @databases = map { "tenant$_" } 1 .. 8;
	for my $database (@databases)
	{
		value($small, "CREATE DATABASE $database");
		value(
			$small, q{
			CREATE EXTENSION pg_ratchet;
			SELECT ratchet.schedule('tick', '1 second', 'SELECT 1')},
			db => $database);
	}
	wait_until($small, q{SELECT count(*) >= 2 FROM ratchet.runs WHERE status = 'succeeded'},
		"jobs run in $_", db => $_)
	  for @databases;
	my $log = PostgreSQL::Test::Utils::slurp_file($small->logfile);
	my @messages = $log =~ /LOG:  databases with jobs wait for a scheduler.*\n.*HINT:.*max_worker_processes/g;
	is(scalar(@messages), 1, 'one message with a hint');
	my @lines = $log =~ /wait for a scheduler/g;
	is(scalar(@lines), 1, 'and no other');
};

finish();
