# What ratchet.queues counts agrees with the tables, whatever has happened to tasks in whichever order: at random
# operations, with the ends of processes among them, and a look whenever nothing is under way.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $rounds = $ENV{RATCHET_ROUNDS} // 14;
my $seed = $ENV{RATCHET_SEED} // time();
note("seed $seed");
srand($seed);

my $node = new_node('main', conf => "ratchet.max_workers = 3\nmax_worker_processes = 16\n");
my @queues = ('plain', q(Queue's "own" name), 'consumed');
sub quoted { return q(') . $_[0] =~ s/'/''/gr . q('); }
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION work(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CASE payload->>'and'
		WHEN 'fail' THEN RAISE EXCEPTION 'failed at random';
		WHEN 'discard' THEN PERFORM ratchet.discard('at random');
		WHEN 'snooze' THEN
			IF random() < 0.7 THEN PERFORM ratchet.snooze(random() * interval '40 seconds'); END IF;
		WHEN 'die' THEN PERFORM pg_terminate_backend(pg_backend_pid());
		WHEN 'again' THEN PERFORM ratchet.enqueue(payload->>'queue', payload || '{"and": "nothing"}', unique_key => payload->>'key');
		ELSE PERFORM pg_sleep(0.001);
	END CASE;
END $$;
SQL
for my $queue (@queues)
{
	my $handler = $queue eq 'consumed' ? 'NULL' : q('SELECT work($1)');
	value($node, sprintf(q{SELECT ratchet.create_queue(%s, %s, max_attempts => 2, max_crashes => 1, backoff => '%s', retention => '1 hour', lease => '1 s')},
		quoted($queue), $handler, $queue eq 'plain' ? '100 ms' : '25 seconds'));
}

# SQL of one operation, on one of the queues.
my @operations = (
	sub { my ($queue) = @_;
		return qq{SELECT ratchet.enqueue($queue, jsonb_build_object('queue', $queue, 'key', 'k' || i,
			'and', (ARRAY['nothing', 'nothing', 'nothing', 'fail', 'discard', 'snooze', 'die', 'again'])[ceil(random() * 8)]),
			unique_key => CASE WHEN random() < 0.4 THEN 'k' || i END, ordering_key => CASE WHEN random() < 0.3 THEN (i % 5)::text END,
			delay => CASE WHEN random() < 0.4 THEN random() * interval '80 seconds' END,
			expires_at => CASE WHEN random() < 0.2 THEN clock_timestamp() + interval '90 seconds' END,
			on_conflict => CASE WHEN random() < 0.5 THEN 'skip' ELSE 'replace' END) FROM generate_series(1, 60) AS i}; },
	sub { my ($queue) = @_;
		return qq{SELECT ratchet.enqueue_many($queue, array_agg('{"and": "nothing"}'::jsonb), run_at => clock_timestamp() + random() * interval '60 seconds') FROM generate_series(1, 50)}; },
	sub { my ($queue) = @_;
		return qq{SELECT ratchet.cancel_task(task_id) FROM (SELECT task_id FROM ratchet.tasks WHERE queue_name = $queue AND state <> 'completed' ORDER BY random() LIMIT 15) t}; },
	sub { my ($queue) = @_;
		return qq{SELECT ratchet.retry_task(task_id) FROM (SELECT task_id FROM ratchet.tasks f WHERE queue_name = $queue AND state IN ('dead', 'scheduled', 'canceled')
			AND NOT EXISTS (SELECT FROM ratchet.task t WHERE t.unique_key = f.unique_key) AND f.unique_key IS NULL ORDER BY random() LIMIT 15) t}; },
	sub { my ($queue) = @_; return "SELECT ratchet.redrive($queue, 20)"; },
	sub { my ($queue) = @_; return "BEGIN; SELECT ratchet.redrive($queue); ROLLBACK"; },
	sub { my ($queue) = @_; return qq{UPDATE pg_class SET relname = relname WHERE false; SELECT ratchet.alter_queue($queue, batch_size => (1 + random() * 100)::int)}; },
	sub { return q{SELECT count(ratchet.complete(task_id, token)) FROM ratchet.claim('consumed', 20)}; },
	sub { return q{SELECT count(ratchet.fail(task_id, token, 'at random', discard => random() < 0.3)) FROM ratchet.claim('consumed', 10)}; },
	sub { return q{SELECT count(*) FROM ratchet.claim('consumed', 5)}; },
	sub { return q{BEGIN; SELECT count(*) FROM ratchet.claim('consumed', 5); ROLLBACK}; },
);

sub something_ends
{
	my $what = int(rand(6));
	terminate_ratchet($node, 'scheduler') if $what == 0;
	if ($what == 1)
	{
		$node->stop('immediate');
		$node->start;
	}
	$node->restart if $what == 2;
	value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%'}) if $what == 3;
	return;
}

# The states as they are in the tables: ready ones may be done at any moment, so it is looked at once there are none.
my $counted = q{
	SELECT count(*) FROM ratchet.queues q
	 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE t.lease_until IS NOT NULL) AS running,
	                            count(*) FILTER (WHERE t.lease_until IS NULL AND head AND run_at > clock_timestamp()) AS scheduled,
	                            count(*) FILTER (WHERE t.lease_until IS NULL AND head AND coalesce(run_at <= clock_timestamp(), true)) AS ready,
	                            count(*) FILTER (WHERE t.lease_until IS NULL AND NOT head) AS blocked
	                       FROM (SELECT t.*, t.ordering_key IS NULL OR t.task_id = min(t.task_id) OVER (PARTITION BY t.ordering_key) AS head
	                               FROM ratchet.task t WHERE t.queue_id = q.queue_id) t) t
	 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'dead') AS dead FROM ratchet.finished_task f WHERE f.queue_id = q.queue_id) f
	 WHERE (q.ready, q.scheduled, q.blocked, q.running, q.dead) = (t.ready, t.scheduled, t.blocked, t.running, f.dead)};

for my $round (1 .. $rounds)
{
	promise "round $round: what is counted is in the tables" => sub {
		for (1 .. 6)
		{
			my $queue = quoted($queues[ int(rand(@queues)) ]);
			my $operation = $operations[ int(rand(@operations)) ];
			$node->psql('postgres', $operation->($queue));
			something_ends() if rand() < 0.15;
		}
		# With queues at rest there is a moment in which nothing changes.
		value($node, 'SELECT ratchet.pause_queue(queue_name) FROM ratchet.queues') if rand() < 0.3;
		wait_until($node, "SELECT ($counted) = 3", 'they agree', timeout => 60)
		  or diag(value($node, 'SELECT * FROM ratchet.queues'));
		value($node, 'SELECT ratchet.resume_queue(queue_name) FROM ratchet.queues WHERE paused');
	};
}

finish();
