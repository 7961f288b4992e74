# Ways to have something done with the rights of somebody else, or to learn what is somebody else's: code of a
# table's owner in a superuser's run, a worker that outlives the rights of its role, settings that are put back,
# names that show something else. See docs/security.md.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => 'max_prepared_transactions = 5');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE mallory LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE SCHEMA AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA mallory TO PUBLIC});

sub run_of
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return run_asked_for($node, @_);
}

promise 'a function of the owner of a table learns nothing of the runs of others, and changes nothing in them' => sub {
	value($node, q{CREATE TABLE loot (who text, told text); GRANT INSERT ON loot TO PUBLIC});
	value($node, q{
		CREATE FUNCTION mallory.pry() RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
		BEGIN
			INSERT INTO public.loot VALUES (current_user, concat(ratchet.payload(), ratchet.checkpoint(), ratchet.run_id(),
				ratchet.attempt(), ratchet.scheduled_at(), ratchet.previous_scheduled_at()));
			PERFORM ratchet.progress(1, 5);
			PERFORM ratchet.save_checkpoint('{"evil": 1}');
		END $$;
		CREATE FUNCTION mallory.f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM mallory.pry(); RETURN $1; END';
		CREATE FUNCTION mallory.definer() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT mallory.pry()';
		CREATE TABLE mallory.t (i int PRIMARY KEY);
		INSERT INTO mallory.t VALUES (1);
		CREATE INDEX byf ON mallory.t (mallory.f(i));
		GRANT SELECT ON mallory.t TO PUBLIC}, user => 'mallory');
	value($node, 'TRUNCATE loot');
	my $told = q{WITH d AS (DELETE FROM loot RETURNING *) SELECT string_agg(DISTINCT who || ':' || told, ',') FROM d};
	my %job = (
		analyze => q{'ANALYZE mallory.t'},
		reindex => q{'REINDEX TABLE mallory.t'},
		cluster => q{'CLUSTER mallory.t USING t_pkey'},
		definer => q{'SELECT mallory.definer()'});
	for my $name (sort keys %job)
	{
		value($node, qq{SELECT ratchet.schedule('$name', '\@manual', $job{$name}, payload => '{"secret": "hunter2"}')});
		my $record = run_of($name, 'succeeded', "$name: neither partial nor failed");
		is(value($node, $told),
			'mallory:', "$name: the function ran as its owner, and was told nothing");
		is(value($node, "SELECT count(*) FROM ratchet.job_checkpoint"), 0, "$name: no checkpoint");
	}
	value($node, q{SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT i FROM mallory.t', 'SELECT mallory.definer()',
		payload => '{"secret": "hunter2"}')});
	run_of('walk', 'succeeded', 'the action of a batch job');
	is(value($node, $told), 'mallory:', 'is told nothing');
	psql_ok($node, q{CALL ratchet.run('definer')}, 'in the foreground');
	is(value($node, $told), 'mallory:', 'likewise');

	value($node, q{
		CREATE FUNCTION alice.mine() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$SELECT ratchet.payload() ->> 'k'$$;
		SELECT ratchet.schedule('mine', '@manual', 'SELECT alice.mine(), ratchet.run_id() IS NOT NULL AS known', payload => '{"k": "v"}')},
		user => 'alice');
	my $record = run_of('mine', 'succeeded', 'a function of the owner\'s', user => 'alice');
	is($record->{result}, '{"mine":"v","known":true}', 'is told all');
};

promise 'a superuser that is none any more runs nothing as one, however that was committed' => sub {
	my %way = (
		'a plain statement' => 'ALTER ROLE x NOSUPERUSER',
		'a prepared transaction' => q{BEGIN; ALTER ROLE x NOSUPERUSER; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'},
		'the catalog itself' => q{UPDATE pg_authid SET rolsuper = false WHERE rolname = 'x'});
	value($node, 'CREATE ROLE x LOGIN SUPERUSER');
	value($node, q{SELECT ratchet.schedule('xs', '@manual', $$SELECT current_setting('is_superuser') AS super$$)}, user => 'x');
	for my $what (sort keys %way)
	{
		value($node, 'ALTER ROLE x SUPERUSER');
		is(run_of('xs', 'succeeded', "$what: before", user => 'x')->{result}, '{"super":"on"}', "$what: a superuser");
		psql_ok($node, $way{$what}, $what);
		is(run_of('xs', 'succeeded', "$what: after", user => 'x')->{result}, '{"super":"off"}', "$what: none any more");
	}
};

promise 'ALTER ROLE and ALTER DATABASE reach the next run, and send home no workers of others' => sub {
	value($node, q{SELECT ratchet.schedule('alices', '@manual', $$SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS mem$$)}, user => 'alice');
	value($node, q{SELECT ratchet.schedule('mallorys', '@manual', $$SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS mem$$)}, user => 'mallory');
	my $before = run_of('alices', 'succeeded', 'alice', user => 'alice')->{result};
	run_of('mallorys', 'succeeded', 'mallory', user => 'mallory');
	value($node, q{ALTER ROLE mallory SET work_mem = '5MB'}, user => 'mallory');
	like(run_of('mallorys', 'succeeded', 'after ALTER ROLE', user => 'mallory')->{result}, qr/"5MB"/, 'mallory has the setting');
	is(run_of('alices', 'succeeded', 'alice again', user => 'alice')->{result}, $before, 'alice has the worker that she had');
	psql_ok($node, q{BEGIN; ALTER ROLE alice SET work_mem = '7MB'; PREPARE TRANSACTION 'q'; COMMIT PREPARED 'q'}, 'a prepared transaction');
	like(run_of('alices', 'succeeded', 'after COMMIT PREPARED', user => 'alice')->{result}, qr/"7MB"/, 'alice has the setting');
	value($node, q{ALTER ROLE alice RESET ALL});
	value($node, q{DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '9MB'); END $$});
	like(run_of('alices', 'succeeded', 'after ALTER DATABASE', user => 'alice')->{result}, qr/"9MB"/, 'the database\'s');
	value($node, q{DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$});
};

promise 'a foreground run puts back no setting that its caller may not set' => sub {
	value($node, q{SELECT ratchet.schedule('fg', '@manual', 'DO $$ BEGIN PERFORM 1; END $$', settings => '{"plpgsql.variable_conflict": "error"}')},
		user => 'mallory');
	is(value($node, q{
		SET plpgsql.variable_conflict = 'use_column';
		CALL ratchet.run('fg');
		SHOW plpgsql.variable_conflict}, user => 'mallory'), 'error', 'the library\'s value');
	value($node, q{SELECT ratchet.alter_job('fg', command => 'DO $$ BEGIN COMMIT; PERFORM 1/0; END $$')}, user => 'mallory');
	my ($status, $out) = $node->psql('postgres', q{
		SET plpgsql.variable_conflict = 'use_column';
		CALL ratchet.run('fg');
		SHOW plpgsql.variable_conflict}, connstr => $node->connstr('postgres') . ' user=mallory', on_error_stop => 0);
	like($out, qr/^error$/m, 'also after a failure behind a commit');
	is(value($node, q{SET work_mem = '3MB'; CALL ratchet.run('alices'); SHOW work_mem}, user => 'alice'), '3MB', 'what may be set is put back');
};

promise 'import_pg_cron() knows its caller by name, not by what the name would mean in SQL' => sub {
	value($node, q{
		CREATE ROLE dba LOGIN;
		CREATE ROLE "DBA" LOGIN SUPERUSER;
		CREATE SCHEMA cron AUTHORIZATION dba});
	value($node, q{
		CREATE TABLE cron.job (jobid bigint, schedule text, command text, nodename text DEFAULT '', nodeport int DEFAULT current_setting('port')::int,
			database text DEFAULT current_database(), username text, active boolean DEFAULT true, jobname text);
		INSERT INTO cron.job (jobid, schedule, command, username, jobname) VALUES (1, '* * * * *', 'SELECT 666', 'postgres', 'evil')}, user => 'dba');
	psql_fails($node, 'SELECT * FROM ratchet.import_pg_cron()', qr/ERROR:  42501/, 'a superuser whose name folds to the owner of the table', user => 'DBA');
	value($node, q{DROP SCHEMA cron CASCADE});
};

promise 'a name shows what it is: no character that hides, turns or erases what is beside it' => sub {
	for my $character ('\0009', '\001b', '\007f', '\0085', '\009b', '\00ad', '\061c', '\200b', '\200f', '\2028', '\2029', '\202e', '\2066', '\feff',
		'\+0e0041')
	{
		psql_fails($node, qq{SELECT ratchet.schedule(U&'a${character}b', '\@manual', 'SELECT 1')}, qr/ERROR:  22023: job_name must not contain control characters/,
			"U&'$character'", user => 'alice');
	}
	psql_fails($node, qq{SELECT ratchet.schedule(U&'$_', '\@manual', 'SELECT 1')}, qr/ERROR:  22023: job_name must not be empty/, "U&'$_' alone")
	  for ('\00a0', ' \3000\2003');
	psql_fails($node, qq{SELECT ratchet.schedule('x', '\@manual', 'SELECT 1', $_)}, qr/ERROR:  22023: \w+ must not contain control characters/, $_)
	  for (q{tags => ARRAY[U&'\202e']}, q{mutex => U&'a\009b'}, q{environments => ARRAY[U&'\200b']}, q{calendar => U&'a\2028'});
	psql_ok($node, qq{SELECT ratchet.schedule(U&'$_', '\@manual', 'SELECT 1')}, "U&'$_'") for ('caf\00e9 \4f60\597d', '\+01f600', 'a\00a0b');
	value($node, q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
	value($node, 'CREATE EXTENSION pg_ratchet', db => 'latin');
	psql_fails($node, qq{SELECT ratchet.schedule(U&'a${_}b', '\@manual', 'SELECT 1')}, qr/ERROR:  22023: job_name must not contain control characters/,
		"LATIN1: $_", db => 'latin') for ('\0085', '\009b', '\00ad');
	psql_ok($node, q{SELECT ratchet.schedule(U&'\00e9t\00e9', '@manual', 'SELECT 1')}, 'LATIN1: letters', db => 'latin');
	value($node, q{CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'});
	value($node, 'CREATE EXTENSION pg_ratchet', db => 'bytes');
	psql_fails($node, q{SELECT ratchet.schedule(E'a\x9bb', '@manual', 'SELECT 1')}, qr/ERROR:  22023: job_name must not contain control characters/,
		'SQL_ASCII: a byte', db => 'bytes');
	psql_ok($node, q{SELECT ratchet.schedule(E'\xe9t\xe9', '@manual', 'SELECT 1')}, 'SQL_ASCII: letters of LATIN1', db => 'bytes');
};

promise 'a job of another role is not changed by accident' => sub {
	value($node, q{SELECT ratchet.schedule('nightly', '@manual', 'SELECT 1')}, user => 'mallory');
	psql_fails($node, q{SELECT ratchet.schedule('nightly', '@manual', 'SELECT ''hunter2''', payload => '{"pw": "x"}')},
		qr/ERROR:  42710: job "nightly" already exists, and belongs to role mallory/, 'a superuser that does not know of it');
	psql_fails($node, q{SELECT ratchet.schedule_batch('nightly', '@manual', 'SELECT 1 AS i', 'SELECT $1')}, qr/ERROR:  42710/, 'nor as a batch job');
	value($node, q{SELECT ratchet.schedule('nightly', '@manual', 'SELECT 2', run_as => 'mallory')});
	is(value($node, q{SELECT owner || command FROM ratchet.jobs WHERE job_name = 'nightly'}), 'mallorySELECT 2', 'one that says so');
};

promise 'event triggers see the change triggers of users, and may refuse them' => sub {
	value($node, q{
		CREATE TABLE ddl (who text, what text);
		GRANT ALL ON ddl TO PUBLIC;
		CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO public.ddl VALUES (current_user, concat_ws(' ', tg_event, tg_tag));
			IF tg_event = 'ddl_command_end' THEN
				INSERT INTO public.ddl SELECT current_user, concat_ws(' ', command_tag, object_type, object_identity) FROM pg_event_trigger_ddl_commands();
			ELSIF tg_event = 'sql_drop' THEN
				INSERT INTO public.ddl SELECT current_user, concat_ws(' ', object_type, object_identity) FROM pg_event_trigger_dropped_objects();
			END IF;
			IF tg_event = current_setting('test.refuse', true) THEN RAISE 'refused at %', tg_event; END IF;
		END $$;
		CREATE EVENT TRIGGER ddl_start ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER', 'DROP TRIGGER') EXECUTE FUNCTION ddl();
		CREATE EVENT TRIGGER ddl_end ON ddl_command_end EXECUTE FUNCTION ddl();
		CREATE EVENT TRIGGER ddl_drop ON sql_drop EXECUTE FUNCTION ddl()});
	my $seen = q{WITH gone AS (DELETE FROM ddl RETURNING ctid, *) SELECT string_agg(who || ' ' || what, E'\n' ORDER BY ctid) FROM gone};
	my $made = q{SELECT count(*) FROM ratchet.change_triggers WHERE job_name = 'watcher'};
	value($node, q{SELECT ratchet.schedule('watcher', '@manual', 'SELECT 1'); CREATE TABLE mallory.watched (i int); DELETE FROM public.ddl},
		user => 'mallory');
	my $name = value($node, q{SELECT ratchet.trigger_on_change('mallory.watched', 'watcher')}, user => 'mallory');
	my $sees = "mallory ddl_command_start CREATE TRIGGER\nmallory ddl_command_end CREATE TRIGGER\n"
	  . "mallory CREATE TRIGGER trigger $name on mallory.watched";
	is(value($node, $seen), $sees, 'one that is made');
	value($node, q{SELECT ratchet.trigger_on_change('mallory.watched', 'watcher', '5 s')}, user => 'mallory');
	is(value($node, $seen), $sees, 'one that is changed');
	value($node, q{SELECT ratchet.trigger_on_change('mallory.watched', 'watcher', '5 s')}, user => 'mallory');
	is(value($node, $seen), '', 'nothing where nothing is done');
	value($node, q{SELECT ratchet.drop_trigger_on_change('mallory.watched', 'watcher')}, user => 'mallory');
	is(value($node, $seen), "mallory ddl_command_start DROP TRIGGER\nmallory sql_drop DROP TRIGGER\n"
		. "mallory trigger $name on mallory.watched\nmallory ddl_command_end DROP TRIGGER", 'one that is dropped');
	for my $event ('ddl_command_start', 'ddl_command_end')
	{
		psql_fails($node, qq{SET test.refuse = '$event'; SELECT ratchet.trigger_on_change('mallory.watched', 'watcher')}, qr/refused at $event/,
			"refused at $event", user => 'mallory');
		is(value($node, $made), 0, 'not made');
	}
	value($node, q{
		BEGIN; SET LOCAL test.refuse = 'ddl_command_end';
		DO $$ BEGIN PERFORM ratchet.trigger_on_change('mallory.watched', 'watcher'); EXCEPTION WHEN raise_exception THEN NULL; END $$;
		SET LOCAL test.refuse = '';
		CREATE TABLE mallory.another ();
		COMMIT}, user => 'mallory');
	is(value($node, $seen), "mallory ddl_command_end CREATE TABLE\nmallory CREATE TABLE table mallory.another", 'what comes behind a refusal is seen as ever');
	value($node, q{SELECT ratchet.trigger_on_change('mallory.watched', 'watcher')}, user => 'mallory');
	psql_fails($node, qq{SET test.refuse = '$_'; SELECT ratchet.drop_trigger_on_change('mallory.watched', 'watcher')}, qr/refused at $_/, "refused at $_",
		user => 'mallory')
	  for ('ddl_command_start', 'sql_drop', 'ddl_command_end');
	is(value($node, $made), 1, 'not dropped');
	value($node, q{DROP EVENT TRIGGER ddl_start; DROP EVENT TRIGGER ddl_end; DROP EVENT TRIGGER ddl_drop});
};

promise 'the extension is not made where the language it needs is for somebody else to drop' => sub {
	value($node, q{CREATE ROLE dbo LOGIN});
	value($node, q{CREATE DATABASE theirs OWNER dbo});
	value($node, 'DROP EXTENSION plpgsql', db => 'theirs');
	value($node, 'CREATE EXTENSION plpgsql', db => 'theirs', user => 'dbo');
	psql_fails($node, 'CREATE EXTENSION pg_ratchet', qr/ERROR:  55000: extension "plpgsql" belongs to role "dbo", which is no superuser/, 'refused', db => 'theirs');
	psql_ok($node, 'REASSIGN OWNED BY dbo TO CURRENT_USER; CREATE EXTENSION pg_ratchet', 'what the hint says helps', db => 'theirs');
	psql_fails($node, 'DROP EXTENSION plpgsql CASCADE', qr/ERROR:  42501/, 'the owner of the database cannot drop it', db => 'theirs', user => 'dbo');
	is(value($node, q{SELECT string_agg(DISTINCT e.extname || ' of ' || r.rolsuper, ',') FROM pg_depend m
		JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.objid
		JOIN pg_depend o ON (o.classid, o.objid) = (d.refclassid, d.refobjid) AND o.deptype = 'e'
		JOIN pg_extension e ON e.oid = o.refobjid JOIN pg_roles r ON r.oid = e.extowner
		WHERE m.deptype = 'e' AND m.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_ratchet') AND e.extname <> 'pg_ratchet'}, db => 'theirs'),
		'plpgsql of true', 'what its members depend on belongs to superusers');
};

finish();
