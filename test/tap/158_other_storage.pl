# Batch jobs over what is not a plain heap: a plan in which an extension has had a hand is made for each
# execution, all others are kept; and the question is asked anew when the plan is.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

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

# Inside of CASE the planner evaluates what it can, also where it is never reached, unless it knows the
# parameter.
promise 'no plan for all values' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION bonus() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
SQL
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

finish();
