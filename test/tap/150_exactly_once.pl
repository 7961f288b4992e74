# A walk over many rows is stopped in all ways that there are, again and again at random moments, and in
# the end each row was done exactly once, and the log accounts for every one.

use strict;
use warnings;

use List::Util qw(shuffle);
use RatchetTest;
use Test::More;
use Time::HiRes qw(usleep);

my $rows = 200_000;

# RATCHET_SEED=… plays a failed test again, as far as time can be played again.
my $seed = $ENV{RATCHET_SEED} // int(rand(1_000_000));
srand($seed);
diag("RATCHET_SEED=$seed");

my $node = new_node('main');
# Rows whose id ends in 1717 or 6717 cannot be done. The walks rest, so that they last for some seconds.
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE counter (
	id int PRIMARY KEY,
	by_item int NOT NULL DEFAULT 0 CHECK (by_item = 0 OR id % 5000 <> 1717),
	by_batch int NOT NULL DEFAULT 0 CHECK (by_batch = 0 OR id % 5000 <> 1717)) WITH (fillfactor = 40);
INSERT INTO counter SELECT g FROM generate_series(1, $rows) g;
VACUUM ANALYZE counter;

SELECT ratchet.schedule_batch('by_item', '\@manual', 'SELECT id FROM counter',
	'UPDATE counter SET by_item = by_item + 1 WHERE id = \$1',
	batch_size => 100, pause_ratio => 0.75, backoff => '20 ms', backoff_cap => '100 ms');
SELECT ratchet.schedule_batch('by_batch', '\@manual', 'SELECT id FROM counter',
	'UPDATE counter SET by_batch = by_batch + 1 FROM unnest(\$1) AS item (id) WHERE counter.id = item.id', per => 'batch',
	batch_size => 100, pause_ratio => 0.75, backoff => '20 ms', backoff_cap => '100 ms');

-- Where the job is, and all that does not fit to that in the same snapshot: rows that are not done once, or done too early;
-- failed items that are missing, or recorded twice or too early; items for which the log does not account; the
-- record of the end without the last row, or the reverse.
CREATE FUNCTION agrees(job text, done text, OUT at int, OUT wrong text) LANGUAGE plpgsql AS \$\$
BEGIN
	EXECUTE format(\$query\$
		WITH c AS MATERIALIZED (
			SELECT k.* FROM ratchet.job_checkpoint k JOIN ratchet.job j USING (job_id) WHERE j.job_name = %1\$L),
		r AS MATERIALIZED (SELECT * FROM ratchet.run_log WHERE job_name = %1\$L AND status <> 'skipped'),
		p AS MATERIALIZED (
			SELECT coalesce((SELECT (value ->> 'id')::int FROM c),
			                CASE WHEN EXISTS (SELECT FROM r WHERE status = 'succeeded') THEN $rows ELSE 0 END) AS at)
		SELECT at, concat_ws(', ',
			(SELECT nullif(count(*), 0) || ' rows are not what they should be, such as ' || min(id) FROM counter
			  WHERE %2\$I <> CASE WHEN id <= at AND id %% 5000 <> 1717 THEN 1 ELSE 0 END),
			(SELECT nullif(count(*), 0) || ' failed items differ'
			   FROM (SELECT (key ->> 'id')::int AS id FROM ratchet.failed_item WHERE job_name = %1\$L) f
			   FULL JOIN (SELECT id FROM generate_series(1717, at, 5000) id) b USING (id) WHERE f.id IS NULL OR b.id IS NULL),
			(SELECT 'failed items recorded twice' FROM ratchet.failed_item WHERE job_name = %1\$L HAVING count(*) <> count(DISTINCT key)),
			(SELECT 'the log has ' || items || ' items'
			   FROM (SELECT coalesce((SELECT sum(items_done + items_failed) FROM r), 0)
			                + coalesce((SELECT items_done + items_failed FROM c WHERE run_id NOT IN (SELECT run_id FROM r)), 0)) t (items)
			  WHERE items <> at AND NOT EXISTS (SELECT FROM ratchet.run_queue WHERE claimed_at IS NOT NULL AND run_id <> (SELECT run_id FROM c))),
			(SELECT 'a checkpoint is left behind the end' FROM r WHERE status = 'succeeded' AND EXISTS (SELECT FROM c)))
		  FROM p\$query\$, job, done) INTO at, wrong;
END \$\$;
SQL

# One look, one snapshot: what was done is what is recorded as done. Returns the place.
sub agrees
{
	my ($job, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($at, $wrong) = split /\|/, value($node, "SELECT * FROM agrees('$job', '$job')"), 2;
	is($wrong, '', "$what, at $at: the log agrees with the data");
	return $at;
}

sub let_start
{
	my ($on) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET ratchet.enabled = $on");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	return;
}

# The server as it comes up, before anything goes on: all that was lost is recorded, and agrees.
sub look_before_it_goes_on
{
	my ($job, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.run_queue WHERE claimed_at IS NOT NULL)
	                       AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler')});
	my $at = agrees($job, $what);
	let_start('on');
	return $at;
}

sub trigger_again
{
	my ($job) = @_;
	return value($node, "SELECT ratchet.trigger('$job')");
}

sub live_run
{
	my ($job) = @_;
	return row($node, "SELECT run_id, pid FROM ratchet.running WHERE job_name = '$job'");
}

# The server's processes with their children, all at once and without a chance to say anything.
sub kill_server
{
	my $postmaster = $node->{_pid};
	kill('STOP', $postmaster);    # no new children from now on
	my @children;
	for my $file (glob '/proc/[0-9]*/stat')
	{
		open(my $stat, '<', $file) or next;
		my ($pid, $parent) = (<$stat> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
		push @children, $pid if $parent == $postmaster;
	}
	kill('KILL', shuffle($postmaster, @children));
	$node->{_pid} = undef;
	for my $pid ($postmaster, @children)
	{
		for (1 .. 2000)
		{
			last unless kill(0, $pid);
			usleep(5_000);
		}
	}
	# Where process 1 does not bury the dead, the postmaster would seem to be alive.
	unlink $node->data_dir . '/postmaster.pid';
	return;
}

sub restart_after
{
	my ($job, $what, $stop) = @_;
	let_start('off');
	$stop->();
	$node->start;
	return look_before_it_goes_on($job, $what);
}

# Each gets the job's name, leaves it with a run that is under way or will be, and returns where the walk was.
my %stop = (
	'the server is killed' => sub {
		my ($job) = @_;
		restart_after($job, 'after SIGKILL for all', \&kill_server);
	},
	'the worker is killed' => sub {
		my ($job) = @_;
		let_start('off');
		my $run = live_run($job);    # none: it has just come to its end
		kill_and_wait($node, $run->{pid}) if $run;
		return look_before_it_goes_on($job, 'after SIGKILL for the worker');
	},
	'the worker is terminated' => sub {
		my ($job) = @_;
		my $run = live_run($job);
		value($node, "SELECT pg_terminate_backend($run->{pid})");
		wait_run($node, $run->{run_id}, 'crashed', 'a run whose worker was terminated');
		return agrees($job, 'after pg_terminate_backend');
	},
	'the run is canceled' => sub {
		my ($job) = @_;
		my $run = live_run($job);
		value($node, "SELECT ratchet.cancel($run->{run_id})");
		wait_run($node, $run->{run_id}, 'canceled', 'a run that was canceled');
		my $at = agrees($job, 'after a cancel');
		my $next = trigger_again($job);
		wait_until($node,
			"SELECT EXISTS (SELECT FROM ratchet.job_checkpoint WHERE run_id = $next AND run_from ->> 'id' = '$at')
			     OR EXISTS (SELECT FROM ratchet.run_log WHERE run_id = $next AND checkpoint_from ->> 'id' = '$at')",
			'the next one begins behind it');
		return $at;
	},
	'the time is over' => sub {
		my ($job) = @_;
		my $canceled = live_run($job)->{run_id};
		value($node, "SELECT ratchet.cancel($canceled)");
		wait_run($node, $canceled, 'canceled', 'a run that was canceled');
		value($node, "SELECT ratchet.alter_job('$job', timeout => '" . (20 + int(rand(80))) . " ms')");
		wait_run($node, trigger_again($job), 'timed_out', 'a run whose time is over');
		value($node, "SELECT ratchet.alter_job('$job', reset => '{timeout}')");
		my $at = agrees($job, 'after a time-out');
		trigger_again($job);
		return $at;
	},
	'the server is stopped' => sub {
		my ($job) = @_;
		restart_after($job, 'after a fast shutdown', sub { $node->stop('fast') });
	},
	'the server is stopped at once' => sub {
		my ($job) = @_;
		restart_after($job, 'after an immediate shutdown', sub { $node->stop('immediate') });
	},
	'the scheduler is terminated' => sub {
		my ($job) = @_;
		terminate_ratchet($node, 'scheduler', 'postgres');
		return agrees($job, 'without a scheduler');
	});

for my $job (qw(by_item by_batch))
{
	promise "a walk $job" => sub {
		# Each way once; the last ones only as long as there is something left to stop.
		my @order = (shuffle(sort keys %stop), shuffle(('the server is killed') x 2, 'the worker is killed'));
		my ($stopped, $at) = (0, 0);
		trigger_again($job);
		for my $how (@order)
		{
			# Somewhere in the next part of what is left, at any moment of a batch or between two.
			my $from = $at + int(rand(($rows - $at) / (@order - $stopped + 4)));
			wait_until($node,
				"SELECT EXISTS (SELECT FROM ratchet.running JOIN ratchet.job_checkpoint USING (run_id) WHERE (value ->> 'id')::int >= $from)
				     OR EXISTS (SELECT FROM ratchet.run_log WHERE job_name = '$job' AND status = 'succeeded')");
			usleep(int(rand(20_000)));
			last unless live_run($job);
			note("$how, from $from on");
			$at = $stop{$how}->($job);
			$stopped++;
		}
		cmp_ok($stopped, '>=', scalar(keys %stop), 'it is stopped in every way before it ends');
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.run_log WHERE job_name = '$job' AND status = 'succeeded'", 'it comes to its end');

		is(agrees($job, 'at the end'), $rows, 'the whole of it');
		my $bad = int(($rows - 1717) / 5000) + 1;
		is_deeply(
			row($node, "SELECT count(*) FILTER (WHERE $job = 1) AS once, count(*) FILTER (WHERE $job = 0) AS never, count(*) AS rows FROM counter"),
			{ once => $rows - $bad, never => $bad, rows => $rows },
			'each row is done exactly once, but for those that cannot be done');
		is_deeply(
			row($node, "SELECT sum(items_done) AS done, sum(items_failed) AS failed, sum(rows_affected) AS changed FROM ratchet.runs WHERE job_name = '$job'"),
			{ done => $rows - $bad, failed => $bad, changed => $rows - $bad },
			'the log accounts for all of them');
		is_deeply(
			row($node, "SELECT count(*) AS items, count(DISTINCT key) AS keys, count(*) FILTER (WHERE attempts = 1 AND sqlstate = '23514') AS once FROM ratchet.failed_items WHERE job_name = '$job'"),
			{ items => $bad, keys => $bad, once => $bad },
			'what cannot be done is recorded once');
		# One whose time was over before it came to its walk has been nowhere.
		is( value(
				$node,
				"SELECT count(*) FROM (SELECT checkpoint_from, lag(checkpoint_to) OVER (ORDER BY run_id) AS before FROM ratchet.runs
				                        WHERE job_name = '$job' AND checkpoint_to IS NOT NULL) r
				  WHERE checkpoint_from IS DISTINCT FROM before"),
			0,
			'each run begins where the one before it ended');
		is(value($node, "SELECT checkpoint_to ->> 'id' FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'"), $rows, 'to the end');
		is(value($node, 'SELECT count(*) FROM ratchet.job_checkpoint'), 0, 'no checkpoint is left');
		is(value($node, 'SELECT count(*) FROM ratchet.run_queue'), 0, 'no run is left');
		note(value($node, "SELECT string_agg(status || ' ' || items_done, ', ' ORDER BY run_id) FROM ratchet.runs WHERE job_name = '$job'"));
	};
}

# A walk of a single batch, which commits together with the record of its run: the last moment of a run
# again and again.
promise 'the last batch and the record of its run' => sub {
	$node->safe_psql('postgres', <<"SQL");
SELECT setseed($seed / 1000000.0);
CREATE TABLE short (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO short SELECT generate_series(1, 500);
SELECT ratchet.schedule_batch('short', '\@manual', 'SELECT id FROM short', 'UPDATE short SET n = n + 1 WHERE id = \$1',
	backoff => '1 ms', backoff_cap => '1 ms');
CREATE TABLE terminated (run_id bigint, at interval);
DO \$\$
DECLARE
	run bigint;
	started timestamptz;
	moment interval;
BEGIN
	FOR round IN 1 .. 60 LOOP
		run := ratchet.trigger('short');
		COMMIT;
		LOOP
			SELECT started_at INTO started FROM ratchet.running WHERE run_id = run;
			EXIT WHEN FOUND OR EXISTS (SELECT FROM ratchet.run_log WHERE run_id = run);
			COMMIT;
		END LOOP;
		moment := random() * interval '8 ms';
		WHILE clock_timestamp() < started + moment LOOP
			NULL;
		END LOOP;
		INSERT INTO terminated SELECT run, clock_timestamp() - started FROM ratchet.running
		 WHERE run_id = run AND pg_terminate_backend(pid);
		COMMIT;
		LOOP
			EXIT WHEN NOT EXISTS (SELECT FROM ratchet.run_queue);
			COMMIT;
			PERFORM pg_sleep(0.001);
		END LOOP;
		IF (SELECT count(*) FROM ratchet.run_log WHERE job_name = 'short' AND status = 'succeeded') <> ALL (SELECT n FROM short) THEN
			RAISE EXCEPTION 'the log and the data disagree after run %', run;
		END IF;
		COMMIT;
	END LOOP;
END \$\$;
SQL
	is(value($node, q{SELECT count(*) FROM short WHERE n <> (SELECT count(*) FROM ratchet.runs WHERE job_name = 'short' AND status = 'succeeded')}),
		0, 'each run that succeeded has done all, each other one nothing');
	is(value($node, q{SELECT sum(items_done) = (SELECT sum(n) FROM short) FROM ratchet.runs WHERE job_name = 'short'}), 't', 'as the log says');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'short' AND status NOT IN ('succeeded', 'crashed')}), 0, 'nothing else');
	is(value($node, q{SELECT count(DISTINCT scheduled_at) FROM ratchet.runs WHERE job_name = 'short' AND status = 'succeeded'}), 60,
		'each of them is taken up until it is done');
	note('terminated: ' . value($node, q{SELECT string_agg(status || ' after ' || at, ', ' ORDER BY at) FROM terminated JOIN ratchet.runs USING (run_id)}));
};

# A walk knows its checkpoint by its place in the table.
promise 'the tables of the extension are rewritten while walks are under way' => sub {
	my @jobs = map { "walker $_" } 1 .. 3;
	for my $job (@jobs)
	{
		$node->safe_psql('postgres', <<"SQL");
CREATE TABLE "$job" (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO "$job" SELECT generate_series(1, 20000);
SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT id FROM "$job"', 'UPDATE "$job" SET n = n + 1 WHERE id = \$1',
	batch_size => 20, pause_ratio => 0.75);
SELECT ratchet.trigger('$job');
SQL
	}
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.job_checkpoint});
	my $times = 0;
	while (value($node, q{SELECT count(*) = 3 FROM ratchet.job_checkpoint}) eq 't')
	{
		$node->safe_psql('postgres', "VACUUM FULL ratchet.$_") for qw(job_checkpoint job_state run_queue);
		$times++;
	}
	cmp_ok($times, '>=', 2, 'several times');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)});
	for my $job (@jobs)
	{
		is(value($node, qq{SELECT count(*) FROM "$job" WHERE n <> 1}), 0, "$job: each row is done once");
		is(value($node, qq{SELECT string_agg(status || ' ' || items_done, ', ') FROM ratchet.runs WHERE job_name = '$job'}), 'succeeded 20000', 'in one run');
	}
	is(value($node, 'SELECT count(*) FROM ratchet.job_checkpoint'), 0, 'no checkpoint is left');
};

finish();
