# Ways around row-level security, locks and lost memberships that nothing of ours is asked about: estimates, tables of
# long values, locks on rows, the role with which a session begins. See docs/security.md.

use strict;
use warnings;

use RatchetTest;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 5\nwal_level = logical");

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE ROLE loader LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE ticks (at timestamptz DEFAULT clock_timestamp());
	GRANT INSERT ON ticks TO PUBLIC});
value($node, q{SELECT ratchet.schedule('tick', '1 second', 'INSERT INTO public.ticks DEFAULT VALUES')}, user => 'alice');

sub plan_of
{
	my ($query) = @_;
	return value($node, "SET enable_indexscan = off; SET enable_bitmapscan = off; EXPLAIN $query", user => 'mallory');
}

promise 'what EXPLAIN estimates tells nothing of the texts of others' => sub {
	for my $i (1 .. 40)
	{
		value($node, qq{SELECT ratchet.schedule('secret $i', '\@manual', 'SELECT ''password $i''', comment => 'about $i', payload => '{"pin": $i}',
			tags => '{t$i}', only_if => 'SELECT $i > 0', settings => '{"work_mem": "${i}MB"}');
			SELECT ratchet.trigger('secret $i')}, user => 'alice');
	}
	wait_until($node, q{SELECT count(*) = 40 FROM ratchet.runs WHERE job_name LIKE 'secret%' AND status = 'succeeded'}, 'results');
	value($node, 'VACUUM ANALYZE ratchet.job, ratchet.job_version, ratchet.run_log, ratchet.run_queue, ratchet.job_stat, ratchet.failed_item');
	for (
		[ 'ratchet.job', 'command', q{'SELECT ''password 1'''}, q{'SELECT ''password 999'} ],
		[ 'ratchet.job', 'comment', q{'about 1'}, q{'about 9999'} ],
		[ 'ratchet.job', 'only_if', q{'SELECT 1'}, q{'SELECT 9999'} ],
		[ 'ratchet.job', 'schedule', q{'1'}, q{'A'} ],
		[ 'ratchet.job_version', 'command', q{'SELECT ''password 1'''}, q{'SELECT ''password 999'} ],
		[ 'ratchet.run_log', 'result', q('{"?column?":"password 1'), q('{"?column?":"password 999') ])
	{
		my ($table, $column, $low, $high) = @$_;
		is(plan_of("SELECT FROM $table WHERE $column < $low") =~ s/$column < .*//r,
			plan_of("SELECT FROM $table WHERE $column < $high") =~ s/$column < .*//r, "$table.$column: the same, whatever it is compared with");
	}
	# pg_read_all_data may read the catalog itself.
	is( value($node, q{
			SELECT string_agg(format('%s.%s', starelid::regclass, attname), ' ' ORDER BY starelid::regclass::text, attname)
			  FROM pg_statistic JOIN pg_attribute ON attrelid = starelid AND attnum = staattnum
			  JOIN pg_class c ON c.oid = starelid AND relkind = 'r' AND relnamespace = 'ratchet'::regnamespace
			 WHERE atttypid NOT IN (SELECT oid FROM pg_type WHERE typcategory IN ('N', 'D', 'B', 'T'))}, user => 'reader'),
		'ratchet.job.job_name ratchet.job_version.job_name ratchet.job_version.owner_name ratchet.run_log.cause ratchet.run_log.job_name ratchet.run_log.status',
		'columns with words of which there are statistics');
};

promise 'who may read all data reads no long values of others where the server stores them' => sub {
	value($node, q{SELECT ratchet.schedule('long', '@manual', 'SELECT 1',
		payload => (SELECT jsonb_object_agg(i, md5(i::text)) FROM generate_series(1, 1000) i))}, user => 'alice');
	my $toast = q{(SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'ratchet.job'::regclass)};
	my $table = value($node, "SELECT $toast");
	ok(value($node, "SELECT count(*) > 0 FROM $table"), 'a superuser sees that there are some');
	psql_fails($node, "SELECT chunk_data FROM $table", qr/ERROR:  42501: permission denied for table pg_toast_\d+/, 'who does not bypass row-level security', user => 'reader');
	psql_fails($node, "PREPARE p AS SELECT count(*) FROM $table; EXECUTE p", qr/ERROR:  42501: permission denied for table/, 'a prepared statement', user => 'reader');
	psql_fails($node, "CREATE TEMP TABLE mine AS SELECT (SELECT max(chunk_seq) FROM $table)", qr/ERROR:  42501: permission denied for table/, 'in a subquery',
		user => 'reader');
	ok(value($node, "SELECT count(*) > 0 FROM $table", user => 'loader'), 'who does sees them, as the rows of the table');
	value($node, q{CREATE TABLE others AS SELECT string_agg(md5(i::text), '') AS t FROM generate_series(1, 1000) i});
	my $other = value($node, q{SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'others'::regclass});
	ok(value($node, "SELECT count(*) > 0 FROM $other", user => 'reader'), 'tables of others are not ours to keep');
};

promise 'who may write all tables, and bypasses row-level security, locks no rows of ours' => sub {
	my $session = session($node, user => 'loader');
	my @tables = split /\n/, value($node, q{SELECT relname FROM pg_class
		WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r' AND relname <> 'calendar_days'});
	for my $strength ('UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE')
	{
		for my $table (@tables)
		{
			psql_fails($node, "SELECT FROM ratchet.$table FOR $strength", qr/ERROR:  42501: table "$table" is written by the library alone/, "$table, for $strength",
				user => 'loader');
		}
	}
	psql_fails($node, 'SELECT FROM ratchet.failed_items FOR UPDATE', qr/ERROR:  42501: table "failed_item" is written by the library alone/, 'through a view', user => 'loader');
	psql_fails($node, 'BEGIN; DECLARE c CURSOR FOR SELECT FROM ratchet.job_state FOR SHARE', qr/ERROR:  42501/, 'by a cursor', user => 'loader');
	psql_fails($node, 'DO $$ BEGIN PERFORM FROM ratchet.job_state FOR UPDATE SKIP LOCKED; END $$', qr/ERROR:  42501/, 'by a function', user => 'loader');
	# A statement without rows fires no trigger of rows.
	psql_fails($node, $_, qr/ERROR:  42501: table "job" is written by the library alone/, $_, user => 'loader')
	  for 'INSERT INTO ratchet.job SELECT * FROM ratchet.job WHERE false', 'UPDATE ratchet.job SET comment = NULL WHERE false',
	  'DELETE FROM ratchet.job WHERE false', 'COPY ratchet.job FROM STDIN',
	  'MERGE INTO ratchet.job j USING (SELECT 1) s ON false WHEN MATCHED THEN DELETE';
	psql_ok($node, q{BEGIN; SELECT FROM ratchet.calendar_days FOR UPDATE; INSERT INTO ratchet.calendar_days VALUES ('c', '2030-01-01'); ROLLBACK},
		'days are for people to write', user => 'loader');
	psql_ok($node, 'BEGIN; SELECT FROM ratchet.job FOR UPDATE; ROLLBACK', 'a superuser may');
	$session->query('BEGIN; SELECT FROM ratchet.job_state FOR UPDATE');
	ticks_go_on($node, 'jobs go on');
	$session->quit;
};

promise 'a run begins as the role that its settings name for as long as its owner may be that role' => sub {
	value($node, q{CREATE ROLE boss SUPERUSER; CREATE ROLE staff; SELECT ratchet.schedule('who', '@manual', 'SELECT current_user AS u, session_user AS s',
		run_as => 'mallory')});
	# Also with what follows.
	value($node, 'ALTER ROLE ' . value($node, 'SELECT quote_ident(current_user)') . ' SET role = none');
	my %given = (
		'ALTER ROLE mallory SET role = %s' => 'ALTER ROLE mallory RESET role',
		'ALTER ROLE mallory IN DATABASE postgres SET role = %s' => 'ALTER ROLE mallory IN DATABASE postgres RESET role',
		'ALTER DATABASE postgres SET role = %s' => 'ALTER DATABASE postgres RESET role');
	for my $give (sort keys %given)
	{
		for my $role ('staff', 'boss')
		{
			value($node, "GRANT $role TO mallory; " . sprintf($give, $role));
			my $run = run_asked_for($node, 'who', 'succeeded', sprintf($give, $role));
			is($run->{result}, qq({"u":"$role","s":"mallory"}), 'it begins as that role');
			value($node, "REVOKE $role FROM mallory");
			$run = run_asked_for($node, 'who', 'succeeded', 'the membership is gone');
			is($run->{result}, '{"u":"mallory","s":"mallory"}', 'it begins as itself');
			value($node, $given{$give});
		}
	}
	value($node, 'GRANT staff TO mallory; ALTER ROLE mallory SET role = staff');
	is(run_asked_for($node, 'who', 'succeeded', 'once more')->{result}, '{"u":"staff","s":"mallory"}', 'as that role');
	value($node, 'DROP ROLE staff');
	is(run_asked_for($node, 'who', 'succeeded', 'the role is gone')->{result}, '{"u":"mallory","s":"mallory"}', 'it begins as itself');
	value($node, 'ALTER ROLE mallory RESET role');
};

promise 'a foreground run puts back a setting of a library that is loaded later with the rights of its caller' => sub {
	for my $command ('SELECT 1', 'SELECT 1/0')
	{
		value($node, "SELECT ratchet.schedule('fg', '\@manual', '$command', settings => '{\"plpgsql.variable_conflict\": \"error\"}')", user => 'mallory');
		my ($status, $out) = $node->psql('postgres', q{
			SET plpgsql.variable_conflict = 'use_column';
			CALL ratchet.run('fg');
			SHOW plpgsql.variable_conflict;
			DO $$ BEGIN PERFORM 1; END $$;
			SHOW plpgsql.variable_conflict}, connstr => $node->connstr('postgres') . ' user=mallory', on_error_stop => 0);
		is($out, "use_column\nerror", "$command: put back, and the library takes it from nobody who may not set it");
	}
	value($node, q{SELECT ratchet.schedule('super', '@manual', 'SELECT 1', settings => '{"plpgsql.variable_conflict": "error"}')});
	is(value($node, q{
		SET plpgsql.variable_conflict = 'use_column';
		CALL ratchet.run('super');
		DO $$ BEGIN PERFORM 1; END $$;
		SHOW plpgsql.variable_conflict}), 'use_column', 'it takes it from a superuser');
};

promise 'what a run of a former owner says is not shown to the new one' => sub {
	value($node, q{SELECT ratchet.schedule('given', '@manual', 'DO $$ BEGIN RAISE NOTICE ''I am %'', ratchet.payload() ->> ''k''; PERFORM pg_sleep(1000); END $$',
		payload => '{"k": "mallory''s secret"}')}, user => 'mallory');
	my $run = value($node, q{SELECT ratchet.trigger('given')}, user => 'mallory');
	wait_until($node, "SELECT messages IS NOT NULL FROM ratchet.running WHERE run_id = $run", 'it has said something');
	value($node, q{SELECT ratchet.alter_job('given', command => 'SELECT 1', run_as => 'alice', reset => '{payload}')});
	my $seen = "FROM ratchet.running WHERE run_id = $run";
	is(value($node, "SELECT job_name, owner, messages IS NULL $seen", user => 'alice'), 'given|mallory|t', 'the new owner sees that it runs');
	unlike(value($node, "SELECT r, l FROM ratchet.runs r, ratchet._live_runs() l WHERE r.run_id = $run", user => 'alice'), qr/secret/, 'and nothing else of it');
	like(value($node, "SELECT messages $seen", user => 'mallory'), qr/secret/, 'the former one sees what it says');
	is(value($node, "SELECT ratchet.cancel($run)", user => 'alice'), 't', 'it can be canceled');
	wait_run($node, $run, 'canceled', 'by the new owner');
};

promise 'a session of a worker keeps nothing of what replication and backups do to one' => sub {
	value($node, q{SELECT pg_replication_origin_create('elsewhere');
		SELECT ratchet.schedule('origin', '@manual', 'SELECT pg_replication_origin_session_setup(''elsewhere'')');
		SELECT ratchet.schedule('backup', '@manual', 'SELECT pg_backup_start(''of a job'', true)');
		SELECT ratchet.schedule('after', '@manual', 'SELECT pg_replication_origin_session_is_setup() AS origin, pg_backend_pid() AS pid')});
	my $pid = run_asked_for($node, 'after', 'succeeded', 'before')->{result};
	run_asked_for($node, 'origin', 'succeeded', 'a job that is another server');
	is(run_asked_for($node, 'after', 'succeeded', 'the next run of the same worker')->{result}, $pid, 'is not');
	run_asked_for($node, 'backup', 'succeeded', 'a job that begins a backup');
	isnt(run_asked_for($node, 'after', 'succeeded', 'the next run')->{result}, $pid, 'has another session');
};

finish();
