# What somebody sees who looks from psql: ratchet.overview, and the causes in ratchet.job_health and
# ratchet.status().

use strict;
use warnings;
use utf8;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nratchet.max_workers_per_role = 4\nmax_worker_processes = 20\n");

value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE auditor LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE orders (id int PRIMARY KEY, paid int, share int);
	INSERT INTO orders SELECT n, n, n % 5 FROM generate_series(1, 200) n;
	CREATE TABLE pace (seconds float8);
	INSERT INTO pace VALUES (0);
	GRANT ALL ON orders, pace TO shop});

sub health { return value($node, "SELECT color || ': ' || why FROM ratchet.job_health WHERE job_name = '$_[0]'", user => 'watcher'); }

# The lines of a table as psql shows it, without its borders and the number of rows.
sub lines_of
{
	my ($sql, %as) = @_;
	my ($out, $err) = ('', '');
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '--no-psqlrc', '-P', 'format=aligned', '-P', 'tuples_only=off', '-P', 'footer=off', '-P', 'pager=off', %as ? ('-U', $as{user}) : () ]);
	is($err, '', 'no error');
	utf8::decode($out);
	return split /\n/, $out;
}

promise 'one line for each job, the worst first, and none wider than 110 columns' => sub {
	value($node, q{
		SELECT ratchet.schedule('purge', '@manual', 'SELECT 1', enabled => false);
		SELECT ratchet.schedule('refresh the materialized views of the sales department', '1 day', 'SELECT 1');
		SELECT ratchet.schedule('每天晚上更新客户的销售统计报表和库存统计报表', '@manual', 'SELECT 1');
		SELECT ratchet.schedule('settle', '@manual', $$DO 'BEGIN RAISE EXCEPTION E''the account 4711\n is closed,\tand nobody has said since when that has been the case or whom to ask about it''; END'$$);
		SELECT ratchet.schedule_batch('shares', '@manual', 'SELECT id, paid, share FROM public.orders', 'UPDATE public.orders SET paid = $2 / $3 WHERE id = $1')}, user => 'shop');
	for my $job ('refresh the materialized views of the sales department', '每天晚上更新客户的销售统计报表和库存统计报表', 'settle', 'shares')
	{
		my $run = value($node, "SELECT ratchet.trigger('$job')", user => 'shop');
		wait_until($node, "SELECT status IN ('succeeded', 'failed') FROM ratchet.runs WHERE run_id = $run");
	}
	wait_until($node, q{SELECT count(*) = 4 FROM ratchet.job_health WHERE runs_24h = 1});
	my @lines = lines_of('SELECT * FROM ratchet.overview', user => 'watcher');
	is(scalar @lines, 2 + 5, 'a line each, whatever is in the error');
	for my $line (@lines)
	{
		my $wide = () = $line =~ /\p{East_Asian_Width=Wide}/g;
		cmp_ok(length($line) + $wide, '<=', 110, 'it fits') or diag($line);
	}
	is(join(' ', map { s/^\s*(\S+).*/$1/r } @lines[ 2 .. 6 ]), 'red amber green green gray', 'the worst first') or diag(join "\n", @lines);
	like($lines[2], qr{\| settle .* failed .*\| 1/1 +\| +\| the account 4711\.\.$}, 'the error itself stands behind what failed');
	like($lines[3], qr{\| shares .*\| 0/1 +\| 40 +\| failed items}, 'and how many items are open');
	like($lines[4], qr{\| refresh the materi\.\. \| succeeded \|}, 'a long name is cut');
	like($lines[5], qr{\| 每天晚上更新客户的\.\. \|}, 'also one whose letters take two columns');
	like($lines[6], qr{\| purge .*\| paused *$}, 'who is paused comes last');
	is(value($node, 'SELECT count(*) FROM ratchet.overview', user => 'auditor'), 0, 'others see nothing of it');
	is(value($node, 'SELECT count(*) FROM ratchet.overview', user => 'shop'), 5, 'the owner does');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'a run that lasts for much longer than usual is seen while it runs' => sub {
	value($node, q{SELECT ratchet.schedule('export', '@manual', 'SELECT pg_sleep(seconds) FROM public.pace')}, user => 'shop');
	my $first = value($node, q{UPDATE pace SET seconds = 60; SELECT ratchet.trigger('export')}, user => 'shop');
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $first");
	like(health('export'), qr/^gray: runs for the first time, for [0-9.]+m?s$/, 'the first run is told');
	value($node, "SELECT ratchet.cancel($first); UPDATE pace SET seconds = 0");
	wait_run($node, $first, 'canceled');
	is(health('export'), 'amber: the last run was canceled');
	wait_run($node, value($node, q{SELECT ratchet.trigger('export')}), 'succeeded') for 1 .. 6;
	wait_until($node, q{SELECT runs_24h = 7 FROM ratchet.job_health WHERE job_name = 'export'});
	like(health('export'), qr/^green: /);
	# A slow disk is imitated by a run that began a minute ago.
	my $stuck = value($node, q{UPDATE pace SET seconds = 100; SELECT ratchet.trigger('export')});
	wait_until($node, q{SELECT why ~ '^runs for 1[0-9]s, usually [0-9.]+ms$' AND color = 'amber' FROM ratchet.job_health WHERE job_name = 'export'}, 'so is one that is slow');
	my ($line) = grep { /export/ } lines_of('SELECT * FROM ratchet.overview');
	like($line, qr/^ amber \| export \| running/, 'and ratchet.overview has it');
	value($node, "SELECT ratchet.cancel($stuck); UPDATE pace SET seconds = 0");
	wait_run($node, $stuck, 'canceled');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'a job that takes longer than its interval says so' => sub {
	value($node, q{SELECT ratchet.schedule('poll the scales', '100 ms', 'SELECT pg_sleep(0.25)');
		SELECT ratchet.schedule('poll the doors', '1 second', 'SELECT pg_sleep(0.01)')}, user => 'shop');
	wait_until($node, q{SELECT color = 'amber' AND why ~ '^takes 2[0-9][0-9]ms, longer than its interval: left out [0-9]+ of the last [0-9]+$' FROM ratchet.job_health WHERE job_name = 'poll the scales'},
		'how long it takes, and how much is left out', user => 'shop');
	wait_until($node, q{SELECT color = 'green' FROM ratchet.job_health WHERE job_name = 'poll the doors'}, 'one that does not is green');
	value($node, 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
};

promise 'a shortage of workers is seen where all jobs have one role' => sub {
	value($node, q{SELECT count(ratchet.trigger(job_name)) FROM (SELECT 'report ' || n AS job_name, ratchet.schedule('report ' || n, '@manual', 'SELECT pg_sleep(1000)') FROM generate_series(1, 4) n) j}, user => 'shop');
	wait_until($node, 'SELECT count(*) = 4 FROM ratchet.running');
	value($node, q{SELECT ratchet.schedule('heartbeat', '1 second', 'SELECT 1'); SELECT ratchet.schedule('on demand', '@manual', 'SELECT 1')}, user => 'shop');
	my $asked = value($node, q{SELECT ratchet.trigger('on demand')}, user => 'shop');
	my $waits = 'waits for a worker: all 4 of ratchet.max_workers are busy';
	wait_until($node, "SELECT why = '$waits' FROM ratchet.job_health WHERE job_name = 'heartbeat'", 'ratchet.job_health has the cause');
	wait_until($node, "SELECT reason = '$waits' FROM ratchet.runs WHERE run_id = $asked", 'so has a run that was asked for');
	wait_until($node, q{SELECT state = 'short' AND detail ~ '^4 of 4, 0 idle, runs wait for a worker since ' FROM ratchet.status() WHERE component = 'workers'}, 'and ratchet.status()');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name LIKE 'report%' AND waits_for IS NOT NULL}), 0, 'who runs waits for nothing');
	value($node, 'SELECT ratchet.cancel(run_id) FROM ratchet.running');
	wait_run($node, $asked, 'succeeded', 'then it runs');
	wait_until($node, q{SELECT color = 'green' FROM ratchet.job_health WHERE job_name = 'heartbeat'}, 'and all is well');
};

promise 'ratchet.enabled = off is told as the cause' => sub {
	$node->append_conf('postgresql.conf', 'ratchet.enabled = off');
	$node->reload;
	wait_until($node, q{SELECT color = 'amber' AND why = 'nothing starts: ratchet.enabled is off' FROM ratchet.job_health WHERE job_name = 'heartbeat'}, 'amber, with the cause');
	wait_until($node, q{SELECT clock_timestamp() > next_run_at + interval '8 seconds' FROM ratchet.jobs WHERE job_name = 'heartbeat'});
	is(health('heartbeat'), 'amber: nothing starts: ratchet.enabled is off', 'also when more than two runs are missing');
	$node->append_conf('postgresql.conf', 'ratchet.enabled = on');
	$node->reload;
	wait_until($node, q{SELECT color = 'green' FROM ratchet.job_health WHERE job_name = 'heartbeat'}, 'until it is on again');
};

finish();
