# A role that takes all it can get: what others keep of the workers, and of the time.
# See docs/security.md, "Asking for too much".

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nratchet.cancel_grace = '300 ms'\nmax_worker_processes = 20\n");

value($node, q{
	CREATE ROLE marketing LOGIN;
	CREATE ROLE billing LOGIN;
	CREATE ROLE "Data Team" LOGIN;
	CREATE ROLE dba SUPERUSER LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE invoices_sent (at timestamptz DEFAULT clock_timestamp());
	GRANT ALL ON invoices_sent TO billing;
	CREATE TABLE customers (id int PRIMARY KEY, greeted_at timestamptz);
	INSERT INTO customers SELECT generate_series(1, 1000);
	GRANT ALL ON customers TO marketing});
value($node, 'CREATE DATABASE shop');
value($node, 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC', db => 'shop');
value($node, q{SELECT ratchet.schedule('send invoices', '1 second', 'INSERT INTO public.invoices_sent DEFAULT VALUES')}, user => 'billing');

# The job of billing runs each second from now on.
sub invoices_go_out
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $since = value($node, 'SELECT clock_timestamp()');
	wait_until($node, "SELECT count(*) >= 4 FROM public.invoices_sent WHERE at > '$since'", $what);
	cmp_ok(value($node, qq{SELECT extract(epoch FROM max(gap)) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap
			FROM public.invoices_sent WHERE at > '$since') g}), '<', within(2.5), '... each second');
	return;
}

sub take_all
{
	my ($role, $db, $count, $command) = @_;
	$command //= 'SELECT pg_sleep(100000)';
	return value($node, "SELECT count(ratchet.schedule(current_user || ' report ' || n, '1 second', '$command')) FROM generate_series(1, $count) n",
		user => $role, db => $db);
}

sub give_up
{
	my ($role, $db) = @_;
	value($node, "SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name LIKE '$role report %'", user => $role, db => $db);
	wait_until($node, "SELECT count(ratchet.cancel(run_id)) = 0 FROM ratchet.running WHERE job_name LIKE '$role report %'", undef, db => $db);
	return;
}

my $running = q{SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker' AND usename = 'marketing' AND state = 'active' AND query LIKE '%pg_sleep%'};

promise 'one role that takes all workers leaves one to others' => sub {
	take_all('marketing', 'postgres', 8);
	wait_until($node, "SELECT ($running) >= 3", 'it gets as many as it may have');
	invoices_go_out('the job of another role runs');
	is(value($node, $running), 3, 'and no more');
	my $waits = q{waits for a worker: role marketing has all 3 that ratchet.max_workers_per_role gives it};
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.jobs WHERE 'waits for ' || waits_for = '} . $waits . q{'}, 'who waits says for what', user => 'marketing');
	is(value($node, q{SELECT count(*) FROM ratchet.jobs WHERE job_name LIKE '% report %' AND running = 1 AND waits_for IS NOT NULL}, user => 'marketing'), 0, 'who runs does not');
	like(value($node, q{SELECT why FROM ratchet.job_health WHERE job_name = 'marketing report 8'}, user => 'marketing'), qr/waits for a worker: role marketing/, 'so does ratchet.job_health');
	my $asked = value($node, q{SELECT ratchet.trigger('marketing report 8')}, user => 'marketing');
	wait_until($node, "SELECT reason = '$waits' FROM ratchet.runs WHERE run_id = $asked", 'and a run that was asked for');
	wait_until($node, q{SELECT detail ~ '^role marketing has all 3 workers' FROM ratchet.status() WHERE component = 'worker share'}, 'and ratchet.status()');
	is(value($node, q{SELECT state FROM ratchet.status() WHERE component = 'workers'}), 'ok', 'which knows that this is no shortage');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'send invoices'}), '', 'others wait for nothing');
};

promise 'work that waits for a worker of its own role costs next to nothing' => sub {
	my $pid = value($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler' AND datname = 'postgres'});
	my $cpu = sub { my @stat = split / /, (PostgreSQL::Test::Utils::slurp_file("/proc/$pid/stat") =~ s/^.*\) //r); return $stat[11] + $stat[12]; };
	my $before = $cpu->();
	my $since = value($node, 'SELECT clock_timestamp()');
	wait_until($node, "SELECT clock_timestamp() > '$since'::timestamptz + interval '3 s'");
	cmp_ok($cpu->() - $before, '<', within(30), 'in hundredths of a second of 3');
	give_up('marketing', 'postgres');
	wait_until($node, "SELECT ($running) = 0");
};

promise 'two databases of one role share what it may have' => sub {
	take_all('marketing', 'postgres', 4);
	wait_until($node, "SELECT ($running) = 3");
	take_all('marketing', 'shop', 4);
	invoices_go_out('the job of another role runs');
	is(value($node, $running), 3, 'it has no more in two databases than in one');
	give_up('marketing', 'postgres');
	wait_until($node, "SELECT ($running AND datname = 'shop') = 3", 'what is free in one is for the other');
	invoices_go_out('the job of another role runs still');
	give_up('marketing', 'shop');
	wait_until($node, "SELECT ($running) = 0");
};

promise 'workers that rest hold up nobody: of the same role in another database, or of another role' => sub {
	my @runs = map { begin_run($node, "list $_", 'SELECT pg_sleep(1)', undef, user => 'marketing') } 1 .. 3;
	wait_run($node, $_, 'succeeded') for @runs;
	my @long = map { begin_run($node, "long $_", 'SELECT pg_sleep(100000)', undef, user => 'dba', db => 'shop') } 1 .. 3;
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.running WHERE job_name LIKE 'long %'}, 'three workers for whoever wants them', db => 'shop');
	value($node, 'SELECT ratchet.cancel(run_id) FROM ratchet.running', db => 'shop');
	wait_run($node, $_, 'canceled', undef, db => 'shop') for @long;
};

promise 'workers of a role that rest in one database make room for it in another' => sub {
	my @runs = map { begin_run($node, "list $_", 'SELECT pg_sleep(1)', undef, user => 'marketing') } 1 .. 3;
	wait_run($node, $_, 'succeeded') for @runs;
	cmp_ok(value($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet worker' AND usename = 'marketing' AND state = 'idle'}), '>=', 2, 'they rest');
	my $run = begin_run($node, 'list', 'SELECT 1', undef, user => 'marketing', db => 'shop');
	starts_within($node, $run, 2, 'its job in the other one runs at once', db => 'shop');
};

promise 'short runs of one role in two databases take turns' => sub {
	value($node, q{SELECT ratchet.schedule('mail', '@manual', 'SELECT pg_sleep(0.02)'); SELECT count(ratchet.trigger('mail', "coalesce" => false)) FROM generate_series(1, 5000);
		SELECT ratchet.alter_job('mail', overlap => 'allow')}, user => 'marketing');
	wait_until($node, q{SELECT count(*) > 50 FROM ratchet.runs WHERE job_name = 'mail' AND status = 'succeeded'});
	my $run = begin_run($node, 'mail', 'SELECT 1', undef, user => 'marketing', db => 'shop');
	wait_run($node, $run, 'succeeded', 'the other database has its turn', db => 'shop');
	cmp_ok(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'mail' AND status = 'queued'}), '>', 10, '... before the first is through');
	value($node, q{SELECT ratchet.unschedule('mail')}, user => 'marketing');
};

promise 'a superuser that takes all workers leaves one to others' => sub {
	take_all('dba', 'postgres', 8);
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.running WHERE owner = 'dba'::regrole});
	invoices_go_out('the job of an ordinary role runs');
	give_up('dba', 'postgres');
};

promise 'ratchet.max_workers_per_role is for the administrator to set, and can be changed while everything runs' => sub {
	take_all('Data Team', 'postgres', 8);
	my $theirs = q{SELECT count(*) FROM ratchet.running WHERE owner::text = '"Data Team"'};
	wait_until($node, "SELECT ($theirs) = 3");
	$node->append_conf('postgresql.conf', 'ratchet.max_workers_per_role = 2');
	$node->reload;
	wait_until($node, q{SELECT setting = '2' FROM pg_settings WHERE name = 'ratchet.max_workers_per_role'});
	value($node, q{SELECT count(ratchet.cancel(run_id)) FROM ratchet.running WHERE owner::text = '"Data Team"'});
	wait_until($node, q{SELECT detail ~ '^role "Data Team" has all 2 workers' FROM ratchet.status() WHERE component = 'worker share'}, 'two from then on');
	is(value($node, $theirs), 2, 'and not more');
	$node->append_conf('postgresql.conf', 'ratchet.max_workers_per_role = 4');
	$node->reload;
	wait_until($node, "SELECT ($theirs) >= 3", 'more again');
	give_up('Data Team', 'postgres');
	psql_fails($node, 'SET ratchet.max_workers_per_role = 1000', qr/55P02/, 'nobody sets it in a session', user => 'marketing');
	psql_fails($node, q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 1', settings => '{"ratchet.max_workers_per_role": 1000}')}, qr/ERROR/, '... nor in a job', user => 'marketing');
	$node->append_conf('postgresql.conf', 'ratchet.max_workers_per_role = 0');
	$node->reload;
};

promise 'jobs that never rest, and years of backfill, do not delay others' => sub {
	value($node, q{SELECT count(ratchet.schedule('marketing report ' || n, '@continuous', 'SELECT pg_sleep(0.001)')) FROM generate_series(1, 4) n}, user => 'marketing');
	value($node, q{SELECT count(ratchet.schedule('marketing report ' || n, '1 second', 'SELECT 1')) FROM generate_series(5, 8) n;
		SELECT sum(ratchet.backfill('marketing report ' || n, now() - interval '10 days', now())) FROM generate_series(5, 8) n}, user => 'marketing');
	invoices_go_out('the job of another role runs');
	my $lag = value($node, q{SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY started_at - scheduled_at)) FROM
		(SELECT * FROM ratchet.runs WHERE job_name = 'send invoices' AND status = 'succeeded' ORDER BY run_id DESC LIMIT 4) r});
	cmp_ok($lag, '<', within(1), '... and is not late');
	give_up('marketing', 'postgres');
};

# ---- Time

promise 'no run of an ordinary role lasts longer than ratchet.max_run_time' => sub {
	$node->append_conf('postgresql.conf', "ratchet.max_run_time = '700 ms'");
	$node->reload;
	wait_until($node, q{SELECT setting = '700' FROM pg_settings WHERE name = 'ratchet.max_run_time'});
	my $run = run_job($node, 'long report', 'SELECT pg_sleep(100000)', undef, user => 'marketing');
	is_run($run, { status => 'timed_out', sqlstate => '57014', error => 'run was canceled because it exceeded ratchet.max_run_time' }, 'it ends as timed_out, and says why');
	like($run->{error_hint}, qr/administrator/, '... and whose setting that is');
	$run = run_job($node, 'long report', 'SELECT pg_sleep(100000)', q{timeout => '1 day'}, user => 'marketing');
	is_run($run, { status => 'timed_out', error => 'run was canceled because it exceeded ratchet.max_run_time' }, 'a timeout of its own does not lengthen it');
	$run = run_job($node, 'long report', 'SELECT pg_sleep(100000)', q{timeout => '100 ms'}, user => 'marketing');
	is_run($run, { status => 'timed_out', error => 'run was canceled because it exceeded its timeout' }, 'and may be shorter');
	$run = run_job($node, 'stubborn', q{DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$}, undef, user => 'marketing');
	is_run($run, { status => 'timed_out', reason => 'exceeded ratchet.max_run_time, ignored being canceled and was terminated' }, 'who swallows it is terminated');
	is(run_job($node, 'backup', 'SELECT pg_sleep(1.5)', undef, user => 'dba')->{status}, 'succeeded', 'superusers have no bound');
	is(run_job($node, 'short', 'SELECT 1', undef, user => 'marketing')->{status}, 'succeeded', 'what is short runs as ever');
	psql_fails($node, q{SELECT ratchet.schedule('foreground', '@manual', 'SELECT pg_sleep(100000)') \g /dev/null
		CALL ratchet.run('foreground')}, qr/57014: run was canceled because it exceeded ratchet.max_run_time/, 'in the foreground, too', user => 'marketing');
};

promise 'a batch job that meets ratchet.max_run_time keeps what it has done, and goes on behind it' => sub {
	my $run = run_batch($node, 'greet', 'SELECT id FROM public.customers', 'UPDATE public.customers SET greeted_at = now() WHERE id = $1 AND pg_sleep(0.01) IS NOT NULL',
		q{batch_size => 10}, user => 'marketing');
	is_run($run, { status => 'timed_out' }, 'it is stopped');
	my $done = value($node, 'SELECT count(*) FROM customers WHERE greeted_at IS NOT NULL');
	is($run->{items_done}, $done, 'batches that were committed stay');
	cmp_ok($done, '>', 0, '... some of them');
	value($node, q{SELECT ratchet.trigger('greet')}, user => 'marketing');
	wait_until($node, "SELECT count(*) > $done FROM customers WHERE greeted_at IS NOT NULL", 'the next run goes on behind them');
};

promise 'who may not change ratchet.max_run_time cannot lift it' => sub {
	for my $sql ('SET ratchet.max_run_time = 0', 'ALTER ROLE marketing SET ratchet.max_run_time = 0', q{SELECT set_config('ratchet.max_run_time', '0', false)})
	{
		psql_fails($node, $sql, qr/42501/, $sql, user => 'marketing');
	}
	psql_fails($node, q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 1', settings => '{"ratchet.max_run_time": 0}')}, qr/42501/, 'by the settings of a job', user => 'marketing');
	my $run = run_job($node, 'lifts', q{SELECT set_config('ratchet.max_run_time', '0', false)}, undef, user => 'marketing');
	is_run($run, { status => 'failed', sqlstate => '42501' }, 'by its text');
	psql_ok($node, q{ALTER ROLE "Data Team" SET ratchet.max_run_time = '1 min'}, 'a superuser gives a role more');
	is(run_job($node, 'nightly load', 'SELECT pg_sleep(1.5)', undef, user => 'Data Team')->{status}, 'succeeded', '... and it has more');
	is(run_job($node, 'long report', 'SELECT pg_sleep(1.5)', undef, user => 'marketing')->{status}, 'timed_out', '... and others do not');
};

promise 'two roles that take all workers give them back when ratchet.max_run_time is over' => sub {
	take_all('marketing', 'postgres', 8);
	value($node, q{ALTER ROLE "Data Team" RESET ratchet.max_run_time});
	value($node, q{SELECT count(ratchet.schedule('load ' || n, '1 second', 'SELECT pg_sleep(100000)')) FROM generate_series(1, 8) n}, user => 'Data Team');
	my $since = value($node, 'SELECT clock_timestamp()');
	wait_until($node, "SELECT count(*) >= 5 FROM public.invoices_sent WHERE at > '$since'", 'the job of a third one runs');
};

$node->stop;

# ---- Databases

promise 'many databases of one owner do not hold up the jobs of others' => sub {
	my $small = new_node('small', conf => "max_worker_processes = 10\nratchet.max_workers = 3\nmax_logical_replication_workers = 0\n");
	value($small, q{
		CREATE ROLE landlord LOGIN CREATEDB;
		CREATE ROLE tenant LOGIN;
		GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
		CREATE TABLE paid (at timestamptz DEFAULT clock_timestamp());
		GRANT ALL ON paid TO tenant});
	value($small, 'CREATE DATABASE house OWNER landlord');
	value($small, 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC', db => 'house');
	value($small, q{SELECT ratchet.schedule('clean', '1 second', 'SELECT 1')}, user => 'landlord', db => 'house');
	value($small, q{SELECT ratchet.schedule('pay', '1 second', 'INSERT INTO public.paid DEFAULT VALUES')}, user => 'tenant');
	for my $i (1 .. 14)
	{
		value($small, "CREATE DATABASE house$i TEMPLATE house", user => 'landlord');
		value($small, 'SELECT ratchet.adopt()', user => 'landlord', db => "house$i");
	}
	wait_until($small, q{SELECT state = 'short' FROM ratchet.status() WHERE component = 'processes'}, 'there are too few processes for all of them');
	my $since = value($small, 'SELECT clock_timestamp()');
	wait_until($small, "SELECT clock_timestamp() > '$since'::timestamptz + interval '25 s'");
	cmp_ok(value($small, qq{SELECT extract(epoch FROM max(gap)) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap
			FROM (SELECT at FROM public.paid WHERE at > '$since' UNION ALL SELECT now()) a) g}), '<', within(5), 'the job of another owner runs on');
	cmp_ok(value($small, "SELECT count(*) FROM public.paid WHERE at > '$since'"), '>', 12, '... most of the time');
	like(value($small, q{SELECT detail FROM ratchet.status() WHERE component = 'processes'}), qr/schedulers are for databases of role landlord/, 'ratchet.status() says who has so many');
	ok(value($small, q{SELECT count(*) > 3 FROM ratchet.run_log WHERE job_name = 'clean'}, db => 'house14') eq 't', 'and those have their turns');
};

finish();
