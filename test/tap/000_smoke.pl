# The library is preloaded, the extension can be created, and a job runs by itself.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', extension => 0);

is(value($node, 'SHOW shared_preload_libraries'), 'pg_ratchet', 'the library is preloaded');
psql_ok($node, 'CREATE EXTENSION pg_ratchet', 'the extension is created');
psql_ok($node, q{SELECT ratchet.schedule('tick', '1 second', 'SELECT 1')}, 'a job is scheduled');
wait_until(
	$node,
	q{SELECT count(*) >= 2 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'succeeded'},
	'it runs every second');
is( value($node, q{SELECT count(*) FROM ratchet.runs WHERE status NOT IN ('succeeded', 'running')}),
	0, 'every run succeeded');
psql_ok($node, q{SELECT ratchet.unschedule('tick')}, 'the job is removed');
psql_ok($node, 'DROP EXTENSION pg_ratchet', 'the extension is dropped');

finish();
