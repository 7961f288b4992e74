# Rows that the library did not write: nothing of them runs, whoever brought them and in whichever way, until
# somebody has looked and says so. Numbers that are set back or ahead join nobody's text to another's name.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('shop', conf => "max_prepared_transactions = 5\n");
value($node, q{
	CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE mallory LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE writer LOGIN;
	GRANT pg_write_all_data TO writer;
	GRANT USAGE ON SCHEMA ratchet TO mallory, alice;
	CREATE TABLE done (what text, role name DEFAULT current_user);
	GRANT ALL ON done TO PUBLIC;
	SELECT ratchet.schedule('honest', '100 ms', 'INSERT INTO done VALUES ($$honest$$)', transaction => 'single')});

sub honest_runs_on
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $runs = value($node, q{SELECT count(*) FROM done WHERE what = 'honest'});
	wait_until($node, "SELECT count(*) > $runs + 2 FROM done WHERE what = 'honest'", 'jobs that are defined here go on');
	return;
}

# Everything is read anew; had the planted jobs been believed, they would have run by the time another has
# run three times.
sub nothing_came_of_it
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	value($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'});
	honest_runs_on();
	is(value($node, q{SELECT string_agg(DISTINCT what, ' ') FROM done WHERE what <> 'honest'}), '', $what);
	return;
}

my $columns = 'job_name, owner, schedule, time_zone, schedule_since, command, created_at';
my $evil = "INSERT INTO done VALUES (''planted'')";

promise 'jobs that were planted do not run, in whichever way they came' => sub {
	my $number = 0;
	for my $created ('2030-01-01', '2000-01-01', 'now')
	{
		$number++;
		value($node, qq{INSERT INTO ratchet.job ($columns) VALUES ('insert$number', 'boss', '100 ms', 'UTC', now(), '$evil', '$created')});
	}
	my $copied = "INSERT INTO done VALUES ('planted')";
	$node->safe_psql('postgres', "COPY ratchet.job ($columns, seal) FROM STDIN;\ncopied\tboss\t100 ms\tUTC\t2026-01-01\t$copied\t2030-01-01\t4711\n\\.\n");
	# As pg_dump --data-only --disable-triggers has it; with the seal of another job.
	value($node, qq{
		ALTER TABLE ratchet.job DISABLE TRIGGER ALL;
		INSERT INTO ratchet.job ($columns) VALUES ('untriggered', 'boss', '100 ms', 'UTC', now(), '$evil', '2030-01-01');
		INSERT INTO ratchet.job ($columns, seal) SELECT 'with the seal of another', 'boss', '100 ms', 'UTC', now(), '$evil', created_at, seal
		  FROM ratchet.job WHERE job_name = 'honest';
		ALTER TABLE ratchet.job ENABLE TRIGGER ALL;
		ALTER TABLE ratchet.job ENABLE ALWAYS TRIGGER superusers_only, ENABLE ALWAYS TRIGGER superusers_truncate});
	value($node, qq{
		SET session_replication_role = replica;
		INSERT INTO ratchet.job ($columns) VALUES ('as a replica', 'alice', '100 ms', 'UTC', now(), '$evil', now())});
	value($node, q{SELECT ratchet.schedule('changed', '100 ms', 'SELECT 1')});
	value($node, qq{UPDATE ratchet.job SET command = '$evil' WHERE job_name = 'changed'});
	nothing_came_of_it('nothing of them has run');
	is(value($node, q{SELECT string_agg(job_name, ', ' ORDER BY job_name) FROM ratchet.jobs WHERE quarantined}),
		'as a replica, changed, copied, insert1, insert2, insert3, untriggered, with the seal of another', 'they are shown');
	is(value($node, q{SELECT DISTINCT color || ': ' || why FROM ratchet.job_health WHERE job_name <> 'honest'}),
		'gray: held back until ratchet.adopt()', 'with the reason');
	is(value($node, q{SELECT count(next_run_at) FROM ratchet.jobs WHERE quarantined}), 0, 'they have no next run');
	like(value($node, q{SELECT state || ': ' || detail FROM ratchet.status() WHERE component = 'jobs'}),
		qr/^quarantined: 8 jobs: not written by pg_ratchet/, 'and counted');
	wait_log($node, qr/WARNING:  jobs that were not written by pg_ratchet in this database are held back/, 'and the log says it');
};

promise 'nor do they when they are asked for' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('copied')});
	psql_fails($node, q{CALL ratchet.run('copied')}, qr/ERROR:  55000.*job "copied" is held back/s, 'in the foreground', user => 'boss');
	value($node, q{SELECT ratchet.alter_job('copied', priority => 1); SELECT ratchet.pause_job('insert1'); SELECT ratchet.resume_job('insert1')});
	nothing_came_of_it('a run that waits does not start, and a change of the job lets it not pass');
	is(run_status($node, $run), 'queued', 'it waits');
	value($node, "SELECT ratchet.cancel($run)");
};

promise 'who looks through them takes the bad ones away and lets the others run' => sub {
	value($node, q{SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE quarantined AND job_name NOT IN ('as a replica', 'insert2')});
	psql_fails($node, 'SELECT ratchet.adopt()', qr/ERROR:  42501/, 'not everybody may', user => 'alice');
	is(value($node, q{SELECT string_agg(job_name || ' ' || owner, ', ' ORDER BY job_name) FROM ratchet.adopt()}),
		'as a replica alice, insert2 boss', 'it lists them with their owners');
	wait_until($node, q{SELECT count(DISTINCT role) = 2 FROM done WHERE what = 'planted'}, 'they run as these');
	is(value($node, q{SELECT count(*) FROM ratchet.status() WHERE component = 'jobs'}), 0, 'nothing is held back any more');
	is(value($node, 'SELECT count(*) FROM ratchet.adopt()'), 0, 'nor is there anything to adopt');
	value($node, q{SELECT ratchet.unschedule('as a replica'); SELECT ratchet.unschedule('insert2'); DELETE FROM done});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name <> 'honest' AND status IN ('queued', 'running')}, undef);
	value($node, q{DELETE FROM done});
};

# A job of a superuser, and what somebody would want it to do.
value($node, q{SELECT ratchet.schedule('report', '@manual', 'INSERT INTO done VALUES (ratchet.payload() ->> $$what$$)', payload => '{"what": "report"}')});
my ($report) = row($node, q{SELECT job_id, version FROM ratchet.jobs WHERE job_name = 'report'})->{job_id};
wait_run($node, value($node, q{SELECT ratchet.trigger('report')}), 'succeeded', 'it runs once');
value($node, 'DELETE FROM done');

sub plant_run
{
	my ($values) = @_;
	my %run = (run_id => q{nextval('ratchet.run_id_seq')}, job_id => $report, version => 0, owner => 10, cause => q{'trigger'}, attempt => 1,
		scheduled_at => 'now()', run_at => 'now()', queued_at => 'now()', coalesce => 'false', dry_run => 'false', walk => 0,
		on_change => 'false', mark => 77, %$values);
	return value($node, 'INSERT INTO ratchet.run_queue (' . join(', ', sort keys %run) . ') VALUES (' . join(', ', map { $run{$_} } sort keys %run) . ') RETURNING run_id');
}

promise 'a definition that was planted for a job runs neither by itself nor in a replay' => sub {
	value($node, qq{INSERT INTO ratchet.job_version (job_id, version, job_name, owner, owner_name, schedule, time_zone, command, transaction, pinned_at)
		SELECT job_id, n, 'report', 10, 'postgres', '\@manual', 'UTC', '$evil', 'single', now() FROM ratchet.job, generate_series(2, 5) n WHERE job_name = 'report'});
	# The job comes to that version by itself.
	value($node, q{SELECT ratchet.alter_job('report', settings => '{"work_mem": "5MB"}')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('report')}), 'succeeded', 'the job runs');
	is(value($node, q{SELECT string_agg(what, ' ') FROM done WHERE what <> 'honest'}), 'report', 'what it is');
	value($node, q{DELETE FROM done});
	# What was believed once is none the more believed when somebody changes it.
	value($node, qq{UPDATE ratchet.job_version SET command = '$evil' WHERE job_name = 'report' AND version IN (1, 2)});
	my $run = value($node, q{SELECT min(run_id) FROM ratchet.runs WHERE job_name = 'report'});
	psql_fails($node, "SELECT ratchet.replay($run)", qr/ERROR:  55000.*is not kept/s, 'a replay of it');
	plant_run({ version => 3, cause => q{'replay'}, replay_of => $run });
	nothing_came_of_it('nor does a waiting run that was planted with it');
	value($node, 'DELETE FROM ratchet.run_queue WHERE mark = 77');
	wait_run($node, value($node, q{SELECT ratchet.trigger('report')}), 'succeeded', 'the job runs again');
	is(value($node, q{SELECT string_agg(what, ' ') FROM done WHERE what <> 'honest'}), 'report', 'what it is');
	value($node, q{DELETE FROM done});
};

promise 'a run that was planted in the queue does not start, and its payload reaches no job' => sub {
	my $payload = q{'{"what": "planted"}'};
	my @runs = map { plant_run({ payload => $payload, %$_ }) } { coalesce => 'true' }, { cause => q{'backfill'} }, { retry_of => 1, cause => q{'retry'} },
		{ on_change => 'true' }, { claimed_at => q{now() - interval '1 hour'} };
	my $waits = value($node, q{SELECT ratchet.trigger('report', '{"what": "real"}', run_at => now() + interval '1 hour')});
	value($node, qq{UPDATE ratchet.run_queue SET payload = $payload, run_at = now() WHERE run_id = $waits});
	nothing_came_of_it('none of them has run');
	like(value($node, q{SELECT detail FROM ratchet.status() WHERE component = 'jobs'}), qr/^6 other rows: not written/, 'they are counted');
	my $asked = value($node, qq{SELECT ratchet.trigger('report', $payload)});
	is(scalar(grep { $_ == $asked } @runs), 0, 'nobody shares one of them');
	wait_run($node, $asked, 'succeeded', 'who asks for the same gets a run');
	value($node, "SELECT ratchet.cancel($runs[0])");
	is(run_status($node, $runs[0]), 'canceled', 'they can be canceled');
	value($node, 'DELETE FROM ratchet.run_queue WHERE mark = 77; DELETE FROM done');
	value($node, "SELECT ratchet.cancel($waits)");
};

promise 'a backfill that was planted queues nothing' => sub {
	value($node, q{SELECT ratchet.schedule('hourly', '1 hour', 'INSERT INTO done VALUES ($$hourly$$)', start_at => '2020-01-01')});
	value($node, q{INSERT INTO ratchet.backfill SELECT 1000 + n, job_id, 10, '2026-01-01', '2026-01-02', n = 1, now() FROM ratchet.job, generate_series(1, 2) n WHERE job_name = 'hourly'});
	nothing_came_of_it('no occurrence of it has run');
	is(value($node, q{SELECT count(*) FROM ratchet.backfill}), 2, 'it is there');
	is(value($node, q{SELECT next_run_at > now() FROM ratchet.jobs WHERE job_name = 'hourly'}), 't', 'and does not hold the schedule');
	value($node, q{SELECT ratchet.unschedule('hourly')});
};

promise 'a checkpoint or a record that was planted is not what a run goes on with' => sub {
	value($node, q{SELECT ratchet.schedule('goes on', '@manual', 'INSERT INTO done VALUES (ratchet.checkpoint() ->> $$what$$)')});
	my $plant = q{INSERT INTO ratchet.job_checkpoint (job_id, walk, owner, run_id, saved_at, value, items_done, items_failed, batches, rows_affected, walk_items, first_run)
		SELECT job_id, 0, owner::oid, 1, now(), '{"what": "planted"}', 0, 0, 0, 0, 0, 1 FROM ratchet.job WHERE job_name = 'goes on'};
	value($node, $plant);
	my $run = value($node, q{SELECT ratchet.trigger('goes on')});
	wait_run($node, $run, 'failed', 'a run that asks for it fails');
	like(run_record($node, $run)->{error}, qr/checkpoint of the job was not written by pg_ratchet/, 'and says why');
	psql_ok($node, q{SELECT ratchet.reset_checkpoint('goes on')}, 'it can be given up');
	wait_run($node, value($node, q{SELECT ratchet.trigger('goes on')}), 'succeeded', 'then it goes on without');
	value($node, $plant);
	value($node, 'SELECT ratchet.adopt()');
	$run = value($node, q{SELECT ratchet.trigger('goes on')});
	wait_run($node, $run, 'succeeded', 'or it is adopted');
	is(value($node, q{SELECT count(*) FROM done WHERE what = 'planted'}), 1, 'and read');
	value($node, q{CREATE TEMP TABLE record AS SELECT * FROM ratchet.run_log WHERE job_name = 'report' AND status = 'succeeded' ORDER BY run_id DESC LIMIT 1;
		UPDATE record SET run_id = run_id + 1000, payload = '{"what": "planted"}';
		INSERT INTO ratchet.run_log SELECT * FROM record});
	$run = value($node, q{SELECT max(run_id) FROM ratchet.run_log WHERE job_name = 'report'});
	psql_fails($node, "SELECT ratchet.replay($run)", qr/ERROR:  55000.*was not written by pg_ratchet/s, 'a record that was planted is not replayed');
	value($node, 'DELETE FROM done');
};

promise 'where the library is at home, and its key, nobody else can say' => sub {
	my $home = value($node, 'SELECT h::text FROM ratchet.home h');
	value($node, q{INSERT INTO ratchet.home SELECT system_identifier + 1, database_oid, job_table_oid, now(), 0, decode(repeat('00', 16), 'hex') FROM ratchet.home});
	is(value($node, 'SELECT h::text FROM ratchet.home h'), $home, 'a row that is restored is left out');
	honest_runs_on();
	psql_fails($node, 'SELECT seal_key FROM ratchet.home', qr/ERROR:  42501/, 'ordinary roles do not see it', user => 'alice');
	value($node, 'CREATE ROLE reader LOGIN IN ROLE pg_read_all_data');
	is(value($node, 'SELECT count(*) FROM ratchet.home', user => 'reader'), 0, 'nor do readers of all data');
	value($node, q{ALTER TABLE ratchet.home DISABLE TRIGGER ALL;
		INSERT INTO ratchet.home SELECT system_identifier + 1, database_oid, job_table_oid, now(), 0, decode(repeat('00', 16), 'hex') FROM ratchet.home;
		ALTER TABLE ratchet.home ENABLE TRIGGER ALL; ALTER TABLE ratchet.home ENABLE ALWAYS TRIGGER superusers_only, ENABLE ALWAYS TRIGGER superusers_truncate});
	value($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'});
	wait_until($node, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, 'with two of them nothing is believed');
	value($node, 'SELECT ratchet.adopt()');
	honest_runs_on();
	is(value($node, 'SELECT count(*) FROM ratchet.home'), 1, 'until somebody says that jobs run here');
};

promise 'sequences at their end or far ahead are set right, and jobs go on' => sub {
	my $last = value($node, 'SELECT last_value FROM ratchet.run_id_seq');
	for my $number ('9223372036854775807', '9223372036854775800', '4611686018427387905', '1000000000000000')
	{
		value($node, "SELECT setval('ratchet.$_', $number)", user => 'writer')
		  for qw(run_id_seq job_id_seq backfill_id_seq failed_item_id_seq);
		honest_runs_on();
		cmp_ok(value($node, qq{SELECT ratchet.schedule('job $number', '1 hour', 'SELECT 1', start_at => '2020-01-01')}), '<', 1e6, "$number: a new job has a small number");
		cmp_ok(value($node, qq{SELECT ratchet.backfill('job $number', '2020-01-01', '2020-01-01 02:00')}), '<', 1e6, 'and so has a backfill');
	}
	cmp_ok(value($node, 'SELECT max(run_id) FROM ratchet.run_log'), '<', $last + 10000, 'numbers of runs go on where they were');
	wait_log($node, qr/sequence "ratchet\.run_id_seq" was ahead: it is set back/, 'the log tells of it');
	value($node, q{INSERT INTO ratchet.run_log (run_id, job_id, job_name, owner, version, cause, status, attempt, scheduled_at, queued_at, finished_at, dry_run, occurrences)
		VALUES (9223372036854775807, 9223372036854775807, 'last', 10, 1, 'trigger', 'succeeded', 1, now(), now(), now(), false, 1)});
	$node->restart;
	honest_runs_on();
	cmp_ok(value($node, q{SELECT ratchet.schedule('after the last', '@manual', 'SELECT 1')}), '<', 1e6, 'rows with the last number do not count');
	unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/reached maximum value/, 'nothing has failed');
	value($node, q{SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name LIKE 'job %' OR job_name LIKE 'after%'; DELETE FROM ratchet.run_log WHERE job_name = 'last'});
};

promise 'a number that comes again joins nobody to the text of another' => sub {
	value($node, 'GRANT USAGE ON SCHEMA ratchet TO writer');
	for my $owner ('boss', 'alice')
	{
		value($node, qq{SELECT ratchet.schedule('bait', '\@manual', 'INSERT INTO done VALUES (''bait'')')}, user => 'writer');
		my $bait = value($node, q{SELECT job_id FROM ratchet.jobs WHERE job_name = 'bait'});
		wait_run($node, value($node, q{SELECT ratchet.trigger('bait')}, user => 'writer'), 'succeeded', 'bait is laid');
		value($node, q{SELECT ratchet.unschedule('bait')}, user => 'writer');
		value($node, "DELETE FROM done; SELECT setval('ratchet.job_id_seq', $bait, false)");
		isnt(value($node, q{SELECT ratchet.schedule('innocent', '@manual', 'INSERT INTO done VALUES ($$innocent$$)')}, user => $owner), $bait, "$owner does not get the number");
		# Even who gets it runs what is his.
		value($node, "UPDATE ratchet.job SET job_id = $bait WHERE job_name = 'innocent'") if $owner eq 'boss';
		value($node, 'SELECT ratchet.adopt()');
		wait_run($node, value($node, q{SELECT ratchet.trigger('innocent')}, user => $owner), 'succeeded', 'the new one runs');
		is(value($node, q{SELECT string_agg(what || ' ' || role, ', ') FROM done WHERE what <> 'honest'}), "innocent $owner", 'what it is, as who it is');
		value($node, q{SELECT ratchet.unschedule('innocent')}, user => $owner);
		value($node, 'DELETE FROM done');
	}
};

promise 'a run in the foreground with a payload of its own does not give it to the job' => sub {
	value($node, q{SELECT ratchet.schedule('target', '@manual', 'INSERT INTO done VALUES (ratchet.payload() ->> $$what$$)', payload => '{"what": "production"}')});
	value($node, q{CALL ratchet.run('target', payload => '{"what": "test"}')});
	wait_run($node, value($node, q{SELECT ratchet.trigger('target')}), 'succeeded', 'it runs by itself');
	is(value($node, q{SELECT string_agg(what, ' ' ORDER BY what) FROM done WHERE what <> 'honest'}), 'production test', 'with the payload of the job');
	value($node, 'DELETE FROM done');
};

promise 'who owns a copy, and is no superuser, lets no jobs of others run there' => sub {
	value($node, q{CREATE ROLE dbo LOGIN CREATEDB; CREATE DATABASE origin OWNER dbo});
	value($node, q{
		CREATE EXTENSION pg_ratchet;
		GRANT USAGE ON SCHEMA ratchet TO dbo, alice;
		CREATE TABLE done (what text);
		GRANT ALL ON done TO PUBLIC;
		SELECT ratchet.schedule('of ' || run_as, '50 ms', format('INSERT INTO done VALUES (%L)', run_as), run_as => run_as::regrole)
		  FROM unnest('{boss,alice,dbo}'::text[]) run_as}, db => 'origin');
	wait_until($node, q{SELECT count(DISTINCT what) = 3 FROM done}, 'all of them run', db => 'origin');
	value($node, q{CREATE DATABASE copied TEMPLATE origin}, user => 'dbo');
	value($node, 'TRUNCATE done', db => 'copied');
	wait_until($node, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, 'the copy holds still', db => 'copied');
	is(value($node, q{SELECT string_agg(job_name, ' ') FROM ratchet.adopt()}, db => 'copied', user => 'dbo'), 'of dbo', 'its owner adopts its own job');
	wait_until($node, q{SELECT count(*) > 3 FROM done WHERE what = 'dbo'}, 'which runs', db => 'copied');
	is(value($node, q{SELECT string_agg(DISTINCT what, ' ') FROM done}, db => 'copied'), 'dbo', 'and no other one');
	like(value($node, q{SELECT detail FROM ratchet.status() WHERE component = 'jobs'}, db => 'copied'), qr/^2 jobs/, 'they are held back');
	is(value($node, q{SELECT string_agg(job_name, ' ' ORDER BY job_name) FROM ratchet.adopt()}, db => 'copied'), 'of alice of boss', 'a superuser adopts them');
	wait_until($node, q{SELECT count(DISTINCT what) = 3 FROM done}, 'then they run, too', db => 'copied');
	value($node, "DROP DATABASE $_ WITH (FORCE)") for qw(copied origin);
};

finish();
