# What happens after failures, and to occurrences that could not start in time.

use strict;
use warnings;

use RatchetTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE switch (job text PRIMARY KEY, broken boolean NOT NULL DEFAULT true);
CREATE FUNCTION work(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT broken FROM switch WHERE job = name) THEN
		RAISE EXCEPTION 'broken';
	END IF;
END $$;
CREATE TABLE effect (job text, scheduled_at timestamptz);
SQL

sub break_job { my ($job) = @_; $node->safe_psql('postgres', "INSERT INTO switch VALUES ('$job')"); return; }
sub repair_job { my ($job) = @_; $node->safe_psql('postgres', "UPDATE switch SET broken = false WHERE job = '$job'"); return; }

subtest 'a job that fails rests for longer and longer' => sub {
	break_job('tired');
	$node->safe_psql('postgres', <<'SQL');
SELECT ratchet.schedule('tired', '50 ms', 'SELECT work(''tired'')', backoff => '200 ms', backoff_factor => 2, backoff_cap => '1 second');
SELECT ratchet.schedule('neighbour', '100 ms', 'SELECT 1');
SQL
	wait_until($node, q{SELECT count(*) >= 5 FROM ratchet.runs WHERE job_name = 'tired' AND status = 'failed'}, 'it is tried again and again');
	is( value(
			$node,
			q{SELECT string_agg(CASE WHEN rest < wanted THEN 'early' WHEN rest < wanted + 2000 THEN 'on time' ELSE 'late: ' || rest END, ', ' ORDER BY run_id) FROM (
				SELECT run_id, extract(epoch FROM lead(started_at) OVER w - finished_at) * 1000 AS rest,
				       least(1000, 200 * 2 ^ row_number() OVER w) AS wanted
				  FROM ratchet.runs WHERE job_name = 'tired' AND status = 'failed' WINDOW w AS (ORDER BY run_id) LIMIT 4) r}),
		'on time, on time, on time, on time',
		'after 400, 800, 1000 and 1000 ms');
	is( value(
			$node,
			q{SELECT bool_and(reason ~ 'in back-off until .* after (1 consecutive failure|\d+ consecutive failures)(;|$)')
			     AND bool_and(reason !~ ' 1 consecutive failures') AND bool_or(reason ~ ' 1 consecutive failure(;|$)') AND sum(occurrences) >= 30
			    FROM ratchet.runs WHERE job_name = 'tired' AND status = 'skipped' AND reason !~ '^already running'}),
		't',
		'the occurrences that it rests through are recorded as skipped');
	is(value($node, q{SELECT consecutive_failures >= 5 AND backoff_until IS NOT NULL FROM ratchet.jobs WHERE job_name = 'tired'}), 't',
		'ratchet.jobs shows how long it rests');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'neighbour' AND reason ~ 'back-off'}), 0,
		'other jobs do not');
};

subtest 'a trigger runs in spite of back-off, and a success ends it' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('tired', backoff => '1 hour', backoff_cap => '1 hour')});
	wait_until($node, q{SELECT backoff_until > now() + interval '30 minutes' FROM ratchet.jobs WHERE job_name = 'tired'}, 'a job in a long back-off');
	my $run_id = value($node, q{SELECT ratchet.trigger('tired')});
	wait_run($node, $run_id, 'failed', 'a trigger runs at once');
	repair_job('tired');
	$run_id = value($node, q{SELECT ratchet.trigger('tired')});
	wait_run($node, $run_id, 'succeeded', 'and again');
	wait_until($node, q{SELECT consecutive_failures = 0 AND backoff_until IS NULL FROM ratchet.jobs WHERE job_name = 'tired'}, 'the job is in order');
	wait_until($node, "SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'tired' AND cause = 'schedule' AND status = 'succeeded' AND run_id > $run_id",
		'its schedule goes on at once');
	is( value(
			$node,
			q{SELECT sum(occurrences) FILTER (WHERE cause <> 'trigger') = extract(epoch FROM max(scheduled_at) FILTER (WHERE cause <> 'trigger') - min(scheduled_at)) * 20 + 1
			    FROM ratchet.runs WHERE job_name = 'tired'}),
		't',
		'every occurrence is accounted for');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('tired'), ratchet.unschedule('neighbour')});
};

subtest 'max_attempts: an occurrence is tried again' => sub {
	break_job('retried');
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('retried', '@manual', 'SELECT work(''retried'')', max_attempts => 3, backoff => '10 ms', payload => '{"a": 1}')});
	my $run_id = value($node, q{SELECT ratchet.trigger('retried', payload => '{"b": 2}')});
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name = 'retried' AND status = 'failed'}, 'three times');
	is( value(
			$node,
			q{SELECT string_agg(cause || ' ' || attempt || ' ' || same || ' ' || coalesce(follows::text, 'none') || ' ' || payload, ', ' ORDER BY run_id) FROM (
				SELECT *, scheduled_at = first_value(scheduled_at) OVER w AS same, retry_of = lag(run_id) OVER w AS follows
				  FROM ratchet.runs WHERE job_name = 'retried' WINDOW w AS (ORDER BY run_id)) r}),
		'trigger 1 true none {"b": 2}, retry 2 true true {"b": 2}, retry 3 true true {"b": 2}',
		'each retry is for the same occurrence, with the same payload, and names the run before it');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'retried' AND status IN ('queued', 'running')}), 0, 'and no more');
	$node->safe_psql('postgres', q{SELECT ratchet.alter_job('retried', backoff => '2 seconds', backoff_factor => 1)});
	$run_id = value($node, q{SELECT ratchet.trigger('retried')});
	wait_run($node, $run_id, 'failed');
	repair_job('retried');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'retried' AND run_id > $run_id AND status = 'succeeded'", 'a retry may succeed');
	is(value($node, q{SELECT consecutive_failures FROM ratchet.jobs WHERE job_name = 'retried'}), 0, 'which ends the row of failures');
};

subtest 'what the error says about the next attempt goes before the back-off' => sub {
	my %retry;
	for my $sqlstate ('40001', '55P03', '53300', '57P01', '42501', '22012') {
		$node->safe_psql('postgres', sprintf(
				q{SELECT ratchet.schedule('class', '@manual', 'DO $$ BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''%s''; END $$', max_attempts => 2)},
				$sqlstate));
		my $run_id = value($node, q{SELECT ratchet.trigger('class')});
		wait_run($node, $run_id, 'failed');
		wait_until($node, q{SELECT consecutive_failures > 0 FROM ratchet.jobs WHERE job_name = 'class'});
		$retry{$sqlstate} = value(
			$node,
			"SELECT coalesce((SELECT (coalesce(n.started_at, q.run_at) - r.finished_at < interval '30 seconds')::text
			                    FROM ratchet.run_log r JOIN ratchet.runs n ON n.retry_of = r.run_id
			                    LEFT JOIN ratchet.run_queue q ON q.run_id = n.run_id
			                   WHERE r.run_id = $run_id), 'none')");
		$node->safe_psql('postgres', q{SELECT ratchet.unschedule('class')});
	}
	is_deeply(
		\%retry,
		{ '40001' => 'true', '55P03' => 'true', '53300' => 'true', '57P01' => 'true', '42501' => 'none', '22012' => 'false' },
		'soon after errors of the moment, never after one of the text, else after the rest');
};

subtest 'a retry is for the same span of time as the run before it' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION tell_span() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '% to %', ratchet.previous_scheduled_at(), ratchet.scheduled_at();
END $$;
SELECT ratchet.schedule('span', '200 ms', 'SELECT tell_span()', max_attempts => 2, backoff => '1 ms', backoff_cap => '1 ms');
SQL
	wait_until($node, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE job_name = 'span' AND cause = 'retry' AND status = 'failed'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('span')});
	is( value(
			$node,
			q{SELECT count(*) FROM ratchet.runs r JOIN ratchet.runs f ON f.run_id = r.retry_of
			   WHERE r.job_name = 'span' AND r.error IS DISTINCT FROM f.error AND r.status = 'failed'}),
		'0',
		'from previous_scheduled_at() to scheduled_at()');
};

# As if the server had been down for hours: the jobs' clocks are turned back while it is.
sub turn_back
{
	my ($by, @jobs) = @_;
	my $jobs = join ', ', map { "'$_'" } @jobs;
	$node->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
	$node->restart;
	$node->safe_psql('postgres', <<"SQL");
SET session_replication_role = replica;
UPDATE ratchet.home SET since = since - interval '$by';
UPDATE ratchet.job SET schedule_since = schedule_since - interval '$by' WHERE job_name IN ($jobs);
UPDATE ratchet.job_state s SET last_scheduled_at = j.schedule_since, next_run_at = NULL FROM ratchet.job j WHERE j.job_id = s.job_id AND job_name IN ($jobs);
SQL
	$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'pg_ratchet'});
	$node->restart;
	return;
}

sub history
{
	my ($job) = @_;
	return value(
		$node,
		"SELECT string_agg(cause || ' ' || status || ' ' || occurrences || ' ' || round(extract(epoch FROM scheduled_at - schedule_since) / 3600), ', ' ORDER BY run_id)
		   FROM ratchet.runs JOIN ratchet.job USING (job_id, job_name) WHERE job_name = '$job'");
}

subtest 'occurrences that were missed while the server was down' => sub {
	my %misfire = (
		once => q{'once'},
		skip => q{'skip'},
		all => q{'all'},
		some => q{'all', misfire_limit => 2},
		queued => q{'once', overlap => 'queue'},
	);
	for my $job (sort keys %misfire)
	{
		$node->safe_psql('postgres',
			"SELECT ratchet.schedule('$job', '1 hour', 'INSERT INTO effect VALUES (''$job'', ratchet.scheduled_at())', misfire => $misfire{$job})");
	}
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.jobs WHERE schedule = '1 hour' AND next_run_at IS NOT NULL});
	turn_back('5 hours 30 minutes', keys %misfire);
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.jobs WHERE schedule = '1 hour' AND next_run_at > now()});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE status IN ('queued', 'running'))});
	is(history('once'), 'schedule skipped 4 4, catchup succeeded 1 5', q{'once': the latest one runs, late});
	is(history('skip'), 'schedule skipped 5 5', q{'skip': none of them runs});
	is(history('all'), 'catchup succeeded 1 1, catchup succeeded 1 2, catchup succeeded 1 3, catchup succeeded 1 4, catchup succeeded 1 5',
		q{'all': each of them runs, in order});
	is(history('some'), 'schedule skipped 3 3, catchup succeeded 1 4, catchup succeeded 1 5', 'misfire_limit: the latest ones');
	is(history('queued'), history('once'), q{overlap => 'queue' makes no difference: nothing was running});
	is(value($node, q{SELECT count(*) FROM ratchet.runs JOIN ratchet.jobs USING (job_name) WHERE schedule = '1 hour' AND status = 'skipped' AND reason !~ '^missed: could not start in time'}), 0,
		'the others are recorded as missed');
	is(value($node, q{SELECT string_agg(extract(hour FROM scheduled_at - schedule_since)::text, ' ' ORDER BY scheduled_at) FROM effect JOIN ratchet.job ON job = job_name WHERE job = 'all'}),
		'1 2 3 4 5', 'a run knows its logical time, however late it is');
};

subtest 'the server is down for some occurrences of a short interval' => sub {
	$node->safe_psql('postgres', <<'SQL');
SELECT ratchet.schedule('short_once', '200 ms', 'SELECT 1', misfire => 'once');
SELECT ratchet.schedule('short_all', '200 ms', 'SELECT 1', misfire => 'all');
SQL
	wait_until($node, qq{SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = '$_' AND status = 'succeeded'}) for qw(short_once short_all);
	$node->stop('fast');
	sleep(1);    # for so long
	$node->start;
	my $last = value($node, 'SELECT pg_postmaster_start_time()');
	for my $job (qw(short_once short_all))
	{
		wait_until($node, "SELECT count(*) > 2 FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded' AND scheduled_at > '$last'", "$job: goes on");
		$node->safe_psql('postgres', "SELECT ratchet.pause_job('$job')");
		wait_until($node, "SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '$job' AND status IN ('queued', 'running'))");
		is( value(
				$node,
				"SELECT sum(occurrences) FILTER (WHERE retry_of IS NULL) - (extract(epoch FROM max(scheduled_at) - min(scheduled_at)) * 5 + 1)::int
				   FROM ratchet.runs WHERE job_name = '$job'"),
			'0',
			'every occurrence is accounted for');
	}
	# One that falls due just while another one is caught up with is a matter of "overlap".
	is( value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'short_all' AND status = 'skipped' AND reason !~ '^already running'}),
		0, q{with 'all' none is left out});
	is(value($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'short_once' AND status = 'skipped' AND reason ~ '^missed'}), 't', q{with 'once' some are});
};

subtest 'occurrences that were missed while the job was paused' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('paused', '200 ms', 'SELECT 1')});
	wait_until($node, q{SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'paused' AND status = 'succeeded'});
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('paused')});
	my $until = value($node, q{SELECT clock_timestamp() + interval '1 second'});
	wait_until($node, "SELECT clock_timestamp() > '$until'");
	my $runs = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'paused' AND started_at > '} . $until . q{'});
	is($runs, 0, 'it does not run while it is paused');
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('paused')});
	wait_until($node, "SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'paused' AND status = 'succeeded' AND started_at > '$until'", 'it goes on');
	is(value($node, q{SELECT sum(occurrences) >= 3 FROM ratchet.runs WHERE job_name = 'paused' AND status = 'skipped' AND reason ~ '^missed'}),
		't', 'what it missed is recorded');
};

finish();
