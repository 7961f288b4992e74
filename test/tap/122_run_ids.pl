# Numbers that come again: sequences that were set back, rows that a subscription or a restore has brought, a
# standby that lacks the newest runs. No run is taken for another one, and what is due goes on.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $node = new_node('main', conf => "ratchet.log_runs = none\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE effect (job text, run_id bigint);
CREATE FUNCTION work(job text) RETURNS void BEGIN ATOMIC
	INSERT INTO effect VALUES (job, ratchet.run_id());
END;
SQL

# As a subscription writes it: another run's record with this number.
sub plant_record
{
	my ($run_id) = @_;
	$node->safe_psql('postgres', qq{
		CREATE TEMP TABLE planted AS SELECT * FROM ratchet.run_log WHERE job_name = 'model' LIMIT 1;
		UPDATE planted SET run_id = $run_id, mark = 42, job_name = 'planted';
		INSERT INTO ratchet.run_log SELECT * FROM planted;});
	return;
}

sub largest { return value($node, 'SELECT max(run_id) FROM ratchet.run_log'); }

run_job($node, 'model', q{SELECT work('model')});

promise 'run_id_seq is set back again and again under a job' => sub {
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('often', '50 ms', $$SELECT work('often')$$)});
	for my $n (1 .. 4)
	{
		my $runs = value($node, q{SELECT count(*) FROM effect WHERE job = 'often'});
		wait_until($node, "SELECT count(*) >= $runs + 5 FROM effect WHERE job = 'often'");
		$node->safe_psql('postgres', "SELECT setval('ratchet.run_id_seq', $n)");
	}
	my $runs = value($node, q{SELECT count(*) FROM effect WHERE job = 'often'});
	wait_until($node, "SELECT count(*) >= $runs + 10 FROM effect WHERE job = 'often'", 'it goes on');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('often')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue});
	is(value($node, q{SELECT count(*) FROM (SELECT run_id FROM effect WHERE job = 'often') e
		FULL JOIN (SELECT run_id FROM ratchet.run_log WHERE job_name = 'often' AND status = 'succeeded') r USING (run_id)
		WHERE e.run_id IS NULL OR r.run_id IS NULL}), 0, 'each success has its effect, and each effect its success');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'often'}),
		value($node, q{SELECT count(DISTINCT run_id) FROM effect WHERE job = 'often'}), 'each run has a number of its own');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'often' AND status NOT IN ('succeeded', 'skipped', 'canceled')}), 0, 'none has failed');
	my @told = slurp_file($node->logfile) =~ /sequence "ratchet\.run_id_seq" was behind/g;
	is(scalar(@told), 4, 'the log tells of it, once for each time');
	unlike(slurp_file($node->logfile), qr/duplicate key|scheduling failed/, 'no pass of the scheduler has failed');
};

promise 'sessions take numbers from the same place' => sub {
	my $before = largest();
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('asked', '@manual', $$SELECT work('asked')$$)});
	$node->safe_psql('postgres', q{SELECT setval('ratchet.run_id_seq', 1)});
	my $run = value($node, q{SELECT ratchet.trigger('asked')});
	cmp_ok($run, '>', $before, 'a trigger');
	wait_run($node, $run, 'succeeded');
	$node->safe_psql('postgres', q{SELECT setval('ratchet.run_id_seq', 1)});
	my $replay = value($node, "SELECT ratchet.replay($run)");
	cmp_ok($replay, '>', $run, 'a replay');
	wait_run($node, $replay, 'succeeded');
	$node->safe_psql('postgres', q{SELECT setval('ratchet.run_id_seq', 1)});
	$node->safe_psql('postgres', q{CALL ratchet.run('asked')});
	cmp_ok(largest(), '>', $replay, 'a run in the foreground');
	# As a role that may not change the sequence.
	$node->safe_psql('postgres', q{CREATE ROLE amy LOGIN; GRANT USAGE ON SCHEMA ratchet TO amy; SELECT setval('ratchet.run_id_seq', 1)});
	my $amys = begin_run($node, 'amy', 'SELECT 1', undef, user => 'amy');
	cmp_ok($amys, '>', $replay, 'a role without rights on the sequence');
	wait_run($node, $amys, 'succeeded');
};

promise 'set back while the server is down' => sub {
	my $before = largest();
	$node->safe_psql('postgres', q{SELECT setval('ratchet.run_id_seq', 3)});
	$node->restart;
	my $run = value($node, q{SELECT ratchet.trigger('asked')});
	cmp_ok($run, '>', $before, 'numbers go on behind the records');
	wait_run($node, $run, 'succeeded');
};

promise 'a record with the number of a run that is under way' => sub {
	my $lock = lock_session($node, 1);
	my $run = begin_run($node, 'met', q{SELECT work('met'), pg_advisory_xact_lock_shared(1)}, q{max_attempts => 3, backoff => '10 ms'});
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run AND pid IS NOT NULL");
	plant_record($run);
	is(value($node, "SELECT ratchet.wait($run, '0')"), 'running', 'is not taken for its end');
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.run_log WHERE job_name = 'met' AND status = 'succeeded'}, 'the run is done in another attempt');
	is(value($node, q{SELECT string_agg((e.run_id = r.run_id)::text, ' ') FROM effect e, ratchet.run_log r WHERE e.job = 'met' AND r.job_name = 'met' AND r.status = 'succeeded'}),
		'true', 'once');
	like(value($node, q{SELECT reason FROM ratchet.run_log WHERE job_name = 'met' AND status = 'failed'}), qr/its number was $run/, 'the first attempt is recorded under another number');
	is(value($node, "SELECT job_name FROM ratchet.run_log WHERE run_id = $run"), 'planted', 'the planted record is as it was');
};

promise 'the same before a crash' => sub {
	my $lock = lock_session($node, 1);
	my $run = begin_run($node, 'cut', q{SELECT work('cut'), pg_advisory_xact_lock_shared(1)});
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run AND pid IS NOT NULL");
	my $lsn = value($node, 'SELECT pg_current_wal_insert_lsn()');
	wait_until($node, "SELECT pg_current_wal_flush_lsn() >= '$lsn'");
	plant_record($run);
	kill_and_wait($node, (ratchet_pids($node, 'worker'))[0]);
	eval { $lock->quit };
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.run_log WHERE job_name = 'cut' AND status = 'succeeded'}, 'the run that was cut is taken up again');
	is(value($node, q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'cut' AND status = 'crashed'}), 1, 'and recorded as crashed');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'cut'}), 1, 'its work is done once');
};

promise 'a row in the queue with the number that comes next' => sub {
	my $lock = lock_session($node, 1);
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('late', '@manual', $$SELECT work('late')$$)});
	my $run = value($node, q{SELECT ratchet.trigger('late', run_at => now() + interval '1 day')});
	$node->safe_psql('postgres', qq{
		CREATE TEMP TABLE planted AS SELECT * FROM ratchet.run_queue WHERE run_id = $run;
		UPDATE planted SET run_id = $run + n FROM generate_series(1, 1) n;
		INSERT INTO ratchet.run_queue SELECT * FROM planted;});
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('soon', '100 ms', $$SELECT work('soon')$$)});
	wait_until($node, q{SELECT count(*) >= 3 FROM effect WHERE job = 'soon'}, 'does not keep the scheduler from going on');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('soon'), ratchet.unschedule('late')});
	$lock->quit;
};

promise 'numbers of jobs, of failed items and of backfills' => sub {
	my $old = value($node, q{SELECT ratchet.schedule('old', '@manual', $$SELECT work('old')$$)});
	wait_run($node, value($node, q{SELECT ratchet.trigger('old')}), 'succeeded');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('old'); SELECT setval('ratchet.job_id_seq', 1, false)});
	my $new = value($node, q{SELECT ratchet.schedule('new', '@manual', $$SELECT work('new')$$)});
	cmp_ok($new, '>', $old, 'a new job does not get the number of one that was dropped');
	wait_run($node, value($node, q{SELECT ratchet.trigger('new')}), 'succeeded');
	is(value($node, q{SELECT count(*) FROM effect WHERE job = 'new'}), 1, 'and runs its own text');
	$node->safe_psql('postgres', q{SELECT setval('ratchet.job_id_seq', 1, false)});
	$node->restart;
	cmp_ok(value($node, q{SELECT ratchet.schedule('newer', '@manual', 'SELECT 1')}), '>', $new, 'nor after a restart');

	# The sequence goes back in the middle of a run.
	$node->safe_psql('postgres', 'CREATE TABLE item AS SELECT generate_series(1, 40) AS id; ALTER TABLE item ADD PRIMARY KEY (id)');
	$node->safe_psql('postgres', q{CREATE FUNCTION odd(i int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		IF i = 21 THEN PERFORM setval('ratchet.failed_item_id_seq', 1, false); END IF;
		IF i % 2 = 0 THEN RAISE EXCEPTION 'even'; END IF; END $$});
	my $run = run_batch($node, 'bad', 'SELECT id FROM item', 'SELECT odd($1)', 'batch_size => 10');
	is_run($run, { status => 'succeeded', items_failed => 20 }, 'failed items are recorded');

	$node->safe_psql('postgres', q{SELECT ratchet.schedule('past', '1 hour', $$SELECT work('past')$$, start_at => '2020-01-01')});
	my $lock = lock_session($node, 1);
	my $first = value($node, q{SELECT ratchet.backfill('past', '2020-01-01', '2020-01-01 05:00')});
	my $second = value($node, q{SELECT setval('ratchet.backfill_id_seq', 1, false); SELECT ratchet.backfill('past', '2020-01-02', '2020-01-02 05:00')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.backfill}, 'backfills come to their end');
	wait_until($node, q{SELECT count(*) = 12 FROM effect WHERE job = 'past'}, 'with every occurrence');
	$lock->quit;
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('past')});
};

promise 'a sequence at its end' => sub {
	my $last = value($node, 'SELECT last_value FROM ratchet.run_id_seq');
	$node->safe_psql('postgres', "ALTER SEQUENCE ratchet.run_id_seq MAXVALUE $last");
	$node->safe_psql('postgres', q{SELECT ratchet.schedule('stands', '100 ms', $$SELECT work('stands')$$)});
	wait_until($node, q{SELECT state = 'failing' AND detail LIKE '%run_id_seq%' FROM ratchet.status() WHERE component = 'scheduler'},
		'ratchet.status() says that the scheduler fails, and why');
	$node->safe_psql('postgres', 'ALTER SEQUENCE ratchet.run_id_seq NO MAXVALUE');
	wait_until($node, q{SELECT count(*) >= 2 FROM effect WHERE job = 'stands'}, 'once that is mended it goes on');
	wait_until($node, q{SELECT state = 'active' FROM ratchet.status() WHERE component = 'scheduler'}, 'and says so');
	$node->safe_psql('postgres', q{SELECT ratchet.unschedule('stands')});
};

promise 'the extension made anew' => sub {
	$node->safe_psql('postgres', 'DROP EXTENSION pg_ratchet CASCADE; CREATE EXTENSION pg_ratchet');
	is(begin_run($node, 'fresh', 'SELECT 1'), 1, 'begins at 1');
	wait_run($node, 1, 'succeeded');
	$node->stop;
};

promise 'a standby that lacks the newest runs is promoted' => sub {
	my $primary = new_node('primary', init => [ allows_streaming => 1 ], extension => 0, conf => "wal_receiver_status_interval = 1\n");
	$primary->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($primary, 'copy', has_streaming => 1);
	watch_log($standby);
	$standby->start;
	$primary->safe_psql('postgres', 'CREATE EXTENSION pg_ratchet; CREATE TABLE effect (run_id bigint)');
	my $kept = begin_run($primary, 'job', 'INSERT INTO effect VALUES (ratchet.run_id())');
	wait_run($primary, $kept, 'succeeded');
	$primary->wait_for_catchup($standby);
	$standby->append_conf('postgresql.conf', "primary_conninfo = ''\n");
	$standby->reload;
	wait_until($primary, 'SELECT count(*) = 0 FROM pg_stat_replication');
	my @lost;
	push @lost, value($primary, q{SELECT ratchet.trigger('job')}) for 1 .. 3;
	wait_run($primary, $lost[-1], 'succeeded');
	$primary->stop('immediate');
	$standby->promote;
	my $new = value($standby, q{SELECT ratchet.trigger('job')});
	cmp_ok($new, '>', $lost[-1] + 1000, 'its numbers go on far behind those that it does not know');
	wait_run($standby, $new, 'succeeded');
	psql_fails($standby, "SELECT ratchet.wait($_)", qr/42704.*run $_ does not exist/, "run $_ is lost") for @lost;
	psql_fails($standby, "SELECT ratchet.cancel($lost[0])", qr/42704/, 'for ratchet.cancel() as well');
	is(value($standby, "SELECT ratchet.wait($kept)"), 'succeeded', 'what is known is as it was');
	is(value($standby, q{SELECT ratchet.trigger('job')}) - $new, 1, 'from there on they go on one by one');
	$standby->restart;
	cmp_ok(value($standby, q{SELECT ratchet.trigger('job')}) - $new, '<', 100, 'also after a restart');
};

finish();
