# What goes on with the walk of an earlier run belongs to that walk: when another run has completed it, or its
# checkpoint was given up, the rest is nothing, and no item is done twice.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
# Keys of people: out of order, text, beside a column that was dropped.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (gone int, id text PRIMARY KEY, other int UNIQUE NOT NULL, n int NOT NULL DEFAULT 0);
INSERT INTO account (id, other) SELECT md5(i::text), i FROM generate_series(1, 30) i;
ALTER TABLE account DROP COLUMN gone;
CREATE TABLE broken (what text);
CREATE FUNCTION one_more(k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE account SET n = n + 1 WHERE id = k;
	IF EXISTS (SELECT FROM broken) AND (SELECT count(*) FROM account WHERE n = 1) > 12 THEN
		RAISE EXCEPTION USING ERRCODE = 'io_error', MESSAGE = 'not now';
	END IF;
END $$;
SQL

# A window that is closed for days: it holds the rest of a walk, and no run in the foreground.
my $closed = q{(SELECT string_agg(to_char(now() + n * interval '1 day', 'Dy'), ',') || ' 00:00-23:00' FROM generate_series(3, 4) n)};

# A walk that is cut after its first batch, with its rest in the queue, where it stays. Then what the caller does.
sub cut_walk
{
	my ($job, $options, $and_then) = @_;
	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', qq{
		UPDATE account SET n = 0;
		SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT id FROM account', 'SELECT one_more(\$1)',
			batch_size => 10, max_run_time => '1 ms', active_window => $closed$options);
		CALL ratchet.run('$job')});
	return rest_of($job, $and_then);
}

sub rest_of
{
	my ($job, $and_then) = @_;
	wait_until($node, qq{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = '$job' AND cause = 'catchup' AND status = 'queued'},
		'the walk is cut, and its rest waits');
	my $rest = value($node, qq{SELECT run_id FROM ratchet.runs WHERE job_name = '$job' AND cause = 'catchup'});
	$node->safe_psql('postgres', $and_then);
	return $rest;
}

# What the job has left to do may begin.
sub open_window
{
	my ($job) = @_;
	return "SELECT ratchet.alter_job('$job', reset => '{active_window,max_run_time}')";
}

sub is_nothing
{
	my ($rest, $what) = @_;
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $rest");
	is_run(run_record($node, $rest), { status => 'skipped', reason => 'the walk that it was to go on with has ended', items_done => undef }, $what);
	return;
}

sub counts { return value($node, q{SELECT string_agg(n || ' x ' || c, ', ' ORDER BY n) FROM (SELECT n, count(*) AS c FROM account GROUP BY n) a}); }

promise 'a run in the foreground completes the walk' => sub {
	my $rest = cut_walk('front', undef, q{SELECT ratchet.alter_job('front', reset => '{max_run_time}'); CALL ratchet.run('front')});
	is_nothing($rest, 'the rest is nothing, before its window opens');
	is(counts(), '1 x 30', 'each item is done once');
	$node->safe_psql('postgres', open_window('front'));
	my $next = value($node, q{SELECT ratchet.trigger('front')});
	wait_run($node, $next, 'succeeded');
	is(counts(), '2 x 30', 'the next run is a walk of its own');
};

promise 'the checkpoint is given up' => sub {
	my $rest = cut_walk('reset', undef, q{SELECT ratchet.reset_checkpoint('reset'); } . open_window('reset'));
	is_nothing($rest, 'the rest is nothing');
	is(counts(), '0 x 20, 1 x 10', 'what was left is left to the next run');
};

promise 'the job gets another key' => sub {
	my $rest = cut_walk('rekeyed', undef, q{SELECT ratchet.alter_job('rekeyed', source => 'SELECT id, other FROM account', key => '{other}')});
	is_nothing($rest, 'the rest is nothing');
	is(counts(), '0 x 20, 1 x 10', 'what was left is left to the next run');
};

promise 'nobody has gone on with the walk' => sub {
	my $rest = cut_walk('plain', undef, open_window('plain'));
	wait_run($node, $rest, 'succeeded', 'the rest goes on with it');
	is(counts(), '1 x 30', 'and each item is done once');
};

promise 'an incremental job goes on behind its checkpoint, whoever was before' => sub {
	my $rest = cut_walk('more', q{mode => 'incremental'},
		q{SELECT ratchet.alter_job('more', reset => '{max_run_time}'); CALL ratchet.run('more'); INSERT INTO account VALUES ('zzz', 31); } . open_window('more'));
	wait_run($node, $rest, 'succeeded', 'the rest does what has come since');
	is(counts(), '1 x 31', 'each item is done once');
	$node->safe_psql('postgres', q{DELETE FROM account WHERE id = 'zzz'});
};

promise 'a new attempt at a walk that failed on its way' => sub {
	$node->safe_psql('postgres', q{UPDATE account SET n = 0; INSERT INTO broken VALUES ('yes')});
	my $run = begin_batch($node, 'failed', 'SELECT id FROM account', 'SELECT one_more($1)', q{batch_size => 10, max_attempts => 5, backoff => '1 hour'});
	wait_run($node, $run, 'failed');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $run AND status = 'queued'");
	my $retry = value($node, "SELECT run_id FROM ratchet.runs WHERE retry_of = $run");
	$node->safe_psql('postgres', 'TRUNCATE broken');
	wait_run($node, value($node, q{SELECT ratchet.trigger('failed')}), 'succeeded');
	is_nothing($retry, 'is nothing when another run has completed it');
	is(counts(), '1 x 30', 'each item is done once');
};

promise 'a replay goes on with its own walk' => sub {
	$node->safe_psql('postgres', 'UPDATE account SET n = 0');
	my $run = run_batch($node, 'again', 'SELECT id FROM account', 'SELECT one_more($1)', q{batch_size => 10, max_run_time => '1 ms'});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'again' AND status = 'succeeded'});
	is(counts(), '1 x 30', 'the run and its rest do each item once');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id})");
	$node->safe_psql('postgres', q{CALL ratchet.run('again')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.job_checkpoint c JOIN ratchet.job USING (job_id) WHERE job_name = 'again')});
	is( value($node, "SELECT string_agg(DISTINCT status, ' ') FROM ratchet.runs WHERE replay_of = $run->{run_id} AND status <> 'partial'"),
		'succeeded', 'and comes to its end');
	is(value($node, 'SELECT sum(n) FROM account'), 60 + $run->{items_done}, 'it does the items of the run again, and the walk beside it all of them');
};

promise 'a procedure of its own' => sub {
	$node->safe_psql('postgres', q{
		UPDATE account SET n = 0;
		CREATE TABLE quick (yes boolean);
		CREATE PROCEDURE walk() LANGUAGE plpgsql AS $$
		DECLARE at int := coalesce((ratchet.checkpoint() ->> 'at')::int, 0);
		BEGIN
			WHILE at < 30 LOOP
				at := at + 10;
				UPDATE account SET n = n + 1 WHERE other > at - 10 AND other <= at;
				PERFORM ratchet.save_checkpoint(jsonb_build_object('at', at)), ratchet.progress(at, 30 - at);
				EXIT WHEN NOT EXISTS (SELECT FROM quick);
			END LOOP;
		END $$;
		SELECT ratchet.schedule('own', '@manual', 'CALL walk()', active_window => } . $closed . q{);
		CALL ratchet.run('own')});
	my $rest = rest_of('own', q{INSERT INTO quick VALUES (true); CALL ratchet.run('own')});
	is_nothing($rest, 'its rest is nothing, too');
	is(counts(), '1 x 30', 'each item is done once');
};

promise 'a schedule that is shorter than the walk' => sub {
	$node->safe_psql('postgres', q{
		CREATE TABLE most (n int);
		CREATE FUNCTION slow(k text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_sleep(0.05);
			INSERT INTO most SELECT count(*) FROM ratchet.run_queue q JOIN ratchet.job USING (job_id)
				WHERE job_name = 'short' AND q.claimed_at IS NULL AND q.cause = 'catchup';
		END $$;
		SELECT ratchet.schedule_batch('short', '200 ms', 'SELECT id FROM account', 'SELECT slow($1)', batch_size => 1, max_run_time => '1 ms')});
	wait_until($node, q{SELECT count(*) >= 12 FROM ratchet.runs WHERE job_name = 'short' AND status = 'partial'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('short')});
	cmp_ok(value($node, 'SELECT max(n) FROM most'), '<=', 1, 'one rest waits at most');
};

finish();
