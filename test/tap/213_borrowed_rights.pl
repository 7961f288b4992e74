# Rights that change after a job was defined, and code of others that runs with the rights of a job: run_as,
# members and former owners, SECURITY DEFINER, triggers and rules, event triggers, settings. See
# docs/security.md.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $version = value($node, 'SHOW server_version_num');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE carol LOGIN IN ROLE alice;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE team LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE SCHEMA AUTHORIZATION mallory;
	CREATE SCHEMA AUTHORIZATION bob;
	CREATE TABLE who (who text, session text, super text, what text);
	GRANT INSERT ON who TO PUBLIC});

# What a job says of who it is, and what was said since the last question.
sub say_who { return "INSERT INTO public.who VALUES (current_user, session_user, current_setting('is_superuser'), '$_[0]')"; }

sub who_said
{
	return value($node, qq{WITH d AS (DELETE FROM who WHERE what = '$_[0]' RETURNING *)
		SELECT string_agg(DISTINCT concat_ws(' ', who, session, super), ', ') FROM d});
}

sub run_again
{
	my ($name, $status, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run = value($node, "SELECT ratchet.trigger('$name')", %option);
	wait_run($node, $run, $status, $what);
	return run_record($node, $run);
}

promise 'a member that loses its membership loses the jobs, and the jobs stay what they are' => sub {
	value($node, 'GRANT team TO mallory');
	value($node, q{SELECT ratchet.schedule('teams', '@manual', $$} . say_who('teams') . q{$$, run_as => 'team')}, user => 'mallory');
	run_again('teams', 'succeeded', 'a member triggers it', user => 'mallory');
	value($node, 'REVOKE team FROM mallory');
	psql_fails($node, $_, qr/ERROR:  42501/, "no member any more: $_", user => 'mallory') for (
		q{SELECT ratchet.trigger('teams')}, q{SELECT ratchet.unschedule('teams')},
		q{SELECT ratchet.alter_job('teams', command => 'SELECT 666')}, q{SELECT ratchet.alter_job('teams', run_as => 'mallory')});
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'teams'}, user => 'mallory'), 0, 'it is not seen any more');
	run_again('teams', 'succeeded', 'it still runs');
	is(who_said('teams'), 'team team off', 'as the role that it was given to');
};

promise 'a member that does not inherit manages nothing without SET ROLE, and may still name the role in run_as' => sub {
	value($node, q{CREATE ROLE dan LOGIN NOINHERIT IN ROLE alice});
	value($node, q{SELECT ratchet.schedule('alices', '@manual', $$} . say_who('alices') . q{$$)}, user => 'alice');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs}, user => 'dan'), 0, 'sees nothing');
	psql_fails($node, q{SELECT ratchet.trigger('alices')}, qr/ERROR:  42501/, 'trigger', user => 'dan');
	psql_ok($node, q{SET ROLE alice; SELECT ratchet.trigger('alices')}, 'after SET ROLE it can', user => 'dan');
	psql_fails($node, q{SET ROLE alice; CALL ratchet.run('alices')}, qr/ERROR:  42501/, 'but not run it in this session', user => 'dan');
	psql_ok($node, q{SELECT ratchet.schedule('dans', '@manual', 'SELECT 1', run_as => 'alice')}, 'run_as asks for the right to SET ROLE', user => 'dan');
	psql_fails($node, q{SELECT ratchet.alter_job('dans', command => 'SELECT 2')}, qr/ERROR:  42501/, 'what is given away is given away', user => 'dan');
	SKIP:
	{
		skip 'memberships have options since PostgreSQL 16', 4 if $version < 160000;
		value($node, q{CREATE ROLE erin LOGIN; GRANT alice TO erin WITH INHERIT TRUE, SET FALSE});
		psql_fails($node, q{SELECT ratchet.schedule('erins', '@manual', 'SELECT 1', run_as => 'alice')}, qr/ERROR:  42501/,
			'WITH SET FALSE', user => 'erin');
		psql_ok($node, q{SELECT ratchet.trigger('alices')}, 'who inherits may manage', user => 'erin');
		psql_fails($node, q{SELECT ratchet.schedule('erins', '@manual', 'SELECT 1'); SELECT ratchet.alter_job('erins', run_as => 'alice')},
			qr/ERROR:  42501/, 'nor hand over', user => 'erin');
	}
};

promise 'a job has the rights that its owner has when it runs, also those granted later' => sub {
	value($node, q{CREATE ROLE rising LOGIN; CREATE ROLE helper LOGIN IN ROLE rising; CREATE TABLE secret (n int)});
	value($node, q{SELECT ratchet.schedule('rises', '@manual', $$} . say_who('rises') . q{; SELECT count(*) FROM public.secret$$, run_as => 'rising')}, user => 'helper');
	is(run_again('rises', 'failed', 'without the right it fails', user => 'helper')->{sqlstate}, '42501', 'and says so');
	value($node, 'GRANT SELECT ON secret TO rising');
	run_again('rises', 'succeeded', 'with it, it runs', user => 'helper');
	is(who_said('rises'), 'rising rising off', 'as an ordinary role');
	value($node, 'ALTER ROLE rising SUPERUSER');
	run_again('rises', 'succeeded', 'when the owner becomes a superuser');
	is(who_said('rises'), 'rising rising on', 'so does the job: see docs/security.md on what to look through before');
	psql_fails($node, $_, qr/ERROR:  42501/, "from then on members are kept out: $_", user => 'helper') for (
		q{SELECT ratchet.trigger('rises')}, q{SELECT ratchet.alter_job('rises', command => 'SELECT 666')},
		q{SELECT ratchet.schedule('rises2', '@manual', 'SELECT 1', run_as => 'rising')},
		q{SELECT ratchet.replay((SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'rises'))});
	value($node, 'ALTER ROLE rising NOSUPERUSER');
	run_again('rises', 'succeeded', 'and when it is none any more', user => 'helper');
	is(who_said('rises'), 'rising rising off', 'nor is the job, in a worker that was there before');
};

promise 'a role that is renamed keeps its jobs, and the old name is worth nothing' => sub {
	value($node, q{CREATE ROLE before LOGIN});
	value($node, q{SELECT ratchet.schedule('renamed', '@manual', $$} . say_who('renamed') . q{$$)}, user => 'before');
	value($node, 'ALTER ROLE before RENAME TO after; CREATE ROLE before LOGIN');
	run_again('renamed', 'succeeded', 'it runs', user => 'after');
	is(who_said('renamed'), 'after after off', 'as the role under its new name');
	psql_fails($node, q{SELECT ratchet.trigger('renamed')}, qr/ERROR:  42501/, 'another role has the old name', user => 'before');
};

promise 'an expired password, pg_hba.conf and connection limits do not stop jobs: NOLOGIN does' => sub {
	value($node, q{CREATE ROLE leaver LOGIN PASSWORD 'x' VALID UNTIL '2020-01-01' CONNECTION LIMIT 0});
	value($node, q{SELECT ratchet.schedule('leavers', '@manual', 'SELECT 1', run_as => 'leaver')});
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $rules = slurp_file($hba);
	open(my $file, '>', $hba) or die "cannot write $hba: $!";
	print $file "local all leaver reject\n$rules";
	close($file);
	$node->reload;
	# The postmaster has read it when the message is new.
	wait_log($node, qr/received SIGHUP, reloading configuration files/, 'pg_hba.conf is read');
	my ($status, $out, $err) = $node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'leaver' ]);
	like($err, qr{pg_hba.conf rejects}, 'no client can connect as the role');
	run_again('leavers', 'succeeded', 'a run is no client');
	value($node, 'ALTER ROLE leaver NOLOGIN');
	# What a scheduler knows of a role is good for a second.
	wait_until($node, q{SELECT status = 'failed' FROM (SELECT ratchet.trigger('leavers') AS id) t, ratchet.runs WHERE run_id < id AND job_name = 'leavers' ORDER BY run_id DESC LIMIT 1},
		'NOLOGIN ends them');
};

promise 'a former owner sees what ran as itself and nothing of what comes after' => sub {
	value($node, q{SELECT ratchet.schedule('handed', '@manual', $$} . say_who('handed') . q{$$, payload => '{"k": "of alice"}')}, user => 'alice');
	my $old = run_again('handed', 'succeeded', 'a run of the first owner', user => 'alice')->{run_id};
	is(who_said('handed'), 'alice alice off', 'runs as the first owner');
	value($node, q{SELECT ratchet.alter_job('handed', run_as => 'bob', payload => '{"k": "of bob"}')});
	my $new = run_again('handed', 'succeeded', 'a run of the second', user => 'bob')->{run_id};
	is(who_said('handed'), 'bob bob off', 'runs as the second');
	is(value($node, q{SELECT string_agg(run_id::text, ',') FROM ratchet.runs WHERE job_name = 'handed'}, user => 'alice'), $old, 'the first sees the first run');
	is(value($node, q{SELECT string_agg(run_id::text, ',') FROM ratchet.runs WHERE job_name = 'handed'}, user => 'bob'), $new, 'the second sees the second');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name = 'handed'}, user => 'alice'), 0, 'the job is not seen by the first');
	is(value($node, q{SELECT string_agg(payload->>'k', ',') FROM ratchet.job_version WHERE job_name = 'handed'}, user => 'alice'), 'of alice', 'nor its new definition');
	is(value($node, q{SELECT string_agg(payload->>'k', ',') FROM ratchet.job_version WHERE job_name = 'handed'}, user => 'bob'), 'of bob', 'nor the old one by the second');
	psql_fails($node, $_, qr/ERROR:  42501/, "the first: $_", user => 'alice') for (
		q{SELECT ratchet.trigger('handed')}, q{SELECT ratchet.alter_job('handed', command => 'SELECT 666')});
	psql_fails($node, "SELECT ratchet.replay($new)", qr/ERROR:  42704/, 'the first cannot run what ran as the second', user => 'alice');
	psql_fails($node, "SELECT ratchet.replay($old)", qr/ERROR:  42704/, 'nor the second what ran as the first', user => 'bob');
	psql_fails($node, "SELECT ratchet.replay($old)", qr/ERROR:  55000/, 'nor the first what ran as the first, for the job is not its own', user => 'alice');
	psql_fails($node, "SELECT ratchet.replay($old)", qr/ERROR:  55000/, 'nor a superuser');
	my $replay = value($node, "SELECT ratchet.replay($new)");
	wait_run($node, $replay, 'succeeded', 'who may replay what ran as the second');
	is(who_said('handed'), 'bob bob off', 'and it is not the superuser who runs');
};

promise 'a job that is defined inside of a SECURITY DEFINER function belongs to the definer' => sub {
	value($node, q{
		CREATE FUNCTION alice.offer(body text) RETURNS bigint LANGUAGE sql SECURITY DEFINER
			SET search_path = pg_catalog, pg_temp AS
			$$SELECT ratchet.schedule('offered', '@manual', body)$$;
		CREATE FUNCTION alice.ask() RETURNS bigint LANGUAGE sql SECURITY DEFINER
			SET search_path = pg_catalog, pg_temp AS $$SELECT ratchet.trigger('offered')$$;
		CREATE FUNCTION alice.do_it() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
			$$BEGIN CALL ratchet.run('offered'); END$$;
		GRANT USAGE ON SCHEMA alice TO PUBLIC}, user => 'alice');
	value($node, q{SELECT alice.offer($$} . say_who('offered') . q{$$)}, user => 'mallory');
	is(value($node, q{SELECT owner FROM ratchet.jobs WHERE job_name = 'offered'}), 'alice', 'as if the definer had called');
	psql_fails($node, q{SELECT ratchet.alter_job('offered', command => 'SELECT 666')}, qr/ERROR:  42501/, 'the caller cannot change it', user => 'mallory');
	wait_run($node, value($node, 'SELECT alice.ask()', user => 'mallory'), 'succeeded', 'a definer function may offer a trigger');
	is(who_said('offered'), 'alice alice off', 'the run is a session of the definer, of which nothing leads back');
	psql_fails($node, 'SELECT alice.do_it()', qr/ERROR:  25001/, 'but no run in the session of the caller', user => 'mallory');
};

promise 'a restricted operation, in which code of others runs for a superuser, makes jobs of its own role only' => sub {
	value($node, q{
		CREATE TABLE mallory.bait (n int);
		INSERT INTO mallory.bait VALUES (1);
		CREATE FUNCTION mallory.trap(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
		BEGIN
			PERFORM ratchet.schedule('trap', '@manual', $c$INSERT INTO public.who VALUES (current_user, session_user, current_setting('is_superuser'), 'trap')$c$);
			PERFORM ratchet.trigger('trap');
			RETURN n;
		END$$;
		CREATE INDEX bait_idx ON mallory.bait (mallory.trap(n))}, user => 'mallory');
	value($node, q{SELECT ratchet.unschedule('trap')}, user => 'mallory');
	psql_ok($node, 'REINDEX TABLE mallory.bait', 'a superuser rebuilds an index');
	is(value($node, q{SELECT owner FROM ratchet.jobs WHERE job_name = 'trap'}), 'mallory', 'what its expression schedules belongs to the owner of the table');
	wait_until($node, q{SELECT count(*) > 0 FROM who WHERE what = 'trap' AND session = 'mallory'});
	is(who_said('trap'), 'mallory mallory off', 'and runs so');
	value($node, q{DROP TABLE mallory.bait; SELECT ratchet.unschedule('trap')}, user => 'mallory');
};

promise q{triggers, rules and views of others run with the rights of the job that touches them, and with no more} => sub {
	value($node, q{
		CREATE TABLE mallory.box (n int);
		CREATE FUNCTION mallory.spring() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO public.who VALUES (current_user, session_user, current_setting('is_superuser'), 'spring');
			BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
			RETURN NULL;
		END$$;
		CREATE TRIGGER spring AFTER INSERT ON mallory.box FOR EACH ROW EXECUTE FUNCTION mallory.spring();
		CREATE RULE spring AS ON DELETE TO mallory.box DO INSTEAD
			INSERT INTO public.who VALUES (current_user, session_user, current_setting('is_superuser'), 'rule');
		GRANT USAGE ON SCHEMA mallory TO PUBLIC;
		GRANT ALL ON mallory.box TO PUBLIC}, user => 'mallory');
	is_run(run_job($node, 'falls', 'INSERT INTO mallory.box VALUES (1); DELETE FROM mallory.box', undef, user => 'alice'),
		{ status => 'succeeded' }, 'a job of alice falls into them');
	is(who_said('spring'), 'alice alice off', 'the trigger is alice');
	is(who_said('rule'), 'alice alice off', 'so is the rule');
	is(value($node, q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', 'and nobody has become more');
	# As in each session of a superuser: whose jobs should not write to tables of others.
	is_run(run_job($node, 'falls deep', 'INSERT INTO mallory.box VALUES (1)'), { status => 'succeeded' }, q{a superuser's job does too});
	like(who_said('spring'), qr/ on$/, 'with the rights of a superuser');
	value($node, 'ALTER ROLE mallory NOSUPERUSER');
	is_run(run_job($node, 'falls softly', 'SET ROLE mallory; INSERT INTO mallory.box VALUES (1)'), { status => 'succeeded' }, 'SET ROLE is no wall, as in each session');
	value($node, q{DELETE FROM who});
	is_run(run_job($node, 'falls nowhere', 'INSERT INTO mallory.box VALUES (1)', q{run_as => 'mallory'}), { status => 'succeeded' }, 'run_as is one');
	is(who_said('spring'), 'mallory mallory off', 'with the rights of the owner of the table');
	is(value($node, q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', 'and nobody has become more');
};

promise 'event triggers see the extension and change triggers come and go, and not the work of its processes' => sub {
	value($node, q{CREATE DATABASE watched});
	value($node, q{
		CREATE TABLE seen (event text, tag text, who text, pid int);
		GRANT INSERT ON seen TO PUBLIC;
		CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF tg_event = 'ddl_command_end' THEN
				PERFORM * FROM pg_event_trigger_ddl_commands();
			ELSIF tg_event = 'sql_drop' THEN
				PERFORM * FROM pg_event_trigger_dropped_objects();
			END IF;
			INSERT INTO public.seen VALUES (tg_event, tg_tag, current_user, pg_backend_pid());
		END$$;
		CREATE EVENT TRIGGER at_start ON ddl_command_start EXECUTE FUNCTION see();
		CREATE EVENT TRIGGER at_end ON ddl_command_end EXECUTE FUNCTION see();
		CREATE EVENT TRIGGER at_drop ON sql_drop EXECUTE FUNCTION see();
		CREATE EVENT TRIGGER at_rewrite ON table_rewrite EXECUTE FUNCTION see()}
		  . ($version >= 170000 ? '; CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION see(); ALTER EVENT TRIGGER at_login ENABLE ALWAYS' : ''),
		db => 'watched');
	value($node, q{CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC}, db => 'watched');
	is(value($node, q{SELECT count(DISTINCT event) FROM seen WHERE tag = 'CREATE EXTENSION'}, db => 'watched'), 2, 'they see CREATE EXTENSION');
	value($node, q{CREATE TABLE public.mine (n int); GRANT ALL ON public.mine TO alice; DELETE FROM seen WHERE event <> 'login'}, db => 'watched');
	my $define = define_job('watched', 'SELECT 1') . "SELECT ratchet.trigger('watched')";
	wait_run($node, value($node, $define, db => 'watched', user => 'alice'), 'succeeded', 'a job runs', db => 'watched');
	# Made with the rights of a superuser, but in the sight of code that runs as whoever asks.
	value($node, q{SELECT ratchet.trigger_on_change('public.mine', 'watched')}, db => 'watched', user => 'alice');
	value($node, q{SELECT ratchet.drop_trigger_on_change('public.mine', 'watched')}, db => 'watched', user => 'alice');
	value($node, q{SELECT ratchet.unschedule('watched')}, db => 'watched', user => 'alice');
	is(value($node, q{SELECT string_agg(concat_ws(' ', who, event, tag), ', ' ORDER BY ctid) FROM seen WHERE event <> 'login'}, db => 'watched'),
		join(', ', map { "alice $_" } 'ddl_command_start CREATE TRIGGER', 'ddl_command_end CREATE TRIGGER', 'ddl_command_start DROP TRIGGER',
			'sql_drop DROP TRIGGER', 'ddl_command_end DROP TRIGGER'),
		'they see change triggers, as whoever makes them, and nothing of jobs and runs');
	is(value($node, q{SELECT count(*) FROM seen s JOIN ratchet.runs r ON r.worker_pid = s.pid}, db => 'watched'), 0, 'nor a worker log in');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'watched');
	is(value($node, "SELECT count(*) FROM seen WHERE pid = $scheduler", db => 'watched'), 0, 'nor the scheduler');
	psql_ok($node, 'DROP EXTENSION pg_ratchet', 'DROP EXTENSION', db => 'watched');
	is(value($node, q{SELECT count(*) > 0 FROM seen WHERE event = 'sql_drop' AND tag = 'DROP EXTENSION'}, db => 'watched'), 't', 'is seen');
	value($node, 'DROP DATABASE watched');
};

promise 'a setting that was granted to the owner may be set, and no longer when it is revoked' => sub {
	my $schedule = q{SELECT ratchet.schedule('tuned', '@manual', 'SHOW log_min_duration_statement', settings => '{"log_min_duration_statement": "77ms"}')};
	psql_fails($node, $schedule, qr/ERROR:  42501/, 'a setting for superusers', user => 'alice');
	value($node, 'GRANT SET ON PARAMETER log_min_duration_statement TO alice');
	psql_ok($node, $schedule, 'once it is granted', user => 'alice');
	like(run_again('tuned', 'succeeded', 'the job runs', user => 'alice')->{result}, qr/77ms/, 'with it');
	psql_fails($node, q{SELECT ratchet.alter_job('tuned', run_as => 'bob')}, qr/ERROR:  42501/, 'it cannot be handed to somebody without the grant');
	value($node, 'REVOKE SET ON PARAMETER log_min_duration_statement FROM alice');
	is(run_again('tuned', 'failed', 'revoked', user => 'alice')->{sqlstate}, '42501', 'the run fails');
	value($node, q{SELECT ratchet.unschedule('tuned')});
};

promise 'settings of the extension and of libraries that are loaded later are no way around' => sub {
	for my $name (split /\n/, value($node, q{SELECT name FROM pg_settings WHERE name LIKE 'ratchet.%' AND context <> 'user'}))
	{
		psql_fails($node, "SELECT ratchet.schedule('greedy', '\@manual', 'SELECT 1', settings => jsonb_build_object('$name', current_setting('$name')))",
			qr/ERROR:  (42501|55P02)/, $name, user => 'alice');
	}
	psql_fails($node, qq{SELECT ratchet.schedule('greedy', '\@manual', 'SELECT 1', settings => '{"$_": "x"}')}, qr/ERROR:  (42501|55P02|22023|42602|42704)/, $_, user => 'alice')
	  for ('session_preload_libraries', 'shared_preload_libraries', 'local_preload_libraries.', 'log_statement', 'session_replication_role',
		'SESSION_REPLICATION_ROLE', 'role', 'Role', 'session_authorization', 'is_superuser', 'ratchet.unheard_of', 'a b.c', 'x', '', '.', 'server_version',
		'lc_collate', 'data_directory', 'allow_system_table_mods', 'zero_damaged_pages', 'ignore_system_indexes', 'jit_provider', 'krb_server_keyfile');
	# Known to nobody when the job is defined and when the run begins, then of PL/pgSQL and for superusers.
	my $run = run_job($node, 'later', q{DO $$BEGIN END$$; SHOW plpgsql.variable_conflict}, q{settings => '{"plpgsql.variable_conflict": "use_column"}'}, user => 'bob');
	ok(($run->{sqlstate} // '') eq '42501' || ($run->{result} // '') !~ /use_column/, 'a placeholder that becomes a setting for superusers') or diag(explain($run));
	psql_ok($node, q{SELECT ratchet.schedule('rooty', '@manual', 'SELECT 1', settings => '{"session_replication_role": "replica"}')}, 'a superuser may use what superusers may set');
	is_run(run_job($node, 'unsafe', $_, undef, user => 'alice'), { status => 'failed', sqlstate => '42501' }, $_) for (
		'SET session_replication_role = replica', 'SET log_statement = none',
		q{SELECT set_config('session_preload_libraries', 'x', false)}, q{ALTER SYSTEM SET ratchet.enabled = off}, q{ALTER ROLE alice SUPERUSER},
		q{ALTER ROLE ALL SET work_mem = '1MB'}, q{COPY public.who TO '/tmp/x'}, q{COPY public.who TO PROGRAM 'true'}, q{LOAD 'pg_ratchet_x'});
	is_run(run_job($node, 'blind', 'SET row_security = off; SELECT count(*) FROM ratchet.job', undef, user => 'alice'), { status => 'failed', sqlstate => '42501' },
		'row_security = off shows no more');
};

finish();
