# Whose turn it is, measured: one task behind a hundred thousand of another customer, old ones of a poor priority among new
# ones of a good one; and what somebody's old snapshot costs.
#
#   RATCHET_TASKS=1000000 PROVE_TESTS=test/tap/443_fair_queues.pl script/check tap

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $many = $ENV{RATCHET_TASKS} // 30_000;

my $node = new_node('main', conf => "log_statement = none\nautovacuum_naptime = 1\n");
# A row for each batch: what was done, in its order.
value($node, q{
	CREATE TABLE batch (n bigserial PRIMARY KEY, queue text, tasks bigint[] NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
	SELECT ratchet.create_queue(queue, format('INSERT INTO batch (queue, tasks) SELECT %L, $2 WHERE $1 IS NOT NULL', queue), per => 'batch', batch_size => 500, concurrency => 1)
	  FROM unnest('{fair,aged,pinned}'::text[]) queue});

# In how many batches, and in which of them, counted from one, a task was.
sub batch_of
{
	my ($queue, $task) = @_;
	return value($node, "SELECT 1 + count(*) FILTER (WHERE n < (SELECT n FROM batch WHERE queue = '$queue' AND $task = ANY (tasks))) FROM batch WHERE queue = '$queue'");
}

sub all_done
{
	my ($queue, $count, $what) = @_;
	wait_until($node, "SELECT sum(cardinality(tasks)) >= $count FROM batch WHERE queue = '$queue'", $what);
	is(value($node, "SELECT count(*), count(DISTINCT t) FROM batch, unnest(tasks) t WHERE queue = '$queue'"), "$count|$count", 'each once');
	return;
}

promise "one task behind $many of another customer is done within a batch" => sub {
	value($node, q{SELECT ratchet.pause_queue('fair')});
	value($node, "SELECT ratchet.enqueue_many('fair', array_agg('{}'::jsonb), group_keys => array_fill('many'::text, ARRAY[$many])) FROM generate_series(1, $many)");
	my $one = value($node, q{SELECT ratchet.enqueue('fair', '{}', group_key => 'one')});
	my $none = value($node, q{SELECT ratchet.enqueue('fair', '{}')});
	value($node, q{SELECT ratchet.resume_queue('fair')});
	wait_until($node, 'SELECT count(*) > 5 FROM batch', 'it is at work');
	# It comes while those of the other one are being done.
	my $late = value($node, q{SELECT ratchet.enqueue('fair', '{}', group_key => 'another')});
	my $since = value($node, 'SELECT clock_timestamp()');
	all_done('fair', $many + 3, 'all are done');
	is(batch_of('fair', $one),  1, 'the first batch has it');
	is(batch_of('fair', $none), 1, 'and one without a group');
	# What has been handed out goes before it: the batch in hand, and the one that is ready for the worker.
	cmp_ok(value($node, "SELECT count(*) FROM batch WHERE queue = 'fair' AND at > '$since' AND n < (SELECT n FROM batch WHERE queue = 'fair' AND $late = ANY (tasks))"), '<=', 2,
		'and one that comes later, before the third batch from then on');
};

promise 'a customer whose rate is used up rests, and delays nobody else' => sub {
	value($node, q{SELECT ratchet.create_queue('rated', $$INSERT INTO batch (queue, tasks) VALUES ('rated ' || ($1->>'customer'), ARRAY[$2])$$, rate => 3, rate_period => '1 hour', rate_per_key => true, enabled => false);
		SELECT ratchet.enqueue_many('rated', array_agg('{"customer": 0}'::jsonb), group_keys => array_fill('0'::text, ARRAY[2000])) FROM generate_series(1, 2000);
		SELECT ratchet.enqueue_many('rated', array_agg(jsonb_build_object('customer', 1 + i % 50)), group_keys => array_agg((1 + i % 50)::text)) FROM generate_series(1, 250) i;
		SELECT ratchet.resume_queue('rated')});
	wait_until($node, q{SELECT count(*) >= 153 FROM batch WHERE queue LIKE 'rated%'}, 'each has its three');
	my $last = value($node, q{SELECT ratchet.enqueue('rated', '{"customer": 51}', group_key => '51')});
	wait_until($node, "SELECT EXISTS (SELECT FROM batch WHERE tasks = ARRAY[$last]::bigint[])", 'and who comes last is done');
	is(value($node, q{SELECT string_agg(DISTINCT n::text, ' ') || ', ' || count(*) FROM (SELECT count(*) AS n FROM batch WHERE queue LIKE 'rated%' AND queue <> 'rated 51' GROUP BY queue) r}), '3, 51', 'none has had more');
	value($node, q{SELECT ratchet.drop_queue('rated', force => true); DELETE FROM batch WHERE queue LIKE 'rated%'});
};

promise 'a task of a poor priority that has waited for longer than others are better goes before them' => sub {
	value($node, q{SELECT ratchet.pause_queue('aged')});
	value($node, q{SELECT ratchet.enqueue_many('aged', array_agg('{}'::jsonb), priority => 0) FROM generate_series(1, 4500)});
	# A minute is worth one: ten of them are more than five, and three are less.
	my ($old, $young) = map {
		my $task = value($node, q{SELECT ratchet.enqueue('aged', '{}', priority => 5)});
		value($node, "UPDATE ratchet.task SET enqueued_at = now() - interval '$_ minutes' WHERE task_id = $task");
		$task
	} 10, 3;
	value($node, 'SELECT ratchet.adopt()');    # what was written by hand
	terminate_ratchet($node, 'scheduler');
	value($node, q{SELECT ratchet.resume_queue('aged')});
	all_done('aged', 4502, 'all are done');
	is(batch_of('aged', $old), 1, 'the one that has waited is in the first batch');
	is(batch_of('aged', $young), value($node, q{SELECT count(*) FROM batch WHERE queue = 'aged'}), 'the other one in the last');
};

promise 'under an old snapshot, and one of a writer, work costs what it has cost before' => sub {
	my ($reader, $writer) = (session($node), session($node));
	$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM batch');
	$writer->query_safe('BEGIN; CREATE TABLE never (a int)');
	my $portions = 24;
	my $each = int($many / $portions);
	my @seconds;
	for my $portion (1 .. $portions)
	{
		value($node, "SELECT ratchet.enqueue_many('pinned', array_agg('{}'::jsonb)) FROM generate_series(1, $each)");
		my $count = $portion * $each;
		wait_until($node, "SELECT sum(cardinality(tasks)) >= $count FROM batch WHERE queue = 'pinned'");
	}
	# From the first batch of a portion to its last one.
	my ($first, $last) = split /\|/, value($node, qq{
		WITH done AS (SELECT ceil(sum(cardinality(tasks)) OVER (ORDER BY n) / $each) AS portion, at FROM batch WHERE queue = 'pinned'),
		     portion AS (SELECT portion, extract(epoch FROM max(at) - min(at)) AS seconds FROM done GROUP BY 1)
		SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE portion <= $portions / 3), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE portion > $portions * 2 / 3) FROM portion});
	note("a portion of $each takes $first s at the beginning, and $last s at the end");
	cmp_ok($last, '<', 4 * $first + within(0.1), 'the last portions take as long as the first ones');
	# Counted: what the statistics say is an estimate, which an ANALYZE in the middle makes too high.
	value($node, 'CREATE EXTENSION pgstattuple');
	my $dead = value($node, q{SELECT sum((pgstattuple(c.oid)).dead_tuple_count) FROM pg_class c WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r'});
	my $done = $portions * $each;
	note("$dead dead rows after $done tasks");
	cmp_ok($dead, '<', 1.2 * $done + 2000, 'a dead row for each task, and few others');
	$_->query_safe('ROLLBACK') for $reader, $writer;
	$_->quit for $reader, $writer;
	value($node, 'VACUUM ratchet.task');
};

finish();
