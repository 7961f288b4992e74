# What costs must not depend on, as far as it can be told without a clock: the newest runs are
# found however many wait, and the scheduler's updates stay on their page.

use strict;
use warnings;

use RatchetTest;
use List::Util qw(sum0);
use JSON::PP;
use Test::More;

my $node = new_node('main', conf => "ratchet.log_runs = none\nlog_statement = none\nautovacuum = off\n");

value($node, "CREATE ROLE somebody LOGIN; GRANT USAGE ON SCHEMA ratchet TO somebody");
value($node, q{SELECT count(ratchet.schedule('job' || i, '@manual', 'SELECT 1', overlap => 'allow', run_as => 'somebody'))
	FROM generate_series(1, 200) AS i});

sub ask
{
	my ($times) = @_;
	return value($node, qq{SET synchronous_commit = off;
		SELECT count(ratchet.trigger(job_name, "coalesce" => false)) FROM ratchet.job, generate_series(1, $times)});
}

# ---- The scheduler's updates

my $of_both = "FROM pg_stat_user_tables WHERE schemaname = 'ratchet' AND relname IN ('job_state', 'run_queue')";

ask(50);
wait_until($node, 'SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)', 'all runs have ended');
# A claim each, and now and then the state of a job.
wait_until($node, "SELECT sum(n_tup_upd) >= 10000 $of_both", 'the updates are counted');
my $share = value($node, "SELECT sum(n_tup_hot_upd) / sum(n_tup_upd) $of_both");
cmp_ok($share, '>', 0.75, sprintf('updates of the queue and the states stay on their page: %.2f', $share));

# ---- The newest runs while many wait

value($node, 'ALTER SYSTEM SET ratchet.enabled = off');
value($node, 'SELECT pg_reload_conf()');
ask(25);
value($node, 'VACUUM ANALYZE');

# Rows of all steps of the plan.
sub rows_of
{
	my ($plan) = @_;
	return $plan->{'Actual Rows'} * $plan->{'Actual Loops'} + sum0(map { rows_of($_) } @{ $plan->{Plans} // [] });
}

for my $role ('none', 'somebody')
{
	my $query = 'SELECT * FROM ratchet.runs ORDER BY run_id DESC LIMIT 50';
	is(value($node, "SET ROLE $role; SELECT count(*) FROM ($query) AS newest WHERE status = 'queued'"), 50,
		"as role $role: the newest runs are those that wait");
	my $plan = decode_json(join '', split /\n/, value($node, "SET ROLE $role; EXPLAIN (ANALYZE, FORMAT json) $query"));
	my $rows = rows_of($plan->[0]{Plan});
	cmp_ok($plan->[0]{Plan}{'Total Cost'}, '<', 20_000, "as role $role: the plan is not taken for a dear one");
	cmp_ok($rows, '<', 60_000, "as role $role: no step looks through all jobs for each of 5000 runs that wait, rows: $rows");
}

finish();
