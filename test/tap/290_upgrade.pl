# The upgrade to another version, with the files of a next one that script/next-version has made of this tree:
# the server goes on with the library that it has, a new library waits for the new tables, jobs go on when both
# are there, an upgraded installation is the same as a fresh one. And back: an old library keeps still.

use strict;
use warnings;

use RatchetTest;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $next = $ENV{RATCHET_NEXT};
plan skip_all => 'there is no next version: script/check makes one' unless defined $next && -f "$next/to";
my ($from, $to) = map { my $version = slurp_file("$next/$_"); chomp $version; $version } ('from', 'to');

my $path = own_installation("$PostgreSQL::Test::Utils::tmp_check/installation");
my $node = new_node('upgraded', install_path => $path);
my $contents = "$FindBin::RealBin/../upgrade/contents.sql";

value(
	$node, q{
	CREATE DATABASE other;
	CREATE DATABASE fresh;
	CREATE TABLE tick (at timestamptz);
	CREATE TABLE item (id bigint PRIMARY KEY, done integer NOT NULL DEFAULT 0);
	INSERT INTO item SELECT generate_series(1, 400);
	CREATE TABLE watched (n integer);
	SELECT ratchet.schedule('tick', '200 ms', 'INSERT INTO tick VALUES (clock_timestamp())');
	SELECT ratchet.schedule('paused', '1 second', 'SELECT 1', enabled => false);
	SELECT ratchet.schedule('look', '@manual', 'SELECT count(*) FROM watched');
	SELECT ratchet.trigger_on_change('watched', 'look');
	SELECT ratchet.schedule('checked', '@manual', $$DO 'BEGIN
		PERFORM ratchet.save_checkpoint(''{"at": 7}''); PERFORM ratchet.progress(7, 3); END'$$);
});
my $ticks = 'SELECT count(*) FROM tick';
wait_until($node, 'SELECT count(*) > 2 FROM tick', 'jobs run');
wait_run($node, value($node, q{SELECT ratchet.trigger('checked')}), 'partial');
value($node, q{SELECT ratchet.pause_job('checked')});

# A walk that was canceled in the middle, so that it has a checkpoint to go on from.
my $gate = lock_session($node, 7);
my $walk = begin_batch($node, 'walk', 'SELECT id FROM item ORDER BY id',
	'UPDATE item SET done = done + 1 FROM (SELECT CASE WHEN $1 = 225 THEN pg_advisory_xact_lock(7) END) wait WHERE id = $1',
	q{batch_size => 50, key => '{id}'});
wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted},
	'a walk is in the middle');
value($node, "SELECT ratchet.cancel($walk)");
wait_run($node, $walk, 'canceled');
$gate->quit;
my $checkpoints = value($node, 'SELECT string_agg(c::text, chr(10) ORDER BY job_id, walk) FROM ratchet.job_checkpoint c');
like($checkpoints, qr/at/, 'there are checkpoints');

# ---- The files of the next version are there, the server has not been restarted -------------------

install_version($path, $next);
value($node, $ticks);
my $before = value($node, $ticks);
wait_until($node, "SELECT count(*) > $before + 2 FROM tick", 'new files: the server goes on');
psql_fails($node, 'ALTER EXTENSION pg_ratchet UPDATE',
	qr/55000.*cannot make version \Q$to\E of extension pg_ratchet: the loaded library has version \Q$from\E.*HINT:  Restart the server/s,
	'the old library refuses the new tables');
psql_fails($node, 'CREATE EXTENSION pg_ratchet', qr/55000.*cannot make version \Q$to\E/s,
	'also in another database', db => 'other');
is(value($node, q{SELECT extversion FROM pg_extension WHERE extname = 'pg_ratchet'}), $from, 'nothing has changed');
$before = value($node, $ticks);
wait_until($node, "SELECT count(*) > $before + 2 FROM tick", 'jobs go on');

# ---- Restarted: the new library, and the old tables ----------------------------------------------

my $mismatch = "extension pg_ratchet has version $from, the loaded library has version $to";
$node->restart;
my $restarted = value($node, 'SELECT pg_postmaster_start_time()');
wait_log($node, "WARNING:  \Q$mismatch\E", 'the log says that the versions differ');
wait_log($node, 'HINT:  Run ALTER EXTENSION pg_ratchet UPDATE', 'and what to do');
my $session = session($node);
for my $call (
	q{SELECT ratchet.schedule('new', '@manual', 'SELECT 1')}, q{SELECT ratchet.trigger('tick')},
	q{SELECT ratchet.next_runs('1 hour')}, q{SELECT * FROM ratchet.running}, q{CALL ratchet.run('tick')})
{
	psql_fails($node, $call, qr/55000.*\Q$mismatch\E.*HINT:  Run ALTER EXTENSION/s, $call);
}
$session->query('SELECT ratchet.describe_schedule($$1 hour$$)');
like($session->{stderr}, qr/\Q$mismatch\E/, 'a session that stays is told so');
$session->{stderr} = '';
like(value($node, q{SELECT s FROM ratchet.status() s WHERE component = 'scheduler'}),
	qr/version mismatch.*\Q$mismatch\E/, 'ratchet.status() works, and says so');
is(psql_ok($node, 'INSERT INTO watched VALUES (1)', 'statements on tables with a change trigger go through'), '', 'quietly');
# The scheduler looks once per second: long enough for a few looks.
wait_until($node, "SELECT clock_timestamp() > '$restarted'::timestamptz + interval '4 seconds'");
is(value($node, "SELECT count(*) FROM tick WHERE at > '$restarted'"), 0, 'no job runs');
my $said = () = slurp_file($node->logfile) =~ /WARNING:  \Q$mismatch\E/g;
is($said, 1, 'the log says it once');

# ---- The upgrade ---------------------------------------------------------------------------------

my $jobs = 'SELECT string_agg(j::text, chr(10) ORDER BY job_id) FROM ratchet.job j';
my $runs = "SELECT md5(string_agg(concat(run_id, job_id, status, started_at, checkpoint_to, error), ' ' ORDER BY run_id))
	FROM ratchet.run_log WHERE finished_at < '$restarted'";
my ($jobs_before, $runs_before) = (value($node, $jobs), value($node, $runs));

$session->query_safe('BEGIN');
$session->query_safe('ALTER EXTENSION pg_ratchet UPDATE');
$session->query_safe('ROLLBACK');
psql_fails($node, q{SELECT ratchet.trigger('tick')}, qr/\Q$mismatch\E/, 'an upgrade that is rolled back is none');
psql_ok($node, 'ALTER EXTENSION pg_ratchet UPDATE', 'the upgrade, while the scheduler runs');
like($session->query('SELECT ratchet.describe_schedule($$1 hour$$)'), qr/^every hour$/, 'a session that was there goes on');
is($session->{stderr}, '', 'without an error');
$session->quit;
wait_until($node, "SELECT count(*) > 2 FROM tick WHERE at > '$restarted'", 'jobs go on');
wait_until($node, q{SELECT status = 'succeeded' FROM ratchet.runs WHERE job_name = 'look' ORDER BY run_id DESC LIMIT 1},
	'what has changed meanwhile is seen');
is(value($node, $jobs), $jobs_before, 'the jobs are the same');
is(value($node, $runs), $runs_before, 'the history is the same');
is( value($node, 'SELECT string_agg(c::text, chr(10) ORDER BY job_id, walk) FROM ratchet.job_checkpoint c'),
	$checkpoints, 'the checkpoints are the same');
is(value($node, q{SELECT count(*) FROM ratchet.runs r JOIN ratchet.jobs j USING (job_id) WHERE j.job_name = 'paused'}),
	0, 'a paused job stays paused');
wait_run($node, value($node, q{SELECT ratchet.trigger('walk')}), 'succeeded', 'the walk goes on');
is(value($node, 'SELECT concat(min(done), max(done)) FROM item'), '11', 'each item was done once');
is(value($node, 'SELECT count(remark) FROM ratchet.run_log'), 0, 'the new column is there');

# ---- The same as a fresh installation ------------------------------------------------------------

value($node, 'CREATE EXTENSION pg_ratchet', db => 'fresh');
my %contents = map {
	$_ => [ split /\n/, run_psql($node, $_, $contents) ]
} ('postgres', 'fresh');
cmp_ok(scalar @{ $contents{fresh} }, '>', 500, 'there is a lot to compare');
is_deeply($contents{postgres}, $contents{fresh}, 'an upgraded installation is the same as a fresh one');
my $dump = dump_of($node, 'fresh');
like($dump, qr/CREATE EXTENSION IF NOT EXISTS pg_ratchet/, 'a dump has the extension');
is(dump_of($node, 'postgres'), $dump, 'and dumps of both are the same');

# ---- Every version that there was ------------------------------------------------------------------
# The one of this tree, and those that have been released: their install scripts as they were.

my $released = "$FindBin::RealBin/../../sql/released";
my @versions = ($from, grep { $_ ne $from } map { /--(.*)\.sql$/ ? $1 : () } glob "$released/pg_ratchet--*.sql");
for my $version (@versions)
{
	my $script = "$released/pg_ratchet--$version.sql";
	system('cp', $script, pg_config('sharedir', $path) . '/extension') if -f $script;
	my $db = "from_$version" =~ tr/./_/r;
	value($node, "CREATE DATABASE $db");
	psql_ok(
		$node, qq{
		CREATE EXTENSION pg_ratchet VERSION '$version';
		INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)
		VALUES ('old', current_user::regrole, '200 ms', 'UTC', now(), 'SELECT 1');
		ALTER EXTENSION pg_ratchet UPDATE;
		SELECT ratchet.adopt();
	}, "from version $version", db => $db);
	is_deeply([ split /\n/, run_psql($node, $db, $contents) ], $contents{fresh}, 'is the same as a fresh one');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'old' AND status = 'succeeded'}, 'its job runs',
		db => $db);
	value($node, 'DROP EXTENSION pg_ratchet', db => $db);
}

# ---- And back: the old library, and the new tables -----------------------------------------------

install_version($path);
$node->restart;
my $back = value($node, 'SELECT pg_postmaster_start_time()');
$mismatch = "extension pg_ratchet has version $to, the loaded library has version $from";
wait_log($node, "WARNING:  \Q$mismatch\E", 'an old library says so');
wait_log($node, 'HINT:  Restart the server', 'and what to do');
psql_fails($node, q{SELECT ratchet.trigger('tick')}, qr/55000.*\Q$mismatch\E.*HINT:  Restart the server/s,
	'functions are refused');
psql_fails($node, 'SELECT ratchet.describe_schedule($$1 hour$$)', qr/55000.*\Q$mismatch\E/s,
	'also one that has other arguments now');
is(psql_ok($node, 'INSERT INTO watched VALUES (2)', 'statements go through'), '', 'quietly');
is(value($node, "SELECT count(*) FROM tick WHERE at > '$back'"), 0, 'no job runs');
install_version($path, $next);
$node->restart;
wait_until($node, "SELECT count(*) > 2 FROM tick WHERE at > '$back'", 'with the new library, jobs go on');

sub run_psql
{
	my ($server, $db, $file) = @_;
	my ($out, $err) = run_command(
		[ $server->installed_command('psql'), '-XAtq', '-d', $server->connstr($db), '-f', $file ]);
	is($err, '', "$db: " . $file =~ s|.*/||r);
	return $out;
}

# Of the extension alone: what else is in the databases differs.
sub dump_of
{
	my ($server, $db) = @_;
	my ($out) = run_command(
		[ $server->installed_command('pg_dump'), '--schema-only', '--no-comments', '-d', $server->connstr($db),
			'-e', 'pg_ratchet', '-N', 'public' ]);
	return $out =~ s/^--.*\n//gmr =~ s/^\\(un)?restrict .*\n//gmr;
}

finish();
