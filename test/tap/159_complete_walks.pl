# A walk that says that it has succeeded is complete, whatever becomes of what it reads between the snapshot of a
# batch and its first look, under every isolation level. Whoever changes a table does so here at exactly that
# moment: the batch has its snapshot, and waits for the lock.

use strict;
use warnings;

use RatchetTest;
use Test::More;

# Nobody is to give up a lock because the machine is slow.
my $node = new_node('main', conf => <<'CONF');
ratchet.lock_timeout = '10 min'
ratchet.deadlock_timeout = '10 min'
ratchet.max_workers = 4
ratchet.max_same_failures = 0
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE done (id uuid NOT NULL);
CREATE TABLE gate (id uuid);
CREATE FUNCTION key(i int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(i::text)::uuid $$;
-- Counts the item; at the gate it waits until lock 7 is free.
CREATE FUNCTION step(item uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO done VALUES (item);
	IF EXISTS (SELECT FROM gate WHERE id = item) THEN
		PERFORM pg_advisory_xact_lock_shared(7);
	END IF;
END $$;
-- Uuid keys, so that rows are not stored in their order; a column that is gone; never analyzed.
CREATE FUNCTION fresh() RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
BEGIN
	DROP TABLE IF EXISTS item, other, side CASCADE;
	CREATE TABLE item (gone int, id uuid PRIMARY KEY, n int NOT NULL DEFAULT 0, owner text NOT NULL DEFAULT current_user)
		WITH (autovacuum_enabled = off);
	ALTER TABLE item DROP COLUMN gone;
	INSERT INTO item SELECT key(i) FROM generate_series(1, 100) i;
	CREATE TABLE other (id uuid PRIMARY KEY, n int NOT NULL DEFAULT 0, owner text NOT NULL DEFAULT current_user)
		WITH (autovacuum_enabled = off);
	CREATE TABLE side (id uuid PRIMARY KEY, n int NOT NULL DEFAULT 0) WITH (autovacuum_enabled = off);
	INSERT INTO side SELECT key(i) FROM generate_series(1, 100) i;
	TRUNCATE done, gate;
	INSERT INTO gate SELECT id FROM item ORDER BY id OFFSET 14 LIMIT 1;
END $$;
SQL

my $levels = { rc => 'read committed', rr => 'repeatable read', s => 'serializable' };
my $jobs = 0;

# Whether some process waits for a lock of this type.
sub waits
{
	my ($where) = @_;
	return wait_until($node, "SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND $where");
}

sub each_done_once
{
	my ($times) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, 'SELECT count(*), count(DISTINCT id) FROM done'), "$times|$times", 'each item is done once');
	return;
}

# Begins a walk in batches of 10, changes something when a batch has its snapshot, and looks at what was done.
# setup: SQL before the job is defined. change: SQL of a transaction. at: 'batch' (the third one), or 'begin'.
sub changed_beside
{
	my ($level, %case) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $job = 'job ' . ++$jobs;
	# What a case that failed has left.
	value($node, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
	psql_ok($node, "SELECT fresh() \\g /dev/null\n" . ($case{setup} // ''));
	value($node, 'TRUNCATE gate') if ($case{at} // 'batch') eq 'begin';
	my $options = "batch_size => 10, settings => '{\"default_transaction_isolation\": \"$levels->{$level}\"}'";
	$options .= ", $case{options}" if defined $case{options};
	psql_ok($node, "SET client_min_messages = error;\n" . define_batch($job, $case{source} // 'SELECT id FROM item', $case{action} // 'SELECT step($1)', $options));
	my $changer = session($node);
	$changer->query_safe('BEGIN');
	my $run;
	if (($case{at} // 'batch') eq 'begin')
	{
		$changer->query_safe($_) for split /;\n/, $case{change};
		$run = value($node, "SELECT ratchet.trigger('$job')");
	}
	else
	{
		my $gate = lock_session($node, 7);
		$run = value($node, "SELECT ratchet.trigger('$job')");
		waits("locktype = 'advisory'");
		$changer->query_until(qr/asked/, "\\echo asked\n" . join(";\n", split /;\n/, $case{change}) . ";\n");
		waits("locktype = 'relation' AND backend_type = 'client backend'");
		$gate->quit;
	}
	waits("locktype = 'relation' AND backend_type LIKE 'pg_ratchet worker%'");
	$changer->query_safe('COMMIT');
	$changer->quit;
	wait_run($node, $run, 'succeeded');
	my $items = value($node, "SELECT items_done || ' ' || items_failed FROM ratchet.runs WHERE run_id = $run");
	is($items, $case{items} // '100 0', 'the record');
	defined $case{check} ? $case{check}->() : each_done_once($case{times} // 100);
	return;
}

my $functions = <<'SQL';
CREATE OR REPLACE FUNCTION items() RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT id FROM item; END $$;
CREATE OR REPLACE FUNCTION is_there(i uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM item WHERE id = i) $$;
SQL
my $refill = "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM item;\nTRUNCATE item;\nINSERT INTO item SELECT * FROM kept";
my $swap = "CREATE TABLE new_item (LIKE item INCLUDING ALL);\nLOCK TABLE item;\nINSERT INTO new_item SELECT * FROM item;\n"
  . "ALTER TABLE item RENAME TO old_item;\nALTER TABLE new_item RENAME TO item;\nDROP TABLE old_item";
my $retype = 'ALTER TABLE item ALTER n TYPE bigint';

for my $level (qw(rr s))
{
	promise "$level: a table is rewritten" => sub { changed_beside($level, change => $retype); };
	promise "$level: a table is rewritten as a run begins" => sub { changed_beside($level, change => $retype, at => 'begin'); };
	promise "$level: a table is emptied and filled again" => sub { changed_beside($level, change => $refill); };
}
promise 'a table is swapped for another one' => sub { changed_beside('rr', change => $swap); };
promise 'a table is made of a view' => sub {
	changed_beside('rr', setup => 'CREATE VIEW v AS SELECT * FROM item', source => 'SELECT id FROM v',
		change => "LOCK TABLE v IN ACCESS EXCLUSIVE MODE;\nINSERT INTO other SELECT * FROM item;\nDELETE FROM item;\nCREATE OR REPLACE VIEW v AS SELECT * FROM other");
};
promise 'rows move on when their partition is detached' => sub {
	changed_beside('rr', setup => <<'SQL', source => 'SELECT id FROM part', change => "LOCK TABLE part;\nINSERT INTO part SELECT id, 2 FROM part_1;\nALTER TABLE part DETACH PARTITION part_1");
DROP TABLE IF EXISTS part, part_1;
CREATE TABLE part (id uuid, p int) PARTITION BY LIST (p);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
INSERT INTO part SELECT id, 1 FROM item;
SQL
};
promise 'rows move on when their child table is dropped' => sub {
	changed_beside('rr', setup => <<'SQL', source => 'SELECT id FROM base', change => "LOCK TABLE base;\nINSERT INTO base SELECT id FROM child;\nDROP TABLE child");
SET client_min_messages = error;
DROP TABLE IF EXISTS base CASCADE;
CREATE TABLE base (id uuid PRIMARY KEY);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (base);
INSERT INTO child SELECT id FROM item;
SQL
};
promise 'a function leads to another table' => sub {
	changed_beside('rr', setup => $functions, source => 'SELECT id FROM side JOIN items() AS id USING (id)',
		change => "LOCK TABLE side;\nINSERT INTO other SELECT * FROM item;\nDELETE FROM item;\nCREATE OR REPLACE FUNCTION items() RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS \$\$ BEGIN RETURN QUERY SELECT id FROM other; END \$\$");
};
promise 'a policy shows rows by what has been written for it' => sub {
	value($node, 'DROP ROLE IF EXISTS tenant; CREATE ROLE tenant LOGIN; GRANT USAGE ON SCHEMA ratchet TO tenant');
	changed_beside('rr', setup => <<'SQL', options => "run_as => 'tenant'", change => "LOCK TABLE item;\nUPDATE item SET n = 7;\nALTER POLICY mine ON item USING (n = 7)");
GRANT ALL ON ALL TABLES IN SCHEMA public TO tenant;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON item USING (n = 0);
SQL
};

# In read committed a snapshot is older than a lock inside of STABLE functions.
for my $change ([ 'rewritten', $retype ], [ 'emptied and filled again', $refill ])
{
	for my $at (qw(batch begin))
	{
		promise "read committed, $at: what a STABLE function reads is $change->[0]" => sub {
			changed_beside('rc', setup => $functions, source => 'SELECT id FROM items() id', change => $change->[1], at => $at);
		};
	}
}
promise 'read committed: what a function in WHERE reads is rewritten' => sub {
	changed_beside('rc', setup => $functions, source => 'SELECT id FROM side WHERE is_there(id)', change => $retype);
};

# What the action reads and writes counts, too: an item of which nothing was found is not done.
my %update = (
	item  => 'WITH s AS (SELECT step($1)) UPDATE item SET n = n + 1 FROM s WHERE id = $1',
	batch => 'WITH s AS (SELECT u, step(u) FROM unnest($1) u) UPDATE item SET n = n + 1 FROM s WHERE id = u');
for my $per (qw(item batch))
{
	promise "the table of the action is rewritten, per $per" => sub {
		changed_beside('rr', source => 'SELECT id FROM side', options => "per => '$per'", action => $update{$per}, change => $retype,
			check => sub { is(value($node, 'SELECT count(*), sum(n), max(n) FROM item'), '100|100|1', 'each is updated once'); });
	};
}
promise 'read committed: what a STABLE function in the action reads is rewritten' => sub {
	changed_beside('rc', setup => $functions, source => 'SELECT id FROM side', action => 'SELECT step($1) WHERE is_there($1)', change => $retype);
};
promise 'an item that fails because of an empty look is not set aside' => sub {
	changed_beside('rr', source => 'SELECT id FROM side', action => 'SELECT step((SELECT id FROM item WHERE id = $1))', change => $retype);
};

# VACUUM FULL and CLUSTER keep what old snapshots see; whoever does the batch again does no harm.
promise 'a table is clustered' => sub { changed_beside('rr', change => 'CLUSTER item USING item_pkey'); };
# Nothing is done again without end: what changes is not what is read.
promise 'other tables come and go' => sub {
	changed_beside('rr', change => $retype, action => 'WITH s AS (SELECT step($1)) SELECT churn() FROM s', setup => <<'SQL');
CREATE OR REPLACE FUNCTION churn() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE work (i int) ON COMMIT DROP;
	DROP TABLE work;
END $$;
SQL
};

# ---- What else looks at tables by a snapshot ------------------------------------------------------------------------

# Changes the table, starts something that waits for it, and commits.
sub changed_before
{
	my ($start, $change) = @_;
	my $changer = session($node);
	$changer->query_safe("BEGIN; $change");
	my $started = $start->();
	waits("locktype = 'relation'");
	$changer->query_safe('COMMIT');
	$changer->quit;
	return $started;
}

my $repeatable = q('{"default_transaction_isolation": "repeatable read"}');
for my $case (
	[ 'repeatable read',   'SELECT EXISTS (SELECT FROM item)',             $repeatable ],
	[ 'a STABLE function', 'SELECT EXISTS (SELECT FROM items() AS found)', q('{}') ])
{
	promise "only_if sees what is there: $case->[0]" => sub {
		psql_ok($node, "SELECT fresh() \\g /dev/null\n$functions");
		psql_ok($node, define_job("if $case->[0]", 'SELECT 1', "only_if => '$case->[1]', settings => $case->[2]"));
		my $run = changed_before(sub { value($node, "SELECT ratchet.trigger('if $case->[0]')") }, $retype);
		wait_run($node, $run, 'succeeded');
	};
}
for my $only_if ('', ", only_if => 'SELECT EXISTS (SELECT FROM item)'")
{
	for my $way ('settings of the job', 'settings of the session')
	{
		promise "in the foreground, with $way$only_if" => sub {
			my $job = 'front ' . ++$jobs;
			my $of_job = $way =~ /job/ ? ", settings => $repeatable" : '';
			psql_ok($node, "SELECT fresh() \\g /dev/null\nTRUNCATE gate;\n"
				  . define_batch($job, 'SELECT id FROM item', 'SELECT step($1)', "batch_size => 10$of_job$only_if"));
			my $front = session($node);
			$front->query_safe("SET default_transaction_isolation = 'repeatable read'") if $of_job eq '';
			changed_before(sub { $front->query_until(qr/asked/, "\\echo asked\nCALL ratchet.run('$job');\n") }, $retype);
			wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE job_name = '$job'", 'the run succeeds');
			$front->quit;
			each_done_once(100);
		};
	}
}
promise 'a dry run in the foreground has the settings of the job in each batch' => sub {
	psql_ok($node, "CREATE SCHEMA hidden; CREATE TABLE hidden.thing AS SELECT i FROM generate_series(1, 5) i;\nSET client_min_messages = error; SET search_path = hidden;\n"
		  . define_batch('hidden', 'SELECT i FROM thing', 'SELECT $1 FROM thing', 'batch_size => 2'));
	psql_ok($node, "CALL ratchet.run('hidden', dry_run => true)");
	is(value($node, "SELECT status || ' ' || items_done FROM ratchet.runs WHERE job_name = 'hidden'"), 'succeeded 5', 'all of its items');
};
promise 'failed items that are done again are not taken for gone' => sub {
	psql_ok($node, 'SELECT fresh()');
	my $run = run_batch($node, 'failing', 'SELECT id FROM item', 'SELECT step($1), 1 / (SELECT count(*) FROM other)', q{batch_size => 10,
		settings => '{"default_transaction_isolation": "repeatable read", "ratchet.max_same_failures": 0}'});
	is_run($run, { status => 'succeeded', items_failed => 100 }, 'all items have failed');
	value($node, 'TRUNCATE gate; INSERT INTO other VALUES (key(1))');
	my $again = changed_before(sub { value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)") }, $retype);
	wait_run($node, $again, 'succeeded');
	each_done_once(100);
};

# ---- What a session hides -------------------------------------------------------------------------------------------
promise 'an action sets something for its session' => sub {
	psql_ok($node, 'SELECT fresh() \g /dev/null' . "\nTRUNCATE gate; CREATE SCHEMA nearer; CREATE TABLE nearer.item AS SELECT * FROM item LIMIT 30;");
	my $run = run_batch($node, 'sets', 'SELECT id FROM item', q{SELECT public.step($1), set_config('search_path', 'nearer, public', false)}, 'batch_size => 10');
	is_run($run, { status => 'succeeded', items_done => 100 }, 'the source stays what it is');
	each_done_once(100);
	value($node, 'DROP SCHEMA nearer CASCADE; TRUNCATE done');
	$run = run_batch($node, 'sets times', 'SELECT make_interval(days => -i, hours => i) AS t FROM generate_series(1, 40) i',
		q{INSERT INTO done SELECT key(extract(hour FROM $1)::int) FROM set_config('intervalstyle', 'sql_standard', false)}, 'batch_size => 7');
	is_run($run, { status => 'succeeded', items_done => 40 }, 'the key is read as it was written');
};
my $hidden = qr/0A000.*a batch job cannot use temporary table "(item|done)".*HINT:  Write the schema in front of the name/s;
promise 'an action makes a temporary table with the name of the source' => sub {
	psql_ok($node, 'SELECT fresh() \g /dev/null' . "\nTRUNCATE gate; CREATE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN CREATE TEMP TABLE IF NOT EXISTS item (id uuid); END \$\$;");
	my $run = run_batch($node, 'hides', 'SELECT id FROM item', 'SELECT step($1), hides()', 'batch_size => 10');
	is_run($run, { status => 'failed', sqlstate => '0A000' }, 'the run does not take it for the source');
	$run = run_batch($node, 'does not hide', 'SELECT id FROM public.item', 'SELECT step($1), hides()', 'batch_size => 10');
	is_run($run, { status => 'succeeded', items_done => 100 }, 'with the schema it is meant');
};
my $in_session;
promise 'a session has temporary tables with the names of the source and of the target' => sub {
	psql_ok($node, 'SELECT fresh() \g /dev/null' . "\nTRUNCATE gate;\n" . define_batch('in front', 'SELECT id FROM item', 'INSERT INTO done VALUES ($1)'));
	$in_session = qr/0A000.*temporary table "(item|done)" of this session hides "public\.\1".*HINT:  Drop it, or use ratchet\.trigger\(\)/s;
	psql_fails($node, "CREATE TEMP TABLE $_ (id uuid);\nCALL ratchet.run('in front')", $in_session, $_) for 'item', 'done';
	psql_ok($node, q{CREATE TEMP TABLE alone (id uuid); CALL ratchet.run('in front')});
	each_done_once(100);
};
promise 'or with that of what a command, or a function that it calls, writes to' => sub {
	psql_ok($node, q{
		SELECT fresh() \g /dev/null
		TRUNCATE gate;
		CREATE FUNCTION note(id uuid) RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO done VALUES (id); END';
		SELECT ratchet.schedule('writes', '@manual', 'INSERT INTO done VALUES (key(1))') \g /dev/null
		SELECT ratchet.schedule('calls', '@manual', 'SELECT note(key(1))') \g /dev/null
		SELECT ratchet.schedule('behind', '@manual', 'SELECT note(key(1))', settings => '{"search_path": "public, pg_temp"}') \g /dev/null
		} . define_batch('calls in batches', 'SELECT id FROM item', 'SELECT note($1)'));
	for my $job ('writes', 'calls', 'calls in batches')
	{
		psql_fails($node, "CREATE TEMP TABLE done (id uuid);\nCALL ratchet.run('$job')", $in_session, "$job: a table");
		psql_fails($node, "CREATE TEMP VIEW done AS SELECT id FROM item;\nCALL ratchet.run('$job', dry_run => true)", $in_session, "$job: a view");
	}
	each_done_once(0);
	psql_ok($node, q{CREATE TEMP TABLE done (id uuid); CALL ratchet.run('behind')});
	is(value($node, 'SELECT count(*) FROM done'), 1, 'one that the search_path has further behind hides nothing');
};

# ---- Foreign tables -------------------------------------------------------------------------------------------------

my $port = $node->port;
my $host = $node->host;
psql_ok($node, <<"SQL");
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER far;
CREATE TABLE numbers (id int PRIMARY KEY, n int);
CREATE FOREIGN TABLE far_numbers (id int, n int) SERVER far OPTIONS (table_name 'numbers');
SQL
for my $at ([ 'in mid-walk', 30 ], [ 'as a walk begins', 0 ])
{
	promise "a foreign table is rewritten where it lives, $at->[0]" => sub {
		my ($what, $gate) = @$at;
		my $job = "far $what";
		psql_ok($node, "SELECT fresh() \\g /dev/null\nTRUNCATE gate, numbers;\nINSERT INTO gate VALUES (key($gate));\nINSERT INTO numbers SELECT generate_series(1, 100);\nSET client_min_messages = error;\n"
			  . define_batch($job, 'SELECT id FROM far_numbers', 'SELECT step(key($1))', 'batch_size => 10'));
		my $far = "locktype = 'relation' AND application_name = 'postgres_fdw'";
		my $changer = session($node);
		my $run;
		if ($gate == 0)
		{
			$changer->query_safe('BEGIN; ALTER TABLE numbers ALTER n TYPE bigint');
			$run = value($node, "SELECT ratchet.trigger('$job')");
		}
		else
		{
			my $lock = lock_session($node, 7);
			$run = value($node, "SELECT ratchet.trigger('$job')");
			waits("locktype = 'advisory'");
			$changer->query_until(qr/asked/, "\\echo asked\nBEGIN;\nALTER TABLE numbers ALTER n TYPE bigint;\n");
			waits("locktype = 'relation' AND application_name <> 'postgres_fdw'");
			$lock->quit;
		}
		waits($far);
		$changer->query_safe('COMMIT');
		$changer->quit;
		wait_run($node, $run, 'succeeded');
		each_done_once(100);
	};
}

finish();
