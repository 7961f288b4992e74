# The clock was ahead when jobs were defined, and is set back: for as long as it is behind that time they go
# on as ever, also when the scheduler is replaced or the jobs are altered all the time.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use RatchetTest;
use ServerClock;
use Test::More;

my $node = with_clock(sub { new_node('main', conf => "ratchet.log_runs = none\nlog_statement = none\n") });
$node->safe_psql('postgres', q{
	SELECT ratchet.schedule('each', '6 seconds', 'SELECT 1');
	SELECT ratchet.schedule('after', '6 seconds after completion', 'SELECT 1')});
my $runs = q{SELECT count(*) FROM ratchet.runs WHERE job_name = '%s' AND status = 'succeeded'};
wait_until($node, sprintf("SELECT ($runs) > 0", $_), "$_ runs") for 'each', 'after';
set_clock(-7200);
value($node, q{SELECT ratchet.schedule('notice', '@manual', 'SELECT 1')});
wait_log($node, 'the clock was set back', 'the scheduler notices');

# Until both jobs have run twice; a disturbance comes more often than they do.
sub go_on
{
	my ($what, $disturb) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %goal = map { $_ => 2 + value($node, sprintf($runs, $_)) } 'each', 'after';
	my $left = within(25);
	while ($left-- > 0 && grep { value($node, sprintf($runs, $_)) < $goal{$_} } keys %goal)
	{
		$disturb->();
		value($node, q{SELECT count(*) FROM generate_series(1, 100) WHERE pg_sleep(0.01) IS NOT NULL});
	}
	cmp_ok(value($node, sprintf($runs, $_)), '>=', $goal{$_}, "$what: $_") for sort keys %goal;
	return;
}

promise 'jobs that are altered again and again' => sub {
	go_on('run', sub { value($node, q{SELECT ratchet.alter_job(job_name, priority => (random() * 100)::int) FROM ratchet.jobs}) });
};

promise 'a scheduler that is replaced again and again' => sub {
	go_on('runs', sub { terminate_ratchet($node, 'scheduler', 'postgres') if ratchet_pids($node, 'scheduler', 'postgres') });
};

finish();
