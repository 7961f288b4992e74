# What only some versions of PostgreSQL have, and what is the same with and without it.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
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
		# Not the job that runs all the time: what is asked for beside it may be skipped.
		my $asked = begin_run($node, 'asked for', 'SELECT 1', q{settings => '{"transaction_timeout": "0"}'}, db => 'hasty');
		wait_run($node, $asked, 'succeeded', 'jobs run', db => 'hasty');
		is((ratchet_pids($node, 'scheduler', 'hasty'))[0], $scheduler, 'and it is the same process');
		value($node, q{DROP DATABASE hasty});
	};
}

SKIP: {
	skip 'REPACK, WAIT FOR LSN, senders of signals, ON CONFLICT DO SELECT and JSON by COPY are new in 19', 9 if $version < 19;

	my $repacks = new_node('repacks', conf => <<'CONF');
wal_level = replica
max_wal_senders = 4
max_replication_slots = 4
CONF
	value(
		$repacks, q{
		CREATE ROLE clerk LOGIN;
		GRANT USAGE ON SCHEMA ratchet TO clerk;
		GRANT CREATE ON SCHEMA public TO clerk;
		CREATE TABLE other (id int)});
	value(
		$repacks, q{
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		INSERT INTO orders SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;
		DELETE FROM orders WHERE id % 10 <> 0},
		user => 'clerk');

	promise 'an ordinary owner has a table repacked' => sub {
		for my $how ('REPACK orders', 'REPACK (CONCURRENTLY) orders', 'REPACK orders USING INDEX orders_pkey', 'REPACK (ANALYZE) orders')
		{
			my $file = q{SELECT pg_relation_filenode('orders')};
			my $before = value($repacks, $file);
			is_run(run_job($repacks, 'repack', $how, undef, user => 'clerk'), { status => 'succeeded' }, $how);
			isnt(value($repacks, $file), $before, 'it has another file');
		}
		is(value($repacks, 'SELECT count(*) FROM orders'), 500, 'and all rows');
		is(value($repacks, 'SELECT count(*) FROM pg_replication_slots'), 0, 'no slot is left');
	};

	promise 'what cannot be one of several statements is refused at once' => sub {
		for my $statement ('REPACK', 'REPACK (CONCURRENTLY) orders', 'REPACK (ANALYZE) orders')
		{
			psql_fails($repacks, "SELECT ratchet.schedule('x', '\@manual', 'SELECT 1; $statement')",
				qr/REPACK cannot be one of several statements/, $statement);
			psql_fails($repacks, "SELECT ratchet.schedule_batch('x', '\@manual', 'SELECT id FROM orders', '$statement')",
				qr/REPACK cannot be in the action of a batch job/, "$statement, of a batch");
		}
		is_run(run_job($repacks, 'two', 'REPACK orders; SELECT 1', undef, user => 'clerk'), { status => 'succeeded' }, 'the others may');
	};

	# It waits for all transactions that write, and holds its lock meanwhile.
	promise 'an incremental walk does not wait for REPACK (CONCURRENTLY)' => sub {
		my $writer = session($repacks);
		$writer->query_safe('BEGIN; INSERT INTO other VALUES (1)');
		my $repack = begin_run($repacks, 'repack in use', 'REPACK (CONCURRENTLY) orders');
		wait_until($repacks, q{SELECT EXISTS (SELECT FROM pg_stat_progress_repack)}, 'it is at work');
		wait_until($repacks, q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted)},
			'and has the lock');
		is_run(run_batch($repacks, 'walk', 'SELECT id FROM orders', 'SELECT $1', q{mode => 'incremental', key => '{id}'}),
			{ status => 'succeeded', items_done => 500 }, 'a walk over its table comes to the end');
		is(run_status($repacks, $repack), 'running', 'REPACK is still there');
		$writer->query_safe('COMMIT');
		wait_run($repacks, $repack, 'succeeded');
		$writer->quit;
	};

	promise 'WAIT FOR LSN runs as a job, and is no action of a batch' => sub {
		is_run(run_job($repacks, 'waits', q{WAIT FOR LSN '0/1' WITH (MODE 'primary_flush')}), { status => 'succeeded' }, 'as a job');
		psql_fails($repacks, q{SELECT ratchet.schedule_batch('x', '@manual', 'SELECT id FROM orders', $$WAIT FOR LSN '0/1'$$)},
			qr/WAIT is not allowed in the action of a batch job/, 'in a batch');
	};

	promise 'who has ended the process of a run is in its record' => sub {
		my $run = begin_run($repacks, 'ended', 'SELECT pg_sleep(3600)', q{on_crash => 'next'});
		my $session = session($repacks);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_safe("SELECT pg_terminate_backend(pid) FROM ratchet.running WHERE run_id = $run");
		wait_run($repacks, $run, 'crashed');
		like(run_record($repacks, $run)->{error_detail}, qr/\bPID $pid\b/, 'by its PID');
		$session->quit;
	};

	promise 'a publication of all tables may leave out those of the extension' => sub {
		my $published = q{SELECT count(*) FROM ratchet.status() AS s WHERE component = 'replication'};
		my $tables = value($repacks, q{SELECT string_agg(format('ratchet.%I', relname), ', ') FROM pg_class
			WHERE relnamespace = 'ratchet'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition});
		value($repacks, "CREATE PUBLICATION of_people FOR ALL TABLES EXCEPT (TABLE $tables); CREATE PUBLICATION numbers FOR ALL SEQUENCES");
		is(value($repacks, $published), 0, 'status() has nothing to say');
		value($repacks, 'CREATE PUBLICATION everything FOR ALL TABLES EXCEPT (TABLE ratchet.job)');
		is(value($repacks, $published), 1, 'one is enough');
		value($repacks, 'DROP PUBLICATION of_people, numbers, everything');
	};

	promise 'strings are read in one way only' => sub {
		psql_fails($repacks, q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1', settings => '{"standard_conforming_strings": "off"}')},
			qr/0A000: non-standard string literals are not supported.*option "settings" of a job/s, 'a job cannot ask for another one');
	};

	promise 'ON CONFLICT DO SELECT is an action' => sub {
		value($repacks, 'CREATE TABLE tag (name text PRIMARY KEY, n int DEFAULT 0)');
		is_run(
			run_batch($repacks, 'tags', q{SELECT id FROM orders},
				q{INSERT INTO tag VALUES ('tag ' || $1 % 3) ON CONFLICT (name) DO SELECT FOR UPDATE RETURNING name}),
			{ status => 'succeeded', items_done => 500, items_failed => 0 }, 'each item is done');
		is(value($repacks, 'SELECT count(*) FROM tag'), 3, 'and finds the row that is there');
	};

	promise 'COPY writes and reads what is new' => sub {
		my $file = $repacks->data_dir . '/orders.json';
		is_run(run_job($repacks, 'json', "COPY (SELECT id FROM orders WHERE id < 30 ORDER BY id) TO '$file' (FORMAT json)"),
			{ status => 'succeeded' }, 'JSON');
		is(slurp_file($file), qq({"id":10}\n{"id":20}\n), 'which is there');
	};
}

finish();
