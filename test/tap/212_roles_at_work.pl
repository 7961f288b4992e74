# What each kind of role can see and do: strangers, predefined roles, the owner of the database, and who owns
# the tables of the extension. See docs/security.md.

use strict;
use warnings;

use IPC::Run ();
use RatchetTest;
use Test::More;

my $node = new_node('main');
my $version = value($node, 'SHOW server_version_num');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE root2 LOGIN SUPERUSER;
	GRANT USAGE ON SCHEMA ratchet TO alice, bob, mallory;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE SCHEMA AUTHORIZATION mallory});
value($node, q{CREATE TABLE alice.data (n int PRIMARY KEY); INSERT INTO alice.data VALUES (1), (2)}, user => 'alice');
value($node, q{CREATE TABLE mallory.data (n int)}, user => 'mallory');

value($node, q{
	SELECT ratchet.schedule('alices', '@manual', 'SELECT 1', mutex => 'alices mutex', payload => '{"k": "alices secret"}');
	SELECT ratchet.schedule('alices child', '@manual', 'SELECT 1', depends_on => '{alices}');
	SELECT ratchet.schedule_batch('alices batch', '@manual', 'SELECT n FROM alice.data', 'SELECT 1 / ($1 - 1)');
	SELECT ratchet.trigger_on_change('alice.data', 'alices');
	SELECT ratchet.create_channel('alices channel', 'slack', '{"url": {"secret": "alices"}}');
	SELECT ratchet.create_alert('alices alert', '{alices channel}', jobs => '{alices}');
	SELECT ratchet.silence(now() + '1 day', 'alices secret', jobs => '{alices}');
	SELECT ratchet.create_queue('alices queue')}, user => 'alice');
my $task = value($node, q{SELECT ratchet.enqueue('alices queue', '{"k": "alices secret"}')}, user => 'alice');
value($node, q{SELECT ratchet.schedule('mallorys', '@manual', 'SELECT 1')}, user => 'mallory');
my $run = value($node, q{SELECT ratchet.trigger('alices')}, user => 'alice');
wait_run($node, $run, 'succeeded', 'a job of alice has run');
my $batch = value($node, q{SELECT ratchet.trigger('alices batch')}, user => 'alice');
wait_run($node, $batch, 'succeeded', 'so has a batch job with an item that fails');
my $waiting = value($node, q{SELECT ratchet.trigger('alices', run_at => now() + interval '1 day')}, user => 'alice');
my $job = value($node, q{SELECT job_id FROM ratchet.job WHERE job_name = 'alices'});

sub definitions
{
	return value($node, q{
		SELECT (SELECT md5(string_agg(j::text, '' ORDER BY job_id)) FROM ratchet.job j WHERE owner <> 'mallory'::regrole)
			|| (SELECT count(*) FROM ratchet.run_queue) || (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'alice.data'::regclass)});
}

# For each function what a stranger tries with it, and how that ends: an SQLSTATE, or what is returned.
# 'harmless' is what tells and changes nothing of others.
my %attempts = (
	'schedule'       => [ [ q{SELECT ratchet.schedule('alices', '@manual', 'SELECT 2')}, 42501 ],
		[ q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 2', depends_on => '{alices}')}, 42501 ],
		[ q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 2', watch => '{alice.data}')}, 42501 ],
		[ q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 2', run_as => 'alice')}, 42501 ] ],
	'schedule_batch' => [ [ q{SELECT ratchet.schedule_batch('alices batch', '@manual', 'SELECT 1', 'SELECT $1')}, 42501 ],
		[ q{SELECT ratchet.schedule_batch('mine', '@manual', 'SELECT n FROM alice.data', 'SELECT $1')}, 42501 ] ],
	'alter_job'      => [ [ q{SELECT ratchet.alter_job('alices', comment => 'x')}, 42501 ],
		[ q{SELECT ratchet.alter_job('mallorys', run_as => 'alice')}, 42501 ],
		[ q{SELECT ratchet.alter_job('mallorys', new_name => 'alices')}, 42710 ] ],
	'unschedule'     => [ [ q{SELECT ratchet.unschedule('alices')}, 42501 ] ],
	'pause_job'      => [ [ q{SELECT ratchet.pause_job('alices')}, 42501 ] ],
	'resume_job'     => [ [ q{SELECT ratchet.resume_job('alices')}, 42501 ] ],
	'trigger'        => [ [ q{SELECT ratchet.trigger('alices')}, 42501 ] ],
	'cancel'         => [ [ "SELECT ratchet.cancel($waiting)", 42704 ] ],
	'wait'           => [ [ "SELECT ratchet.wait($run)", 42704 ], [ "SELECT ratchet.wait($waiting, '0')", 42704 ] ],
	'wait_for'       => [ [ "CALL ratchet.wait_for($run)", 42704 ] ],
	'run'            => [ [ q{CALL ratchet.run('alices')}, 42501 ] ],
	'replay'         => [ [ "SELECT ratchet.replay($run)", 42704 ], [ "SELECT ratchet.replay($batch, only_failed => true)", 42704 ],
		[ "SELECT ratchet.replay($batch, dry_run => true)", 42704 ] ],
	'backfill'        => [ [ q{SELECT ratchet.backfill('alices', '2026-01-01', '2026-01-02')}, 42501 ] ],
	'cancel_backfill' => [ [ q{SELECT ratchet.cancel_backfill('alices')}, 42501 ] ],
	'reset_checkpoint' => [ [ q{SELECT ratchet.reset_checkpoint('alices batch')}, 42501 ] ],
	'stat_reset'      => [ [ q{SELECT ratchet.stat_reset('alices')}, 42501 ], [ q{SELECT ratchet.stat_reset()}, 42501 ] ],
	'adopt'           => [ [ q{SELECT ratchet.adopt()}, 42501 ] ],
	'trigger_on_change' => [ [ q{SELECT ratchet.trigger_on_change('mallory.data', 'alices')}, 42501 ],
		[ q{SELECT ratchet.trigger_on_change('alice.data', 'mallorys')}, 42501 ],
		[ q{SELECT ratchet.trigger_on_change('ratchet.job', 'mallorys')}, 42501 ],
		[ q{SELECT ratchet.trigger_on_change('pg_class', 'mallorys')}, 42501 ] ],
	'drop_trigger_on_change' => [ [ q{SELECT ratchet.drop_trigger_on_change('alice.data', 'alices')}, 42501 ] ],
	'export_jobs'     => [ [ q{SELECT jsonb_array_length(ratchet.export_jobs())}, '1' ],
		[ q{SELECT ratchet.export_jobs()::text LIKE '%alices%'}, 'f' ] ],
	'apply_jobs'      => [ [ q{SELECT ratchet.apply_jobs('[{"job_name": "alices", "schedule": "@manual", "command": "SELECT 2"}]')}, 42501 ],
		[ q{SELECT count(*) FROM ratchet.apply_jobs(ratchet.export_jobs(), prune => true) WHERE change <> 'unchanged'}, '0' ] ],
	'create_queue'    => [ [ q{SELECT ratchet.create_queue('alices queue')}, 42501 ], [ q{SELECT ratchet.create_queue('mine', run_as => 'alice')}, 42501 ] ],
	'alter_queue'     => [ [ q{SELECT ratchet.alter_queue('alices queue', rate => 1)}, 42501 ] ],
	'drop_queue'      => [ [ q{SELECT ratchet.drop_queue('alices queue', force => true)}, 42501 ] ],
	'pause_queue'     => [ [ q{SELECT ratchet.pause_queue('alices queue')}, 42501 ] ],
	'resume_queue'    => [ [ q{SELECT ratchet.resume_queue('alices queue')}, 42501 ] ],
	'enqueue'         => [ [ q{SELECT ratchet.enqueue('alices queue')}, 42501 ] ],
	'enqueue_many'    => [ [ q{SELECT ratchet.enqueue_many('alices queue', '{1}')}, 42501 ] ],
	'claim'           => [ [ q{SELECT ratchet.claim('alices queue')}, 42501 ] ],
	'complete'        => [ [ "SELECT ratchet.complete($task, 1)", 55000 ], [ "SELECT ratchet.complete('{$task}'::bigint[], '{1}')", 55000 ] ],
	'fail'            => [ [ "SELECT ratchet.fail($task, 1, 'x')", 55000 ] ],
	'extend'          => [ [ "SELECT ratchet.extend($task, 1, '1 hour')", 55000 ] ],
	'cancel_task'     => [ [ "SELECT ratchet.cancel_task($task)", 42704 ] ],
	'retry_task'      => [ [ "SELECT ratchet.retry_task($task)", 42704 ] ],
	(map { $_ => [ [ "SELECT ratchet.$_() IS NULL", 't' ] ] } qw(task_id task_attempt)),
	'snooze'          => [ [ q{SELECT ratchet.snooze('1 s') IS NULL}, 't' ] ],
	'discard'         => [ [ q{SELECT ratchet.discard('why') IS NULL}, 't' ] ],
	'try_task'        => [ [ "SELECT ratchet.try_task($task)", 42704 ] ],
	'redrive'         => [ [ q{SELECT ratchet.redrive('alices queue')}, 42501 ] ],
	'_queue_counters' => [ [ 'SELECT count(*) FROM ratchet._queue_counters()', '0' ] ],
	'_tasks_in_hand'  => [ [ 'SELECT count(*) FROM ratchet._tasks_in_hand()', '0' ] ],
	'import_pg_cron'  => [ [ q{SELECT ratchet.import_pg_cron()}, '42P01' ] ],
	'_live_runs'      => [ [ q{SELECT count(*) FROM ratchet._live_runs() WHERE owner <> 'mallory'::regrole}, '0' ] ],
	'_board_check'    => [ [ 'SELECT ratchet._board_check()', 42501 ] ],
	'_next_run_at'    => [ [ "SELECT ratchet._next_run_at($job) IS NULL", 't' ] ],
	'_is_channel_held' => [ [ 'SELECT ratchet._is_channel_held(1)', 'f' ] ],
	'_is_alert_held'  => [ [ 'SELECT ratchet._is_alert_held(1)', 'f' ] ],
	'create_channel'  => [ [ q{SELECT ratchet.create_channel('alices channel', 'slack', '{"url": {"secret": "x"}}')}, 42710 ] ],
	'alter_channel'   => [ [ q{SELECT ratchet.alter_channel('alices channel')}, 42501 ] ],
	'drop_channel'    => [ [ q{SELECT ratchet.drop_channel('alices channel')}, 42501 ] ],
	'test_channel'    => [ [ q{SELECT ratchet.test_channel('alices channel')}, 42501 ] ],
	'send'            => [ [ q{SELECT ratchet.send('alices channel', 'x')}, 42501 ] ],
	'create_alert'    => [ [ q{SELECT ratchet.create_alert('x', '{alices channel}')}, 42501 ] ],
	'alter_alert'     => [ [ q{SELECT ratchet.alter_alert('alices alert', group_wait => '1 s')}, 42501 ] ],
	'drop_alert'      => [ [ q{SELECT ratchet.drop_alert('alices alert')}, 42501 ] ],
	'silence'         => [ [ "SELECT ratchet.silence(now() + '1 hour', 'x', jobs => ARRAY[job_name]) FROM (VALUES ('alices')) AS v (job_name)", 42501 ] ],
	'unsilence'       => [ [ 'SELECT ratchet.unsilence(1)', 42501 ] ],
	'acknowledge'     => [ [ 'SELECT ratchet.acknowledge(666)', 42704 ] ],
	'claim_deliveries' => [ [ q{SELECT ratchet.claim_deliveries('x')}, 42501 ] ],
	'end_delivery'    => [ [ q{SELECT ratchet.end_delivery(1, 1, 'delivered')}, 42501 ] ],
	'end_deliveries'  => [ [ q{SELECT ratchet.end_deliveries('{1}', '{1}', '{delivered}')}, 42501 ] ],
	'extend_delivery' => [ [ q{SELECT ratchet.extend_delivery(1, 1, '1 minute')}, 42501 ] ],
	'sender_config'   => [ [ 'SELECT ratchet.sender_config()', 42501 ] ],
	'grant_sender'    => [ [ q{SELECT ratchet.grant_sender('mallory')}, 42501 ] ],
	'revoke_sender'   => [ [ q{SELECT ratchet.revoke_sender('mallory')}, 42501 ] ],
	'_is_quarantined' => [ [ "SELECT ratchet._is_quarantined($job)", 'f' ] ],
	'_waits_for_mutex' => [ [ "SELECT ratchet._waits_for_mutex($job) IS NULL", 't' ] ],
	'_waits_for_worker' => [ [ "SELECT ratchet._waits_for_worker($job) IS NULL", 't' ] ],
	'_waits_for_jobs' => [ [ "SELECT ratchet._waits_for_jobs(job, true) IS NULL AND ratchet._waits_for_jobs(job, false) IS NULL FROM generate_series(1, 100) job GROUP BY 1", 't' ] ],
	'_tables_changed' => [ [ 'CREATE TRIGGER t AFTER INSERT ON mallory.data EXECUTE FUNCTION ratchet._tables_changed()', 42501 ] ],
	'_superusers_only' => [ [ 'CREATE TRIGGER t BEFORE INSERT ON mallory.data EXECUTE FUNCTION ratchet._superusers_only()', 42501 ] ],
	'_change'         => [ [ "CREATE TRIGGER t AFTER INSERT ON mallory.data EXECUTE FUNCTION ratchet._change('$job', '0 ms', '0', 'alices')", 42501 ] ],
	'pause_all'       => [ [ 'SELECT ratchet.pause_all()', 42501 ] ],
	'resume_all'      => [ [ 'SELECT ratchet.resume_all()', 42501 ] ],
	'pause_server'    => [ [ 'SELECT ratchet.pause_server()', 42501 ], [ 'SELECT ratchet.pause_server(cancel_running => true)', 42501 ] ],
	'resume_server'   => [ [ 'SELECT ratchet.resume_server()', 42501 ] ],
	'_command_progress' => [ [ 'SELECT count(*) FROM ratchet._command_progress()', 0 ] ],
	'_server_databases' => [ [ 'SELECT count(*) FROM ratchet._server_databases() WHERE failure IS NOT NULL', 0 ] ],
	'_server_runs'    => [ [ q{SELECT count(*) FROM ratchet._server_runs() WHERE owner <> 'mallory'::regrole}, 0 ] ],
	'_is_recorded'    => [ [ "SELECT ratchet._is_recorded($run)", 'f' ] ],
	'_extension_created' => [ [ 'SELECT ratchet._extension_created()', 42501 ] ],
	'_extension_updated' => [ [ 'SELECT ratchet._extension_updated()', 42501 ] ],
	'_require_library' => [ [ q{SELECT ratchet._require_library('1.0')}, 42501 ] ],
	# Outside of a run of one's own these know nothing.
	(map { $_ => [ [ "SELECT ratchet.$_() IS NULL", 't' ] ] } qw(run_id attempt scheduled_at previous_scheduled_at payload checkpoint)),
	'progress'        => [ [ 'SELECT ratchet.progress(1, 1) IS NULL', 't' ] ],
	'save_checkpoint' => [ [ q{SELECT ratchet.save_checkpoint('{}') IS NULL}, 't' ] ],
	(map { $_ => ['harmless'] } qw(next_runs describe_schedule status _describe_trigger _node _occurrences _job_day _fit _short _width _agenda agenda _waits_for_window _from_pg_cron _search_path_of)));

promise 'every function, called by who may not' => sub {
	my $before = definitions();
	for my $function (split /\n/, value($node, q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'ratchet'::regnamespace ORDER BY 1}))
	{
		ok($attempts{$function}, "$function is among the attempts");
		for my $attempt (grep { ref } @{ $attempts{$function} // [] })
		{
			my ($sql, $end) = @$attempt;
			if ($end =~ /^\d\d...$/a && $end ne '0')
			{
				psql_fails($node, $sql, qr/ERROR:  $end/, $sql, user => 'mallory');
			}
			else
			{
				is(value($node, $sql, user => 'mallory'), $end, $sql);
			}
		}
	}
	is(definitions(), $before, 'nothing has changed');
};

promise 'what PUBLIC may execute is what checks its caller' => sub {
	is( value($node, q{
			SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_proc
			WHERE pronamespace = 'ratchet'::regnamespace AND NOT has_function_privilege('mallory', oid, 'EXECUTE')}),
		'_board_check _change _extension_created _extension_updated _require_library _superusers_only _tables_changed claim_deliveries end_deliveries end_delivery extend_delivery grant_sender revoke_sender sender_config',
		'all but these, and a test above tries each of them');
	is( value($node, q{SELECT has_schema_privilege('public', 'ratchet', 'USAGE, CREATE')}), 'f',
		'but without USAGE on the schema none can be called');
};

promise 'no view and no table tells a function in WHERE about the rows of others' => sub {
	value($node, q{
		CREATE FUNCTION mallory.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
			$$BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END$$;
		CREATE FUNCTION mallory.leak(jsonb, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
			$$BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END$$;
		CREATE OPERATOR mallory.~~~ (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = mallory.leak)}, user => 'mallory');
	my @relations = split /\n/, value($node, q{
		SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1});
	for my $relation (grep { $_ ne 'ratchet.home' } @relations)
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"SELECT count(*) FROM $relation AS r WHERE mallory.leak(r::text); EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM $relation AS r WHERE mallory.leak(r::text)",
			extra_params => [ '-U', 'mallory' ]);
		is($status, 0, "$relation can be read");
		unlike($err, qr/seen:[^\n]*(alice|secret)/, "$relation tells nothing");
	}
	my ($status, $out, $err) = $node->psql('postgres',
		q{SELECT count(*) FROM ratchet.runs WHERE payload OPERATOR(mallory.~~~) 'x'; SELECT count(*) FROM ratchet.jobs WHERE payload OPERATOR(mallory.~~~) 'x'},
		extra_params => [ '-U', 'mallory' ]);
	is($status, 0, 'an operator of her own can be used');
	unlike($err, qr/secret/, 'and sees no payload of others');
};

promise 'COPY, pg_stats and the catalogs show no rows of others' => sub {
	value($node, 'ANALYZE ratchet.job; ANALYZE ratchet.job_version; ANALYZE ratchet.run_log; ANALYZE ratchet.run_queue; ANALYZE ratchet.failed_item');
	cmp_ok(value($node, q{SELECT count(*) FROM pg_stats WHERE schemaname = 'ratchet'}), '>', 20, 'there are statistics of the values in the tables');
	is(value($node, q{SELECT count(*) FROM pg_stats WHERE schemaname = 'ratchet'}, user => 'mallory'), 0, 'of which an ordinary role sees none');
	unlike(value($node, "COPY ratchet.$_ TO STDOUT", user => 'mallory'), qr/alice/, "COPY ratchet.$_ shows the own rows only")
	  for qw(job job_version run_log run_queue failed_item);
	psql_fails($node, 'SELECT * FROM pg_statistic', qr/ERROR:  42501/, 'pg_statistic', user => 'mallory');
	psql_fails($node, q{SET row_security = off; COPY ratchet.job TO STDOUT}, qr/ERROR:  42501/, 'row_security = off', user => 'mallory');
};

promise 'a dump by an ordinary role holds no jobs of others' => sub {
	for my $options ([], ['--enable-row-security'])
	{
		my ($out, $err) = ('', '');
		IPC::Run::run([ 'pg_dump', '-U', 'mallory', '--extension=*', '--data-only', @$options, '-d', $node->connstr('postgres') ], '>', \$out, '2>', \$err);
		unlike($out, qr/alice/, "pg_dump @$options");
		like($err, qr/row-level security|permission denied/, 'it says why') unless @$options;
	}
};

promise 'to look and not to schedule: EXECUTE can be taken from PUBLIC function by function' => sub {
	value($node, q{
		CREATE ROLE onlooker LOGIN; CREATE ROLE scheduling; CREATE ROLE planner LOGIN IN ROLE scheduling;
		GRANT USAGE ON SCHEMA ratchet TO onlooker, scheduling;
		REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA ratchet FROM PUBLIC;
		GRANT EXECUTE ON FUNCTION ratchet._is_quarantined, ratchet._is_channel_held, ratchet._is_alert_held, ratchet._is_recorded, ratchet._live_runs, ratchet._command_progress, ratchet._server_databases, ratchet._server_runs, ratchet._next_run_at, ratchet._node, ratchet._occurrences, ratchet._job_day, ratchet._fit, ratchet._short, ratchet._width,
			ratchet._waits_for_mutex, ratchet._waits_for_jobs, ratchet._waits_for_window, ratchet._waits_for_worker, ratchet._describe_trigger, ratchet._queue_counters,
			ratchet._tasks_in_hand, ratchet.status TO PUBLIC;
		GRANT EXECUTE ON FUNCTION ratchet.schedule, ratchet.trigger TO scheduling});
	psql_fails($node, q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1')}, qr/ERROR:  42501/, 'an onlooker cannot schedule', user => 'onlooker');
	psql_ok($node, "SELECT count(*) FROM $_", "but read $_", user => 'onlooker') for split /\n/, value($node, q{
		SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'v'});
	my $run = value($node, q{SELECT ratchet.schedule('planned', '@manual', 'SELECT 1') \g /dev/null
		SELECT ratchet.trigger('planned')}, user => 'planner');
	wait_run($node, $run, 'succeeded', 'who was granted it can');
	psql_fails($node, q{SELECT ratchet.unschedule('planned')}, qr/ERROR:  42501/, 'and nothing else', user => 'planner');
	value($node, q{GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ratchet TO PUBLIC;
		REVOKE EXECUTE ON FUNCTION ratchet._board_check, ratchet._change, ratchet._extension_created, ratchet._extension_updated,
			ratchet._require_library, ratchet._superusers_only, ratchet._tables_changed, ratchet.claim_deliveries, ratchet.end_deliveries, ratchet.end_delivery,
			ratchet.extend_delivery, ratchet.grant_sender, ratchet.revoke_sender, ratchet.sender_config FROM PUBLIC});
};

promise 'pg_read_all_data and pg_write_all_data are no way around row-level security' => sub {
	value($node, q{CREATE ROLE reader LOGIN IN ROLE pg_read_all_data; CREATE ROLE writer LOGIN IN ROLE pg_read_all_data, pg_write_all_data});
	my $before = definitions();
	is(value($node, 'SELECT count(*) FROM ratchet.job', user => 'reader'), 0, 'a reader of all data sees no jobs');
	is(value($node, 'SELECT count(*) FROM ratchet.runs', user => 'reader'), 0, 'and no runs');
	psql_fails($node, q{INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)
		VALUES ('forged', 'root2', '1 second', 'UTC', now(), 'ALTER ROLE writer SUPERUSER')}, qr/ERROR:  42501/, 'a writer cannot insert a job', user => 'writer');
	psql_fails($node, $_, qr/ERROR:  42501/, $_, user => 'writer')
	  for q{UPDATE ratchet.job SET owner = 'root2'}, 'DELETE FROM ratchet.job', 'DELETE FROM ratchet.run_queue';
	is(definitions(), $before, 'and changes none');
	psql_ok($node, q{SELECT ratchet.schedule('readers', '@manual', 'SELECT 1')}, 'both have USAGE on all schemas: jobs of their own', user => 'reader');
	value($node, q{SELECT ratchet.unschedule('readers')}, user => 'reader');
};

promise 'who may write all tables, and bypasses row-level security, cannot forge a run of another role' => sub {
	value($node, q{CREATE ROLE loader LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data});
	value($node, q{SELECT ratchet.schedule('loaders', '@manual', 'ALTER ROLE loader SUPERUSER')}, user => 'loader');
	my $before = definitions();
	my @forgeries = (
		q{UPDATE ratchet.job SET owner = 'root2', enabled = true, schedule = '1 second' WHERE job_name = 'loaders'},
		q{INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)
			VALUES ('forged', 'root2', '1 second', 'UTC', now(), 'ALTER ROLE loader SUPERUSER')},
		q{DELETE FROM ratchet.job},
		(map { "INSERT INTO ratchet.$_ SELECT * FROM ratchet.$_ LIMIT 1" } qw(run_queue run_log)),
		q{UPDATE ratchet.job_version SET owner = 'root2'::regrole, command = 'ALTER ROLE loader SUPERUSER'},
		q{UPDATE ratchet.run_queue SET owner = 'root2'::regrole},
		q{UPDATE ratchet.run_log SET owner = 'root2'::regrole},
		q{UPDATE ratchet.failed_item SET owner = 'root2'::regrole},
		q{UPDATE ratchet.job_state SET run_count = 0}, q{UPDATE ratchet.job_stat SET runs = 0},
		q{DELETE FROM ratchet.run_queue}, q{DELETE FROM ratchet.home},
		q{INSERT INTO ratchet.home VALUES (1, 1, 1, now(), 0, 'a key')},
		q{INSERT INTO ratchet.backfill VALUES (1, 1, 10, now(), now(), false, now())},
		q{INSERT INTO ratchet.job_checkpoint SELECT 1, 0, 10, 1, now(), '{}', '{}', 0, 0, 0, 0, 0, 1, ''});
	psql_fails($node, $_, qr/ERROR:  42501.*is written by the library alone/s, $_, user => 'loader') for @forgeries;
	is(definitions(), $before, 'nothing has changed');
	# Every table but that of the calendars, of which GRANT decides who writes it.
	is( value($node, q{
			SELECT string_agg(relname, ' ') FROM pg_class c
			WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r' AND 2 <> (
				SELECT count(*) FROM pg_trigger
				WHERE tgrelid = c.oid AND tgfoid = 'ratchet._superusers_only'::regproc AND tgenabled = 'A')}),
		'calendar_days', 'tables that others may be allowed to write');
	value($node, q{SELECT ratchet.unschedule('loaders')}, user => 'loader');
	psql_ok($node, q{UPDATE ratchet.job SET comment = NULL WHERE false; DELETE FROM ratchet.job WHERE false}, 'a superuser may write, as pg_restore does');
};

promise 'while the tables belong to a role that is no superuser, nothing runs' => sub {
	value($node, q{CREATE ROLE leaver LOGIN SUPERUSER; CREATE ROLE heir LOGIN; CREATE DATABASE heirs});
	value($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('mine', '@manual', 'SELECT 1', run_as => 'root2')}, db => 'heirs', user => 'leaver');
	wait_run($node, value($node, q{SELECT ratchet.trigger('mine')}, db => 'heirs'), 'succeeded', 'at first jobs run', db => 'heirs');
	value($node, 'REASSIGN OWNED BY leaver TO heir', db => 'heirs');
	wait_until($node, q{SELECT state = 'unsafe owner' FROM ratchet.status() WHERE component = 'scheduler'}, 'ratchet.status() says so', db => 'heirs');
	wait_log($node, qr/WARNING:.*table "ratchet\.job" belongs to role "heir", which is no superuser/, 'and so does the log');
	my @forged = (
		q{INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)
			VALUES ('forged', 'root2', '10 ms', 'UTC', now(), 'ALTER ROLE heir SUPERUSER')},
		q{UPDATE ratchet.job_version SET command = 'ALTER ROLE heir SUPERUSER'});
	value($node, "ALTER TABLE ratchet.$_ DISABLE TRIGGER superusers_only", db => 'heirs', user => 'heir') for 'job', 'job_version';
	psql_fails($node, $_, qr/ERROR:  42501.*is written by the library alone/, 'the heir writes nothing, not even without the triggers', db => 'heirs', user => 'heir')
	  for @forged;
	# Whatever way may be left.
	value($node, $_, db => 'heirs') for @forged;
	my $run = value($node, q{SELECT ratchet.trigger('mine')}, db => 'heirs');
	psql_fails($node, q{SELECT ratchet.trigger('mine')}, qr/ERROR:  42501/, q{the heir cannot trigger a superuser's job}, db => 'heirs', user => 'heir');
	is(value($node, q{SELECT ratchet.wait((SELECT max(run_id) FROM ratchet.runs), '1 s')}, db => 'heirs'), 'queued', 'what is asked for waits');
	is(value($node, q{SELECT rolsuper FROM pg_roles WHERE rolname = 'heir'}), 'f', 'what was forged does not run');
	value($node, q{DELETE FROM ratchet.job WHERE job_name = 'forged'; UPDATE ratchet.job_version SET command = 'SELECT 2';
		REASSIGN OWNED BY heir TO leaver}, db => 'heirs');
	wait_run($node, $run, 'succeeded', 'when a superuser has looked it through and has it back, jobs run', db => 'heirs');
	value($node, q{DROP DATABASE heirs});
};

promise 'pg_signal_backend reaches the runs of ordinary roles, and not the scheduler' => sub {
	value($node, q{CREATE ROLE signaller LOGIN IN ROLE pg_signal_backend});
	my $long = begin_run($node, 'alices long', 'SELECT pg_sleep(600)', undef, user => 'alice');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $long");
	for my $kind (qw(launcher scheduler))
	{
		my ($pid) = ratchet_pids($node, $kind);
		psql_fails($node, "SELECT pg_terminate_backend($pid)", qr/ERROR:  42501/, "terminate the $kind", user => 'signaller');
		psql_fails($node, "SELECT pg_cancel_backend($pid)", qr/ERROR:  42501/, "cancel the $kind", user => 'mallory');
	}
	my $pid = value($node, "SELECT worker_pid FROM ratchet.runs WHERE run_id = $long");
	psql_fails($node, "SELECT pg_terminate_backend($pid)", qr/ERROR:  42501/, 'a stranger cannot end a run of alice', user => 'mallory');
	is(value($node, "SELECT pg_cancel_backend($pid)", user => 'signaller'), 't', 'the signaller can');
	wait_run($node, $long, 'failed', 'it is canceled, and recorded');
};

promise 'what everybody sees: that a job runs, and its name' => sub {
	my $long = begin_run($node, 'alices long', 'SELECT pg_sleep(600) /* secret */', undef, user => 'alice');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $long");
	my $pid = value($node, "SELECT worker_pid FROM ratchet.runs WHERE run_id = $long");
	is(value($node, "SELECT usename || ', ' || application_name || ', ' || query FROM pg_stat_activity WHERE pid = $pid", user => 'mallory'),
		'alice, pg_ratchet: alices long, <insufficient privilege>', 'in pg_stat_activity: role and name, not the text');
	value($node, q{CREATE ROLE watcher LOGIN IN ROLE pg_monitor});
	like(value($node, "SELECT query FROM pg_stat_activity WHERE pid = $pid", user => 'watcher'), qr/secret/, 'a member of pg_monitor sees the text');
	cmp_ok(value($node, "SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype = 'advisory' AND objsubid = 3", user => 'mallory'), '>', 0,
		'in pg_locks: the number of the job');
	value($node, "SELECT ratchet.cancel($long)", user => 'alice');
	wait_run($node, $long, 'canceled');
	$long = begin_run($node, 'alices long', 'SELECT pg_sleep(600)', q{settings => '{"application_name": "shy"}'}, user => 'alice');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $long");
	is(value($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%alices%'}, user => 'mallory'), 0,
		'a setting of the job hides its name');
	value($node, "SELECT ratchet.cancel($long)", user => 'alice');
	wait_run($node, $long, 'canceled');
};

promise 'the owner of the database is no superuser' => sub {
	value($node, q{CREATE ROLE dba LOGIN});
	value($node, q{CREATE DATABASE dbas OWNER dba});
	# What she prepares for the superuser who creates the extension.
	value($node, q{CREATE SCHEMA ratchet; CREATE TABLE ratchet.job ()}, user => 'dba', db => 'dbas');
	psql_fails($node, 'CREATE EXTENSION pg_ratchet', qr/ERROR:  42P06/, 'a schema of hers is not used for the extension', db => 'dbas');
	value($node, q{
		DROP SCHEMA ratchet CASCADE;
		CREATE TABLE public.trapped (who text);
		CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS
			$$BEGIN INSERT INTO public.trapped VALUES (session_user); RETURN pg_catalog.format($1, $2); END$$;
		CREATE FUNCTION public.nextval(text) RETURNS bigint LANGUAGE plpgsql AS
			$$BEGIN INSERT INTO public.trapped VALUES (session_user); RETURN 1; END$$;
		CREATE DOMAIN public.bigint AS int; CREATE DOMAIN public.text AS varchar;
		ALTER DATABASE dbas SET search_path = public, pg_catalog}, user => 'dba', db => 'dbas');
	value($node, q{CREATE EXTENSION pg_ratchet}, db => 'dbas');
	is(value($node, 'SELECT count(*) FROM public.trapped', db => 'dbas'), 0, 'nor are objects that she has planted in the path');
	value($node, 'ALTER DATABASE dbas RESET search_path', user => 'dba');
	value($node, q{SELECT ratchet.schedule('roots', '@manual', 'SELECT 1', run_as => 'root2')}, db => 'dbas');
	psql_fails($node, $_, qr/ERROR:  42501/, $_, user => 'dba', db => 'dbas') for (
		q{SELECT * FROM ratchet.jobs},
		q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1')},
		q{GRANT USAGE ON SCHEMA ratchet TO dba},
		q{DROP EXTENSION pg_ratchet}, q{ALTER EXTENSION pg_ratchet UPDATE}, q{DROP SCHEMA ratchet CASCADE},
		q{ALTER EXTENSION pg_ratchet DROP TABLE ratchet.job}, q{ALTER TABLE ratchet.job OWNER TO dba}, q{ALTER SCHEMA ratchet RENAME TO x});
	value($node, q{GRANT USAGE ON SCHEMA ratchet TO dba}, db => 'dbas');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs}, user => 'dba', db => 'dbas'), 0, 'with USAGE: own jobs only');
	psql_fails($node, $_, qr/ERROR:  42501/, $_, user => 'dba', db => 'dbas') for (
		q{SELECT ratchet.unschedule('roots')}, q{SELECT ratchet.trigger('roots')}, q{UPDATE ratchet.job SET enabled = false},
		q{INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command) VALUES ('x', 10, '1 day', 'UTC', now(), 'x')},
		q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1', run_as => 'root2')});
	psql_ok($node, $_, "may: $_", user => 'dba', db => 'dbas') for (q{SELECT ratchet.stat_reset()}, q{SELECT ratchet.adopt()});
	# Her settings hold in the sessions of the scheduler, too.
	value($node, "ALTER DATABASE dbas SET $_", user => 'dba') for (
		q{search_path = nowhere}, q{default_transaction_read_only = on}, q{default_transaction_isolation = serializable},
		q{default_transaction_deferrable = on}, q{statement_timeout = 1}, q{lock_timeout = 1},
		q{idle_in_transaction_session_timeout = 1}, q{exit_on_error = on}, q{row_security = off}, q{TimeZone = 'Pacific/Chatham'},
		q{DateStyle = 'German, DMY'}, q{IntervalStyle = sql_standard}, q{bytea_output = escape}, q{extra_float_digits = -15},
		q{transform_null_equals = on}, q{array_nulls = off}, q{quote_all_identifiers = on},
		q{synchronous_commit = off}, q{role = dba}, q{client_encoding = 'LATIN1'}, q{enable_indexscan = off}, q{temp_buffers = 100},
		($version >= 170000 ? q{transaction_timeout = 1} : ()), ($version < 190000 ? q{standard_conforming_strings = off} : ()));
	terminate_ratchet($node, 'scheduler', 'dbas');
	value($node, q{CREATE ROLE worker LOGIN});
	# A millisecond may be too short for the worker to connect.
	value($node, q{ALTER ROLE worker SET transaction_timeout = 0}) if $version >= 170000;
	# What the sessions of this test say goes before what the database says.
	local $ENV{PGOPTIONS} = join ' ', map { "-c $_" } qw(statement_timeout=0 lock_timeout=0 idle_in_transaction_session_timeout=0
		exit_on_error=off role=none default_transaction_read_only=off search_path=pg_catalog transform_null_equals=off),
	  ($version >= 170000 ? 'transaction_timeout=0' : ());
	value($node, q{GRANT USAGE ON SCHEMA ratchet TO worker}, db => 'dbas');
	my $run = value($node, q{
		SELECT ratchet.schedule('reads', '@manual', 'SELECT current_user, session_user', run_as => 'worker',
			settings => '{"statement_timeout": 0, "exit_on_error": "off"}') \g /dev/null
		SELECT ratchet.trigger('reads')}, db => 'dbas');
	wait_run($node, $run, 'succeeded', 'jobs of others run in spite of them', db => 'dbas');
	is(run_record($node, $run, db => 'dbas')->{result}, '{"current_user":"worker","session_user":"worker"}', 'as their owner');
	value($node, 'DROP DATABASE dbas', user => 'dba');
};

finish();
