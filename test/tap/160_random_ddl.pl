# Things happen at random to tables beside walks over them: rewrites, swaps, moves, crashes. Whenever a run says that
# it has succeeded, the data alone are counted: every item that was there from the beginning to the end of the walk is
# done exactly once, or recorded as failed.
#
#   RATCHET_SEED=4711 RATCHET_SECONDS=600 PROVE_TESTS=test/tap/160_random_ddl.pl script/check tap
#
# The same seed takes the same things in the same order; when exactly they strike depends on the machine.

use strict;
use warnings;

use List::Util qw(shuffle);
use RatchetTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $seed = $ENV{RATCHET_SEED} // int(rand(2**31));
my $seconds = $ENV{RATCHET_SECONDS} // 12;
srand($seed);
note("seed $seed, $seconds seconds");

my $node = new_node('main', conf => <<'CONF');
ratchet.max_workers = 6
ratchet.lock_timeout = '5 s'
max_prepared_transactions = 8
autovacuum_naptime = 1
CONF
my $port = $node->port;
my $host = $node->host;

# Each source has a table of items, all of one kind. New keys are never old ones.
psql_ok($node, <<"SQL", 'tables and sources of all kinds');
SET client_min_messages = error;
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER far;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE elsewhere LOCATION '';
CREATE SEQUENCE keys;
CREATE FUNCTION new_key() RETURNS text LANGUAGE sql AS \$\$ SELECT md5(nextval('keys')::text) \$\$;
CREATE TABLE done (job text, id text);
CREATE TABLE begun (job text, id text);
-- One item in 64 fails.
CREATE FUNCTION step(job text, id text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	IF id ~ '^0[0-3]' THEN
		RAISE EXCEPTION 'not this one';
	END IF;
	INSERT INTO done VALUES (job, id);
END \$\$;
CREATE TABLE t_plain (gone int, id text PRIMARY KEY, n int DEFAULT 0, pad text DEFAULT repeat('x', 50));
ALTER TABLE t_plain DROP COLUMN gone;
CREATE TABLE t_uuid (id uuid PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE TABLE t_view (id text PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE TABLE t_view_2 (LIKE t_view INCLUDING ALL);
CREATE VIEW v_view AS SELECT id FROM t_view;
CREATE TABLE t_function (id text PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE FUNCTION f_function() RETURNS SETOF text LANGUAGE plpgsql STABLE AS \$\$ BEGIN RETURN QUERY SELECT id FROM t_function; END \$\$;
CREATE TABLE t_there (id text PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE TABLE t_candidate (id text PRIMARY KEY);
CREATE FUNCTION f_there(i text) RETURNS boolean LANGUAGE sql STABLE AS \$\$ SELECT EXISTS (SELECT FROM t_there WHERE id = i) \$\$;
CREATE TABLE t_part (id text, n int DEFAULT 0, pad text, p int DEFAULT 1) PARTITION BY LIST (p);
CREATE TABLE t_part_1 PARTITION OF t_part FOR VALUES IN (1);
CREATE TABLE t_part_2 PARTITION OF t_part FOR VALUES IN (2);
CREATE INDEX ON t_part (id);
CREATE TABLE t_base (id text PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE TABLE t_child (PRIMARY KEY (id)) INHERITS (t_base);
CREATE TABLE t_join (id text PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE TABLE t_other (n int PRIMARY KEY, word text);
INSERT INTO t_other SELECT i, 'w' FROM generate_series(0, 9) i;
CREATE TABLE t_remote (id text COLLATE "C" PRIMARY KEY, n int DEFAULT 0, pad text);
CREATE FOREIGN TABLE f_remote (id text COLLATE "C", n int) SERVER far OPTIONS (table_name 't_remote');
CREATE TABLE scratch (i int);
CREATE TABLE log (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY);
CREATE TABLE seen (id int);
CREATE FUNCTION f_log() RETURNS SETOF int LANGUAGE plpgsql AS \$\$ BEGIN RETURN QUERY SELECT id FROM log; END \$\$;
SQL

my %source = (
	plain    => 'SELECT id FROM t_plain',
	uuid     => 'SELECT id FROM t_uuid',
	view     => 'SELECT id FROM v_view',
	function => 'SELECT id FROM f_function() AS id',
	there    => 'SELECT id FROM t_candidate WHERE f_there(id)',
	part     => 'SELECT id FROM t_part',
	base     => 'SELECT id FROM t_base',
	join     => 'SELECT i.id FROM t_join i JOIN t_other o USING (n)',
	remote   => 'SELECT id FROM f_remote');
my @kinds = sort keys %source;
my @levels = ('read committed', 'repeatable read', 'serializable');
my $fails = q{id::text ~ '^0[0-3]'};

sub sql
{
	my ($sql) = @_;
	# What cannot be done now, or when the server is down, is not done.
	my ($status, $out) = $node->psql('postgres', "SET client_min_messages = error; SET lock_timeout = '2 s'; SET deadlock_timeout = '100 ms';\n$sql", timeout => 60);
	return $status == 0 ? $out : undef;
}

# Several things in one session: each session costs a process. Who has changed a table holds on to it for a moment,
# so that a batch that has its snapshot already comes to wait.
my @later;

sub later
{
	my ($sql) = @_;
	return push @later, $sql =~ s/; COMMIT$/; SELECT pg_sleep(0.03); COMMIT/r;
}

sub flush_later
{
	return unless @later;
	$node->psql('postgres', join(";\n", q{SET client_min_messages = error; SET lock_timeout = '2 s'; SET deadlock_timeout = '100 ms'}, splice @later) . ';',
		on_error_stop => 0, on_error_die => 0);
	return;
}

sub add_rows
{
	my ($kind, $count) = @_;
	my $rows = "SELECT new_key() FROM generate_series(1, $count)";
	$rows = "SELECT new_key()::uuid FROM generate_series(1, $count)" if $kind eq 'uuid';
	my $into = $kind eq 'base' && rand() < 0.5 ? 't_child' : "t_$kind";
	return sql("BEGIN; CREATE TEMP TABLE r ON COMMIT DROP AS $rows AS r (id); INSERT INTO t_candidate SELECT id FROM r; INSERT INTO t_there SELECT id FROM r; COMMIT")
	  if $kind eq 'there';
	return sql("INSERT INTO $into (id) $rows");
}

# ---- What happens ---------------------------------------------------------------------------------------------------

sub one_of { return $_[int(rand(@_))]; }

# A table of the kind that has rows of its own.
sub table_of
{
	my ($kind) = @_;
	return one_of('t_part_1', 't_part_2') if $kind eq 'part';
	return one_of('t_base', 't_child') if $kind eq 'base';
	return "t_$kind";
}

my $columns = 0;
my $prepared = 0;
my @prepared;
my %happens = (
	retype => sub { my ($t) = @_; later("BEGIN; ALTER TABLE $t ALTER n TYPE " . one_of('bigint', 'int') . '; COMMIT'); },
	pad => sub { my ($t) = @_; later("BEGIN; ALTER TABLE $t ALTER pad TYPE " . one_of('text', 'varchar(200)', 'text COLLATE "C"') . '; COMMIT'); },
	add_column => sub { my ($t) = @_; $columns++; later("BEGIN; ALTER TABLE $t ADD c$columns " . one_of('int', 'float DEFAULT random()', 'text DEFAULT \'x\'') . '; COMMIT'); },
	drop_column => sub { my ($t) = @_; later("ALTER TABLE $t DROP c$columns"); },
	cluster => sub { my ($t) = @_; later("CLUSTER $t USING ${t}_pkey"); },
	vacuum_full => sub { later("VACUUM FULL $_[0]"); },
	vacuum => sub { later("VACUUM (FREEZE) $_[0]"); },
	analyze => sub { later("ANALYZE $_[0]"); },
	reindex => sub { later("REINDEX TABLE $_[0]"); },
	reindex_concurrently => sub { later("REINDEX TABLE CONCURRENTLY $_[0]"); },
	move => sub { later("ALTER TABLE $_[0] SET TABLESPACE " . one_of('elsewhere', 'pg_default')); },
	unlogged => sub { later("ALTER TABLE $_[0] SET LOGGED"); },
	refill => sub { my ($t) = @_; later("BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM ONLY $t; TRUNCATE ONLY $t; INSERT INTO $t SELECT * FROM kept; COMMIT"); },
	key_again => sub { my ($t) = @_; later("BEGIN; ALTER TABLE $t DROP CONSTRAINT ${t}_pkey; ALTER TABLE $t ADD CONSTRAINT ${t}_pkey PRIMARY KEY (id); COMMIT"); },
	index => sub { my ($t) = @_; later(one_of("CREATE INDEX extra_$t ON $t (n)", "DROP INDEX extra_$t")); },
	swap => sub {
		my ($t, $kind) = @_;
		return if $kind =~ /part|base|view/;
		later("BEGIN; LOCK TABLE $t; CREATE TABLE new_t (LIKE $t INCLUDING ALL); INSERT INTO new_t SELECT * FROM $t; DROP TABLE $t; ALTER TABLE new_t RENAME TO $t; ALTER INDEX new_t_pkey RENAME TO ${t}_pkey; COMMIT");
	},
	view => sub {
		my ($from, $to) = shuffle('t_view', 't_view_2');
		later("BEGIN; LOCK TABLE v_view, $from, $to; WITH m AS (DELETE FROM $from RETURNING id) INSERT INTO $to (id) SELECT id FROM m; CREATE OR REPLACE VIEW v_view AS SELECT id FROM $to; COMMIT");
	},
	partition => sub {
		my ($from, $to) = shuffle(1, 2);
		later("BEGIN; LOCK TABLE t_part; ALTER TABLE t_part DETACH PARTITION t_part_$from; INSERT INTO t_part (id, p) SELECT id, $to FROM t_part_$from; TRUNCATE t_part_$from; ALTER TABLE t_part ATTACH PARTITION t_part_$from FOR VALUES IN ($from); COMMIT");
	},
	child => sub { later('BEGIN; LOCK TABLE t_base, t_child; INSERT INTO t_base (id) SELECT id FROM t_child; DROP TABLE t_child; CREATE TABLE t_child (PRIMARY KEY (id)) INHERITS (t_base); COMMIT'); },
	function => sub { later(q{CREATE OR REPLACE FUNCTION f_function() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT id FROM t_function; END $$}); },
	elsewhere => sub { later('TRUNCATE scratch; INSERT INTO scratch SELECT generate_series(1, 100); DROP TABLE IF EXISTS apart; CREATE TABLE apart (i int)'); },
	rows => sub { my ($t, $kind) = @_; add_rows($kind, 20); later("DELETE FROM $t WHERE id IN (SELECT id FROM ONLY $t ORDER BY random() LIMIT 10)"); },
	options => sub { my ($t, $kind) = @_; later("SELECT ratchet.alter_job('$kind', batch_size => " . one_of(7, 20, 50, 300) . ", priority => " . int(rand(3)) . ")"); },
	terminate => sub { later("SELECT pg_terminate_backend(pid) FROM ratchet.running ORDER BY random() LIMIT 1"); },
	cancel => sub { later("SELECT ratchet.cancel(run_id) FROM ratchet.running ORDER BY random() LIMIT 1"); },
	write => sub {
		my $name = 'p' . ++$prepared;
		push @prepared, $name if defined sql("INSERT INTO log DEFAULT VALUES; BEGIN; INSERT INTO log DEFAULT VALUES; PREPARE TRANSACTION '$name'; INSERT INTO log DEFAULT VALUES");
	},
	commit => sub {
		my $name = shift @prepared // return;
		my $how = one_of('COMMIT', 'COMMIT', 'ROLLBACK');
		sql("$how PREPARED '$name'") // push @prepared, $name;
	});
my %rare = (
	kill => sub {
		my $pid = sql('SELECT pid FROM ratchet.running ORDER BY random() LIMIT 1');
		kill_and_wait($node, $pid) if defined $pid && $pid =~ /^\d+$/;
	},
	restart => sub { $node->restart; });

# ---- Walks ----------------------------------------------------------------------------------------------------------

my %began;     # by kind: since which run
my %walks;     # by kind: how many were complete
my %endings;

# To be done by flush_later(), with others: they are to be under way at the same time.
sub begin_walk
{
	my ($kind, $last) = @_;
	my $level = one_of(@levels);
	my $from = $source{$kind} =~ s/f_remote/t_remote/r;
	my $text = $kind eq 'uuid' ? 'id::text' : 'id';
	later($_) for "DELETE FROM done WHERE job = '$kind'", "DELETE FROM begun WHERE job = '$kind'",
	  "INSERT INTO begun SELECT '$kind', $text FROM ($from) s",
	  "SELECT ratchet.alter_job('$kind', settings => '{\"default_transaction_isolation\": \"$level\", \"search_path\": \"public\"}')",
	  "SELECT ratchet.trigger('$kind')";
	$began{$kind} = $last + 1;
	return;
}

# Counts what a walk has done that said so.
sub count_walk
{
	my ($kind, $last) = @_;
	my $from = $source{$kind} =~ s/f_remote/t_remote/r;
	my $wrong = sql(<<"SQL");
SELECT string_agg(id || ' ' || n || ' ' || f, ', ') FROM (
	SELECT id, coalesce(d.n, 0) AS n, coalesce(f.n, 0) AS f
	  FROM (SELECT id FROM begun WHERE job = '$kind' INTERSECT SELECT id::text FROM ($from) s) b
	  FULL JOIN (SELECT id, count(*) AS n FROM done WHERE job = '$kind' GROUP BY id) d USING (id)
	  FULL JOIN (SELECT key ->> 'id' AS id, count(*) AS n FROM ratchet.failed_items
	              WHERE job_name = '$kind' AND run_id BETWEEN $began{$kind} AND $last GROUP BY 1) f USING (id)
	 WHERE CASE WHEN b.id IS NOT NULL AND $fails THEN (coalesce(d.n, 0), coalesce(f.n, 0)) <> (0, 1)
	            WHEN b.id IS NOT NULL THEN (coalesce(d.n, 0), coalesce(f.n, 0)) <> (1, 0)
	            ELSE coalesce(d.n, 0) + coalesce(f.n, 0) > 1 END
	 LIMIT 10) w
SQL
	return 0 unless defined $wrong;
	is($wrong, '', "walk over $kind, runs $began{$kind} to $last: each item once") or diag("seed $seed");
	$walks{$kind}++;
	delete $began{$kind};
	return 1;
}

# Counts walks that are complete, and lets those go on that were cut short.
sub look_at_walks
{
	my $now = sql(q{SELECT j.job_name || ' ' || coalesce(r.run_id, 0) || ' ' || coalesce(r.status, 'none')
	                  FROM ratchet.jobs j LEFT JOIN LATERAL (SELECT run_id, status FROM ratchet.runs r WHERE r.job_name = j.job_name
	                       AND status <> 'skipped' ORDER BY run_id DESC LIMIT 1) r ON true});
	return unless defined $now;
	for (split /\n/, $now)
	{
		my ($kind, $run, $status) = split / /;
		next if $status =~ /queued|running/;
		if ($kind eq 'log')
		{
			sql(q{SELECT ratchet.trigger('log')});
			next;
		}
		if (!exists $began{$kind} || $run < $began{$kind})
		{
			begin_walk($kind, $run);
			next;
		}
		$endings{$status}++;
		if ($status eq 'succeeded')
		{
			begin_walk($kind, $run) if count_walk($kind, $run);
		}
		else
		{
			later("SELECT ratchet.trigger('$kind')");
		}
	}
	flush_later();
	return;
}

add_rows($_, 1000) for @kinds;
add_rows('base', 1000);
psql_ok($node, "SET client_min_messages = error;\n"
	  . join('', map { define_batch($_, $source{$_}, "SELECT step('$_', \$1::text)", q{batch_size => 10, pause_ratio => 0.9, on_crash => 'next'}) } @kinds)
	  . define_batch('log', 'SELECT id FROM f_log() AS id', 'INSERT INTO seen VALUES ($1)', q{mode => 'incremental', on_crash => 'next'}));

my $end = time() + $seconds;
my $next_rare = time() + $seconds * (0.3 + rand(0.4));
my %happened;
while (time() < $end)
{
	look_at_walks();
	for (1 .. 12)
	{
		my $kind = one_of(@kinds);
		my $what = one_of(sort keys %happens);
		$happens{$what}->(table_of($kind), $kind);
		$happened{$what}++;
	}
	flush_later();
	if (time() > $next_rare)
	{
		my $what = one_of(sort keys %rare);
		$rare{$what}->();
		$happened{$what}++;
		$next_rare = time() + 8 + rand(8);
	}
}

# What is under way comes to its end, and is counted.
sql("SELECT ratchet.alter_job('$_', pause_ratio => 0)") for @kinds;
$happens{commit}->() while @prepared;
my $patience = time() + $RatchetTest::deadline;
while (%began && time() < $patience)
{
	for my $kind (sort keys %began)
	{
		my $last = sql("SELECT run_id || ' ' || status FROM ratchet.runs WHERE job_name = '$kind' AND status <> 'skipped' ORDER BY run_id DESC LIMIT 1") // next;
		my ($run, $status) = split / /, $last;
		next if $status =~ /queued|running/;
		$run >= $began{$kind} && $status eq 'succeeded' ? count_walk($kind, $run) : sql("SELECT ratchet.trigger('$kind')");
	}
	usleep(50_000);
}
is(join(' ', sort keys %began), '', 'all walks have come to their end');
is(join(' ', grep { !$walks{$_} } @kinds), '', 'walks over each kind of source have been counted');

wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'log' AND status IN ('queued', 'running')});
wait_run($node, value($node, q{SELECT ratchet.trigger('log')}), 'succeeded');
is(value($node, 'SELECT count(*) FROM (SELECT id FROM log FULL JOIN (SELECT id, count(*) AS n FROM seen GROUP BY id) s USING (id) WHERE n IS DISTINCT FROM 1) w'),
	0, 'the incremental walk has done each row once');

note('walks: ' . join(', ', map { "$_ $walks{$_}" } sort keys %walks));
note('ended: ' . join(', ', map { "$_ $endings{$_}" } sort keys %endings));
note('happened: ' . join(', ', map { "$_ $happened{$_}" } sort keys %happened));
finish();
