# Jobs that change what they stand on: databases, tables in use, jobs, themselves, the extension.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', q{SELECT ratchet.schedule('neighbour', '200 ms', 'SELECT 1')});

sub neighbour_goes_on
{
	my $n = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'neighbour' AND status = 'succeeded'});
	wait_until($node, "SELECT count(*) > $n FROM ratchet.runs WHERE job_name = 'neighbour' AND status = 'succeeded'", 'other jobs go on');
	return;
}

subtest 'databases' => sub {
	is_run(run_job($node, 'database', 'CREATE DATABASE made'), { status => 'succeeded' }, 'are made');
	$node->safe_psql('made', q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '100 ms', 'SELECT 1')});
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE status = 'succeeded'}, undef, db => 'made');
	is_run(run_job($node, 'database', 'ALTER DATABASE made RENAME TO renamed'), { status => 'succeeded' }, 'renamed, while jobs run there');
	is_run(run_job($node, 'database', 'CREATE DATABASE copy TEMPLATE renamed'), { status => 'succeeded' }, 'copied');
	is_run(run_job($node, 'database', 'DROP DATABASE renamed'), { status => 'succeeded' }, 'and dropped');
	is_run(run_job($node, 'database', 'DROP DATABASE copy'), { status => 'succeeded' }, 'also a copy');
	is_run(run_job($node, 'database', 'DROP DATABASE postgres'), { status => 'failed', sqlstate => '55006' }, 'but not its own one');
	neighbour_goes_on();
};

subtest 'a job that changes jobs' => sub {
	is_run(
		run_job($node, 'fleeting', q{SELECT ratchet.unschedule('fleeting')}),
		{ status => 'succeeded', job_name => 'fleeting' },
		'it may drop itself, and its last run is recorded');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'fleeting'}), 0, 'it is gone');
	is_run(
		run_job($node, 'undecided', q{SELECT ratchet.unschedule('undecided'); SELECT 1 / 0}),
		{ status => 'failed' },
		'it does not when it fails');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'undecided'}), 1, 'it is there');
	my $run = run_job($node, 'chain', q{SELECT ratchet.trigger('neighbour', payload => '{"chain": true}')});
	is_run($run, { status => 'succeeded' }, 'it may trigger another one');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE payload = '{"chain": true}' AND status = 'succeeded'}, 'which runs');
	$run = run_job($node, 'again', q{SELECT ratchet.trigger('again', payload => '{"n": 1}') WHERE ratchet.payload() IS NULL});
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name = 'again' AND status = 'succeeded'}, 'and itself');
	is_run(
		run_job($node, 'changing', q{SELECT ratchet.alter_job('changing', command => 'SELECT 2 AS n')}),
		{ status => 'succeeded', version => 1 },
		'it may change itself');
	my $next = value($node, q{SELECT ratchet.trigger('changing')});
	wait_run($node, $next, 'succeeded');
	is_run(run_record($node, $next), { result => '{"n":2}', version => 2 }, 'for the runs to come');
	is_run(
		run_job($node, 'own_end', q{SELECT ratchet.cancel(ratchet.run_id()); SELECT 1}),
		{ status => 'succeeded' },
		'a cancel of itself comes when it has committed: too late');
	is_run(
		run_job($node, 'circle', q{SELECT ratchet.wait(ratchet.run_id(), '0.5 s') AS status}),
		{ status => 'succeeded', result => '{"status":"running"}' },
		'it waits for itself in vain, and no longer than it asked');
};

subtest 'a run in a run' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('inner', '@manual', 'SELECT ratchet.run_id() AS id')});
	for my $job (qw(inner outer))
	{
		is_run(run_job($node, 'outer', "CALL ratchet.run('$job')"), { status => 'failed', sqlstate => '55000' },
			"is refused: $job");
	}
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'inner'}), 0, 'nothing is left behind');
	neighbour_goes_on();
};

subtest 'a serialization failure at commit' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE x (n int); CREATE TABLE y (n int)');
	my $lock = lock_session($node, 1);
	my $session = $node->background_psql('postgres');
	$session->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE');
	$session->query_safe('SELECT count(*) FROM x');
	my $run_id = begin_run($node, 'serializable',
		'SELECT count(*) FROM y; INSERT INTO x VALUES (1); SELECT pg_advisory_xact_lock_shared(1)',
		q{settings => '{"default_transaction_isolation": "serializable"}'});
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted});
	$session->query_safe('INSERT INTO y VALUES (1)');
	$session->query_safe('COMMIT');
	$session->quit;
	$lock->quit;
	wait_run($node, $run_id, 'failed');
	is_run(run_record($node, $run_id), { sqlstate => '40001' }, 'is recorded');
	is(value($node, 'SELECT count(*) FROM x'), 0, 'and leaves no effect');
};

subtest 'parallel queries' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE wide AS SELECT i, repeat(\'x\', 500) AS note FROM generate_series(1, 20000) i; ANALYZE wide');
	my $serial = run_job($node, 'parallel', 'SELECT count(*) AS n, max(length(note)) FROM wide', q{settings => '{"max_parallel_workers_per_gather": 0}'});
	my $run = run_job($node, 'parallel', 'SELECT count(*) AS n, max(length(note)) FROM wide',
		q{settings => '{"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0}'});
	is_run($run, { status => 'succeeded', result => $serial->{result}, rows_affected => 1 }, 'give the same result');
	cmp_ok($run->{blocks_hit} + $run->{blocks_read}, '>=', 1000, 'the blocks of their workers are counted');
};

subtest 'a job that drops the extension' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE last');
	$node->safe_psql('last', q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('drop', '@manual', 'DROP EXTENSION pg_ratchet')});
	value($node, q{SELECT ratchet.trigger('drop')}, db => 'last');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_ratchet')}, 'it is gone', db => 'last');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'last' AND backend_type = 'pg_ratchet scheduler')}, 'and so is its scheduler');
	$node->safe_psql('last', q{CREATE EXTENSION pg_ratchet});
	is_run(run_job($node, 'new', 'SELECT 1', undef, db => 'last'), { status => 'succeeded' }, 'it can be created again');
	neighbour_goes_on();
};

finish();
