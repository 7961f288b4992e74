# Jobs that depend on others, and what else keeps them from running: conditions, pauses, rests after
# failures, environments. Runs in the foreground, crashes, copies and other databases.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => 'autovacuum = off');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE broken (job text);
CREATE TABLE gate (open boolean);
INSERT INTO gate VALUES (false);
CREATE TABLE src (id int);
SQL

sub define
{
	my ($job, $parents, $options, %option) = @_;
	my $command = $option{command} // "SELECT 1 / (NOT EXISTS (SELECT FROM broken WHERE job = '$job'))::int";
	value($node,
		"SELECT ratchet.schedule('$job', '\@manual', \$c\$$command\$c\$"
		  . ($parents ? ", depends_on => '{$parents}'" : '') . ($options ? ", $options" : '') . ')', %option);
	return;
}

sub trigger { my ($job, %option) = @_; return value($node, "SELECT ratchet.trigger('$job')", %option); }

# Triggers it, and waits for its success and for all that follows from it.
sub succeed
{
	my ($job, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_run($node, trigger($job, %option), 'succeeded', undef, %option);
	settled(%option);
	return;
}

# What has ended is settled together with what follows from it: who was told of a later run's end
# would know of the one before, too.
sub settled
{
	my (%option) = @_;
	my $run = trigger('marker', %option);
	wait_until($node, "SELECT last_run_id = $run FROM ratchet.jobs WHERE job_name = 'marker'", undef, %option);
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE status IN ('queued', 'running'))}, undef, %option);
	return;
}

# Runs of the job that were started because others have succeeded.
sub followed
{
	my ($job, %option) = @_;
	return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND cause = 'dependency' AND status NOT IN ('queued', 'running', 'skipped', 'canceled')", %option);
}

sub job { my ($job) = @_; return row($node, "SELECT * FROM ratchet.jobs WHERE job_name = '$job'"); }

sub not_needed
{
	my ($job, $n) = @_;
	wait_until($node, "SELECT not_needed >= $n FROM ratchet.stat_jobs WHERE job_name = '$job'");
	return value($node, "SELECT not_needed FROM ratchet.stat_jobs WHERE job_name = '$job'");
}

define('marker');
define('load');

promise 'watch' => sub {
	define('copy', 'load', q{watch => '{src}'});
	succeed('load');
	is(followed('copy'), 1, 'the first time it runs');
	succeed('load');
	is(not_needed('copy', 1), 1, 'nothing has changed: it is counted as not needed');
	my $copy = job('copy');
	is(followed('copy'), 1, 'it has not run');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'copy'}), 1, 'and leaves no record');
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue}), 0, 'nor a run that waits');
	is($copy->{run_count}, 1, 'it is no run');
	like($copy->{waits_for}, qr/^job "load", which has not succeeded since run \d+$/, 'what load has done is used up');
	$node->restart;
	settled();
	is(job('copy')->{last_not_needed_at}, $copy->{last_not_needed_at}, 'a restart does not ask again');
	is(followed('copy'), 1, 'nor does it run');
	$node->safe_psql('postgres', "INSERT INTO src VALUES (1);\nSELECT pg_stat_force_next_flush()");
	settled();
	is(followed('copy'), 1, 'a change without a success of load is not enough');
	succeed('load');
	is(followed('copy'), 2, 'with one it is');
	value($node, q{SELECT ratchet.unschedule('copy')});
};

promise 'only_if' => sub {
	define('gated', 'load', q{only_if => 'SELECT open FROM gate', max_runs => 1});
	define('behind', 'gated');
	succeed('load');
	is(not_needed('gated', 1), 1, 'it is asked once');
	my $gated = job('gated');
	is($gated->{run_count}, 0, 'it is no run');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'gated'}), 0, 'and leaves no record');
	is(followed('behind'), 0, 'nor is it a success');
	$node->restart;
	settled();
	is(job('gated')->{last_not_needed_at}, $gated->{last_not_needed_at}, 'a restart does not ask again');
	value($node, 'UPDATE gate SET open = true');
	succeed('load');
	is(followed('gated'), 1, 'it runs with the next success');
	is(followed('behind'), 1, 'and so does who depends on it');
	succeed('load');
	is(followed('gated'), 1, 'max_runs counts runs');
	value($node, q{SELECT ratchet.unschedule('behind'); SELECT ratchet.unschedule('gated')});
};

promise 'a run that waits is canceled' => sub {
	my $lock = lock_session($node, 1);
	define('holder', undef, q{mutex => 'm'}, command => 'SELECT pg_advisory_xact_lock_shared(1)');
	my $holder = trigger('holder');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $holder");
	define('held', 'load', q{mutex => 'm', max_runs => 1});
	wait_run($node, trigger('load'), 'succeeded');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'queued'});
	my $run = value($node, q{SELECT run_id FROM ratchet.runs WHERE job_name = 'held'});
	is(value($node, "SELECT ratchet.cancel($run)"), 't', 'canceled');
	is(run_status($node, $run), 'canceled', 'it has its record');
	value($node, q{SELECT ratchet.alter_job('held', comment => 'looked at again')});
	$lock->quit;
	settled();
	is(followed('held'), 0, 'no other one takes its place');
	is(job('held')->{run_count}, 0, 'nor does it count');
	succeed('load');
	is(followed('held'), 1, 'before load has succeeded again');
	value($node, q{SELECT ratchet.unschedule('held')});
};

promise 'a pause, and another environment' => sub {
	define('paused', 'load');
	define('elsewhere', 'load', q{environments => '{production}'});
	value($node, q{SELECT ratchet.pause_job('paused')});
	succeed('load') for 1 .. 2;
	is(followed('paused') + followed('elsewhere'), 0, 'neither runs');
	value($node, q{SELECT ratchet.resume_job('paused')});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'paused' AND status = 'succeeded'}, 'it runs when it is resumed');
	settled();
	is(followed('paused'), 1, 'once');
	$node->append_conf('postgresql.conf', "ratchet.environment = 'production'");
	$node->reload;
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'elsewhere' AND status = 'succeeded'}, 'as does the other one when this is its environment');
	settled();
	is(followed('elsewhere'), 1, 'once');
	value($node, q{SELECT ratchet.unschedule('paused'); SELECT ratchet.unschedule('elsewhere')});
};

promise 'a rest after failures' => sub {
	define('tired', 'load', q{backoff => '2 seconds', backoff_jitter => 0});
	value($node, q{INSERT INTO broken VALUES ('tired')});
	succeed('load');
	is(value($node, q{SELECT status FROM ratchet.runs WHERE job_name = 'tired'}), 'failed', 'it fails');
	my $until = job('tired')->{backoff_until};
	ok(defined $until, 'and rests');
	value($node, 'TRUNCATE broken');
	succeed('load');
	is(followed('tired'), 2, 'it runs again');
	is(value($node, qq{SELECT started_at >= '$until' FROM ratchet.runs WHERE job_name = 'tired' ORDER BY run_id DESC LIMIT 1}), 't', 'behind its rest');
	value($node, q{SELECT ratchet.unschedule('tired')});
};

promise 'retries of a parent' => sub {
	define('flaky', undef, q{max_attempts => 2, backoff => '100 ms', backoff_jitter => 0}, command => 'SELECT 1 / (ratchet.attempt() - 1)');
	define('after', 'flaky');
	trigger('flaky');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'after' AND status = 'succeeded'}, 'a retry that succeeds is a success');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'after' AND status = 'skipped'}), 0, 'the failure before it is not told');
	value($node, q{SELECT ratchet.alter_job('flaky', command => 'SELECT 1 / 0')});
	trigger('flaky');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name = 'flaky' AND status = 'failed'});
	settled();
	is(value($node, q{SELECT string_agg(reason, ', ') FROM ratchet.runs WHERE job_name = 'after' AND status = 'skipped'}),
		'job "flaky" failed (run ' . value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'flaky'}) . ')',
		'that of the last attempt is, once');
	value($node, q{SELECT ratchet.unschedule('after')});
};

promise 'a diamond of which one side fails' => sub {
	define('a'); define('b', 'a'); define('c', 'a'); define('d', 'b,c');
	value($node, q{INSERT INTO broken VALUES ('b')});
	succeed('a');
	is(followed('c'), 1, 'the other side runs');
	my $b = value($node, q{SELECT run_id FROM ratchet.runs WHERE job_name = 'b'});
	is(value($node, q{SELECT string_agg(reason, ', ') FROM ratchet.runs WHERE job_name = 'd'}), qq{job "b" failed (run $b)}, 'the end is left out');
	value($node, 'TRUNCATE broken');
	succeed('b');
	is(followed('d'), 1, 'a later success of that side completes it');
	is(followed('c'), 1, 'without the other side');
	value($node, 'SELECT ratchet.unschedule(j) FROM unnest($${d,c,b,a}$$::text[]) j');
};

promise 'runs that do not wait use up what the parents did' => sub {
	define('one'); define('two'); define('both', 'one,two');
	for my $how ('trigger', 'foreground')
	{
		my $before = followed('both');
		succeed('one');
		if ($how eq 'trigger') { succeed('both'); }
		else { psql_ok($node, q{CALL ratchet.run('both')}, 'in the foreground'); settled(); }
		like(job('both')->{waits_for}, qr/^job "one", which has not succeeded since run \d+$/, "$how: it waits for both again");
		succeed('two');
		is(followed('both'), $before, "$how: one of them is not enough");
		psql_ok($node, q{CALL ratchet.run('one')}, 'a parent in the foreground');
		settled();
		is(followed('both'), $before + 1, "$how: both are");
	}
};

promise 'a foreground run that commits just before a crash' => sub {
	define('child', 'load');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	kill('STOP', $scheduler);
	psql_ok($node, q{CALL ratchet.run('load', dry_run => true)}, 'a dry run');
	psql_ok($node, q{CALL ratchet.run('load')}, 'one in earnest');
	kill_and_wait($node, $scheduler);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'child' AND status = 'succeeded'}, 'its child runs');
	is(value($node, q{SELECT count(DISTINCT scheduled_at) FROM ratchet.runs WHERE NOT dry_run AND (run_id, job_name) IN (SELECT max(run_id), job_name FROM ratchet.runs WHERE job_name IN ('load', 'child') AND NOT dry_run GROUP BY job_name)}),
		1, 'with the logical time of its parent');
	$node->restart;
	settled();
	is(followed('child'), 1, 'once, restarts or not');
};

promise 'a copy, and a database with jobs of the same names' => sub {
	my $dump = $node->backup_dir . '.sql';
	$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
	value($node, 'CREATE DATABASE copy');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restored');
	my $graph = q{SELECT string_agg(job_name || ' ' || depends_on::text, ', ' ORDER BY job_name) FROM ratchet.jobs};
	is(value($node, $graph, db => 'copy'), 'both {one,two}, child {load}', 'the graph is there');
	is(value($node, $graph), 'both {one,two}, child {load}', 'as it was');
	wait_until($node, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, 'it holds still', db => 'copy');
	value($node, 'SELECT ratchet.adopt()', db => 'copy');
	my $here = followed('child');
	succeed('load', db => 'copy');
	is(followed('child', db => 'copy'), 1, 'adopted, it goes on');
	is(followed('both', db => 'copy'), 0, 'only with what follows');
	settled();
	is(followed('child'), $here, 'and starts nothing in the other database');
};

finish();
