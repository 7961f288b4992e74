# What costs must not depend on, as far as it can be told without a clock: the newest runs are
# found however many wait, the scheduler's updates stay on their page, and a run of a job costs no
# more when many others of it wait.

use strict;
use warnings;

use RatchetTest;
use List::Util qw(max sum0);
use JSON::PP;
use Test::More;

my $node = new_node('main', conf => "ratchet.log_runs = none\nlog_statement = none\nautovacuum = off\nfull_page_writes = off\n");

value($node, "CREATE ROLE somebody LOGIN; GRANT USAGE ON SCHEMA ratchet TO somebody");
value($node, q{SELECT count(ratchet.schedule('job' || i, '@manual', 'SELECT 1', overlap => 'allow', run_as => 'somebody'))
	FROM generate_series(1, 200) AS i});

sub set_enabled
{
	my ($value) = @_;
	value($node, "ALTER SYSTEM SET ratchet.enabled = $value");
	value($node, 'SELECT pg_reload_conf()');
	return;
}

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

set_enabled('off');
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

# ---- Many runs of one job, which runs one at a time

sub drain
{
	set_enabled('on');
	wait_until($node, 'SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)', 'all runs have ended');
	set_enabled('off');
	return;
}

sub index_entries
{
	return value($node, q{SELECT pg_stat_force_next_flush(); SELECT idx_tup_read FROM pg_stat_user_indexes
		WHERE indexrelid = 'ratchet.run_queue_job_idx'::regclass});
}

drain();
value($node, q{SELECT ratchet.schedule('one_by_one', '@manual', 'SELECT 1')});
my %wal;
for my $count (200, 4000)
{
	my $before = index_entries();
	value($node, qq{SELECT count(ratchet.trigger('one_by_one', jsonb_build_object('n', n))) FROM generate_series(1, $count) AS n;
		SELECT count(ratchet.trigger('one_by_one', jsonb_build_object('n', n))) FROM generate_series(1, $count) AS n});
	is(value($node, 'SELECT count(*) FROM ratchet.run_queue'), $count, "$count payloads wait, each of which was asked for twice");
	# Other processes count late what they did before.
	my $read = (index_entries() - $before) / $count;
	cmp_ok($read, '<', 10, sprintf('a trigger looks at no more than the run that it shares: %.1f', $read)) if $count > 1000;
	my $lsn = value($node, 'SELECT pg_current_wal_insert_lsn()');
	drain();
	$wal{$count} = value($node, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')") / $count;
}
is(value($node, q{SELECT string_agg(DISTINCT status, ',') FROM ratchet.run_log WHERE job_name = 'one_by_one'}), 'succeeded',
	'all of them have run');
cmp_ok($wal{4000} / $wal{200}, '<', 1.3, sprintf('and wrote as much WAL each as with 200: %.0f and %.0f bytes', @wal{ 4000, 200 }));

# ---- Whose jobs they are

# How often each part of the plan was executed that decides which rows the role may see.
sub loops_of_subplans
{
	my ($plan) = @_;
	my @loops = map { loops_of_subplans($_) } @{ $plan->{Plans} // [] };
	push @loops, $plan->{'Actual Loops'}
	  if ($plan->{'Parent Relationship'} // '') eq 'SubPlan' && ($plan->{'Relation Name'} // '') eq 'job';
	return @loops;
}

value($node, q{SELECT count(ratchet.schedule('more' || i, '@manual', 'SELECT 1', overlap => 'allow', run_as => 'somebody'))
	FROM generate_series(1, 1000) AS i});
ask(1);
drain();
value($node, 'VACUUM ANALYZE');
for my $view ('jobs', 'job_health', 'stat_jobs')
{
	my $plan = decode_json(join '', split /\n/,
		value($node, "SET ROLE somebody; EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM ratchet.$view"));
	is($plan->[0]{Plan}{'Actual Rows'}, 1200, "$view: an owner sees its jobs");
	cmp_ok(max(loops_of_subplans($plan->[0]{Plan})), '<=', 1, "$view: whose they are is not asked for each row");
}

finish();
