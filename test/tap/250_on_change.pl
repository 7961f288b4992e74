# Change triggers: whatever commits is seen by a run, many commits by one, and writers do not notice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 5\n");
value($node, q{
	CREATE TABLE item (id int PRIMARY KEY, n bigint NOT NULL);
	INSERT INTO item SELECT g, 0 FROM generate_series(1, 100) g;
	CREATE TABLE marker (x int);
	CREATE TABLE seen (run_id bigint, total bigint)});
# What a run of the job sees is in "seen".
my $look = q{INSERT INTO seen SELECT ratchet.run_id(), (SELECT sum(n) FROM item)};
value($node, define_job('look', $look) . define_job('mark', 'SELECT 1'));
# The first pass of a scheduler after the start of the server runs what has a trigger; that is tested below.
wait_run($node, value($node, q{SELECT ratchet.trigger('mark')}), 'succeeded', 'the scheduler is there');
value($node, q{SELECT ratchet.trigger_on_change('marker', 'mark', debounce => '0')});

sub on_change
{
	my ($debounce) = @_;
	value($node, "TRUNCATE seen; SELECT ratchet.trigger_on_change('item', 'look', debounce => '$debounce')");
	return;
}

sub runs_of
{
	my ($job) = @_;
	return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job'");
}

# When a change of "marker" has run, the scheduler has heard of everything that was committed before.
sub everything_is_heard
{
	# One that waits already, as after a look at all triggers, would serve this change, too.
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'mark' AND status IN ('queued', 'running')});
	my $before = runs_of('mark');
	value($node, 'INSERT INTO marker VALUES (1)');
	wait_until($node, "SELECT count(*) > $before FROM ratchet.runs WHERE job_name = 'mark' AND status = 'succeeded'");
	return;
}

# Nothing waits, and the last run of the job has seen what is in the table now.
sub nothing_is_lost
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, q{
		SELECT (SELECT total FROM seen ORDER BY run_id DESC LIMIT 1) = (SELECT sum(n) FROM item)
			AND NOT EXISTS (SELECT FROM ratchet.run_queue)}, $what);
	return;
}

promise 'ten thousand commits become a run per debounce, which sees all of them' => sub {
	on_change('2 seconds');
	my $before = runs_of('look');
	my $seconds = value($node, q{
		SET synchronous_commit = off;
		CREATE TEMP TABLE start AS SELECT clock_timestamp() AS at;
		DO $$BEGIN
			FOR i IN 1 .. 10000 LOOP
				UPDATE item SET n = n + 1 WHERE id = i % 100 + 1;
				COMMIT;
			END LOOP;
		END$$;
		SELECT ceil(extract(epoch FROM clock_timestamp() - at)) FROM start});
	nothing_is_lost('all are seen');
	my $runs = runs_of('look') - $before;
	cmp_ok($runs, '>=', 1, 'there is a run');
	cmp_ok($runs, '<=', $seconds / 2 + 1, "$runs for 10 000 commits in $seconds s");
};

promise 'a burst that is shorter than the debounce is one run' => sub {
	on_change('3 seconds');
	my $before = runs_of('look');
	value($node, join ";\n", ('UPDATE item SET n = n + 1 WHERE id = 1') x 50);
	is( value($node, q{SELECT count(*) FROM ratchet.run_queue WHERE on_change AND run_at > clock_timestamp()}) <= 1 ? 1 : 0,
		1, 'at most one waits');
	nothing_is_lost('all are seen');
	is(runs_of('look') - $before, 1, 'by one run');
	is( value($node, q{
			SELECT cause || ' ' || status || ' ' || (started_at >= scheduled_at) FROM ratchet.runs
			WHERE job_name = 'look' ORDER BY run_id DESC LIMIT 1}),
		'trigger succeeded true', 'whose cause is a trigger, and which waited for the debounce');
};

promise 'the writer neither writes to the queue nor takes a lock on anything of ours' => sub {
	is( value($node, q{
			BEGIN;
			UPDATE item SET n = n + 1 WHERE id = 1;
			SELECT count(*) FROM ratchet.run_queue;
			SELECT string_agg(DISTINCT relation::regclass::text, ' ') FROM pg_locks
			WHERE pid = pg_backend_pid() AND mode = 'RowExclusiveLock';
			SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'object', 'tuple');
			ROLLBACK}),
		"0\nitem item_pkey\n0", 'in its transaction');
};

promise 'what is rolled back, or changes nothing, asks for no run' => sub {
	on_change('0');
	everything_is_heard();
	my $before = runs_of('look');
	value($node, q{BEGIN; UPDATE item SET n = n + 1; ROLLBACK});
	value($node, q{BEGIN; SAVEPOINT a; UPDATE item SET n = n + 1; ROLLBACK TO a; CREATE TABLE other (); COMMIT});
	value($node, q{DO $$BEGIN UPDATE item SET n = 1 / (n - n); EXCEPTION WHEN OTHERS THEN NULL; END$$});
	value($node, q{UPDATE item SET n = n + 1 WHERE false});
	everything_is_heard();
	is(runs_of('look'), $before, 'no run');
	value($node, q{BEGIN; SAVEPOINT a; SAVEPOINT b; UPDATE item SET n = n + 1; RELEASE b; RELEASE a; COMMIT});
	nothing_is_lost('a released savepoint counts');
	is(runs_of('look'), $before + 1, 'once');
	value($node, q{
		BEGIN; UPDATE item SET n = n + 1;
		SAVEPOINT a; UPDATE item SET n = n + 1; ROLLBACK TO a; COMMIT});
	nothing_is_lost('what came before a savepoint counts');
};

promise 'every way of writing counts' => sub {
	on_change('0');
	my $copy = "COPY item FROM stdin;\n1001\t5\n\\.\n";
	for my $sql (
		'INSERT INTO item VALUES (1000, 5)',
		'DELETE FROM item WHERE id = 1000',
		$copy,
		'MERGE INTO item USING (VALUES (1001, 7)) v (id, n) ON item.id = v.id WHEN MATCHED THEN UPDATE SET n = v.n',
		'WITH w AS (UPDATE item SET n = n + 3 WHERE id = 2 RETURNING id) SELECT FROM w')
	{
		value($node, $sql);
		nothing_is_lost($sql =~ s/\n.*//sr);
	}
	my $before = runs_of('look');
	value($node, 'BEGIN; CREATE TABLE kept AS TABLE item; TRUNCATE item; COMMIT');
	wait_until($node, "SELECT count(*) > $before FROM ratchet.runs WHERE job_name = 'look' AND status = 'succeeded'",
		'TRUNCATE');
	value($node, 'INSERT INTO item TABLE kept');
	nothing_is_lost('INSERT … SELECT');

	value($node, q{
		CREATE TABLE parted (k int) PARTITION BY LIST (k);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
		SELECT ratchet.trigger_on_change('parted', 'look', debounce => '0')});
	$before = runs_of('look');
	value($node, 'INSERT INTO parted VALUES (1)');
	wait_until($node, "SELECT count(*) > $before FROM ratchet.runs WHERE job_name = 'look'", 'a partitioned table');
	everything_is_heard();
	$before = runs_of('look');
	value($node, 'INSERT INTO parted_1 VALUES (1)');
	everything_is_heard();
	is(runs_of('look'), $before, 'a statement that names the partition is one on another table');
	value($node, q{
		CREATE TABLE parted_2 AS SELECT 2 AS k;
		ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);
		ALTER TABLE parted DETACH PARTITION parted_1;
		DROP TABLE parted_2});
	everything_is_heard();
	is(runs_of('look'), $before, 'partitions that come and go are no statement on the table');
};

promise 'nothing is lost between many writers and runs' => sub {
	on_change('0');
	my $script = $node->basedir . '/writers.sql';
	open(my $file, '>', $script) or die;
	print $file "\\set id random(1, 100)\n\\set undo random(1, 10)\nBEGIN;\n"
	  . "UPDATE item SET n = n + 1 WHERE id = :id;\n"
	  . "\\if :undo = 1\nROLLBACK;\n\\else\nCOMMIT;\n\\endif\n";
	close($file);
	for my $round (1 .. 3)
	{
		$node->command_ok([ 'pgbench', '-n', '-f', $script, '-c', 6, '-t', 150, '-d', 'postgres' ],
			"writers, round $round");
		nothing_is_lost('the last run has seen the last commit');
	}
};

promise 'a change during a run leads to another run after it' => sub {
	value($node, q{SELECT ratchet.drop_trigger_on_change('item', 'look')});
	my $lock = lock_session($node, 77);
	value($node, define_job('slow', "$look; SELECT pg_advisory_lock(77); SELECT pg_advisory_unlock(77)"));
	value($node, q{TRUNCATE seen; SELECT ratchet.trigger_on_change('item', 'slow', debounce => '0')});
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted},
		'a run has taken its snapshot');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	everything_is_heard();
	is(value($node, q{SELECT string_agg(status, ' ' ORDER BY run_id) FROM ratchet.runs WHERE job_name = 'slow'}),
		'running queued', 'one more waits, and is not skipped');
	$lock->query_safe('SELECT pg_advisory_unlock(77)');
	$lock->quit;
	nothing_is_lost('it sees both');
	is(runs_of('slow'), 2, 'and there are no others');
	value($node, q{SELECT ratchet.unschedule('slow')});
};

promise 'the writer of a job that is gone does not notice, and a new job of its name is another one' => sub {
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	is(value($node, q{SELECT count(*) FROM ratchet.change_triggers WHERE job_name = 'slow'}), 0, 'it is not listed');
	value($node, define_job('slow', 'SELECT 1'));
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	everything_is_heard();
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'slow' AND status <> 'succeeded'}), 0, 'nothing failed');
	is(value($node, q{
		SELECT count(*) FROM ratchet.runs r JOIN ratchet.jobs USING (job_id) WHERE r.job_name = 'slow'}), 0,
		'the new job does not run');
	is(value($node, q{SELECT ratchet.unschedule('slow'), ratchet.drop_trigger_on_change('item', 'slow')}), 't|t',
		'the trigger goes by the name that the job had');
};

promise 'a job that is gone makes room for others' => sub {
	plan skip_all => 'there is no /proc' unless -e "/proc/$$/status";
	my $wakes = sub {
		my ($pid) = ratchet_pids($node, 'scheduler', 'postgres');
		open(my $file, '<', "/proc/$pid/status") or die "scheduler: $!";
		my ($count) = join('', <$file>) =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
		close($file);
		return $count;
	};
	# More than the board has places for.
	value($node, q{
		DO $$BEGIN FOR t IN 1 .. 150 LOOP
			EXECUTE format('CREATE TABLE passing_%s (x int)', t);
			FOR i IN 1 .. 30 LOOP
				PERFORM ratchet.schedule(format('passing %s %s', t, i), '@manual', 'SELECT 1');
				PERFORM ratchet.trigger_on_change(format('passing_%s', t)::regclass, format('passing %s %s', t, i), debounce => '1 hour');
			END LOOP;
		END LOOP; END$$;
		DO $$BEGIN FOR t IN 1 .. 150 LOOP EXECUTE format('INSERT INTO passing_%s VALUES (1)', t); END LOOP; END$$;
		SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name LIKE 'passing %'});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue WHERE run_at > now() + interval '1 min'}, 'all of them are gone');
	value($node, define_job('stays', 'SELECT 1') . q{
		CREATE TABLE lasting (x int);
		SELECT ratchet.trigger_on_change('lasting', 'stays', debounce => '1 hour')});
	everything_is_heard();
	value($node, 'INSERT INTO lasting VALUES (1)');
	everything_is_heard();
	my $before = $wakes->();
	value($node, q{DO $$BEGIN FOR i IN 1 .. 2000 LOOP INSERT INTO lasting VALUES (i); COMMIT; END LOOP; END$$});
	cmp_ok($wakes->() - $before, '<', 500, 'two thousand commits, for which a run is asked for already, tell the scheduler nothing');
	value($node, q{SELECT ratchet.unschedule('stays')});
};

promise 'a job that writes to its own table does not run for ever' => sub {
	value($node, define_job('eats', 'UPDATE item SET n = n + 1 WHERE id = 3'));
	value($node, q{SELECT ratchet.trigger_on_change('item', 'eats', debounce => '0')});
	on_change('0');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'eats' AND status = 'succeeded'}, 'it runs');
	nothing_is_lost('another job sees what it wrote');
	everything_is_heard();
	is(runs_of('eats'), 1, 'once');
	value($node, q{SELECT ratchet.drop_trigger_on_change('item', 'eats')});
};

promise 'changes of a paused job wait until it is resumed' => sub {
	on_change('0');
	everything_is_heard();
	my $before = runs_of('look');
	value($node, q{SELECT ratchet.pause_job('look')});
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1') for 1 .. 3;
	everything_is_heard();
	is(runs_of('look'), $before, 'no run');
	value($node, q{SELECT ratchet.resume_job('look')});
	nothing_is_lost('then they are seen');
	is(runs_of('look'), $before + 1, 'by one run');

	on_change('1 hour');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	everything_is_heard();
	my $run = value($node, q{SELECT max(run_id) FROM ratchet.run_queue WHERE on_change});
	value($node, "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled', 'a run that waits can be canceled');
	on_change('0');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	nothing_is_lost('and the next change asks for another');
	value($node, q{SELECT ratchet.alter_job('look', new_name => 'looks')});
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	nothing_is_lost('a renamed job is the same job');
	value($node, q{SELECT ratchet.alter_job('looks', new_name => 'look')});
};

promise 'a shorter debounce moves the run that waits' => sub {
	on_change('1 hour');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	everything_is_heard();
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue WHERE on_change}), 1, 'a run waits for an hour');
	value($node, q{SELECT ratchet.trigger_on_change('item', 'look', debounce => '0')});
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	nothing_is_lost('and runs at once');
};

promise 'a change that a prepared transaction commits is seen' => sub {
	on_change('0');
	everything_is_heard();
	my $before = runs_of('look');
	value($node, q{BEGIN; UPDATE item SET n = n + 1 WHERE id = 1; PREPARE TRANSACTION 'p'});
	everything_is_heard();
	is(runs_of('look'), $before, 'not when it is prepared');
	value($node, q{COMMIT PREPARED 'p'});
	nothing_is_lost('when it is committed');
	value($node, q{BEGIN; UPDATE item SET n = n + 1 WHERE id = 1; PREPARE TRANSACTION 'p'});
	$node->restart;
	nothing_is_lost('a restart');
	$before = runs_of('look');
	value($node, q{COMMIT PREPARED 'p'});
	nothing_is_lost('when it is committed after a restart');
};

promise 'a scheduler that dies loses nothing' => sub {
	on_change('2 seconds');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	terminate_ratchet($node, 'scheduler', 'postgres');
	nothing_is_lost('with a change that it has heard of');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	kill('STOP', $scheduler);
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	value($node, "SELECT pg_terminate_backend($scheduler)");
	kill('CONT', $scheduler);
	nothing_is_lost('with one that it has not heard of');
};

promise 'what was committed before the server died is seen' => sub {
	on_change('1 day');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	kill('STOP', $scheduler);
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	$node->stop('immediate');
	kill('CONT', $scheduler);
	$node->start;
	nothing_is_lost('a change of which no scheduler has heard');
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	everything_is_heard();
	is(value($node, q{SELECT count(*) FROM ratchet.run_queue WHERE on_change}), 1, 'a run waits for a day');
	kill_ratchet($node, 'launcher');
	nothing_is_lost('and runs after a crash');
};

promise 'writers in a server without the library write as ever' => sub {
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
	$node->restart;
	value($node, 'UPDATE item SET n = n + 1 WHERE id = 1');
	value($node, q{BEGIN; UPDATE item SET n = n + 1 WHERE id = 1; PREPARE TRANSACTION 'q'});
	value($node, q{COMMIT PREPARED 'q'});
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_ratchet'");
	$node->restart;
	nothing_is_lost('the change is seen once it is there again');
};

promise 'a dump carries the triggers, and a table alone runs no job of another database' => sub {
	my $dump = $node->basedir . '/dump.sql';
	$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'pg_dump');
	value($node, 'CREATE DATABASE copy');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'copy', '-f', $dump ], 'restored');
	my @copy = (db => 'copy');
	is( value($node, q{SELECT string_agg(table_name || ' ' || job_name || ' ' || debounce, ', ' ORDER BY table_name::text)
			FROM ratchet.change_triggers}, @copy),
		value($node, q{SELECT string_agg(table_name || ' ' || job_name || ' ' || debounce, ', ' ORDER BY table_name::text)
			FROM ratchet.change_triggers}),
		'the same triggers');
	# The ids of runs begin anew in the copy.
	value($node, q{TRUNCATE seen; SELECT ratchet.trigger_on_change('item', 'look', debounce => '0'); UPDATE item SET n = n + 1 WHERE id = 1}, @copy);
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'look'}, @copy), 0, 'a copy holds still');
	value($node, 'SELECT ratchet.adopt()', @copy);
	wait_until($node, q{SELECT (SELECT total FROM seen ORDER BY run_id DESC LIMIT 1) = (SELECT sum(n) FROM item)},
		'and runs what was asked for when it is adopted', @copy);

	value($node, q{CREATE DATABASE other});
	value($node, q{CREATE EXTENSION pg_ratchet; } . define_job('innocent', 'SELECT 1'), db => 'other');
	is(value($node, q{SELECT job_id FROM ratchet.jobs}, db => 'other'),
		value($node, q{SELECT job_id FROM ratchet.jobs WHERE job_name = 'look'}), 'a job with the same id');
	$node->command_ok([ 'pg_dump', '-t', 'item', '-f', $dump, 'postgres' ], 'pg_dump of a table');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'other', '-f', $dump ], 'restored');
	value($node, 'UPDATE item SET n = n + 1', db => 'other');
	my $run = value($node, q{SELECT ratchet.trigger('innocent')}, db => 'other');
	wait_run($node, $run, 'succeeded', 'it runs when it is asked to', db => 'other');
	is(value($node, q{SELECT count(*) FROM ratchet.runs}, db => 'other'), 1, 'and only then');
};

finish();
