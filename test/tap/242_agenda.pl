# What is to run: ratchet.agenda(), against what then runs.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE auditor LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC});

sub agenda
{
	my ($until, $columns, %option) = @_;
	my $job = defined $option{job} ? ", job_name => '$option{job}'" : '';
	return value($node, qq{SELECT string_agg($columns, E'\n' ORDER BY n) FROM ratchet.agenda($until$job) WITH ORDINALITY AS a (at, job_name, cause, held_by, owner, run_id, n)}, %option);
}

promise 'all jobs, in order, and nothing of those that do not start' => sub {
	value($node, q{
		SELECT ratchet.schedule('close the books', 'at 2101-01-03 09:00', 'SELECT 1', time_zone => 'UTC');
		SELECT ratchet.schedule('mail', '0 8 * * *', 'SELECT 1', time_zone => 'Europe/Paris', start_at => '2101-01-01 00:00+00');
		SELECT ratchet.schedule('backup', '30 2 * * *', 'SELECT 1', time_zone => 'UTC', start_at => '2101-01-01 00:00+00', mutex => 'disk');
		SELECT ratchet.schedule('first', '30 2 * * *', 'SELECT 1', time_zone => 'UTC', start_at => '2101-01-01 00:00+00', priority => -1);
		SELECT ratchet.schedule('paused', '30 2 * * *', 'SELECT 1', enabled => false);
		SELECT ratchet.schedule('staging', '30 2 * * *', 'SELECT 1', environments => '{staging}');
		SELECT ratchet.schedule('twice', '0 * * * *', 'SELECT 1', time_zone => 'UTC', start_at => '2101-01-01 00:00+00', max_runs => 2);
		SELECT ratchet.schedule('by hand', '@manual', 'SELECT 1');
		SELECT ratchet.schedule('startup', '@startup', 'SELECT 1')}, user => 'shop');
	is(agenda(q{'2101-01-03 12:00+00'}, q{to_char(at AT TIME ZONE 'UTC', 'DD HH24:MI ') || job_name || coalesce(' (' || held_by || ')', '')}, user => 'shop'), <<'END' =~ s/\n\z//r, 'as the scheduler will do it');
01 00:00 twice
01 01:00 twice
01 02:30 first
01 02:30 backup (mutex disk)
01 07:00 mail
02 02:30 first
02 02:30 backup (mutex disk)
02 07:00 mail
03 02:30 first
03 02:30 backup (mutex disk)
03 07:00 mail
03 09:00 close the books
END
	is(agenda(q{'2101-01-02 00:00+00'}, 'job_name', user => 'shop', job => 'mail'), 'mail', 'or of one job');
	is(agenda(q{'2101-01-02 00:00+00'}, 'job_name', user => 'auditor'), '', 'others see none of it');
	is(agenda(q{'2101-01-02 00:00+00'}, 'job_name', user => 'watcher', job => 'mail'), 'mail', 'pg_monitor does');
	psql_fails($node, q{SELECT * FROM ratchet.agenda(job_name => 'Mail')}, qr/42704: job "Mail" does not exist\nHINT:  Perhaps you mean job "mail"\./, 'a name that no job has', user => 'shop');
	psql_fails($node, q{SELECT * FROM ratchet.agenda(job_name => 'mail')}, qr/42704: job "mail" does not exist\n(?!HINT)/, 'or one of somebody else', user => 'auditor');
	psql_fails($node, q{SELECT * FROM ratchet.agenda('infinity')}, qr/22023|22008/, 'no end');
	psql_fails($node, q{SELECT * FROM ratchet.agenda(runs_per_job => 0)}, qr/22023: runs_per_job must be between/, 'no runs');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'windows, calendars, H and days of another zone' => sub {
	value($node, q{
		INSERT INTO ratchet.calendar_days VALUES ('holidays', '2101-01-06');
		SELECT ratchet.schedule('report', '0 */6 * * *', 'SELECT 1', time_zone => 'America/New_York', active_window => 'Mon-Fri 17:00-07:00', calendar => 'holidays', start_at => '2101-01-03 00:00-05');
		SELECT ratchet.schedule('somewhen', 'H H * * *', 'SELECT 1', time_zone => 'UTC')});
	is(agenda(q{'2101-01-07 13:00-05'}, q{to_char(at AT TIME ZONE 'America/New_York', 'Dy HH24:MI')}, job => 'report'), join("\n", 'Mon 18:00', 'Tue 00:00', 'Tue 06:00', 'Tue 18:00', 'Wed 00:00', 'Wed 06:00', 'Wed 18:00', 'Fri 00:00', 'Fri 06:00'),
		'occurrences outside of the window and on days that are left out are not there');
	is(value($node, q{SELECT (SELECT min(at) FROM ratchet.agenda(job_name => 'somewhen')) = next_run_at FROM ratchet.jobs WHERE job_name = 'somewhen'}), 't', 'H is what next_run_at says');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'a job for each tenth of a second takes neither the place of others nor much time' => sub {
	value($node, q{SELECT ratchet.schedule('poll', '100 ms', 'SELECT 1'); SELECT ratchet.schedule('rarely', '1 day', 'SELECT 1')});
	my $began = time;
	is(value($node, q{SELECT count(*) || ' ' || count(held_by) || ' ' || max(held_by) FROM ratchet.agenda(now() + interval '10 years', job_name => 'poll')}), '10 1 more often than is listed', 'ten of its runs, and that there are more');
	is(value($node, q{SELECT count(*) FROM ratchet.agenda(now() + interval '36 hours') WHERE job_name = 'rarely'}), 1, 'others are there');
	is(value($node, q{SELECT count(*) FROM ratchet.agenda(now() + interval '1 year', runs_per_job => 10000, max_rows => 7)}), 7, 'as many rows as asked for');
	cmp_ok(time - $began, '<', within(5), 'at once');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'runs that wait already, and what follows others' => sub {
	value($node, q{
		SELECT ratchet.schedule('load', 'at 2101-01-03 09:00', 'SELECT 1', time_zone => 'UTC');
		SELECT ratchet.schedule('transform', '@manual', 'SELECT 1', depends_on => '{load}');
		SELECT ratchet.schedule('publish', '@manual', 'SELECT 1', depends_on => '{transform,load}');
		SELECT ratchet.schedule('archive', '@manual', 'SELECT 1', depends_on => '{by hand}') FROM (SELECT ratchet.schedule('by hand', '@manual', 'SELECT 1')) s});
	value($node, q{SELECT ratchet.trigger('by hand', run_at => '2101-01-03 08:00+00')});
	is(agenda(q{'2101-01-04'}, q{to_char(at AT TIME ZONE 'UTC', 'HH24:MI ') || job_name || ' ' || cause || coalesce(' ' || held_by, '')}), <<'END' =~ s/\n\z//r, 'in the order in which they come');
08:00 by hand trigger
09:00 load schedule
09:00 transform dependency what it depends on: load
09:00 publish dependency what it depends on: transform, load
END
	is(value($node, q{SELECT count(*) FROM ratchet.agenda('2101-01-04') a JOIN ratchet.runs r USING (run_id) WHERE a.job_name = 'by hand' AND r.status = 'queued'}), 1, 'the run that waits is named');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'what holds everything back is told' => sub {
	value($node, q{SELECT ratchet.schedule('hourly', '1 hour', 'SELECT 1')});
	$node->append_conf('postgresql.conf', 'ratchet.enabled = off');
	$node->reload;
	wait_until($node, q{SELECT bool_and(held_by = 'ratchet.enabled is off') AND count(*) = 3 FROM ratchet.agenda(now() + interval '190 minutes')}, 'ratchet.enabled');
	$node->append_conf('postgresql.conf', 'ratchet.enabled = on');
	$node->reload;
	wait_until($node, q{SELECT bool_and(held_by IS NULL) FROM ratchet.agenda(now() + interval '190 minutes')}, '... no more');
	value($node, q{SELECT ratchet.schedule('fails', '1 second', 'SELECT 1/0', backoff => '10 minutes', backoff_factor => 1)});
	wait_until($node, q{SELECT backoff_until IS NOT NULL FROM ratchet.jobs WHERE job_name = 'fails'});
	is(value($node, q{SELECT min(a.at) >= j.backoff_until FROM ratchet.agenda() a JOIN ratchet.jobs j USING (job_name) WHERE job_name = 'fails' GROUP BY j.backoff_until}), 't', 'nothing within a back-off');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'what is on the agenda is what runs' => sub {
	value($node, q{SELECT ratchet.schedule('tick', '700 ms', 'SELECT 1'); SELECT ratchet.schedule('tock', '2 seconds', 'SELECT 1')});
	value($node, q{CREATE TABLE foretold AS SELECT at, job_name FROM ratchet.agenda(now() + interval '5 seconds')});
	wait_until($node, q{SELECT count(*) >= 12 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'succeeded'});
	is(value($node, q{SELECT count(*) FROM foretold f WHERE NOT EXISTS (SELECT FROM ratchet.runs r WHERE r.job_name = f.job_name AND r.scheduled_at = f.at AND r.status = 'succeeded')}), 0, 'each that was foretold');
	is(value($node, q{SELECT count(*) FROM ratchet.runs r WHERE r.scheduled_at BETWEEN (SELECT min(at) FROM foretold) AND (SELECT max(at) FROM foretold) AND NOT EXISTS (SELECT FROM foretold f WHERE r.job_name = f.job_name AND r.scheduled_at = f.at)}), 0, 'and no other');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

finish();
