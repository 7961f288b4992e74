# The whole server from one of its databases: what runs, how each database fares, and one call that stops it all.

use strict;
use warnings;

use RatchetTest;
use Test::More;

# One role may have three long runs and more.
my $node = new_node('main', conf => "ratchet.max_workers = 8\nmax_worker_processes = 24\n");
my @databases = ('postgres', 'shop', 'Büro');
my %shop = (db => 'shop');
my %office = (db => 'Büro');

value($node, q{CREATE ROLE clerk LOGIN; CREATE ROLE watch LOGIN; CREATE ROLE guard LOGIN; GRANT pg_monitor TO watch});
value($node, qq{CREATE DATABASE "$_"}) for @databases[ 1, 2 ];
value($node, 'CREATE EXTENSION pg_ratchet', db => $_) for @databases[ 1, 2 ];
value($node, 'GRANT USAGE ON SCHEMA ratchet TO PUBLIC', db => $_) for @databases;
for my $db (@databases)
{
	value($node, q{SELECT ratchet.schedule('long', '@manual', 'SELECT pg_sleep(600)', mutex => 'long'), ratchet.schedule('tick', '200 ms', 'SELECT 1')}, db => $db, user => 'clerk');
}

# Those of a database that are running.
sub running
{
	my ($db) = @_;
	return value($node, "SELECT count(*) FROM ratchet.server_running WHERE database = '$db' AND job_name = 'long' AND state = 'running'");
}

sub begin_long
{
	for my $db (@databases) { value($node, q{SELECT ratchet.trigger('long')}, db => $db, user => 'clerk'); }
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.server_running WHERE job_name = 'long' AND state = 'running'});
	return;
}

sub ticks { return value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'tick' AND status = 'succeeded'}, db => $_[0]); }

sub goes_on
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $db (@databases)
	{
		my $before = ticks($db);
		wait_until($node, "SELECT count(*) > $before FROM ratchet.run_log WHERE job_name = 'tick' AND status = 'succeeded'", "$what: $db", db => $db);
	}
	return;
}

# What is asked for waits, and the schedulers have had a pass since.
sub nothing_starts
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.server_running');
	my %before = map { $_ => ticks($_) } @databases;
	my %asked = map { $_ => value($node, q{SELECT ratchet.trigger('tick', "coalesce" => false)}, db => $_, user => 'clerk') } @databases;
	for my $db (@databases)
	{
		# A pass writes the end of a run that waits, too.
		my $gone = value($node, q{SELECT ratchet.trigger('tick', "coalesce" => false, run_at => now() + interval '1 hour')}, db => $db, user => 'clerk');
		value($node, "SELECT ratchet.cancel($gone)", db => $db);
		wait_run($node, $gone, 'canceled', undef, db => $db);
	}
	is(join(' ', map { ticks($_) - $before{$_} } @databases), '0 0 0', $what);
	is(join(' ', map { run_status($node, $asked{$_}, db => $_) } @databases), 'queued queued queued', '... nor what is triggered');
	return;
}

promise 'one list of what runs, for each as far as it may see' => sub {
	begin_long();
	is(value($node, q{SELECT string_agg(concat_ws('/', database, owner, cause, pid IS NOT NULL, elapsed > '0', cancel_asked), ' ' ORDER BY database COLLATE "C") FROM ratchet.server_running WHERE job_name = 'long'}, %shop),
		'Büro/clerk/trigger/t/t/f postgres/clerk/trigger/t/t/f shop/clerk/trigger/t/t/f', 'a superuser sees all of all databases');
	is(value($node, q{SELECT count(*) FROM ratchet.server_running WHERE job_name = 'long'}, %shop, user => 'watch'), 3, 'so does a member of pg_monitor');
	is(value($node, q{SELECT count(*) FROM ratchet.server_running WHERE job_name = 'long'}, %shop, user => 'clerk'), 3, 'its owner sees its own');
	is(value($node, q{SELECT count(*) FROM ratchet.server_running}, %shop, user => 'guard'), 0, 'and somebody else nothing');
};

promise 'one list of databases' => sub {
	value($node, q{SELECT ratchet.schedule('broken', '@manual', 'SELECT 1 / 0'), ratchet.trigger('broken')}, %office);
	wait_until($node, q{SELECT failing_jobs = 1 FROM ratchet.server_databases WHERE database = 'Büro'}, 'a job that fails is counted');
	is(value($node, q{SELECT string_agg(concat_ws('/', database, state, jobs, failing_jobs, running >= 1, failing_since, failure), ' ' ORDER BY database COLLATE "C") FROM ratchet.server_databases}, %shop, user => 'watch'),
		'Büro/active/3/1/t postgres/active/2/0/t shop/active/2/0/t', 'all of them');
	is(value($node, q{SELECT string_agg(database, ' ') FROM ratchet.server_databases}, %shop, user => 'clerk'), '', 'for others none');
	value($node, q{SELECT ratchet.alter_job('broken', command => 'SELECT 1'), ratchet.trigger('broken')}, %office);
	wait_until($node, q{SELECT failing_jobs = 0 FROM ratchet.server_databases WHERE database = 'Büro'}, 'until it succeeds');
	value($node, q{SELECT ratchet.alter_job('broken', command => 'SELECT 1 / 0'), ratchet.trigger('broken')}, %office);
	wait_until($node, q{SELECT failing_jobs = 1 FROM ratchet.server_databases WHERE database = 'Büro'});
	value($node, q{SELECT ratchet.unschedule('broken')}, %office);
	wait_until($node, q{SELECT failing_jobs = 0 FROM ratchet.server_databases WHERE database = 'Büro'}, 'or is gone');
};

promise 'all of it is stopped by one call, also by a restart and a crash' => sub {
	goes_on('before');
	is(value($node, 'SELECT ratchet.pause_server(cancel_running => true) >= 3', %shop), 't', 'in all databases');
	nothing_starts('nothing runs');
	is(value($node, q{SELECT status FROM ratchet.runs WHERE job_name = 'long' ORDER BY run_id DESC LIMIT 1}, db => $_), 'canceled', "$_: what was running is canceled") for @databases;
	is(value($node, q{SELECT state FROM ratchet.status() WHERE component = 'enabled'}), 'off', 'ratchet.status() says so');
	$node->restart;
	nothing_starts('nor after a restart');
	$node->stop('immediate');
	$node->start;
	nothing_starts('nor after a crash');
	value($node, 'SELECT ratchet.resume_server()', %office);
	goes_on('after it has been ended');
};

promise 'what is running is let finish unless it is to be canceled' => sub {
	begin_long();
	is(value($node, 'SELECT ratchet.pause_server()'), 0);
	is(join(' ', map { running($_) } @databases), '1 1 1', 'it goes on');
	is(value($node, 'SELECT ratchet.pause_server(true) >= 3'), 't', 'a second call cancels it');
	value($node, 'SELECT ratchet.resume_server()');
	goes_on('afterwards');
};

promise 'who may pause the server is who may by ALTER SYSTEM' => sub {
	for my $call ('pause_server()', 'pause_server(true)', 'resume_server()')
	{
		psql_fails($node, "SELECT ratchet.$call", qr/ERROR:  42501/, "$_: $call", %shop, user => $_) for 'clerk', 'watch';
	}
	begin_long();
	goes_on('nothing has happened');
	value($node, 'GRANT ALTER SYSTEM ON PARAMETER ratchet.enabled TO guard');
	is(value($node, 'SELECT ratchet.pause_server(true)', %shop, user => 'guard'), 0, 'one to whom it was granted does, and cancels nothing of others');
	is(join(' ', map { running($_) } @databases), '1 1 1', 'it goes on');
	value($node, 'SELECT ratchet.pause_server(true)');
	nothing_starts('nothing starts');
	value($node, 'SELECT ratchet.resume_server()', %shop, user => 'guard');
	goes_on('and ends it');
};

finish();
