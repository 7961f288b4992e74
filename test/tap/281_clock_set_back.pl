# The clock was ahead when the extension was created, and is set back: the jobs of this database are not
# taken for those of a copy, although they seem to be older than the extension.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

promise 'jobs that are defined after the clock was set back run after a restart' => sub {
	# As if the extension had been created an hour later than now.
	$node->safe_psql('postgres', q{UPDATE ratchet.home SET since = since + interval '1 hour'});
	$node->safe_psql('postgres', define_job('late', 'SELECT 1'));
	$node->restart;
	my $run_id = value($node, q{SELECT ratchet.trigger('late')});
	wait_run($node, $run_id, 'succeeded', 'a job runs');
	is(value($node, q{SELECT state FROM ratchet.status() WHERE component = 'scheduler'}), 'active', 'the database is not held back');
};

finish();
