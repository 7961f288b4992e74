# Why a job does not run is said to who defines it, or by ratchet.status(): no library, no process, a
# database in which nobody is to be connected.

use strict;
use warnings;

use RatchetTest;
use Test::More;

# The server's own processes (logical replication) take one of these.
my $enough = 'max_worker_processes = 16';
my $node = new_node('main', extension => 0, conf => "shared_preload_libraries = ''\n$enough\n");

sub restart_with
{
	my (@lines) = @_;
	$node->append_conf('postgresql.conf', join("\n", @lines) . "\n");
	$node->restart;
	return;
}

sub status_of
{
	my ($component, %option) = @_;
	return value($node, "SELECT concat_ws('; ', state, detail, hint) FROM ratchet.status() WHERE component = '$component'", %option);
}

# What psql prints for the statements of one session.
sub said
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	is($status, 0, 'no error');
	return $err;
}

promise 'a server without the library says so when it is given something to run' => sub {
	my $warning = qr/WARNING:  pg_ratchet is not loaded by the server\nDETAIL: .*none runs.*\nHINT: .*shared_preload_libraries/;
	like(said('CREATE EXTENSION pg_ratchet'), $warning, 'CREATE EXTENSION');
	like(said(q{SELECT ratchet.schedule('tick', '100 ms', 'SELECT 1')}), $warning, 'schedule');
	like(said(q{SELECT ratchet.trigger('tick')}), $warning, 'trigger');
	my $twice = said(q{SELECT ratchet.schedule('tock', '@manual', 'SELECT 1'); SELECT ratchet.trigger('tock')});
	is(scalar(() = $twice =~ /WARNING/g), 1, 'once in a session');
	is(said(q{SELECT ratchet.run_id(); TABLE ratchet.jobs; SELECT ratchet.next_runs('1 day')}), '', 'who only looks is told nothing');
	like(status_of('library'), qr/^not preloaded; .*none runs; Add pg_ratchet/, 'ratchet.status() has it, too');
};

promise 'a launcher for which there was no process' => sub {
	restart_with(q{shared_preload_libraries = 'pg_ratchet'}, 'max_worker_processes = 0');
	like(status_of('launcher'), qr/^not running; .*log/, 'it does not run');
	like(status_of('scheduler'), qr/^absent; the launcher starts it$/, 'and starts no scheduler');
	like(status_of('processes'), qr/^short; max_worker_processes is 0, pg_ratchet may need 6; Raise max_worker_processes/,
		'because processes are short');
	restart_with($enough);
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'succeeded'}, 'with enough of them jobs run');
	like(status_of('processes'), qr/^ok; max_worker_processes is 16, pg_ratchet may need 6$/, 'as many are needed as were said to be');
};

sub nobody_in
{
	my ($database, $what) = @_;
	wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler' AND datname = '$database'", $what);
	return;
}

sub jobs_run_in
{
	my ($database, $what) = @_;
	my $last = value($node, 'SELECT coalesce(max(run_id), 0) FROM ratchet.runs', db => $database);
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE run_id > $last AND status = 'succeeded'", $what, db => $database);
	return;
}

promise 'a template database has no jobs that run' => sub {
	value($node, 'CREATE DATABASE pattern');
	value($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '100 ms', 'SELECT 1')}, db => 'pattern');
	jobs_run_in('pattern', 'jobs run in a database');
	value($node, 'ALTER DATABASE pattern IS_TEMPLATE true');
	nobody_in('pattern', 'the scheduler leaves it when it becomes a template');
	wait_until($node, q{SELECT detail = 'jobs do not run in a template database' AND hint LIKE 'Run ALTER DATABASE ... IS_TEMPLATE false.%'
		FROM ratchet.status() WHERE component = 'scheduler'}, 'ratchet.status() says why', db => 'pattern');
	my $run = value($node, q{SELECT ratchet.trigger('tick')}, db => 'pattern');
	jobs_run_in('postgres', 'others go on');
	is(value($node, "SELECT status FROM ratchet.runs WHERE run_id = $run", db => 'pattern'), 'queued', 'what is asked for there waits');
	like(status_of('scheduler', db => 'pattern'), qr/^absent; jobs do not run in a template/, 'nothing has started');
	restart_with();
	jobs_run_in('postgres', 'others go on after a restart');
	like(status_of('scheduler', db => 'pattern'), qr/^absent; jobs do not run in a template/, 'it is the same then');
	value($node, 'ALTER DATABASE pattern IS_TEMPLATE false');
	wait_run($node, $run, 'succeeded', 'what has waited runs when it is none any more', db => 'pattern');
};

promise 'a database that allows no connections' => sub {
	value($node, 'ALTER DATABASE pattern ALLOW_CONNECTIONS false');
	nobody_in('pattern', 'the scheduler leaves it');
	jobs_run_in('postgres', 'others go on');
	value($node, 'ALTER DATABASE pattern ALLOW_CONNECTIONS true');
	jobs_run_in('pattern', 'and comes back');
};

promise 'as many databases as ratchet.max_databases' => sub {
	restart_with('ratchet.max_databases = 2');
	jobs_run_in($_, "jobs run in $_") for 'postgres', 'pattern';
	like(status_of('databases'), qr/^ok; 2 of 2 known, 2 schedulers\b(?!.*Raise)/, 'nobody is left out');
};

promise 'more databases than ratchet.max_databases' => sub {
	restart_with('ratchet.max_databases = 1');
	wait_log($node, qr/there are more databases than ratchet.max_databases \(1\)/, 'the log says so');
	my @said = map { status_of('scheduler', db => $_) } 'postgres', 'pattern';
	is(scalar(grep { $_ eq 'absent; there are more databases than ratchet.max_databases' } @said), 1, 'and ratchet.status() in the one that is left out')
	  or diag("@said");
	like(status_of('databases'), qr/^full; 1 of 1 .*, 1 left out; Raise ratchet.max_databases/, 'with a hint');
};

finish();
