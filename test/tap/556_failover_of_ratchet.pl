# The program ratchet finds the server that takes writes, and goes over to the next one when a standby is promoted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use RatchetProgram;
use RatchetTest;
use Test::More;

my $http = receiver('receive_http');
my $primary = sender_node('primary', init => [ allows_streaming => 1 ]);
value($primary, qq{
	CREATE ROLE robot LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO robot;
	SELECT ratchet.create_queue('parcels', consumers => '{robot}', retention => '1 day');
	SELECT ratchet.create_channel('hook', 'webhook', '{"url": "http://127.0.0.1:$http->{port}/hook"}')});
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
watch_log($standby);
$standby->start;

# The standby is asked first.
my $dsn = sprintf('host=%s,%s port=%d,%d dbname=postgres', $standby->host, $primary->host, $standby->port, $primary->port);
my $sender = start_ratchet($primary, [ 'send', '--dsn', "$dsn user=ratchet_sender", '--allow-host', '127.0.0.1' ]);
my $worker = start_ratchet($primary, [ 'work', 'parcels', '--dsn', "$dsn user=robot", '--', 'true' ]);

sub works
{
	my ($node, $when) = @_;
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	my $delivery = value($node, qq{SELECT ratchet.send('hook', '$when')});
	wait_until($node, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $task", "$when: a task is done");
	is(wait_ended($node, $delivery)->{status}, 'delivered', "$when: a message is delivered");
	return;
}

promise 'they find the primary behind a standby, and the next primary after a promotion' => sub {
	works($primary, 'before');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	$primary->stop('immediate');
	$standby->promote;
	works($standby, 'after');
	is(stop_ratchet($_, 'TERM'), 0, 'they end in order') for $sender, $worker;
};

finish();
