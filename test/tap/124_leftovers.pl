# What is left when a job, a scheduler or a moment has gone: rows of dropped jobs, their history, counts that were
# not written, shortages that are over, locks of who waits.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nratchet.max_workers_per_role = 4\nratchet.log_runs = none\n");

sub left
{
	my ($what) = @_;
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.job_state LEFT JOIN ratchet.job USING (job_id) WHERE job_name IS NULL)
		AND NOT EXISTS (SELECT FROM ratchet.job_stat LEFT JOIN ratchet.job USING (job_id) WHERE job_name IS NULL)
		AND NOT EXISTS (SELECT FROM ratchet.job_checkpoint LEFT JOIN ratchet.job USING (job_id) WHERE job_name IS NULL)}, $what, timeout => 60);
	return;
}

# Jobs that have run, with a row in each table.
sub define
{
	my ($name, $n) = @_;
	$node->safe_psql('postgres', qq{
		SELECT count(ratchet.schedule('$name' || i, '\@manual', 'SELECT ratchet.save_checkpoint(''1''), ratchet.progress(1, 1)')) FROM generate_series(1, $n) i;
		SELECT count(ratchet.trigger('$name' || i)) FROM generate_series(1, $n) i});
	wait_until($node, qq{SELECT count(*) = $n FROM ratchet.job_stat JOIN ratchet.job USING (job_id) WHERE job_name LIKE '$name%'});
	$node->safe_psql('postgres', qq{SELECT count(ratchet.pause_job('$name' || i)) FROM generate_series(1, $n) i});
	return;
}

promise 'many jobs are dropped in one statement' => sub {
	define('many', 300);
	$node->safe_psql('postgres', q{SELECT count(ratchet.unschedule('many' || i)) FROM generate_series(1, 300) i});
	left('nothing is left of them');
};

promise 'a job is dropped beside a burst, in a prepared transaction, before a crash' => sub {
	define('one', 4);
	$node->safe_psql('postgres', q{BEGIN; SELECT ratchet.unschedule('one1');
		SELECT count(ratchet.schedule('burst' || i, '@manual', 'SELECT 1')) FROM generate_series(1, 300) i; COMMIT});
	left('a burst');
	$node->safe_psql('postgres', q{BEGIN; SELECT ratchet.unschedule('one2'); PREPARE TRANSACTION 'drop'});
	$node->safe_psql('postgres', q{COMMIT PREPARED 'drop'});
	left('a prepared transaction');
	my ($pid) = ratchet_pids($node, 'scheduler', 'postgres');
	kill('STOP', $pid);
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('one3')});
	kill_and_wait($node, $pid);
	left('kill -9 of the scheduler');
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet scheduler%'});
	($pid) = ratchet_pids($node, 'scheduler', 'postgres');
	kill('STOP', $pid);
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('one4')});
	kill('TERM', $pid);
	kill('CONT', $pid);
	left('a scheduler that was terminated');
	$node->safe_psql('postgres', q{SELECT count(ratchet.unschedule('burst' || i)) FROM generate_series(1, 300) i});
};

promise 'rows without any trace of where the job stood' => sub {
	define('trace', 1);
	$node->safe_psql('postgres', q{DELETE FROM ratchet.job_state USING ratchet.job j WHERE job_state.job_id = j.job_id AND job_name = 'trace1';
		DELETE FROM ratchet.job WHERE job_name = 'trace1'});
	$node->restart;
	left('go after a restart');
};

promise q{a dropped job's history goes by its own time} => sub {
	run_job($node, 'brief', 'SELECT 1', q{keep_history => '1 second'});
	run_job($node, 'long', 'SELECT 1', q{keep_history => '10 years'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('brief'), ratchet.unschedule('long')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_log WHERE job_name = 'brief'}, 'a short one');
	run_job($node, 'brief', 'SELECT 1', q{keep_history => '1 second'});
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('brief')});
	$node->restart;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_log WHERE job_name = 'brief'}, 'a short one, after a restart');
	$node->append_conf('postgresql.conf', 'ratchet.keep_history = 0');
	$node->restart;
	run_job($node, 'witness', 'SELECT 1');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_log WHERE job_name = 'witness'}, 'where the server keeps nothing');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_log WHERE job_name LIKE 'many%'}, 'of whatever was dropped');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'long'}), 1, 'a long one stays');
	$node->append_conf('postgresql.conf', "ratchet.keep_history = '30d'");
	$node->reload;
};

promise 'counts survive tables that do not fit for a while, and schedulers that are terminated' => sub {
	$node->safe_psql('postgres', q{CREATE TABLE tick (run_id bigint); SELECT ratchet.schedule('count', '20 ms', 'INSERT INTO tick VALUES (ratchet.run_id())')});
	for my $round (1 .. 3)
	{
		my $n = value($node, 'SELECT count(*) FROM tick');
		wait_until($node, "SELECT count(*) >= $n + 10 FROM tick");
		$node->safe_psql('postgres', 'VACUUM FULL ratchet.job_stat');
		$n = value($node, 'SELECT count(*) FROM tick');
		wait_until($node, "SELECT count(*) >= $n + 10 FROM tick");
		terminate_ratchet($node, 'scheduler', 'postgres');
	}
	my $n = value($node, 'SELECT count(*) FROM tick');
	wait_until($node, "SELECT count(*) >= $n + 10 FROM tick");
	$node->safe_psql('postgres', 'ALTER TABLE ratchet.job_stat RENAME COLUMN items TO other');
	wait_until($node, q{SELECT state = 'table mismatch' FROM ratchet.status() WHERE component = 'scheduler'});
	$node->safe_psql('postgres', 'ALTER TABLE ratchet.job_stat RENAME COLUMN other TO items');
	wait_until($node, q{SELECT state = 'active' FROM ratchet.status() WHERE component = 'scheduler'});
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('count')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue});
	wait_until($node, q{SELECT succeeded = (SELECT count(*) FROM tick) FROM ratchet.stat_jobs WHERE job_name = 'count'},
		'stat_jobs counts each run', timeout => 30);
};

promise 'a reset of them is done, also when the pass that was to do it fails' => sub {
	my $session = session($node);
	for my $what ('NULL', q{'count'})
	{
		run_job($node, 'counted', 'SELECT 1');
		wait_until($node, q{SELECT runs > 0 FROM ratchet.stat_jobs WHERE job_name = 'counted'});
		my $before = value($node, 'SELECT clock_timestamp()');
		$session->query_safe('BEGIN; LOCK ratchet.job_stat IN SHARE MODE');
		$node->safe_psql('postgres', "SELECT ratchet.stat_reset($what)");
		my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
		wait_until($node, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $scheduler AND NOT granted)", 'it waits for the table');
		$node->safe_psql('postgres', "SELECT pg_cancel_backend($scheduler)");
		wait_until($node, "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE pid = $scheduler AND NOT granted)", 'the pass fails');
		$session->query_safe('ROLLBACK');
		wait_until($node, "SELECT stats_reset > '$before' AND runs = 0 FROM ratchet.stat_jobs WHERE job_name = 'count'", 'the counters begin anew');
	}
	$session->quit;
};

promise 'counters stop at the greatest number' => sub {
	my $job = q{SELECT ratchet.progress(9223372036854775807, 0)};
	run_job($node, 'huge', $job) for 1 .. 2;
	wait_until($node, q{SELECT runs = 2 AND items = 9223372036854775807 FROM ratchet.stat_jobs WHERE job_name = 'huge'}, 'and do not begin again below zero');
};

promise 'a shortage that is over' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('nap' || i, '@manual', 'SELECT pg_sleep(0.3)') FROM generate_series(1, 12) i;
		SELECT ratchet.schedule('beside' || i, '200 ms', 'SELECT 1') FROM generate_series(1, 3) i;
		SELECT ratchet.trigger('nap' || i) FROM generate_series(1, 12) i});
	wait_until($node, q{SELECT count(*) = 12 FROM ratchet.runs WHERE job_name LIKE 'nap%' AND status = 'succeeded'});
	wait_until($node, q{SELECT state = 'ok' FROM ratchet.status() WHERE component = 'workers'}, 'is not told any more', timeout => 20);
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('beside' || i) FROM generate_series(1, 3) i});
};

promise 'a shortage where all jobs have one role' => sub {
	my $lock = lock_session($node, 1);
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('full' || i, '@manual', 'SELECT pg_advisory_xact_lock_shared(1)') FROM generate_series(1, 5) i;
		SELECT ratchet.trigger('full' || i) FROM generate_series(1, 5) i});
	wait_until($node, q{SELECT state = 'short' FROM ratchet.status() WHERE component = 'workers'}, 'is told by ratchet.status()');
	wait_log($node, 'runs wait for a worker: all 4 workers are in use', 'and by the log');
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.runs WHERE job_name LIKE 'full%' AND status = 'succeeded'});
	wait_until($node, q{SELECT state = 'ok' FROM ratchet.status() WHERE component = 'workers'}, 'until it is over');
};

promise 'who waits for a run holds up nobody' => sub {
	$node->safe_psql('postgres', define_job('rewrite1', 'VACUUM FULL ratchet.run_log') . define_job('rewrite2', 'VACUUM FULL ratchet.run_queue'));
	for my $job (qw(rewrite1 rewrite2))
	{
		my $run = value($node, "SELECT ratchet.trigger('$job')");
		is(value($node, "SELECT ratchet.wait($run, '60 seconds')"), 'succeeded', "$job is done while somebody waits for it");
	}
};

promise 'a job with a number beyond 32 bits' => sub {
	my $lock = lock_session($node, 1);
	my $small = value($node, q{SELECT ratchet.schedule('small', '@manual', 'SELECT pg_advisory_xact_lock_shared(1)')});
	my $large = 4294967296 + $small;
	$node->safe_psql('postgres', "SELECT setval('ratchet.job_id_seq', $large, false)");
	is(value($node, q{SELECT ratchet.schedule('large', '@manual', 'SELECT pg_advisory_xact_lock_shared(1)')}), $large, 'has it');
	my @runs = map { value($node, "SELECT ratchet.trigger('$_')") } qw(small large);
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 3 AND mode = 'ExclusiveLock' AND granted},
		'does not share the lock of another job');
	wait_until($node, q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND objsubid = 1 AND NOT granted}, 'both are under way');
	$lock->quit;
	wait_run($node, $_, 'succeeded') for @runs;
};

finish();
