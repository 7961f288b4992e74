# Places of workers: who is asked to take one and never comes, who asks for one and goes, and what the log says of
# who waits.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $installation = own_installation(PostgreSQL::Test::Utils::tempdir . '/own');
my $node = new_node('main', install_path => $installation,
	conf => "ratchet.max_workers = 2\nratchet.max_workers_per_role = 2\nratchet.worker_idle_timeout = '100 ms'\n");

value($node, q{
	CREATE ROLE librarian LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	SELECT ratchet.schedule('shift ' || n, '@manual', 'SELECT pg_advisory_xact_lock_shared(1)') FROM generate_series(1, 2) n;
	SELECT ratchet.schedule('count books', '@manual', 'SELECT 1', run_as => 'librarian')});
value($node, 'CREATE DATABASE branch');
value($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('lend', '@manual', 'SELECT 1')}, db => 'branch');

sub no_worker_is_there
{
	wait_until($node, q{SELECT detail LIKE '0 of 2%' FROM ratchet.status() WHERE component = 'workers'});
	return;
}

promise 'a place whose process never comes is free again, also when its scheduler has left' => sub {
	no_worker_is_there();
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	my $library = pg_config('pkglibdir', $installation =~ s/\/bin$//r) . '/pg_ratchet.so';
	# It finds out about functions of the library while that is there.
	my $session = session($node);
	my $first = $session->query_safe(q{SELECT ratchet.trigger('count books')});
	$session->query_safe('SELECT count(*) FROM ratchet.status()');
	wait_run($node, $first, 'succeeded');
	no_worker_is_there();
	# The postmaster starts nothing while it stands still, and then no process of ours gets as far as our code.
	kill('STOP', $node->{_pid});
	rename($library, "$library.away") or die "cannot move the library: $!";
	my $run = $session->query_safe(q{SELECT ratchet.trigger('count books')});
	my $end = time() + 30;
	until ($session->query_safe(q{SELECT detail LIKE '1 of 2%' FROM ratchet.status() WHERE component = 'workers'}) eq 't' || time() > $end) { }
	kill('TERM', $scheduler);
	until ($session->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $scheduler") == 0 || time() > $end) { }
	kill('CONT', $node->{_pid});
	wait_log($node, qr/could not access file "pg_ratchet"/, 'the process for it does not come');
	rename("$library.away", $library) or die "cannot move the library back: $!";
	$session->quit;
	wait_run($node, $run, 'succeeded', 'the run starts when there is another scheduler');
	wait_until($node, q{SELECT detail LIKE '0 of 2%' FROM ratchet.status() WHERE component = 'workers'}, 'and no place is lost');
	my $gate = lock_session($node, 1);
	value($node, q{SELECT ratchet.trigger('shift ' || n) FROM generate_series(1, 2) n});
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.running WHERE pid IS NOT NULL}, 'all workers can be had');
	$gate->quit;
	wait_until($node, 'SELECT NOT EXISTS (SELECT FROM ratchet.running)');
};

promise 'a scheduler that has stopped asking keeps no worker from others for longer than a moment' => sub {
	my $gate = lock_session($node, 1);
	value($node, q{SELECT ratchet.trigger('shift ' || n) FROM generate_series(1, 2) n});
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted});
	my $lend = value($node, q{SELECT ratchet.trigger('lend')}, db => 'branch');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet._live_runs() WHERE run_id = $lend", 'it waits for a worker', db => 'branch');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'branch');
	kill('STOP', $scheduler);
	$gate->quit;
	my $run = value($node, q{SELECT ratchet.trigger('count books')});
	starts_within($node, $run, 4, 'another database has its run');
	unlike(slurp_file($node->logfile), qr/\[\d+\] pg_ratchet scheduler \S*postgres .*all 2 workers are in use/, 'and the log does not say that all workers are in use');
	kill('CONT', $scheduler);
	wait_run($node, $lend, 'succeeded', 'it has its turn when it asks again', db => 'branch');
};

finish();
