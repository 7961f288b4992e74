package PgBouncer;

# PgBouncer between clients and a server of a test, in transaction mode, on a port of 127.0.0.1 and with an ini file
# and passwords of its own.
#
#   my $pool = PgBouncer->new($node, users => { robot => 'secret' }, size => 2);
#   value($node, 'SELECT 1', via => $pool->connstr('robot'));
#
# It ends when the test does, however that ends.

use strict;
use warnings;

use Carp;
use File::Basename;
use Kept;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

# Debian's is not in the path of everybody.
my ($program) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';

# Nothing, when it is not there.
sub version
{
	return unless defined $program;
	return qx{'$program' --version} =~ /PgBouncer (\d+)\.(\d+)/ ? $1 * 100 + $2 : undef;
}

# Options: users, hashref of passwords; size, connections to the server for each of them.
sub new
{
	my ($class, $node, %option) = @_;
	my $self = bless {
		dir   => PostgreSQL::Test::Utils::tempdir(),
		port  => PostgreSQL::Test::Cluster::get_free_port(),
		users => $option{users},
		log   => "$PostgreSQL::Test::Utils::log_path/" . basename($0, '.pl') . '_pgbouncer.log'
	}, $class;
	$self->write('users.txt', join '', map { qq("$_" "$self->{users}{$_}"\n) } sort keys %{ $self->{users} });
	# Since 1.21 it knows prepared statements, unless it is told not to.
	my $prepared = version() >= 121 ? 'max_prepared_statements = 100' : '';
	$self->write('pgbouncer.ini', <<"INI");
[databases]
* = host=@{[ $node->host ]} port=@{[ $node->port ]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $self->{port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $self->{dir}/users.txt
pool_mode = transaction
default_pool_size = $option{size}
pidfile = $self->{dir}/pid
server_round_robin = 1
log_connections = 0
log_disconnections = 0
$prepared
INI
	$self->start;
	return $self;
}

sub write
{
	my ($self, $name, $text) = @_;
	open(my $file, '>', "$self->{dir}/$name") or croak "cannot write $name: $!";
	print $file $text;
	close($file);
	return;
}

sub connstr
{
	my ($self, $user, $database) = @_;
	$database //= 'postgres';
	return "host=127.0.0.1 port=$self->{port} dbname=$database user=$user password=$self->{users}{$user}";
}

sub start
{
	my ($self) = @_;
	unlink "$self->{dir}/pid";
	$self->{pid} = begin_process($self->{log}, $program, "$self->{dir}/pgbouncer.ini");
	my $end = time() + $PostgreSQL::Test::Utils::timeout_default;
	until (-s "$self->{dir}/pid")
	{
		croak "PgBouncer does not start: see $self->{log}" if time() > $end;
		usleep(20_000);
	}
	return;
}

# As when its machine is gone; another one takes its place.
sub kill_and_start
{
	my ($self) = @_;
	$self->stop;
	$self->start;
	return;
}

sub stop
{
	my ($self) = @_;
	end_process($self->{pid});
	return;
}

1;
