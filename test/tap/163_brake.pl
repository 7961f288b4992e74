# Errors that hit every item end the run, instead of setting healthy items aside: limits of the server at once,
# others when a whole batch, and some dozens in a row, have failed in the same words. And batches that do not
# fit into the memory.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE item (id text PRIMARY KEY, n int NOT NULL UNIQUE);
INSERT INTO item SELECT 'item ' || md5(i::text), i FROM generate_series(1, 300) i;
CREATE TABLE effect (n int, name text);
CREATE TABLE switch (name text);
SQL

my $source = 'SELECT id, n FROM item';
my $jobs = 0;

sub walk
{
	my ($what, $action, $options, $from) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return run_batch($node, ++$jobs . " $what", $from // $source, $action, $options);
}

sub again
{
	my ($job) = @_;
	my $run_id = value($node, "SELECT ratchet.trigger('$job')");
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run_id");
	return run_record($node, $run_id);
}

sub set_aside { return value($node, "SELECT count(*) FROM ratchet.failed_items WHERE job_name = '$_[0]'"); }

# The run ended before anything of it, nothing is set aside, and once it is mended the next one does all.
sub brakes
{
	my ($run, $sqlstate, $error, $mend, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_run($run, { status => 'failed', sqlstate => $sqlstate, items_done => 0, items_failed => 0, batches => 0, checkpoint_to => undef },
		"$what: the run ends as failed");
	like($run->{error}, $error, 'and says at what');
	is(set_aside($run->{job_name}), 0, 'nothing is set aside');
	$node->safe_psql('postgres', $mend);
	is_run(again($run->{job_name}), { status => 'succeeded', items_done => 300, items_failed => 0 }, 'when it is mended, the next one does every item');
	return;
}

# ---- Limits of the server ----------------------------------------------------------------------------

promise 'limits of the server are no fault of an item' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE numbered (id smallserial, item text);
SELECT setval('numbered_id_seq', 32767);
CREATE TABLE identified (id smallint GENERATED ALWAYS AS IDENTITY (MAXVALUE 5), item text);
INSERT INTO identified (item) SELECT 'x' FROM generate_series(1, 5);
CREATE TABLE parted (n int, item text) PARTITION BY RANGE (n);
SQL
	for my $mode ('full', 'incremental')
	{
		for my $per ('item', 'batch')
		{
			my $options = "mode => '$mode', per => '$per'";
			my $insert = sub { $per eq 'item' ? "INSERT INTO $_[0] ($_[1]) VALUES ($_[2])" : "INSERT INTO $_[0] ($_[1]) SELECT $_[2] FROM unnest(\$1, \$2) AS u (id, n)" };
			my ($id, $n) = $per eq 'item' ? ('$1', '$2') : ('u.id', 'u.n');
			brakes(walk('smallserial', $insert->('numbered', 'item', $id), $options), '2200H', qr/^nextval: reached maximum value of sequence "numbered_id_seq"/,
				q{ALTER SEQUENCE numbered_id_seq AS int MAXVALUE 1000000; ALTER TABLE numbered ALTER id TYPE int}, "used-up serial, $options");
			$node->safe_psql('postgres', q{ALTER SEQUENCE numbered_id_seq MAXVALUE 33000 RESTART 33000; SELECT nextval('numbered_id_seq')});
			brakes(walk('identity', $insert->('identified', 'item', $id), $options), '2200H', qr/reached maximum value/,
				q{ALTER TABLE identified ALTER id SET MAXVALUE 30000}, "used-up identity, $options");
			$node->safe_psql('postgres', q{TRUNCATE identified; ALTER TABLE identified ALTER id SET MAXVALUE 5 RESTART WITH 5; INSERT INTO identified (item) VALUES ('x')});
			brakes(walk('partition', $insert->('parted', 'n, item', "$n, $id"), $options), '23514', qr/^no partition of relation "parted" found for row/,
				q{CREATE TABLE parted_1 PARTITION OF parted DEFAULT}, "no partition, $options");
			$node->safe_psql('postgres', 'DROP TABLE parted_1');
		}
	}
	is_run(walk('one item', 'INSERT INTO parted VALUES ($2, $1)', undef, "$source WHERE n = 7"), { status => 'failed', sqlstate => '23514', items_failed => 0 }, 'not even of a single one');
};

promise 'but what has only their SQLSTATE is' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE small (n int CHECK (n <> 7));
CREATE DOMAIN unlucky AS int CHECK (VALUE <> 13);
CREATE TABLE indexed (item text);
CREATE INDEX ON indexed (item);
CREATE TABLE strict (n int) PARTITION BY RANGE (n);
CREATE TABLE strict_1 PARTITION OF strict FOR VALUES FROM (0) TO (300);
SQL
	for my $case (
		[ 'a CHECK',              'INSERT INTO small VALUES ($2)',                            '23514' ],
		[ 'a domain',             'INSERT INTO effect VALUES ($2::unlucky)',                   '23514' ],
		[ 'a partition directly', 'INSERT INTO strict_1 VALUES ($2)',                         '23514' ],
		[ 'a row too big',        q{INSERT INTO indexed SELECT string_agg(md5(i::text), '') FROM generate_series(1, CASE $2 WHEN 7 THEN 3000 ELSE 1 END) i}, '54000' ])
	{
		my ($what, $action, $sqlstate) = @$case;
		my $run = walk($what, $action);
		is_run($run, { status => 'succeeded', items_done => 299, items_failed => 1 }, "$what: that item fails alone");
		is(value($node, "SELECT sqlstate FROM ratchet.failed_items WHERE run_id = $run->{run_id}"), $sqlstate, 'with its SQLSTATE');
	}
};

# ---- In the same words -------------------------------------------------------------------------------

# Each fails for every item as long as the switch is on, with the values of the item in its words.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE taken (n int PRIMARY KEY DEFAULT 5, item text);
INSERT INTO taken VALUES (5);
CREATE TABLE parent (item text PRIMARY KEY);
CREATE TABLE child (item text REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION priced(item text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM switch WHERE name = 'prices') THEN
		RAISE EXCEPTION 'item % of customer % has no price', n, translate(item, '0123456789', 'ghijklmnop');
	END IF;
	INSERT INTO effect VALUES (n, item);
END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM switch WHERE name = 'trigger') THEN
		RAISE EXCEPTION 'row (%) is refused', NEW.name USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TABLE guarded (LIKE effect);
CREATE TRIGGER refuse BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TABLE later (LIKE effect);
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE DOMAIN rate AS numeric CHECK (VALUE < 1000);
CREATE TABLE rates AS SELECT 1::numeric AS rate;
SQL

my @alike = (
	[ 'duplicate key', 'INSERT INTO taken (n, item) SELECT coalesce((SELECT 5 FROM switch), $2 + 1000), $1', '23505', qr/duplicate key value/ ],
	[ 'deferred foreign key', 'INSERT INTO child SELECT $1 WHERE EXISTS (SELECT FROM switch) AND $2 > 0', '23503', qr/violates foreign key constraint/ ],
	[ 'RAISE', 'SELECT priced($1, $2)', 'P0001', qr/item \d+ of customer item \w+ has no price/ ],
	[ 'trigger', 'INSERT INTO guarded VALUES ($2, $1)', '23000', qr/row \(.*\) is refused/ ],
	[ 'deferred trigger', 'INSERT INTO later VALUES ($2, $1)', '23000', qr/is refused/ ],
	[ 'domain', 'SELECT ($2 * (SELECT CASE count(*) WHEN 0 THEN 1 ELSE 10000 END FROM switch) / CASE count(*) OVER () WHEN 0 THEN 1 ELSE CASE (SELECT count(*) FROM switch) WHEN 0 THEN 1000 ELSE 1 END END)::rate, $1', '23514', qr/value for domain rate/ ],
	[ 'cast', q{SELECT ('x' || $1)::int FROM switch WHERE $2 > 0}, '22P02', qr/invalid input syntax/ ]);

promise 'a whole batch that fails in the same words' => sub {
	for my $case (@alike)
	{
		my ($what, $action, $sqlstate, $error) = @$case;
		$node->safe_psql('postgres', q{INSERT INTO switch VALUES ('prices'), ('trigger'); DELETE FROM switch WHERE name = 'trigger'; UPDATE switch SET name = 'trigger'})
		  if $what =~ /trigger/;
		$node->safe_psql('postgres', q{INSERT INTO switch VALUES ('prices')}) if $what !~ /trigger/;
		my $run = walk($what, $action);
		brakes($run, $sqlstate, qr/^300 items in a row have failed in the same words: .*$error/, 'TRUNCATE switch', $what);
		like($run->{error_detail}, qr/^Item \{"id": "item \w+"\} was one of them\./, 'it names one of them');
		like($run->{error_hint}, qr/ratchet\.max_same_failures/, 'and what can be done');
		$node->safe_psql('postgres', 'TRUNCATE effect, guarded, later, child; DELETE FROM taken WHERE n > 5');
	}
};

promise 'in every kind of run' => sub {
	my $on = q{INSERT INTO switch VALUES ('prices')};
	my $per_batch = 'SELECT priced(i, n) FROM unnest($1, $2) u (i, n)';
	for my $case (
		[ 'incremental',   'SELECT priced($1, $2)', q{mode => 'incremental'} ],
		[ 'per batch',     $per_batch,              q{per => 'batch'} ],
		[ 'adaptive',      'SELECT priced($1, $2)', q{batch_target => '100 ms'} ],
		[ 'batches of 50', 'SELECT priced($1, $2)', 'batch_size => 50' ],
		[ 'with a limit',  'SELECT priced($1, $2)', 'max_failed_items => 1000' ],
		[ 'side by side',  'SELECT priced($1, $2)', q{overlap => 'allow'} ])
	{
		my ($what, $action, $options) = @$case;
		$node->safe_psql('postgres', $on);
		brakes(walk($what, $action, $options), 'P0001', qr/^\d+ items in a row have failed in the same words/, 'TRUNCATE switch', $what);
	}
	$node->safe_psql('postgres', $on);
	psql_ok($node, define_batch('front', $source, 'SELECT priced($1, $2)') . 'SELECT 1');
	psql_fails($node, q{CALL ratchet.run('front')}, qr/P0001.*300 items in a row have failed in the same words.*HINT/s, 'in the foreground');
	is(set_aside('front'), 0, 'nothing is set aside');
	psql_fails($node, q{CALL ratchet.run('front', dry_run => true)}, qr/P0001.*300 items in a row/s, 'a dry run says the same');
	my $run_id = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'front' AND NOT dry_run});
	$node->safe_psql('postgres', 'TRUNCATE switch');
	my $done = again('front');
	$node->safe_psql('postgres', $on);
	$run_id = value($node, "SELECT ratchet.replay($done->{run_id})");
	wait_run($node, $run_id, 'failed', 'a replay ends, too');
	is_run(run_record($node, $run_id), { sqlstate => 'P0001', items_failed => 0 }, 'and sets nothing aside');
	$node->safe_psql('postgres', 'TRUNCATE switch, effect');
};

promise 'small batches do not trip at once, and take back what they have set aside' => sub {
	for my $size (1, 7, 20)
	{
		$node->safe_psql('postgres', q{INSERT INTO switch VALUES ('prices')});
		my $few = walk("few by $size", 'SELECT priced($1, $2)', "batch_size => $size", "$source WHERE n <= 49");
		is_run($few, { status => 'succeeded', items_failed => 49 }, "batches of $size: 49 items are set aside");
		my $run = walk("by $size", 'SELECT priced($1, $2)', "batch_size => $size");
		is_run($run, { status => 'failed', sqlstate => 'P0001', items_done => 0, items_failed => 0, checkpoint_to => undef }, 'more are not');
		like($run->{error}, qr/^(5\d|6\d) items in a row/, 'from 50 on');
		is(set_aside($run->{job_name}), 0, 'nothing of them is left');
		$node->safe_psql('postgres', 'TRUNCATE switch');
		is_run(again($run->{job_name}), { status => 'succeeded', items_done => 300 }, 'and the next run does them');
	}
	$node->safe_psql('postgres', 'TRUNCATE effect');
};

promise 'it begins in the middle' => sub {
	# The items in their order, of which the first ones find the target as it should be.
	my $from = 'SELECT n AS id, id AS item FROM item';
	my $action = 'INSERT INTO effect SELECT $1, $2 WHERE (SELECT priced_until($1))';
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE until AS SELECT 130 AS n;
CREATE FUNCTION priced_until(item int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF item = 20 OR item > (SELECT n FROM until) THEN
		RAISE EXCEPTION 'item % has no price', item;
	END IF;
	RETURN true;
END $$;
SQL
	for my $case ([ 25, 'a row that begins within a batch' ], [ 10, 'one that begins with a batch' ], [ 100, 'large batches' ])
	{
		my ($size, $what) = @$case;
		my $run = walk($what, $action, "batch_size => $size, mode => 'incremental'", $from);
		is_run($run, { status => 'failed', items_done => 129, items_failed => 1, checkpoint_to => { id => 130 } }, "$what: all before it is done");
		is(value($node, "SELECT string_agg(item ->> 'id', ' ') FROM ratchet.failed_items WHERE run_id = $run->{run_id}"), '20', 'and only what failed for itself is set aside');
		my $second = again($run->{job_name});
		is_run($second, { status => 'failed', items_done => 0, items_failed => 0 }, 'the next one comes no further');
		$node->safe_psql('postgres', 'UPDATE until SET n = 1000');
		is_run(again($run->{job_name}), { status => 'succeeded', items_done => 170, checkpoint_from => { id => 130 } }, 'until it is mended');
		is(value($node, 'SELECT count(*), count(DISTINCT n) FROM effect'), '299|299', 'each item was done once');
		$node->safe_psql('postgres', 'TRUNCATE effect; UPDATE until SET n = 130');
	}
};

promise 'what is not alike is set aside' => sub {
	is_run(walk('different words', q{SELECT CASE $2 % 2 WHEN 0 THEN 1 / ($2 - $2) ELSE ('x' || $1)::int END}), { status => 'succeeded', items_failed => 300 }, 'two reasons in turn');
	is_run(walk('a healthy one', 'SELECT 1 / CASE WHEN $2 % 40 = 0 THEN 1 ELSE 0 END'), { status => 'succeeded', items_done => 7, items_failed => 293 }, 'a healthy one now and then');
	is_run(walk('max_failed_items', 'SELECT 1 / ($2 - $2)', 'max_failed_items => 20'), { status => 'failed', sqlstate => '54000', items_failed => 21 }, 'max_failed_items counts first');
	my $run = walk('all of them', 'SELECT 1 / ($2 - $2)', q{settings => '{"ratchet.max_same_failures": 0}'});
	is_run($run, { status => 'succeeded', items_failed => 300 }, 'with ratchet.max_same_failures at 0 all are');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
	wait_run($node, $replay, 'succeeded', 'a run of failed items has no brake: they are what they were');
	is_run(run_record($node, $replay), { items_failed => 300 }, 'and says how many have failed again');
	is_run(walk('more of them', 'SELECT 1 / ($2 - $2)', q{settings => '{"ratchet.max_same_failures": 301}'}), { status => 'succeeded', items_failed => 300 }, 'below a limit of its own, too');
};

# ---- Memory ------------------------------------------------------------------------------------------

# As a server without memory would say, when a transaction has had more than so many items.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE room AS SELECT 40 AS items;
CREATE FUNCTION take_room(n int, many int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE used int := coalesce(nullif(current_setting('test.used', true), ''), '0')::int + many;
BEGIN
	PERFORM set_config('test.used', used::text, true);
	IF used > (SELECT items FROM room) THEN
		RAISE EXCEPTION 'out of memory' USING ERRCODE = 'out_of_memory', DETAIL = 'Failed on request of size 1.', HINT = 'Buy some.';
	END IF;
	INSERT INTO effect VALUES (n);
END $$;
SQL

promise 'a batch that does not fit into the memory is tried smaller' => sub {
	for my $case (
		[ 'per item',  'SELECT take_room($2, 1)' ],
		[ 'per batch', 'SELECT take_room(n, 1) FROM unnest($1, $2) u (id, n)', q{per => 'batch'} ],
		[ 'adaptive',  'SELECT take_room($2, 1)', q{batch_target => '10 s'} ])
	{
		my ($what, $action, $options) = @$case;
		my $run = walk($what, $action, $options);
		is_run($run, { status => 'succeeded', items_done => 300, items_failed => 0 }, "$what: all items are done");
		cmp_ok($run->{batches}, '<=', 17, 'in batches that stay as large as fits');
		is(value($node, 'SELECT count(*), count(DISTINCT n) FROM effect'), '300|300', 'each once');
		$node->safe_psql('postgres', 'TRUNCATE effect');
	}
	psql_ok($node, define_batch('front memory', $source, 'SELECT take_room($2, 1)') . 'SELECT 1');
	psql_ok($node, q{CALL ratchet.run('front memory')}, 'in the foreground, too');
	is(value($node, 'SELECT count(*), count(DISTINCT n) FROM effect'), '300|300', 'each once');
	$node->safe_psql('postgres', 'TRUNCATE effect');
	my $run = walk('too big alone', 'SELECT take_room($2, CASE WHEN $2 = 150 THEN 100 ELSE 1 END)', undef, 'SELECT n AS id, n FROM item');
	is_run($run, { status => 'failed', sqlstate => '53200', items_done => 149, items_failed => 0, error => 'a batch of one item is too big for the memory: out of memory',
		error_detail => 'Failed on request of size 1.', error_hint => 'Buy some.', checkpoint_to => { id => 149 } }, 'an item that is too big alone ends the run, behind all before it');
};

finish();
