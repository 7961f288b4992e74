# A receiver as it is in use: Alertmanager, of Debian's package.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RatchetProgram;
use RatchetTest;
use Test::More;

my $node = sender_node('main');
my $sender = start_ratchet($node, [ 'send', '--allow-host', '127.0.0.1' ]);
my $dir = PostgreSQL::Test::Utils::tempdir();

sub message
{
	my ($channel, $subject, $body) = @_;
	return value($node, "SELECT ratchet.send('$channel', \$s\$$subject\$s\$, \$b\$$body\$b\$)");
}

promise 'Alertmanager takes what we send, and shows it' => sub {
	plan(skip_all => 'there is no prometheus-alertmanager here') unless -x '/usr/bin/prometheus-alertmanager';
	write_text("$dir/alertmanager.yml", "route:\n  receiver: none\nreceivers:\n  - name: none\n");
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $log = "$dir/alertmanager.log";
	my $run = IPC::Run::start([ '/usr/bin/prometheus-alertmanager', "--config.file=$dir/alertmanager.yml", "--storage.path=$dir/alertmanager",
		"--web.listen-address=127.0.0.1:$port", '--cluster.listen-address=' ], '<', \undef, '>', $log, '2>&1');
	my $http = HTTP::Tiny->new(timeout => 10);
	wait_for('Alertmanager is ready', sub { $http->get("http://127.0.0.1:$port/-/ready")->{success} });
	value($node, qq(SELECT ratchet.create_channel('alerts', 'alertmanager', '{"url": "http://127.0.0.1:$port", "labels": {"team": "dba"}}')));
	my $ended = wait_ended($node, message('alerts', 'Größe of it "x"', 'what it is about'));
	is($ended->{status}, 'delivered', 'taken') or diag($ended->{error});
	my $alerts = JSON::PP->new->utf8->decode($http->get("http://127.0.0.1:$port/api/v2/alerts")->{content});
	is(scalar(@$alerts), 1, 'one alert');
	is($alerts->[0]{labels}{team}, 'dba', 'with the label of the settings');
	is($alerts->[0]{annotations}{description}, 'what it is about', 'and what it says');
	$run->kill_kill;
};

finish();
