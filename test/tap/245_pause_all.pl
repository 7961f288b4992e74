# One call that keeps all jobs of a database from starting, and one that lets them go on.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE shop_owner LOGIN;
	CREATE ROLE clerk LOGIN;
	CREATE ROLE dba SUPERUSER LOGIN;
	CREATE DATABASE shop OWNER shop_owner});
value($node, q{CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE sold (job text, at timestamptz DEFAULT clock_timestamp()); GRANT ALL ON sold TO PUBLIC}, db => 'shop');
value($node, q{SELECT ratchet.schedule('elsewhere', '200 ms', 'SELECT 1')});

my %shop = (db => 'shop');

sub runs { return value($node, "SELECT count(*) FROM ratchet.runs WHERE status = 'succeeded' AND job_name = '$_[0]'", %shop); }

sub goes_on
{
	my ($job) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = runs($job);
	wait_until($node, "SELECT count(*) > $before + 1 FROM ratchet.runs WHERE status = 'succeeded' AND job_name = '$job'", "$job goes on", %shop);
	return;
}

# The other database is the clock: its job has run some more times.
sub nothing_runs
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running}, undef, %shop);
	my $before = value($node, 'SELECT max(run_id) FROM ratchet.run_log', %shop);
	my $ticks = value($node, 'SELECT count(*) FROM ratchet.run_log');
	wait_until($node, "SELECT count(*) > $ticks + 5 FROM ratchet.run_log");
	is(value($node, "SELECT count(*) FROM ratchet.run_log WHERE run_id > $before AND status <> 'canceled'", %shop), 0, $what);
	return;
}

value($node, q{SELECT ratchet.schedule('sell', '200 ms', $$INSERT INTO public.sold VALUES ('sell')$$)}, %shop, user => 'clerk');
value($node, q{SELECT ratchet.schedule('count', '300 ms', 'SELECT 1')}, %shop, user => 'dba');
value($node, q{SELECT ratchet.schedule('resting', '200 ms', 'SELECT 1', enabled => false)}, %shop, user => 'clerk');
value($node, q{SELECT ratchet.schedule('by hand', '@manual', 'SELECT 1')}, %shop, user => 'clerk');

promise 'nothing of the database starts, also what is triggered, and it survives a restart' => sub {
	goes_on('sell');
	goes_on('count');
	is(value($node, 'SELECT ratchet.pause_all()', %shop, user => 'shop_owner'), 0, 'the owner of the database may');
	nothing_runs('nothing runs');
	my $asked = value($node, q{SELECT ratchet.trigger('by hand')}, %shop, user => 'clerk');
	nothing_runs('nor what is triggered');
	is(run_status($node, $asked, %shop), 'queued', '... which waits');
	like(value($node, q{SELECT state || ': ' || detail || '|' || hint FROM ratchet.status() WHERE component = 'jobs'}, %shop),
		qr/^paused: all of this database, since .* by role shop_owner: nothing starts, what runs is let finish\|Run SELECT ratchet\.resume_all\(\)/, 'ratchet.status() says since when, and by whom');
	is(value($node, q{SELECT DISTINCT color || ': ' || why FROM ratchet.job_health WHERE job_name IN ('sell', 'count')}, %shop), 'amber: nothing starts: ratchet.pause_all()', 'so does ratchet.job_health');
	is(value($node, q{SELECT color || ': ' || why FROM ratchet.job_health WHERE job_name = 'resting'}, %shop), 'gray: paused');
	is(value($node, q{SELECT bool_and(held_by ~ '^ratchet\.pause_all\(\)') FROM ratchet.agenda(now() + interval '1 minute')}, %shop), 't', 'and ratchet.agenda()');
	is(value($node, q{SELECT count(*) FROM ratchet.status() WHERE component = 'jobs'}), 0, 'another database knows nothing of it');
	$node->restart;
	nothing_runs('nor after a restart');
	$node->stop('immediate');
	$node->start;
	nothing_runs('nor after a crash');
	is(value($node, 'SELECT ratchet.resume_all()', %shop, user => 'shop_owner'), 't');
	goes_on('sell');
	goes_on('count');
	wait_run($node, $asked, 'succeeded', 'what was triggered runs', %shop);
	is(runs('resting'), 0, 'a job that was paused by itself stays paused');
	is(value($node, q{SELECT count(*) FROM ratchet.status() WHERE component = 'jobs'}, %shop), 0, 'and nothing is left of it');
	is(value($node, 'SELECT ratchet.resume_all()', %shop, user => 'dba'), 'f', 'nothing to end');
};

promise 'what is running is let finish, or canceled' => sub {
	my $run = begin_run($node, 'inventory', 'SELECT pg_sleep(1000)', undef, %shop, user => 'clerk');
	my $others = begin_run($node, 'backup', 'SELECT pg_sleep(1000)', undef, %shop, user => 'dba');
	value($node, 'SELECT ratchet.pause_all()', %shop, user => 'dba');
	is(run_status($node, $run, %shop), 'running', 'it goes on');
	cmp_ok(value($node, 'SELECT ratchet.pause_all(cancel_running => true)', %shop, user => 'dba'), '>=', 2, 'a superuser cancels all');
	wait_run($node, $_, 'canceled', undef, %shop) for $run, $others;
	value($node, 'SELECT ratchet.resume_all()', %shop, user => 'dba');
	$run = begin_run($node, 'inventory', 'SELECT pg_sleep(1000)', undef, %shop, user => 'clerk');
	is(value($node, 'SELECT ratchet.pause_all(cancel_running => true)', %shop, user => 'shop_owner'), 0, 'the owner of the database cancels those that it may');
	is(run_status($node, $run, %shop), 'running', '... and no others');
	value($node, "SELECT ratchet.cancel($run); SELECT ratchet.resume_all()", %shop, user => 'dba');
	wait_run($node, $run, 'canceled', undef, %shop);
};

promise 'it is of the transaction' => sub {
	my $session = session($node, db => 'shop', user => 'shop_owner');
	$session->query_safe('BEGIN; SELECT ratchet.pause_all()');
	goes_on('count');
	$session->query_safe('ROLLBACK');
	goes_on('sell');
	$session->quit;
};

promise 'who does not own the database may neither pause nor resume it' => sub {
	psql_fails($node, 'SELECT ratchet.pause_all()', qr/42501: must be owner of the database/, 'pause', %shop, user => 'clerk');
	value($node, 'SELECT ratchet.pause_all()', %shop, user => 'dba');
	psql_fails($node, 'SELECT ratchet.resume_all()', qr/42501: must be owner of the database/, 'resume', %shop, user => 'clerk');
	psql_fails($node, 'UPDATE ratchet.home SET paused_at = NULL', qr/42501/, 'by hand', %shop, user => 'shop_owner');
	psql_fails($node, 'BEGIN READ ONLY; SELECT ratchet.resume_all()', qr/25006/, 'in a read-only transaction', %shop, user => 'dba');
	value($node, 'SELECT ratchet.resume_all()', %shop, user => 'dba');
	goes_on('sell');
};

finish();
