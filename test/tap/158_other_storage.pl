# Batch jobs over what is not a plain heap: a plan in which an extension has had a hand is made for each
# execution, all others are kept; and the question is asked anew when the plan is.

use strict;
use warnings;

use RatchetTest;
use Test::More;

# Whether an extension is in the installation that is tested.
sub installed
{
	my ($extension) = @_;
	return -f pg_config('sharedir') . "/extension/$extension.control";
}

# Who changes a table in the middle of a walk finds the batch that waits, and not one that has given way.
my $node = new_node('main', conf => "ratchet.lock_timeout = 0\n");

# The planner evaluates what is said to be immutable: by the number that an item got it can be told which plan
# it came by.
$node->safe_psql('postgres', <<'SQL');
CREATE SEQUENCE plan_number;
CREATE FUNCTION plan_number() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN nextval('plan_number');
END $$;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE plain (dropped int, name text, id int PRIMARY KEY, done int NOT NULL DEFAULT 0);
ALTER TABLE plain DROP COLUMN dropped;
INSERT INTO plain SELECT i, i FROM generate_series(1, 100) i ORDER BY i % 7;
CREATE TABLE other (LIKE plain INCLUDING ALL) USING heap2;
INSERT INTO other SELECT * FROM plain;
CREATE TABLE parts (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (1) TO (30) USING heap2;
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (30) TO (1000);
INSERT INTO parts SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE seen (job text, id int, plan int);
SQL

my $jobs = 0;

# How many plans there were; all items have been done once.
sub plans_of
{
	my ($what, $source, $action, $options, $items) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $name = ++$jobs . " $what";
	$action =~ s/%job/$name/g;
	my $run = run_batch($node, $name, $source, $action, join ', ', 'batch_size => 7', $options // ());
	is_run($run, { status => 'succeeded', items_done => $items // 100, items_failed => 0 }, $what);
	return seen($name, $items // 100);
}

sub seen
{
	my ($job, $items) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $seen = row($node, "SELECT count(*), count(DISTINCT id) AS items, count(DISTINCT plan) AS plans FROM seen WHERE job = '$job'");
	is("$seen->{count} $seen->{items}", "$items $items", 'each item once');
	return $seen->{plans};
}

my $note = q{INSERT INTO seen VALUES ('%job', $1, $2)};

promise 'slices' => sub {
	cmp_ok(plans_of('plain', 'SELECT id, plan_number() FROM plain', $note), '<=', 4, 'kept plans');
	cmp_ok(plans_of('joined', 'SELECT p.id, plan_number() FROM plain p JOIN plain q USING (name)', $note, q{key => '{id}'}), '<=', 4, 'kept plans');
	is(plans_of('other', 'SELECT id, plan_number() FROM other', $note), 15, 'a plan for each batch');
	is(plans_of('deep inside', <<'SQL', $note, q{key => '{id}'}), 15, 'a plan for each batch');
SELECT p.id, plan_number() FROM plain p WHERE name IN (SELECT max(name) FROM other GROUP BY id OFFSET 0)
SQL
	is(plans_of('partitions', 'SELECT id, plan_number() FROM parts', $note), 15, 'a plan for each batch');
	is(plans_of('two columns', 'SELECT id, plan_number(), name FROM other', $note, q{key => '{id,name}'}), 15, 'a plan for each batch');
};

promise 'actions' => sub {
	my $from = sub { "INSERT INTO seen SELECT '%job', id, plan_number() FROM $_[0] WHERE id = \$1" };
	my $batch = sub { "INSERT INTO seen SELECT '%job', id, plan_number() FROM $_[0] WHERE id = ANY (\$1)" };
	my $source = 'SELECT id FROM plain';
	is(plans_of('action, plain', $source, $from->('plain')), 1, 'one plan');
	is(plans_of('action, other', $source, $from->('other')), 100, 'a plan for each item');
	is(plans_of('action, partitions', $source, $from->('parts')), 100, 'a plan for each item');
	is(plans_of('action, other, per batch', $source, $batch->('other'), q{per => 'batch'}), 15, 'a plan for each batch');
	is(plans_of('several statements', $source, "UPDATE plain SET done = done + 1 WHERE id = \$1; @{[ $from->('other') ]}"), 100,
		'a plan for each item');
	is(value($node, 'SELECT count(*) FROM plain WHERE done = 1'), 100, 'and all others are executed');
	cmp_ok(plans_of('several statements, the last one plain', $source,
			"UPDATE other SET done = done + 1 WHERE id = \$1; @{[ $from->('plain') ]}"), '<=', 8, 'kept where it can be');
	is(value($node, 'SELECT count(*) FROM other WHERE done = 1'), 100, 'and all others are executed');
	is(plans_of('no parameters', $source, "INSERT INTO seen SELECT '%job', count(*), plan_number() FROM other, seen WHERE job = '%job'"),
		100, 'a plan for each item');
};

# A walk that stops in the middle, at item 50, until something has been changed.
sub changed_in_the_middle
{
	my ($what, $source, $action, $change, $options, $items) = @_;
	my $name = ++$jobs . " $what";
	my $lock = lock_session($node, 158);
	$action =~ s/%job/$name/g;
	my $run = begin_batch($node, $name, $source,
		"SELECT pg_advisory_xact_lock_shared(158) WHERE \$1 = 50; $action", join ', ', 'batch_size => 7', $options // ());
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
	my $changer = session($node);
	# It may have to wait for the locks of the batch; the next batch waits for its lock.
	$changer->query_until(qr/begins/, "\\echo begins\n$change;\n\\echo changed\n");
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted)});
	$lock->quit;
	$changer->query_until(qr/changed/, '');
	$changer->quit;
	wait_run($node, $run, 'succeeded', $what);
	is_run(run_record($node, $run), { items_done => $items // 100, items_failed => 0 }, 'all items');
	return seen($name, $items // 100);
}

promise 'changed in the middle' => sub {
	my $plans = changed_in_the_middle('source converted', 'SELECT id, plan_number() FROM plain', $note,
		'ALTER TABLE plain SET ACCESS METHOD heap2');
	cmp_ok($plans, '>=', 8, 'from there on a plan for each batch');
	cmp_ok($plans, '<=', 11, 'and not before');
	$plans = changed_in_the_middle('source converted back', 'SELECT id, plan_number() FROM plain', $note,
		'ALTER TABLE plain SET ACCESS METHOD heap');
	cmp_ok($plans, '>=', 8, 'a plan for each batch');
	cmp_ok($plans, '<=', 11, 'up to there');
};

# Inside of CASE the planner evaluates what it can, also where it is never reached, unless it knows the
# parameter.
promise 'no plan for all values' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION never() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'this is never reached';
END $$;
CREATE TYPE number AS (value int);
CREATE FUNCTION compare(a number, b number) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT sign(a.value - b.value)::int';
CREATE FUNCTION lt(a number, b number) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN b.value IS NULL THEN never() ELSE a.value < b.value END';
CREATE FUNCTION le(a number, b number) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN b.value IS NULL THEN never() ELSE a.value <= b.value END';
CREATE FUNCTION eq(a number, b number) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN b.value IS NULL THEN never() ELSE a.value = b.value END';
CREATE FUNCTION ge(a number, b number) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN b.value IS NULL THEN never() ELSE a.value >= b.value END';
CREATE FUNCTION gt(a number, b number) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN b.value IS NULL THEN never() ELSE a.value > b.value END';
CREATE OPERATOR < (FUNCTION = lt, LEFTARG = number, RIGHTARG = number);
CREATE OPERATOR <= (FUNCTION = le, LEFTARG = number, RIGHTARG = number);
CREATE OPERATOR = (FUNCTION = eq, LEFTARG = number, RIGHTARG = number);
CREATE OPERATOR >= (FUNCTION = ge, LEFTARG = number, RIGHTARG = number);
CREATE OPERATOR > (FUNCTION = gt, LEFTARG = number, RIGHTARG = number);
CREATE OPERATOR CLASS number_ops DEFAULT FOR TYPE number USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(number, number);
CREATE TABLE numbered (id number PRIMARY KEY, n int, done int NOT NULL DEFAULT 0);
INSERT INTO numbered SELECT ROW(i)::number, i FROM generate_series(1, 100) i;
CREATE FUNCTION bonus() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
SQL
	is(plans_of('slices', 'SELECT id, n, plan_number() FROM numbered', q{INSERT INTO seen VALUES ('%job', $2, $3)}), 15,
		'a plan for each batch');
	my $action = q{INSERT INTO seen SELECT '%job', id, plan_number() + CASE WHEN $1 > 0 THEN 0 ELSE bonus() END FROM plain WHERE id = $1};
	my $plans = changed_in_the_middle('action', 'SELECT id FROM plain', $action,
		q{BEGIN; LOCK plain; CREATE OR REPLACE FUNCTION bonus() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1 / 0; END'; COMMIT});
	cmp_ok($plans, '>=', 40, 'from there on a plan for each item');
	psql_fails($node, define_batch('refused', 'SELECT id FROM plain', "UPDATE plain SET done = CASE WHEN \$1 > 0 THEN 1 ELSE bonus() END"),
		qr/22012: division by zero/, 'what can be seen when the job is defined is said then');
};

promise 'watched tables' => sub {
	my $hint = qr/42809: .*stored by an extension's access method/;
	psql_fails($node, q{SELECT ratchet.schedule('refused', '@manual', 'SELECT 1', watch => '{other}')}, $hint, 'another access method');
	psql_fails($node, q{SELECT ratchet.schedule('refused', '@manual', 'SELECT 1', watch => '{parts}')}, $hint, 'another access method of a partition');
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE watched (id int);
SELECT ratchet.schedule('watches', '1 second', 'SELECT 1', watch => '{watched}');
SQL
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'watches' AND status = 'succeeded'}, 'a watched table');
	$node->safe_psql('postgres', 'ALTER TABLE watched SET ACCESS METHOD heap2');
	wait_until($node, q{SELECT count(*) > 4 FROM ratchet.runs WHERE job_name = 'watches'}, 'that gets another access method: the job runs whenever it is due');
};

# 28 chunks of 20 items, of which 19 are compressed. Rows that are updated are taken out of the compressed part.
my $hypertable = <<'SQL';
CREATE TABLE %s (at timestamptz NOT NULL, dev text NOT NULL, v int NOT NULL, done int NOT NULL DEFAULT 0, PRIMARY KEY (at, dev)) \g /dev/null
SELECT create_hypertable('%1$s', 'at', chunk_time_interval => interval '%2$s') \g /dev/null
INSERT INTO %1$s SELECT '2026-01-01'::timestamptz + i * interval '1 day' / 10, dev, i FROM generate_series(0, 28 * 10 - 1) i, unnest('{a,b}'::text[]) dev
	ORDER BY i * 7 % 10;
ALTER TABLE %1$s SET (timescaledb.compress, timescaledb.compress_segmentby = 'dev', timescaledb.compress_orderby = 'at');
SELECT count(compress_chunk(c)) FROM (SELECT c FROM show_chunks('%1$s') c ORDER BY c::text COLLATE "C" LIMIT %3$d) c \g /dev/null
SQL

SKIP:
{
	skip 'TimescaleDB is not installed', 1 unless installed('timescaledb');
	my $ts = new_node('timescale', conf => "shared_preload_libraries = 'timescaledb,pg_ratchet'\ntimescaledb.telemetry_level = off\n");
	$ts->safe_psql('postgres', 'CREATE EXTENSION timescaledb');
	promise 'TimescaleDB' => sub { timescaledb($ts) };
}

SKIP:
{
	skip 'Citus is not installed', 1 unless installed('citus');
	promise 'Citus' => \&citus;
}

sub done_of
{
	my ($server, $table) = @_;
	return value($server, "SELECT string_agg(done || ' x ' || n, ', ' ORDER BY done) FROM (SELECT done, count(*) AS n FROM $table GROUP BY done) d");
}

sub timescaledb
{
	my ($ts) = @_;
	my $source = 'SELECT at, dev FROM %s';
	my $update = 'UPDATE %s SET done = done + 1 WHERE at = $1 AND dev = $2';
	my $key = q{key => '{at,dev}', batch_size => 40};
	my $number = 0;
	my $walk = sub {
		my ($what, $action, $options, %more) = @_;
		my $table = 'h' . ++$number;
		$ts->safe_psql('postgres', sprintf($hypertable, $table, $more{interval} // '1 day', $more{compressed} // 19)) if !$more{kept};
		my $run = begin_batch($ts, $what, sprintf($more{source} // $source, $table), sprintf($action, $table), join ', ', $key, $options // ());
		$more{meanwhile}->($table) if $more{meanwhile};
		wait_run($ts, $run, 'succeeded', $what);
		$run = run_record($ts, $run);
		# How many rows that come while a batch is under way belong to it is open: it may be done again.
		my $items = $more{grows} ? $run->{items_done} : $more{items} // 560;
		cmp_ok($items, '>=', $more{grows}, 'all items') if $more{grows};
		is_run($run, { items_done => $items, items_failed => 0 }, 'all items');
		is(done_of($ts, $table), ($more{grows} ? '0 x ' . (1120 - $items) . ', ' : '') . "1 x $items", 'each once');
		return ($table, $run);
	};
	$walk->('per item', $update);
	$walk->('per batch', 'UPDATE %s t SET done = done + 1 FROM unnest($1, $2) AS i (at, dev) WHERE t.at = i.at AND t.dev = i.dev', q{per => 'batch'});
	$ts->safe_psql('postgres', <<'SQL');
CREATE FUNCTION mark(t text, at timestamptz, dev text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE %I SET done = done + 1 WHERE at = $1 AND dev = $2', t) USING at, dev;
END $$;
SQL
	$walk->('a function', q{SELECT mark('%s', $1, $2)});
	# Another session changes chunks while the walk stands still.
	my $stopping_at = sub {
		my ($day, $what, $change, %more) = @_;
		my $lock = lock_session($ts, 158);
		my $stop = "SELECT pg_advisory_xact_lock_shared(158) WHERE \$1 = '2026-01-$day 00:00Z' AND \$2 = 'a'; ";
		$walk->($what, $stop . ($more{action} // $update), undef, %more, meanwhile => sub {
			my ($table) = @_;
			wait_until($ts, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
			my $session = session($ts);
			# What it changes may be locked by the batch.
			$session->query_until(qr/begins/, sprintf("\\echo begins\n$change;\n\\echo changed\n", $table));
			$more{as_soon_as} ? wait_until($ts, $more{as_soon_as}) : $session->query_until(qr/changed/, '');
			$lock->quit;
			$session->query_until(qr/changed/, '') if $more{as_soon_as};
			$session->quit;
		});
	};
	my $some = sub { qq{(SELECT c FROM show_chunks('%1\$s') c ORDER BY c::text COLLATE "C" $_[0]) c} };
	$stopping_at->('24', 'compressed in the middle', "SELECT compress_chunk(c) FROM @{[ $some->('OFFSET 25') ]}");
	$stopping_at->('05', 'decompressed in the middle', "SELECT decompress_chunk(c) FROM @{[ $some->('OFFSET 8 LIMIT 5') ]}");
	$stopping_at->('24', 'deleted after compression', "SET timescaledb.enable_delete_after_compression = on; SELECT compress_chunk(c) FROM @{[ $some->('OFFSET 25') ]}");
	$stopping_at->('24', 'the chunk in hand compressed in the middle', "SELECT compress_chunk(c) FROM @{[ $some->('OFFSET 23 LIMIT 1') ]}",
		as_soon_as => q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)});
	# With one chunk, which is not compressed yet, there is nothing of an extension in the plan.
	for my $how ('truncated', 'deleted')
	{
		$stopping_at->('14', "the only chunk compressed, its rows $how",
			'SET timescaledb.enable_delete_after_compression = ' . ($how eq 'deleted' ? 'on' : 'off') . q{; SELECT compress_chunk(c) FROM show_chunks('%1$s') c},
			interval => '1 year', compressed => 0, as_soon_as => q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)});
	}
	$stopping_at->('05', 'dropped in the middle', "SELECT drop_chunks('%1\$s', older_than => '2026-01-21'::timestamptz, newer_than => '2026-01-11'::timestamptz)",
		items => 360);
	$stopping_at->('24', 'new rows in a compressed chunk', "INSERT INTO %1\$s SELECT at + interval '1 min', dev, v FROM %1\$s",
		grows => 640);

}

# A coordinator and two workers, in four shards.
sub citus
{
	my @conf = (conf => "shared_preload_libraries = 'citus,pg_ratchet'\nmax_prepared_transactions = 60\n"
		  . "citus.node_conninfo = 'sslmode=prefer'\ncitus.enable_statistics_collection = off\ncitus.recover_2pc_interval = '1 s'\n", extension => 0);
	my ($main, @workers) = map { new_node("citus_$_", @conf) } qw(main worker_1 worker_2);
	$_->safe_psql('postgres', 'CREATE EXTENSION citus') for ($main, @workers);
	$main->safe_psql('postgres', sprintf q{SELECT citus_set_coordinator_host('%s', %d)}, $main->host, $main->port);
	$main->safe_psql('postgres', sprintf q{SELECT citus_add_node('%s', %d)}, $_->host, $_->port) for @workers;
	$main->safe_psql('postgres', 'CREATE EXTENSION pg_ratchet');
	is(value($workers[0], q{SELECT count(*) FROM pg_extension WHERE extname = 'pg_ratchet'}), 1, 'the extension is made on all nodes');
	$main->safe_psql('postgres', <<'SQL');
SET citus.shard_count = 4;
CREATE TABLE orders (tenant int, no bigint, ref int NOT NULL, done int NOT NULL DEFAULT 0, PRIMARY KEY (tenant, no));
SELECT create_distributed_table('orders', 'tenant');
CREATE TABLE line (tenant int, no bigint, pos int, done int NOT NULL DEFAULT 0, PRIMARY KEY (tenant, no, pos));
SELECT create_distributed_table('line', 'tenant', colocate_with => 'orders');
CREATE TABLE ref (code int PRIMARY KEY, done int NOT NULL DEFAULT 0);
SELECT create_reference_table('ref');
CREATE TABLE here (id int PRIMARY KEY, done int NOT NULL DEFAULT 0);
INSERT INTO ref (code) SELECT generate_series(0, 49);
INSERT INTO here (id) SELECT generate_series(1, 300);
INSERT INTO orders SELECT i % 7, i, i % 50 FROM generate_series(1, 300) i ORDER BY i % 11;
INSERT INTO line SELECT i % 7, i, p FROM generate_series(1, 300) i, generate_series(1, 2) p;
CREATE FUNCTION mark(t int, n bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE orders SET done = done + 1 WHERE tenant = t AND no = n;
END $$;
SQL
	my $walk = sub {
		my ($what, $source, $action, $options, $table, $items, $failed) = @_;
		$main->safe_psql('postgres', "UPDATE $table SET done = 0");
		my $run = run_batch($main, $what, $source, $action, join ', ', 'batch_size => 40', $options);
		is_run($run, { status => 'succeeded', items_done => $items - ($failed // 0), items_failed => $failed // 0 }, $what);
		is(done_of($main, $table), $failed ? "0 x $failed, 1 x @{[ $items - $failed ]}" : "1 x $items", 'each once');
	};
	my $orders = 'SELECT tenant, no FROM orders';
	my $update = 'UPDATE orders SET done = done + 1 WHERE tenant = $1 AND no = $2';
	my $key = q{key => '{tenant,no}'};
	my $batch = 'UPDATE orders o SET done = done + 1 FROM unnest($1, $2) AS i (tenant, no) WHERE o.tenant = i.tenant AND o.no = i.no';
	$walk->('distributed, per item', $orders, $update, $key, 'orders', 300);
	$walk->('distributed, per batch', $orders, $batch, qq{$key, per => 'batch'}, 'orders', 300);
	$walk->('distributed, a function', $orders, 'SELECT mark($1, $2)', $key, 'orders', 300);
	$walk->('by another column than it is distributed by', 'SELECT no, tenant FROM orders', 'UPDATE orders SET done = done + 1 WHERE no = $1',
		q{key => '{no,tenant}'}, 'orders', 300);
	$walk->('co-located join', 'SELECT l.tenant, l.no, l.pos FROM line l JOIN orders o USING (tenant, no) JOIN ref r ON r.code = o.ref',
		'UPDATE line SET done = done + 1 WHERE tenant = $1 AND no = $2 AND pos = $3', q{key => '{tenant,no,pos}'}, 'line', 600);
	$walk->('reference table', 'SELECT code FROM ref', 'UPDATE ref SET done = done + 1 WHERE code = $1', q{key => '{code}'}, 'ref', 50);
	$walk->('from a local table into a distributed one', 'SELECT id FROM here', 'UPDATE orders SET done = done + 1 WHERE no = $1',
		q{key => '{id}'}, 'orders', 300);
	$walk->('from a distributed table into a local one', $orders, 'UPDATE here SET done = done + 1 WHERE id = $2', $key, 'here', 300);
	$walk->('failing items', $orders, 'UPDATE orders SET done = done + 1 + 0 / ((no % 30)::int) WHERE tenant = $1 AND no = $2', $key, 'orders', 300, 10);
	$walk->('failing items, per batch', $orders, $batch =~ s/done \+ 1/done + 1 + 0 \/ ((o.no % 30)::int)/r, qq{$key, per => 'batch'}, 'orders', 300, 10);

	$main->safe_psql('postgres', 'UPDATE orders SET done = 0');
	my $lock = lock_session($main, 158);
	my $run = begin_batch($main, 'killed', $orders, "SELECT pg_advisory_xact_lock_shared(158) WHERE \$2 = 150; $update",
		"$key, batch_size => 20");
	wait_until($main, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
	kill_and_wait($main, value($main, "SELECT worker_pid FROM ratchet.runs WHERE run_id = $run"));
	$lock->quit;
	wait_until($main, q{SELECT count(*) FILTER (WHERE status = 'succeeded') = 1 FROM ratchet.runs WHERE job_name = 'killed'}, 'goes on behind a crash');
	is(done_of($main, 'orders'), '1 x 300', 'each once');

	my $elsewhere = qr/42809: .*keep[s]?.* elsewhere/s;
	for my $table (qw(orders ref))
	{
		psql_fails($main, "SELECT ratchet.schedule('refused', '\@manual', 'SELECT 1', watch => '{$table}')", $elsewhere, "watch, $table");
		psql_fails($main, "SELECT ratchet.trigger_on_change('$table', 'killed')", qr/42809: .*kept elsewhere/, "trigger_on_change, $table");
	}
	psql_fails($main, define_batch('refused', $orders, $update, "$key, mode => 'incremental'"), qr/0A000: .*keeps elsewhere/, 'mode incremental');
	is_run(run_job($main, 'an ordinary job', 'UPDATE orders SET done = done + 1; INSERT INTO here VALUES (0)'), { status => 'succeeded' }, 'an ordinary job');
	is(done_of($main, 'orders'), '2 x 300', 'does it once');
	return;
}

finish();
