# What an incremental walk can vouch for: it waits for everybody who may still commit a smaller key, also where it
# cannot know which tables its source reads, and refuses rows that are committed elsewhere.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
ratchet.max_workers = 4
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
CONF
my $jobs = 0;

# Whether some process waits for a lock of this type.
sub waits
{
	my ($where) = @_;
	return wait_until($node, "SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND $where");
}

my $port = $node->port;
my $host = $node->host;
psql_ok($node, <<"SQL");
CREATE TABLE side (id int);
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER far;
CREATE TABLE numbers (id int PRIMARY KEY, n int);
CREATE FOREIGN TABLE far_numbers (id int, n int) SERVER far OPTIONS (table_name 'numbers');
SQL

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE log (id serial PRIMARY KEY, n int);
CREATE TABLE seen (id int);
CREATE FUNCTION f_plpgsql() RETURNS SETOF int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT l.id FROM log l; END $$;
CREATE FUNCTION f_execute() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'SELECT id FROM log'; END $$;
CREATE FUNCTION f_definer() RETURNS SETOF int LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT id FROM log $$;
CREATE FUNCTION f_volatile() RETURNS SETOF int LANGUAGE sql AS $$ SELECT id FROM log $$;
CREATE FUNCTION f_inline() RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT id FROM log $$;
CREATE FUNCTION f_there(i int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM log WHERE id = i) $$;
CREATE FUNCTION f_liar(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM log WHERE id = i); END $$;
CREATE OPERATOR ?! (RIGHTARG = int, FUNCTION = f_there);
CREATE VIEW v_execute AS SELECT id FROM f_execute() AS id;
SQL
my %source = (
	'a table'                        => 'SELECT id FROM log',
	'a function in PL/pgSQL'         => 'SELECT id FROM f_plpgsql() AS id',
	'a function with EXECUTE'        => 'SELECT id FROM f_execute() AS id',
	'a view over a function'         => 'SELECT id FROM v_execute',
	'SECURITY DEFINER'               => 'SELECT id FROM f_definer() AS id',
	'VOLATILE in SQL'                => 'SELECT id FROM f_volatile() AS id',
	'a function in line'             => 'SELECT id FROM f_inline() AS id',
	'a function in WHERE'            => 'SELECT id FROM generate_series(1, 1000) AS id WHERE f_there(id)',
	'a function that says IMMUTABLE' => 'SELECT id FROM generate_series(1, 1000) AS id WHERE f_liar(id)',
	'an operator'                    => 'SELECT id FROM generate_series(1, 1000) AS id WHERE ?! id',
	'a text that the server runs'    => q{SELECT id FROM xmltable('//id' PASSING query_to_xml('SELECT id FROM log', false, false, '') COLUMNS id int PATH '.')});

# What those who have a key and have not committed do with it, before and at the end.
my %writer = (
	'a transaction'         => [ 'BEGIN; INSERT INTO log VALUES (DEFAULT)', 'COMMIT' ],
	'a prepared one'        => [ q{BEGIN; INSERT INTO log VALUES (DEFAULT); PREPARE TRANSACTION 'p'}, q{COMMIT PREPARED 'p'} ],
	'one that has a number' => [ q{BEGIN; SELECT nextval('log_id_seq')}, q{INSERT INTO log VALUES (currval('log_id_seq')); COMMIT} ]);

sub waits_for_writers
{
	my ($source, $writer, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $job = 'log ' . ++$jobs;
	psql_ok($node, "TRUNCATE log, seen RESTART IDENTITY;\nINSERT INTO log VALUES (DEFAULT);\nSET client_min_messages = error;\n"
		  . define_batch($job, $source, 'INSERT INTO seen VALUES ($1)', "mode => 'incremental'"));
	# Readers are not waited for, and neither is a VACUUM.
	my $reader = session($node);
	$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM log, side');
	my $first = session($node);
	$first->query_safe($writer{$writer}[0]);
	$option{then}->($first) if $option{then};
	value($node, 'INSERT INTO log VALUES (DEFAULT)');
	my $run = value($node, "SELECT ratchet.trigger('$job')");
	wait_until($node, "SELECT waits_for = 'writers' FROM ratchet.running WHERE run_id = $run");
	($option{by} // $first)->query_safe($writer{$writer}[1]);
	wait_run($node, $run, 'succeeded');
	is(value($node, 'SELECT array_agg(id ORDER BY id) FROM seen'), '{1,2,3}', 'all rows are done');
	$option{end}->() if $option{end};
	$_->quit for $reader, $first;
	return;
}

for my $source (sort keys %source)
{
	promise "incremental, $source: the run waits for those who have a smaller key" => sub { waits_for_writers($source{$source}, 'a transaction'); };
}
for my $source ('a table', 'a function with EXECUTE')
{
	for my $writer ('a prepared one', 'one that has a number')
	{
		promise "incremental, $source: $writer is waited for" => sub { waits_for_writers($source{$source}, $writer); };
	}
	# The process that has prepared it is a vacuum now, which nobody waits for.
	promise "incremental, $source: one that was prepared by who is in a VACUUM now" => sub {
		my $other = session($node);
		my $locker = session($node);
		$locker->query_safe('BEGIN; LOCK TABLE side IN SHARE UPDATE EXCLUSIVE MODE');
		waits_for_writers($source{$source}, 'a prepared one', by => $other, then => sub {
			$_[0]->query_until(qr/asked/, "\\echo asked\nVACUUM side;\n");
			waits("locktype = 'relation' AND query ~ '^VACUUM'");
		}, end => sub { $locker->query_safe('ROLLBACK'); });
		$_->quit for $other, $locker;
	};
}
promise 'two runs in the foreground do not wait for each other, nor does one for who waits for it' => sub {
	psql_ok($node, "TRUNCATE log, seen RESTART IDENTITY;\nINSERT INTO log VALUES (DEFAULT);\nSET client_min_messages = error;\n"
		  . define_batch("both $_", $source{'a function with EXECUTE'}, 'INSERT INTO seen VALUES ($1)', "mode => 'incremental'"))
	  for 1 .. 3;
	my $writer = session($node);
	$writer->query_safe('BEGIN; INSERT INTO log VALUES (DEFAULT)');
	my @front = (session($node), session($node));
	$front[$_]->query_until(qr/asked/, "\\echo asked\nCALL ratchet.run('both " . ($_ + 1) . "');\n") for 0, 1;
	my $run = value($node, q{SELECT ratchet.trigger('both 3')});
	my $waiter = session($node);
	$waiter->query_until(qr/asked/, "\\echo asked\nSELECT ratchet.wait($run, '10 min');\n");
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.running WHERE waits_for = 'writers'});
	$writer->query_safe('COMMIT');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name ~ 'both' AND status = 'succeeded'}, 'all three succeed');
	$_->quit for $writer, $waiter, @front;
};

# ---- Who commits elsewhere cannot be waited for ---------------------------------------------------------------------

my $refused = qr/0A000.*cannot be used with foreign table.*HINT:  Use mode => 'full'/s;
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW far_view AS SELECT id FROM far_numbers UNION ALL SELECT id FROM log;
CREATE TABLE sliced (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE sliced_1 PARTITION OF sliced FOR VALUES FROM (0) TO (100);
CREATE FUNCTION f_far() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT f.id FROM far_numbers f; END $$;
SQL
for my $source ('SELECT id FROM far_numbers', 'SELECT id FROM far_view')
{
	promise "incremental: $source is refused" => sub {
		psql_fails($node, define_batch('far', $source, 'SELECT $1', q{mode => 'incremental'}), $refused, 'a definition');
		psql_ok($node, define_batch('far', $source, 'SELECT $1'));
		psql_fails($node, q{SELECT ratchet.alter_job('far', mode => 'incremental')}, $refused, 'a change');
	};
}
promise 'incremental: a partition is foreign from now on' => sub {
	psql_ok($node, "SET client_min_messages = error;\n" . define_batch('sliced', 'SELECT id FROM sliced', 'SELECT $1', q{mode => 'incremental'}));
	my $run = value($node, q{SELECT ratchet.trigger('sliced')});
	wait_run($node, $run, 'succeeded');
	value($node, q{CREATE FOREIGN TABLE sliced_2 PARTITION OF sliced FOR VALUES FROM (100) TO (200) SERVER far OPTIONS (table_name 'numbers')});
	$run = value($node, q{SELECT ratchet.trigger('sliced')});
	wait_run($node, $run, 'failed');
	is_run(run_record($node, $run), { sqlstate => '0A000', error => q{mode => 'incremental' cannot be used with foreign table public.sliced_2} }, 'why');
};
promise 'incremental: a function that reads a foreign table' => sub {
	my $run = run_batch($node, 'far function', 'SELECT id FROM f_far() AS id', 'SELECT $1', q{mode => 'incremental'});
	is_run($run, { status => 'failed', sqlstate => '0A000' }, 'the run says that it cannot vouch for it');
};
promise 'incremental: a table that a subscription fills' => sub {
	psql_ok($node, "SET client_min_messages = error;\n" . define_batch('subscribed', 'SELECT id FROM log', 'SELECT $1', q{mode => 'incremental'}));
	$node->safe_psql('postgres', 'CREATE DATABASE publisher');
	$node->safe_psql('publisher', q{CREATE TABLE log (id serial PRIMARY KEY, n int); CREATE PUBLICATION p FOR TABLE log});
	$node->safe_psql('publisher', q{SELECT pg_create_logical_replication_slot('s', 'pgoutput')});
	$node->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION 'host=$host port=$port dbname=publisher' PUBLICATION p WITH (create_slot = false, copy_data = false)");
	my $pattern = qr/0A000.*public.log, which gets rows by a subscription.*HINT:  Use mode => 'full'/s;
	psql_fails($node, define_batch('subscribed too', 'SELECT id FROM log', 'SELECT $1', q{mode => 'incremental'}), $pattern, 'a definition');
	my $run = value($node, q{SELECT ratchet.trigger('subscribed')});
	wait_run($node, $run, 'failed');
	is(run_record($node, $run)->{sqlstate}, '0A000', 'a run of an earlier definition fails');
	$node->safe_psql('postgres', 'ALTER SUBSCRIPTION s DISABLE');
	$run = value($node, q{SELECT ratchet.trigger('subscribed')});
	wait_run($node, $run, 'succeeded');
	$node->safe_psql('postgres', 'DROP SUBSCRIPTION s');
};
promise 'incremental: a materialized view is refused' => sub {
	psql_ok($node, 'CREATE MATERIALIZED VIEW kept AS SELECT id FROM log');
	my $pattern = qr/0A000.*cannot be used with materialized view public.kept.*HINT:  Use mode => 'full'/s;
	psql_fails($node, define_batch('kept', 'SELECT id FROM kept', 'SELECT $1', q{mode => 'incremental'}), $pattern, 'a definition');
	value($node, 'CREATE VIEW over_kept AS SELECT * FROM kept');
	psql_fails($node, define_batch('kept', 'SELECT id FROM over_kept', 'SELECT $1', q{mode => 'incremental'}), $pattern, 'behind a view');
	psql_ok($node, define_batch('kept', 'SELECT id FROM kept', 'SELECT $1'));
};
promise 'incremental: what passes over rows is refused' => sub {
	my $pattern = qr/0A000.*cannot be used with SKIP LOCKED.*HINT:  Use mode => 'full'/s;
	value($node, 'CREATE VIEW free AS SELECT id FROM log FOR NO KEY UPDATE SKIP LOCKED');
	for my $source ('SELECT id FROM log FOR UPDATE SKIP LOCKED', 'SELECT id FROM free', 'SELECT l.id FROM log l JOIN free USING (id)')
	{
		psql_fails($node, define_batch('passes', $source, 'SELECT $1', q{mode => 'incremental'}), $pattern, $source);
		psql_ok($node, "SET client_min_messages = error;\n" . define_batch('passes', $source, 'SELECT $1'));
	}
	psql_ok($node, "SET client_min_messages = error;\n" . define_batch('passes', 'SELECT id FROM log FOR SHARE', 'SELECT $1', q{mode => 'incremental'}));
};

finish();
