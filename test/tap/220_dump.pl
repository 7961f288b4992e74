# Copies: pg_dump carries the definitions and not the history, a restored copy holds still until it is
# adopted, a copy of the files runs what is meant for its environment, a standby keeps still and takes
# over after promotion.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $origin = new_node(
	'origin',
	init => [ allows_streaming => 1 ],
	conf => "ratchet.environment = 'production'\nratchet.node = 'origin'\n");
my $target = new_node('target', extension => 0);
value($_, 'CREATE ROLE alice LOGIN') for $origin, $target;

value(
	$origin, q{
	CREATE DATABASE shop});
value(
	$origin, q{
	CREATE EXTENSION pg_ratchet;
	GRANT USAGE ON SCHEMA ratchet TO alice;
	CREATE TABLE seen (node text);
	GRANT ALL ON seen TO alice;
	SELECT ratchet.schedule('gone', '@manual', 'SELECT 1');
	SELECT ratchet.schedule('tick', '250 ms',
		$$INSERT INTO seen SELECT current_setting('ratchet.node')$$);
	SELECT ratchet.schedule('alices', '0 9 * * MON-FRI', $$SELECT 'it''s' -- odd
		, E'a\tb'$$,
		time_zone => 'Europe/Vienna', overlap => 'queue', transaction => 'per_statement',
		timeout => '90 minutes', max_attempts => 3, backoff => '1 day', backoff_factor => 1.5,
		backoff_cap => '30 days', backoff_jitter => 0.25, on_crash => 'next', misfire => 'all', misfire_limit => 7,
		start_at => '2020-01-01', end_at => '2199-01-01', max_runs => 1000, environments => '{production,"stag,ing"}',
		priority => -3, settings => '{"work_mem": "64MB", "search_path": "a, \"B\""}', payload => '{"a": [1, "ü"]}',
		keep_history => '2 days', enabled => false, comment => 'line 1
line 2', tags => '{x,"y z"}', run_as => 'alice');
	CREATE TABLE item (id bigint PRIMARY KEY, "Odd, name" text NOT NULL);
	SELECT ratchet.schedule_batch('batches', '0 3 * * *', 'TABLE item', $$UPDATE item AS i SET "Odd, name" = 'it''s'
		FROM unnest($1) u(id) WHERE u.id = i.id$$, backfill_from => '2026-01-01', key => '{id DESC}', per => 'batch',
		batch_size => 7, batch_target => '100 ms', mode => 'full', max_run_time => '10 minutes', max_failed_items => 0,
		pause_ratio => 0.25, max_replication_lag => '0', enabled => false);
	SELECT ratchet.schedule('saves', '@manual', $$DO $do$BEGIN
		PERFORM ratchet.save_checkpoint('{"at": 42}');
		COMMIT;
		RAISE 'cut off';
	END$do$ $$);
	SELECT ratchet.unschedule('gone')},
	db => 'shop');
wait_until($origin, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE status = 'succeeded'},
	'jobs run', db => 'shop');

# A definition as text; times are those of the definition, so that a copy has the same.
my $definitions = q{
	SELECT string_agg((to_jsonb(j) - 'seal')::text, E'\n' ORDER BY job_id) FROM ratchet.job AS j};
my $expected = value($origin, $definitions, db => 'shop');

sub shell
{
	my ($what, @command) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$origin->command_ok([@command], $what);
	return;
}

# What has to hold in a restored database.
sub is_good_copy
{
	my ($node, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, $definitions, db => $database), $expected, 'the definitions are all there');
	is(value($node, 'SELECT count(*) FROM ratchet.run_log', db => $database), 0, 'no history');
	wait_until($node,
		q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'},
		'it is quarantined', db => $database);

	# The origin has run its jobs again by the time at which we look.
	my $run = value($node, q{SELECT ratchet.trigger('tick')}, db => $database);
	my $last = value($origin, 'SELECT max(run_id) FROM ratchet.runs', db => 'shop');
	wait_until($origin, "SELECT max(run_id) >= $last + 3 FROM ratchet.runs", undef, db => 'shop');
	is(run_status($node, $run, db => $database), 'queued', 'nothing starts');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id <> $run", db => $database), 0,
		'nothing at all');

	my $max = value($node, 'SELECT max(job_id) FROM ratchet.job', db => $database);
	my $next = value($node, q{SELECT ratchet.schedule('new', '@manual', 'SELECT 1')}, db => $database);
	cmp_ok($next, '>', $max, 'a new job gets a new id');

	psql_fails($node, 'SELECT ratchet.adopt()', qr/ERROR:  42501/, 'who does not own it cannot adopt it',
		db => $database, user => 'alice');
	psql_ok($node, 'SELECT ratchet.adopt()', 'it is adopted', db => $database);
	wait_run($node, $run, 'succeeded', 'what was asked for runs', db => $database);
	wait_until($node, q{SELECT count(*) >= 2 FROM ratchet.runs WHERE status = 'succeeded' AND cause = 'schedule'},
		'jobs run by their schedules', db => $database);
	return;
}

my $dump = PostgreSQL::Test::Utils::tempdir();

promise 'pg_dump as SQL, restored on the same server' => sub {
	shell('pg_dump', 'pg_dump', '-f', "$dump/shop.sql", $origin->connstr('shop'));
	unlike(PostgreSQL::Test::Utils::slurp_file("$dump/shop.sql"),
		qr/COPY ratchet\.(run_log|job_change|run_queue|job_state|job_stat|job_version|failed_item|home)/, 'without the history');
	value($origin, 'CREATE DATABASE same_server');
	shell('psql', 'psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d',
		$origin->connstr('same_server'), '-f', "$dump/shop.sql");
	is_good_copy($origin, 'same_server');
	value($origin, 'DROP DATABASE same_server');
};

promise 'pg_dump as an archive, restored on another server' => sub {
	shell('pg_dump -Fc', 'pg_dump', '-Fc', '-f', "$dump/shop.dump", $origin->connstr('shop'));
	value($target, 'CREATE DATABASE shop');
	shell('pg_restore', 'pg_restore', '--exit-on-error', '-d', $target->connstr('shop'), "$dump/shop.dump");
	is_good_copy($target, 'shop');
};

promise 'pg_restore in one transaction and in parallel' => sub {
	value($target, 'CREATE DATABASE at_once');
	shell('pg_restore --single-transaction', 'pg_restore', '--single-transaction', '-d',
		$target->connstr('at_once'), "$dump/shop.dump");
	is_good_copy($target, 'at_once');
	value($target, 'CREATE DATABASE parallel');
	shell('pg_restore --jobs', 'pg_restore', '--exit-on-error', '--jobs=2', '-d',
		$target->connstr('parallel'), "$dump/shop.dump");
	is_good_copy($target, 'parallel');
};

promise 'a dump carries what hand-written procedures have saved' => sub {
	my $run = value($origin, q{SELECT ratchet.trigger('saves')}, db => 'shop');
	wait_run($origin, $run, 'failed', 'a run that has saved a checkpoint', db => 'shop');
	shell('pg_dump', 'pg_dump', '-Fc', '-f', "$dump/later.dump", $origin->connstr('shop'));
	value($target, 'CREATE DATABASE later');
	shell('pg_restore', 'pg_restore', '--exit-on-error', '-d', $target->connstr('later'), "$dump/later.dump");
	is(value($target, 'SELECT value FROM ratchet.job_checkpoint', db => 'later'), '{"at": 42}',
		'the checkpoint is there');
	value($origin, q{SELECT ratchet.unschedule('saves')}, db => 'shop');
};

# On a new server the first roles have the numbers that the first roles of the old one had.
promise 'jobs of a role that was dropped are not in the dump' => sub {
	value($origin, 'CREATE ROLE leaver LOGIN; CREATE ROLE "16384" LOGIN');
	value($origin, q{GRANT USAGE ON SCHEMA ratchet TO leaver, "16384";
		SELECT ratchet.schedule('of who left', '0 0 1 1 *', 'SELECT 1', run_as => 'leaver');
		SELECT ratchet.schedule('of a number', '@manual', 'SELECT 1', run_as => '"16384"');
		REVOKE USAGE ON SCHEMA ratchet FROM leaver}, db => 'shop');
	my $number = value($origin, q{SELECT 'leaver'::regrole::oid});
	value($origin, 'DROP ROLE leaver');
	like(value($origin, q{SELECT owner::text FROM ratchet.job WHERE job_name = 'of who left'}, db => 'shop'), qr/^($number|-)$/, 'its owner is a number, or nobody');
	is(value($origin, q{SELECT job ->> 'run_as' FROM jsonb_array_elements(ratchet.export_jobs()) job WHERE job ->> 'job_name' = 'of who left'}, db => 'shop'),
		'', 'export_jobs() gives it a name that no role can have');
	psql_fails($origin, q{SELECT ratchet.apply_jobs((SELECT jsonb_agg(job || '{"priority": 7}') FROM jsonb_array_elements(ratchet.export_jobs()) job
		WHERE job ->> 'job_name' = 'of who left'))}, qr/ERROR:  42704.*role "" does not exist/s, 'and apply_jobs() makes nobody its owner', db => 'shop');
	value($target, 'CREATE ROLE "16384" LOGIN; CREATE DATABASE left_over');
	for my $options ([], ['--inserts'], ['--data-only', '--extension=*'])
	{
		my ($dump) = PostgreSQL::Test::Utils::run_command([ 'pg_dump', @$options, $origin->connstr('shop') ]);
		like($dump, qr/of a number.*"16384"/, "pg_dump @$options has the job of a role that is named as a number, by its name");
		unlike($dump, qr/of who left/, 'and not that of no role');
	}
	shell('pg_dump', 'pg_dump', '-Fc', '-f', "$dump/left.dump", $origin->connstr('shop'));
	shell('pg_restore', 'pg_restore', '--exit-on-error', '-d', $target->connstr('left_over'), "$dump/left.dump");
	is(value($target, q{SELECT string_agg(owner::text, ' ') FROM ratchet.adopt() WHERE job_name LIKE 'of %'}, db => 'left_over'),
		'"16384"', 'it is restored as that of the role with this name');
	value($target, 'DROP DATABASE left_over');
	value($origin, q{SELECT ratchet.unschedule('of who left'), ratchet.unschedule('of a number')}, db => 'shop');
};

$target->stop;

promise 'a clean stop and start keeps everything' => sub {
	my $before = value($origin, $definitions, db => 'shop');
	my $last = value($origin, 'SELECT max(run_id) FROM ratchet.runs', db => 'shop');
	my $later = value($origin, q{
		SELECT ratchet.trigger('tick', run_at => now() + interval '1 hour')}, db => 'shop');
	$origin->restart;
	is(value($origin, $definitions, db => 'shop'), $before, 'the definitions');
	is(value($origin, "SELECT count(*) FROM ratchet.runs WHERE run_id = $last", db => 'shop'), 1,
		'the history');
	is(run_status($origin, $later, db => 'shop'), 'queued', 'what waits');
	wait_until($origin, qq{
		SELECT count(*) >= 2 FROM ratchet.runs
		WHERE run_id > $later AND job_name = 'tick' AND status = 'succeeded'},
		'jobs go on', db => 'shop');
	# A run that the stop has cut off is taken up again.
	is( value($origin, q{
			SELECT count(*) FROM ratchet.runs AS r WHERE r.job_name = 'tick' AND r.status IN ('failed', 'crashed')
				AND NOT EXISTS (SELECT FROM ratchet.runs AS again WHERE again.retry_of = r.run_id)}, db => 'shop'),
		0, 'nothing is left cut off');
	value($origin, "SELECT ratchet.cancel($later)", db => 'shop');
};

# Jobs for environments, and two copies of the files.
value(
	$origin, q{
	SELECT ratchet.schedule('for_production', '250 ms', 'SELECT 1', environments => '{production}');
	SELECT ratchet.schedule('for_staging', '250 ms', 'SELECT 1', environments => '{staging,test}')},
	db => 'shop');

sub succeeded_on
{
	my ($node, $name, $job, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_until($node, qq{
		SELECT count(*) > 0 FROM ratchet.runs
		WHERE job_name = '$job' AND status = 'succeeded' AND node = '$name'}, $what, db => 'shop');
}

promise 'a job runs only in the environments that it is meant for' => sub {
	succeeded_on($origin, 'origin', 'for_production', 'the one of this environment runs');
	wait_until($origin, q{
		SELECT count(*) > 0 FROM ratchet.runs
		WHERE job_name = 'for_staging' AND status = 'skipped' AND reason LIKE '%environment "production"%'},
		'the skips of the other one are recorded with a reason', db => 'shop');
	is(value($origin, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'for_staging' AND status <> 'skipped'},
			db => 'shop'), 0, 'it does not run');
	my $run = value($origin, q{SELECT ratchet.trigger('for_staging')}, db => 'shop');
	wait_run($origin, $run, 'skipped', 'not even when asked to', db => 'shop');
};

$origin->backup('files');

promise 'a server from a copy of the files, with another ratchet.environment, runs only what is meant for it' => sub {
	my $clone = PostgreSQL::Test::Cluster->new('clone');
	$clone->init_from_backup($origin, 'files');
	$clone->append_conf('postgresql.conf', "ratchet.environment = 'staging'\nratchet.node = 'clone'\n");
	watch_log($clone);
	$clone->start;
	wait_until($clone, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, 'it holds still', db => 'shop');
	value($clone, 'SELECT ratchet.adopt()', db => 'shop');
	succeeded_on($clone, 'clone', 'for_staging', 'the job of this environment runs');
	succeeded_on($clone, 'clone', 'tick', 'the job of any environment runs');
	wait_until($clone, q{
		SELECT count(*) > 0 FROM ratchet.runs
		WHERE job_name = 'for_production' AND status = 'skipped' AND reason LIKE '%environment "staging"%'},
		'the skips of the other one are recorded with a reason', db => 'shop');
	is(value($clone, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'for_production' AND node = 'clone'
			AND status <> 'skipped'}, db => 'shop'), 0, 'it does not run');

	value($clone, q{SELECT ratchet.schedule('hourly', '1 hour', 'SELECT 1', environments => '{production}')}, db => 'shop');
	is(value($clone, q{SELECT next_run_at IS NULL FROM ratchet.jobs WHERE job_name = 'hourly'}, db => 'shop'), 't', 'a job of another environment has no next run');
	$clone->append_conf('postgresql.conf', "ratchet.environment = 'production'\n");
	$clone->reload;
	wait_until($clone, q{SELECT next_run_at IS NOT NULL FROM ratchet.jobs WHERE job_name = 'hourly'}, 'it has one when the environment is its own', db => 'shop');
	succeeded_on($clone, 'clone', 'for_production', 'a reload is enough to change the environment');
	$clone->stop;
};

promise 'a standby keeps still, and its views can be read' => sub {
	our $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($origin, 'files', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "ratchet.node = 'standby'\nhot_standby = on\n");
	watch_log($standby);
	$standby->start;
	my $last = value($origin, 'SELECT max(run_id) FROM ratchet.runs', db => 'shop');
	wait_until($standby, "SELECT max(run_id) > $last FROM ratchet.runs WHERE status = 'succeeded'",
		'it shows the runs of the primary', db => 'shop');
	is(value($standby, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet%'}), 0,
		'it has no process of ours');
	is(value($standby, q{SELECT state FROM ratchet.status() WHERE component = 'launcher'}, db => 'shop'),
		'standby', 'and says why');
	psql_ok($standby, "SELECT count(*) FROM ratchet.$_", "ratchet.$_ can be read", db => 'shop')
	  for qw(jobs runs running job_health stat_jobs);
	psql_ok($standby, "SELECT ratchet.wait($last)", 'a run can be waited for', db => 'shop');
	psql_fails($standby, $_, qr/ERROR:  25006/, $_, db => 'shop') for (
		q{SELECT ratchet.schedule('x', '@manual', 'SELECT 1')},
		q{SELECT ratchet.alter_job('tick', priority => 1)},
		q{SELECT ratchet.trigger('tick')},
		q{SELECT ratchet.unschedule('tick')},
		"SELECT ratchet.cancel($last)",
		q{CALL ratchet.run('tick')},
		q{SELECT ratchet.adopt()});
};

promise 'a promoted standby takes over' => sub {
	our $standby;
	$origin->stop('immediate');
	my $last = value($standby, 'SELECT max(run_id) FROM ratchet.run_log', db => 'shop');
	my $seen = value($standby, 'SELECT count(*) FROM seen', db => 'shop');
	my $logged = q{SELECT count(*) FROM ratchet.run_log WHERE job_name = 'tick' AND status = 'succeeded'};
	is($seen, value($standby, $logged, db => 'shop'), 'the log agrees with the data before');
	$standby->promote;
	wait_until($standby, qq{
		SELECT count(*) >= 2 FROM ratchet.runs
		WHERE run_id > $last AND job_name = 'tick' AND status = 'succeeded' AND node = 'standby'},
		'jobs run on it', db => 'shop');
	is(value($standby, qq{SELECT count(*) FROM ratchet.running WHERE pid IS NULL}, db => 'shop'), 0,
		'nothing is left over from the primary');
	value($standby, q{SELECT ratchet.pause_job('tick')}, db => 'shop');
	wait_until($standby, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'tick' AND status IN ('queued', 'running')},
		undef, db => 'shop');
	is(value($standby, 'SELECT count(*) FROM seen', db => 'shop'), value($standby, $logged, db => 'shop'),
		'the log agrees with the data after');
	is(value($standby, q{SELECT count(*) FROM ratchet.run_log GROUP BY job_id, scheduled_at
			HAVING count(*) FILTER (WHERE status = 'succeeded' AND cause <> 'trigger') > 1}, db => 'shop'),
		'', 'no occurrence ran twice');
};

finish();
