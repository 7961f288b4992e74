# What a former owner of a job has left of it, who was a member of its owner, and roles that have lost a right or
# are gone: what is queued, replayed, restored or set to fire ends with a record, and nothing of it is in the way of who
# has the job now. See docs/security.md.

use strict;
use warnings;

use PostgreSQL::Test::Utils ();
use RatchetTest;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => 'max_prepared_transactions = 5');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE team LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO alice, mallory, bob, team;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE SCHEMA AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA alice, mallory TO PUBLIC;
	CREATE TABLE parcel (id int PRIMARY KEY, weight int);
	INSERT INTO parcel SELECT i, i % 7 FROM generate_series(1, 40) i;
	GRANT SELECT ON parcel TO PUBLIC;
	CREATE TABLE said (who text, what text);
	GRANT INSERT ON said TO PUBLIC});

my $say = q{INSERT INTO public.said VALUES (current_user, ratchet.payload()->>'by')};

# Who has said what since the last question.
sub said
{
	return value($node, q{WITH d AS (DELETE FROM said RETURNING *) SELECT string_agg(DISTINCT concat_ws(':', who, what), ',' ORDER BY concat_ws(':', who, what)) FROM d});
}

sub run_of
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return run_asked_for($node, @_);
}

sub give
{
	my ($name, $to, $how) = @_;
	$how //= "SELECT ratchet.alter_job('$name', run_as => '$to')";
	value($node, $how);
	return;
}

# The run has ended without running.
sub ends_as
{
	my ($run, $reason, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_run($node, $run, 'canceled', $what);
	is_run(run_record($node, $run), { status => 'canceled', started_at => undef, reason => $reason }, "$what: the record");
	return;
}

my $given_away = 'the job was given to another role';

promise 'what a former owner has queued does not run as the new one' => sub {
	my %way = (
		alter_job => q{SELECT ratchet.alter_job('own', run_as => 'alice')},
		schedule => qq{SELECT ratchet.schedule('own', '\@manual', '@{[$say =~ s/'/''/gr]}', run_as => 'alice')},
		apply_jobs => q{SELECT ratchet.apply_jobs(jsonb_build_array(jsonb_build_object('job_name', 'own', 'schedule', '@manual', 'command', 'SELECT 1', 'run_as', 'alice')))},
		prepared => q{BEGIN; SELECT ratchet.alter_job('own', run_as => 'alice'); PREPARE TRANSACTION 'give'; COMMIT PREPARED 'give'});
	for my $way (sort keys %way)
	{
		value($node, qq{SELECT ratchet.schedule('own', '\@manual', \$\$$say\$\$)}, user => 'mallory');
		my @waiting = map { value($node, "SELECT ratchet.trigger('own', '{\"by\": \"mallory\"}', run_at => now() + interval '$_')", user => 'mallory') } ('1 minute', '10 years');
		give('own', 'alice', $way{$way});
		ends_as($_, $given_away, "$way: run $_") for @waiting;
		is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $waiting[0]", user => 'mallory'), 1, "$way: the record is for who asked");
		is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $waiting[0]", user => 'alice'), 0, "$way: and not for who has the job now");
		run_of('own', "succeeded", "$way: the new owner's run", user => 'alice');
		unlike(said(), qr/mallory/, "$way: nothing ran with what mallory gave along");
		value($node, q{SELECT ratchet.unschedule('own')});
	}
};

promise 'a run that is asked for while the job is given away is none of the new owner' => sub {
	value($node, qq{SELECT ratchet.schedule('late', '\@manual', \$\$$say\$\$)}, user => 'mallory');
	my $session = session($node, user => 'mallory');
	$session->query_safe('BEGIN');
	my $run = $session->query_safe(q{SELECT ratchet.trigger('late', '{"by": "mallory"}')});
	$run =~ s/\s//g;
	give('late', 'alice');
	run_of('late', 'succeeded', 'it is the new owner\'s', user => 'alice');
	$session->query_safe('COMMIT');
	$session->quit;
	ends_as($run, $given_away, 'committed after that');
	is(said(), 'alice', 'only the new owner\'s ran');
	# There and back: what has waited for the first owner is that one's again, or has ended.
	value($node, qq{SELECT ratchet.schedule('there', '\@manual', \$\$$say\$\$)}, user => 'mallory');
	$run = value($node, q{SELECT ratchet.trigger('there', '{"by": "mallory"}', run_at => now() + interval '1 s')}, user => 'mallory');
	give('there', 'alice');
	give('there', 'mallory');
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run");
	unlike(said(), qr/alice/, 'there and back: nothing ran as alice');
	value($node, q{SELECT ratchet.unschedule('late'), ratchet.unschedule('there')});
};

promise 'retries, continuations and backfills of a former owner end with the ownership' => sub {
	value($node, q{SELECT ratchet.schedule('again', '@manual', 'SELECT 1/(ratchet.payload()->>''n'')::int', max_attempts => 5, backoff => '1 hour')}, user => 'mallory');
	my $first = value($node, q{SELECT ratchet.trigger('again', '{"n": 0}')}, user => 'mallory');
	wait_run($node, $first, 'failed', 'a run that fails');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE retry_of = $first");
	my $retry = value($node, "SELECT run_id FROM ratchet.runs WHERE retry_of = $first");
	give('again', 'alice');
	ends_as($retry, $given_away, 'its retry');
	value($node, q{SELECT ratchet.unschedule('again')});

	value($node, q{SELECT ratchet.schedule('days', '0 3 * * *', 'SELECT pg_advisory_lock_shared(41), pg_advisory_unlock_shared(41)')}, user => 'mallory');
	my $lock = lock_session($node, 41);
	value($node, q{SELECT ratchet.backfill('days', now() - interval '9 days', now())}, user => 'mallory');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'days'}, 'a backfill is under way');
	give('days', 'alice');
	$lock->quit;
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.backfill});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'days' AND status IN ('queued', 'running')});
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'days' AND cause = 'backfill' AND owner = 'alice'::regrole}), 0, 'nothing of it ran as the new owner');
	is(value($node, qq{SELECT string_agg(concat_ws('|', status, owner, reason), ',') FROM ratchet.runs WHERE job_name = 'days' AND occurrences > 1}),
		"canceled|mallory|$given_away", 'what was left of it is recorded');
	value($node, q{SELECT ratchet.unschedule('days')});

	# With the definition goes what it says of the past.
	value($node, q{SELECT ratchet.schedule('past', '0 3 * * *', 'SELECT 1', backfill_from => now() - interval '3 days', enabled => false)}, user => 'mallory');
	give('past', 'alice');
	value($node, q{SELECT ratchet.resume_job('past')}, user => 'alice');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name = 'past' AND status = 'succeeded' AND owner = 'alice'::regrole}, 'backfill_from is the new owner\'s');
	value($node, q{SELECT ratchet.unschedule('past')});

	value($node, q{SELECT ratchet.schedule('saves', '@manual', $$SELECT ratchet.save_checkpoint('{"evil": 1}'), ratchet.progress(1, 5), pg_advisory_lock_shared(42), pg_advisory_unlock_shared(42)$$)}, user => 'mallory');
	$lock = lock_session($node, 42);
	my $run = value($node, q{SELECT ratchet.trigger('saves')}, user => 'mallory');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run");
	value($node, q{SELECT ratchet.alter_job('saves', run_as => 'alice', command => 'SELECT ratchet.checkpoint() AS mine')});
	$lock->quit;
	wait_run($node, $run, 'partial', 'a run that was under way');
	is(run_of('saves', 'succeeded', 'the new owner\'s', user => 'alice')->{result}, '{"mine":null}', 'finds no checkpoint of the former owner');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE retry_of = $run"), 0, 'and nothing goes on with it');
	value($node, q{SELECT ratchet.unschedule('saves')});
};

promise 'a batch job that is given away goes on where it is, as the new owner, without items that were done' => sub {
	value($node, q{CREATE TABLE sent (id int PRIMARY KEY, who text); GRANT INSERT, SELECT ON sent TO PUBLIC});
	value($node, q{SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT id FROM public.parcel',
		'INSERT INTO public.sent SELECT $1, current_user WHERE $1 < 20 OR current_user = ''alice'' OR pg_sleep(600) IS NULL',
		batch_size => 5, mode => 'incremental')}, user => 'mallory');
	my $run = value($node, q{SELECT ratchet.trigger('walk')}, user => 'mallory');
	wait_until($node, q{SELECT count(*) >= 15 FROM sent});
	give('walk', 'alice');
	is(value($node, "SELECT owner || ' ' || job_name FROM ratchet.running WHERE run_id = $run", user => 'alice'), 'mallory walk', 'the new owner sees what is under way');
	is(value($node, "SELECT status FROM ratchet.runs WHERE run_id = $run", user => 'alice'), 'running', 'also among the runs');
	is(value($node, "SELECT payload FROM ratchet.runs WHERE run_id = $run", user => 'alice'), '', 'without its payload');
	psql_fails($node, "SELECT ratchet.cancel($run)", qr/ERROR:  42704/, 'nobody else does', user => 'bob');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $run", user => 'bob'), 0, 'nor sees it');
	is(value($node, "SELECT ratchet.cancel($run)", user => 'alice'), 't', 'and cancels it');
	wait_run($node, $run, 'canceled', 'it ends');
	run_of('walk', 'succeeded', 'the walk goes on', user => 'alice');
	is(value($node, q{SELECT count(*) FROM sent}), 40, 'each item was done once');
	value($node, q{SELECT ratchet.unschedule('walk')});
};

promise 'a former owner neither replays its runs nor stops those of the new one' => sub {
	value($node, q{SELECT ratchet.schedule('rep', '@manual', $$SELECT pg_sleep((ratchet.payload()->>'s')::float)$$, mutex => 'gate')}, user => 'mallory');
	my $long = value($node, q{SELECT ratchet.trigger('rep', '{"s": 10000}')}, user => 'mallory');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $long");
	value($node, "SELECT ratchet.cancel($long)", user => 'mallory');
	wait_run($node, $long, 'canceled');
	my $replay = value($node, "SELECT ratchet.replay($long)", user => 'mallory');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $replay", 'a replay of the owner\'s is under way');
	my $waiting = value($node, "SELECT ratchet.replay($long)", user => 'mallory');
	value($node, q{SELECT ratchet.alter_job('rep', command => 'SELECT 42', run_as => 'alice')});
	ends_as($waiting, $given_away, 'a replay that waits');
	psql_fails($node, "SELECT ratchet.replay($long)", qr/ERROR:  55000: run $long cannot be replayed: its job belongs to another role now/, 'a new one is refused', user => 'mallory');
	psql_fails($node, "SELECT ratchet.replay($long)", qr/ERROR:  55000/, 'whoever asks');
	is(value($node, "SELECT ratchet.cancel($replay)", user => 'alice'), 't', 'the new owner cancels the one that is in its way');
	wait_run($node, $replay, 'canceled');
	run_of('rep', 'succeeded', 'and its own runs run', user => 'alice');
	psql_fails($node, "SELECT ratchet.cancel((SELECT max(run_id) FROM ratchet.run_log WHERE job_name = 'rep' AND owner = 'alice'::regrole))", qr/ERROR:  (42704|22004|42501)/, 'the former owner reaches nothing of it', user => 'mallory');
	# In the foreground of a session.
	give('rep', 'mallory');
	value($node, q{SELECT ratchet.alter_job('rep', command => 'SELECT pg_sleep(600)')}, user => 'mallory');
	my $session = session($node, user => 'mallory');
	$session->query_until(qr/go/, "\\echo go\nCALL ratchet.run('rep');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'rep'}, 'a foreground run');
	give('rep', 'alice');
	my $run = value($node, q{SELECT run_id FROM ratchet.running WHERE job_name = 'rep'}, user => 'alice');
	is(value($node, "SELECT ratchet.cancel($run)", user => 'alice'), 't', 'is canceled by the new owner, too');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.running WHERE job_name = 'rep'});
	$session->quit;
	# Of a job that is gone: its last owner's.

	value($node, q{SELECT ratchet.alter_job('rep', command => 'SELECT 43')});
	my $last = run_of('rep', 'succeeded', 'the last owner\'s run', user => 'alice')->{run_id};
	value($node, q{SELECT ratchet.unschedule('rep')});
	psql_fails($node, "SELECT ratchet.replay($long)", qr/ERROR:  55000/, 'a job that is gone: not by the one before', user => 'mallory');
	wait_run($node, value($node, "SELECT ratchet.replay($last)", user => 'alice'), 'succeeded', 'a job that is gone: by its last owner');
};

promise 'what somebody has asked for who may not manage the job any more is canceled' => sub {
	for my $lose ('REVOKE team FROM mallory', 'ALTER ROLE mallory NOINHERIT',
		q{BEGIN; REVOKE team FROM mallory; PREPARE TRANSACTION 'lose'; COMMIT PREPARED 'lose'},
		q{DELETE FROM pg_auth_members WHERE roleid = 'team'::regrole AND member = 'mallory'::regrole})
	{
	  SKIP:
		{
			# From 16 on, a membership says for itself whether it is inherited.
			skip 'memberships have options', 3 if $lose =~ /NOINHERIT/ && value($node, 'SHOW server_version_num') >= 160000;
			value($node, 'ALTER ROLE mallory INHERIT; GRANT team TO mallory');
			value($node, qq{SELECT ratchet.schedule('teams', '\@manual', \$\$$say\$\$, run_as => 'team')}, user => 'mallory');
			my $run = value($node, q{SELECT ratchet.trigger('teams', '{"by": "ex-member"}', run_at => now() + interval '5 s')}, user => 'mallory');
			my $own = value($node, q{SELECT ratchet.trigger('teams', '{"by": "ex-member"}', run_at => now() + interval '5 s')}, user => 'team');
			value($node, $lose);
			ends_as($run, 'role "mallory", which had asked for it, may not manage the job any more', $lose);
			wait_run($node, $own, 'succeeded', 'what the owner has asked for likewise is another run, and runs');
			is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id = $run", user => 'team'), 1, 'the owner sees the record');
			said();
		}
	}
	value($node, 'ALTER ROLE mallory INHERIT; GRANT team TO mallory');
	value($node, q{SELECT ratchet.schedule('teams', '@manual', 'SELECT 1/0', run_as => 'team', max_attempts => 9, backoff => '1 s')}, user => 'mallory');
	my $run = value($node, q{SELECT ratchet.trigger('teams')}, user => 'mallory');
	wait_run($node, $run, 'failed');
	value($node, 'REVOKE team FROM mallory');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE status = 'canceled' AND owner = 'team'::regrole AND retry_of IS NOT NULL", 'so does the retry end');
	value($node, 'GRANT team TO mallory');
	value($node, q{SELECT ratchet.schedule('teams', '0 3 * * *', 'SELECT 1', run_as => 'team', enabled => false)}, user => 'mallory');
	value($node, q{SELECT ratchet.backfill('teams', now() - interval '9 days', now())}, user => 'mallory');
	value($node, 'REVOKE team FROM mallory');
	value($node, q{SELECT ratchet.resume_job('teams')}, user => 'team');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.backfill}, 'a backfill ends');
	is(value($node, q{SELECT string_agg(concat_ws('|', status, occurrences), ',') FROM ratchet.runs WHERE job_name = 'teams' AND cause = 'backfill'}), 'canceled|9', 'with a record');
	# The role that has asked for it is gone.
	value($node, 'CREATE ROLE guest LOGIN IN ROLE team; GRANT USAGE ON SCHEMA ratchet TO guest');
	$run = value($node, q{SELECT ratchet.trigger('teams', '{"by": "guest"}', run_at => now() + interval '5 s')}, user => 'guest');
	value($node, 'DROP OWNED BY guest; DROP ROLE guest');
	ends_as($run, 'the role that had asked for it does not exist any more', 'DROP ROLE');
	value($node, q{SELECT ratchet.unschedule('teams')});
};


promise 'a queue that is given away is none of its former owner, and its tasks are done as the new one' => sub {
	value($node, q{CREATE TABLE gate (name text PRIMARY KEY); INSERT INTO gate VALUES ('a'); GRANT ALL ON gate TO PUBLIC;
		CREATE FUNCTION sort(letter jsonb) RETURNS void LANGUAGE plpgsql SET lock_timeout = 0 AS $$
		BEGIN
			IF letter ? 'gate' THEN PERFORM FROM gate FOR SHARE; END IF;
			INSERT INTO said VALUES (current_user || '/' || session_user, letter->>'text');
		END $$});
	value($node, q{SELECT ratchet.create_queue('letters', 'SELECT public.sort($1)', concurrency => 1, batch_size => 1, keep_dead => '1 day')}, user => 'mallory');
	my $late = value($node, q{SELECT ratchet.enqueue('letters', '{"text": "late"}', delay => '1 hour', unique_key => 'late')}, user => 'mallory');
	my $canceled = value($node, q{SELECT ratchet.enqueue('letters', '{"text": "canceled"}', delay => '1 hour')}, user => 'mallory');
	value($node, "SELECT ratchet.cancel_task($canceled)", user => 'mallory');
	my $gate = session($node);
	$gate->query_safe('BEGIN; SELECT FROM gate FOR UPDATE');
	value($node, q{SELECT ratchet.enqueue('letters', '{"text": "in hand", "gate": "a"}');
		SELECT ratchet.enqueue_many('letters', array_agg('{"text": "behind"}'::jsonb)) FROM generate_series(1, 20)}, user => 'mallory');
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet worker%' AND wait_event_type = 'Lock')}, 'one is in hand');
	value($node, q{SELECT ratchet.alter_queue('letters', run_as => 'alice')});
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.queues WHERE queue_name = 'letters' AND owner = 'alice'::regrole}, 'it is given away');
	for my $sql (
		"SELECT ratchet.cancel_task($late)", "SELECT ratchet.retry_task($canceled)", "SELECT ratchet.try_task($late)",
		q{SELECT ratchet.redrive('letters')}, q{SELECT ratchet.enqueue('letters', '{}')},
		q{SELECT ratchet.enqueue('letters', '{"text": "mallory"}', unique_key => 'late', on_conflict => 'replace')},
		q{SELECT * FROM ratchet.claim('letters')}, q{SELECT ratchet.pause_queue('letters')})
	{
		psql_fails($node, $sql, qr/ERROR:  (42501|42704|42710)/, "the former owner: $sql", user => 'mallory');
	}
	is(value($node, q{SELECT count(*) FROM ratchet.tasks}, user => 'mallory'), 0, 'and sees none of the tasks');
	$gate->query_safe('COMMIT');
	$gate->quit;
	wait_until($node, q{SELECT count(*) = 20 FROM said WHERE what = 'behind'}, 'the tasks are done');
	is(said(), 'alice/alice:behind,mallory/mallory:in hand', 'as the new owner, but for the batch that was in hand');
	is(value($node, "SELECT ratchet.cancel_task($late)", user => 'alice'), 't', 'they are the new owner\'s');
	value($node, q{SELECT ratchet.drop_queue('letters', force => true)}, user => 'alice');
};

promise 'a consumer or producer that has lost its right can do nothing more with what it has' => sub {
	value($node, q{SELECT ratchet.create_queue('calls', consumers => '{bob,mallory}', producers => '{bob,mallory}', lease => '1 hour')}, user => 'alice');
	my $task = value($node, q{SELECT ratchet.enqueue('calls', '{"number": 1}')}, user => 'mallory');
	my $other = value($node, q{SELECT ratchet.enqueue('calls', '{"number": 2}', delay => '1 hour')}, user => 'mallory');
	my $token = value($node, q{SELECT token FROM ratchet.claim('calls', wait => '1 minute')}, user => 'mallory');
	value($node, q{SELECT ratchet.alter_queue('calls', consumers => '{bob}', producers => '{bob}')}, user => 'alice');
	for my $sql (
		"SELECT ratchet.complete($task, $token)", "SELECT ratchet.fail($task, $token, 'x')", "SELECT ratchet.extend($task, $token, '1 day')",
		q{SELECT * FROM ratchet.claim('calls')}, q{SELECT ratchet.enqueue('calls', '3')}, "SELECT ratchet.cancel_task($other)")
	{
		psql_fails($node, $sql, qr/ERROR:  (42501|42704|55000)/, "who was taken off the lists: $sql", user => 'mallory');
	}
	is(value($node, "SELECT ratchet.cancel_task($task)", user => 'alice'), 't', 'the owner takes it out of its hands');
	psql_fails($node, "SELECT ratchet.complete($task, $token)", qr/ERROR:  (42501|42704|55000)/, 'and then it is gone', user => 'mallory');
	value($node, q{SELECT ratchet.drop_queue('calls', force => true)}, user => 'alice');
};

promise 'who may not use schema ratchet any more has no jobs running' => sub {
	value($node, q{SELECT ratchet.schedule('bobs', '@manual', 'SELECT 1')}, user => 'bob');
	run_of('bobs', 'succeeded', 'with the privilege', user => 'bob');
	my %way = (
		revoke => 'REVOKE USAGE ON SCHEMA ratchet FROM bob',
		prepared => q{BEGIN; REVOKE USAGE ON SCHEMA ratchet FROM bob; PREPARE TRANSACTION 'r'; COMMIT PREPARED 'r'});
	for my $way (sort keys %way)
	{
		value($node, $way{$way});
		my $run = run_of('bobs', 'failed', "$way: the next run");
		is_run($run, { sqlstate => '42501', error => 'permission denied for schema ratchet: role "bob" may not have jobs', started_at => undef },
			"$way: says why it did not start");
		like($run->{error_hint}, qr/GRANT USAGE ON SCHEMA ratchet/, "$way: and what to do");
		like(value($node, q{SELECT color || ' ' || why FROM ratchet.job_health WHERE job_name = 'bobs'}), qr/^red .*permission denied for schema ratchet/, "$way: job_health");
		psql_fails($node, q{SELECT ratchet.schedule('bobs 2', '@manual', 'SELECT 1', run_as => 'bob')}, qr/ERROR:  42501: role "bob" cannot own a job because it has no USAGE/,
			"$way: nobody gives it a job");
		value($node, 'GRANT USAGE ON SCHEMA ratchet TO bob');
		run_of('bobs', 'succeeded', "$way: and back", user => 'bob');
	}
	# By a group.
	value($node, 'CREATE ROLE scheduling; GRANT USAGE ON SCHEMA ratchet TO scheduling; REVOKE USAGE ON SCHEMA ratchet FROM bob; GRANT scheduling TO bob');
	run_of('bobs', 'succeeded', 'a member of a group that has it');
	value($node, 'REVOKE scheduling FROM bob');
	run_of('bobs', 'failed', 'and no member any more');
	value($node, q{GRANT USAGE ON SCHEMA ratchet TO bob; DROP OWNED BY scheduling; DROP ROLE scheduling});
	value($node, 'REVOKE EXECUTE ON FUNCTION ratchet.schedule FROM PUBLIC');
	psql_fails($node, q{SELECT ratchet.schedule('bobs 2', '@manual', 'SELECT 1')}, qr/ERROR:  42501/, 'without EXECUTE no new job', user => 'bob');
	run_of('bobs', 'succeeded', 'but the ones that are there', user => 'bob');
	value($node, q{GRANT EXECUTE ON FUNCTION ratchet.schedule TO PUBLIC; SELECT ratchet.unschedule('bobs')});
};

promise 'a table that the owner of a job may not read any more is not watched for it' => sub {
	value($node, q{CREATE TABLE secret (n int); GRANT SELECT ON secret TO mallory});
	value($node, q{SELECT ratchet.schedule('looks', '100 ms', 'SELECT 1', watch => '{secret}', backoff => '10 ms', backoff_cap => '10 ms')}, user => 'mallory');
	value($node, q{SELECT ratchet.schedule('first', '@manual', 'SELECT 1'); SELECT ratchet.schedule('then', '@manual', 'SELECT 1', watch => '{secret}', depends_on => '{first}')},
		user => 'mallory');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'looks' AND status = 'succeeded'}, 'it runs at first');
	wait_until($node, q{SELECT last_not_needed_at IS NOT NULL FROM ratchet.jobs WHERE job_name = 'looks'}, 'and when nothing changes it does not');
	value($node, 'REVOKE SELECT ON secret FROM mallory');
	wait_until($node, q{SELECT count(*) > 1 FROM ratchet.runs WHERE job_name = 'looks' AND status = 'failed'});
	is_run(row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'looks' AND status = 'failed' ORDER BY run_id DESC LIMIT 1}),
		{ sqlstate => '42501', error => 'permission denied for table secret', started_at => undef, reason => 'the owner of the job may not read a table that it watches' },
		'then what is due fails, whether the table has changed or not');
	run_of('first', 'succeeded', 'a job on which another one depends', user => 'mallory');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'then' AND status = 'failed' AND sqlstate = '42501'}, 'that one fails likewise');
	value($node, 'GRANT SELECT ON secret TO mallory');
	my $last = value($node, 'SELECT max(run_id) FROM ratchet.runs');
	value($node, 'INSERT INTO secret VALUES (1)');
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'looks' AND status = 'succeeded' AND run_id > $last", 'with the right it sees changes again');
	value($node, q{SELECT ratchet.unschedule('looks'), ratchet.unschedule('then'), ratchet.unschedule('first')});
};

promise 'a change trigger asks for runs as long as who has made it may' => sub {
	value($node, q{SELECT ratchet.schedule('reacts', '@manual', 'SELECT 1')}, user => 'alice');
	value($node, 'GRANT alice TO mallory');
	value($node, q{CREATE TABLE mallory.mtab (n int); SELECT ratchet.trigger_on_change('mallory.mtab', 'reacts', debounce => '0')}, user => 'mallory');
	value($node, q{CREATE TABLE alice.atab (n int); SELECT ratchet.trigger_on_change('alice.atab', 'reacts', debounce => '0')}, user => 'alice');
	my $count = q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'succeeded'};
	my $fires = sub {
		my ($table, $what, $user) = @_;
		my $n = value($node, $count);
		value($node, "INSERT INTO $table VALUES (1)", user => $user);
		wait_until($node, "SELECT count(*) > $n FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'succeeded'", $what);
		wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'reacts' AND status IN ('queued', 'running')});
	};
	$fires->('mallory.mtab', 'a member of the owner', 'mallory');
	is(value($node, q{SELECT string_agg(concat_ws(' ', table_name, made_by, why_not), ',' ORDER BY table_name::text) FROM ratchet.change_triggers}),
		'alice.atab alice,mallory.mtab mallory', 'the view says whose they are');
	my $before = value($node, $count);
	for my $lose ('REVOKE alice FROM mallory', q{BEGIN; REVOKE alice FROM mallory; PREPARE TRANSACTION 'r'; COMMIT PREPARED 'r'})
	{
		value($node, $lose);
		my $told = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'skipped'});
		value($node, 'INSERT INTO mallory.mtab VALUES (1)', user => 'mallory') for 1 .. 3;
		wait_until($node, qq{SELECT count(*) > $told FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'skipped'
			AND reason = 'a table has changed, but who has made its change trigger may not manage the job any more'}, "$lose: recorded");
		value($node, 'INSERT INTO mallory.mtab VALUES (1)', user => 'mallory') for 1 .. 3;
		# The one of alice, which comes behind, has been served when all before it have.
		$fires->('alice.atab', "$lose: another one of the job goes on", 'alice');
		is(value($node, qq{SELECT count(*) - $told FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'skipped'}), 1, "$lose: once");
		is(value($node, $count), ++$before, "$lose: and nothing ran");
		is(value($node, q{SELECT why_not FROM ratchet.change_triggers WHERE table_name = 'mallory.mtab'::regclass}),
			'role "mallory", which has made it, may not manage the job', "$lose: the view says so");
		value($node, 'GRANT alice TO mallory');
		$fires->('mallory.mtab', "$lose: and back", 'mallory');
		$before = value($node, $count);
	}
	# Who is renamed is the same role; who owns another table needs TRIGGER on it.
	value($node, 'ALTER ROLE mallory RENAME TO trudy');
	$fires->('mallory.mtab', 'under another name', 'trudy');
	value($node, 'ALTER ROLE trudy RENAME TO mallory');
	value($node, q{CREATE TABLE shared (n int); GRANT TRIGGER ON shared TO mallory; GRANT INSERT ON shared TO bob});
	value($node, q{SELECT ratchet.trigger_on_change('shared', 'reacts', debounce => '0')}, user => 'mallory');
	$fires->('shared', 'a table of somebody else', 'bob');
	value($node, 'REVOKE TRIGGER ON shared FROM mallory');
	$before = value($node, $count);
	value($node, 'INSERT INTO shared VALUES (1)', user => 'bob');
	$fires->('alice.atab', 'without TRIGGER on it', 'alice');
	is(value($node, $count), $before + 1, 'it is silent');
	is(value($node, q{SELECT why_not FROM ratchet.change_triggers WHERE table_name = 'shared'::regclass}),
		'role "mallory", which has made it, has no privilege TRIGGER on the table', 'and the view says so');
	psql_ok($node, q{SELECT ratchet.trigger_on_change('shared', 'reacts', debounce => '0')}, 'who may makes it anew');
	$fires->('shared', 'and it works', 'bob');
	# Who manages the job gets rid of it, without any right on the table.
	value($node, 'REVOKE alice FROM mallory');
	psql_fails($node, q{SELECT ratchet.drop_trigger_on_change('mallory.mtab', 'reacts')}, qr/ERROR:  42501/, 'a stranger to both', user => 'bob');
	psql_ok($node, q{SELECT ratchet.drop_trigger_on_change('mallory.mtab', 'reacts')}, 'whoever manages the job drops it', user => 'alice');
	is(value($node, q{SELECT count(*) FROM ratchet.change_triggers WHERE table_name = 'mallory.mtab'::regclass}), 0, 'and it is gone');
	# A job that changes hands leaves the triggers of its former owner's behind.
	$before = value($node, $count);
	give('reacts', 'bob');
	value($node, 'INSERT INTO alice.atab VALUES (1)', user => 'alice');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'reacts' AND status = 'skipped' AND owner = 'bob'::regrole}, 'of a former owner');
	is(value($node, $count), $before, 'nothing ran');
	value($node, q{SELECT ratchet.unschedule('reacts')});
};

promise 'a role that gets the number of a dropped one inherits nothing' => sub {
	value($node, q{CREATE ROLE gone LOGIN; GRANT USAGE ON SCHEMA ratchet TO gone});
	value($node, q{SELECT ratchet.schedule('left', '@manual', $$SELECT 'of gone' AS result$$, payload => '{"pw": "s3cret"}', max_attempts => 9, backoff => '1 hour')}, user => 'gone');
	run_of('left', 'succeeded', 'a run', user => 'gone');
	value($node, q{SELECT ratchet.schedule_batch('left items', '@manual', 'SELECT id FROM public.parcel', 'SELECT 1 / ($1 - 3)')}, user => 'gone');
	run_of('left items', 'succeeded', 'failed items', user => 'gone');
	value($node, q{SELECT ratchet.schedule('left retry', '@manual', 'SELECT 1/0', max_attempts => 9, backoff => '1 hour')}, user => 'gone');
	run_of('left retry', 'failed', 'a retry that waits', user => 'gone');
	value($node, q{SELECT ratchet.schedule('saved', '@manual', $$SELECT ratchet.save_checkpoint('{"n": 1}'); SELECT 1 / 0$$, transaction => 'per_statement')}, user => 'gone');
	run_of('saved', 'failed', 'a checkpoint', user => 'gone');
	is(value($node, q{SELECT count(*) FROM ratchet.job_checkpoint}, user => 'gone'), 1, 'which is there');
	value($node, q{SELECT ratchet.schedule('given', '@manual', 'SELECT 1', payload => '{"pw": "older"}')}, user => 'gone');
	run_of('given', 'succeeded', 'a run of a job that then changes hands', user => 'gone');
	give('given', 'alice');
	my $far = value($node, q{SELECT ratchet.trigger('left', '{"pw": "queued"}', run_at => now() + interval '1 year')}, user => 'gone');
	value($node, q{
		SELECT ratchet.create_channel('left channel', 'slack', '{"url": {"secret": "left"}}');
		SELECT ratchet.create_alert('left alert', channels => '{left channel}');
		SELECT ratchet.silence(now() + '1 year', 'left silence');
		SELECT ratchet.send('left channel', 's3cret')}, user => 'gone');
	my $oid = value($node, q{SELECT 'gone'::regrole::oid});
	value($node, q{DROP OWNED BY gone; DROP ROLE gone});
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.job WHERE owner = $oid");
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.$_ WHERE owner = $oid", "$_ holds nothing under the number")
	  for qw(job_version run_log run_queue failed_item job_checkpoint backfill job_change channel alert silence incident delivery);
	is(value($node, q{SELECT (SELECT count(*) FROM ratchet.channel) || ' ' || (SELECT count(*) FROM ratchet.alert) || ' ' || (SELECT count(*) FROM ratchet.silence)}),
		'1 1 0', 'its channel and its alert are nobody\'s, its silence has ended');
	is_run(run_record($node, $far), { status => 'canceled', reason => 'the role that owned the job was dropped' }, 'what was queued has ended');
	my $run = run_of('left', 'failed', 'its jobs do not run');
	is_run($run, { sqlstate => '42704', error => 'the role that owned the job does not exist any more' }, 'and say why');
	# A counter of numbers that has come round.
	$node->stop;
	PostgreSQL::Test::Utils::system_or_bail($node->installed_command('pg_resetwal'), '-o', $oid, '-D', $node->data_dir);
	$node->start;
	value($node, 'CREATE ROLE heir LOGIN; GRANT USAGE ON SCHEMA ratchet TO heir');
	is(value($node, q{SELECT 'heir'::regrole::oid}), $oid, 'another role has the number');
	is(value($node, "SELECT count(*) FROM $_", user => 'heir'), 0, "it sees nothing in $_")
	  for qw(ratchet.jobs ratchet.runs ratchet.failed_items ratchet.backfills ratchet.job_version ratchet.job_checkpoint ratchet.run_queue ratchet.changes
		ratchet.channels ratchet.alerts ratchet.silences ratchet.incidents ratchet.deliveries);
	psql_fails($node, $_, qr/ERROR:  42501/, $_, user => 'heir') for (q{SELECT ratchet.trigger('left')}, q{SELECT ratchet.unschedule('left')},
		q{SELECT ratchet.drop_channel('left channel')}, q{SELECT ratchet.send('left channel', 'mine')});
	psql_fails($node, "SELECT ratchet.replay($run->{run_id})", qr/ERROR:  42704/, 'nor replays', user => 'heir');
	run_of('left', 'failed', 'and runs nothing');
	psql_ok($node, q{SELECT ratchet.alter_job('left', run_as => 'heir')}, 'until somebody gives it the job');
	run_of('left', 'succeeded', 'which then runs', user => 'heir');
	value($node, q{SELECT ratchet.unschedule(job_name) FROM ratchet.jobs});
};

promise 'a dropped role that had messages only, one of them in the hands of a transaction' => sub {
	my %as = (user => 'Only Tells');
	value($node, q{CREATE ROLE "Only Tells" LOGIN; GRANT USAGE ON SCHEMA ratchet TO "Only Tells"});
	value($node, q{SELECT ratchet.create_channel('it''s told', 'slack', '{"url": {"secret": "told"}}');
		SELECT ratchet.silence(now() + '1 year', 'told')}, %as);
	my $oid = value($node, q{SELECT '"Only Tells"'::regrole::oid});
	my $session = session($node);
	$session->query_safe(q{BEGIN; SELECT ratchet.alter_channel('it''s told')});
	value($node, q{DROP OWNED BY "Only Tells"; DROP ROLE "Only Tells"});
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.silence WHERE owner = $oid", 'its silence has ended');
	$session->query_safe('COMMIT');
	$session->quit;
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.channel WHERE owner = $oid", 'the channel is given up when the transaction has ended');
	is(value($node, q{SELECT owner::oid FROM ratchet.channel WHERE channel_name = 'it''s told'}), 0, 'and is nobody\'s');
};

finish();
