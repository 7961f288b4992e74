# Who has a turn when there is more to do than can be done.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 1\n");

promise 'a job that failed has its turn on a server that is never at rest' => sub {
	# Each of them is always due.
	$node->safe_psql('postgres', qq{SELECT ratchet.schedule('busy$_', '5 ms', 'SELECT pg_sleep(0.02)', overlap => 'queue')}) for 1 .. 3;
	wait_until($node, q{SELECT count(*) > 30 FROM ratchet.runs WHERE job_name LIKE 'busy%' AND status = 'succeeded'});
	my $run_id = begin_run($node, 'unlucky', 'SELECT 1 / (ratchet.attempt() - 1)', q{max_attempts => 2, backoff => '50 ms'});
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run_id", 'the retry runs');
	is(value($node, q{SELECT count(DISTINCT job_name) FROM ratchet.runs WHERE job_name LIKE 'busy%' AND run_id >
			(SELECT run_id FROM ratchet.runs WHERE job_name = 'unlucky' AND attempt = 2)}),
		3, 'while all others go on');
};

finish();
