# What people leave lying around in the database, and what they call things, does not get executed and
# does not break anything.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE mallory LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO alice, mallory;
	-- As it is in databases that were made before PostgreSQL 15.
	GRANT CREATE ON SCHEMA public TO mallory;
	CREATE TABLE public.trapped (who text, session text, trap text);
	GRANT INSERT ON public.trapped TO PUBLIC});

# Each trap does what the real one does, and tells who fell into it.
promise 'objects planted in a search_path are not executed by the extension' => sub {
	my @traps = (
		[ 'now()', 'timestamptz', 'transaction_timestamp()' ],
		[ 'lower(text)', 'text', '$1' ],
		[ 'quote_ident(text)', 'text', '$1' ],
		[ 'format(text)', 'text', '$1' ],
		[ 'pg_has_role(name, text)', 'boolean', 'true' ],
		[ 'pg_has_role(oid, text)', 'boolean', 'true' ],
		[ 'current_setting(text)', 'text', q{''} ],
		[ 'nextval(regclass)', 'bigint', '1' ],
		[ 'text_trap(text, text)', 'boolean', 'true' ],
		[ 'bigint_trap(bigint, bigint)', 'boolean', 'true' ],
		[ 'oid_trap(oid, oid)', 'boolean', 'true' ],
		[ 'time_trap(timestamptz, timestamptz)', 'boolean', 'true' ]);
	for my $trap (@traps)
	{
		my ($name, $type, $value) = @$trap;
		value($node, qq{
			CREATE FUNCTION public.$name RETURNS $type LANGUAGE plpgsql SET search_path = pg_catalog AS \$trap\$
			BEGIN
				INSERT INTO public.trapped VALUES (current_user, session_user, '$name');
				RETURN $value;
			END \$trap\$}, user => 'mallory');
	}
	for my $operator (qw(= <> < >))
	{
		value($node, qq{
			SET search_path = pg_catalog;
			CREATE OPERATOR public.$operator (LEFTARG = text, RIGHTARG = text, FUNCTION = public.text_trap);
			CREATE OPERATOR public.$operator (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.bigint_trap);
			CREATE OPERATOR public.$operator (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.oid_trap);
			CREATE OPERATOR public.$operator (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = public.time_trap)},
			user => 'mallory');
	}
	value($node, q{
		CREATE TABLE public.job (LIKE ratchet.job);
		CREATE TABLE public.run_log (LIKE ratchet.run_log);
		CREATE TABLE public.run_queue (LIKE ratchet.run_queue);
		CREATE TYPE public.interval AS (x int);
		CREATE DOMAIN public.bigint AS pg_catalog.int8 CHECK (public.bigint_trap(VALUE, 1));
		CREATE DOMAIN public.timestamptz AS pg_catalog.timestamptz CHECK (public.time_trap(VALUE, VALUE))},
		user => 'mallory');

	# Of all sessions, those of the extension's processes included.
	value($node, q{
		ALTER DATABASE postgres SET search_path = public, pg_catalog;
		ALTER ROLE alice SET search_path = public, pg_catalog});
	is(value($node, q{SELECT now() IS NULL}), 'f', 'a trap');
	is(value($node, q{SET search_path = pg_catalog; DELETE FROM public.trapped RETURNING trap}),
		'now()', 'works');

	for my $user (undef, 'alice')
	{
		my $name = $user // 'superuser';
		psql_ok($node, $_, "$name: $_", user => $user) for (
			"SELECT ratchet.schedule('$name', '200 ms', 'VALUES (1)')",
			"SELECT ratchet.schedule('$name', '200 ms', 'VALUES (2)', payload => '{}', settings => '{\"work_mem\": \"5MB\"}')",
			"SELECT ratchet.alter_job('$name', comment => 'x', reset => '{timeout}')",
			"SELECT ratchet.pause_job('$name')",
			"SELECT ratchet.resume_job('$name')",
			"SELECT ratchet.trigger('$name', payload => '{\"a\": 1}', \"coalesce\" => false)",
			"SELECT ratchet.schedule('${name}_now', '\@manual', 'VALUES (1)')",
			"CALL ratchet.run('${name}_now', dry_run => true)",
			"SELECT ratchet.trigger('${name}_now')",
			'SELECT ratchet.wait(max(run_id)) FROM ratchet.runs',
			"SELECT ratchet.stat_reset('$name')",
			'TABLE ratchet.jobs',
			'TABLE ratchet.runs',
			'TABLE ratchet.running',
			'TABLE ratchet.job_health',
			'TABLE ratchet.stat_jobs',
			'SELECT ratchet.status()',
			q{SELECT ratchet.next_runs('*/5 * * * *')},
			q{SELECT ratchet.next_runs('1 day')},
			q{SELECT ratchet.describe_schedule('0 9 * * *')});
	}
	# The scheduler and the workers at work, with the failure and the timeout of a job.
	value($node, q{SELECT ratchet.schedule('failing', '200 ms', 'SELECT 1/0')}, user => 'alice');
	value($node, q{SELECT ratchet.schedule('endless', '200 ms', 'SELECT pg_sleep(600)', timeout => '100 ms')},
		user => 'alice');
	wait_until($node, qq{
		SELECT count(*) OPERATOR(pg_catalog.>=) 2 FROM ratchet.runs
		WHERE job_name OPERATOR(pg_catalog.=) '$_->[0]' AND status OPERATOR(pg_catalog.=) '$_->[1]'},
		"$_->[0]: $_->[1]")
	  for [ 'superuser', 'succeeded' ], [ 'alice', 'succeeded' ];
	wait_until($node, qq{
		SELECT count(*) OPERATOR(pg_catalog.>=) 1 FROM ratchet.runs
		WHERE job_name OPERATOR(pg_catalog.=) '$_->[0]' AND status OPERATOR(pg_catalog.=) '$_->[1]'},
		"$_->[0]: $_->[1]")
	  for [ 'failing', 'failed' ], [ 'endless', 'timed_out' ];
	psql_ok($node, "SELECT ratchet.unschedule('$_')", "unschedule $_")
	  for qw(superuser alice failing endless);
	is( value($node, q{
			SET search_path = pg_catalog;
			SELECT string_agg(DISTINCT who || ': ' || trap, ', ') FROM public.trapped}),
		'', 'nobody fell into a trap');
	value($node, q{
		SET search_path = pg_catalog;
		ALTER DATABASE postgres RESET search_path;
		ALTER ROLE alice RESET search_path;
		DROP OWNED BY mallory;
		GRANT USAGE ON SCHEMA ratchet TO mallory});
};

promise 'temporary objects of a session do not stand in for the real ones' => sub {
	my $run = value($node, q{
		CREATE TEMP TABLE job (LIKE ratchet.job);
		CREATE TEMP TABLE run_queue (LIKE ratchet.run_queue);
		CREATE FUNCTION pg_temp.nextval(regclass) RETURNS bigint LANGUAGE sql RETURN -1;
		SET search_path = pg_temp, pg_catalog;
		SELECT ratchet.schedule('plain', '@manual', 'SELECT 1') \g /dev/null
		SELECT ratchet.trigger('plain')});
	wait_run($node, $run, 'succeeded', 'it runs');
};

promise 'the functions of the extension: none is SECURITY DEFINER, and search_path is pinned' => sub {
	is( value($node, q{
			SELECT string_agg(oid::regprocedure::text, ', ' ORDER BY oid) FROM pg_proc
			WHERE pronamespace = 'ratchet'::regnamespace AND prosecdef}),
		'', 'SECURITY DEFINER');
	# One with BEGIN ATOMIC needs none: its names were resolved when it was made.
	is( value($node, q{
			SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid)
			FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
			WHERE pronamespace = 'ratchet'::regnamespace AND lanname <> 'c' AND prosqlbody IS NULL
				AND proconfig IS DISTINCT FROM '{"search_path=pg_catalog, pg_temp"}'}),
		'', 'functions in SQL or PL/pgSQL without a search_path');
	# In C, those that look up nothing by name, need the path of the session, or must be able to commit.
	is( value($node, q{
			SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C")
			FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
			WHERE pronamespace = 'ratchet'::regnamespace AND lanname = 'c' AND proconfig IS NULL}),
		'_change _fit _is_alert_held _is_channel_held _is_quarantined _job_day _live_runs _next_run_at _node _occurrences _queue_counters _short _tasks_in_hand _waits_for_jobs _waits_for_mutex _waits_for_window _waits_for_worker _width '
		  . 'alter_job alter_queue apply_jobs attempt checkpoint create_queue discard enqueue enqueue_many payload '
		  . 'previous_scheduled_at progress run run_id save_checkpoint schedule schedule_batch '
		  . 'scheduled_at snooze task_attempt task_id trigger try_task wait wait wait_for wait_for',
		'functions in C without one are these');
	is( value($node, q{
			SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_proc
			WHERE pronamespace = 'ratchet'::regnamespace AND proconfig IS NOT NULL
				AND proconfig <> '{"search_path=pg_catalog, pg_temp"}'}),
		'', 'and nothing else is set');
	is( value($node, q{
			SELECT string_agg(c.relname, ', ') FROM pg_class AS c
			WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r' AND NOT relrowsecurity}),
		'', 'tables without row-level security');
};

promise 'event triggers do not get in the way of scheduling' => sub {
	value($node, q{
		CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
			$$BEGIN RAISE EXCEPTION 'no DDL today'; END$$;
		CREATE EVENT TRIGGER refuse_start ON ddl_command_start EXECUTE FUNCTION refuse();
		CREATE EVENT TRIGGER refuse_end ON ddl_command_end EXECUTE FUNCTION refuse();
		CREATE EVENT TRIGGER refuse_drop ON sql_drop EXECUTE FUNCTION refuse()});
	my $run = run_job($node, 'simple', 'SELECT 1', undef, user => 'alice');
	is_run($run, { status => 'succeeded' }, 'a job is scheduled and runs');
	$run = run_job($node, 'ddl', 'CREATE TABLE public.built ()', undef);
	is_run($run, { status => 'failed', error => 'no DDL today' }, 'they see the DDL of a job');
	psql_ok($node, q{SELECT ratchet.unschedule('ddl')}, 'and not that a job goes');
	value($node, q{
		DROP EVENT TRIGGER refuse_start; DROP EVENT TRIGGER refuse_end; DROP EVENT TRIGGER refuse_drop});
};

promise 'names and commands may contain whatever text may contain' => sub {
	for my $name (
		q{it's}, q{"quoted"}, q{back\\slash}, q{x'; DROP TABLE ratchet.job; --}, q{$$}, q{%s %n},
		q{a, b {c}}, q{NULL}, q{ leading}, "\x{c3}\x{bc}ber", 'n' x 255)
	{
		my $literal = $name =~ s/'/''/gr;
		my $run = run_job($node, $literal, 'SELECT 1', undef, user => 'alice');
		is_run($run, { status => 'succeeded', error => undef }, "job $name");
		is( value($node, "SELECT count(*) FROM ratchet.jobs WHERE job_name = '$literal'"),
			1, 'is there by its name');
		psql_ok($node, "SELECT ratchet.unschedule('$literal')", 'and goes by it', user => 'alice');
	}
	for my $name ("E'a\\nb'", "E'a\\tb'", "E'\\x01'", "E'\\x7f'", q{''}, q{' '}, q{repeat('n', 256)}, q{repeat('n', 1000000)})
	{
		psql_fails($node, "SELECT ratchet.schedule($name, '\@manual', 'SELECT 1')", qr/ERROR:  22023.*job_name/,
			"name $name");
	}
};

promise 'a payload and a command of 1 MB arrive as they are' => sub {
	value($node, 'CREATE TABLE arrived (payload text, command text)');
	value($node, q{
		SELECT ratchet.schedule('big', '@manual', format(
			$$INSERT INTO arrived SELECT md5(ratchet.payload()->>'text'), md5(%L)$$, repeat('kommando ', 110000)))});
	my $run = value($node, q{
		SELECT ratchet.trigger('big', payload => jsonb_build_object('text', repeat(E'"\\\\\n', 350000)))});
	wait_run($node, $run, 'succeeded', 'it runs');
	is( value($node, q{
			SELECT payload = md5(repeat(E'"\\\\\n', 350000)) AND command = md5(repeat('kommando ', 110000))
			FROM arrived}),
		't', 'with all of it');
	is( value($node, "SELECT octet_length(payload->>'text') FROM ratchet.runs WHERE run_id = $run"),
		350000 * 3, 'and the record has it');
};

promise 'control characters in a command, a payload and an error are kept and break nothing' => sub {
	my $run = run_job($node, 'odd', q{DO $do$BEGIN RAISE EXCEPTION E'a\\x01b\\nc\\x1b[31md'; END$do$},
		q{payload => '{"k": "a\u0001b\nc"}'});
	is_run($run, { status => 'failed', error => "a\x01b\nc\x1b[31md" }, 'the error');
	is(value($node, q{SELECT payload->>'k' = E'a\x01b\nc' FROM ratchet.jobs WHERE job_name = 'odd'}), 't', 'the payload');
};

finish();
