# Corners of batch jobs: forgetting a checkpoint, keys whose text depends on settings, items that failed
# in a run which was cut, the foreground, statements that can and cannot be repeated within one start of
# the executor.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE part (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, bad boolean NOT NULL DEFAULT false, stop boolean NOT NULL DEFAULT false);
INSERT INTO part SELECT g FROM generate_series(1, 1000) g;
CREATE FUNCTION work(part_id int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE p part;
BEGIN
	SELECT * INTO p FROM part WHERE id = part_id;
	IF p.bad THEN RAISE 'part % is bad', part_id; END IF;
	IF p.stop THEN RAISE 'no space left' USING ERRCODE = '53100'; END IF;
	UPDATE part SET n = n + 1 WHERE id = part_id;
END $$;
SQL

sub counts { return value($node, 'SELECT string_agg(n || $$ x $$ || c, $$, $$ ORDER BY n) FROM (SELECT n, count(*) AS c FROM part GROUP BY n) x'); }

subtest 'a checkpoint can be forgotten' => sub {
	$node->safe_psql('postgres', 'UPDATE part SET stop = true WHERE id = 501');
	is_run(run_batch($node, 'walk', 'SELECT id FROM part', 'SELECT work($1)', 'batch_size => 100'),
		{ status => 'failed', sqlstate => '53100', items_done => 500, checkpoint_to => { id => 500 } }, 'a run that is cut');
	is(value($node, q{SELECT ratchet.reset_checkpoint('walk')}), 't', 'its checkpoint is forgotten');
	is(value($node, q{SELECT ratchet.reset_checkpoint('walk')}), 'f', 'once');
	$node->safe_psql('postgres', 'UPDATE part SET stop = false');
	my $run = value($node, q{SELECT ratchet.trigger('walk')});
	wait_run($node, $run, 'succeeded', 'the next run');
	is(counts(), '1 x 500, 2 x 500', 'begins at the start');
	psql_fails($node, q{SELECT ratchet.reset_checkpoint('no such')}, qr/42704/, 'a job that is not there');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule_batch('sleeps', '@manual', 'SELECT 1 AS id', 'SELECT pg_sleep(1000 * $1)')});
	$run = value($node, q{SELECT ratchet.trigger('sleeps')});
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run");
	psql_fails($node, q{SELECT ratchet.reset_checkpoint('sleeps')}, qr/55006.*is running/, 'not while the job runs');
	$node->safe_psql('postgres', "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled');
};

subtest 'a key reads back whatever the settings are' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE span (at daterange PRIMARY KEY, stop boolean NOT NULL DEFAULT false, n int NOT NULL DEFAULT 0);
INSERT INTO span SELECT daterange(d::date, d::date + 1) FROM generate_series('2026-01-01'::timestamp, '2026-03-31', '1 day') d;
UPDATE span SET stop = true WHERE at = daterange('2026-02-05', '2026-02-06');
CREATE FUNCTION take(day daterange) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT stop FROM span WHERE at = day) THEN RAISE 'no space left' USING ERRCODE = '53100'; END IF;
	UPDATE span SET n = n + 1 WHERE at = day;
END $$;
SQL
	is_run(run_batch($node, 'spans', 'SELECT at FROM span', 'SELECT take($1)', q{batch_size => 5, settings => '{"DateStyle": "SQL, DMY"}'}),
		{ status => 'failed', items_done => 35 }, 'cut at one day');
	$node->safe_psql('postgres', 'UPDATE span SET stop = false');
	is_run(run_batch($node, 'spans', 'SELECT at FROM span', 'SELECT take($1)', q{batch_size => 5, settings => '{"DateStyle": "SQL, MDY"}'}),
		{ status => 'succeeded', items_done => 55 }, 'goes on under other settings');
	is(value($node, 'SELECT min(n) || $$ $$ || max(n) FROM span'), '1 1', 'each day once');
};

subtest 'items that failed in a run that was cut are tried again as well' => sub {
	$node->safe_psql('postgres', 'UPDATE part SET n = 0, bad = id IN (50, 950), stop = id = 501');
	my $run = run_batch($node, 'cut', 'SELECT id FROM part', 'SELECT work($1)',
		q{batch_size => 100, max_attempts => 100, backoff => '100 ms', backoff_factor => 1});
	is_run($run, { status => 'failed', items_failed => 1 }, 'the run is cut');
	# Where exactly is left to the run: a batch that has come to its last savepoint is committed there.
	is($run->{items_done}, value($node, 'SELECT count(*) FROM part WHERE n = 1'), 'it has done what it says');
	cmp_ok($run->{items_done}, '>=', 399, 'up to the last batch');
	$node->safe_psql('postgres', 'UPDATE part SET bad = false, stop = false');
	wait_until($node, q{SELECT min(n) = 1 FROM part}, 'its rest and its failed items are done');
	is(counts(), '1 x 1000', 'each once');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.failed_items WHERE job_name = 'cut' AND resolved_at IS NULL}, 'nothing is left');
};

subtest 'the color of a job with failed items' => sub {
	$node->safe_psql('postgres', 'UPDATE part SET bad = id IN (7, 8)');
	my $run = run_batch($node, 'colored', 'SELECT id FROM part', 'SELECT work($1)');
	is_run($run, { status => 'succeeded', items_failed => 2 }, 'a run with failed items');
	wait_until($node, q{SELECT color = 'amber' AND why ~ 'failed items.*2' FROM ratchet.job_health WHERE job_name = 'colored'}, 'amber');
	$node->safe_psql('postgres', 'UPDATE part SET bad = false');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
	wait_run($node, $replay, 'succeeded', 'the replay');
	wait_until($node, q{SELECT color = 'green' FROM ratchet.job_health WHERE job_name = 'colored'}, 'green');
};

subtest 'in the foreground' => sub {
	$node->safe_psql('postgres', 'UPDATE part SET n = 0, bad = id % 100 = 0');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule_batch('here', '@manual', 'SELECT id FROM part', 'SELECT work($1)', batch_size => 300)});
	psql_fails($node, q{CALL ratchet.run('here', dry_run => true)}, qr/54000: 10 of 1000 items failed/, 'a dry run');
	is(counts(), '0 x 1000', 'a dry run leaves nothing');
	is(value($node, q{SELECT status || items_done || ' ' || items_failed || (result ~ 'part 100 is bad') FROM ratchet.runs ORDER BY run_id DESC LIMIT 1}),
		'succeeded990 10true', 'but its record, with examples of what would fail');
	is(value($node, q{SELECT count(*) FROM ratchet.failed_items WHERE job_name = 'here'}), 0, 'and no failed items');
	$node->safe_psql('postgres', q{CALL ratchet.run('here')});
	is(counts(), '0 x 10, 1 x 990', 'the run does them');
	is(value($node, q{SELECT cause || ' ' || items_done || ' ' || items_failed FROM ratchet.runs ORDER BY run_id DESC LIMIT 1}),
		'foreground 990 10', 'with the same record as any');
	$node->safe_psql('postgres', 'UPDATE part SET n = 0, bad = false, stop = id = 601');
	psql_fails($node, q{CALL ratchet.run('here')}, qr/53100/, 'an error that ends the run');
	is(counts(), '0 x 400, 1 x 600', 'its batches stay');
	wait_until($node, q{SELECT status = 'failed' AND checkpoint_to ->> 'id' = '600' FROM ratchet.runs WHERE job_name = 'here' ORDER BY run_id DESC LIMIT 1},
		'and its checkpoint');
	$node->safe_psql('postgres', 'UPDATE part SET stop = false');
	$node->safe_psql('postgres', q{CALL ratchet.run('here')});
	is(counts(), '1 x 1000', 'the next one goes on behind it');
};

# An item's statement may be run within one start of the executor for a whole slice. It must not be told
# from one that is started for each.
subtest 'items see each other' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE total (k int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO total VALUES (0), (1);
CREATE TABLE fired (what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO fired VALUES (TG_WHEN || ' ' || TG_LEVEL); RETURN NULL; END $$;
CREATE TRIGGER a AFTER UPDATE ON total FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER b BEFORE UPDATE ON total FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE TRIGGER c AFTER UPDATE ON total FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO fired SELECT 'table of ' || count(*) FROM rows; RETURN NULL; END $$;
CREATE FUNCTION stable_total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(n) FROM total';
CREATE TABLE seen (id int, before bigint, own bigint);
CREATE TABLE merged (k int PRIMARY KEY, n int);
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (400);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (400) TO (2000);
INSERT INTO parted SELECT g, 0 FROM generate_series(1, 1000) g;
SQL
	my $items = 'SELECT g FROM generate_series(1, 1000) g';
	my $is_done = sub {
		my ($name, $action, $query, $expected) = @_;
		is_run(run_batch($node, $name, $items, $action), { status => 'succeeded', items_done => 1000, items_failed => 0 }, $name);
		is(value($node, $query), $expected, "$name: what it did");
	};
	my $fired = q{SELECT string_agg(what || ' ' || c, ', ' ORDER BY what) FROM (SELECT what, count(*) AS c FROM fired GROUP BY what) f};
	$is_done->('same row', 'UPDATE total SET n = n + 1 WHERE k = $1 % 2', 'SELECT string_agg(n::text, $$ $$) FROM total', '500 500');
	is(value($node, $fired), 'AFTER ROW 1000, AFTER STATEMENT 1000, BEFORE STATEMENT 1000', 'triggers of each item');
	$node->safe_psql('postgres', 'TRUNCATE fired; CREATE TRIGGER d AFTER UPDATE ON total REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION changed()');
	$is_done->('transition table', 'UPDATE total SET n = n + 1 WHERE k = $1 % 2', 'SELECT sum(n) FROM total', '2000');
	is(value($node, $fired), 'AFTER ROW 1000, AFTER STATEMENT 1000, BEFORE STATEMENT 1000, table of 1 1000', 'with a table of what one item changed');
	$is_done->('stable function', 'INSERT INTO seen SELECT $1, stable_total(), count(*) FROM seen', 'SELECT sum(own) || $$ $$ || min(before) FROM seen', '499500 2000');
	$is_done->('merge', 'MERGE INTO merged m USING (VALUES ($1 % 10)) s (k) ON m.k = s.k WHEN MATCHED THEN UPDATE SET n = n + 1 WHEN NOT MATCHED THEN INSERT VALUES (s.k, 1)',
		'SELECT count(*) || $$ $$ || min(n) || $$ $$ || max(n) FROM merged', '10 100 100');
	$is_done->('upsert', 'INSERT INTO merged VALUES ($1 % 10, 1) ON CONFLICT (k) DO UPDATE SET n = merged.n + 1 RETURNING k',
		'SELECT count(*) || $$ $$ || min(n) || $$ $$ || max(n) FROM merged', '10 200 200');
	$is_done->('partitions', 'UPDATE parted SET n = n + 1 WHERE id = $1', 'SELECT min(n) || $$ $$ || max(n) FROM parted', '1 1');
	$is_done->('delete', 'DELETE FROM parted WHERE id = $1', 'SELECT count(*) FROM parted', '0');
	$is_done->('subquery', 'UPDATE total SET n = (SELECT count(*) FROM merged WHERE k < $1) WHERE k = 0', 'SELECT n FROM total WHERE k = 0', '10');
};

subtest 'a walk has an end' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE grows (id int PRIMARY KEY); INSERT INTO grows SELECT generate_series(1, 100)');
	is_run(run_batch($node, 'grows', 'SELECT id FROM grows', 'INSERT INTO grows VALUES ($1 + 100)', 'batch_size => 30'),
		{ status => 'succeeded', items_done => 100 }, 'what the action adds is for the next run');
	is_run(run_batch($node, 'grows', 'SELECT id FROM grows', 'INSERT INTO grows VALUES ($1 + 200) ON CONFLICT DO NOTHING', 'batch_size => 30'),
		{ status => 'succeeded', items_done => 200 }, 'which does it');
};

subtest 'settings of an action' => sub {
	psql_fails($node, q{SELECT ratchet.schedule_batch('sets', '@manual', 'SELECT 1 AS id', 'SET work_mem = ''1MB''; SELECT $1')}, qr/0A000.*SET is not allowed/,
		'do not outlive a batch');
	is_run(run_batch($node, 'sets', 'SELECT g FROM generate_series(1, 3) g', q{SET LOCAL work_mem = '1MB'; SELECT 1 / (current_setting('work_mem') = '1MB')::int, $1}),
		{ status => 'succeeded', items_done => 3 }, 'SET LOCAL');
};

finish();
