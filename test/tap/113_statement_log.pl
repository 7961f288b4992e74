# Statements of jobs in the server's log: log_statement, log_duration and their like hold for them as for a client's.

use strict;
use warnings;
use utf8;

use JSON::PP ();
use Time::HiRes ();
use PostgreSQL::Test::Utils;
use RatchetTest;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
log_statement = none
log_line_prefix = '%m [%p] %q%u@%d/%a: '
max_worker_processes = 16
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE "Sofia.Ruiz" LOGIN;
CREATE ROLE auditada LOGIN;
CREATE DATABASE ventas;
\c ventas
CREATE EXTENSION pg_ratchet;
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
CREATE TABLE pedido (id int PRIMARY KEY, cliente text NOT NULL, total numeric NOT NULL, hecho boolean NOT NULL DEFAULT false);
INSERT INTO pedido SELECT i, 'O''Higgins & Cía. ' || i, i * 9.95 FROM generate_series(1, 6) i;
GRANT ALL ON pedido TO PUBLIC;
CREATE FUNCTION cobrar(int, numeric) RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE pedido SET hecho = true WHERE id = $1; END $$;
SQL

my %sofia = (db => 'ventas', user => 'Sofia.Ruiz', job => 'nightly');
my %audited = (db => 'ventas', user => 'auditada', job => 'audited nightly');

sub log_size { return -s $node->logfile; }

# What has been written since, once a later line is there. (Clients have the settings of a role as well.)
sub log_since
{
	my ($from) = @_;
	my $mark = 'mark ' . log_size() . rand();
	value($node, "SET log_min_error_statement = 'panic'; DO \$\$ BEGIN RAISE LOG '$mark'; END \$\$");
	wait_log($node, qr/\Q$mark\E/, 'the log is written');
	open my $log, '<:encoding(UTF-8)', $node->logfile or die $!;
	seek $log, $from, 0;
	local $/ = undef;
	return scalar <$log>;
}

# Runs the command as a job; returns what has come into the log. What is behind its end is there when a second run is.
sub logged
{
	my ($who, $command, $options) = @_;
	my $from = log_size();
	my $run = run_job($node, $who->{job}, $command, $options, %$who);
	is($run->{status}, 'succeeded', 'the run');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'pg_ratchet: %nightly' AND state = 'active')}, undef, %$who);
	return log_since($from);
}

sub logged_batch
{
	my ($who, $action, $options) = @_;
	my $from = log_size();
	my $run = run_batch($node, 'walk', 'SELECT id, cliente, total FROM pedido', $action, $options, %$who);
	is_run($run, { status => 'succeeded', items_done => 6 }, 'the walk');
	return log_since($from);
}

# Whoever may, for whom.
sub set_for
{
	my ($role, @settings) = @_;
	$node->safe_psql('postgres', join '', qq{ALTER ROLE "$role" RESET ALL;\n}, map { qq{ALTER ROLE "$role" SET $_;\n} } @settings);
	return;
}

sub count_of { my ($log, $pattern) = @_; return scalar(() = $log =~ /$pattern/g); }

promise 'log_statement of a role holds for its jobs' => sub {
	set_for('auditada', 'log_statement = ddl');
	my $ddl = 'CREATE TABLE resumen AS SELECT cliente, sum(total) FROM pedido GROUP BY 1';
	my $log = logged(\%audited, $ddl);
	is(count_of($log, qr/LOG:  statement: \Q$ddl\E\n/), 1, 'ddl: a table is made');
	unlike(logged(\%audited, 'UPDATE pedido SET total = total WHERE id = 1'), qr/statement:/, 'ddl: an update');
	my $both = "UPDATE pedido SET total = total WHERE id = 2;\n  DROP TABLE resumen";
	is(count_of(logged(\%audited, $both), qr/LOG:  statement: UPDATE pedido SET total = total WHERE id = 2;\n\s+DROP TABLE resumen\n/), 1, 'a text of several statements, as a whole');
	set_for('auditada', 'log_statement = mod');
	$log = logged(\%audited, 'UPDATE pedido SET total = total WHERE id = 3');
	is(count_of($log, qr/LOG:  statement: UPDATE pedido SET total = total WHERE id = 3\n/), 1, 'mod: an update');
	unlike($log, qr/duration:/, 'without a time');
	unlike($log, qr/STATEMENT:/, 'and its text is not there twice');
	unlike(logged(\%audited, 'SELECT count(*) FROM pedido'), qr/nightly: LOG:  statement:/, 'mod: a query');
	set_for('auditada', q{log_statement = 'all'});
	$log = logged(\%audited, 'SELECT count(*) FROM pedido');
	is(count_of($log, qr/LOG:  statement: SELECT count/), 1, 'all: a query');
	unlike(logged(\%sofia, 'SELECT count(*) FROM pedido'), qr/statement:/, 'another role');
	$log = logged(\%audited, 'SELECT 1', q{only_if => 'SELECT EXISTS (SELECT FROM pedido)'});
	is(count_of($log, qr/LOG:  execute only_if: SELECT EXISTS \(SELECT FROM pedido\)\n/), 1, 'its condition');
	is(count_of($log, qr/LOG:  statement: SELECT 1\n/), 1, 'and what it leads to');
	set_for('auditada');
	psql_ok($node, q{ALTER DATABASE ventas SET log_statement = 'mod'}, 'that of a database');
	is(count_of(logged(\%sofia, 'DELETE FROM pedido WHERE id = 999'), qr/LOG:  statement: DELETE/), 1, 'holds there');
	psql_ok($node, q{ALTER DATABASE ventas RESET log_statement});
	unlike(logged(\%sofia, 'DELETE FROM pedido WHERE id = 999'), qr/statement:/, 'and only as long');
};

promise 'the settings for durations hold for jobs' => sub {
	my $slow = 'SELECT pg_sleep(0.06)';
	set_for('auditada', 'log_min_duration_statement = 50');
	my $log = logged(\%audited, $slow);
	is(count_of($log, qr/LOG:  duration: (\d+\.\d{3}) ms  statement: \Q$slow\E\n/), 1, 'a statement that takes long');
	my ($took) = $log =~ /duration: (\d+\.\d{3}) ms  statement/;
	cmp_ok($took, '>=', 60, 'as long as it took');
	set_for('auditada', "log_min_duration_statement = '10 min'");
	unlike(logged(\%audited, $slow), qr/nightly: LOG:  duration:/, 'one that does not');
	set_for('auditada', 'log_duration = on');
	$log = logged(\%audited, $slow);
	is(count_of($log, qr/nightly: LOG:  duration: \d+\.\d{3} ms\n/), 1, 'log_duration');
	unlike($log, qr/nightly: LOG:[^\n]*pg_sleep/, 'without the text');
	set_for('auditada', 'log_min_duration_statement = 0', q{log_statement = 'all'});
	$log = logged(\%audited, $slow);
	is(count_of($log, qr/nightly: LOG:[^\n]*pg_sleep/), 1, 'with log_statement the text is there once');
	like($log, qr/nightly: LOG:  statement: \Q$slow\E\n.*nightly: LOG:  duration: \d+\.\d{3} ms\n/s, 'before its time');
	set_for('auditada', 'log_min_duration_sample = 0', 'log_statement_sample_rate = 1');
	like(logged(\%audited, $slow), qr/nightly: LOG:  duration: \d+\.\d{3} ms  statement: \Q$slow\E\n/, 'a sample of all');
	set_for('auditada', 'log_min_duration_sample = 0', 'log_statement_sample_rate = 0');
	unlike(logged(\%audited, $slow), qr/nightly: LOG:  duration:/, 'of none');
	set_for('auditada', 'log_transaction_sample_rate = 1');
	like(logged(\%audited, $slow), qr/nightly: LOG:  duration: \d+\.\d{3} ms  statement: \Q$slow\E\n/, 'a sample of transactions');
	like(logged(\%audited, "SELECT 1; $slow; SELECT 2", q{transaction => 'per_statement'}), qr/duration: (?:[6-9]\d|\d{3,})\.\d{3} ms  statement: SELECT 1; /, 'several statements, each a transaction');
	set_for('auditada');
	like(logged({ db => 'ventas', job => 'own nightly' }, $slow, q{settings => '{"log_min_duration_statement": 0}'}), qr/duration: \d+\.\d{3} ms  statement: \Q$slow\E\n/, 'the settings of a job, of who may');
	psql_fails($node, q{SELECT ratchet.schedule('quiet', '@manual', 'SELECT 1', settings => '{"log_statement": "none"}')}, qr/ERROR:  42501:/, 'and of nobody else', %sofia);
};

promise 'actions of batch jobs are logged as what a client prepares and executes' => sub {
	my $update = 'UPDATE pedido SET total = $3 WHERE id = $1 AND cliente = $2';
	set_for('auditada', 'log_statement = mod');
	my $log = logged_batch(\%audited, $update, 'batch_size => 4');
	is(count_of($log, qr/LOG:  execute action: \Q$update\E\n/), 6, 'each item');
	for my $i (1 .. 6)
	{
		my $total = sprintf '%.2f', $i * 9.95;
		is(count_of($log, qr/Parameters: \$1 = '$i', \$2 = 'O''Higgins & Cía\. $i', \$3 = '$total'\n/), 1, "item $i with its values");
	}
	unlike($log, qr/execute source/, 'what reads them is no mod');
	set_for('auditada', q{log_statement = 'all'});
	$log = logged_batch(\%audited, 'SELECT cobrar($1, $3) /* $2 */ WHERE $2 IS NOT NULL', 'batch_size => 4');
	is(count_of($log, qr/LOG:  execute action: SELECT cobrar/), 6, 'a function for each item');
	cmp_ok(count_of($log, qr/LOG:  execute source: SELECT \w+, \w+, \w+ FROM \(SELECT id, cliente, total FROM pedido\n/), '>=', 2, 'the slices of the source');
	set_for('auditada', 'log_statement = mod', 'log_parameter_max_length = 0');
	$log = logged_batch(\%audited, $update, 'batch_size => 4');
	is(count_of($log, qr/LOG:  execute action/), 6, 'without the values');
	unlike($log, qr/Parameters:/, 'if they are not wanted');
	set_for('auditada', 'log_statement = mod');
	my $arrays = 'UPDATE pedido SET hecho = true WHERE id = ANY ($1) AND $2 IS NOT NULL AND $3 IS NOT NULL';
	$log = logged_batch(\%audited, $arrays, q{batch_size => 3, per => 'batch'});
	is(count_of($log, qr/LOG:  execute action: \Q$arrays\E\n/), 2, 'each batch of an action per batch');
	like($log, qr/Parameters: \$1 = '\{1,2,3\}'/, 'with its arrays');
	set_for('auditada', 'log_min_duration_statement = 20');
	$log = logged_batch(\%audited, 'SELECT pg_sleep(CASE WHEN $1 = 5 THEN 0.03 ELSE 0 END) WHERE $2 <> $3::text', 'batch_size => 4');
	is(count_of($log, qr/LOG:  duration: \d+\.\d{3} ms  execute action: SELECT pg_sleep/), 1, 'the time of an item that takes long');
	like($log, qr/Parameters: \$1 = '5'/, 'by its values');
	set_for('auditada', 'log_duration = on');
	cmp_ok(count_of(logged_batch(\%audited, $update, 'batch_size => 4'), qr/walk: LOG:  duration: \d+\.\d{3} ms\n/), '>=', 8, 'log_duration: of each item and slice');
	set_for('auditada');
	unlike(logged_batch(\%audited, $update, 'batch_size => 4'), qr/execute|duration/, 'nothing where nothing is asked for');
};

promise 'lines of the log name role, database and job' => sub {
	set_for('Sofia.Ruiz', q{log_statement = 'all'});
	my $log = logged(\%sofia, 'SELECT count(*) FROM pedido');
	like($log, qr{\] Sofia\.Ruiz\@ventas/pg_ratchet: nightly: LOG:  statement: SELECT count}, 'where the lines of a client have them');
	like($log, qr/CONTEXT:  job "nightly", run \d+, role "Sofia\.Ruiz", database "ventas"\n/, 'and in the context, whatever the prefix of a line');
	set_for('Sofia.Ruiz');
	my $from = log_size();
	my $run = run_job($node, 'nightly', "SELECT 1 / total FROM pedido WHERE id = 1 AND total > 0\n  UNION ALL SELECT 1 / 0", undef, %sofia);
	is_run($run, { status => 'failed', sqlstate => '22012' }, 'a run that fails');
	wait_log($node, qr/run $run->{run_id} failed/, 'is in the log');
	$log = log_since($from);
	like($log, qr/LOG:  job "nightly" run $run->{run_id} failed in \d+\.\d ms \(role "Sofia\.Ruiz", database "ventas"\): 22012 division by zero\n/, 'whose it is and where');
	like($log, qr/STATEMENT:  SELECT 1 \/ total/, 'with its text');
	set_for('Sofia.Ruiz', 'log_min_error_statement = panic');
	$from = log_size();
	$run = run_job($node, 'nightly', 'SELECT 2 / 0', undef, %sofia);
	wait_log($node, qr/run $run->{run_id} failed/, 'again');
	unlike(log_since($from), qr/STATEMENT/, 'without it, where log_min_error_statement says so');
	set_for('Sofia.Ruiz');
	$from = log_size();
	$run = run_job($node, 'secret', 'SELECT 3 / 0', q{settings => '{"log_min_error_statement": "panic"}'}, db => 'ventas');
	wait_log($node, qr/run $run->{run_id} failed/, 'and a third time');
	unlike(log_since($from), qr/STATEMENT/, 'or the settings of the job');
};

promise 'runs in the foreground are logged as well' => sub {
	set_for('auditada', 'log_statement = ddl');
	my $from = log_size();
	psql_ok($node, define_job('front', 'CREATE TABLE resumen (n int)') . q{CALL ratchet.run('front')}, 'a call', %audited);
	my $log = log_since($from);
	is(count_of($log, qr/LOG:  statement: CREATE TABLE resumen/), 1, 'log_statement sees what it leads to');
	unlike($log, qr/statement: CALL/, 'and not the call, which is no ddl');
	set_for('auditada', 'log_statement = mod');
	$from = log_size();
	psql_ok($node, define_batch('front walk', 'SELECT id FROM pedido', 'UPDATE pedido SET hecho = false WHERE id = $1') . q{CALL ratchet.run('front walk')}, 'of a batch job', %audited);
	is(count_of(log_since($from), qr/LOG:  execute action: UPDATE pedido/), 6, 'each item');
	set_for('auditada');
};

promise 'csvlog and jsonlog have role, database and job in their columns' => sub {
	my $other = new_node('collected', conf => <<'CONF');
logging_collector = on
log_destination = 'stderr, csvlog, jsonlog'
log_directory = 'log'
log_filename = 'server.log'
log_statement = mod
CONF
	$other->safe_psql('postgres', 'CREATE ROLE clara LOGIN; GRANT ALL ON SCHEMA public TO clara; GRANT USAGE ON SCHEMA ratchet TO clara');
	my $run = run_job($other, 'totals', 'CREATE TABLE totals (n int)', undef, user => 'clara');
	my $dir = $other->data_dir . '/log';
	my ($csv, $json) = ('', '');
	for (1 .. 1000)
	{
		($csv, $json) = map { -e "$dir/server.$_" ? slurp_file("$dir/server.$_") : '' } qw(csv json);
		last if "$csv$json" =~ /statement: CREATE TABLE totals.*statement: CREATE TABLE totals/s;
		Time::HiRes::usleep(50_000);
	}
	like($csv, qr/^[^,]*,"clara","postgres",\d+,[^\n]*"statement: CREATE TABLE totals \(n int\)"[^\n]*"pg_ratchet: totals","pg_ratchet worker/m, 'csvlog');
	my ($line) = grep { /statement: CREATE TABLE totals/ } split /\n/, $json;
	my $entry = JSON::PP->new->decode($line // '{}');
	is_deeply([ @$entry{qw(user dbname application_name)} ], [ 'clara', 'postgres', 'pg_ratchet: totals' ], 'jsonlog');
	like($entry->{context} // '', qr/^job "totals", run $run->{run_id}, role "clara", database "postgres"$/, 'and its context');
};

finish();
