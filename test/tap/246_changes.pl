# Who has changed which job, who has asked for a run, and who has canceled it: ratchet.changes, and ratchet.runs.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE billing LOGIN;
	CREATE ROLE anna LOGIN IN ROLE billing;
	CREATE ROLE "Bernd B" LOGIN IN ROLE billing;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE onlooker LOGIN IN ROLE pg_monitor;
	CREATE ROLE loader LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
	CREATE ROLE dba SUPERUSER LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC});

# action|who|old|new of each change of that name, oldest first
sub changes
{
	my ($job, %params) = @_;
	return value($node, "SELECT action, changed_by, old_values, new_values FROM ratchet.changes WHERE job_name = '$job' ORDER BY change_id", %params);
}
sub actions
{
	my ($job, %params) = @_;
	return value($node, "SELECT string_agg(action || ' by ' || changed_by, ', ' ORDER BY change_id) FROM ratchet.changes WHERE job_name = '$job'", %params);
}

promise 'each change says who has made it, and what was before' => sub {
	value($node, q{SELECT ratchet.schedule('invoices', '@daily', 'SELECT 1', time_zone => 'UTC', run_as => 'billing', settings => '{"search_path": "public"}')}, user => 'anna');
	is(changes('invoices'), 'defined|anna||{"run_as": "billing", "command": "SELECT 1", "enabled": true, "job_name": "invoices", "schedule": "@daily", "settings": {"search_path": "public"}, "time_zone": "UTC"}',
		'who has defined it, and as what');
	value($node, q{SELECT ratchet.alter_job('invoices', command => 'SELECT 2', timeout => '5 minutes')}, user => 'Bernd B');
	value($node, q{SELECT ratchet.pause_job('invoices')}, user => 'anna');
	value($node, q{SELECT ratchet.resume_job('invoices')}, user => 'dba');
	value($node, q{SELECT ratchet.alter_job('invoices', reset => '{timeout}')}, user => 'dba');
	my (undef, @rest) = split /\n/, changes('invoices');
	is_deeply(\@rest, [
			'altered|Bernd B|{"command": "SELECT 1", "timeout": null}|{"command": "SELECT 2", "timeout": "00:05:00"}',
			'paused|anna|{"enabled": true}|{"enabled": false}',
			'resumed|dba|{"enabled": false}|{"enabled": true}',
			'altered|dba|{"timeout": "00:05:00"}|{"timeout": null}' ], 'members and superusers by their own names');
	is(value($node, q{SELECT count(DISTINCT owner) || ' ' || min(owner::text) || ' ' || bool_and(changed_at < now()) FROM ratchet.changes}), '1 billing true', 'whose the job was, and when');
	value($node, q{SET ROLE billing; SELECT ratchet.alter_job('invoices', new_name => 'bills')}, user => 'anna');
	is(changes('bills'), 'renamed|billing|{"job_name": "invoices"}|{"job_name": "bills"}', 'the current user counts');
	is(value($node, q{SELECT string_agg(DISTINCT c.job_name, ' ') FROM ratchet.changes c JOIN ratchet.jobs j USING (job_id) WHERE j.job_name = 'bills'}), 'bills invoices',
		'job_id finds what it did under another name');
};

promise 'what changes nothing is not recorded, nor what is rolled back' => sub {
	my $before = value($node, 'SELECT count(*) FROM ratchet.changes');
	value($node, q{SELECT ratchet.pause_job('bills'); SELECT ratchet.resume_job('bills')}, user => 'anna');
	value($node, q{SELECT ratchet.resume_job('bills'); SELECT ratchet.alter_job('bills', comment => NULL)}, user => 'anna');
	value($node, q{SELECT ratchet.alter_job('bills', command => 'SELECT 2')}, user => 'anna');
	is(value($node, 'SELECT count(*) FROM ratchet.changes') - $before, 2, 'one paused, one resumed');
	value($node, q{BEGIN; SELECT ratchet.alter_job('bills', comment => 'never'); SELECT ratchet.unschedule('bills'); ROLLBACK}, user => 'anna');
	value($node, q{BEGIN; SAVEPOINT s; SELECT ratchet.schedule('never', '@manual', 'SELECT 1'); ROLLBACK TO s; COMMIT}, user => 'anna');
	value($node, q{SELECT ratchet.apply_jobs('[{"job_name": "never", "schedule": "@manual", "command": "SELECT 1"}]', dry_run => true)}, user => 'anna');
	psql_fails($node, q{SELECT ratchet.alter_job('bills', schedule => 'every now and then')}, qr/ERROR/, 'a mistake', user => 'anna');
	is(value($node, 'SELECT count(*) FROM ratchet.changes') - $before, 2, 'nothing of that');
};

promise 'documents, dependents, queues and jobs that come again' => sub {
	my $document = q{'[{"job_name": "load", "schedule": "@manual", "command": "SELECT 1"}, {"job_name": "sum", "schedule": "@manual", "command": "SELECT 1", "depends_on": ["load"]}]'};
	value($node, "SELECT ratchet.apply_jobs($document) FROM generate_series(1, 2)", user => 'anna');
	is(actions($_), 'defined by anna', "$_: applied twice, defined once") for qw(load sum);
	value($node, q{SELECT ratchet.alter_job('load', new_name => 'fetch')}, user => 'anna');
	is(value($node, q{SELECT action, old_values, new_values FROM ratchet.changes WHERE job_name = 'sum' ORDER BY change_id DESC LIMIT 1}),
		'altered|{"depends_on": ["load"]}|{"depends_on": ["fetch"]}', 'who depends on a job that is renamed');
	value($node, q{SELECT ratchet.schedule('fetch', '@manual', 'SELECT 2')}, user => 'anna');
	is(actions('fetch'), 'renamed by anna, altered by anna', 'schedule of a job that is there alters it');
	value($node, q{SELECT ratchet.unschedule('sum'); SELECT ratchet.schedule('sum', '@manual', 'SELECT 3')}, user => 'anna');
	is(actions('sum'), 'defined by anna, altered by anna, dropped by anna, defined by anna', 'dropped, and there again');
	is(value($node, q{SELECT count(DISTINCT job_id) FROM ratchet.changes WHERE job_name = 'sum'}), 2, '... as another job');
	like(value($node, q{SELECT old_values FROM ratchet.changes WHERE job_name = 'sum' AND action = 'dropped'}), qr/"command": "SELECT 1"/, 'what was dropped can be read');
	value($node, q{SELECT ratchet.create_queue('mail', rate => 5)}, user => 'anna');
	value($node, q{SELECT ratchet.alter_queue('mail', rate => 7)}, user => 'anna');
	value($node, q{SELECT ratchet.pause_queue('mail')}, user => 'dba');
	value($node, q{SELECT ratchet.drop_queue('mail')}, user => 'anna');
	is(actions('queue mail'), 'defined by anna, altered by anna, paused by dba, dropped by anna', 'a queue');
	is(value($node, q{SELECT old_values, new_values FROM ratchet.changes WHERE job_name = 'queue mail' AND action = 'altered'}), '{"rate": 5}|{"rate": 7}', '... and its options');
};

promise 'changes are seen by the owner then, members of it, superusers and pg_monitor' => sub {
	value($node, q{SELECT ratchet.schedule('payroll', '@manual', 'SELECT ''secret of dba''')}, user => 'dba');
	value($node, q{SELECT ratchet.alter_job('payroll', command => 'SELECT ''for everybody''', run_as => 'billing')}, user => 'dba');
	is(actions('payroll', user => 'onlooker'), 'defined by dba, owner changed by dba, owner changed by dba', 'pg_monitor');
	is(actions('payroll', user => 'anna'), 'owner changed by dba', 'who has it now');
	unlike(changes('payroll', user => 'anna'), qr/secret/, '... does not see what it was before');
	like(changes('payroll', user => 'anna'), qr/"run_as": "dba".*"run_as": "billing".*for everybody/, '... but from whom it comes');
	is(value($node, 'SELECT count(*) FROM ratchet.changes', user => 'mallory'), 0, 'and others nothing');
	is(value($node, 'SELECT count(*) FROM ratchet.job_change', user => 'mallory'), 0, '... nor in the table');
};

promise 'nobody writes or deletes what ratchet.changes says' => sub {
	my $before = value($node, 'SELECT md5(string_agg(c::text, $$$$ ORDER BY change_id)) FROM ratchet.changes c');
	for my $user (qw(mallory anna loader))
	{
		psql_fails($node, $_, qr/ERROR:  (42501|55000)/, "$user: $_", user => $user)
		  for q{INSERT INTO ratchet.job_change SELECT 1000, 1, 'forged', 10, now(), 'dba', 'dropped'},
		  q{UPDATE ratchet.job_change SET changed_by = 'dba'}, q{DELETE FROM ratchet.job_change}, q{TRUNCATE ratchet.job_change},
		  q{UPDATE ratchet.changes SET changed_by = 'dba'};
	}
	is(value($node, 'SELECT md5(string_agg(c::text, $$$$ ORDER BY change_id)) FROM ratchet.changes c'), $before, 'it is as it was');
	value($node, q{SELECT setval('ratchet.job_change_id_seq', 1)});
	value($node, q{SELECT ratchet.pause_job('bills')}, user => 'anna');
	is(value($node, q{SELECT action FROM ratchet.changes ORDER BY change_id DESC LIMIT 1}), 'paused', 'a sequence that was set back brings no number again');
	value($node, q{SELECT ratchet.resume_job('bills')}, user => 'anna');
};

promise 'who has asked for a run' => sub {
	my $run = value($node, q{SELECT ratchet.trigger('bills')}, user => 'Bernd B');
	wait_run($node, $run, 'succeeded', 'a run');
	is_run(run_record($node, $run), { requested_by => 'Bernd B', canceled_by => undef }, 'by its name, when it has ended');
	my $waits = value($node, q{SELECT ratchet.trigger('bills', run_at => now() + interval '1 year')}, user => 'Bernd B');
	is(value($node, "SELECT requested_by FROM ratchet.runs WHERE run_id = $waits"), 'Bernd B', 'while it waits');
	my $under_way = begin_run($node, 'slow', 'SELECT pg_sleep(1000)', undef, user => 'anna');
	is(value($node, "SELECT requested_by FROM ratchet.runs WHERE run_id = $under_way"), 'anna', 'while it is running');
	is(value($node, q{SELECT requested_by FROM ratchet._live_runs()}), value($node, q{SELECT 'anna'::regrole::oid}), 'on the board');
	value($node, "SELECT ratchet.cancel($under_way)", user => 'dba');
	wait_run($node, $under_way, 'canceled', 'a cancel');
	is_run(run_record($node, $under_way), { requested_by => 'anna', canceled_by => 'dba' }, 'and who has canceled it');
	value($node, "SELECT ratchet.cancel($waits)", user => 'anna');
	is_run(run_record($node, $waits), { requested_by => 'Bernd B', canceled_by => 'anna' }, 'also before it started');
	my $by_itself = value($node, q{SELECT ratchet.schedule('often', '100 ms', 'SELECT 1')}, user => 'anna');
	wait_until($node, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'often' AND requested_by IS NULL AND status = 'succeeded'}, 'of an occurrence nobody');
	value($node, q{SELECT ratchet.unschedule('often')}, user => 'anna');
	value($node, q{SELECT ratchet.schedule('by hand', '@manual', 'SELECT 1'); CALL ratchet.run('by hand')}, user => 'anna');
	is(value($node, q{SELECT requested_by FROM ratchet.runs WHERE job_name = 'by hand'}), 'anna', 'of one in the foreground who has called it');
	my $again = value($node, "SELECT ratchet.replay($run)", user => 'anna');
	wait_run($node, $again, 'succeeded', 'a replay');
	is_run(run_record($node, $again), { requested_by => 'anna' }, 'of a replay who has asked for that');
};

promise 'a time-out and the stop of the server have no canceled_by' => sub {
	my $late = begin_run($node, 'late', 'SELECT pg_sleep(1000)', q{timeout => '300 ms', max_attempts => 1}, user => 'anna');
	wait_run($node, $late, 'timed_out', 'a time-out');
	is_run(run_record($node, $late), { canceled_by => undef }, 'which nobody has asked for');
	my $stopped = begin_run($node, 'stopped', 'SELECT pg_sleep(1000)', q{on_crash => 'next'}, user => 'anna');
	$node->restart;
	wait_run($node, $stopped, 'canceled', 'a stop');
	is_run(run_record($node, $stopped), { canceled_by => undef }, 'nor that');
	my $deaf = begin_run($node, 'deaf', q{DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN END; END LOOP; END $$}, undef, user => 'anna');
	$node->safe_psql('postgres', q{ALTER SYSTEM SET ratchet.cancel_grace = '200 ms'; SELECT pg_reload_conf()});
	value($node, "BEGIN; SELECT ratchet.cancel($deaf); ROLLBACK", user => 'dba');
	value($node, "SELECT ratchet.cancel($deaf)", user => 'anna');
	wait_run($node, $deaf, 'canceled', 'one that does not obey');
	is_run(run_record($node, $deaf), { canceled_by => 'anna' }, 'who has canceled it is known when its process was terminated, and a rollback does not count');
};

promise 'names stay when the role is gone, and a role that gets its number sees nothing' => sub {
	value($node, q{CREATE ROLE temp LOGIN; GRANT USAGE ON SCHEMA ratchet TO temp});
	value($node, q{SELECT ratchet.schedule('left', '@manual', 'SELECT 1')}, user => 'temp');
	my $oid = value($node, q{SELECT 'temp'::regrole::oid});
	my $run = value($node, q{SELECT ratchet.trigger('left')}, user => 'temp');
	wait_run($node, $run, 'succeeded', 'a run');
	value($node, q{SELECT ratchet.unschedule('left')}, user => 'temp');
	value($node, q{DROP OWNED BY temp; DROP ROLE temp});
	is(actions('left'), 'defined by temp, dropped by temp', 'who did so');
	is_run(run_record($node, $run), { requested_by => 'temp' }, 'and who asked');
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.job_change WHERE owner = $oid", 'nothing is left under its number');
};

promise 'changes go when the history goes' => sub {
	value($node, q{SELECT ratchet.schedule('brief', '@manual', 'SELECT 1')}, user => 'anna');
	$node->safe_psql('postgres', q{ALTER SYSTEM SET ratchet.keep_history = 0; SELECT pg_reload_conf()});
	value($node, q{SELECT ratchet.unschedule('brief')}, user => 'anna');
	$node->restart;
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.changes', 'all of them, also of jobs that are gone and have never run');
};

promise 'ratchet.adopt() says what it has adopted' => sub {
	$node->safe_psql('postgres', q{ALTER SYSTEM RESET ratchet.keep_history; SELECT pg_reload_conf()});
	value($node, q{UPDATE ratchet.job SET command = 'SELECT 4711' WHERE job_name = 'bills'});
	value($node, q{SELECT ratchet.adopt()}, user => 'dba');
	like(changes('bills'), qr/^adopted\|dba\|\|.*SELECT 4711/m, 'and what that is');
};

finish();
