# The owner of a database can hold up everybody who connects to it, by locks on its system catalogs: the workers that
# wait there do not keep the places of those of other databases. See docs/security.md, "Asking for too much".

use strict;
use warnings;

use RatchetTest;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nmax_worker_processes = 20\nratchet.worker_idle_timeout = '50 ms'\n");

value($node, q{
	CREATE ROLE landlord LOGIN;
	CREATE ROLE agent LOGIN;
	CREATE ROLE cook LOGIN;
	CREATE ROLE tenant LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE ticks (at timestamptz DEFAULT clock_timestamp());
	GRANT ALL ON ticks TO tenant});
value($node, 'CREATE DATABASE house OWNER landlord');
value($node, 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC', db => 'house');
# Workers leave between two runs.
value($node, q{SELECT count(ratchet.schedule(current_user || n, '1 second', 'SELECT 1')) FROM generate_series(1, 3) n}, db => 'house', user => $_)
  for 'landlord', 'agent', 'cook';
value($node, q{SELECT ratchet.schedule('pay', '1 second', 'INSERT INTO public.ticks DEFAULT VALUES')}, user => 'tenant');
ticks_go_on($node, 'the job of another owner runs');

sub lags
{
	my ($what, $n) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $since = value($node, 'SELECT clock_timestamp()');
	ticks_go_on($node, $what, $n);
	cmp_ok(value($node, qq{SELECT extract(epoch FROM max(gap)) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap FROM ticks WHERE at > '$since') g}),
		'<', within(4), '... nearly each second');
	return;
}

promise 'workers that cannot connect give back the places that others need' => sub {
	my $reader = session($node, db => 'house', user => 'landlord');
	my $reindex = session($node, db => 'house', user => 'landlord');
	$reader->query_safe('BEGIN; SELECT count(*) FROM pg_class');
	$reindex->query_until(qr/begins/, "\\echo begins\nREINDEX SYSTEM house;\n");
	my $waits = q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'};
	wait_until($node, $waits, 'who connects there waits');
	wait_log($node, qr/no worker can connect to this database, as a system catalog is locked/, 'the log says so');
	lags('the job of another owner runs on', 8);
	is(value($node, $waits), 't', 'meanwhile nothing has changed there');
	$reader->query('ROLLBACK');
	wait_log($node, qr/workers can connect to this database again/, 'when the lock is gone they are there again');
	wait_until($node, q{SELECT count(DISTINCT owner) = 3 FROM ratchet.runs WHERE status = 'succeeded' AND started_at > now() - interval '5 s'}, 'and do their jobs', db => 'house');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE status = 'failed'}, db => 'house'), 0, 'none has failed by that');
	$_->quit for $reader, $reindex;
};

finish();
