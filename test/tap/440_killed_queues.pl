# Workers, sessions, the postmaster and the whole server are killed again and again while queues are at work, in batches of
# up to 500 tasks. Whatever dies: each effect is there once, none is lost, no attempt is counted for it, keys keep their order,
# and limits hold, by the data alone. The table that handlers write is partitioned and has uuids for keys, and other
# extensions look at every statement.
#
#   RATCHET_SEED=4711 RATCHET_SECONDS=600 PROVE_TESTS=test/tap/440_killed_queues.pl script/check tap

use strict;
use warnings;

use RatchetTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $seed    = $ENV{RATCHET_SEED}    // int(rand(2**31));
my $seconds = $ENV{RATCHET_SECONDS} // 8;
srand($seed);
note("seed $seed, $seconds seconds");

# A server that was built by hand may not have them.
my @others = grep { -e pg_config('pkglibdir') . "/$_.so" } qw(pg_stat_statements auto_explain);
my $libraries = join ', ', 'pg_ratchet', @others;

my $node = new_node('main', conf => <<"CONF");
shared_preload_libraries = '$libraries'
auto_explain.log_min_duration = '1 s'
auto_explain.log_nested_statements = on
ratchet.max_workers = 8
max_worker_processes = 20
log_statement = none
CONF

# Whoever has one in hand; those of a transaction that was rolled back or died are not there.
value($node, q{
	CREATE TABLE sent (parcel uuid NOT NULL, queue text NOT NULL, task_id bigint NOT NULL, key text, attempt int, pid int NOT NULL DEFAULT pg_backend_pid(),
		began timestamptz NOT NULL, ended timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (parcel)) PARTITION BY HASH (parcel);
	SELECT format('CREATE TABLE sent_%s PARTITION OF sent FOR VALUES WITH (MODULUS 4, REMAINDER %s)', n, n) FROM generate_series(0, 3) n \gexec
	CREATE TABLE wanted (parcel uuid PRIMARY KEY, queue text NOT NULL, task_id bigint, key text);
	CREATE FUNCTION send(queue text, parcel jsonb) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE began timestamptz := clock_timestamp();
	BEGIN
		PERFORM pg_sleep((parcel->>'seconds')::float8);
		INSERT INTO sent VALUES ((parcel->>'id')::uuid, queue, ratchet.task_id(), parcel->>'key', ratchet.task_attempt(), DEFAULT, began);
	END $$;
	SELECT ratchet.create_queue(queue, format('SELECT send(%L, $1)', queue), concurrency => 2, max_crashes => 1000) FROM unnest('{batches,ordered,rated,tenants}'::text[]) queue;
	SELECT ratchet.alter_queue('rated', rate => 40, rate_period => '500 ms');
	SELECT ratchet.alter_queue('tenants', concurrency_per_key => 1, concurrency => 3, batch_size => 3)});

# So many tasks for a queue, in one transaction, of four keys.
sub enqueue
{
	my ($queue, $count, $seconds_each) = @_;
	value($node, qq{
		WITH parcel AS MATERIALIZED (SELECT gen_random_uuid() AS id, 'key ' || i % 4 AS key, i FROM generate_series(1, $count) i),
		     sent AS (SELECT id, key, ratchet.enqueue('$queue', jsonb_build_object('id', id, 'key', key, 'seconds', $seconds_each),
		                ordering_key => CASE '$queue' WHEN 'ordered' THEN key END, group_key => CASE '$queue' WHEN 'tenants' THEN key END) AS task FROM parcel)
		INSERT INTO wanted SELECT id, '$queue', task, key FROM sent});
	return;
}

sub done { return value($node, 'SELECT count(*) FROM sent'); }

sub bring_up
{
	my ($kill) = @_;
	$kill->();
	for my $try (1 .. 100)
	{
		$node->{_pid} = undef;
		return if $node->start(fail_ok => 1);
		sleep(0.1);    # processes of before may still be there
	}
	die "the server does not start\n";
}

my %kills = (
	'a worker, by kill -9' => sub { my @pids = ratchet_pids($node, 'worker'); kill_and_wait($node, $pids[ rand @pids ]) if @pids },
	'the scheduler, by kill -9' => sub { my @pids = ratchet_pids($node, 'scheduler'); kill_and_wait($node, $pids[0]) if @pids },
	'workers'       => sub { value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker'}) },
	'the scheduler' => sub { value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'}) },
	'every process of ours' => sub { value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet%'}) },
	'the server, at once'   => sub { $node->stop('immediate'); $node->start },
	'the postmaster'        => sub { my $pid = $node->{_pid}; bring_up(sub { kill('KILL', $pid); waitpid($pid, 0) }) });

promise 'whatever is killed, work goes on within moments' => sub {
	my $end = time() + $seconds;
	my @kinds = sort keys %kills;
	my %did;
	my $round = 0;
	do
	{
		my $done = done();    # before: on a busy machine the first ones are done before the last ones are there
		enqueue('batches', 1500, 0.0003);
		enqueue('ordered', 60,   0.002);
		enqueue('rated',   30,   0);
		enqueue('tenants', 60,   0.003);
		wait_until($node, "SELECT count(*) > $done + 50 FROM sent");
		sleep(rand(0.1));
		# Each kind in its turn, and then at random.
		my $kind = $round < @kinds ? $kinds[$round] : $kinds[ rand @kinds ];
		$kills{$kind}->();
		$did{$kind}++;
		$done = done();
		wait_until($node, "SELECT count(*) > $done FROM sent") if value($node, 'SELECT count(*) > 0 FROM ratchet.task') eq 't';
		$round++;
	} while ($round < @kinds || time() < $end);
	note("$round rounds: " . join(', ', map { "$_ $did{$_}" } sort keys %did));
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task', 'all tasks come to their end');
	my $slowest = value($node, q{SELECT round(1000 * extract(epoch FROM min(began) - pg_postmaster_start_time())) FROM sent WHERE began > pg_postmaster_start_time()});
	note("after the last start, the first effect after $slowest ms") if $slowest ne '';
};

promise 'each effect is there once, at the first attempt' => sub {
	is(value($node, 'SELECT count(*) FROM wanted w LEFT JOIN sent s USING (parcel, task_id) WHERE s.parcel IS NULL'), 0, 'none is lost');
	is(value($node, 'SELECT count(*) - (SELECT count(*) FROM wanted) FROM sent'), 0, 'none is there twice, or of nothing');
	is(value($node, 'SELECT max(attempt) FROM sent'), 1, 'no kill is an attempt');
	is(value($node, q{SELECT count(*) FROM ratchet.task_claim}), 0, 'no claim is left');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE state = 'dead'}), 0, 'no task is set aside');
};

promise 'of one ordering key one at a time, in order, of one group no two, and no more workers than the queue may have' => sub {
	is(value($node, q{SELECT count(*) FROM (SELECT task_id < lag(task_id) OVER w AS out_of_order, began < lag(ended) OVER w AS at_once
		FROM sent WHERE queue = 'ordered' WINDOW w AS (PARTITION BY key ORDER BY began)) o WHERE out_of_order OR at_once}), 0, 'ordering keys');
	is(value($node, q{SELECT count(*) FROM (SELECT began < max(ended) OVER (PARTITION BY key ORDER BY began ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS at_once
		FROM sent WHERE queue = 'tenants') o WHERE at_once}), 0, 'groups');
	# Each process has one in hand at a time.
	is(value($node, q{SELECT string_agg(queue || ' ' || most, ', ') FROM (SELECT queue, max(n) AS most FROM
		(SELECT queue, sum(step) OVER (PARTITION BY queue ORDER BY at, step) AS n FROM sent, LATERAL (VALUES (began, 1), (ended, -1)) e (at, step)) s GROUP BY 1) m
		WHERE most > CASE queue WHEN 'tenants' THEN 3 ELSE 2 END}), '', 'concurrency');
	is(value($node, q{SELECT count(*) FROM (SELECT began - lag(began, 40) OVER (ORDER BY began) AS span FROM sent WHERE queue = 'rated') r WHERE span < '500 ms'}), 0, 'rate');
};

promise 'a task that takes longer than every lease and time-out in sight is started once, also when the scheduler is lost' => sub {
	value($node, q{CREATE SEQUENCE starts; CREATE TABLE slept (task_id bigint);
		CREATE FUNCTION sleep_long(task bigint) RETURNS void LANGUAGE plpgsql AS
			$$BEGIN PERFORM nextval('starts'), pg_sleep(2.5); INSERT INTO slept VALUES (task); END$$;
		SELECT ratchet.create_queue('long', 'SELECT sleep_long($2)', lease => '100 ms', concurrency => 4);
		SELECT ratchet.enqueue('long')});
	wait_until($node, 'SELECT is_called FROM starts', 'it has been started');
	terminate_ratchet($node, $_) for 'scheduler', 'launcher';
	is(value($node, q{SELECT count(*) FROM ratchet.claim('long', wait => '1 second')}), 0, 'no consumer gets it');
	wait_until($node, 'SELECT count(*) > 0 FROM slept', 'it is done');
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task', 'and gone');
	is(value($node, 'SELECT last_value || $$ $$ || (SELECT count(*) FROM slept) FROM starts'), '1 1', 'once');
};

promise 'a head of an ordering key that is dead lets the others go, and comes back in its turn when it is redriven' => sub {
	value($node, q{CREATE TABLE broken (key text PRIMARY KEY); INSERT INTO broken VALUES ('a');
		CREATE TABLE walked (n bigserial, step int, began timestamptz, ended timestamptz DEFAULT clock_timestamp());
		CREATE FUNCTION walk(step jsonb) RETURNS void LANGUAGE plpgsql AS $$
		DECLARE began timestamptz := clock_timestamp();
		BEGIN
			IF (step->>'n')::int IN (1, 5) AND EXISTS (SELECT FROM broken) THEN RAISE 'the bridge is broken'; END IF;
			PERFORM pg_sleep(0.02);
			INSERT INTO walked (step, began) VALUES ((step->>'n')::int, began);
		END $$;
		SELECT ratchet.create_queue('walks', 'SELECT walk($1)', max_attempts => 2, backoff => '50 ms', enabled => false);
		SELECT count(ratchet.enqueue('walks', jsonb_build_object('n', i), ordering_key => 'a')) FROM generate_series(1, 8) i});
	is(value($node, q{SELECT string_agg(DISTINCT state, ',') FROM ratchet.tasks WHERE queue_name = 'walks' AND (payload->>'n')::int > 1}), 'blocked', 'who waits for another one can be seen');
	value($node, q{SELECT ratchet.resume_queue('walks')});
	wait_until($node, 'SELECT count(*) = 6 FROM walked', 'those behind them are done');
	is(value($node, q{SELECT string_agg(step::text, ' ' ORDER BY n) FROM walked}), '2 3 4 6 7 8', 'in order');
	value($node, q{TRUNCATE broken; SELECT ratchet.pause_queue('walks');
		SELECT count(ratchet.enqueue('walks', jsonb_build_object('n', i), ordering_key => 'a')) FROM generate_series(9, 12) i;
		SELECT ratchet.redrive('walks')});
	kill_ratchet($node, 'scheduler');
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'}, 'the server is back');
	value($node, q{SELECT ratchet.resume_queue('walks')});
	wait_until($node, 'SELECT count(*) = 12 FROM walked', 'all are done');
	is(value($node, q{SELECT string_agg(step::text, ' ' ORDER BY n) FROM walked WHERE n > 6}), '1 5 9 10 11 12', 'by their numbers');
	is(value($node, 'SELECT count(*) FROM (SELECT began < lag(ended) OVER (ORDER BY n) AS at_once FROM walked) w WHERE at_once'), 0, 'one at a time');
};

finish();
