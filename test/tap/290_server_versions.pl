# What only some versions of PostgreSQL have, and what is the same with and without it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node    = new_node('main');
my $version = value($node, 'SHOW server_version_num') / 10_000;
diag(sprintf('PostgreSQL %d', $version));

# Since 18, grouped columns are columns of a range table entry of their own.
promise 'a key that is grouped comes from the column of a table' => sub {
	value(
		$node, q{
		CREATE TABLE line (orders int NOT NULL, amount int NOT NULL);
		INSERT INTO line SELECT i / 3, i FROM generate_series(0, 29) AS i;
		CREATE TABLE total (orders int PRIMARY KEY, amount bigint)});
	my @source = (
		'SELECT orders, sum(amount) FROM line GROUP BY orders',
		'SELECT o, sum(a) FROM (SELECT orders AS o, amount AS a FROM line) AS s GROUP BY o',
		'SELECT orders, sum(amount) FROM line GROUP BY orders HAVING sum(amount) > -1');
	for my $source (@source)
	{
		my (undef, undef, $warning) = $node->psql('postgres',
			define_batch('totals', $source, 'INSERT INTO total VALUES ($1, $2)'));
		like($warning, qr/CREATE INDEX CONCURRENTLY ON public\.line \(orders\)/, "$source: says which index is missing");
	}
	value($node, 'CREATE INDEX ON line (orders)');
	my $run = value($node, q{SELECT ratchet.trigger('totals')});
	wait_run($node, $run, 'succeeded', 'it runs');
	is(value($node, 'SELECT count(*), sum(amount) FROM total'), '10|435', 'each group is an item');
};

promise 'generated columns are read as others are' => sub {
	my $kind = $version >= 18 ? 'VIRTUAL' : 'STORED';
	value(
		$node, qq{
		CREATE TABLE item (id int PRIMARY KEY, price int, tax int GENERATED ALWAYS AS (price * 2) $kind, n int DEFAULT 0);
		INSERT INTO item (id, price) SELECT i, i FROM generate_series(1, 20) AS i;
		SELECT ratchet.schedule_batch('taxes', '\@manual', 'SELECT id, tax FROM item WHERE tax > 10',
			'UPDATE item SET n = \$2 + 0 / (20 - \$1) WHERE id = \$1', key => '{id}', batch_size => 5)});
	my $run = value($node, q{SELECT ratchet.trigger('taxes')});
	wait_run($node, $run, 'succeeded', 'a batch job over them runs');
	is(value($node, 'SELECT count(*) FROM item WHERE n > 0'), 14, 'and did what it is for');
	is(value($node, 'SELECT item FROM ratchet.failed_items'), '{"id": 20, "tax": 40}', 'a failed item has their values');
	psql_fails($node,
		q{SELECT ratchet.schedule_batch('no key', '@manual', 'SELECT tax FROM item', 'SELECT $1', key => '{tax}')},
		qr/key \(tax\) does not identify one item/, 'they are no key by themselves');
};

# Since 17, what the server tells of statistics is a copy that the caller has to free.
promise 'a walk that watches a table that it fills does not grow' => sub {
	value($node, 'CREATE TABLE filled (id int, bytes bigint)');
	my $run = run_batch($node, 'fills', 'SELECT i FROM generate_series(1, 3000) AS i',
		q{INSERT INTO filled SELECT $1, used_bytes FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext'},
		q{batch_size => 1, key => '{i}', watch => '{filled}'});
	is_run($run, { status => 'succeeded', batches => 3000 }, 'it runs, a batch for each item');
	my $grown = value($node, 'SELECT max(bytes) FILTER (WHERE id > 2900) - max(bytes) FILTER (WHERE id BETWEEN 500 AND 600) FROM filled');
	cmp_ok($grown, '<', 100_000, "$grown bytes");
};

SKIP: {
	skip 'libraries say their version since 18', 1 if $version < 18;

	is(value($node, q{SELECT m.version = e.extversion FROM pg_get_loaded_modules() AS m, pg_extension AS e
			WHERE m.module_name = 'pg_ratchet' AND e.extname = 'pg_ratchet'}),
		't', 'the library says of which version it is');
}

SKIP: {
	skip 'transaction_timeout is new in 17', 1 if $version < 17;

	# It ends the session, so that the run's own process cannot record the end.
	promise 'transaction_timeout of a job ends its run, and the pool goes on' => sub {
		my $run = run_job($node, 'long', 'SELECT pg_sleep(3600)', q{settings => '{"transaction_timeout": "100 ms"}'});
		is_run($run, { status => 'crashed', sqlstate => '25P04' }, 'it shows as crashed, and by what');
		is_run(run_job($node, 'after', 'SELECT 1'), { status => 'succeeded' }, 'another one runs');
	};

	# It is meant for people and jobs, and what it ends is a session.
	promise 'transaction_timeout of a database does not end its scheduler' => sub {
		local $ENV{PGOPTIONS} = '-c transaction_timeout=0';
		value($node, q{CREATE DATABASE hasty; ALTER DATABASE hasty SET transaction_timeout = '100 ms'});
		value(
			$node, q{
			CREATE EXTENSION pg_ratchet;
			SELECT ratchet.schedule('often', '50 ms', 'SELECT 1', settings => '{"transaction_timeout": "0"}')},
			db => 'hasty');
		wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE status = 'succeeded'}, 'a job runs', db => 'hasty');
		my ($scheduler) = ratchet_pids($node, 'scheduler', 'hasty');
		my $session = session($node, db => 'hasty');
		$session->query_safe('BEGIN');
		$session->query_safe('LOCK TABLE ratchet.job IN ACCESS EXCLUSIVE MODE');
		$session->query_safe('LOCK TABLE ratchet.run_log, ratchet.run_queue, ratchet.job_state IN ACCESS EXCLUSIVE MODE');
		my $waiting = "FROM pg_locks WHERE pid = $scheduler AND NOT granted";
		my $gone    = "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $scheduler)";
		wait_until($node, "SELECT $gone OR EXISTS (SELECT $waiting AND waitstart < clock_timestamp() - interval '300 ms')",
			'a transaction of the scheduler waits for a lock, for longer than that');
		$session->query_safe('COMMIT');
		$session->quit;
		value($node, q{SELECT ratchet.alter_job('often', comment => 'the same')}, db => 'hasty');
		wait_run($node, value($node, q{SELECT ratchet.trigger('often')}, db => 'hasty'), 'succeeded', 'jobs run', db => 'hasty');
		is((ratchet_pids($node, 'scheduler', 'hasty'))[0], $scheduler, 'and it is the same process');
		value($node, q{DROP DATABASE hasty});
	};
}

finish();
