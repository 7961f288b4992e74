# Extensions that watch what a server executes see jobs, and actions of batch jobs, as they see a client.

use strict;
use warnings;

use RatchetTest;
use Test::More;
use Time::HiRes ();

my $libraries = pg_config('pkglibdir');
my $has_pgaudit = -e "$libraries/pgaudit.so";
my $has_plprofiler = -e "$libraries/plprofiler.so";

my $schema = <<'SQL';
CREATE TABLE account (id int PRIMARY KEY, holder text NOT NULL, balance numeric NOT NULL DEFAULT 0);
INSERT INTO account SELECT i, 'Zoë Ågren ' || i, i FROM generate_series(1, 60) i;
CREATE TABLE entry (account int, amount numeric);
CREATE FUNCTION book(account int, amount numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE account a SET balance = a.balance + book.amount WHERE a.id = book.account;
	INSERT INTO entry VALUES (book.account, book.amount);
END $$;
SQL

my $node = new_node('main', conf => <<'CONF');
shared_preload_libraries = 'pg_ratchet, pg_stat_statements, auto_explain'
pg_stat_statements.track = all
log_line_prefix = '%m [%p] %q%u@%d/%a: '
max_worker_processes = 16
CONF
$node->safe_psql('postgres', "CREATE EXTENSION pg_stat_statements;\n$schema\nANALYZE");

sub log_size { my ($of) = @_; return -s $of->logfile; }

sub log_since
{
	my ($of, $from) = @_;
	open my $log, '<', $of->logfile or die $!;
	seek $log, $from, 0;
	local $/ = undef;
	return scalar <$log>;
}

sub count_of { my ($log, $pattern) = @_; return scalar(() = $log =~ /$pattern/g); }

# What pg_stat_statements says of the statement with this beginning.
sub seen
{
	my ($text) = @_;
	return row($node, "
		SELECT sum(calls) AS calls, sum(rows) AS rows, bool_and(toplevel) AS toplevel, count(*) AS entries, sum(total_exec_time) > 0 AS has_time,
		       sum(shared_blks_hit + shared_blks_read) >= sum(calls) AS has_blocks, sum(wal_bytes) > 0 AS has_wal
		  FROM pg_stat_statements
		 WHERE starts_with(query, \$text\$$text\$text\$)");
}

sub forget { return value($node, 'SELECT FROM pg_stat_statements_reset()'); }

sub walk
{
	my ($name, $action, $options) = @_;
	my $run = run_batch($node, $name, 'SELECT id, balance FROM account', $action, $options // 'batch_size => 20');
	is_run($run, { status => 'succeeded', items_done => 60 }, "walk $name");
	return $run;
}

my %all = (has_time => JSON::PP::true, has_blocks => JSON::PP::true, has_wal => JSON::PP::true, entries => 1);

promise 'pg_stat_statements counts each item, with what it took' => sub {
	forget();
	my $run = walk('plain', 'UPDATE account SET balance = $2 + 1 WHERE id = $1');
	is_deeply(seen('UPDATE account SET balance = $2'), { %all, calls => 60, rows => 60, toplevel => JSON::PP::true }, 'a statement for each item');
	is($run->{rows_affected}, 60, 'which the record counts alike');
	forget();
	walk('function', 'SELECT book($1, $2)');
	is_deeply(
		[ map { [ @{ seen($_) }{qw(calls toplevel)} ] } 'SELECT book($1, $2)', 'UPDATE account a SET', 'INSERT INTO entry VALUES' ],
		[ [ 60, JSON::PP::true ], [ 60, JSON::PP::false ], [ 60, JSON::PP::false ] ],
		'a function for each item, and inside of it what it executes');
	forget();
	walk('two', 'UPDATE account SET balance = $2 WHERE id = $1; INSERT INTO entry VALUES ($1, $2)');
	is_deeply(seen('INSERT INTO entry VALUES ($1, $2)'), { %all, calls => 60, rows => 60, toplevel => JSON::PP::true, has_blocks => JSON::PP::true }, 'the second of two statements');
	forget();
	walk('batch', 'UPDATE account SET balance = 2 WHERE id = ANY ($1) AND cardinality($2) > 0', q{batch_size => 20, per => 'batch'});
	is_deeply(seen('UPDATE account SET balance = $3 WHERE id = ANY'), { %all, calls => 3, rows => 60, toplevel => JSON::PP::true }, 'a statement for each batch');
	is_deeply([ @{ row($node, q{SELECT sum(calls) AS calls, sum(rows) AS rows, bool_and(toplevel) AS toplevel FROM pg_stat_statements WHERE query LIKE 'SELECT c1, c2 FROM (SELECT id, balance FROM account%ORDER BY c1 LIMIT%'}) }{qw(rows toplevel)} ],
		[ 62, JSON::PP::true ], 'the slices of the source: with one row more than a batch, but the last one');
};

promise 'pg_stat_activity has the number of what is executed' => sub {
	# Once before: what is counted for the first time is seen when it has ended.
	run_job($node, 'waits', 'SELECT pg_advisory_lock_shared(77) /* command */');
	run_batch($node, 'walks', 'SELECT id, balance FROM account', 'SELECT pg_advisory_xact_lock_shared(77), $1, $2 /* action */');
	my $session = lock_session($node, 77);
	my %run = (command => value($node, q{SELECT ratchet.trigger('waits')}), action => value($node, q{SELECT ratchet.trigger('walks')}));
	for my $kind (sort keys %run)
	{
		wait_until($node, "SELECT count(*) = 1 FROM pg_stat_activity a JOIN pg_stat_statements s ON s.queryid = a.query_id
			WHERE a.backend_type = 'pg_ratchet worker' AND a.wait_event = 'advisory' AND s.query LIKE '%/* $kind */' AND a.query LIKE '%/* $kind */'", "of a $kind");
	}
	$session->quit;
	wait_run($node, $_, 'succeeded') for values %run;
};

promise 'commands and runs in the foreground are counted' => sub {
	forget();
	run_job($node, 'sum', 'INSERT INTO entry SELECT id, balance FROM account');
	is_deeply(seen('INSERT INTO entry SELECT id'), { %all, calls => 1, rows => 60, toplevel => JSON::PP::true }, 'a command');
	run_job($node, 'ddl', 'CREATE TABLE summary AS SELECT sum(amount) FROM entry');
	# Since 18 the query inside of it is counted as well.
	is(value($node, q{SELECT sum(calls) FROM pg_stat_statements WHERE toplevel AND starts_with(query, 'CREATE TABLE summary')}),
		1, 'a utility command');
	run_job($node, 'each', 'DELETE FROM entry WHERE account = 1; DELETE FROM entry WHERE account = 2; VACUUM entry', q{transaction => 'per_statement'});
	is_deeply([ seen('DELETE FROM entry WHERE account')->{calls}, seen('VACUUM entry')->{calls} ], [ 2, 1 ], 'each of several');
	forget();
	psql_ok($node, define_batch('front', 'SELECT id, balance FROM account', 'UPDATE account SET balance = $2 + 2 WHERE id = $1', 'batch_size => 20') . q{CALL ratchet.run('front')}, 'a call');
	is_deeply(seen('UPDATE account SET balance = $2 + '), { %all, calls => 60, rows => 60, toplevel => JSON::PP::false }, 'what it executes is inside of it, as with any procedure');
};

promise 'an action that fails and is isolated is counted as it was tried' => sub {
	forget();
	my $run = run_batch($node, 'bad', 'SELECT id, balance FROM account', 'UPDATE account SET balance = 10 / ($1 - 30) WHERE id = $1', 'batch_size => 20');
	is_run($run, { status => 'succeeded', items_done => 59, items_failed => 1 }, 'one item fails');
	cmp_ok(seen('UPDATE account SET balance = $2 / ')->{rows}, '>=', 59, 'the others are seen');
};

promise 'auto_explain sees each item' => sub {
	psql_ok($node, q{ALTER ROLE CURRENT_USER SET auto_explain.log_min_duration = 0; ALTER ROLE CURRENT_USER SET auto_explain.log_analyze = on; ALTER ROLE CURRENT_USER SET auto_explain.log_timing = off});
	my $from = log_size($node);
	walk('explained', 'UPDATE account SET balance = $2 + 3 WHERE id = $1');
	my $log = log_since($node, $from);
	is(count_of($log, qr/Query Text: UPDATE account SET balance = \$2 \+ 3 WHERE id = \$1\n/), 60, 'its text');
	is(count_of($log, qr/Scan [^\n]*on account  \(cost=\S+ rows=1 width=\d+\) \(actual rows=1(?:\.00)? loops=1\)\n/), 60, 'and its plan, as it was executed');
	like($log, qr/CONTEXT: .*job "explained", run \d+, role "[^"]+", database "postgres"/s, 'of which run');
	$from = log_size($node);
	run_job($node, 'query', 'SELECT count(*) FROM account');
	is(count_of(log_since($node, $from), qr/Query Text: SELECT count\(\*\) FROM account\n/), 1, 'and a command');
	psql_ok($node, q{ALTER ROLE CURRENT_USER RESET ALL});
};

my $preload = new_node('preload', conf => "log_line_prefix = '%m [%p] %q%u\@%d/%a: '\nmax_worker_processes = 16\n");
$preload->safe_psql('postgres', $schema);
$preload->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk; GRANT USAGE ON SCHEMA ratchet TO clerk');

sub explained
{
	my ($name, $who) = @_;
	my $from = log_size($preload);
	my $run = run_batch($preload, $name, 'SELECT id FROM account WHERE id <= 10', 'UPDATE account SET balance = 4 WHERE id = $1', 'batch_size => 5', user => $who);
	is_run($run, { status => 'succeeded', items_done => 10 }, "walk $name");
	return count_of(log_since($preload, $from), qr/Query Text: UPDATE account SET balance = 4 WHERE id = \$1\n/);
}

promise 'workers load what sessions of their role load' => sub {
	my $superuser = value($preload, 'SELECT CURRENT_USER');
	is(explained('before', 'clerk'), 0, 'nothing at first');
	psql_ok($preload, q{ALTER ROLE clerk SET session_preload_libraries = 'auto_explain'; ALTER DATABASE postgres SET auto_explain.log_min_duration = 0}, 'a library for a role');
	is(explained('role', 'clerk'), 10, 'is in the next worker, with its settings');
	is(explained('other', $superuser), 0, 'and not in those of others');
	psql_ok($preload, q{ALTER ROLE clerk RESET session_preload_libraries; ALTER DATABASE postgres SET session_preload_libraries = 'auto_explain'}, 'for a database');
	is(explained('database', $superuser), 10, 'for all of it');
	psql_ok($preload, q{ALTER DATABASE postgres RESET session_preload_libraries});
	is(explained('none', $superuser), 0, 'gone with it');
	psql_ok($preload, q{ALTER SYSTEM SET session_preload_libraries = 'auto_explain'});
	psql_ok($preload, q{SELECT pg_reload_conf()}, 'for the server');
	wait_until($preload, q{SELECT current_setting('session_preload_libraries') = 'auto_explain'});
	run_job($preload, 'wakes it', 'SELECT 1');
	is(explained('server', $superuser), 10, 'from the next run on');
	psql_ok($preload, q{ALTER SYSTEM RESET session_preload_libraries});
	psql_ok($preload, q{SELECT pg_reload_conf()});
};

promise 'a library that cannot be loaded fails runs as it fails connections' => sub {
	run_job($preload, 'lost', 'SELECT 1', undef, user => 'clerk');
	psql_ok($preload, q{ALTER ROLE clerk SET session_preload_libraries = 'no_such_library'});
	my $id = value($preload, q{SELECT ratchet.trigger('lost')});
	wait_until($preload, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $id");
	my $run = run_record($preload, $id);
	is_run($run, { status => 'failed', sqlstate => '58P01' }, 'the run');
	like($run->{error}, qr/could not access file "no_such_library"/, 'with the reason');
	psql_ok($preload, q{ALTER ROLE clerk RESET session_preload_libraries});
	is_run(run_job($preload, 'found', 'SELECT 1', undef, user => 'clerk'), { status => 'succeeded' }, 'and no longer than that');
};

SKIP: {
	skip 'the server has no pgaudit', 1 unless $has_pgaudit;
	promise 'pgaudit sees each item with its values' => sub {
		my $audited = new_node('audited', conf => <<'CONF');
shared_preload_libraries = 'pg_ratchet, pgaudit'
pgaudit.log = 'write, ddl'
pgaudit.log_parameter = on
log_line_prefix = '%m [%p] %q%u@%d/%a: '
CONF
		$audited->safe_psql('postgres', "CREATE EXTENSION pgaudit;\n$schema");
		my $user = value($audited, 'SELECT CURRENT_USER');
		my $from = log_size($audited);
		run_batch($audited, 'booking', 'SELECT id, holder FROM account', 'UPDATE account SET holder = $2 WHERE id = $1', 'batch_size => 20');
		my $log = log_since($audited, $from);
		is(count_of($log, qr/\Q$user\E\@postgres\/pg_ratchet: booking: LOG:  AUDIT: SESSION,\d+,1,WRITE,UPDATE,,,UPDATE account SET holder = \$2 WHERE id = \$1,"\d+,Zo[^"]* \d+"\n/), 60,
			'a line for each, with database, role and job');
		$from = log_size($audited);
		run_batch($audited, 'function', 'SELECT id, balance FROM account', 'SELECT book($1, $2)', 'batch_size => 20');
		is(count_of(log_since($audited, $from), qr/AUDIT: SESSION,\d+,\d+,WRITE,INSERT,,,"INSERT INTO entry VALUES \(book\.account, book\.amount\)","\d+,/), 60, 'and what functions do');
		$from = log_size($audited);
		run_job($audited, 'ddl', 'CREATE TABLE summary (n int)');
		is(count_of(log_since($audited, $from), qr/pg_ratchet: ddl: LOG:  AUDIT: SESSION,\d+,1,DDL,CREATE TABLE,TABLE,public\.summary,CREATE TABLE summary \(n int\)/), 1, 'and commands');
	};
}

SKIP: {
	skip 'the server has no plprofiler', 1 unless $has_plprofiler;
	promise 'plprofiler sees the functions of jobs' => sub {
		# First: it leaves out what libraries before it want to be called for.
		my $profiled = new_node('profiled', conf => "shared_preload_libraries = 'plprofiler, pg_ratchet'\n");
		$profiled->safe_psql('postgres', "CREATE EXTENSION plprofiler;\n$schema\nSELECT pl_profiler_set_enabled_global(true); SELECT pl_profiler_set_collect_interval(1)");
		run_batch($profiled, 'booking', 'SELECT id, balance FROM account', 'SELECT book($1, $2)', 'batch_size => 20');
		run_job($profiled, 'at the end', 'SELECT pg_sleep(1.1); SELECT book(1, 1)', q{transaction => 'per_statement'});
		is(value($profiled, q{SELECT max(exec_count) FROM pl_profiler_linestats_shared() WHERE func_oid = 'book'::regproc}), 61, 'by its lines');
	};
}

finish();
