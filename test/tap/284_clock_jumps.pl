# The clock of the machine is set while jobs run: forward, back, by seconds and by years. Spans last as long
# as they last, and what goes by the calendar is planned anew.

use strict;
use warnings;

use POSIX ();
use PostgreSQL::Test::Utils;
use RatchetTest;
use ServerClock;
use Test::More;
use Time::HiRes qw(sleep time);

my $hour = 3600;
my $year = 365 * 24 * $hour;

my $node = with_clock(sub { new_node('main', conf => "ratchet.log_runs = none\nlog_statement = none\n") });

sub restart
{
	with_clock(sub { $node->restart });
	return;
}

# The scheduler looks at the clock at each pass, and at least every ten seconds.
sub set_clock_and_notice
{
	my ($ahead) = @_;
	set_clock($ahead);
	value($node, q{SELECT ratchet.alter_job('nudge', priority => (random() * 100)::int)});
	return;
}

sub succeeded
{
	my ($job) = @_;
	return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'");
}

sub goes_on
{
	my ($job, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = succeeded($job);
	wait_until($node, "SELECT count(*) > $before + 1 FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'", $what, timeout => within(25));
	return;
}

$node->safe_psql('postgres', define_job('nudge', 'SELECT 1') . q{
	CREATE TABLE item AS SELECT id FROM generate_series(1, 60) AS id;
	ALTER TABLE item ADD PRIMARY KEY (id);
	CREATE TABLE done (item int);
	CREATE TABLE always (n int); -- who finds nothing to do rests for longer and longer
	SELECT ratchet.schedule('each second', '1 second', 'SELECT 1');
	-- Not pg_sleep(), which goes by the wall clock.
	SELECT ratchet.schedule('at work', '1 second', 'SELECT count(*) FROM generate_series(1, 2000000)');
	SELECT ratchet.schedule('always', '@continuous', 'INSERT INTO always SELECT count(*) FROM generate_series(1, 200000)');
	SELECT ratchet.schedule('after', '1 second after completion', 'SELECT 1');
});
my @jobs = ('each second', 'at work', 'always', 'after');

promise 'no job stands still, however far the clock is set back while its runs are under way' => sub {
	goes_on($_, "$_ runs") for @jobs;
	my $ahead = 0;
	for my $back (60, 3 * $hour, 30 * 24 * $hour)
	{
		$ahead -= $back;
		set_clock_and_notice($ahead);
		goes_on($_, "$_ goes on after -$back") for @jobs;
	}
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE duration < interval '0'}), 0, 'no run has taken less than no time');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'at work' AND duration > interval '40 s'}), 0, 'or more than it did');
	is(value($node, q{SELECT count(*) FROM ratchet.stat_jobs WHERE total_time < 0}), 0, 'nor is it counted so');
};

promise 'the log says so once' => sub {
	my @told = wait_log($node, 'the clock was set back by 60 seconds', 'it says by how much');
	is(scalar(@told), 1, 'once');
};

promise 'a restart with a clock that is behind' => sub {
	for my $how ('restart', 'crash')
	{
		set_clock(0);
		value($node, q{SELECT ratchet.alter_job('nudge', priority => 1)});
		goes_on('each second', "before the $how");
		set_clock(-2 * $hour);
		if ($how eq 'restart')
		{
			restart();
		}
		else
		{
			kill_and_wait($node, ratchet_pids($node, 'worker'));
		}
		goes_on($_, "$_ goes on after the $how") for @jobs;
	}
};

promise 'a scheduler that dies while the clock is set back' => sub {
	set_clock(0);
	goes_on('each second', 'the clock is right');
	my ($pid) = ratchet_pids($node, 'scheduler', 'postgres');
	kill 'TERM', $pid;
	set_clock(-2 * $hour);
	goes_on('each second', 'another one goes on');
	set_clock_and_notice(0);
};

promise 'time-outs, pauses and rests last as long as they last' => sub {
	value($node, q{SELECT ratchet.unschedule(job_name) FROM ratchet.jobs WHERE job_name <> 'nudge'});
	my $lock = lock_session($node, 1);
	my $long = begin_run($node, 'long', 'SELECT pg_advisory_xact_lock_shared(1)', "timeout => '1 hour'");
	my $short = begin_run($node, 'short', 'SELECT pg_advisory_xact_lock_shared(1)', "timeout => '5 seconds'");
	$node->safe_psql('postgres', define_batch('walk', 'SELECT id FROM item', 'INSERT INTO done VALUES ($1)', "batch_size => 20, pause_ratio => 0.9, batch_target => '100 ms', max_run_time => '1 hour'"));
	my $walk = value($node, q{SELECT ratchet.trigger('walk')});
	my $failed = run_job($node, 'failing', 'SELECT 1 / (ratchet.attempt() - 1)', "max_attempts => 2, backoff => '4 seconds', backoff_factor => 1, backoff_jitter => 0");
	my $failed_at = time;
	wait_until($node, "SELECT started_at IS NOT NULL FROM ratchet.running WHERE run_id = $_") for ($long, $short);
	set_clock_and_notice(2 * $hour);
	sleep(1);
	is(run_status($node, $long), 'running', 'a time-out of an hour does not end a run within seconds');
	set_clock_and_notice(-5 * $hour);
	is(value($node, q{SELECT count(*) FROM ratchet.running WHERE elapsed < interval '0' OR elapsed > interval '1 minute' OR rate < 0}), 0, 'what is shown of runs under way');
	wait_run($node, $short, 'timed_out', 'a short time-out ends its run in spite of a clock that went back', timeout => within(30));
	wait_run($node, $walk, 'succeeded', 'a walk goes on', timeout => within(30));
	$lock->quit;
	wait_run($node, $long, 'succeeded', 'nor after it');
	$lock = lock_session($node, 1);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'failing' AND status = 'succeeded'}, 'a retry comes', timeout => within(30));
	ok(time - $failed_at > 3, 'and not before its time') or diag(time - $failed_at);
	my $idle = begin_run($node, 'idle', 'SELECT pg_advisory_xact_lock_shared(1)');
	my $began = time;
	my $child = fork() // die "cannot fork: $!";
	if ($child == 0)
	{
		sleep(1);
		set_clock(-10 * $hour);
		POSIX::_exit(0);
	}
	is(value($node, "SELECT ratchet.wait($idle, '3 seconds')"), 'running', 'wait() ends');
	cmp_ok(time - $began, '<', within(20), 'it does not wait for longer than it was asked to');
	cmp_ok(time - $began, '>', 2, 'nor for less');
	waitpid($child, 0);
	$lock->quit;
	set_clock_and_notice(0);
};

promise 'only_if is canceled in time' => sub {
	$node->safe_psql('postgres', q{ALTER SYSTEM SET ratchet.only_if_timeout = '3 s'});
	$node->reload;
	my $lock = lock_session($node, 1);
	my $run = begin_run($node, 'checked', 'SELECT 1', "only_if => 'SELECT pg_advisory_xact_lock_shared(1) IS NOT NULL'");
	wait_until($node, "SELECT started_at IS NOT NULL FROM ratchet.running WHERE run_id = $run");
	set_clock(-2 * $hour);
	wait_run($node, $run, 'failed', 'it has failed', timeout => within(30));
	like(value($node, "SELECT error FROM ratchet.runs WHERE run_id = $run"), qr/only_if_timeout/, 'and says why');
	$lock->quit;
	set_clock_and_notice(0);
};

promise 'what was missed by a jump forward is caught up once, and what goes by elapsed time goes on' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('half an hour', '30 minutes', 'SELECT 1', misfire => 'once')});
	set_clock_and_notice($hour);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'half an hour' AND status = 'succeeded'}, 'it has run', timeout => within(25));
	set_clock_and_notice(0);
	wait_until($node, q{SELECT next_run_at - clock_timestamp() < interval '31 minutes' FROM ratchet.jobs WHERE job_name = 'half an hour'}, 'the next run is soon', timeout => within(25));
};

promise 'swings make nothing run twice' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('swinging', '500 ms', 'SELECT 1')});
	for my $ahead (0, -2, 0, 2, 0, -2, 0)
	{
		set_clock_and_notice($ahead);
		sleep(0.6);
	}
	goes_on('swinging', 'it goes on');
	is(value($node, q{SELECT count(*) - count(DISTINCT scheduled_at) FROM ratchet.runs WHERE job_name = 'swinging' AND status = 'succeeded'}), 0, 'none was run twice');
	value($node, q{SELECT ratchet.unschedule('swinging')});
};

promise 'history stays when the clock is years ahead, and goes when it is right again' => sub {
	restart();    # what the clock did before is not to matter
	my $kept = run_job($node, 'kept', 'SELECT 1');
	my $short = run_job($node, 'short history', 'SELECT 1', "keep_history => '2 seconds'");
	set_clock_and_notice(10 * $year);
	my $ahead = value($node, q{SELECT ratchet.trigger('short history')});
	wait_run($node, $ahead, 'succeeded', 'a run of the future');
	value($node, q{SELECT ratchet.alter_job('kept', keep_history => '29 days')});
	$node->safe_psql('postgres', q{SELECT pg_sleep(2)});
	isnt(run_status($node, $kept->{run_id}), '', 'a month has not passed');
	set_clock_and_notice(0);
	my $later = value($node, q{SELECT ratchet.trigger('short history')});
	wait_run($node, $later, 'succeeded', 'a run of the present');
	wait_until($node, qq{SELECT count(*) = 0 FROM ratchet.runs WHERE run_id IN ($ahead, $later)}, 'the run of the future keeps none of its job', timeout => within(40));
	isnt(run_status($node, $kept->{run_id}), '', 'and others are kept');
};

finish();
