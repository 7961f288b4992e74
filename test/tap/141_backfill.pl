# ratchet.backfill() and backfill_from: occurrences of the past, each once, in order.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
GRANT USAGE ON SCHEMA ratchet TO alice, bob;
CREATE TABLE effect (job text, run_id bigint, at timestamptz, previous timestamptz, attempt int, done_at timestamptz DEFAULT clock_timestamp());
GRANT ALL ON effect TO PUBLIC;
CREATE FUNCTION note(job text) RETURNS void BEGIN ATOMIC
	INSERT INTO effect (job, run_id, at, previous, attempt)
	VALUES (job, ratchet.run_id(), ratchet.scheduled_at(), ratchet.previous_scheduled_at(), ratchet.attempt());
END;
SQL

sub schedule
{
	my ($job, $schedule, $command, $options) = @_;
	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', "SELECT ratchet.schedule('$job', '$schedule', \$command\$$command\$command\$$options)");
	return;
}

sub backfill
{
	my ($job, $from, $to, %option) = @_;
	return value($node, "SELECT ratchet.backfill('$job', '$from', '$to')", %option);
}

sub wait_done
{
	my ($job, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT NOT EXISTS (SELECT FROM ratchet.backfills WHERE job_name = '$job')
		AND NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = '$job' AND cause <> 'schedule' AND status IN ('queued', 'running'))", $what);
	return;
}

# What the job did, in the order in which it was done.
sub done
{
	my ($job, $zone, $format) = @_;
	return value($node, "SET TIME ZONE '$zone'; SELECT string_agg(to_char(at, '$format'), ' ' ORDER BY done_at) FROM effect WHERE job = '$job'");
}

# A job whose schedule does not come in the way: once per year.
my $yearly = '0 0 1 1 *';

promise 'every occurrence in order, over a change of daylight saving' => sub {
	schedule('dst', '30 2 * * *', q{SELECT note('dst')}, q{time_zone => 'Europe/Berlin'});
	is(backfill('dst', '2024-03-29 00:00+01', '2024-04-02 02:30+02'), 5, 'it says how many there are, both ends included');
	wait_done('dst', 'it ends');
	is(done('dst', 'UTC', 'DD HH24:MI'), '29 01:30 30 01:30 31 01:00 01 00:30 02 00:30', 'each was run, in order: one in the gap right after it');
	is( value($node, q{SELECT bool_and(previous = before) FROM (SELECT previous, coalesce(lag(at) OVER (ORDER BY at), '2024-03-28 01:30Z') AS before FROM effect WHERE job = 'dst') e}),
		't', 'previous_scheduled_at() is the occurrence before');
	is( value($node, q{SELECT string_agg(DISTINCT cause || ' ' || status || ' ' || attempt, ', ') FROM ratchet.runs WHERE job_name = 'dst'}),
		'backfill succeeded 1', 'the log says so');
	is( value($node, q{SELECT bool_and(before IS NULL OR before <= started_at) FROM (SELECT started_at, lag(finished_at) OVER (ORDER BY scheduled_at) AS before FROM ratchet.runs WHERE job_name = 'dst') r}),
		't', 'one at a time');
	is(value($node, q{SELECT run_count || ' ' || (last_success_at IS NOT NULL) FROM ratchet.jobs WHERE job_name = 'dst'}), '0 true', 'it is not the schedule that has started them');
	is(backfill('dst', '2024-03-31 00:00+01', '2024-03-31 00:00+01'), 0, 'there may be none');
	is(value($node, 'SELECT count(*) FROM ratchet.backfills'), 0, 'which leaves nothing');
};

promise 'intervals go on into the past' => sub {
	schedule('grid', '7 hours', q{SELECT note('grid')}, q{time_zone => 'UTC'});
	my $since = value($node, q{SELECT schedule_since FROM ratchet.jobs WHERE job_name = 'grid'});
	is(value($node, "SELECT ratchet.backfill('grid', '$since'::timestamptz - interval '21 hours', '$since'::timestamptz - interval '1 second')"), 3, 'on the same grid');
	wait_done('grid');
	is(value($node, "SELECT string_agg(('$since'::timestamptz - at)::text, ' ' ORDER BY done_at) FROM effect WHERE job = 'grid'"), '21:00:00 14:00:00 07:00:00', 'each was run');
	schedule('started', '1 hour', q{SELECT note('started')}, q{start_at => '2024-01-01 05:00Z', misfire => 'skip'});
	is(backfill('started', '2024-01-01 00:00Z', '2024-01-01 07:00Z'), 3, 'but not before start_at');
	wait_done('started');
	is(value($node, q{SELECT string_agg(to_char(at AT TIME ZONE 'UTC', 'HH24'), ' ' ORDER BY done_at) FROM effect WHERE job = 'started' AND at < '2024-01-02'}), '05 06 07', 'which is the first');
};

promise 'an occurrence that fails' => sub {
	schedule('failing', '0 0 * * *',
		q{SELECT note('failing'), 1 / (extract(day FROM ratchet.scheduled_at() AT TIME ZONE 'UTC') - 2)},
		q{time_zone => 'UTC', max_attempts => 2, backoff => '150 ms', backoff_factor => 2, backoff_cap => '10 s'});
	is(backfill('failing', '2024-05-01 00:00Z', '2024-05-04 00:00Z'), 4);
	wait_done('failing', 'the backfill goes on behind it');
	is( value($node, q{SELECT string_agg(to_char(scheduled_at AT TIME ZONE 'UTC', 'DD') || ' ' || cause || ' ' || attempt || ' ' || status, ', ' ORDER BY run_id) FROM ratchet.runs WHERE job_name = 'failing'}),
		'01 backfill 1 succeeded, 02 backfill 1 failed, 02 retry 2 failed, 03 backfill 1 succeeded, 04 backfill 1 succeeded',
		'it is tried again before the next one, and stays recorded');
	is( value($node, q{SELECT string_agg((extract(epoch FROM rest) > 0.3)::text || ' ' || (extract(epoch FROM rest) > 0.6), ', ' ORDER BY run_id) FILTER (WHERE before = 'failed')
		FROM (SELECT run_id, lag(status) OVER w AS before, started_at - lag(finished_at) OVER w AS rest FROM ratchet.runs WHERE job_name = 'failing' WINDOW w AS (ORDER BY run_id)) r}),
		'true false, true true', 'after each failure the job rests');
};

promise 'pause, cancel, unschedule' => sub {
	my $lock = lock_session($node, 1);
	schedule('held', '0 * * * *', q{SELECT pg_advisory_xact_lock_shared(1), note('held')}, q{time_zone => 'UTC'});
	is(backfill('held', '2024-05-01 00:00Z', '2024-05-01 05:00Z'), 6);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'running'});
	is(value($node, q{SELECT to_char(after_time AT TIME ZONE 'UTC', 'HH24') || ' ' || to_char(to_time AT TIME ZONE 'UTC', 'HH24') || ' ' || remaining || ' ' || holds_schedule || ' ' || (owner = current_user::regrole) FROM ratchet.backfills WHERE job_name = 'held'}),
		'00 05 5 false true', 'ratchet.backfills shows where it is');
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('held')});
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'succeeded'}, 'a run that is under way is let finish');
	run_job($node, 'any', 'SELECT 1') for 1 .. 3;
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'held'}), 1, 'a paused job goes no further');
	my $again = lock_session($node, 1);
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('held')});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'running'}, 'one that is resumed goes on');
	my $run_id = value($node, q{SELECT run_id FROM ratchet.runs WHERE job_name = 'held' AND status = 'running'});
	$node->safe_psql('postgres', "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'running' AND run_id > $run_id", 'behind one that is canceled, too');
	is(value($node, q{SELECT ratchet.cancel_backfill('held')}), 3, 'canceling all of it says how many will not run');
	$again->quit;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'held' AND status IN ('running', 'queued')});
	is(done('held', 'UTC', 'HH24'), '00 02', 'and the rest does not');
	is(value($node, q{SELECT ratchet.cancel_backfill('held')}), 0, 'there is nothing left to cancel');

	my $third = lock_session($node, 1);
	backfill('held', '2024-06-01 00:00Z', '2024-06-01 05:00Z');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'held' AND status = 'running'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('held')});
	$third->quit;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'held' AND status IN ('running', 'queued')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.backfill}, 'unschedule ends it');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'held' AND at >= '2024-06-01'}), 1, 'but for the run under way');
};

promise 'an ordinary occurrence goes before the next one of the past' => sub {
	my $lock = lock_session($node, 1);
	# Only the past waits for the lock: which of the two comes first when the job is resumed, is left open.
	schedule('both', '1 second', q{SELECT CASE WHEN ratchet.scheduled_at() < '2024-05-02' THEN pg_advisory_xact_lock_shared(1) END, note('both')}, q{start_at => '2024-05-01 00:00Z', misfire => 'skip', enabled => false});
	is(backfill('both', '2024-05-01 00:00Z', '2024-05-01 00:00:03Z'), 4);
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('both')});
	wait_until($node, q{SELECT count(*) >= 1 FROM ratchet.runs WHERE job_name = 'both' AND status = 'running' AND cause = 'backfill'});
	my $now = value($node, 'SELECT clock_timestamp()');
	wait_until($node, "SELECT clock_timestamp() > '$now'::timestamptz + interval '1200 ms'");
	$lock->quit;
	wait_done('both');
	wait_until($node, q{SELECT count(*) FILTER (WHERE cause = 'schedule') > 1 FROM ratchet.runs WHERE job_name = 'both' AND status = 'succeeded'}, 'the schedule goes on');
	is(value($node, q{SELECT string_agg(to_char(at, 'SS'), ' ' ORDER BY done_at) FROM effect WHERE job = 'both' AND at < '2024-05-02'}), '00 01 02 03', 'the past is run in order');
	is(value($node, q{SELECT count(*) FROM ratchet.runs p WHERE job_name = 'both' AND status = 'skipped' AND reason ~ 'already running'
		AND (SELECT cause FROM ratchet.runs b WHERE b.run_id = substring(p.reason FROM 'run (\d+)')::bigint) = 'backfill'}), 0,
		'no occurrence is left out because of it');
	is(value($node, q{SELECT cause IN ('schedule', 'catchup') FROM ratchet.runs WHERE job_name = 'both' AND status = 'succeeded'
		AND run_id > (SELECT min(run_id) FROM ratchet.runs WHERE job_name = 'both' AND cause = 'backfill') ORDER BY started_at, run_id LIMIT 1}), 't', 'the one that came due meanwhile came next');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('both')});
};

promise 'a trigger waits for an occurrence of the past' => sub {
	my $lock = lock_session($node, 1);
	schedule('asked', $yearly, q{SELECT pg_advisory_xact_lock_shared(1), note('asked')}, q{time_zone => 'UTC'});
	is(backfill('asked', '2019-12-31 00:00Z', '2022-01-01 00:00Z'), 3);
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'asked' AND status = 'running'});
	my $run_id = value($node, q{SELECT ratchet.trigger('asked')});
	$lock->quit;
	wait_run($node, $run_id, 'succeeded', 'instead of being content with it');
	wait_done('asked');
};

promise 'two backfills of one job' => sub {
	my $lock = lock_session($node, 1);
	schedule('twice', '0 0 * * *', q{SELECT pg_advisory_xact_lock_shared(1), note('twice')}, q{time_zone => 'UTC'});
	backfill('twice', '2024-05-03 00:00Z', '2024-05-04 00:00Z');
	backfill('twice', '2024-05-01 00:00Z', '2024-05-03 00:00Z');
	is(value($node, q{SELECT count(*) FROM ratchet.backfills WHERE job_name = 'twice'}), 2);
	$lock->quit;
	wait_done('twice');
	is(done('twice', 'UTC', 'DD'), '03 04 01 02 03', 'one after the other');
	schedule('wide', '0 0 * * *', q{SELECT note('wide'), pg_advisory_xact_lock_shared(1)}, q{time_zone => 'UTC', overlap => 'allow'});
	my $again = lock_session($node, 1);
	backfill('wide', '2024-05-01 00:00Z', '2024-05-20 00:00Z');
	wait_until($node, q{SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'wide' AND status = 'running'}, q{with overlap => 'allow' several run at a time});
	is(value($node, q{SELECT count(*) <= current_setting('ratchet.max_workers')::int FROM ratchet.runs WHERE job_name = 'wide'}), 't', 'no more than there are workers');
	$again->quit;
	wait_done('wide');
	is(value($node, q{SELECT count(*) || ' ' || count(DISTINCT at) FROM effect WHERE job = 'wide'}), '20 20', 'each once');
};

promise 'kill -9 of the server' => sub {
	schedule('killed', '0 0 * * *', q{SELECT note('killed'), pg_sleep(0.02)}, q{time_zone => 'UTC'});
	is(backfill('killed', '2024-01-01 00:00Z', '2024-04-29 00:00Z'), 120);
	for my $at (15, 45, 80)
	{
		wait_until($node, "SELECT count(*) >= $at FROM effect WHERE job = 'killed'");
		if ($at == 45)
		{
			$node->stop('immediate');
			$node->start;
			next;
		}
		my ($pid) = ratchet_pids($node, $at == 15 ? 'scheduler' : 'worker', 'postgres');
		kill_and_wait($node, $pid) if defined $pid;
	}
	wait_done('killed', 'it ends');
	is(value($node, q{SELECT count(*) || ' ' || count(DISTINCT at) FROM effect WHERE job = 'killed'}), '120 120', 'each occurrence was run once');
	is(value($node, q{SELECT bool_and(later) FROM (SELECT at > lag(at) OVER (ORDER BY done_at) AS later FROM effect WHERE job = 'killed') e}), 't', 'in order');
	is(value($node, q{SELECT count(*) FROM effect e FULL JOIN (SELECT run_id FROM ratchet.run_log WHERE job_name = 'killed' AND status = 'succeeded') r USING (run_id) WHERE e.job = 'killed' AND r.run_id IS NULL}), 0,
		'as the log says');
};

# backfill_from is an option of schedule(); a library without it can still be asked by the table.
my $has_option = value($node, q{SELECT 'backfill_from' = ANY (proargnames) FROM pg_proc WHERE proname = 'schedule' AND pronamespace = 'ratchet'::regnamespace}) eq 't';

sub schedule_from
{
	my ($job, $schedule, $command, $options, $from) = @_;
	if ($has_option)
	{
		schedule($job, $schedule, $command, "$options, backfill_from => $from");
		return;
	}
	$node->safe_psql('postgres', "SELECT ratchet.schedule('$job', '$schedule', \$command\$$command\$command\$, $options);
		INSERT INTO ratchet.backfill SELECT nextval('ratchet.backfill_id_seq'), job_id, owner::oid, $from - interval '1 us', NULL, true, now() FROM ratchet.job WHERE job_name = '$job';
		SELECT ratchet.adopt()");
	return;
}

promise 'backfill_from, then the schedule: without a gap or a double' => sub {
	schedule_from('from', '200 ms', q{SELECT note('from'), pg_sleep(0.01)}, q{misfire => 'all', overlap => 'queue'}, q{now() - interval '60 seconds'});
	my $since = value($node, q{SELECT schedule_since FROM ratchet.jobs WHERE job_name = 'from'});
	is(value($node, q{SELECT holds_schedule AND to_time IS NULL FROM ratchet.backfills WHERE job_name = 'from'}), 't', 'the schedule waits for the backfill');
	wait_until($node, q{SELECT count(*) FILTER (WHERE cause = 'schedule' AND status = 'succeeded') > 5 FROM ratchet.runs WHERE job_name = 'from'}, 'then it starts');
	is(value($node, q{SELECT count(*) FROM ratchet.backfills WHERE job_name = 'from'}), 0, 'the backfill is done');
	$node->stop('immediate');
	$node->start;
	my $n = value($node, q{SELECT count(*) FROM effect WHERE job = 'from'});
	wait_until($node, "SELECT count(*) > $n + 3 FROM effect WHERE job = 'from'");
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('from')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'from' AND status IN ('queued', 'running'))});
	is( value($node, q{SELECT (count(*) = count(DISTINCT at)) || ' ' || (count(*) - round(extract(epoch FROM max(at) - min(at)) * 5) - 1) FROM effect WHERE job = 'from'}),
		'true 0', 'every occurrence was run once');
	is(value($node, "SELECT min(at) <= '$since'::timestamptz - interval '59.8 seconds' FROM effect WHERE job = 'from'"), 't', 'from the first one on');
	is( value($node, q{SELECT count(*) FROM (SELECT previous, lag(at) OVER (ORDER BY at) AS before FROM effect WHERE job = 'from') e WHERE before IS NOT NULL AND previous IS DISTINCT FROM before}),
		0, 'and each knew the one before it');
};

promise 'a backfill that holds the schedule is canceled' => sub {
	my $lock = lock_session($node, 1);
	schedule_from('let go', '200 ms', q{SELECT note('let go'), pg_advisory_xact_lock_shared(1)}, q{misfire => 'skip'}, q{now() - interval '1 hour'});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'let go' AND status = 'running' AND cause = 'backfill'});
	is(value($node, q{SELECT ratchet.cancel_backfill('let go') > 10000}), 't', 'what is left of it');
	$lock->quit;
	wait_until($node, q{SELECT count(*) FILTER (WHERE cause IN ('schedule', 'catchup')) > 2 FROM ratchet.runs WHERE job_name = 'let go' AND status = 'succeeded'}, 'then the schedule starts');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'let go' AND cause = 'backfill'}), 1, 'without the rest of the past');
	is(value($node, q{SELECT count(*) = count(DISTINCT at) FROM effect WHERE job = 'let go'}), 't', 'and nothing twice');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('let go')});
};

promise 'the past of a job that is over' => sub {
	schedule('over', '0 0 * * *', q{SELECT note('over'), 1 / (ratchet.attempt() - 1)}, q{time_zone => 'UTC', max_attempts => 2, backoff => '50 ms', end_at => now() + interval '1 day'});
	$node->safe_psql('postgres', q{UPDATE ratchet.job SET end_at = '2024-05-02 12:00Z' WHERE job_name = 'over'});
	is(backfill('over', '2024-05-01 00:00Z', '2024-05-03 00:00Z'), 2, 'it has occurrences up to end_at');
	wait_done('over');
	is(value($node, q{SELECT string_agg(cause || ' ' || status, ', ' ORDER BY run_id) FROM ratchet.runs WHERE job_name = 'over'}),
		'backfill failed, retry succeeded, backfill failed, retry succeeded', 'which are tried again, too');
};

promise 'arguments' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('mine', '0 0 * * *', 'SELECT 1', run_as => 'alice', time_zone => 'UTC');
		SELECT ratchet.schedule('manual', '@manual', 'SELECT 1'); SELECT ratchet.schedule('again', '5 minutes after completion', 'SELECT 1');
		SELECT ratchet.schedule('boot', '@startup', 'SELECT 1'); SELECT ratchet.schedule('often', '1 second', 'SELECT 1', enabled => false)});
	psql_fails($node, q{SELECT ratchet.backfill(NULL, '2024-01-01', '2024-01-02')}, qr/22004.*job_name must not be null/s, 'no name');
	psql_fails($node, q{SELECT ratchet.backfill('mine', NULL, '2024-01-02')}, qr/22004.*from_time must not be null/s, 'no start');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '2024-01-02', NULL)}, qr/22004.*to_time must not be null/s, 'no end');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '-infinity', '2024-01-02')}, qr/22023.*from_time must be finite/s, 'from -infinity');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '2024-01-02', 'infinity')}, qr/22023.*to_time must be finite/s, 'to infinity');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '2024-01-02', '2024-01-01')}, qr/22023.*from_time must not be later than to_time/s, 'a negative span');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '2024-01-02', now() + interval '1 day')}, qr/22023.*must not be in the future.*HINT/s, 'the future');
	psql_fails($node, q{SELECT ratchet.backfill('often', '1900-01-01', '2024-01-01')}, qr/22023.*more than 1000000 occurrences.*HINT/s, 'too many');
	psql_fails($node, qq{SELECT ratchet.backfill('$_', '2024-01-01', '2024-01-02')}, qr/55000.*has no past occurrences.*HINT/s, "job $_") for qw(manual again boot);
	psql_fails($node, q{SELECT ratchet.backfill('no such', '2024-01-01', '2024-01-02')}, qr/42704.*job "no such" does not exist/s, 'no such job');
	psql_fails($node, q{SELECT ratchet.cancel_backfill('no such')}, qr/42704/, 'the same for cancel_backfill');
	psql_fails($node, q{SELECT ratchet.backfill('mine', '2024-01-01', '2024-01-02')}, qr/42501.*must be owner of job "mine"/s, q{somebody else's job}, user => 'bob');
	psql_fails($node, q{SELECT ratchet.cancel_backfill('mine')}, qr/42501/, 'cannot be canceled either', user => 'bob');
	psql_ok($node, q{SELECT ratchet.pause_job('mine')}, undef, user => 'alice');
	is(backfill('mine', '4713-01-01 BC', '4700-01-01 BC', user => 'alice'), 4749, 'the beginning of time');
	is(value($node, q{SELECT count(*) FROM ratchet.backfills}, user => 'bob'), 0, 'others do not see it');
	is(value($node, q{SELECT count(*) FROM ratchet.backfills}, user => 'alice'), 1, 'its owner does');
	is(value($node, q{SELECT ratchet.cancel_backfill('mine')}, user => 'alice'), 4749, 'and may cancel it');
	psql_ok($node, q{SELECT ratchet.resume_job('mine')}, undef, user => 'alice');
	wait_done('mine');
	psql_ok($node, q{BEGIN; SELECT ratchet.backfill('mine', '2024-01-01', '2024-01-02'); ROLLBACK}, 'one that is rolled back');
	is(value($node, q{SELECT count(*) FROM ratchet.backfill}), 0, 'is none');
	is(backfill('mine', '2000-01-01 00:00Z', '2000-01-01 00:00Z'), 1, 'the instant that is 0');
	wait_done('mine');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'mine' AND scheduled_at = '2000-01-01 00:00Z' AND status = 'succeeded'}), 1, 'is run');
};

finish();
