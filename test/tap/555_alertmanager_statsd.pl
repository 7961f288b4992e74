# Alertmanager as it is in use, of Debian's package, and what StatsD gets.

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

promise 'StatsD and DogStatsD get datagrams of theirs' => sub {
	my $receiver = receiver('receive_udp');
	value($node, qq(SELECT ratchet.create_channel('plain', 'statsd', '{"host": "127.0.0.1", "port": $receiver->{port}, "prefix": "shop.db"}')));
	value($node, qq(SELECT ratchet.create_channel('dog', 'statsd', '{"host": "127.0.0.1", "port": $receiver->{port}, "dogstatsd": true, "tags": {"team": "a,b|c"}}')));
	is(wait_ended($node, message('plain', 'x', 'y'))->{status}, 'delivered', 'sent');
	is(wait_received($receiver, 'it has arrived', sub { $_->{text} =~ /^shop/ })->{text}, 'shop.db.messages.send:1|c', 'a counter');
	is(wait_ended($node, message('dog', 'title|x', "two\nlines"))->{status}, 'delivered', 'sent');
	my $text = wait_received($receiver, 'it has arrived', sub { $_->{text} =~ /_e/ })->{text};
	like($text, qr/^ratchet\.messages\.send:1\|c\|#team:a_b_c,database:postgres/m, 'tags, which cannot be cut in two');
	like($text, qr/^_e\{7,10\}:title\|x\|two\\nlines\|t:info\|#team/m, 'an event, whose lengths are right');
	value($node, q(SELECT ratchet.create_channel('nobody', 'statsd', '{"host": "127.0.0.1", "port": 9}')));
	my $delivery = message('nobody', 'x', 'y');
	wait_until($node, "SELECT error ~ 'refused' FROM ratchet.deliveries WHERE delivery_id = $delivery", 'a port where nobody listens is noticed, on the same host');
};

is(stop_ratchet($sender, 'TERM'), 0, 'the sender ends in order');
finish();
