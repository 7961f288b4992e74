# Where a transaction ends while there is no memory at all: nothing can be thrown through the server's callbacks, and
# what was to be told is told.

use strict;
use warnings;

use RatchetTest;
use ServerFunctions;
use Test::More;

my $library = compile('starve');
plan(skip_all => 'no C compiler, or no headers of the server') unless defined $library;

my $node = new_node('main', conf => "ratchet.log_runs = all\n");
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION starve() RETURNS void LANGUAGE c AS '$library', 'starve';
CREATE FUNCTION starved() RETURNS int LANGUAGE c AS '$library', 'starved';
CREATE TABLE item (id int);
CREATE TABLE done (what text);
SELECT ratchet.schedule('look', '\@manual', \$\$INSERT INTO done VALUES ('look')\$\$);
SELECT ratchet.schedule('long', '\@manual', 'SELECT pg_sleep(600)');
SELECT ratchet.trigger_on_change('item', 'look', debounce => '0');
SQL

promise 'transactions and savepoints that have nothing to do with jobs' => sub {
	for my $sql (
		'SELECT starve()',
		'BEGIN; SELECT starve(); ROLLBACK',
		q{DO $$ BEGIN PERFORM starve(); RAISE 'no'; END $$},
		'BEGIN; SAVEPOINT a; SELECT starve(); ROLLBACK TO a; COMMIT',
		'BEGIN; SAVEPOINT a; SELECT starve(); RELEASE a; COMMIT',
		q{BEGIN; SELECT starve(); PREPARE TRANSACTION 'p'})
	{
		my ($status, $out) = $node->psql('postgres', "$sql;\nSELECT 'starved: ' || starved()", on_error_stop => 0);
		like($out, qr/^starved: 1$/m, $sql);
	}
	value($node, q{ROLLBACK PREPARED 'p'});
};

# What the library keeps for callbacks is made for the first who needs it: the first transaction of a session,
# while that is being made, or the one that loads the library.
promise 'a transaction that loads the library' => sub {
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
	$node->restart;
	for my $end ('COMMIT', 'ROLLBACK', 'ROLLBACK TO a; COMMIT')
	{
		my $sql = "BEGIN; SAVEPOINT a; SELECT ratchet.describe_schedule('1 minute'); SELECT starve(); $end";
		my ($status, $out) = $node->psql('postgres', "$sql;\nSELECT 'starved: ' || starved()", on_error_stop => 0);
		like($out, qr/^starved: 1$/m, $end);
	}
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_ratchet'");
	$node->restart;
};

promise 'what a transaction tells of jobs at its end' => sub {
	# Once after each start, for what may have been changed before.
	wait_until($node, q{SELECT count(*) > 0 FROM done WHERE what = 'look'});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE status IN ('queued', 'running')});
	my $looked = value($node, q{SELECT count(*) FROM done WHERE what = 'look'});
	my $long = value($node, q{SELECT ratchet.trigger('long')});
	wait_until($node, 'SELECT count(*) = 1 FROM ratchet.running');
	my $made = value($node, qq{
		BEGIN;
		SELECT ratchet.cancel($long) \\g /dev/null
		INSERT INTO item VALUES (1);
		SELECT ratchet.schedule('made', '\@manual', \$\$INSERT INTO done VALUES ('made')\$\$) \\g /dev/null
		SELECT ratchet.trigger('made') \\gset
		SELECT starve() \\g /dev/null
		COMMIT;
		SELECT :trigger});
	wait_run($node, $made, 'succeeded', 'a run that was asked for');
	wait_run($node, $long, 'canceled', 'one that was canceled');
	wait_until($node, qq{SELECT count(*) > $looked FROM done WHERE what = 'look'}, 'and one that a change has asked for');
};

promise 'runs' => sub {
	my $command = q{INSERT INTO done VALUES ('run'); SELECT starve()};
	is_run(run_job($node, 'starves', $command), { status => 'succeeded' }, 'in a worker');
	is_run(run_job($node, 'starves', "$command; SELECT 1 / 0"), { status => 'failed', sqlstate => '22012' }, 'one that fails');
	value($node, define_job('starves', $command) . q{CALL ratchet.run('starves'); CALL ratchet.run('starves')});
	psql_fails($node, define_job('starves', "$command; SELECT 1 / 0") . q{CALL ratchet.run('starves')}, qr/ERROR:  22012/, 'in the foreground, one that fails');
	is( value($node, q{SELECT string_agg(status, ' ' ORDER BY run_id) FROM ratchet.runs WHERE cause = 'foreground'}),
		'succeeded succeeded failed', 'and ones that do not');
	is(value($node, q{SELECT count(*) FROM done WHERE what = 'run'}), 3, 'what they have done is what is recorded');
};

finish();
