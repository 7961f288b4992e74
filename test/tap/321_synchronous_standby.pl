# Commits of a run wait for a synchronous standby. What cancels the run meanwhile never ends that wait: the run
# obeys at the next boundary, once the standby is back, and its effect and its record agree.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Cluster;
use Test::More;

# Those who look and ask do not wait for the standby; runs do.
my $primary = new_node('primary', init => [ allows_streaming => 1 ], extension => 0,
	conf => "wal_receiver_status_interval = 1\nsynchronous_commit = local\nratchet.cancel_grace = 300ms\n");
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
watch_log($standby);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'\n");
$primary->reload;
wait_until($primary, q{SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'}, 'the standby is synchronous');

value($primary, q{
	CREATE EXTENSION pg_ratchet;
	CREATE TABLE invoice (id int PRIMARY KEY);
	INSERT INTO invoice SELECT generate_series(1, 30);
	CREATE TABLE sent (job text, id int, run_id bigint);
	CREATE FUNCTION send(job text, id int) RETURNS void BEGIN ATOMIC
		INSERT INTO sent VALUES (job, id, ratchet.run_id());
	END;
	CREATE PROCEDURE send_in_steps(job text) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM send(job, 1);
		COMMIT;
		PERFORM send(job, 2);
		COMMIT;
	END $$});

sub define
{
	my ($job, $kind, $options) = @_;
	$options = defined $options ? ", $options" : '';
	$options .= q{, settings => '{"synchronous_commit": "remote_apply"}'};
	value($primary,
		$kind eq 'batch' ? qq{SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT id FROM invoice', 'SELECT send(''$job'', \$1)', batch_size => 10$options)}
		: $kind eq 'steps' ? qq{SELECT ratchet.schedule('$job', '\@manual', 'CALL send_in_steps(''$job'')'$options)}
		: qq{SELECT ratchet.schedule('$job', '\@manual', 'SELECT send(''$job'', 1)'$options)});
	# What is kept of a definition is committed before its first run.
	value($primary, qq{CALL ratchet.run('$job', dry_run => true)}) unless $kind eq 'steps';
	return;
}

sub standby_is_away { value($standby, 'SELECT pg_wal_replay_pause()'); return wait_until($standby, q{SELECT pg_get_wal_replay_pause_state() = 'paused'}, 'the standby does not apply'); }
sub standby_is_back { return value($standby, 'SELECT pg_wal_replay_resume()'); }

# In a worker, or in a session of its own, which is returned. The run then waits for the standby.
sub begin
{
	my ($job, $where) = @_;
	my $session;
	if ($where eq 'worker')
	{
		value($primary, "SELECT ratchet.trigger('$job')");
	}
	else
	{
		$session = session($primary);
		$session->query_safe('SET synchronous_commit = remote_apply');
		$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('$job');\nSELECT 'the next statement';\n");
	}
	wait_until($primary, waits($job), 'it waits for the standby');
	return (value($primary, "SELECT run_id FROM ratchet.running WHERE job_name = '$job'"), $session);
}

sub waits
{
	my ($job) = @_;
	return "SELECT count(*) = 1 FROM ratchet.running JOIN pg_stat_activity USING (pid) WHERE job_name = '$job' AND wait_event = 'SyncRep'";
}

# Who asks again and again, for longer than a run may take to obey.
sub goes_on_waiting
{
	my ($job, $pid) = @_;
	for (1 .. 3)
	{
		run_job($primary, 'passes', 'SELECT pg_sleep(0.2)');
		value($primary, "SELECT ratchet.cancel(run_id) FROM ratchet.running WHERE job_name = '$job' AND cancel_asked");
	}
	is(value($primary, waits($job)), 't', 'it goes on waiting');
	is(value($primary, "SELECT pid FROM ratchet.running WHERE job_name = '$job'"), $pid, 'in the same process');
	return;
}

sub pid_of { my ($job) = @_; return value($primary, "SELECT pid FROM ratchet.running WHERE job_name = '$job'"); }

# Begins a run, has it asked to end while it waits for the standby, and lets the standby come back.
sub asked_while_it_waits
{
	my ($job, $where, $ask) = @_;
	standby_is_away();
	my ($run_id, $session) = begin($job, $where);
	my $pid = pid_of($job);
	$ask->($run_id);
	goes_on_waiting($job, $pid);
	standby_is_back();
	return ($run_id, $session, $pid);
}

sub cancel_run { my ($run_id) = @_; return value($primary, "SELECT ratchet.cancel($run_id)"); }

my %ways = (
	'ratchet.cancel' => { status => 'canceled', ask => \&cancel_run },
	'timeout' => {
		status => 'timed_out', options => q{timeout => '500 ms'},
		ask    => sub { wait_until($primary, "SELECT elapsed > interval '700 ms' FROM ratchet.running WHERE run_id = $_[0]", 'its time is over') }
	},
	'pg_cancel_backend' => { status => 'failed', ask => sub { value($primary, "SELECT pg_cancel_backend(pid) FROM ratchet.running WHERE run_id = $_[0]") } });

for my $where (qw(worker session))
{
	for my $way (sort keys %ways)
	{
		promise "a batch job in a $where, $way" => sub {
			my $job = "batch $where $way" =~ s/\W/ /gr;
			define($job, 'batch', $ways{$way}{options});
			my ($run_id, $session, $pid) = asked_while_it_waits($job, $where, $ways{$way}{ask});
			wait_run($primary, $run_id, $ways{$way}{status}, 'then it is stopped');
			is_run(run_record($primary, $run_id), { sqlstate => '57014', items_done => 10, batches => 1, worker_pid => int($pid) }, 'behind the batch');
			is(value($primary, "SELECT count(*) FROM sent WHERE run_id = $run_id"), 10, 'which is there');
			is(value($standby, "SELECT count(*) FROM sent WHERE run_id = $run_id"), 10, 'on the standby, too');
			if (defined $session)
			{
				like($session->query('SELECT 1 AS one'), qr/the next statement/, 'the session goes on');
				$session->quit;
			}
			value($primary, "SELECT ratchet.alter_job('$job', timeout => '1 minute')");
			wait_run($primary, value($primary, "SELECT ratchet.trigger('$job')"), 'succeeded', 'the next run does the rest');
			is(value($primary, "SELECT count(*) || ' ' || count(DISTINCT id) FROM sent WHERE job = '$job'"), '30 30', 'each item is done once');
		};
	}

	promise "a command in a $where: its last commit is the end" => sub {
		my $job = "plain $where";
		define($job, 'plain');
		my ($run_id, $session) = asked_while_it_waits($job, $where, \&cancel_run);
		wait_run($primary, $run_id, 'succeeded', 'it has succeeded');
		is(value($primary, "SELECT count(*) FROM sent WHERE run_id = $run_id"), 1, 'and its effect is there');
		if (defined $session)
		{
			like($session->query('SELECT 1 AS one'), qr/the next statement/, 'the next statement is not canceled');
			$session->quit;
		}
		is_run(run_job($primary, 'passes', 'SELECT pg_sleep(0.1)'), { status => 'succeeded' }, 'nor is the next run');
	};

	promise "a procedure in a $where that commits" => sub {
		my $job = "steps $where";
		define($job, 'steps');
		psql_ok($primary, "CALL ratchet.run('$job')", 'it can run') or return;
		value($primary, "DELETE FROM sent WHERE job = '$job'");
		my ($run_id, $session) = asked_while_it_waits($job, $where, \&cancel_run);
		wait_run($primary, $run_id, 'canceled', 'it is stopped');
		is(value($primary, "SELECT array_agg(id) FROM sent WHERE run_id = $run_id"), '{1}', 'behind its COMMIT');
		$session->quit if defined $session;
	};
}

promise 'a definition that a session keeps, for which the standby is waited for' => sub {
	value($primary, q{SELECT ratchet.schedule('fresh', '@manual', $$SELECT send('fresh', 1)$$)});
	standby_is_away();
	my $session = session($primary);
	$session->query_safe('SET synchronous_commit = remote_apply');
	$session->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('fresh');\n");
	wait_until($primary, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ~ 'fresh'}, 'a session has kept it, and waits');
	my $run_id = value($primary, q{SELECT ratchet.trigger('fresh')});
	run_job($primary, 'passes', 'SELECT 1') for 1 .. 3;
	is(run_status($primary, $run_id), 'queued', 'a run that needs it waits');
	is(value($primary, q{SELECT state FROM ratchet.status() WHERE component ~ '^scheduler'}), 'active', 'and holds up no others');
	standby_is_back();
	wait_run($primary, $run_id, 'succeeded', 'it runs when the session has committed');
	wait_until($primary, q{SELECT count(*) = 2 FROM ratchet.runs WHERE job_name = 'fresh' AND status = 'succeeded'}, 'and so does that of the session');
	$session->quit;
	is(value($primary, q{SELECT count(*) FROM ratchet.job_version JOIN ratchet.job USING (job_id) WHERE job.job_name = 'fresh'}), 1, 'it is kept once');
};

promise 'nobody has ended a wait' => sub {
	my $log = PostgreSQL::Test::Utils::slurp_file($primary->logfile);
	unlike($log, qr/canceling (the )?wait for synchronous replication/, 'the log says so');
	unlike($log, qr/duplicate key/, 'and knows of no collision');
};

finish();
