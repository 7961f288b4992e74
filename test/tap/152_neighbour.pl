# A batch job as a good neighbour: what it holds between its batches, whom it lets go first, what it
# waits for, and how soon it stops when it is asked to.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', init => [ allows_streaming => 1 ]);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (id int PRIMARY KEY, batch int NOT NULL DEFAULT 0, app int NOT NULL DEFAULT 0);
INSERT INTO account SELECT generate_series(1, 10);
CREATE TABLE gate (at int);
-- Waits without a lock, which would be subject to ratchet.lock_timeout, until the gate is open.
CREATE FUNCTION pass(id int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM gate WHERE at = id) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
-- What the process of a run has in hand. Only when the run rests all the while, else null.
CREATE FUNCTION at_rest(id bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	before ratchet.running;
	seen jsonb;
	after ratchet.running;
BEGIN
	SELECT * INTO before FROM ratchet.running WHERE run_id = id AND waits_for = 'pause';
	PERFORM pg_stat_clear_snapshot();
	SELECT jsonb_build_object('xmin', backend_xmin, 'xid', backend_xid, 'xact', xact_start) INTO seen
	  FROM pg_stat_activity WHERE pid = before.pid;
	seen := seen || (SELECT jsonb_build_object('locks', jsonb_agg(concat_ws(' ', locktype, objsubid) ORDER BY 1))
	                   FROM pg_locks WHERE pid = before.pid);
	SELECT * INTO after FROM ratchet.running WHERE run_id = id AND waits_for = 'pause';
	RETURN CASE WHEN after.current_batch = before.current_batch THEN seen END;
END $$;
SQL

my $jobs = 0;

# A new job each time: one that is defined again goes on behind its checkpoint.
sub begin_walk
{
	my ($name, @definition) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return begin_batch($node, $name . ' ' . ++$jobs, @definition);
}

sub waits_for
{
	my ($run_id, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_until($node, "SELECT waits_for = '$what' FROM ratchet.running WHERE run_id = $run_id",
		"it waits for $what, and says so");
}

sub in_batch
{
	my ($run_id, $batch) = @_;
	return wait_until($node, "SELECT current_batch >= $batch FROM ratchet.running WHERE run_id = $run_id");
}

sub running { return row($node, "SELECT * FROM ratchet.running WHERE run_id = $_[0]"); }

sub set
{
	my ($name, $value) = @_;
	$node->safe_psql('postgres',
		defined $value ? "ALTER SYSTEM SET $name = '$value'" : "ALTER SYSTEM RESET $name");
	$node->reload;
	return;
}

sub seconds
{
	return value($node, "SELECT extract(epoch FROM duration) FROM ratchet.runs WHERE run_id = $_[0]");
}

# What a look at the run shows, as soon as it shows something.
sub catch_at
{
	my ($run_id, $look) = @_;
	while (1)
	{
		my $seen = $look->();
		return $seen if $seen;
		die "the run is over\n" if run_status($node, $run_id) ne 'running';
	}
}

promise 'between two batches it holds nothing' => sub {
	# Longer than it takes to look at it.
	my $run_id = begin_walk('rests', 'SELECT g AS id FROM generate_series(1, 10000) g',
		'SELECT pg_sleep(0.03)', q{batch_size => 1, pause_ratio => 0.95});
	for my $batch (2 .. 4)
	{
		in_batch($run_id, $batch);
		my $seen = catch_at($run_id, sub { value($node, "SELECT at_rest($run_id)") });
		is($seen, '{"xid": null, "xact": null, "xmin": null, "locks": ["advisory 3"]}',
			"before batch $batch: no transaction, no snapshot, no lock but that of the job");
	}
	value($node, "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
};

promise 'in the foreground, too' => sub {
	$node->safe_psql('postgres', define_batch('front', 'SELECT g AS id FROM generate_series(1, 10000) g',
			'SELECT pg_sleep(0.03)', q{batch_size => 1, pause_ratio => 0.95}));
	my $session = session($node);
	$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('front');\n");
	wait_until($node, 'SELECT current_batch >= 3 FROM ratchet.running');
	my $run_id = value($node, 'SELECT run_id FROM ratchet.running');
	my $seen = catch_at(
		$run_id,
		sub {
			row($node, "SELECT * FROM jsonb_to_record(at_rest($run_id)) AS r (xmin text, xid text, locks jsonb) WHERE locks IS NOT NULL");
		});
	is($seen->{xmin}, undef, 'no snapshot');
	is($seen->{xid}, undef, 'no transaction that wrote');
	is(join(', ', grep { $_ ne 'virtualxid' } @{ $seen->{locks} }), 'advisory 3', 'no lock but that of the job');
	value($node, "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
	$session->quit;
};

promise 'who updates the same rows in the opposite order is never the victim' => sub {
	$node->safe_psql('postgres', <<'SQL');
UPDATE account SET batch = 0;
CREATE TABLE app_error (sqlstate text);
CREATE TABLE walk_pace AS SELECT 0.002 AS seconds;
CREATE PROCEDURE app(times int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			FOR row IN REVERSE 10 .. 1 LOOP
				UPDATE account SET app = app + 1 WHERE id = row;
				PERFORM pg_sleep(0.002);
			END LOOP;
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO app_error VALUES (SQLSTATE);
		END;
		COMMIT;
	END LOOP;
END $$;
SQL
	is(value($node, 'SHOW deadlock_timeout'), '1s', 'the application looks for deadlocks as it always does');
	my $run_id = begin_walk(
		'opposite',
		'SELECT step, 1 + step % 10 AS id FROM generate_series(0, 4999) step',
		'UPDATE account SET batch = batch + 1 WHERE id = $2 AND pg_sleep((SELECT seconds FROM walk_pace)) IS NOT NULL',
		q{batch_size => 20});
	in_batch($run_id, 1);
	my $conflicts = 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()';
	my $before = value($node, $conflicts);
	psql_ok($node, 'CALL app(100)', 'the application commits 100 times');
	is(run_status($node, $run_id), 'running', 'while the batch job is under way');
	$node->safe_psql('postgres', 'UPDATE walk_pace SET seconds = 0');
	wait_run($node, $run_id, 'succeeded', 'which then finishes');
	is(value($node, q{SELECT string_agg(sqlstate, ' ') FROM app_error}), '', 'the application has seen no error');
	note('deadlocks: ', value($node, $conflicts) - $before);
	cmp_ok(value($node, $conflicts) - $before, '>=', 5, 'there were deadlocks, and the batch gave way');
	is(value($node, 'SELECT min(app), max(app), min(batch), max(batch) FROM account'), '100|100|500|500',
		'each row was counted as often as it should');
	is_run(run_record($node, $run_id), { items_done => 5000, items_failed => 0 }, 'no item was blamed');
};

promise 'a row that is locked for a while holds up this batch, and nobody else' => sub {
	$node->safe_psql('postgres', 'UPDATE account SET batch = 0, app = 0');
	my $idle = session($node);
	$idle->query_safe('BEGIN; UPDATE account SET app = 1 WHERE id = 5');
	my $run_id = begin_walk('locked', 'SELECT id FROM account', 'UPDATE account SET batch = batch + 1 WHERE id = $1');
	waits_for($run_id, 'lock');
	my $longest = 0;
	for (1 .. 15)
	{
		my $took = value($node, q{SELECT clock_timestamp() AS t \gset
UPDATE account SET app = app + 1 WHERE id IN (1, 2);
SELECT extract(epoch FROM clock_timestamp() - :'t')});
		$longest = $took if $took > $longest;
	}
	cmp_ok($longest, '<', 0.5 + within(0.5), 'others wait for its rows no longer than ratchet.lock_timeout');
	wait_until($node, 'SELECT count(*) = 4 FROM account WHERE batch = 1', 'the rows before it are done meanwhile');
	is(run_status($node, $run_id), 'running', 'the run goes on trying');
	$idle->query_safe('COMMIT');
	wait_run($node, $run_id, 'succeeded', 'when the lock is released it goes on');
	is(value($node, 'SELECT count(*) FROM account WHERE batch = 1'), 10, 'and every row is done once');
	$idle->quit;
};

# On by default since 19.
promise 'log_lock_waits of the server is not for the waits of a batch' => sub {
	set('log_lock_waits', 'on');
	my $idle = session($node);
	$idle->query_safe('BEGIN; UPDATE account SET app = 1 WHERE id = 5');
	my $run_id = begin_walk('waits in silence', 'SELECT id FROM account', 'UPDATE account SET batch = batch + 1 WHERE id = $1');
	waits_for($run_id, 'lock');
	my $pid = running($run_id)->{pid};
	wait_until($node, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND waitstart < clock_timestamp() - interval '100 ms')",
		'for longer than ratchet.deadlock_timeout');
	$idle->query_safe('COMMIT');
	wait_run($node, $run_id, 'succeeded');
	unlike(slurp_file($node->logfile), qr/LOG:  process $pid (still waiting|acquired)/, 'and nothing is in the log of it');
	$idle->quit;
	set('log_lock_waits', undef);
};

promise 'log_lock_waits tells each wait of a batch for more than ratchet.deadlock_timeout' => sub {
	my $idle = session($node);
	$idle->query_safe('BEGIN; UPDATE account SET app = 1 WHERE id = 5');
	my $run_id = begin_walk('waits', 'SELECT id FROM account', 'UPDATE account SET batch = batch + 1 WHERE id = $1',
		q{settings => '{"log_lock_waits": "on"}'});
	waits_for($run_id, 'lock');
	my $pid = running($run_id)->{pid};
	my $wait = qr/\[$pid\].*LOG:  process $pid still waiting for ShareLock on transaction \d+ after (\d+\.\d+) ms/;
	my @waits;
	@waits = wait_log($node, $wait, 'it is in the log') until @waits > 2;
	my ($shortest) = sort { $a <=> $b } map { /$wait/ } @waits;
	cmp_ok($shortest, '>=', 10, 'after ratchet.deadlock_timeout');
	cmp_ok($shortest, '<', 1000, 'and not after that of the server');
	$idle->query_safe('COMMIT');
	wait_run($node, $run_id, 'succeeded');
	$idle->quit;
};

promise 'so does a locked table' => sub {
	$node->safe_psql('postgres', 'UPDATE account SET batch = 0, app = 0');
	$node->safe_psql('postgres', define_batch('locked out', 'SELECT id FROM account', 'UPDATE account SET batch = batch + 1 WHERE id = $1'));
	my $idle = session($node);
	$idle->query_safe('BEGIN; LOCK TABLE account');
	my $run_id = value($node, q{SELECT ratchet.trigger('locked out')});
	waits_for($run_id, 'lock');
	$idle->query_safe('COMMIT');
	wait_run($node, $run_id, 'succeeded', 'it goes on when the table is free');
	is(value($node, 'SELECT count(*) FROM account WHERE batch = 1'), 10, 'every row is done once');
	$idle->quit;
};

promise 'pause_ratio' => sub {
	my @job = ('SELECT generate_series(1, 20) AS id', 'SELECT $1, pg_sleep(0.03)');
	my $run_id = begin_walk('half', @job, q{batch_size => 1, pause_ratio => 0.5});
	waits_for($run_id, 'pause');
	wait_run($node, $run_id, 'succeeded');
	# It rests after each batch but the last, as long as the batch took.
	cmp_ok(seconds($run_id), '>', 0.03 * (20 + 19), 'with 0.5 it rests half of the time');
	cmp_ok(seconds($run_id), '<', within(6), 'and not much more');

	set('ratchet.pause_ratio', 0.5);
	$run_id = begin_walk('half', @job, q{batch_size => 1, pause_ratio => 0});
	wait_run($node, $run_id, 'succeeded');
	my $alone = seconds($run_id);
	$run_id = begin_walk('half', @job, q{batch_size => 1});
	waits_for($run_id, 'pause');
	wait_run($node, $run_id, 'succeeded');
	cmp_ok(seconds($run_id), '>', 0.03 * (20 + 19), 'ratchet.pause_ratio is the default');
	cmp_ok($alone, '<', seconds($run_id), q{and the job's own 0 goes before it});

	set('ratchet.pause_ratio', 0);
	$run_id = begin_walk('notices', 'SELECT generate_series(1, 300) AS id', 'SELECT $1, pg_sleep(0.1)', q{batch_size => 1});
	in_batch($run_id, 3);
	is(running($run_id)->{waits_for}, undef, 'a walk without pauses');
	set('ratchet.pause_ratio', 0.95);
	waits_for($run_id, 'pause');
	$node->safe_psql('postgres', q{SELECT ratchet.cancel(run_id) FROM ratchet.running});
	wait_run($node, $run_id, 'canceled');

	$run_id = begin_walk('notices', 'SELECT generate_series(1, 10) AS id', 'SELECT $1, pg_sleep(1)', q{batch_size => 1});
	waits_for($run_id, 'pause');
	set('ratchet.pause_ratio');
	my $changed = value($node, 'SELECT now()');
	in_batch($run_id, 3);
	cmp_ok(value($node, "SELECT extract(epoch FROM now() - '$changed')"), '<', within(5), 'a change ends a long pause, too');
	$node->safe_psql('postgres', q{SELECT ratchet.cancel(run_id) FROM ratchet.running});
	wait_run($node, $run_id, 'canceled');
};

# ---- Standbys ------------------------------------------------------------------------------------

my @writes = (
	'SELECT generate_series(1, 100) AS id',
	'UPDATE account SET batch = batch + 1 WHERE id = 1 + $1 % 10 AND pg_sleep(0.01) IS NOT NULL');
my $written = 'SELECT sum(batch) FROM account';

promise 'max_replication_lag without a standby' => sub {
	my $run_id = begin_walk('replicated', @writes, q{batch_size => 1, max_replication_lag => '1 ms'});
	wait_run($node, $run_id, 'succeeded', 'does not wait');
};

$node->backup('files');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'files', has_streaming => 1);
$standby->append_conf('postgresql.conf', "wal_receiver_status_interval = 1s\n");
watch_log($standby);
$standby->start;
$node->wait_for_catchup($standby, 'replay');

my $lagging = q{batch_size => 1, max_replication_lag => '200 ms'};

sub replay
{
	my ($what) = @_;
	$standby->safe_psql('postgres', "SELECT pg_wal_replay_$what()");
	wait_until($standby, q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) if $what eq 'pause';
	return;
}

promise 'max_replication_lag with a standby that stands still' => sub {
	$node->safe_psql('postgres', 'UPDATE account SET batch = 0');
	replay('pause');
	my $run_id = begin_walk('replicated', @writes, $lagging);
	waits_for($run_id, 'replication');
	my $done = running($run_id)->{items_done};
	cmp_ok($done, '<', 100, 'it has stopped on its way');
	is(value($node, $written), $done, 'behind what it has committed');
	replay('resume');
	wait_run($node, $run_id, 'succeeded', 'it goes on when the standby does');
	is(value($node, $written), 100, 'with every row done once');

	set('ratchet.max_replication_lag', '200 ms');
	replay('pause');
	$run_id = begin_walk('replicated', @writes, 'batch_size => 1');
	waits_for($run_id, 'replication');
	set('ratchet.max_replication_lag');
	wait_run($node, $run_id, 'succeeded', 'who gives up the limit lets it go on');

	$run_id = begin_walk('replicated', @writes, $lagging);
	waits_for($run_id, 'replication');
	$standby->stop;
	wait_run($node, $run_id, 'succeeded', 'and it does not wait for a standby that is gone');
	$standby->start;
	$node->wait_for_catchup($standby, 'replay');
};

# ---- Stopping ------------------------------------------------------------------------------------

# Where a run can be when it is asked to stop: a session that is in its way, the job, and what to wait for.
sub places
{
	return (
		[ 'in a long statement', sub { },
			[ 'SELECT 1 AS id', 'SELECT $1, pg_sleep(60)' ], undef, 0 ],
		[ 'in an endless loop', sub { },
			[ 'SELECT 1 AS id', 'SELECT max($1) FROM generate_series(1, 100000000000)' ], undef, 0 ],
		[ 'in the query of the source', sub { },
			[ 'SELECT id FROM account WHERE pg_sleep(60) IS NOT NULL', 'SELECT $1' ], undef, 0 ],
		[ 'in a pause', sub { },
			[ 'SELECT generate_series(1, 10) AS id', 'INSERT INTO stopped VALUES ($1, pg_sleep(0.3) IS NULL)', q{batch_size => 1, pause_ratio => 0.95} ],
			'pause', 1 ],
		[ 'while it waits for a lock', sub { $_[0]->query_safe('BEGIN; UPDATE account SET app = 0 WHERE id = 2') },
			[ 'SELECT id FROM account', 'UPDATE account SET batch = batch + 1 WHERE id = $1', q{batch_size => 1} ],
			'lock', 1 ],
		[ 'while it waits for a standby', sub { replay('pause') },
			[ @writes, $lagging ], 'replication', undef ],
		[ 'while it waits for writers', sub { $_[0]->query_safe('BEGIN; INSERT INTO account VALUES (100)') },
			[ 'SELECT id FROM account', 'SELECT $1', q{mode => 'incremental'} ], 'writers', 0 ]);
}

sub stops_at_once
{
	my ($timeout) = @_;
	$node->safe_psql('postgres', 'CREATE TABLE IF NOT EXISTS stopped (id int, x boolean)');
	for my $place (places())
	{
		my ($where, $prepare, $job, $wait, $done) = @$place;
		my ($source, $action, $options) = @$job;
		my $other = session($node);
		$prepare->($other);
		$options = join ', ', grep { defined } $options, $timeout ? q{timeout => '900 ms'} : undef;
		my $run_id = begin_walk('stops', $source, $action, $options ne '' ? $options : undef);
		my $late;
		if ($timeout)
		{
			wait_run($node, $run_id, 'timed_out', "a timeout $where");
			$late = seconds($run_id) - 0.9;
		}
		else
		{
			defined $wait ? waits_for($run_id, $wait)
			  : wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run_id");
			my $asked = value($node, qq{SELECT clock_timestamp() AS t \\gset
SELECT ratchet.cancel($run_id) \\g /dev/null
SELECT :'t'});
			wait_run($node, $run_id, 'canceled', "a cancel $where");
			$late = value($node, "SELECT extract(epoch FROM finished_at - '$asked') FROM ratchet.runs WHERE run_id = $run_id");
		}
		cmp_ok($late, '<', within(1), 'takes effect within a second');
		my $record = run_record($node, $run_id);
		is_run($record, { sqlstate => '57014', items_failed => 0 }, 'and no item is blamed');
		is($record->{items_done}, $done, 'what has committed stays') if defined $done;
		$other->quit;
		replay('resume');
	}
	return;
}

promise 'a cancel takes effect at once' => sub { stops_at_once(0); };
promise 'so does a timeout' => sub { stops_at_once(1); };

# ---- What one sees of it -------------------------------------------------------------------------

promise 'ratchet.running' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE item (id int PRIMARY KEY);
INSERT INTO item SELECT generate_series(1, 10000);
ANALYZE item;
INSERT INTO gate VALUES (1), (5001), (7501);
SQL
	my $action = 'SELECT pass($1), 1 / ($1 - 700)';
	my $run_id = begin_walk('seen', 'SELECT id FROM item', $action, 'batch_size => 100');
	wait_until($node, "SELECT items_remaining IS NOT NULL FROM ratchet.running WHERE run_id = $run_id");
	my $seen = running($run_id);
	my $job = "seen $jobs";
	is_run($seen, { job_name => $job, items_done => 0, items_failed => 0, current_batch => 1, walk_done => 0, waits_for => undef, eta => undef },
		'at the beginning');
	cmp_ok($seen->{items_remaining}, '>', 5000, 'the planner says how many items there are');
	cmp_ok($seen->{items_remaining}, '<', 20000, 'more or less');
	is( value($node, "SELECT application_name || ', ' || state || ', ' || query FROM pg_stat_activity WHERE pid = $seen->{pid}"),
		"pg_ratchet: $job, active, $action", 'pg_stat_activity shows the job and its action');
	$node->safe_psql('postgres', 'DELETE FROM gate WHERE at = 1');
	in_batch($run_id, 51);
	$seen = running($run_id);
	is_run($seen, { items_done => 4999, items_failed => 1, current_batch => 51, walk_done => 4999, waits_for => undef }, 'half way, with an item that failed');
	cmp_ok(abs($seen->{items_remaining} - 5000), '<=', 2500, 'with about half of the items left');
	cmp_ok($seen->{rate}, '>', 0, 'at some rate');
	is(value($node, "SELECT eta > now() AND eta < now() + elapsed * 2 + interval '1 second' FROM ratchet.running WHERE run_id = $run_id"),
		't', 'and about the same time to go');
	value($node, "SELECT ratchet.cancel($run_id)");
	wait_run($node, $run_id, 'canceled');
	$node->safe_psql('postgres', 'DELETE FROM gate WHERE at = 5001');
	$run_id = value($node, "SELECT ratchet.trigger('$job')");
	in_batch($run_id, 26);
	is_run(running($run_id), { items_done => 2500, items_failed => 0, current_batch => 26, walk_done => 7499 },
		'the next run counts its own items, and those of the walk');
	cmp_ok(abs(running($run_id)->{items_remaining} - 2500), '<=', 1250, 'what remains is what the walk has left');
	$node->safe_psql('postgres', 'DELETE FROM gate');
	wait_run($node, $run_id, 'succeeded');
	is(running($run_id), undef, 'a run that has ended is not shown');
};

finish();
