# What a handler may do with its own queue and the tasks that are in hand with its own, what it leaves to the next task,
# and what becomes of a queue all of whose tasks fail alike.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 2\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE done (n bigserial, task_id bigint, payload jsonb, said text);
CREATE FUNCTION act(letter jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
	CASE letter->>'and'
		WHEN 'cancel' THEN said := ratchet.cancel_task(ratchet.task_id() + (letter->>'next')::int);
		WHEN 'retry' THEN said := ratchet.retry_task(ratchet.task_id() + (letter->>'next')::int);
		WHEN 'replace' THEN said := ratchet.enqueue('letters', '{"and": "replaced"}', unique_key => letter->>'key', on_conflict => 'replace');
		WHEN 'drop' THEN PERFORM ratchet.drop_queue('letters', force => true);
		WHEN 'pause' THEN PERFORM ratchet.pause_queue('letters');
		WHEN 'claim' THEN said := count(*) FROM ratchet.claim('consumed');
		WHEN 'set' THEN PERFORM set_config('app.tenant', letter->>'tenant', (letter->>'local')::boolean);
		WHEN 'sleep' THEN PERFORM pg_sleep(3600);
		ELSE NULL;
	END CASE;
	IF letter->>'and' <> 'set' THEN
		said := concat_ws(' ', said, nullif(current_setting('app.tenant', true), ''));
	END IF;
	INSERT INTO done (task_id, payload, said) VALUES (ratchet.task_id(), letter, said);
END $$;
SELECT ratchet.create_queue('letters', 'SELECT act($1)', concurrency => 1, max_attempts => 2, backoff => '10 ms');
SELECT ratchet.create_queue('consumed');
SQL

# In one batch: the queue is paused until all are there.
sub together
{
	my (@payloads) = @_;
	value($node, q{TRUNCATE done; SELECT ratchet.pause_queue('letters')});
	my @ids = map { value($node, "SELECT ratchet.enqueue('letters', '$_', unique_key => '$_'::jsonb->>'own')") } @payloads;
	value($node, q{SELECT ratchet.resume_queue('letters')});
	return @ids;
}

sub all_done
{
	my ($count, $what) = @_;
	wait_until($node, "SELECT count(*) = $count FROM done", "$what: all are done");
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task', "$what: and gone");
	is(value($node, 'SELECT count(DISTINCT task_id) FROM done'), $count, "$what: each of them once");
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status <> 'succeeded' AND status <> 'running'}), 0, "$what: no run has failed");
	return;
}

promise 'a task that is in hand is canceled, retried and replaced by no handler, its own included' => sub {
	for my $and ('cancel', 'retry')
	{
		for my $next (-1, 0, 1)
		{
			together('{"and": "nothing"}', qq({"and": "$and", "next": $next}), '{"and": "nothing"}');
			all_done(3, "$and $next");
			is(value($node, "SELECT said FROM done WHERE payload->>'and' = '$and'"), 'false', "$and $next: it says so");
		}
	}
	my @ids = together('{"and": "replace", "key": "last"}', '{"and": "nothing", "own": "last"}');
	all_done(2, 'replace');
	is(value($node, q{SELECT said FROM done WHERE payload->>'and' = 'replace'}), $ids[1], 'it gets the number of the one that is in hand');
};

promise 'a handler does not drop its own queue, and may pause it' => sub {
	together('{"and": "nothing"}', '{"and": "drop"}', '{"and": "nothing"}');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead'}, 'that fails');
	is_deeply(row($node, q{SELECT sqlstate, error FROM ratchet.tasks WHERE state = 'dead'}),
		{ sqlstate => '55006', error => 'queue "letters" cannot be dropped by its own handler' }, 'and says why');
	is(value($node, 'SELECT count(*) FROM done'), 2, 'its neighbours are done');
	together('{"and": "pause"}', '{"and": "nothing"}');
	wait_until($node, q{SELECT paused AND running = 0 FROM ratchet.queues WHERE queue_name = 'letters'}, 'it is paused');
	value($node, q{SELECT ratchet.resume_queue('letters')});
	all_done(2, 'pause');
};

promise 'what a handler has set is not there for the next task' => sub {
	together(map { (qq({"and": "set", "tenant": "acme", "local": $_}), '{"and": "nothing"}') } 'true', 'false', 'true', 'false');
	all_done(8, 'of two tenants');
	is(value($node, q{SELECT count(*) FROM done WHERE payload->>'and' = 'nothing' AND said <> ''}), 0, 'none has heard of the other one');
};

promise 'tasks that all take too long fail one by one, and not the run' => sub {
	value($node, q{SELECT ratchet.alter_queue('letters', timeout => '100 ms')});
	value($node, q{DELETE FROM ratchet.finished_task});
	together(('{"and": "sleep"}') x 12);
	wait_until($node, q{SELECT count(*) = 12 FROM ratchet.tasks WHERE state = 'dead' AND attempts = 2 AND sqlstate = '57014'}, 'all are dead after their attempts');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status NOT IN ('succeeded', 'running')}), 0, 'no run has failed');
	value($node, q{SELECT ratchet.alter_queue('letters', reset => '{timeout}')});
};

promise 'a handler whose table is dropped fails as a whole, and goes on when the table is back' => sub {
	value($node, q{DELETE FROM ratchet.finished_task});
	value($node, 'ALTER TABLE done RENAME TO away');
	value($node, q{SELECT ratchet.enqueue_many('letters', array_agg('{"and": "nothing"}'::jsonb)) FROM generate_series(1, 50)});
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE cause = 'queue' AND status = 'failed' AND sqlstate = '42P01'}, 'a run has failed');
	# One that is done alone cannot be told from one that is at fault itself.
	cmp_ok(value($node, 'SELECT count(*) FROM ratchet.task WHERE attempts + crashes > 0'), '<', 10, 'and few tasks have lost an attempt');
	is(value($node, q{SELECT color || ': ' || why FROM ratchet.queues WHERE queue_name = 'letters'}), 'red: its runs fail: relation "done" does not exist', 'the queue says so');
	value($node, 'ALTER TABLE away RENAME TO done; TRUNCATE done');
	value($node, q{SELECT ratchet.alter_queue('letters', comment => 'mended')});
	wait_until($node, 'SELECT count(*) = 50 FROM done', 'then they are done');
};

promise 'arguments that are null are named' => sub {
	my $id = value($node, q{SELECT ratchet.enqueue('consumed')});
	for my $call (
		'enqueue(NULL)', q{enqueue_many('consumed', NULL)}, 'enqueue_many(NULL, ARRAY[]::jsonb[])', 'claim(NULL)', 'complete(NULL, 1)', "complete($id, NULL)",
		'complete(NULL::bigint[], ARRAY[1]::bigint[])', 'complete(ARRAY[1]::bigint[], NULL)', 'complete(ARRAY[NULL]::bigint[], ARRAY[NULL]::bigint[])',
		q{fail(NULL, 1, 'x')}, "fail($id, NULL, 'x')", q{extend(NULL, 1, '1 s')}, "extend($id, 1, NULL)", 'cancel_task(NULL)', 'retry_task(NULL)', 'redrive(NULL)',
		'try_task(NULL)', 'pause_queue(NULL)', 'drop_queue(NULL)', q{create_queue(NULL)}, 'alter_queue(NULL)', 'snooze(NULL)', 'discard(NULL)')
	{
		psql_fails($node, "SELECT ratchet.$call", qr/ERROR:  (22004|22023): \w+ must not be null|ERROR:  22023: \w+ must be an array of one dimension without nulls/, $call);
	}
	is(value($node, "SELECT ratchet.enqueue('consumed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) > $id"), 't', 'others may be null');
	is(value($node, q{SELECT ratchet.enqueue_many('consumed', ARRAY[NULL, 'null']::jsonb[], unique_keys => ARRAY[NULL, 'x'], priority => NULL)}), 2, 'in arrays as well');
	is(value($node, q{SELECT count(*) FROM ratchet.claim('consumed', NULL, NULL, NULL)}) > 0, 1, 'and of a claim');
};

finish();
