# Who may do what, by attacking it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value(
	$node, q{
	CREATE ROLE outsider LOGIN;
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE carol LOGIN IN ROLE alice;      -- a member of alice
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	CREATE ROLE root2 LOGIN SUPERUSER;
	CREATE ROLE deputy LOGIN IN ROLE root2;     -- a member of a superuser
	GRANT USAGE ON SCHEMA ratchet TO alice, bob, watcher, deputy, carol;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE SCHEMA AUTHORIZATION bob;
	CREATE TABLE note (who text, session text, what text);
	GRANT INSERT, SELECT ON note TO PUBLIC});

value($node, q{
	SELECT ratchet.schedule('alices', '@manual',
		$$INSERT INTO public.note VALUES (current_user, session_user, 'job')$$)}, user => 'alice');
value($node, q{SELECT ratchet.schedule('alices_long', '@manual', 'SELECT pg_sleep(600)')},
	user => 'alice');
value($node, q{SELECT ratchet.schedule('bobs', '@manual', 'SELECT 1')}, user => 'bob');
value($node, q{SELECT ratchet.schedule('roots', '@manual', 'SELECT 1')});
my $alices_run = value($node, q{SELECT ratchet.trigger('alices')}, user => 'alice');
wait_run($node, $alices_run, 'succeeded', 'a job of alice has run');
my $bobs_run = value($node, q{SELECT ratchet.trigger('bobs')}, user => 'bob');
wait_run($node, $bobs_run, 'succeeded', 'a job of bob has run');
my $live_run = value($node, q{SELECT ratchet.trigger('alices_long')}, user => 'alice');
wait_until($node, qq{SELECT status = 'running' FROM ratchet.runs WHERE run_id = $live_run},
	'another one is running');
my $waiting_run =
  value($node, q{SELECT ratchet.trigger('alices', run_at => now() + interval '1 day')}, user => 'alice');

# All definitions and all that was asked for, to be compared.
sub definitions
{
	return value($node, q{
		SELECT (SELECT md5(string_agg(j::text, '' ORDER BY job_id)) FROM ratchet.job j)
			|| (SELECT md5(string_agg(run_id || ' ' || owner, '' ORDER BY run_id)) FROM ratchet.run_queue)});
}

# Everything that one can try with a job of alice.
my @on_alices_job = (
	q{SELECT ratchet.alter_job('alices', command => 'SELECT 666')},
	q{SELECT ratchet.alter_job('alices', new_name => 'stolen')},
	q{SELECT ratchet.alter_job('alices', run_as => current_user::regrole)},
	q{SELECT ratchet.schedule('alices', '@manual', 'SELECT 666')},
	q{SELECT ratchet.schedule_batch('alices', '@manual', 'SELECT 666', 'SELECT $1')},
	q{SELECT ratchet.unschedule('alices')},
	q{SELECT ratchet.unschedule('alices', if_exists => true)},
	q{SELECT ratchet.pause_job('alices')},
	q{SELECT ratchet.resume_job('alices')},
	q{SELECT ratchet.trigger('alices')},
	q{SELECT ratchet.trigger('alices', run_at => now() + interval '1 day')},
	q{SELECT ratchet.stat_reset('alices')},
	q{CALL ratchet.run('alices')},
	q{CALL ratchet.run('alices', dry_run => true)},
	"SELECT ratchet.cancel($live_run)",
	"SELECT ratchet.cancel($waiting_run)",
	"SELECT ratchet.cancel($alices_run)");

promise 'without USAGE on the schema nothing can be done' => sub {
	for my $attempt (
		q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1')},
		q{SELECT ratchet.schedule_batch('x', '@manual', 'SELECT 1', 'SELECT $1')},
		q{SELECT * FROM ratchet.jobs},
		q{SELECT * FROM ratchet.job},
		q{SELECT * FROM ratchet.status()},
		q{SELECT nextval('ratchet.job_id_seq')},
		@on_alices_job)
	{
		psql_fails($node, $attempt, qr/ERROR:  42501/, $attempt, user => 'outsider');
	}
};

promise 'people see their own jobs and runs only' => sub {
	# All tables and views that say of which job a row is.
	my %rows = map { split /\|/ } split /\n/, value($node, q{
		SELECT c.oid::regclass, max(a.attname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		 WHERE c.relnamespace = 'ratchet'::regnamespace AND c.relkind IN ('r', 'v') AND a.attname IN ('job', 'job_id', 'job_name')
		 GROUP BY c.oid});
	$rows{'ratchet._live_runs()'} = 'job_name';
	my $bobs_job = value($node, q{SELECT job_id FROM ratchet.job WHERE job_name = 'bobs'});
	for my $from (sort keys %rows)
	{
		my $mine = $rows{$from} eq 'job_id' ? $bobs_job : "'bobs'";
		is(value($node, "SELECT count(*) FROM $from WHERE $rows{$from} <> $mine", user => 'bob'),
			0, "$from shows nothing of others");
	}
	is(value($node, q{SELECT string_agg(job_name, ',') FROM ratchet.jobs}, user => 'bob'),
		'bobs', 'but the own job');
	is(value($node, q{SELECT string_agg(run_id::text, ',') FROM ratchet.runs}, user => 'bob'),
		$bobs_run, 'and the own run');
	is(value($node, q{SELECT count(*) FROM ratchet.running WHERE job_name = 'alices_long'},
			user => 'alice'), 1, 'alice sees hers');
};

promise 'row-level security cannot be looked behind' => sub {
	# A function that leaks what it is asked to filter, cheaper than the policy.
	value($node, q{
		CREATE FUNCTION bob.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
			$$BEGIN RAISE NOTICE 'leaked: %', $1; RETURN true; END$$}, user => 'bob');
	for my $from ('ratchet.job', 'ratchet.jobs', 'ratchet.runs', 'ratchet.run_log')
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"SELECT count(*) FROM $from WHERE bob.leak(job_name)", extra_params => [ '-U', 'bob' ]);
		is($status, 0, "$from can be read");
		unlike($err, qr/leaked: alices/, "$from leaks nothing");
	}
	my $bobs_job = value($node, q{SELECT job_id FROM ratchet.job WHERE job_name = 'bobs'});
	is(value($node, 'SELECT count(*) > 1 FROM ratchet.job_stat'), 't', 'others have counters');
	for my $from ('ratchet.job_state', 'ratchet.job_stat')
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"SELECT count(*) FROM $from WHERE bob.leak(job_id::text)", extra_params => [ '-U', 'bob' ]);
		is($out, 1, "$from shows the own row");
		my @seen = $err =~ /leaked: (\d+)/g;
		is("@seen", $bobs_job, "$from leaks nothing");
	}
	psql_fails($node, 'SET row_security = off; SELECT * FROM ratchet.job', qr/ERROR:  42501/,
		'row_security = off', user => 'bob');
};

# Tries every way to write every relation of the schema; returns what did not fail for want of the right.
my $write_everything = q{
	DO $do$
	DECLARE
		relation record;
		attempt text;
		successes text[] := '{}';
	BEGIN
		FOR relation IN
			SELECT c.oid::regclass AS name, c.relkind,
				(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1) AS first
			FROM pg_class AS c WHERE relnamespace = 'ratchet'::regnamespace AND relkind IN ('r', 'v', 'S')
		LOOP
			FOREACH attempt IN ARRAY CASE relation.relkind
				WHEN 'S' THEN ARRAY['SELECT nextval(%1$L)', 'SELECT setval(%1$L, 1)',
					'ALTER SEQUENCE %1$s RESTART', 'DROP SEQUENCE %1$s']
				WHEN 'v' THEN ARRAY['INSERT INTO %1$s SELECT * FROM %1$s', 'UPDATE %1$s SET %2$s = %2$s',
					'DELETE FROM %1$s', 'DROP VIEW %1$s', 'CREATE RULE mine AS ON DELETE TO %1$s DO INSTEAD NOTHING']
				ELSE ARRAY['INSERT INTO %1$s SELECT * FROM %1$s', 'UPDATE %1$s SET %2$s = %2$s',
					'DELETE FROM %1$s', 'TRUNCATE %1$s', 'SELECT 1 FROM %1$s FOR UPDATE',
					'SELECT 1 FROM %1$s FOR KEY SHARE', 'LOCK TABLE %1$s IN ROW EXCLUSIVE MODE',
					'LOCK TABLE %1$s IN ACCESS EXCLUSIVE MODE', 'COPY %1$s FROM PROGRAM ''true''',
					'CREATE TABLE bob.child () INHERITS (%1$s)', 'CREATE INDEX ON %1$s (%2$s)',
					'CREATE TRIGGER mine BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION
						suppress_redundant_updates_trigger()',
					'CREATE RULE mine AS ON INSERT TO %1$s DO INSTEAD NOTHING',
					'CREATE POLICY mine ON %1$s USING (true)',
					'ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY', 'ALTER TABLE %1$s ADD COLUMN mine int',
					'ALTER TABLE %1$s DISABLE TRIGGER ALL', 'DROP TABLE %1$s']
				END
			LOOP
				BEGIN
					EXECUTE format(attempt, relation.name, relation.first);
					successes := successes || format(attempt, relation.name, relation.first);
				EXCEPTION
					WHEN insufficient_privilege THEN NULL;
					-- Views that nobody can write to.
					WHEN object_not_in_prerequisite_state OR feature_not_supported THEN
						IF relation.relkind <> 'v' THEN
							RAISE;
						END IF;
				END;
			END LOOP;
		END LOOP;
		RAISE NOTICE 'successes: %', successes;
	END $do$};

promise 'no relation of the schema can be written, locked or changed by ordinary roles' => sub {
	for my $user (qw(bob watcher carol))
	{
		my ($status, $out, $err) =
		  $node->psql('postgres', $write_everything, extra_params => [ '-U', $user ]);
		like($err, qr/successes: \{\}/, "$user changes nothing") or diag($err);
	}
	for my $attempt (
		'CREATE TABLE ratchet.mine ()',
		'CREATE TABLE bob.mine (id bigint REFERENCES ratchet.job (job_id))',
		'CREATE FUNCTION ratchet.mine() RETURNS int LANGUAGE sql RETURN 1',
		'ALTER FUNCTION ratchet.cancel(bigint) OWNER TO bob',
		q{ALTER FUNCTION ratchet.status() SET search_path = bob},
		'DROP EXTENSION pg_ratchet',
		'ALTER EXTENSION pg_ratchet UPDATE',
		'DROP SCHEMA ratchet CASCADE',
		'SELECT ratchet._extension_created()',
		'SELECT ratchet.adopt()')
	{
		psql_fails($node, $attempt, qr/ERROR:  42501/, $attempt, user => 'bob');
	}
};

promise q{nobody else can do anything with one's job} => sub {
	my $before = definitions();
	for my $user (qw(bob watcher))
	{
		psql_fails($node, $_, qr/ERROR:  (42501|42704)/, "$user: $_", user => $user) for @on_alices_job;
	}
	psql_fails($node, "SELECT ratchet.wait($_, '0')", qr/ERROR:  42704/, "bob waits for run $_", user => 'bob')
	  for $alices_run, $live_run, $waiting_run;
	psql_fails($node, "CALL ratchet.wait_for($live_run, '0')", qr/ERROR:  42704/, 'bob: wait_for',
		user => 'bob');
	psql_fails($node, q{SELECT ratchet.alter_job('bobs', new_name => 'alices')}, qr/ERROR:  42710/,
		'a name that is taken', user => 'bob');
	is(definitions(), $before, 'no definition and no waiting run has changed');
	is(run_status($node, $live_run), 'running', 'the run is still running');
};

promise 'a member of pg_monitor sees everything' => sub {
	is( value($node, 'SELECT count(*) FROM ratchet.jobs', user => 'watcher'),
		value($node, 'SELECT count(*) FROM ratchet.jobs'), 'all jobs');
	is( value($node, 'SELECT count(*) FROM ratchet.runs', user => 'watcher'),
		value($node, 'SELECT count(*) FROM ratchet.runs'), 'all runs');
	is( value($node, "SELECT count(*) FROM ratchet.running WHERE run_id = $live_run", user => 'watcher'),
		1, 'live runs, too');
	is(value($node, "SELECT ratchet.wait($alices_run)", user => 'watcher'), 'succeeded',
		'and may wait for them');
};

promise q{a member of a role may manage the role's jobs} => sub {
	psql_ok($node, $_, $_, user => 'carol') for (
		q{SELECT ratchet.pause_job('alices')},
		q{SELECT ratchet.resume_job('alices')},
		q{SELECT ratchet.alter_job('alices', comment => 'carol was here')},
		"SELECT ratchet.cancel($waiting_run)",
		"SELECT ratchet.cancel($live_run)");
	wait_run($node, $live_run, 'canceled', 'the run is canceled');
	my $run = value($node, q{SELECT ratchet.trigger('alices')}, user => 'carol');
	wait_run($node, $run, 'succeeded', 'it runs');
	is(value($node, q{SELECT string_agg(DISTINCT who || ' ' || session, ',') FROM note WHERE what = 'job'}),
		'alice alice', 'as alice, whoever asks for it');
	is(value($node, q{SELECT owner FROM ratchet.job WHERE job_name = 'alices'}), 'alice',
		'and stays hers');
};

promise 'run_as needs the right to be that role' => sub {
	psql_fails($node, q{SELECT ratchet.schedule('as_alice', '@manual', 'SELECT 1', run_as => 'alice')},
		qr/ERROR:  42501/, 'bob as alice', user => 'bob');
	psql_fails($node, q{SELECT ratchet.alter_job('bobs', run_as => 'alice')}, qr/ERROR:  42501/,
		'bob gives his job to alice', user => 'bob');
	psql_fails($node, q{SELECT ratchet.schedule('as_root', '@manual', 'SELECT 1', run_as => 'root2')},
		qr/ERROR:  42501/, 'carol as a superuser', user => 'carol');
	psql_ok($node, q{SELECT ratchet.schedule('as_alice', '@manual',
		$$INSERT INTO public.note VALUES (current_user, session_user, 'as alice')$$, run_as => 'alice')},
		'carol as alice', user => 'carol');
	wait_run($node, value($node, q{SELECT ratchet.trigger('as_alice')}, user => 'carol'), 'succeeded',
		'it runs');
	is(value($node, q{SELECT who || ' ' || session FROM note WHERE what = 'as alice'}), 'alice alice',
		'and is alice');
};

promise q{a superuser's job is out of reach, even for a member of that superuser} => sub {
	value($node, q{SELECT ratchet.schedule('root2s', '@manual', 'SELECT 1', run_as => 'root2')});
	my $before = definitions();
	for my $job (qw(roots root2s))
	{
		for my $user (qw(alice deputy))
		{
			psql_fails($node, $_, qr/ERROR:  (42501|42704)/, "$user: $_", user => $user) for (
				"SELECT ratchet.schedule('$job', '\@manual', 'ALTER ROLE $user SUPERUSER')",
				"SELECT ratchet.alter_job('$job', command => 'ALTER ROLE $user SUPERUSER')",
				"SELECT ratchet.alter_job('$job', settings => '{\"search_path\": \"$user\"}')",
				"SELECT ratchet.alter_job('$job', run_as => '$user')",
				"SELECT ratchet.trigger('$job')",
				"SELECT ratchet.unschedule('$job')");
		}
	}
	is(definitions(), $before, 'no definition has changed');
};

promise 'settings of a job are those that its owner may set' => sub {
	for my $settings (
		'{"session_replication_role": "replica"}', '{"log_statement": "none"}',
		'{"lc_messages": "C"}', '{"temp_file_limit": "-1"}', '{"dynamic_library_path": "/tmp"}',
		'{"role": "root2"}', '{"session_authorization": "root2"}', '{"is_superuser": "on"}',
		'{"ratchet.max_workers": 1}', '{"ratchet.enabled": "off"}', '{"shared_buffers": "1GB"}',
		'{"no_such_setting": 1}')
	{
		psql_fails($node,
			"SELECT ratchet.schedule('greedy', '\@manual', 'SELECT 1', settings => '$settings')",
			qr/ERROR:  (42501|22023|55P02|42704)/, $settings, user => 'bob');
	}
	psql_ok($node,
		q{SELECT ratchet.schedule('modest', '@manual', 'SELECT 1', settings => '{"work_mem": "8MB"}')},
		'an ordinary one', user => 'bob');
	psql_ok($node, q{SELECT ratchet.schedule('rooty', '@manual', 'SELECT 1',
		settings => '{"session_replication_role": "replica"}')}, 'a superuser may');
	psql_fails($node, q{SELECT ratchet.alter_job('rooty', run_as => 'bob')}, qr/ERROR:  42501/,
		'but cannot hand that to somebody who may not');
};

promise 'a job cannot write the tables, nor become anybody else' => sub {
	for my $command (
		q{INSERT INTO ratchet.run_log SELECT * FROM ratchet.run_log},
		q{UPDATE ratchet.job SET command = 'SELECT 666'},
		q{UPDATE ratchet.job_state SET run_count = 0},
		q{DELETE FROM ratchet.run_queue},
		q{DELETE FROM ratchet.run_log WHERE run_id = ratchet.run_id()},
		q{SET ROLE root2},
		q{SET SESSION AUTHORIZATION root2},
		q{DO $$BEGIN PERFORM set_config('role', 'root2', false); END$$},
		q{RESET SESSION AUTHORIZATION; RESET ROLE; UPDATE ratchet.job SET command = 'SELECT 666'})
	{
		my $run = run_job($node, 'attack', $command, undef, user => 'alice');
		is_run($run, { status => 'failed', sqlstate => '42501' }, $command);
	}
};

promise q{what is in ratchet.runs is not shown to others by an error, a payload or pg_stat_activity} => sub {
	run_job($node, 'secretive', q{SELECT 'top secret'::int}, undef, user => 'alice');
	is( value($node, q{SELECT count(*) FROM ratchet.runs WHERE error LIKE '%secret%'}, user => 'bob'),
		0, 'the error');
	value($node, q{SELECT ratchet.schedule('secretive', '@manual', $$SELECT pg_sleep(600) /* secret */$$)},
		user => 'alice');
	my $run = value($node, q{SELECT ratchet.trigger('secretive')}, user => 'alice');
	wait_until($node, qq{SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run}, 'it runs');
	is( value($node, q{
			SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%se' || 'cret%'}, user => 'bob'),
		0, 'the command');
	value($node, "SELECT ratchet.cancel($run)");
	wait_run($node, $run, 'canceled', 'canceled');
};

finish();
