# watch: a job runs only if one of its tables has changed since its last success.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => 'autovacuum = off');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE effect (job text);
CREATE TABLE src (id int, n int);
CREATE TABLE alone (id int);
SQL

# A job that is due all the time, watches, and says that it ran.
sub watching
{
	my ($name, $tables, $command, $options) = @_;
	$command = defined $command ? "; $command" : '';
	$options = defined $options ? ", $options" : '';
	psql_ok($node, "SELECT ratchet.schedule('$name', '50 ms', \$command\$INSERT INTO effect VALUES ('$name')$command\$command\$, watch => '{$tables}'$options)");
	return;
}

sub runs
{
	my ($name) = @_;
	return value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$name' AND status NOT IN ('queued', 'running', 'skipped')");
}

# Waits until the job has been due and was not needed, more than once: what was on its way has arrived.
sub wait_quiet
{
	my ($name) = @_;
	for (1 .. 3)
	{
		my $since = value($node, 'SELECT clock_timestamp()');
		wait_until($node, "SELECT last_not_needed_at > '$since' AND running = 0 FROM ratchet.jobs WHERE job_name = '$name'");
	}
	return;
}

# The job has run $n times since it was defined, and rests.
sub is_quiet
{
	my ($name, $n, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT count(*) >= $n FROM ratchet.runs WHERE job_name = '$name' AND status NOT IN ('queued', 'running', 'skipped')");
	wait_quiet($name);
	is(runs($name), $n, $what);
	return;
}

# What is done makes the job run, once; or twice when the files and the counters of a table come one
# after the other.
sub runs_after
{
	my ($name, $sql, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_quiet($name);
	my $before = runs($name);
	psql_ok($node, $sql);
	wait_until($node, "SELECT count(*) > $before FROM ratchet.runs WHERE job_name = '$name' AND status = 'succeeded'");
	wait_quiet($name);
	my $more = runs($name) - $before;
	ok($more == 1 || $more == 2, $what) or diag("$more runs");
	return;
}

promise 'what makes it run, and what does not' => sub {
	watching('w', 'src');
	is_quiet('w', 1, 'the first time it runs; then there is nothing new');
	cmp_ok(value($node, q{SELECT not_needed FROM ratchet.stat_jobs WHERE job_name = 'w'}), '>=', 1, 'what was not needed is counted');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'w' AND status <> 'succeeded' AND reason !~ '^(already running|missed)'}), 0, 'and leaves no record');
	is(value($node, q{SELECT run_count FROM ratchet.jobs WHERE job_name = 'w'}), 1, 'nor counts as a run');
	is(value($node, q{SELECT color FROM ratchet.job_health WHERE job_name = 'w'}), 'green', 'and it is healthy');
	runs_after('w', 'INSERT INTO src VALUES (1, 1), (2, 2)', 'INSERT');
	runs_after('w', 'UPDATE src SET n = 3 WHERE id = 1', 'UPDATE');
	runs_after('w', 'DELETE FROM src WHERE id = 1', 'DELETE');
	runs_after('w', q{COPY src FROM PROGRAM 'echo "5	5"'}, 'COPY');
	runs_after('w', 'TRUNCATE src', 'TRUNCATE');
	runs_after('w', 'BEGIN; TRUNCATE src; COMMIT', 'TRUNCATE of a table that is empty');
	runs_after('w', 'ALTER TABLE src ADD COLUMN more int DEFAULT 7', 'a new column');
	psql_ok($node, 'INSERT INTO alone VALUES (1)');
	psql_ok($node, 'SELECT count(*) FROM src');
	psql_ok($node, 'ANALYZE src; VACUUM src');
	my $n = runs('w');
	is_quiet('w', $n, 'neither another table, nor reading, ANALYZE or VACUUM');
	my $id = value($node, q{SELECT ratchet.trigger('w')});
	wait_run($node, $id, 'succeeded', 'ratchet.trigger() asks nothing');
	is_quiet('w', $n + 1, 'and is a success as any other');
	psql_ok($node, q{SELECT ratchet.alter_job('w', command => $$INSERT INTO effect VALUES ('w2')$$)});
	is_quiet('w', $n + 2, 'another command has not succeeded yet');
};

promise 'prepared transactions, and sessions that are busy' => sub {
	wait_quiet('w');
	my $n = runs('w');
	psql_ok($node, q{BEGIN; INSERT INTO src VALUES (10, 10); PREPARE TRANSACTION 'p'});
	is_quiet('w', $n, 'a prepared transaction is no change yet');
	psql_ok($node, q{COMMIT PREPARED 'p'});
	is_quiet('w', $n + 1, 'it is one when it is committed');
	my $session = session($node);
	$session->query_safe('BEGIN; INSERT INTO src VALUES (11, 11)');
	is_quiet('w', $n + 1, 'nor is an open transaction one');
	$session->query_safe('COMMIT');
	wait_until($node, "SELECT count(*) > $n + 1 FROM ratchet.runs WHERE job_name = 'w' AND status = 'succeeded'", 'its commit is, in a session that stays');
	$session->quit;
	wait_quiet('w');
};

promise 'several tables, partitions, inheritance, materialized views' => sub {
	psql_ok($node, <<'SQL');
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE other_part (id int, day date);
INSERT INTO other_part VALUES (1, '2026-02-02');
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM alone;
SQL
	watching('m', 'alone,parts,parent,seen');
	is_quiet('m', 1, 'the first time');
	runs_after('m', 'INSERT INTO alone VALUES (2)', 'one of the tables');
	runs_after('m', q{INSERT INTO parts VALUES (1, '2026-01-05')}, 'a row for a partition');
	runs_after('m', 'UPDATE parts_1 SET id = 2', 'in the partition');
	runs_after('m', q{ALTER TABLE parts ATTACH PARTITION other_part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')}, 'another partition');
	runs_after('m', 'DELETE FROM other_part', 'in that one');
	runs_after('m', 'TRUNCATE parts_1', 'TRUNCATE of a partition');
	runs_after('m', 'ALTER TABLE parts DETACH PARTITION parts_1', 'a partition goes');
	runs_after('m', 'INSERT INTO child VALUES (1)', 'a child');
	runs_after('m', 'REFRESH MATERIALIZED VIEW seen', 'REFRESH');
	psql_ok($node, q{SELECT ratchet.unschedule('m')});
};

promise 'what the job itself writes is no news to it' => sub {
	psql_ok($node, <<'SQL');
CREATE TABLE own (id int);
CREATE TABLE staging (id int);
CREATE TABLE done (id int PRIMARY KEY, done boolean);
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 3 LOOP
		INSERT INTO own VALUES (i);
		COMMIT;
		DELETE FROM own WHERE id = i;
		ROLLBACK;
	END LOOP;
	INSERT INTO effect VALUES ('steps');
END $$;
SQL
	watching('own', 'own', 'INSERT INTO own VALUES (1), (2); UPDATE own SET id = 3 WHERE id = 1; DELETE FROM own WHERE id = 2');
	is_quiet('own', 1, 'rows');
	runs_after('own', 'INSERT INTO own VALUES (5)', 'those of others are');
	psql_ok($node, q{SELECT ratchet.unschedule('own')});

	watching('staging', 'staging', 'TRUNCATE staging');
	is_quiet('staging', 1, 'TRUNCATE');
	runs_after('staging', 'INSERT INTO staging VALUES (1), (2)', 'a new load is');
	psql_ok($node, q{SELECT ratchet.unschedule('staging')});

	psql_ok($node, q{SELECT ratchet.schedule('steps', '50 ms', 'CALL steps()', watch => '{own}')});
	is_quiet('steps', 1, 'a procedure that commits');
	runs_after('steps', 'DELETE FROM own', 'those of others are');
	psql_ok($node, q{SELECT ratchet.unschedule('steps')});

	watching('each', 'staging', 'TRUNCATE staging; INSERT INTO staging VALUES (1); SELECT 1', q{transaction => 'per_statement'});
	is_quiet('each', 1, 'statements in transactions of their own');
	psql_ok($node, q{SELECT ratchet.unschedule('each')});

	psql_ok($node, 'INSERT INTO done SELECT n, false FROM generate_series(1, 50) n');
	psql_ok($node, q{SELECT ratchet.schedule_batch('batch', '50 ms', 'SELECT id FROM done WHERE NOT done', 'UPDATE done SET done = true WHERE id = $1', batch_size => 7, watch => '{done}')});
	is_quiet('batch', 1, 'a batch job that marks what it has done');
	runs_after('batch', 'INSERT INTO done VALUES (51, false)', 'a new item is');
	is(value($node, 'SELECT count(*) FROM done WHERE NOT done'), 0, 'all are done');
	psql_ok($node, q{SELECT ratchet.unschedule('batch')});
};

promise 'a failure has seen nothing' => sub {
	psql_ok($node, 'CREATE TABLE divisor (n int); INSERT INTO divisor VALUES (0)');
	watching('fails', 'divisor', 'SELECT 1 / n FROM divisor', q{backoff => '50 ms', backoff_factor => 1});
	wait_until($node, q{SELECT consecutive_failures >= 3 FROM ratchet.jobs WHERE job_name = 'fails'}, 'it is tried again without another change');
	psql_ok($node, 'UPDATE divisor SET n = 1');
	wait_until($node, q{SELECT last_status = 'succeeded' FROM ratchet.jobs WHERE job_name = 'fails'}, 'until it succeeds');
	wait_quiet('fails');
	pass('then it rests');
	my $n = runs('fails');
	psql_ok($node, q{SELECT ratchet.alter_job('fails', only_if => 'SELECT n < 5 FROM divisor')});
	is_quiet('fails', $n + 1, 'a changed definition runs');
	psql_ok($node, 'UPDATE divisor SET n = 6');
	wait_quiet('fails');
	is(runs('fails'), $n + 1, 'changed, but only_if is false');
	psql_ok($node, 'UPDATE divisor SET n = 2');
	wait_until($node, "SELECT count(*) > $n + 1 FROM ratchet.runs WHERE job_name = 'fails' AND status IN ('succeeded', 'failed')", 'the change is not forgotten');
	wait_quiet('fails');
	psql_ok($node, q{SELECT ratchet.unschedule('fails')});
};

promise 'restart, crash, reset' => sub {
	wait_quiet('w');
	my $n = runs('w');
	$node->restart;
	is_quiet('w', $n, 'a restart is no change');
	runs_after('w', 'INSERT INTO src VALUES (20, 20)', 'what comes after it is');
	$n = runs('w');
	terminate_ratchet($node, 'scheduler');
	is_quiet('w', $n, 'nor is a restart of the scheduler');
	psql_ok($node, q{SELECT ratchet.pause_job('w')});
	psql_ok($node, 'INSERT INTO src VALUES (21, 21)');
	$node->restart;
	psql_ok($node, q{SELECT ratchet.resume_job('w')});
	is_quiet('w', $n + 1, 'what changed before a restart is found after it');
	kill_and_wait($node, (ratchet_pids($node, 'launcher'))[0]);
	is_quiet('w', $n + 2, 'after a crash nobody knows: it runs');
	runs_after('w', 'SELECT pg_stat_reset()', 'the statistics are reset');
	runs_after('w', q{SELECT pg_stat_reset_single_table_counters('src'::regclass)}, 'those of the table are');
	$n = runs('w');
	psql_ok($node, 'ALTER SYSTEM SET track_counts = off');
	psql_ok($node, 'SELECT pg_reload_conf()');
	wait_until($node, "SELECT count(*) > $n + 2 FROM ratchet.runs WHERE job_name = 'w' AND status = 'succeeded'", 'while nobody counts it runs whenever it is due');
	psql_ok($node, q{SELECT ratchet.pause_job('w')});
	psql_ok($node, 'INSERT INTO src VALUES (22, 22)');
	wait_until($node, q{SELECT running = 0 FROM ratchet.jobs WHERE job_name = 'w'});
	$n = runs('w');
	psql_ok($node, 'ALTER SYSTEM RESET track_counts');
	psql_ok($node, 'SELECT pg_reload_conf()');
	psql_ok($node, q{SELECT ratchet.resume_job('w')});
	wait_until($node, "SELECT count(*) > $n FROM ratchet.runs WHERE job_name = 'w' AND status = 'succeeded'", 'and once more when it counts again');
	wait_quiet('w');
	pass('then it rests');
};

promise 'a change while the job runs' => sub {
	my $lock = lock_session($node, 5);
	psql_ok($node, q{SELECT ratchet.schedule('slow', '50 ms', 'SELECT count(*) FROM src; SELECT pg_advisory_xact_lock(5)', watch => '{src}')});
	wait_until($node, q{SELECT running = 1 FROM ratchet.jobs WHERE job_name = 'slow'});
	psql_ok($node, 'INSERT INTO src VALUES (30, 30)');
	$lock->quit;
	is_quiet('slow', 2, 'is one that it has not seen');
	psql_ok($node, q{SELECT ratchet.unschedule('slow')});
};

promise 'another table takes the place of a watched one' => sub {
	psql_ok($node, 'CREATE TABLE stock (id int); CREATE TABLE new_stock (id int)');
	watching('swapped', 'stock');
	is_quiet('swapped', 1, 'it is quiet');
	psql_ok($node, 'BEGIN; ALTER TABLE stock RENAME TO old_stock; ALTER TABLE new_stock RENAME TO stock; COMMIT');
	psql_ok($node, 'INSERT INTO stock VALUES (1)');
	is_quiet('swapped', 1, 'what is done in the new one is not seen');
	is(value($node, q{SELECT color FROM ratchet.job_health WHERE job_name = 'swapped'}), 'green', 'and not told');
	is(value($node, q{SELECT watch FROM ratchet.jobs WHERE job_name = 'swapped'}), '{old_stock}', 'but shown');
	runs_after('swapped', 'INSERT INTO old_stock VALUES (1)', 'in the old one it is');
	runs_after('swapped', q{
		BEGIN;
		ALTER TABLE old_stock RENAME TO third;
		ALTER TABLE stock RENAME TO fourth;
		ALTER TABLE third RENAME TO stock;
		SELECT ratchet.alter_job('swapped', watch => '{fourth}');
		COMMIT}, 'with alter_job in the same transaction it follows');
	runs_after('swapped', 'INSERT INTO fourth VALUES (1)', 'to the table that is meant');
	psql_ok($node, q{SELECT ratchet.unschedule('swapped')});
};

promise 'the table goes' => sub {
	psql_ok($node, 'CREATE TABLE goes (id int)');
	watching('goes', 'goes,src');
	is_quiet('goes', 1, 'it is quiet');
	psql_ok($node, 'DROP TABLE goes');
	wait_log($node, 'WARNING:  job "goes" watches a table that does not exist any more', 'it is told in the log');
	wait_until($node, q{SELECT count(*) > 3 FROM ratchet.runs WHERE job_name = 'goes' AND status = 'succeeded'}, 'it runs whenever it is due');
	is(value($node, q{SELECT color || ': ' || why FROM ratchet.job_health WHERE job_name = 'goes'}),
		'amber: a table that it watches does not exist any more', 'and its health says why');
	psql_ok($node, q{SELECT ratchet.alter_job('goes', watch => '{src}')});
	wait_quiet('goes');
	pass('with another table it rests');
	psql_ok($node, q{SELECT ratchet.unschedule('goes')});
};

finish();
