# A walk reads each row once, whatever the order in which rows are stored: what is counted here is rows and entries of
# indexes that were read, which no slow machine changes.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION reads() RETURNS numeric LANGUAGE sql AS $$
	SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'public')
		+ coalesce((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'public'), 0)
$$;
-- As people's tables are: a column is gone, and rows are not stored in the order of any key.
CREATE FUNCTION fill(new_table text, key_type text, key text, rows int DEFAULT 5000) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (dropped text, n int, id %s, state text, pad text, PRIMARY KEY (id)) WITH (autovacuum_enabled = off)',
		new_table, key_type);
	EXECUTE format('ALTER TABLE %I DROP COLUMN dropped', new_table);
	EXECUTE format('INSERT INTO %I SELECT i, %s, CASE WHEN i %% 25 = 0 THEN ''new'' ELSE ''done'' END, md5(i::text)
		FROM generate_series(1, %s) i ORDER BY md5(i::text || ''x'')', new_table, key, rows);
END $$;
SQL

my $walks = 0;

# What a run of the job reads. In the session that reads it, so that all of it has been counted.
sub reads
{
	my ($job, $call) = @_;
	my $answer = value($node, <<"SQL");
SET client_min_messages = warning;
SELECT pg_stat_force_next_flush() \\g /dev/null
SELECT reads();
@{[ $call // "CALL ratchet.run('$job');" ]}
SELECT pg_stat_force_next_flush() \\g /dev/null
SELECT reads();
SQL
	my ($before, $after) = split /\s+/, $answer;
	return $after - $before;
}

sub define
{
	my ($what, $source, $key, $options) = @_;
	my $name = ++$walks . " $what";
	my $action = $options->{action} // 'SELECT $1';
	value($node, define_batch($name, $source, $action, "key => '{$key}', batch_size => " . ($options->{batch} // 100)
		  . ($options->{mode} ? ", mode => '$options->{mode}'" : '')));
	return $name;
}

sub last_run { return row($node, 'SELECT * FROM ratchet.runs ORDER BY run_id DESC LIMIT 1'); }

# All items, and not more than so many reads for each row.
sub reads_at_most
{
	my ($most, $items, $what, $source, $key, $options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $name = define($what, $source, $key, $options);
	my $reads = reads($name);
	is_run(last_run(), { job_name => $name, status => 'succeeded', items_done => $items }, "$what: all items");
	cmp_ok($reads, '<=', $most, "$what: reads");
	return $name;
}

promise 'keys' => sub {
	my @keys = (
		[ 'uuid',            'uuid',                      'md5(i::text)::uuid' ],
		[ 'text',            'text COLLATE "C"',          'md5(i::text)' ],
		[ 'default text',    'text',                      'md5(i::text)' ],
		[ 'shuffled number', 'int',                       'hashint4(i)' ],
		[ 'domain',          'code',                      'md5(i::text)' ]);
	push @keys, [ 'icu text', 'text COLLATE "en-US-x-icu"', q{CASE i % 2 WHEN 0 THEN 'a' ELSE 'A' END || md5(i::text)} ]
	  if value($node, q{SELECT count(*) FROM pg_collation WHERE collname = 'en-US-x-icu'});
	$node->safe_psql('postgres', 'CREATE DOMAIN code AS text');
	for my $key (@keys)
	{
		my ($what, $type, $value) = @$key;
		my $table = $what =~ s/ /_/gr;
		$node->safe_psql('postgres', "SELECT fill('$table', '$type', \$v\$$value\$v\$)");
		reads_at_most(5200, 5000, "$what, never analyzed", "SELECT id, pad FROM $table", 'id');
		$node->safe_psql('postgres', "ANALYZE $table");
		reads_at_most(5200, 5000, $what, "SELECT id, pad FROM $table", 'id');
		reads_at_most(5200, 5000, "$what, descending", "SELECT id, pad FROM $table", 'id DESC');
	}
};

promise 'composite keys' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE pair (a int, b uuid, pad text, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = off);
INSERT INTO pair SELECT i % 7, md5(i::text)::uuid, i FROM generate_series(1, 5000) i ORDER BY md5(i::text || 'x');
CREATE TABLE first_only (a int, b int, c int, UNIQUE (b, a)) WITH (autovacuum_enabled = off);
INSERT INTO first_only SELECT i / 10, i % 10, i FROM generate_series(1, 5000) i ORDER BY md5(i::text);
CREATE INDEX ON first_only (a);
CREATE TABLE line (order_id int, no int, PRIMARY KEY (order_id, no)) WITH (autovacuum_enabled = off);
CREATE TABLE orders (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
INSERT INTO orders SELECT i, i FROM generate_series(1, 1000) i ORDER BY md5(i::text);
INSERT INTO line SELECT i / 5 + 1, i % 5 FROM generate_series(0, 4999) i ORDER BY md5(i::text);
SQL
	for my $analyzed ('never analyzed', 'analyzed')
	{
		$node->safe_psql('postgres', 'ANALYZE') if $analyzed eq 'analyzed';
		reads_at_most(5200, 5000, "two columns, $analyzed", 'SELECT a, b, pad FROM pair', 'a,b');
		reads_at_most(5200, 5000, "two columns, descending, $analyzed", 'SELECT a, b, pad FROM pair', 'a DESC,b DESC');
		# Whoever has an index on the first column only reads its rows again; and a few slices are sorted as a whole
		# as long as nobody knows that these are few.
		reads_at_most(25_000, 5000, "an index on the first column, $analyzed", 'SELECT a, b, c FROM first_only', 'a,b');
		# Of two tables: the bound is on the pair, which is in neither, and on the first column.
		reads_at_most(2 * 5000 + 7500, 5000, "columns of two tables, $analyzed",
			'SELECT o.id, l.no FROM orders o JOIN line l ON l.order_id = o.id', 'id,no');
	}
};

promise 'conditions' => sub {
	$node->safe_psql('postgres', q{SELECT fill('filtered', 'uuid', 'md5(i::text)::uuid', 20000)});
	for my $analyzed ('never analyzed', 'analyzed')
	{
		$node->safe_psql('postgres', 'ANALYZE filtered') if $analyzed eq 'analyzed';
		# The planner knows nothing of what fulfils it.
		reads_at_most(20700, 20000, "a condition that all fulfil, $analyzed",
			q{SELECT id, pad FROM filtered WHERE length(pad) = 32}, 'id');
		reads_at_most(20000 * 1.4, 800, "a condition that leaves out 96 %, $analyzed",
			q{SELECT id, pad FROM filtered WHERE state = 'new'}, 'id', { batch => 20 });
	}
};

promise 'few rows that another index finds' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT fill('outbox', 'uuid', 'md5(i::text)::uuid', 20000);
UPDATE outbox SET state = 'sent' WHERE n > 30;
UPDATE outbox SET state = 'new' WHERE n <= 30;
CREATE INDEX ON outbox (state);
VACUUM ANALYZE outbox;
SQL
	# The walk does not read the index on the key to the end for them.
	reads_at_most(200, 30, 'a few', q{SELECT id, pad FROM outbox WHERE state = 'new'}, 'id');
	# When the statistics know nothing of the others, sorting ends after some slices.
	$node->safe_psql('postgres', q{UPDATE outbox SET state = 'new' WHERE n <= 15000});
	$node->safe_psql('postgres', 'VACUUM outbox');
	reads_at_most(15000 * 10, 15000, 'more than the statistics knew', q{SELECT id, pad FROM outbox WHERE state = 'new'}, 'id');
};

promise 'joins and partitions' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE customer (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
INSERT INTO customer SELECT i, i FROM generate_series(1, 500) i ORDER BY md5(i::text);
CREATE TABLE sale (id bigserial PRIMARY KEY, customer int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO sale (customer, pad) SELECT 1 + i % 500, i FROM generate_series(1, 20000) i;
CREATE TABLE part (id uuid PRIMARY KEY, pad text) PARTITION BY HASH (id);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE part_2 (pad text, id uuid PRIMARY KEY);
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO part SELECT md5(i::text)::uuid, i FROM generate_series(1, 5000) i;
CREATE TABLE ranges (id int PRIMARY KEY, pad text) PARTITION BY RANGE (id);
CREATE TABLE range_1 PARTITION OF ranges FOR VALUES FROM (MINVALUE) TO (0);
CREATE TABLE range_2 PARTITION OF ranges FOR VALUES FROM (0) TO (MAXVALUE);
INSERT INTO ranges SELECT hashint4(i), i FROM generate_series(1, 5000) i;
SQL
	for my $analyzed ('never analyzed', 'analyzed')
	{
		$node->safe_psql('postgres', 'ANALYZE') if $analyzed eq 'analyzed';
		# One customer for each sale, or the customers once or a few times for all of them.
		reads_at_most(2 * 20000 * 1.2, 20000, "join, $analyzed",
			'SELECT s.id, c.name FROM sale s JOIN customer c ON c.id = s.customer', 'id');
		# One row of each partition more for each slice.
		reads_at_most(5500, 5000, "partitions by hash, $analyzed", 'SELECT id, pad FROM part', 'id');
		reads_at_most(5500, 5000, "partitions by range, $analyzed", 'SELECT id, pad FROM ranges', 'id');
	}
};

promise 'tables joined by the key' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE head (gone int, id uuid PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);
ALTER TABLE head DROP COLUMN gone;
CREATE TABLE detail (pad text, head uuid PRIMARY KEY) WITH (autovacuum_enabled = off);
CREATE TABLE code_1 (code varchar(40) PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
CREATE TABLE code_2 (code text PRIMARY KEY, n bigint) WITH (autovacuum_enabled = off);
CREATE TABLE small (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);
CREATE TABLE big (pad text, id bigint) PARTITION BY RANGE (id);
CREATE TABLE big_1 (id bigint, pad text);
ALTER TABLE big ATTACH PARTITION big_1 FOR VALUES FROM (MINVALUE) TO (3000);
CREATE TABLE big_2 PARTITION OF big FOR VALUES FROM (3000) TO (MAXVALUE);
ALTER TABLE big ADD PRIMARY KEY (id);
INSERT INTO head SELECT md5(i::text)::uuid, i FROM generate_series(1, 5000) i;
INSERT INTO detail SELECT i, md5(i::text)::uuid FROM generate_series(1, 5000) i ORDER BY md5(i::text || 'y');
INSERT INTO code_1 SELECT md5(i::text), i FROM generate_series(1, 5000) i;
INSERT INTO code_2 SELECT md5(i::text), i FROM generate_series(1, 5000) i ORDER BY md5(i::text || 'y');
INSERT INTO small SELECT i, i FROM generate_series(1, 5000) i ORDER BY md5(i::text);
INSERT INTO big SELECT i, i FROM generate_series(1, 5000) i ORDER BY md5(i::text || 'y');
SQL
	for my $analyzed ('never analyzed', 'analyzed')
	{
		$node->safe_psql('postgres', 'ANALYZE head, detail, code_1, code_2, small, big') if $analyzed eq 'analyzed';
		# Some rows behind each slice, of either table; and all of one once, to see whether a key is null.
		my $most = 2 * 5000 * 1.1 + 5000;
		my $heads = 'SELECT h.id, d.pad FROM head h JOIN detail d ON d.head = h.id';
		reads_at_most($most, 5000, "one to one, $analyzed", $heads, 'id');
		reads_at_most($most, 5000, "one to one, descending, $analyzed", $heads, 'id DESC');
		reads_at_most($most, 5000, "column of the other table, $analyzed", $heads =~ s/h\.id,/d.head,/r, 'head');
		reads_at_most($most, 5000, "types that differ, $analyzed",
			'SELECT a.code, b.n FROM code_1 a JOIN code_2 b ON a.code = b.code', 'code');
		reads_at_most($most, 5000, "partitions, $analyzed", 'SELECT s.id, b.pad FROM small s JOIN big b ON b.id = s.id', 'id');
		# A row without its counterpart is an item all the same.
		reads_at_most($most, 5000, "outer join, $analyzed", 'SELECT h.id, d.pad FROM head h LEFT JOIN detail d ON d.head = h.id', 'id');
	}
	# The rows are those of the source, whatever is on its far side.
	$node->safe_psql('postgres', 'CREATE TABLE got (job int, id int, pad text); DELETE FROM big WHERE id % 3 = 0; DELETE FROM small WHERE id % 5 = 0');
	my $far = 0;
	for my $source (
		'SELECT s.id, b.pad FROM small s LEFT JOIN big b ON b.id = s.id AND b.id > 2500',
		'SELECT s.id, b.pad FROM big b RIGHT JOIN small s ON b.id = s.id',
		'SELECT s.id, b.pad FROM small s LEFT JOIN (small t JOIN big b ON b.id = t.id) ON t.id = s.id',
		'SELECT s.id, c.pad FROM small s LEFT JOIN big b ON b.id = s.id LEFT JOIN small c ON c.id = b.id',
		'SELECT s.id, c.pad FROM small s LEFT JOIN big b ON b.id = s.id AND b.id > 10 JOIN small c ON c.id = s.id',
		'SELECT coalesce(s.id, b.id::int) AS id, b.pad FROM small s FULL JOIN big b ON b.id = s.id',
		'SELECT s.id, s.pad FROM small s WHERE EXISTS (SELECT FROM big b WHERE b.id = s.id)',
		'SELECT s.id, s.pad FROM small s WHERE NOT EXISTS (SELECT FROM big b WHERE b.id = s.id)')
	{
		for my $key ('id', 'id DESC')
		{
			$far++;
			my $name = define("far side $far", $source, $key, { action => "INSERT INTO got VALUES ($far, \$1, \$2)", batch => 500 });
			value($node, "SET client_min_messages = warning; CALL ratchet.run('$name')");
			is(value($node, "SELECT count(*) FROM ((TABLE s EXCEPT ALL TABLE g) UNION ALL (TABLE g EXCEPT ALL TABLE s)) d"
				  =~ s/TABLE s/($source)/gr =~ s/TABLE g/(SELECT id, pad FROM got WHERE job = $far)/gr), 0, "$source, by $key");
		}
	}
};

promise 'ranges' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT fill('grows', 'text', 'to_char(i, ''FM000000'')', 2000);
UPDATE grows SET state = 'new';
VACUUM grows;
SQL
	my $source = q{SELECT id, pad FROM grows WHERE state = 'new'};
	my $name = reads_at_most(2200, 2000, 'incremental, all', $source, 'id', { mode => 'incremental' });
	my $run_id = last_run()->{run_id};
	$node->safe_psql('postgres', q{INSERT INTO grows SELECT i, to_char(i, 'FM000000'), 'done', 'x' FROM generate_series(2001, 12000) i});
	$node->safe_psql('postgres', q{INSERT INTO grows SELECT i, to_char(i, 'FM000000'), 'new', 'x' FROM generate_series(12001, 12100) i});
	cmp_ok(reads($name), '<=', 10_400, 'incremental, the rest: what is behind the last item, and no more');
	is_run(last_run(), { status => 'succeeded', items_done => 100 }, 'its items');
	# Behind the last of its items lie thousands of rows that are none, and are not looked at.
	cmp_ok(reads($name, <<"SQL"), '<=', 2_200, 'a replay of the first run reads its range');
SELECT ratchet.replay($run_id) AS replayed \\gset
CALL ratchet.wait_for(:replayed, '1 minute') \\g /dev/null
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker' \\g /dev/null
SQL
	is_run(last_run(), { status => 'succeeded', items_done => 2000 }, 'all of it');
};

promise 'what changes in the middle of a walk' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT fill('changes', 'uuid', 'md5(i::text)::uuid');
CREATE FUNCTION change(this uuid, at int, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('items') = at THEN
		EXECUTE command;
	END IF;
END $$;
CREATE SEQUENCE items;
SQL
	my $source = 'SELECT id FROM changes';
	my $change = sub { { action => "SELECT change(\$1, $_[0], '$_[1]')" } };
	reads_at_most(3 * 5200, 5000, 'analyzed', $source, 'id', $change->(1000, 'ANALYZE changes'));
	$node->safe_psql('postgres', q{SELECT setval('items', 1, false)});
	reads_at_most(5200 + 2 * 5000, 5000, 'an index more', $source, 'id', $change->(1000, 'CREATE INDEX ON changes (pad)'));
	$node->safe_psql('postgres', q{SELECT setval('items', 1, false)});
	# Without the index the last ten slices have to sort.
	my $name = define('the index goes', $source, 'id', $change->(4000, 'ALTER TABLE changes DROP CONSTRAINT changes_pkey'));
	cmp_ok(reads($name), '<=', 4200 + 11 * 5000, 'the index is dropped: reads');
	is_run(last_run(), { job_name => $name, status => 'succeeded', items_done => 5000 }, 'all items');
	$node->safe_psql('postgres', q{SELECT setval('items', 1, false)});
	$name = define('the index comes', $source, 'id', $change->(500, 'CREATE UNIQUE INDEX ON changes (id)'));
	cmp_ok(reads($name), '<=', 7 * 5000 + 5000 + 5200, 'an index is made: reads');
	is_run(last_run(), { job_name => $name, status => 'succeeded', items_done => 5000 }, 'all items');
};

promise 'functions of the source are planned as ever' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE own (a int, b int);
INSERT INTO own SELECT i, i FROM generate_series(1, 100) i ORDER BY md5(i::text);
CREATE INDEX ON own (b);
-- The planner calls it for its estimate. It reads settings, plans statements of its own, and one of them fails.
CREATE FUNCTION own_plan() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXPLAIN (COSTS OFF) SELECT b FROM own WHERE a % 2 = 0 ORDER BY b LIMIT 90;
END $$;
CREATE FUNCTION least_n() RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	BEGIN
		PERFORM 1 / (SELECT count(*) FROM own WHERE a < 0);
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	IF current_setting('enable_sort') <> 'on' OR current_setting('enable_seqscan') <> 'on' THEN
		RAISE EXCEPTION 'a setting has changed';
	END IF;
	FOR line IN SELECT * FROM own_plan() LOOP
		IF line LIKE '%Index Scan%' THEN
			RAISE EXCEPTION 'planned as part of the walk: %', line;
		END IF;
	END LOOP;
	RETURN 0;
END $$;
SELECT fill('calls', 'uuid', 'md5(i::text)::uuid');
SQL
	reads_at_most(700_000, 5000, 'a function', 'SELECT id, pad FROM calls WHERE n > least_n()', 'id', { batch => 500 });
};

promise 'settings of the job hold' => sub {
	my $source = 'SELECT id, pad FROM uuid';
	for my $setting ([ plan_cache_mode => 'force_custom_plan' ], [ enable_incremental_sort => 'off' ])
	{
		my $name = ++$walks . " $setting->[0]";
		value($node, define_batch($name, $source, 'SELECT $1', "key => '{id}', batch_size => 100, settings => '{\"$setting->[0]\": \"$setting->[1]\"}'"));
		cmp_ok(reads($name), '<=', 5200, "$setting->[0] = $setting->[1]");
	}
};

finish();
