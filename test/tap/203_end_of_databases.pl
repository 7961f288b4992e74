# Databases that go while runs there wait for a worker, are under way, or have just ended: nothing of them stays
# in shared memory, and nobody else waits for it. test/tap/204_extension_again.pl is about the extension alone.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main',
	conf => "ratchet.max_workers = 2\nratchet.max_workers_per_role = 2\nmax_worker_processes = 20\nmax_connections = 40\n");

value($node, q{
	SELECT format('CREATE ROLE clerk_%s LOGIN', n) FROM generate_series(1, 80) n \gexec
	CREATE ROLE librarian LOGIN; CREATE ROLE archivist LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	SELECT ratchet.schedule('shift ' || n, '@manual', 'SELECT pg_advisory_xact_lock_shared(1)') FROM generate_series(1, 2) n;
	SELECT ratchet.schedule('count books', '@manual', 'SELECT 1', run_as => 'librarian');
	SELECT ratchet.schedule('count loans', '@manual', 'SELECT 1', run_as => 'archivist')});

# All workers of the server have a run in hand, until the session that is returned ends.
sub occupy_workers
{
	my $gate = lock_session($node, 1);
	value($node, q{SELECT ratchet.trigger('shift ' || n) FROM generate_series(1, 2) n});
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted});
	return $gate;
}

# A database in which so many roles have a run that waits for a worker, and those who ask for one.
sub new_library
{
	my ($name, $roles) = @_;
	value($node, "CREATE DATABASE $name");
	value($node, qq{
		CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
		SELECT ratchet.schedule('remind ' || n, '\@manual', 'SELECT 1', run_as => ('clerk_' || n)::regrole) FROM generate_series(1, $roles) n;
		SELECT ratchet.trigger('remind ' || n) FROM generate_series(1, $roles) n}, db => $name);
	wait_until($node, "SELECT count(*) = $roles FROM ratchet._live_runs() WHERE state = 'queued'", undef, db => $name);
	return;
}

# Workers leave, so that the next run is a first one again.
sub workers_leave
{
	value($node, q{
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker'});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker')});
	return;
}

sub is_ok
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	check_board($node, 'what is left');
	is(value($node, q{SELECT string_agg(component || ': ' || state, ', ') FROM ratchet.status()
		WHERE component IN ('workers', 'databases', 'processes') AND state <> 'ok'}), '', $what);
	return;
}

promise 'databases that are dropped with runs that wait for a worker take no place of others' => sub {
	my $gate = occupy_workers();
	for my $branch (1 .. 7)
	{
		new_library("branch_$branch", 80);
		value($node, "DROP DATABASE branch_$branch");
	}
	$gate->quit;
	starts_within($node, value($node, q{SELECT ratchet.trigger('count books')}), 1, 'jobs of other databases run');
	psql_ok($node, q{SELECT ratchet.schedule('count chairs', '@manual', 'SELECT 1') \g /dev/null
		CALL ratchet.run('count chairs')}, 'and sessions run theirs');
	is_ok('nobody waits');
};

my %ends = (
	'DROP DATABASE'              => ['DROP DATABASE gone'],
	'DROP DATABASE WITH (FORCE)' => ['DROP DATABASE gone WITH (FORCE)'],
	'a new name, then the end'   => [ 'ALTER DATABASE gone RENAME TO closed', 'DROP DATABASE closed' ]);
for my $end (sort keys %ends)
{
	promise "$end: what waited for a worker there keeps no worker from others" => sub {
		my $gate = occupy_workers();
		new_library('gone', 3);
		wait_until($node, q{SELECT state = 'short' FROM ratchet.status() WHERE component = 'workers'}, 'runs wait for a worker');
		value($node, $_) for @{ $ends{$end} };
		$gate->quit;
		wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running});
		is_ok('nobody waits');
		workers_leave();
		starts_within($node, value($node, q{SELECT ratchet.trigger('count books')}), 1, 'a role has its run');
		starts_within($node, value($node, q{SELECT ratchet.trigger('count loans')}), 1, 'and so has another one');
	};
}

promise 'a database that gets a new name keeps its runs' => sub {
	my $gate = occupy_workers();
	new_library('old_name', 3);
	value($node, 'ALTER DATABASE old_name RENAME TO new_name');
	$gate->quit;
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE status = 'succeeded'}, 'they run', db => 'new_name');
	value($node, 'DROP DATABASE new_name');
	is_ok('nobody waits');
};

promise 'a database that is dropped while runs are under way and waited for leaves no place taken' => sub {
	value($node, 'CREATE DATABASE gone');
	value($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('lend', '@manual', 'SELECT pg_sleep(600)')}, db => 'gone');
	my $run = value($node, q{SELECT ratchet.trigger('lend')}, db => 'gone');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running}, 'it runs', db => 'gone');
	my $waits = session($node, db => 'gone');
	$waits->query_until(qr/waits/, "\\echo waits\nSELECT ratchet.wait($run);\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT ratchet.wait(%' AND state = 'active' AND pid <> pg_backend_pid()});
	value($node, 'DROP DATABASE gone WITH (FORCE)');
	eval { $waits->quit };
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'gone')});
	starts_within($node, value($node, q{SELECT ratchet.trigger('count books')}), 1, 'others go on');
	is_ok('nobody waits');
};

finish();
