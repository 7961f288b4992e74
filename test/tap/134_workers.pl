# More work than worker processes: it waits in order, everybody gets a turn, and the log says what to do.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $roles = 6;

sub make_jobs
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION wait_for_lock() RETURNS void BEGIN ATOMIC
	SELECT pg_advisory_xact_lock_shared(1);
END;
GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
SQL
	for my $role (1 .. $roles)
	{
		$node->safe_psql('postgres', <<"SQL");
CREATE ROLE r$role LOGIN;
SELECT ratchet.schedule('wait$role', '\@manual', 'SELECT wait_for_lock()', run_as => 'r$role');
SELECT ratchet.schedule('tick$role', '300 ms', 'SELECT 1', run_as => 'r$role');
SELECT ratchet.schedule('many$role', '\@manual', 'SELECT pg_sleep(0.02)', run_as => 'r$role');
SQL
	}
	return;
}

sub log_lines
{
	my ($node, $pattern) = @_;
	return scalar grep { /$pattern/ } split /\n/, slurp_file($node->logfile);
}

# All workers are busy, and one message says which setting is too small.
sub check_shortage
{
	my ($node, $message, $hint, $other) = @_;
	my $lock = lock_session($node, 1);
	my @runs = map { value($node, "SELECT ratchet.trigger('wait$_')") } 1 .. $roles;
	my $ids = join ', ', @runs;
	wait_log($node, $message, 'the log says that runs wait');
	is(log_lines($node, qr/HINT:.*$hint/) > 0, 1, "and hints at $hint");
	cmp_ok(value($node, "SELECT count(*) FROM ratchet.runs WHERE run_id IN ($ids) AND status IN ('queued', 'running')"), '==', $roles, 'nothing is lost');
	my $status = value($node, q{SELECT string_agg(concat_ws(' ', state, detail, hint), ' ') FROM ratchet.status() WHERE state <> 'ok'});
	like($status, qr/$hint/, 'so does ratchet.status()');
	unlike($status . slurp_file($node->logfile), qr/(increase|[Rr]aise) $other/, "nobody is told to raise $other");
	$lock->quit;
	wait_run($node, $_, 'succeeded') for @runs;
	my $last = value($node, 'SELECT max(run_id) FROM ratchet.runs');
	wait_until($node, "SELECT count(DISTINCT job_name) = $roles FROM ratchet.runs WHERE job_name LIKE 'tick%' AND status = 'succeeded' AND run_id > $last",
		'the jobs of all roles run on');
	is(log_lines($node, $message), 1, 'it was said once');
	return;
}

# A role with much to do does not keep the others waiting until it is through.
sub check_fairness
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{SELECT ratchet.pause_job('tick' || n) FROM generate_series(1, 6) n});
	my $first = value($node, q{SELECT min(ratchet.trigger('many1', "coalesce" => false)) FROM generate_series(1, 100)});
	my $others = value($node, q{SELECT string_agg(ratchet.trigger('many' || n)::text, ', ') FROM generate_series(2, 6) n});
	wait_until($node, "SELECT count(*) = 105 FROM ratchet.runs WHERE run_id >= $first AND job_name LIKE 'many%' AND status = 'succeeded'", 'all runs end');
	is( value(
			$node,
			"SELECT max(started_at) FILTER (WHERE run_id IN ($others)) < max(started_at) FILTER (WHERE job_name = 'many1')
			   FROM ratchet.runs WHERE run_id >= $first"),
		't',
		'every role has its turn before the busiest one is through');
	is( value(
			$node,
			"SELECT count(*) FROM (SELECT started_at < lag(started_at) OVER (ORDER BY run_id) AS overtakes FROM ratchet.runs
			   WHERE run_id >= $first AND job_name = 'many1') r WHERE overtakes"),
		0,
		'the work of one role is done in the order in which it came');
	return;
}

subtest 'max_worker_processes is too small' => sub {
	# The launcher, two schedulers, and what the server starts for itself leave two or three.
	my $node = new_node('processes', conf => "max_worker_processes = 6\nmax_logical_replication_workers = 0\nratchet.max_workers = 8");
	make_jobs($node);
	wait_until($node, "SELECT count(DISTINCT job_name) = $roles FROM ratchet.runs WHERE job_name LIKE 'tick%' AND status = 'succeeded'", 'all roles get their turn');
	check_shortage($node, qr/LOG:  runs wait for a worker: no background process can be started/, 'max_worker_processes', 'ratchet.max_workers');
	check_fairness($node);
	$node->stop;
};

subtest 'ratchet.max_workers is too small' => sub {
	my $node = new_node('workers', conf => 'ratchet.max_workers = 2');
	make_jobs($node);
	wait_until($node, "SELECT count(DISTINCT job_name) = $roles FROM ratchet.runs WHERE job_name LIKE 'tick%' AND status = 'succeeded'", 'all roles get their turn');
	check_shortage($node, qr/LOG:  runs wait for a worker: all 2 workers are in use/, 'ratchet.max_workers', 'max_worker_processes');
	check_fairness($node);
	subtest 'what is important comes first' => sub {
		my $lock = lock_session($node, 1);
		# The one place that a role may have of two is taken, so that all of these wait.
		value($node, q{SELECT ratchet.trigger('wait1')});
		wait_until($node, q{SELECT count(*) = 1 FROM ratchet.running});
		my $commands = join '; ', map {
			"SELECT ratchet.schedule('p$_', '\@manual', 'SELECT 1', run_as => 'r1', priority => $_); SELECT ratchet.trigger('p$_')"
		} 5, -1, 3;
		$node->safe_psql('postgres', "BEGIN; $commands; COMMIT");
		wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name ~ '^p' AND status = 'queued'});
		$lock->quit;
		wait_until($node, q{SELECT count(*) = 3 FROM ratchet.runs WHERE job_name ~ '^p' AND status = 'succeeded'});
		is(value($node, q{SELECT string_agg(job_name, ' ' ORDER BY started_at) FROM ratchet.runs WHERE job_name ~ '^p'}), 'p-1 p3 p5',
			'in the order of priority');
	};
};

finish();
