# Tables that are not as the library needs them, because a superuser has altered them or another build of the
# same version has made them: it says so, reads and writes nothing, and goes on when that is mended.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
value(
	$node, q{
	CREATE TABLE tick (at timestamptz);
	SELECT ratchet.schedule('tick', '200 ms', 'INSERT INTO tick VALUES (clock_timestamp())');
	SELECT ratchet.schedule('by hand', '@manual', 'SELECT 1');
});
wait_until($node, 'SELECT count(*) > 2 FROM tick', 'jobs run');

my $scheduler = q{SELECT state FROM ratchet.status() WHERE component = 'scheduler'};

# Alters a table, and looks at what everybody says and does until it is mended.
sub check_misfit
{
	my ($alter, $mend, $table, $detail, $call) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $offset = -s $node->logfile;
	my $message = "table ratchet.$table is not as the loaded library needs it";
	psql_ok($node, $alter, $alter);
	wait_until($node, $scheduler =~ s/SELECT state/SELECT state = 'table mismatch'/r, 'ratchet.status() says so');
	like(
		value($node, $scheduler =~ s/SELECT state/SELECT detail/r),
		qr/\Q$message\E\. $detail/, "$table: which one, and what");
	psql_fails($node, $call, qr/55000.*\Q$message\E.*DETAIL:  $detail.*HINT:  (Undo|Drop)/s, 'callers are told')
	  if defined $call;
	$node->wait_for_log(qr/WARNING:  \Q$message\E/, $offset);
	my $count = value($node, 'SELECT count(*) FROM tick');
	psql_ok($node, $mend, $mend);
	wait_until($node, "SELECT count(*) > $count + 2 FROM tick", 'mended: jobs go on');
	is(value($node, $scheduler), 'active', 'ratchet.status() says that, too');
	my $log = substr(slurp_file($node->logfile), $offset);
	my $said = () = $log =~ /WARNING:  \Q$message\E/g;
	is($said, 1, 'the log says it once');
	return;
}

my $trigger = q{SELECT ratchet.trigger('by hand')};
check_misfit('ALTER TABLE ratchet.run_queue ADD COLUMN extra text', 'ALTER TABLE ratchet.run_queue DROP COLUMN extra',
	'run_queue', 'It has a column "extra" that the library does not know\.', $trigger);
check_misfit('ALTER TABLE ratchet.job RENAME COLUMN command TO commands',
	'ALTER TABLE ratchet.job RENAME COLUMN commands TO command',
	'job', 'Its column 9 is "commands" of type text, and should be "command" of type text\.', $trigger);
check_misfit('ALTER TABLE ratchet.job_state ALTER COLUMN crash_streak TYPE bigint',
	'ALTER TABLE ratchet.job_state ALTER COLUMN crash_streak TYPE integer',
	'job_state', 'Its column 11 is "crash_streak" of type bigint, and should be "crash_streak" of type integer\.');
check_misfit(q{CREATE INDEX too_clever ON ratchet.run_log ((error || 'x'))}, 'DROP INDEX ratchet.too_clever',
	'run_log', 'Its index "too_clever" has expressions or a predicate', undef);
check_misfit('CREATE INDEX partial ON ratchet.run_queue (job_id) WHERE claimed_at IS NULL', 'DROP INDEX ratchet.partial',
	'run_queue', 'Its index "partial" has expressions or a predicate', $trigger);

# Each table, also those that are read now and then only.
for my $table (split /\n/, value($node, q{SELECT relname FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r'}))
{
	check_misfit("ALTER TABLE ratchet.$table ADD COLUMN extra text", "ALTER TABLE ratchet.$table DROP COLUMN extra",
		$table, 'It has a column "extra" that the library does not know\.');
}

# What does no harm.
my $count = value($node, 'SELECT count(*) FROM tick');
psql_ok(
	$node, q{
	CREATE INDEX by_status ON ratchet.run_log (status);
	ALTER TABLE ratchet.run_log SET (autovacuum_enabled = off);
	BEGIN; ALTER TABLE ratchet.run_log ADD COLUMN extra text; ROLLBACK;
}, 'an index on a column, an option, a change that is rolled back');
wait_until($node, "SELECT count(*) > $count + 2 FROM tick", 'jobs go on');
is(value($node, $scheduler), 'active', 'and nobody complains');

# A run that is under way cannot be recorded: it is undone, and its failure is recorded later.
my $gate = lock_session($node, 77);
my $run = begin_run($node, 'under way', 'INSERT INTO tick SELECT NULL FROM pg_advisory_xact_lock(77)');
wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run", 'a run is under way');
wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, 'and waits');
psql_ok($node, 'ALTER TABLE ratchet.run_log ADD COLUMN extra text', 'its table is altered');
$gate->query_safe('SELECT pg_advisory_unlock(77)');
wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker' AND state = 'active'},
	'the run comes to its end');
wait_until($node, $scheduler =~ s/SELECT state/SELECT state = 'table mismatch'/r, 'the scheduler holds still');
psql_ok($node, 'ALTER TABLE ratchet.run_log DROP COLUMN extra', 'mended');
wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run", 'the run is recorded');
my $record = run_record($node, $run);
is_run($record, { status => 'failed', sqlstate => '55000' }, 'as one that failed because of that');
is(value($node, 'SELECT count(*) FROM tick WHERE at IS NULL'), 0, 'what it did is undone');
wait_run($node, value($node, q{SELECT ratchet.trigger('under way')}), 'succeeded', 'another one succeeds');
is(value($node, 'SELECT count(*) FROM tick WHERE at IS NULL'), 1, 'and does it');
$gate->quit;

# Rows have room for so many columns, dropped ones included.
for my $i (1 .. 50)
{
	value($node, "ALTER TABLE ratchet.backfill ADD COLUMN c$i integer; ALTER TABLE ratchet.backfill DROP COLUMN c$i");
}
wait_until($node, "SELECT count(*) > $count + 2 FROM tick", 'jobs run with many dropped columns');
is(value($node, $scheduler), 'active', 'and nobody complains');
value($node, "ALTER TABLE ratchet.backfill ADD COLUMN c$_ integer; ALTER TABLE ratchet.backfill DROP COLUMN c$_") for 51 .. 60;
wait_until($node, $scheduler =~ s/SELECT state/SELECT state = 'table mismatch'/r, 'there are too many');
like(value($node, $scheduler =~ s/SELECT state/SELECT detail/r), qr/dropped ones included/, 'it says so');

# Made anew, as the documentation says.
psql_ok(
	$node, q{
	BEGIN;
	CREATE TEMP TABLE kept_job AS SELECT * FROM ratchet.job;
	CREATE TEMP TABLE kept_id AS SELECT last_value, is_called FROM ratchet.job_id_seq;
	DROP EXTENSION pg_ratchet;
	CREATE EXTENSION pg_ratchet;
	INSERT INTO ratchet.job SELECT * FROM kept_job;
	SELECT setval('ratchet.job_id_seq', last_value, is_called) FROM kept_id;
	SELECT ratchet.adopt();
	COMMIT;
}, 'the extension is made anew');
$count = value($node, 'SELECT count(*) FROM tick');
wait_until($node, "SELECT count(*) > $count + 2 FROM tick", 'jobs go on');

finish();
