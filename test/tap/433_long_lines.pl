# The scheduler keeps the first 200 000 tasks of a queue in its line, and of the others little more than that they are
# there. What stands behind the line counts, can be canceled and replaced, survives a crash, and is done once, in its
# time; what is urgent does not wait for it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $many = 215_000;

my $node = new_node('main', conf => "ratchet.max_workers = 2\nmax_worker_processes = 16\n");
value($node, q{
	CREATE TABLE did (place bigserial, task_id bigint, at timestamptz DEFAULT clock_timestamp());
	SELECT ratchet.create_queue('long', 'INSERT INTO did (task_id) SELECT $2 FROM (SELECT $1) p', enabled => false)});

sub fill
{
	my ($queue, $options) = @_;
	value($node, "SELECT ratchet.enqueue_many('$queue', array_agg(jsonb_build_object('n', g)) $options)
		FROM generate_series(1, $many) g GROUP BY g / 10000 ORDER BY min(g)");
	return;
}

sub is_ready
{
	my ($count, $what) = @_;
	wait_until($node, "SELECT ready = $count FROM ratchet.queues WHERE queue_name = 'long'", $what, timeout => within(180));
	return;
}

my ($urgent, $canceled, $replaced, $first);
promise 'the depth is known to the task' => sub {
	fill('long', '');
	is_ready($many, 'all are ready');
	$first = value($node, 'SELECT min(task_id) FROM ratchet.task');
	$canceled = value($node, 'SELECT max(task_id) FROM ratchet.task');
	value($node, "SELECT ratchet.cancel_task($canceled)");
	is_ready($many - 1, 'without one that is canceled');
	$replaced = value($node, q{SELECT ratchet.enqueue('long', '1', unique_key => 'one')});
	$urgent = value($node, q{SELECT ratchet.enqueue('long', '2', priority => -1)});
	is_ready($many + 1, 'with two more');
	is(value($node, q{SELECT ratchet.enqueue('long', '3', priority => -2, unique_key => 'one', on_conflict => 'replace')}),
		$replaced, 'one behind the line is replaced');
	$node->safe_psql('postgres', q{BEGIN; SELECT ratchet.enqueue_many('long', '{1,2,3}'); ROLLBACK});
	value($node, q{SELECT ratchet.enqueue('long', '4', delay => '1 day')});
	wait_until($node, "SELECT ready = $many + 1 AND scheduled = 1 FROM ratchet.queues WHERE queue_name = 'long'", 'as many as before');
};

promise 'also after a crash of the server' => sub {
	$node->stop('immediate');
	$node->start;
	is_ready($many + 1, 'all are ready');
};

promise 'each is done once, the urgent ones first' => sub {
	value($node, q{SELECT ratchet.resume_queue('long')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.task WHERE run_at IS NULL)}, 'all are done', timeout => within(300));
	is(value($node, 'SELECT count(*), count(DISTINCT task_id) FROM did'), ($many + 1) . '|' . ($many + 1), 'each once');
	is(value($node, "SELECT count(*) FROM did WHERE task_id = $canceled"), 0, 'and not the one that was canceled');
	is(value($node, "SELECT string_agg(task_id::text, ',' ORDER BY place) FROM did WHERE place <= 2"), "$replaced,$urgent",
		'the urgent ones before all others');
	cmp_ok(value($node, "SELECT max(abs(place - 2 - (task_id - $first))) FROM did WHERE task_id NOT IN ($replaced, $urgent)"),
		'<', 10_000, 'the others in their order, as far as two workers keep it');
	wait_until($node, q{SELECT ready = 0 AND running = 0 AND scheduled = 1 FROM ratchet.queues WHERE queue_name = 'long'}, 'none is left');
};

promise 'delayed ones that are due at one moment are not done before it' => sub {
	value($node, q{TRUNCATE did});
	value($node, q{SELECT ratchet.create_queue('late', 'INSERT INTO did (task_id) SELECT $2 FROM (SELECT $1) p')});
	my $when = value($node, q{SELECT now() + interval '30 seconds'});
	fill('late', ", run_at => '$when'");
	wait_until($node, "SELECT scheduled + ready + running + (SELECT count(*) FROM did) >= $many FROM ratchet.queues WHERE queue_name = 'late'",
		'all are known', timeout => within(180));
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.task t JOIN ratchet.queue USING (queue_id) WHERE queue_name = 'late')},
		'all are done', timeout => within(300));
	is(value($node, 'SELECT count(*), count(DISTINCT task_id) FROM did'), "$many|$many", 'each once');
	is(value($node, "SELECT count(*) FROM did WHERE at < '$when'"), 0, 'none before its time');
	wait_until($node, q{SELECT ready = 0 AND scheduled = 0 AND running = 0 FROM ratchet.queues WHERE queue_name = 'late'}, 'none is left');
};

finish();
