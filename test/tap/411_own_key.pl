# A handler that enqueues the unique_key of the task that it is doing: typically its own next time. The task holds its key
# until its transaction commits, and the new one has it from that same commit on.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 3\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE beat (n bigserial, task_id bigint, payload jsonb);
CREATE SEQUENCE tries;
CREATE FUNCTION beat(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	key text := payload->>'key';
	next bigint;
	try bigint := nextval('tries');
BEGIN
	INSERT INTO beat (task_id, payload) VALUES (ratchet.task_id(), payload);
	CASE payload->>'and'
		WHEN 'again' THEN
			IF (payload->>'left')::int > 0 THEN
				next := ratchet.enqueue('beats', jsonb_set(payload, '{left}', to_jsonb((payload->>'left')::int - 1)), unique_key => key,
					on_conflict => coalesce(payload->>'on_conflict', 'skip'), delay => (payload->>'delay')::interval);
				IF next = ratchet.task_id() THEN RAISE EXCEPTION 'has got its own number'; END IF;
			END IF;
		WHEN 'fail' THEN
			next := ratchet.enqueue('beats', '{"and": "nothing"}', unique_key => key);
			IF ratchet.task_attempt() = 1 THEN RAISE EXCEPTION 'failed behind its own successor'; END IF;
		WHEN 'undo' THEN
			BEGIN
				next := ratchet.enqueue('beats', '{"and": "undone"}', unique_key => key);
				RAISE EXCEPTION 'undone';
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		WHEN 'snooze first' THEN
			IF (SELECT count(*) FROM beat WHERE task_id = ratchet.task_id()) = 1 THEN
				PERFORM ratchet.snooze('10 ms');
				next := ratchet.enqueue('beats', '{"and": "nothing"}', unique_key => key);
				IF next <> ratchet.task_id() THEN RAISE EXCEPTION 'has got number %', next; END IF;
			END IF;
		WHEN 'snooze then' THEN
			next := ratchet.enqueue('beats', '{"and": "nothing"}', unique_key => key);
			PERFORM ratchet.snooze('10 ms');
		WHEN 'discard' THEN
			next := ratchet.enqueue('beats', '{"and": "after the discarded"}', unique_key => key);
			PERFORM ratchet.discard('it has had its time');
		WHEN 'other' THEN
			next := ratchet.enqueue('beats', '{"and": "nothing"}', unique_key => payload->>'other');
			UPDATE beat AS b SET payload = b.payload || jsonb_build_object('got', next) WHERE b.task_id = ratchet.task_id();
		ELSE NULL;
	END CASE;
END $$;
SELECT ratchet.create_queue('beats', 'SELECT beat($1)', backoff => '10 ms', max_attempts => 2);
SQL

sub beat
{
	my ($payload) = @_;
	return value($node, "SELECT ratchet.enqueue('beats', '$payload', unique_key => '$payload'::jsonb->>'key')");
}

sub is_over
{
	my ($what) = @_;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.task}, "$what: nothing is left to be done");
	return;
}

promise 'a task that enqueues its own unique_key is followed by another one, whatever on_conflict says' => sub {
	for my $on_conflict ('skip', 'replace', 'raise')
	{
		beat(qq({"key": "heart $on_conflict", "and": "again", "left": 20, "on_conflict": "$on_conflict"}));
		wait_until($node, "SELECT count(*) = 21 FROM beat WHERE payload->>'key' = 'heart $on_conflict'", "$on_conflict: it goes on");
		is_over($on_conflict);
		is(value($node, "SELECT count(*) || ' ' || count(DISTINCT task_id) || ' ' || min((payload->>'left')::int) FROM beat WHERE payload->>'key' = 'heart $on_conflict'"),
			'21 21 0', "$on_conflict: each of them once");
	}
};

promise 'of a key there is one unfinished task, while others enqueue it all the time' => sub {
	my $first = beat('{"key": "pulse", "and": "again", "left": 100}');
	my $most = 0;
	my $over = 0;
	until ($over)
	{
		my ($tasks, $left) = split /\|/, value($node, q{
			SELECT ratchet.enqueue('beats', '{"key": "pulse", "and": "nothing"}', unique_key => 'pulse', delay => '1 hour');
			SELECT (SELECT count(*) FROM ratchet.task WHERE unique_key = 'pulse'), (SELECT count(*) FROM ratchet.task WHERE run_at > now())}) =~ s/^\d+\n//r;
		$most = $tasks if $tasks > $most;
		$over = $left > 0;
	}
	is($most, 1, 'it is one');
	value($node, q{SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE state IN ('scheduled', 'ready')});
	is_over('after it was canceled');
};

promise 'the key stays with a task that fails, is snoozed, or takes back what it has enqueued' => sub {
	my $failed = beat('{"key": "fails", "and": "fail"}');
	wait_until($node, q{SELECT count(*) = 1 FROM beat WHERE payload->>'and' = 'nothing'}, 'its second attempt is followed by one');
	is(value($node, q{SELECT count(*) FROM beat WHERE payload->>'and' = 'fail'}), 1, 'its first one has left nothing');
	is_over('after a failure');
	beat('{"key": "undoes", "and": "undo"}');
	wait_until($node, q{SELECT count(*) = 1 FROM beat WHERE payload->>'and' = 'undo'}, 'one that takes it back is done');
	is_over('after it was taken back');
	is(value($node, q{SELECT count(*) FROM beat WHERE payload->>'and' = 'undone'}), 0, 'what it has taken back is not');
	beat('{"key": "snoozes", "and": "snooze first"}');
	wait_until($node, q{SELECT count(*) = 2 FROM beat WHERE payload->>'and' = 'snooze first'}, 'one that is snoozed has its key still');
	is_over('after a snooze');
	beat('{"key": "snoozes late", "and": "snooze then"}');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead'}, 'one cannot have both');
	is_deeply(row($node, q{SELECT sqlstate, error FROM ratchet.tasks WHERE state = 'dead'}),
		{ sqlstate => '55000', error => 'a task that has been followed by another one with its unique_key cannot be snoozed' }, 'and says so');
	is_over('after it has failed');
};

promise 'a task that is discarded is followed, too, and is not brought back beside its successor' => sub {
	beat('{"key": "ends", "and": "discard"}');
	wait_until($node, q{SELECT count(*) = 1 FROM beat WHERE payload->>'and' = 'after the discarded'}, 'the one that follows is done');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE state = 'dead' AND error = 'it has had its time'}), 1, 'the first one is dead');
	wait_until($node, q{SELECT dead = 2 AND ready + scheduled + running = 0 FROM ratchet.queues}, 'both are counted');
};

promise 'tasks of one transaction: those that are done have let go of their keys, those to come have not' => sub {
	value($node, 'TRUNCATE beat');
	value($node, q{SELECT ratchet.pause_queue('beats')});
	# In the order of their numbers, in one batch: each enqueues the key of the one before, and the first that of the last.
	my @ids = split /\n/, value($node, q{SELECT ratchet.enqueue('beats', jsonb_build_object('key', 'c' || i, 'and', 'other', 'other',
		'c' || CASE i WHEN 1 THEN 40 ELSE i - 1 END), unique_key => 'c' || i) FROM generate_series(1, 40) AS i});
	value($node, q{SELECT ratchet.resume_queue('beats')});
	is_over('all of them');
	is(value($node, "SELECT (payload->>'got')::bigint = $ids[39] FROM beat WHERE payload->>'key' = 'c1'"), 't', 'the key of one to come is taken');
	is(value($node, q{SELECT count(*) FROM beat WHERE payload->>'and' = 'nothing'}), 39, 'those of the others were free');
};

promise 'a handler of many tasks at once may enqueue the keys of all of them' => sub {
	value($node, q{
		CREATE TABLE round (n bigserial, key text);
		SELECT ratchet.create_queue('rounds', $$
			WITH seen AS (INSERT INTO round (key) SELECT p->>'key' FROM unnest($1) AS p RETURNING key)
			SELECT ratchet.enqueue('rounds', p || jsonb_build_object('left', (p->>'left')::int - 1), unique_key => p->>'key')
			  FROM unnest($1) AS p WHERE (p->>'left')::int > 0$$, per => 'batch');
		SELECT ratchet.enqueue('rounds', jsonb_build_object('key', 'r' || i, 'left', 3), unique_key => 'r' || i) FROM generate_series(1, 50) AS i});
	wait_until($node, 'SELECT count(*) = 200 FROM round', 'all go four rounds');
	is_over('then');
};

promise 'a task that is tried shows its successor, and keeps its key' => sub {
	value($node, q{SELECT ratchet.pause_queue('beats')});
	my $id = beat('{"key": "tried", "and": "again", "left": 1}');
	is(value($node, "SELECT ratchet.try_task($id)->>'outcome'"), 'completed', 'it would be completed');
	is(value($node, q{SELECT task_id FROM ratchet.tasks WHERE unique_key = 'tried' AND state = 'ready'}), $id, 'and is there');
};

promise 'who has a retention keeps the one that has ended, and its successor has the key' => sub {
	value($node, q{SELECT ratchet.alter_queue('beats', retention => '1 day'); SELECT ratchet.resume_queue('beats')});
	wait_until($node, q{SELECT count(*) = 2 FROM beat WHERE payload->>'key' = 'tried'}, 'both are done');
	wait_until($node, q{SELECT count(*) = 2 FROM ratchet.tasks WHERE unique_key = 'tried' AND state = 'completed'}, 'and kept');
};

finish();
