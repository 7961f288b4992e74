# What batch jobs walk over, by which keys, and what they do: every item once, in the order of its key.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE seen (n bigint GENERATED ALWAYS AS IDENTITY, walk text, key text);
CREATE TABLE item (id int PRIMARY KEY, name text, done int NOT NULL DEFAULT 0);
INSERT INTO item SELECT i, CASE WHEN i % 5 > 0 THEN 'item ' || i END FROM generate_series(1, 50) i;
SQL

my $walks = 0;

sub walk
{
	my ($what, $source, $options) = @_;
	my $name = ++$walks . " $what";
	return run_batch($node, $name, $source, "INSERT INTO seen (walk, key) VALUES ('$name', \$1)",
		join ', ', 'batch_size => 7', grep { defined } $options);
}

# The source's items have been seen once each, in the order of the key.
sub walks_over
{
	my ($what, $source, $options, $order) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run = walk($what, $source, $options);
	my $expected = value($node, "SELECT string_agg(k::text, ' ' ORDER BY @{[ $order // 'k' ]}) FROM ($source\n) s (k)");
	my $count = value($node, "SELECT count(*) FROM ($source\n) s");
	is_run($run, { status => 'succeeded', items_done => $count, items_failed => 0, rows_affected => $count }, $what);
	is(value($node, "SELECT string_agg(key, ' ' ORDER BY n) FROM seen WHERE walk = '$run->{job_name}'"),
		$expected, 'each item once, in order');
	return;
}

promise 'sources' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE label (item int, label text);
INSERT INTO label SELECT i, 'label' FROM generate_series(1, 50, 2) i;
CREATE VIEW named AS SELECT id, name FROM item WHERE name IS NOT NULL;
CREATE TABLE part (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (20);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (20) TO (100);
INSERT INTO part SELECT i, 'today' FROM generate_series(1, 60) i;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM named;
CREATE FUNCTION numbers(max int) RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN REVERSE max .. 1 LOOP
		RETURN NEXT i;
	END LOOP;
END $$;
SQL
	walks_over('table', 'SELECT id FROM item');
	walks_over('join', 'SELECT i.id FROM item i JOIN label l ON l.item = i.id WHERE name IS NOT NULL');
	walks_over('outer join', 'SELECT i.id FROM item i LEFT JOIN label l ON l.item = i.id');
	walks_over('view', 'SELECT id FROM named');
	walks_over('materialized view', 'SELECT id FROM stored');
	walks_over('partitioned table', 'SELECT id FROM part');
	walks_over('function', 'SELECT i FROM numbers(40) i');
	walks_over('generate_series', 'SELECT generate_series(1, 40)');
	walks_over('VALUES', 'VALUES (3), (1), (2)');
	walks_over('CTE', 'WITH odd AS (SELECT id FROM item WHERE id % 2 = 1) SELECT id FROM odd');
	walks_over('recursive CTE', 'WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 30) SELECT n FROM t');
	walks_over('UNION', 'SELECT id FROM item UNION SELECT id FROM part');
	walks_over('aggregate', 'SELECT id / 3 FROM item GROUP BY id / 3');
	walks_over('an order and a limit of its own', 'SELECT id FROM item ORDER BY id DESC LIMIT 20');
	walks_over('nothing', 'SELECT id FROM item WHERE id < 0');
	walks_over('a comment at its end', 'SELECT id FROM item -- all of them');
	is_run(walk('a semicolon', 'SELECT id FROM item ; '), { status => 'succeeded', items_done => 50 }, 'a semicolon at its end');
	my ($status) = $node->psql('postgres', 'CREATE EXTENSION postgres_fdw');
  SKIP:
	{
		skip 'postgres_fdw is not installed', 2 if $status != 0;
		$node->safe_psql('postgres', sprintf(<<'SQL', $node->host, $node->port));
CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER itself;
CREATE FOREIGN TABLE far (id int) SERVER itself OPTIONS (table_name 'item');
SQL
		walks_over('foreign table', 'SELECT id FROM far');
	}
};

promise 'keys' => sub {
	my @keys = (
		[ smallint    => 'i' ],
		[ integer     => 'i - 20' ],
		[ bigint      => 'i * 1000000000000' ],
		[ uuid        => 'md5(i::text)::uuid' ],
		[ numeric     => 'i / 7.0' ],
		[ numeric     => q{CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN 'Infinity' ELSE 10.0 ^ (20 - i) END} ],
		[ float8      => q{CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE i / 3.0::float8 END} ],
		[ date        => q{CASE i WHEN 1 THEN '-infinity' WHEN 2 THEN 'infinity' WHEN 3 THEN '0044-03-15 BC' ELSE '2026-01-01'::date + i END} ],
		[ timestamptz => q{'2026-10-25 00:30+00'::timestamptz + i * interval '7 minutes 0.000001 seconds'} ],
		[ timestamptz => q{CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '0044-03-15 BC' ELSE now() + i * interval '1 microsecond' END} ],
		[ interval    => q{i * interval '25 hours' - interval '3 months'} ],
		[ 'text COLLATE "C"' => q{chr(64 + i) || ' "\\' || chr(i) || '%$1'} ],
		[ text        => q{chr(300 + i) || 'x'} ],
		[ 'varchar(20)' => q{'v' || i} ],
		[ 'char(10)'  => q{'c' || i} ],
		[ name        => q{'n' || i} ],
		[ bytea       => q{decode(md5(i::text), 'hex')} ],
		[ inet        => q{'10.0.0.0'::inet + i} ],
		[ 'int[]'     => 'ARRAY[i / 10, i]' ],
		[ jsonb       => q{jsonb_build_object('a', i)} ],
		[ weekday     => q{('{mon,tue,wed,thu,fri,sat,sun}'::weekday[])[i]} ],
		[ positive    => 'i' ]);
	my $icu = value($node, q{SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'});
	push @keys, [ 'text COLLATE "und-x-icu"' => q{CASE i % 2 WHEN 0 THEN 'a' ELSE 'A' END || chr(220 + i) || i} ],
	  [ 'text COLLATE nocase' => q{CASE i % 2 WHEN 0 THEN 'ab' ELSE 'AB' END || i} ]
	  if $icu;
	$node->safe_psql('postgres', q{CREATE TYPE weekday AS ENUM ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun');
		CREATE DOMAIN positive AS int CHECK (VALUE > 0)});
	$node->safe_psql('postgres', q{CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)}) if $icu;
	my $n = 0;
	for my $key (@keys)
	{
		my ($type, $value) = @$key;
		my $table = 'key_' . ++$n;
		my $rows = $type eq 'weekday' ? 7 : 30;
		$node->safe_psql('postgres', "CREATE TABLE $table (k $type PRIMARY KEY);
			INSERT INTO $table SELECT $value FROM generate_series(1, $rows) i");
		walks_over($type, "SELECT k FROM $table");
		walks_over("$type backward", "SELECT k FROM $table", q{key => '{k DESC}'}, 'k DESC');
	}
  SKIP:
	{
		skip 'the server has no ICU', 1 unless $icu;
		pass('collations of ICU');
	}
};

promise 'composite keys' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE pair (a int, b text, c timestamptz, PRIMARY KEY (a, b, c));
INSERT INTO pair SELECT i % 3, chr(65 + i % 4), '2026-01-01'::timestamptz + i * interval '1 s' FROM generate_series(1, 60) i;
SQL
	my $source = 'SELECT a, b, c FROM pair';
	for my $case (
		[ $source, '{a,b,c}', 'a, b, c' ],
		[ $source, '{a DESC,b DESC,c DESC}', 'a DESC, b DESC, c DESC' ],
		[ $source, '{c,a,b}', 'c, a, b' ],
		[ 'SELECT a, min(b) AS b, max(c) AS c FROM pair GROUP BY a, ascii(b)', '{a,b}', 'a, b' ],
		[ 'SELECT a, b COLLATE "C" AS b, c FROM pair', '{b,a,c}', 'b, a, c' ])
	{
		my ($from, $key, $order) = @$case;
		my $name = ++$walks . " $key";
		my $run = run_batch($node, $name, $from, "INSERT INTO seen (walk, key) VALUES ('$name', concat_ws(' ', \$1, \$2, \$3))",
			"batch_size => 7, key => '$key'");
		my $expected = value($node, "SELECT count(*), string_agg(concat_ws(' ', a, b, c), ',' ORDER BY $order) FROM ($from) s");
		is(value($node, "SELECT count(*), string_agg(key, ',' ORDER BY n) FROM seen WHERE walk = '$name'"), $expected, "by $key");
		is($run->{status}, 'succeeded', 'successfully');
	}
	psql_fails($node, define_batch('mixed', $source, 'SELECT $1, $2, $3', q{key => '{a,b DESC,c}'}), qr/direction/, 'mixed directions are refused');
};

promise 'actions' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE target (id int PRIMARY KEY, name text, n int DEFAULT 0);
CREATE FUNCTION note(id int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO target (id) VALUES (id);
END $$;
CREATE PROCEDURE note_name(id int, name text) LANGUAGE SQL AS 'INSERT INTO target VALUES (id, name)';
SQL
	my $all = 'SELECT count(*), count(name), count(*) FILTER (WHERE n = 1), sum(id) FROM target';
	my $sum = 50 * 51 / 2;
	for my $case (
		[ 'a function', 'SELECT note($1)', "50|0|0|$sum" ],
		[ 'INSERT', 'INSERT INTO target (id, name) VALUES ($1, $2)', "50|40|0|$sum", 50 ],
		[ 'INSERT again', 'INSERT INTO target (id, n) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = target.n + 1', "50|40|50|$sum", 50, 1 ],
		[ 'CALL', 'CALL note_name($1, $2)', "50|40|0|$sum" ],
		[ 'UPDATE', 'UPDATE target SET n = n + 1 WHERE id = $1', "50|40|50|$sum", 50, 1 ],
		[ 'several statements', 'INSERT INTO target (id) VALUES ($1); UPDATE target SET n = n + 1 WHERE id = $1', "50|0|50|$sum", 100 ],
		[ 'MERGE', 'MERGE INTO target USING (SELECT $1 AS id) s ON target.id = s.id WHEN MATCHED AND target.id > 25 THEN UPDATE SET n = 2 WHEN MATCHED THEN DELETE',
			'25|0|0|' . ($sum - 25 * 26 / 2), 50, 1 ],
		[ 'DO nothing', 'SELECT 1 WHERE $1 < 0', '0|0|0|', 0 ],
		[ 'WITH', 'WITH i AS (INSERT INTO target (id) VALUES ($1) RETURNING id) SELECT $2, id FROM i', "50|0|0|$sum" ])
	{
		my ($what, $action, $expected, $rows, $goes_on) = @$case;
		$node->safe_psql('postgres', 'TRUNCATE target') unless $goes_on;
		my $run = run_batch($node, "action $what", 'SELECT id, name FROM item', $action, 'batch_size => 7');
		is_run($run, { status => 'succeeded', items_done => 50, batches => 8 }, $what);
		is(value($node, $all), $expected, 'does what it says');
		is($run->{rows_affected}, $rows, 'and counts its rows') if defined $rows;
	}
	$node->safe_psql('postgres', 'CREATE PROCEDURE commits(id int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$');
	my $commits = run_batch($node, 'commits', 'SELECT id FROM item', 'CALL commits($1)');
	is_run($commits, { status => 'failed', sqlstate => '2D000' }, 'an action that commits');
	like($commits->{error_hint}, qr/batch_size => 1/, 'is told how to have a transaction per item');
	$node->safe_psql('postgres', 'CREATE TABLE shrinks AS SELECT generate_series(1, 1000) AS id; CREATE INDEX ON shrinks (id)');
	my $run = run_batch($node, 'deletes', 'SELECT id FROM shrinks',
		q{WITH gone AS (DELETE FROM shrinks WHERE id = $1 RETURNING id) INSERT INTO seen (walk, key) SELECT 'deletes', id FROM gone}, 'batch_size => 7');
	is_run($run, { status => 'succeeded', items_done => 1000, rows_affected => 1000 }, 'DELETE from the source itself');
	is(value($node, q{SELECT count(*), count(DISTINCT key), (SELECT count(*) FROM shrinks) FROM seen WHERE walk = 'deletes'}),
		'1000|1000|0', 'reaches each row once');
	$run = run_batch($node, 'empties', 'SELECT id FROM item WHERE done = 0', 'UPDATE item SET done = done + 1 WHERE id = $1', 'batch_size => 7');
	is(value($node, 'SELECT count(*) FROM item WHERE done = 1'), 50, 'so does an UPDATE that takes rows out of the source');
};

promise q{per => 'batch'} => sub {
	$node->safe_psql('postgres', 'CREATE TABLE batch (ids int[], names text[])');
	my $run = run_batch($node, 'arrays', 'SELECT id, name FROM item', 'INSERT INTO batch VALUES ($1, $2)', q{per => 'batch', batch_size => 20});
	is_run($run, { status => 'succeeded', items_done => 50, batches => 3, rows_affected => 3 }, 'the action is done once for each batch');
	is(value($node, 'SELECT string_agg(cardinality(ids)::text, $$ $$ ORDER BY ids) FROM batch'), '20 20 10', 'with all its items');
	is( value($node, 'SELECT count(*), count(*) FILTER (WHERE b.name IS NULL) FROM batch, unnest(ids, names) b (id, name) JOIN item i ON i.id = b.id AND i.name IS NOT DISTINCT FROM b.name'),
		'50|10', 'and NULL where a column is null');
	$run = run_batch($node, 'unnest', 'SELECT id FROM item', 'UPDATE item SET done = 2 FROM unnest($1) AS u (id) WHERE u.id = item.id', q{per => 'batch', batch_size => 20});
	is_run($run, { status => 'succeeded', rows_affected => 50 }, 'an UPDATE by array');
};

promise 'the size of batches' => sub {
	my $source = 'SELECT id FROM item';
	is_run(run_batch($node, 'one', $source, 'SELECT $1', 'batch_size => 1'), { status => 'succeeded', items_done => 50, batches => 50 }, 'one item');
	is_run(run_batch($node, 'fifty', $source, 'SELECT $1', 'batch_size => 50'), { status => 'succeeded', items_done => 50, batches => 1 }, 'exactly all');
	is_run(run_batch($node, 'many', $source, 'SELECT $1', 'batch_size => 1000000'), { status => 'succeeded', items_done => 50, batches => 1 }, 'more than there are');
	my $run = run_batch($node, 'grows', 'SELECT generate_series(1, 5000)', 'SELECT $1', q{batch_size => 10, batch_target => '1 second'});
	is_run($run, { status => 'succeeded', items_done => 5000 }, 'batch_target, with a cheap action');
	cmp_ok($run->{batches}, '<', 50, 'batches get larger');
	$run = run_batch($node, 'shrinks', 'SELECT generate_series(1, 150)', 'SELECT $1, pg_sleep(0.01)', q{batch_size => 50, batch_target => '50 ms'});
	is_run($run, { status => 'succeeded', items_done => 150 }, 'with a slow one');
	cmp_ok($run->{batches}, '>', 5, 'they get smaller');
};

promise 'what a run knows of itself' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE known (id int, run_id bigint, payload jsonb, scheduled_at timestamptz, attempt int, checkpoint jsonb)');
	$node->safe_psql('postgres', define_batch('knows',
			q{SELECT id, ratchet.scheduled_at() AS due FROM item WHERE id <= (ratchet.payload() ->> 'max')::int},
			'INSERT INTO known VALUES ($1, ratchet.run_id(), ratchet.payload(), $2, ratchet.attempt(), ratchet.checkpoint())', 'batch_size => 2'));
	my $run_id = value($node, q{SELECT ratchet.trigger('knows', payload => '{"max": 5}')});
	wait_run($node, $run_id, 'succeeded');
	is( value($node, "SELECT count(*), min(k.payload::text), bool_and(k.scheduled_at = r.scheduled_at), max(k.attempt) FROM known k JOIN ratchet.runs r USING (run_id) WHERE run_id = $run_id"),
		'5|{"max": 5}|t|1', 'payload and logical time are known in source and action');
	my $run = run_batch($node, 'reports', 'SELECT id FROM item', 'SELECT ratchet.progress($1, 1000)');
	is_run($run, { status => 'succeeded', items_done => 50 }, 'ratchet.progress() in an action changes nothing');
	$run = run_batch($node, 'saves', 'SELECT id FROM item', q{SELECT ratchet.save_checkpoint('{"id": 1000}'), $1});
	is_run($run, { status => 'failed', sqlstate => '55000', items_done => 0, items_failed => 0 }, 'ratchet.save_checkpoint() in an action fails the run');
	like($run->{error}, qr/cannot save a checkpoint/, 'and says why');
};

promise 'a walk runs as the owner of its job' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE ROLE alice LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice;
CREATE TABLE owned (id int PRIMARY KEY, owner name);
INSERT INTO owned SELECT i, CASE WHEN i % 2 = 0 THEN 'alice' ELSE 'bob' END FROM generate_series(1, 20) i;
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON owned USING (owner = current_user);
CREATE TABLE who (id int, session name, "current" name, setting text);
GRANT SELECT ON owned TO alice;
GRANT INSERT ON who TO alice;
SQL
	my @job = ('of alice', 'SELECT id FROM owned', q{INSERT INTO who VALUES ($1, session_user, current_user, current_setting('my.setting'))});
	my $run = run_batch($node, @job, q{batch_size => 3, settings => '{"my.setting": "hers"}'}, user => 'alice');
	is_run($run, { status => 'succeeded', items_done => 10, batches => 4, owner => 'alice' }, 'who has no rights on our tables');
	is(value($node, 'SELECT count(*), bool_and(id % 2 = 0), min(session), max("current"), min(setting) FROM who'),
		'10|t|alice|alice|hers', 'with her identity, her rows and the settings of the job');
	psql_fails($node, define_batch('forbidden', 'SELECT id FROM item', 'SELECT $1'), qr/42501/, 'what she may not read she cannot schedule', user => 'alice');
	$node->safe_psql('postgres', 'REVOKE INSERT ON who FROM alice');
	is_run(run_record($node, value($node, q{SELECT ratchet.trigger('of alice') AS r \gset
SELECT ratchet.wait(:r) \g /dev/null
SELECT :r}, user => 'alice')), { status => 'failed', sqlstate => '42501', items_done => 0, items_failed => 0 }, 'a privilege that is gone is no fault of an item');
	is(value($node, 'SELECT count(*) FROM ratchet.failed_items'), 0, 'no item has failed');
};

promise q{overlap => 'allow': walks side by side} => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE twice (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO twice SELECT generate_series(1, 40);
CREATE TABLE both_run (at timestamptz DEFAULT now());
CREATE FUNCTION wait_for_both(id int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	WHILE id = 10 AND NOT EXISTS (SELECT FROM both_run) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN true;
END $$;
SQL
	my $first = begin_batch($node, 'twins', 'SELECT id FROM twice', 'UPDATE twice SET n = n + 1 WHERE id = $1 AND wait_for_both($1)',
		q{overlap => 'allow', batch_size => 2});
	wait_until($node, "SELECT items_done > 4 FROM ratchet.running WHERE run_id = $first");
	my $second = value($node, q{SELECT ratchet.trigger('twins')});
	wait_until($node, "SELECT count(*) = 2 FROM ratchet.running WHERE run_id IN ($first, $second)", 'two runs at the same time');
	$node->safe_psql('postgres', 'INSERT INTO both_run DEFAULT VALUES');
	wait_run($node, $_, 'succeeded') for $first, $second;
	is_run(run_record($node, $_), { items_done => 40, items_failed => 0, checkpoint_from => undef }, 'each walks over all of it') for $first, $second;
	is(value($node, 'SELECT min(n), max(n) FROM twice'), '2|2', 'and does every row');
	is(value($node, q{SELECT count(*) FROM ratchet.job_checkpoint c JOIN ratchet.job j USING (job_id) WHERE job_name = 'twins'}), 0, 'no checkpoint is left');
};

finish();
