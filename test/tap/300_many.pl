# Many jobs of many roles in several databases, a third of which fail, some slow, some endless: every
# occurrence is accounted for, nobody starves, and no process of ours grows.
#
# Here small and short. test/soak/many_at_once runs it large and long, by these variables:
#   MANY_JOBS MANY_ROLES MANY_DATABASES MANY_WORKERS MANY_SECONDS

use strict;
use warnings;

use RatchetTest;
use List::Util qw(max sum);
use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(sleep time);

my $jobs      = $ENV{MANY_JOBS}      // 48;
my $roles     = $ENV{MANY_ROLES}     // 4;
my $databases = $ENV{MANY_DATABASES} // 2;
my $workers   = $ENV{MANY_WORKERS}   // 4;
my $seconds   = $ENV{MANY_SECONDS}   // 12;
my $is_long   = $seconds >= 120;

my $node = new_node(
	'main',
	extension => 0,
	conf => "ratchet.max_workers = $workers\nratchet.log_runs = none\nlog_statement = none\n"
	  . 'max_worker_processes = ' . (2 * $workers + 2 * $databases + 8) . "\n"
	  . "ratchet.worker_idle_timeout = '5s'\n");
my @databases = map { "db$_" } 1 .. $databases;

value($node, "CREATE ROLE role$_ LOGIN") for 1 .. $roles;

# Kinds of jobs, as the number of the job chooses:
#   a third          fails; a third of those is repeated for the same occurrence
#   some             are slow
#   a few            never end by themselves, and have a timeout
#   the others       write
my $define = qq{
	CREATE EXTENSION pg_ratchet;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE done (job int, run_id bigint);
	GRANT INSERT ON done TO PUBLIC;
	SELECT count(ratchet.schedule('job' || i, kind[1], kind[2], run_as => ('role' || i % $roles + 1)::regrole,
		timeout => kind[3]::interval, max_attempts => kind[4]::int, backoff => '100 ms', backoff_cap => '2 s',
		misfire => (ARRAY['once', 'skip', 'all'])[i % 3 + 1], misfire_limit => 5,
		overlap => CASE WHEN i % 7 = 0 THEN 'queue' ELSE 'skip' END))
	FROM generate_series(0, $jobs / $databases - 1) AS i,
		LATERAL (SELECT CASE
			WHEN i % 9 = 2 THEN ARRAY['3 seconds', 'SELECT 1/0', NULL, '3']
			WHEN i % 3 = 2 THEN ARRAY['2 seconds', 'SELECT 1/0', NULL, '1']
			WHEN i % 40 = 7 THEN ARRAY['10 seconds', 'SELECT pg_sleep(3600)', '1 second', '1']
			WHEN i % 10 = 4 THEN ARRAY['6 seconds', 'SELECT pg_sleep(0.3)', NULL, '1']
			ELSE ARRAY['1500 ms', format('INSERT INTO done VALUES (%s, ratchet.run_id())', i), NULL, '1']
		END) AS kinds (kind)};

for my $database (@databases)
{
	value($node, "CREATE DATABASE $database");
	value($node, $define, db => $database);
}

# Memory that is a process's own, in kB: the shared pages that it has touched do not count.
sub memory
{
	my %memory;
	for my $line (split /\n/, value($node,
			q{SELECT pid || ' ' || backend_type FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet%'}))
	{
		my ($pid, $type) = split / /, $line, 2;
		open(my $file, '<', "/proc/$pid/status") or next;
		local $/ = undef;
		my ($own) = <$file> =~ /^RssAnon:\s+(\d+) kB/m;
		close($file);
		$memory{$type}{$pid} = $own if defined $own;
	}
	return %memory;
}

my $begin = time();
my $warm_up = $seconds / 4;
sleep($warm_up);
my %before = memory();
while ((my $left = $begin + $seconds - time()) > 0)
{
	sleep($left < 30 ? $left : 30);
	diag(sprintf('%d s, %d runs', time() - $begin,
			sum(map { value($node, 'SELECT count(*) FROM ratchet.run_log', db => $_) } @databases)))
	  if $is_long;
}
my %after = memory();

# Nothing more starts, and what runs comes to its end.
$node->append_conf('postgresql.conf', 'ratchet.enabled = off');
$node->reload;
for my $database (@databases)
{
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue WHERE claimed_at IS NOT NULL},
		"$database comes to rest", db => $database);
}

promise 'every occurrence is accounted for' => sub {
	for my $database (@databases)
	{
		# From the definition and from the log alone. The grid of an interval is anchored at the time of
		# scheduling. Attempts after the first one are for an occurrence that is counted already.
		value($node, q{
			CREATE TABLE accounts AS
			SELECT j.job_id, j.job_name, j.schedule::interval AS span, j.schedule_since AS since,
				max(scheduled_at) AS last, sum(occurrences) AS accounted,
				count(*) FILTER (WHERE mod(extract(epoch FROM scheduled_at - j.schedule_since)::numeric,
					extract(epoch FROM j.schedule::interval)::numeric) <> 0) AS off_grid,
				count(*) FILTER (WHERE status <> 'skipped') AS started
			FROM ratchet.job AS j LEFT JOIN ratchet.run_log AS r ON r.job_id = j.job_id AND cause IN ('schedule', 'catchup')
			GROUP BY j.job_id}, db => $database);
		is( value($node, q{
				SELECT string_agg(format('%s: %s of %s', job_name, accounted, expected), ', ')
				FROM (SELECT *, round(extract(epoch FROM last - since) / extract(epoch FROM span)) AS expected FROM accounts) a
				WHERE accounted IS DISTINCT FROM expected}, db => $database),
			'', "$database: as many as the schedules have");
		is(value($node, 'SELECT sum(off_grid) FROM accounts', db => $database), 0,
			"$database: all of them on the grid");
		is( value($node, q{
				SELECT string_agg(DISTINCT status || coalesce(' ' || reason, ''), ', ') FROM ratchet.run_log
				WHERE status NOT IN ('succeeded', 'failed', 'timed_out') AND NOT (status = 'skipped' AND reason IS NOT NULL)},
				db => $database),
			'', "$database: with a reason, if they did not run");
		is( value($node, q{
				SELECT count(*) FROM (SELECT 1 FROM ratchet.run_log WHERE status <> 'skipped' AND attempt = 1
					GROUP BY job_id, scheduled_at HAVING count(*) > 1) twice}, db => $database),
			0, "$database: none of them twice");
		is( value($node, q{
				SELECT count(*) FROM (SELECT started_at < lag(finished_at) OVER (PARTITION BY job_id ORDER BY started_at) AS early
					FROM ratchet.run_log WHERE started_at IS NOT NULL) r WHERE early}, db => $database),
			0, "$database: no two runs of a job overlapped");
	}
};

promise 'the log agrees with the data' => sub {
	for my $database (@databases)
	{
		is( value($node, q{
				SELECT count(*) FROM done FULL JOIN (SELECT run_id FROM ratchet.run_log JOIN ratchet.job USING (job_id)
					WHERE status = 'succeeded' AND command LIKE 'INSERT%') r USING (run_id)
				WHERE r.run_id IS NULL OR done.run_id IS NULL}, db => $database),
			0, $database);
	}
};

promise 'nobody starves' => sub {
	my $patience = $is_long ? 60 : 10;
	for my $database (@databases)
	{
		is( value($node, q{SELECT string_agg(job_name, ', ') FROM accounts WHERE started = 0
				AND since + 2 * span < (SELECT max(finished_at) FROM ratchet.run_log)}, db => $database),
			'', "$database: every job has run");
		is( value($node, q{
				SELECT string_agg(rolname, ', ') FROM pg_roles WHERE rolname LIKE 'role%'
					AND NOT EXISTS (SELECT FROM ratchet.run_log WHERE owner = pg_roles.oid AND started_at IS NOT NULL)}, db => $database),
			'', "$database: every role has run");
		# How far behind the schedule a job ever was: the time between its runs that is more than the
		# interval, leaving out back-off.
		my $lag = value($node, q{
			SELECT coalesce(round(extract(epoch FROM max(started_at - scheduled_at)), 1), 0) FROM ratchet.run_log AS r JOIN accounts USING (job_id)
			WHERE status = 'succeeded' AND cause = 'schedule'}, db => $database);
		note("$database: longest lag $lag s");
		cmp_ok($lag, '<', $patience, "$database: no run was late by more than $patience s");
		my $last = value($node, q{
			SELECT coalesce(round(extract(epoch FROM (SELECT max(finished_at) FROM ratchet.run_log) - min(last + span)), 1), 0) FROM accounts}, db => $database);
		cmp_ok($last, '<', $patience, "$database: nobody was forgotten in the end");
	}
};

promise 'memory does not grow' => sub {
	for my $type (sort keys %before)
	{
		my $grown = max(values %{ $after{$type} // { 0 => 0 } }) - max(values %{ $before{$type} });
		note(sprintf('%s: %d processes, largest %d kB, then %d kB', $type, scalar(keys %{ $before{$type} }),
				max(values %{ $before{$type} }), max(values %{ $after{$type} // { 0 => 0 } })));
		cmp_ok($grown, '<', 3000, "$type: less than 3 MB more than when it was warm");
	}
};

promise 'all kinds of ends were among them' => sub {
	for my $status (qw(succeeded failed timed_out skipped))
	{
		my $count = sum(map { value($node, "SELECT count(*) FROM ratchet.run_log WHERE status = '$status'", db => $_) } @databases);
		note("$status: $count");
		cmp_ok($count, '>', 0, $status);
	}
	is( sum(map { value($node, q{SELECT count(*) FROM ratchet.run_log WHERE status = 'failed' AND sqlstate <> '22012'}, db => $_) } @databases),
		0, 'no failures but those that were meant');
	cmp_ok(sum(map { value($node, q{SELECT count(*) FROM ratchet.run_log WHERE cause = 'retry'}, db => $_) } @databases),
		'>', 0, 'and attempts after the first one');
};

finish();
