# Jobs that share a mutex never run at the same time: by schedule, by trigger, in the foreground, across
# restarts; who waits keeps its turn and holds up nobody.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => 'ratchet.max_workers = 6');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE span (job text, run_id bigint, began timestamptz, ended timestamptz);
CREATE FUNCTION work(job text, seconds float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
	PERFORM pg_sleep(seconds);
	INSERT INTO span VALUES (job, ratchet.run_id(), began, clock_timestamp());
END $$;
GRANT ALL ON span TO PUBLIC;
CREATE ROLE alice LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice;
SQL

sub overlaps
{
	return value($node,
		'SELECT count(*) FROM span a JOIN span b ON a.run_id < b.run_id AND a.ended > b.began AND b.ended > a.began');
}

sub define
{
	my ($job, $command, $options) = @_;
	$node->safe_psql('postgres',
		"SELECT ratchet.schedule('$job', '\@manual', \$c\$$command\$c\$, mutex => 'm'" . ($options ? ", $options" : '') . ')');
	return;
}

subtest 'schedules and triggers of two owners' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT ratchet.schedule('p', '100 ms', 'SELECT work(''p'', 0.06)', mutex => 'alice.often');
SELECT ratchet.schedule('q', '100 ms', 'SELECT work(''q'', 0.06)', mutex => 'often', run_as => 'alice');
SELECT ratchet.schedule('r', '100 ms', 'SELECT work(''r'', 0.06)', mutex => 'alice.often', overlap => 'allow', priority => 5);
SQL
	wait_until($node, q{SELECT count(DISTINCT job) = 3 AND count(*) > 30 FROM span}, 'all of them run');
	is(overlaps(), 0, 'and no two at a time');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule(j) FROM unnest('{p,q,r}'::text[]) j});
};

subtest 'who waits holds up nobody, and says for what' => sub {
	my $lock = lock_session($node, 1);
	define('a', 'SELECT pg_advisory_xact_lock_shared(1)');
	define('b', 'SELECT 1');
	my $a = value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my $b = value($node, q{SELECT ratchet.trigger('b')});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('free', '@manual', 'SELECT 1')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('free')}), 'succeeded', 'a job without the mutex runs');
	is(run_status($node, $b), 'queued', 'the other one waits');
	my $words = qq{mutex "m", held by run $a of job "a"};
	is(value($node, "SELECT reason FROM ratchet.runs WHERE run_id = $b"), "waits for $words", 'runs.reason');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'b'}), $words, 'jobs.waits_for');
	is(value($node, q{SELECT why FROM ratchet.job_health WHERE job_name = 'b'}), "waits for $words", 'job_health.why');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'a'}), '', 'who holds it waits for nothing');
	$lock->quit;
	wait_run($node, $_, 'succeeded') for $a, $b;
	is(value($node, "SELECT x.started_at >= y.finished_at FROM ratchet.runs x, ratchet.runs y WHERE x.run_id = $b AND y.run_id = $a"),
		't', 'one after the other');
};

subtest 'the next one starts at once, in the order of the line' => sub {
	my $lock = lock_session($node, 1);
	my $a = value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my @runs;
	for my $priority (3, 1, 2)
	{
		define("prio $priority", 'SELECT 1', "priority => $priority");
		$runs[$priority] = value($node, "SELECT ratchet.trigger('prio $priority')");
		wait_until($node, "SELECT waits_for IS NOT NULL FROM ratchet.jobs WHERE job_name = 'prio $priority'");
	}
	$lock->quit;
	wait_run($node, $_, 'succeeded') for @runs[ 1 .. 3 ];
	is(value($node, q{SELECT string_agg(job_name, ',' ORDER BY started_at) FROM ratchet.runs WHERE job_name LIKE 'prio %'}),
		'prio 1,prio 2,prio 3', 'by priority');
	is(value($node, q{SELECT max(next - finished_at) < '2 seconds' FROM (
			SELECT finished_at, lead(started_at) OVER (ORDER BY started_at) AS next FROM ratchet.runs WHERE job_name LIKE 'prio %') r}),
		't', 'without a pause');
};

subtest 'a canceled or altered job gives up its place' => sub {
	my $lock = lock_session($node, 1);
	my $a = value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my $canceled = value($node, q{SELECT ratchet.trigger('b')});
	wait_until($node, q{SELECT waits_for IS NOT NULL FROM ratchet.jobs WHERE job_name = 'b'});
	is(value($node, "SELECT ratchet.cancel($canceled)"), 't', 'it can be canceled');
	my $b = value($node, q{SELECT ratchet.trigger('b')});
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('b', reset => '{mutex}')});
	wait_run($node, $b, 'succeeded', 'without the mutex it runs at once');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('a', reset => '{mutex}'); SELECT ratchet.alter_job('b', mutex => 'm')});
	$b = value($node, q{SELECT ratchet.trigger('b')});
	wait_until($node, q{SELECT waits_for LIKE 'mutex %' FROM ratchet.jobs WHERE job_name = 'b'}, 'a run keeps the mutex with which it started');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('a')});
	is(run_status($node, $b), 'queued', 'also when its job is dropped');
	$lock->quit;
	wait_run($node, $b, 'succeeded');
};

subtest 'the foreground' => sub {
	my $lock = lock_session($node, 1);
	define('a', 'SELECT pg_advisory_xact_lock_shared(1)');
	my $a = value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my ($status, $out, $err) = $node->psql('postgres', q{CALL ratchet.run('b')});
	is($status, 0, 'a run that finds the mutex taken is no error');
	like($err, qr/NOTICE:  run \d+ of job "b" is skipped: mutex "m" is held by run $a of job "a" \(pid \d+\)/, 'but is skipped');
	define('insistent', 'SELECT 1', q{overlap => 'queue'});
	psql_fails($node, q{CALL ratchet.run('insistent')}, qr/ERROR:  55006: mutex "m" is held by run $a of job "a"/,
		'with another overlap it is one');
	$lock->quit;
	wait_run($node, $a, 'succeeded');

	my $lock2 = lock_session($node, 1);
	my $session = session($node);
	$session->query_until(qr/begun/, "\\echo begun\nCALL ratchet.run('a');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'a' AND cause = 'foreground'});
	my $b = value($node, q{SELECT ratchet.trigger('b')});
	wait_until($node, q{SELECT waits_for LIKE 'mutex %' FROM ratchet.jobs WHERE job_name = 'b'}, 'a run waits for one in the foreground');
	$lock2->quit;
	wait_run($node, $b, 'succeeded', 'and runs when that has ended');
	$session->quit;
};

subtest 'another scheduler knows who holds it' => sub {
	my $lock = lock_session($node, 1);
	my $a = value($node, q{SELECT ratchet.trigger('a')});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my $b = value($node, q{SELECT ratchet.trigger('b')});
	wait_until($node, q{SELECT waits_for LIKE 'mutex %' FROM ratchet.jobs WHERE job_name = 'b'});
	terminate_ratchet($node, 'scheduler');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('free', '@manual', 'SELECT 2')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('free')}), 'succeeded', 'it is at work');
	is(run_status($node, $b), 'queued', 'and lets the run wait');
	$lock->quit;
	wait_run($node, $_, 'succeeded') for $a, $b;
};

subtest 'nothing holds a mutex after a restart' => sub {
	my $a = begin_run($node, 'endless', 'SELECT pg_sleep(1000)');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('endless', mutex => 'm', on_crash => 'next')});
	$a = value($node, q{SELECT ratchet.trigger('endless', "coalesce" => false)});
	$node->safe_psql('postgres', q{SELECT ratchet.cancel(run_id) FROM ratchet.running WHERE job_name = 'endless'});
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $a");
	my $b = value($node, q{SELECT ratchet.trigger('b')});
	wait_until($node, q{SELECT waits_for LIKE 'mutex %' FROM ratchet.jobs WHERE job_name = 'b'});
	$node->stop('immediate');
	$node->start;
	wait_run($node, $a, 'crashed');
	wait_run($node, $b, 'succeeded');
};

is(overlaps(), 0, 'no two at a time, all in all');
finish();
