# Jobs that depend on others: chains and diamonds run once, failures are told, cycles are refused, and
# a crash neither loses nor doubles a run.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE TABLE broken (job text)');

sub define
{
	my ($job, $parents, $options) = @_;
	$node->safe_psql('postgres',
		"SELECT ratchet.schedule('$job', '\@manual', \$c\$SELECT 1 / (NOT EXISTS (SELECT FROM broken WHERE job = '$job'))::int\$c\$"
		  . ($parents ? ", depends_on => '{$parents}'" : '') . ($options ? ", $options" : '') . ')');
	return;
}

sub trigger { my ($job) = @_; return value($node, "SELECT ratchet.trigger('$job')"); }

sub count_runs
{
	my ($job, $status) = @_;
	return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND cause = 'dependency' AND status = '$status'");
}

sub ran
{
	my ($job, $times) = @_;
	wait_until($node,
		"SELECT count(*) = $times FROM ratchet.runs WHERE job_name = '$job' AND cause = 'dependency' AND status = 'succeeded'",
		"$job has run $times times");
	return;
}

# Nothing more is going to come.
my $idle = q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE status IN ('queued', 'running'))};

subtest 'a diamond' => sub {
	define('a'); define('b', 'a'); define('c', 'a'); define('d', 'b,c'); define('e', 'd');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'd'}),
		'job "b", which has not succeeded since this job was defined', 'waits_for');
	for my $time (1, 2)
	{
		wait_run($node, my $run = trigger('a'), 'succeeded');
		ran('e', $time);
		wait_until($node, $idle);
		is(count_runs($_, 'succeeded'), $time, "$_ runs once") for qw(b c d e);
		is(value($node, "SELECT count(DISTINCT scheduled_at) FROM ratchet.runs WHERE scheduled_at = (SELECT scheduled_at FROM ratchet.runs WHERE run_id = $run)"),
			1, 'with the logical time of its parent');
	}
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE next_run_at IS NOT NULL}), 0, 'next_run_at stays null');
};

subtest 'a failure' => sub {
	$node->safe_psql('postgres', q{INSERT INTO broken VALUES ('a')});
	wait_run($node, my $run = trigger('a'), 'failed');
	wait_until($node, q{SELECT count(*) = 4 FROM ratchet.runs WHERE cause = 'dependency' AND status = 'skipped'}, 'is told to all');
	is(value($node, q{SELECT reason FROM ratchet.runs WHERE job_name = 'b' AND status = 'skipped'}),
		qq{job "a" failed (run $run)}, 'the reason');
	is(value($node, q{SELECT reason FROM ratchet.runs WHERE job_name = 'e' AND status = 'skipped'}),
		qq{job "d" did not run: job "a" failed (run $run)}, 'that of who depends on it by others');
	is(count_runs('d', 'skipped'), 1, 'once in a diamond');
	like(value($node, q{SELECT why FROM ratchet.job_health WHERE job_name = 'b'}),
		qr/^waits for job "a", which has not succeeded since run \d+: its last run $run failed$/, 'job_health.why');
	$node->safe_psql('postgres', 'TRUNCATE broken');
	wait_run($node, trigger('a'), 'succeeded');
	ran('e', 3);
};

subtest 'kill -9 between the commit of a parent and the start of its child' => sub {
	# The run commits while no scheduler looks, and the server crashes.
	my $lock = lock_session($node, 1);
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('a', command => 'SELECT pg_advisory_xact_lock_shared(1)')});
	my $run = trigger('a');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run");
	my ($scheduler) = ratchet_pids($node, 'scheduler');
	kill('STOP', $scheduler);
	$lock->quit;
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.run_log WHERE run_id = $run");
	kill_and_wait($node, $scheduler);
	ran('e', 4);
	wait_until($node, $idle);
	is(count_runs('b', 'succeeded'), 4, 'neither lost nor doubled');
};

subtest 'a child with a schedule waits' => sub {
	define('load');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('report', '1 second', 'SELECT 1', depends_on => '{load}')});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'report' AND status = 'skipped'}, 'the first occurrence that is left out is recorded');
	is(value($node, q{SELECT reason FROM ratchet.runs WHERE job_name = 'report'}),
		'job "load" has not succeeded since this job was defined', 'with the reason');
	wait_run($node, trigger('load'), 'succeeded');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'report' AND status = 'succeeded'}, 'it starts when the parent has succeeded');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('report')});
};

subtest 'a parent is renamed, dropped and defined again' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('load', new_name => 'import'); SELECT ratchet.schedule('x', '@manual', 'SELECT 1', depends_on => '{import}')});
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('import', new_name => 'load')});
	is(value($node, q{SELECT depends_on FROM ratchet.jobs WHERE job_name = 'x'}), '{load}', 'its child follows');
	wait_run($node, trigger('load'), 'succeeded');
	ran('x', 1);
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.unschedule('load')});
	like($err, qr/WARNING:  jobs depend on job "load": "x"/, 'a warning');
	is(value($node, q{SELECT why FROM ratchet.job_health WHERE job_name = 'x'}), 'waits for job "load", which does not exist', 'why');
	define('load');
	wait_run($node, trigger('load'), 'succeeded');
	ran('x', 2);
};

subtest 'cycles' => sub {
	psql_fails($node, q{SELECT ratchet.alter_job('a', depends_on => '{e}')},
		qr/ERROR:  22023: job "a" would depend on itself: "a" -> "e" -> "d" -> "[bc]" -> "a"/, 'through other jobs');
	define('p'); define('q');
	my ($one, $two) = (session($node), session($node));
	$one->query_safe(q{BEGIN; SELECT ratchet.alter_job('p', depends_on => '{q}')});
	$two->query_until(qr/begun/, "\\echo begun\nSELECT ratchet.alter_job('q', depends_on => '{p}');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 5 AND NOT granted});
	$one->query_safe('COMMIT');
	$two->quit;
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name IN ('p', 'q') AND depends_on IS NOT NULL}), 1, 'two halves at a time');
	$one->quit;
};

finish();
