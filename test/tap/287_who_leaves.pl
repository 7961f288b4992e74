# A scheduler leaves its database: somebody needs the database for himself, or others have their turn. What
# has happened at that very moment is not forgotten, however long it says that there is nothing to do.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "max_worker_processes = 20\n");
value($node, 'CREATE DATABASE shop');
value($node, q{
	CREATE EXTENSION pg_ratchet;
	SELECT ratchet.schedule('asked', '@manual', 'SELECT 1')}, db => 'shop');
wait_run($node, value($node, q{SELECT ratchet.trigger('asked')}, db => 'shop'), 'succeeded', 'a job runs', db => 'shop');

# Has the scheduler see at once that there is work and that it has to leave, by CREATE DATABASE.
sub while_leaving
{
	my ($sql) = @_;
	my ($pid) = ratchet_pids($node, 'scheduler', 'shop');
	kill 'STOP', $pid;
	my $value = value($node, $sql, db => 'shop');
	my $creating = session($node);
	$creating->query_until(qr/now/, "\\echo now\nCREATE DATABASE copy TEMPLATE shop;\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE copy%' AND state = 'active'}, 'the database is needed');
	value($node, 'SELECT pg_sleep(0.2)');
	kill 'CONT', $pid;
	wait_until($node, q{SELECT count(*) = 1 FROM pg_database WHERE datname = 'copy'}, 'it was copied');
	$creating->quit;
	value($node, 'DROP DATABASE copy');
	return $value;
}

promise 'a run that was triggered when the scheduler had to leave' => sub {
	my $run_id = while_leaving(q{SELECT ratchet.trigger('asked')});
	wait_run($node, $run_id, 'succeeded', 'runs', db => 'shop');
};

promise 'a job that was defined then' => sub {
	while_leaving(q{SELECT ratchet.schedule('tick', '200 ms', 'SELECT 1')});
	wait_until($node, q{SELECT count(*) > 2 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'succeeded'}, 'runs', db => 'shop');
};

finish();
