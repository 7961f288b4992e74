package PatroniCluster;

# Two servers with the extension under Patroni, which keeps its state in an etcd of their own. All of it listens on
# 127.0.0.1 and on sockets in temporary folders, and lives in folders of the test.
#
#   my $cluster = PatroniCluster->new('shop', parameters => { 'ratchet.cancel_grace' => '2s' });
#   value($cluster->primary, 'SELECT 1');
#   $cluster->switchover;
#
# Patroni starts the servers again when they stop, and starts them as leaders of sessions of their own. Kept ends all
# of them when the test ends, however it does.

use strict;
use warnings;

use Carp;
use File::Basename;
use FindBin;
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use Kept;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RatchetTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $json = JSON::PP->new->canonical;
# A proxy that the environment names is for other hosts.
my $http = HTTP::Tiny->new(timeout => 10, proxy => undef, http_proxy => undef, https_proxy => undef);

# What is not there, or nothing. What Patroni speaks to etcd with is a package of its own, which its package may do without.
sub missing
{
	my @missing = grep { system("command -v $_ >/dev/null 2>&1") != 0 } qw(etcd patroni patronictl);
	push @missing, 'python3-etcd' if system("/usr/bin/python3 -c 'import etcd' >/dev/null 2>&1") != 0;
	return join ', ', @missing;
}

# Makes the cluster, and waits until one member is the synchronous standby of the other. Options:
#   parameters   hashref: settings of both servers, in the configuration that members share
#   own          hashref: the same in each member's own configuration
sub new
{
	my ($class, $scope, %option) = @_;
	my $self = bless {
		scope      => $scope,
		dir        => PostgreSQL::Test::Utils::tempdir(),
		member     => {},
		parameters => { settings_of_tests(), %{ $option{parameters} // {} } },
		own        => $option{own} // {}
	}, $class;
	$self->start_etcd;
	for my $name (qw(anna bela))
	{
		$self->add_member($name);
		$self->start_member($name);
	}
	$self->is_whole;
	return $self;
}

# Those in which regress.conf differs from what a server has by itself.
sub settings_of_tests
{
	my $conf = slurp_file("$FindBin::RealBin/../regress.conf");
	return map { /^(\w+)\s*=\s*'?(.*?)'?$/ ? ($1 => $2) : () } split /\n/, $conf;
}

sub start_etcd
{
	my ($self) = @_;
	my ($clients, $peers) = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 2;
	$self->{etcd} = "127.0.0.1:$clients";
	my $peer = "http://127.0.0.1:$peers";
	begin_process($self->log_of('etcd'),
		'etcd', '--name', 'only', '--data-dir', "$self->{dir}/etcd",
		'--listen-client-urls', "http://$self->{etcd}", '--advertise-client-urls', "http://$self->{etcd}",
		'--listen-peer-urls', $peer, '--initial-advertise-peer-urls', $peer, '--initial-cluster', "only=$peer");
	wait_for(sub { $http->get("http://$self->{etcd}/health")->{content} =~ /true/ }, 'etcd answers');
	return;
}

sub log_of
{
	my ($self, $what) = @_;
	return "$PostgreSQL::Test::Utils::log_path/" . basename($0, '.pl') . "_$what.log";
}

sub add_member
{
	my ($self, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $rest = '127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port();
	my $user = getpwuid($<);
	my %member = (
		scope   => $self->{scope},
		name    => $name,
		restapi => { listen => $rest, connect_address => $rest },
		etcd3   => { host => $self->{etcd} },
		bootstrap => {
			dcs => {
				ttl => 30, loop_wait => 1, retry_timeout => 10, synchronous_mode => JSON::PP::true,
				postgresql => { use_pg_rewind => JSON::PP::true, parameters => $self->{parameters} }
			},
			initdb => [ { encoding => 'UTF8' }, 'no-locale', 'no-sync' ]
		},
		postgresql => {
			listen => '127.0.0.1:' . $node->port, connect_address => '127.0.0.1:' . $node->port,
			data_dir => $node->data_dir, bin_dir => pg_config('bindir'), pgpass => "$self->{dir}/$name.pgpass",
			use_unix_socket => JSON::PP::true,
			basebackup      => [ { checkpoint => 'fast' }, 'no-sync' ],
			authentication  => { superuser => { username => $user, password => 'secret' }, replication => { username => 'replicator', password => 'secret' } },
			parameters => { unix_socket_directories => $node->host, 'ratchet.node' => $name, %{ $self->{own} } },
			pg_hba     => [ 'local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication replicator 127.0.0.1/32 trust' ]
		});
	my $config = "$self->{dir}/$name.yml";
	open(my $file, '>', $config) or croak "cannot write $config: $!";
	print $file $json->pretty->encode(\%member);    # which is YAML, too
	close($file);
	watch_log($node);
	keep_directory($node->data_dir);
	$self->{member}{$name} = { node => $node, rest => $rest, config => $config };
	return;
}

sub start_member
{
	my ($self, $name) = @_;
	my $member = $self->{member}{$name};
	$member->{pid} = begin_process($member->{node}->logfile, 'patroni', $member->{config});
	return;
}

# ---- Who is who ----------------------------------------------------------------------------------

# The name of the member that writes. There is one, or there will be.
sub leader
{
	my ($self) = @_;
	my $leader;
	wait_for(sub {
		($leader) = grep { $http->get("http://$self->{member}{$_}{rest}/primary")->{success} } sort keys %{ $self->{member} };
		defined $leader && in_recovery($self->{member}{$leader}{node}) eq 'f' }, 'there is a primary');
	return $leader;
}

sub follower
{
	my ($self) = @_;
	my $leader = $self->leader;
	my ($follower) = grep { $_ ne $leader } keys %{ $self->{member} };
	return $follower;
}

sub node { my ($self, $name) = @_; return $self->{member}{$name}{node}; }

sub primary { my ($self) = @_; return $self->node($self->leader); }

sub standby { my ($self) = @_; return $self->node($self->follower); }

# 't', 'f', or nothing when it does not answer.
sub in_recovery
{
	my ($node) = @_;
	my ($status, $out) = $node->psql('postgres', 'SELECT pg_is_in_recovery()');
	return $status == 0 ? $out : '';
}

# Waits until the other member is a synchronous standby, which Patroni says when the server has said so.
sub is_whole
{
	my ($self) = @_;
	my $rest = $self->{member}{ $self->follower }{rest};
	wait_for(sub { $http->get("http://$rest/sync")->{success} }, 'there is a synchronous standby');
	return;
}

# ---- What happens to it --------------------------------------------------------------------------

# As an administrator does it, to the only other member. Returns when that one is the primary.
sub switchover
{
	my ($self) = @_;
	my ($from, $to) = ($self->leader, $self->follower);
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'patronictl', '-c', $self->{member}{$from}{config}, 'switchover', '--candidate', $to, '--force', $self->{scope} ], '>', \$out, '2>', \$err);
	like($out, qr/Successfully switched over to "$to"/, "$from hands over to $to") or diag("$out\n$err");
	wait_for(sub { in_recovery($self->node($to)) eq 'f' }, "$to writes");
	return;
}

# Kills Patroni and then the postmaster of the primary, and takes the leader's lock away, as etcd does after ttl
# seconds. Returns when the other member is the primary.
sub kill_primary
{
	my ($self) = @_;
	my ($from, $to) = ($self->leader, $self->follower);
	my $node = $self->node($from);
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	end_process(delete $self->{member}{$from}{pid});
	kill('KILL', $postmaster) == 1 or croak "cannot kill the postmaster $postmaster: $!";
	my $deleted = $http->post("http://$self->{etcd}/v3/kv/deleterange", { content => $json->encode({ key => encode_base64("/service/$self->{scope}/leader", '') }) });
	$deleted->{success} or croak "etcd keeps the leader: $deleted->{content}";
	wait_for(sub { in_recovery($self->node($to)) eq 'f' }, "$to takes over from $from, which is dead");
	return $from;
}

# Ends Patroni, and with it the servers.
sub stop
{
	my ($self) = @_;
	my @pids = grep { defined } map { delete $_->{pid} } values %{ $self->{member} };
	kill('TERM', @pids);
	wait_for_end($_) for @pids;
	return;
}

# ---- Waiting -------------------------------------------------------------------------------------

sub wait_for
{
	my ($condition, $what) = @_;
	my $end = time() + $RatchetTest::deadline;
	until ($condition->())
	{
		croak "gave up waiting: $what" if time() > $end;
		usleep(50_000);
	}
	return;
}

1;
