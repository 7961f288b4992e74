# When jobs may start at all: active windows, calendars of days that are left out, @continuous.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', q{CREATE TABLE done (n bigint GENERATED ALWAYS AS IDENTITY, job text, id int, at timestamptz DEFAULT clock_timestamp())});

# 'HH:MM-HH:MM' in UTC: from so many minutes after this one to so many.
sub window
{
	my ($from, $to) = @_;
	return value($node, "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '$from minutes', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'UTC' + interval '$to minutes', 'HH24:MI')");
}

sub runs { return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$_[0]' AND status = 'succeeded'"); }

promise 'outside of its window nothing of a job starts' => sub {
	my $closed = window(120, 180);
	$node->safe_psql('postgres', qq{SELECT ratchet.schedule('by night', '200 ms', 'SELECT 1', time_zone => 'UTC', active_window => '$closed')});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('beside it', '200 ms', 'SELECT 1')});
	my $triggered = value($node, q{SELECT ratchet.trigger('by night')});
	wait_until($node, q{SELECT count(*) > 5 FROM ratchet.runs WHERE job_name = 'beside it' AND status = 'succeeded'});
	is(runs('by night'), 0, 'neither its occurrences');
	is(run_status($node, $triggered), 'queued', 'nor what was asked for');
	is( value($node, qq{SELECT reason = format('waits for active window "%s", which opens at %s', '$closed', date_trunc('second', next_run_at))
			FROM ratchet.runs JOIN ratchet.jobs USING (job_id) WHERE run_id = $triggered}),
		't', 'ratchet.runs says that it waits for the window, and how long')
	  or diag(value($node, "SELECT reason FROM ratchet.runs WHERE run_id = $triggered"));
	my $later = value($node, q{SELECT ratchet.trigger('by night', run_at => now() + interval '1 day')});
	is(value($node, "SELECT reason IS NULL FROM ratchet.runs WHERE run_id = $later"), 't', 'not of a run whose time has not come');
	value($node, "SELECT ratchet.cancel($later)");
	is( value($node, q{SELECT next_run_at BETWEEN now() + interval '118 minutes' AND now() + interval '121 minutes' FROM ratchet.jobs WHERE job_name = 'by night'}),
		't', 'ratchet.jobs says that it starts when the window opens');
	is(value($node, q{SELECT color FROM ratchet.job_health WHERE job_name = 'by night'}), 'gray', 'it is neither late nor failing');
	$node->safe_psql('postgres', q{CALL ratchet.run('by night')});
	is(value($node, q{SELECT status FROM ratchet.runs WHERE job_name = 'by night' AND cause = 'foreground'}), 'succeeded', 'a session may run it in the foreground');

	my $open = window(-60, 60);
	$node->safe_psql('postgres', qq{SELECT ratchet.alter_job('by night', active_window => '$open')});
	wait_run($node, $triggered, 'succeeded', 'once it is open, what was asked for runs');
	wait_until($node, q{SELECT count(*) > 2 FROM ratchet.runs WHERE job_name = 'by night' AND cause IN ('schedule', 'catchup') AND status = 'succeeded'}, 'and so does the schedule');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('by night'), ratchet.unschedule('beside it')});
};

promise 'occurrences outside of the window are told when the job starts again' => sub {
	# Defined an hour ago, in which the window was closed.
	my $open = window(-1, 60);
	$node->safe_psql('postgres', qq{SELECT ratchet.schedule('told', '1 minute', 'SELECT 1', enabled => false, time_zone => 'UTC', active_window => '$open')});
	$node->safe_psql('postgres', q{
		SET session_replication_role = replica;
		UPDATE ratchet.job SET schedule_since = date_trunc('minute', now()) - interval '61 minutes' WHERE job_name = 'told'});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.job_state JOIN ratchet.job USING (job_id) WHERE job_name = 'told'});
	$node->safe_psql('postgres', q{
		UPDATE ratchet.home SET since = since - interval '2 hours';
		UPDATE ratchet.job_state SET last_scheduled_at = j.schedule_since FROM ratchet.job j WHERE j.job_id = job_state.job_id AND job_name = 'told'});
	$node->restart;
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('told')});
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'told' AND status = 'succeeded'});
	is( value($node, q{SELECT status, occurrences BETWEEN 55 AND 60 FROM ratchet.runs WHERE job_name = 'told' AND reason ~ '^outside of the active window; \d+ occurrences since'}),
		'skipped|t', 'in one row');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('told')});
};

promise 'a batch job stops at a batch boundary when its window closes, and goes on' => sub {
	my $left = value($node, q{SELECT 60 - extract(second FROM now())::int});
	my $closes = window(-60, $left < 15 ? 2 : 1);
	$node->safe_psql('postgres', define_batch('walk', 'SELECT generate_series(1, 2000) AS id',
			q{INSERT INTO done (job, id) SELECT 'walk', $1 WHERE pg_sleep(0.1) IS NOT NULL},
			qq{batch_size => 3, time_zone => 'UTC', active_window => '$closes'}));
	my $first = value($node, q{SELECT ratchet.trigger('walk')});
	wait_run($node, $first, 'partial', 'it is partial');
	my $run = run_record($node, $first);
	is($run->{reason}, 'the active window has closed', 'and says why');
	is($run->{items_done} % 3, 0, 'with whole batches');
	cmp_ok(value($node, qq{SELECT extract(second FROM finished_at) FROM ratchet.runs WHERE run_id = $first}), '<', 10, 'soon after the minute');
	my $next = value($node, qq{SELECT run_id FROM ratchet.runs WHERE retry_of = $first});
	is(run_status($node, $next), 'queued', 'the rest waits');
	like(value($node, "SELECT reason FROM ratchet.runs WHERE run_id = $next"), qr/^waits for active window "/, 'and says for what');
	my $open = window(-60, 60);
	$node->safe_psql('postgres', qq{SELECT ratchet.alter_job('walk', active_window => '$open', action => 'INSERT INTO done (job, id) SELECT ''walk'', \$1')});
	wait_run($node, $next, 'succeeded', 'and goes on when it is open');
	is(value($node, q{SELECT count(*), count(DISTINCT id) FROM done WHERE job = 'walk'}), '2000|2000', 'each item once');
};

promise 'days of a calendar are left out' => sub {
	# The day may be over before the test is.
	$node->safe_psql('postgres', q{INSERT INTO ratchet.calendar_days SELECT 'holidays', d, 'test' FROM generate_series(current_date - 1, current_date + 1, interval '1 day') d});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('working day', '200 ms', 'SELECT 1', calendar => 'holidays', time_zone => 'UTC')});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('daily', '0 12 * * *', 'SELECT 1', calendar => 'holidays', time_zone => 'UTC')});
	$node->safe_psql('postgres', q{INSERT INTO ratchet.calendar_days SELECT 'holidays', current_date + d FROM generate_series(2, 9) AS d});
	wait_until($node, q{SELECT next_run_at::date - current_date IN (9, 10) FROM ratchet.jobs WHERE job_name = 'daily'}, 'days that are added later put off what is told');
	$node->safe_psql('postgres', q{DELETE FROM ratchet.calendar_days WHERE calendar = 'holidays' AND comment IS NULL; SELECT ratchet.unschedule('daily')});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('any day', '200 ms', 'SELECT 1')});
	wait_until($node, q{SELECT count(*) > 5 FROM ratchet.runs WHERE job_name = 'any day' AND status = 'succeeded'});
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'working day'}), 0, 'nothing runs, and nothing is skipped');
	is(value($node, q{SELECT next_run_at::date - current_date BETWEEN 1 AND 2 FROM ratchet.jobs WHERE job_name = 'working day'}), 't', 'the next run is after them');
	$node->safe_psql('postgres', q{DELETE FROM ratchet.calendar_days WHERE calendar = 'holidays'});
	wait_until($node, q{SELECT count(*) > 2 FROM ratchet.runs WHERE job_name = 'working day' AND status = 'succeeded'}, 'a change counts at once');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('working day'), ratchet.unschedule('any day')});
	psql_fails($node, q{SET ROLE pg_read_all_data; INSERT INTO ratchet.calendar_days VALUES ('a', '2026-12-25')}, qr/42501/, 'not everybody writes them');
	psql_ok($node, q{GRANT INSERT ON ratchet.calendar_days TO pg_read_all_data; GRANT USAGE ON SCHEMA ratchet TO pg_read_all_data;
		SET ROLE pg_read_all_data; INSERT INTO ratchet.calendar_days VALUES ('a', '2026-12-25')}, 'who was granted it does');
};

promise '@continuous' => sub {
	$node->safe_psql('postgres', q{
		CREATE TABLE work (id int PRIMARY KEY);
		SELECT ratchet.schedule('pump', '@continuous', 'WITH w AS (DELETE FROM work WHERE id = (SELECT min(id) FROM work) RETURNING id) INSERT INTO done (job, id) SELECT ''pump'', id FROM w')});
	wait_until($node, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE job_name = 'pump' AND status = 'succeeded'}, 'it runs again and again');
	wait_until($node, q{SELECT max(gap) > interval '700 ms' FROM (SELECT started_at - lag(finished_at) OVER (ORDER BY run_id) AS gap FROM ratchet.runs WHERE job_name = 'pump') g},
		'with longer and longer rests when it finds nothing');
	$node->safe_psql('postgres', q{INSERT INTO work SELECT generate_series(1, 200)});
	my $woken = value($node, q{SELECT ratchet.trigger('pump')});
	wait_run($node, $woken, 'succeeded', 'a trigger does not wait for the end of the rest');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM work)});
	is( value($node, q{SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) < interval '50 ms' FROM (
			SELECT at - lag(at) OVER (ORDER BY n) AS gap FROM done WHERE job = 'pump') g}),
		't', 'as long as there is something to do it runs without a rest');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'pump' AND status = 'skipped'}), 0, 'and skips nothing');
	$node->restart;
	my $last = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'pump'});
	wait_until($node, qq{SELECT bool_or(run_id > $last AND status = 'succeeded') FROM ratchet.runs WHERE job_name = 'pump'}, 'it goes on after a restart');
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('pump')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'pump' AND status IN ('queued', 'running')});
	$last = value($node, q{SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'pump'});
	$node->safe_psql('postgres', q{SELECT ratchet.resume_job('pump')});
	wait_until($node, qq{SELECT bool_or(run_id > $last AND status = 'succeeded') FROM ratchet.runs WHERE job_name = 'pump'}, 'and after a pause');
};

finish();
