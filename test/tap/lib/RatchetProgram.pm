package RatchetProgram;

# The program "ratchet" for tests, and receivers on this host that it sends to: what they got is read back as JSON.
#
#   my $receiver = receiver('http', 'plain');         # test/tap/programs/receive_http
#   my $sender = start_ratchet($node, [ 'send', '--allow-host', '127.0.0.1' ]);
#   stop_ratchet($sender, 'TERM');

use strict;
use warnings;

use Carp;
use Exporter 'import';
use File::Basename;
use FindBin;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use RatchetTest;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(ratchet_program run_ratchet start_ratchet stop_ratchet ratchet_log wait_for receiver received wait_received write_text
  sender_node secret certificate ended wait_ended);

my %started;
my $dir = PostgreSQL::Test::Utils::tempdir();

# It is built by script/check where its libraries are.
sub ratchet_program
{
	my $program = pg_config('bindir') . '/ratchet';
	plan(skip_all => 'the program ratchet is not built here: its libraries are missing') unless -x $program;
	return $program;
}

sub environment
{
	my ($node, %option) = @_;
	return (PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $option{db} // 'postgres', PGUSER => $option{user} // 'ratchet_sender',
		%{ $option{env} // {} });
}

# Runs it to its end; returns exit status, standard output and standard error.
sub run_ratchet
{
	my ($node, $arguments, %option) = @_;
	local %ENV = (%ENV, environment($node, %option));
	my ($out, $err) = ('', '');
	IPC::Run::run([ ratchet_program(), @$arguments ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($RatchetTest::deadline));
	return ($? >> 8, $out, $err);
}

# As a service. Its log is a file.
my $number = 0;
sub start_ratchet
{
	my ($node, $arguments, %option) = @_;
	$number++;
	my $log = "$dir/ratchet-$number.log";
	local %ENV = (%ENV, environment($node, %option));
	my $out = '';
	my $run = IPC::Run::start([ ratchet_program(), @$arguments ], '<', \undef, '>', \$out, '2>', $log);
	my $pid = $run->{KIDS}[0]{PID};
	$started{$pid} = $run;
	return { run => $run, pid => $pid, log => $log };
}

# Ends it by a signal, and returns its exit status, or "signal 9".
sub stop_ratchet
{
	my ($ratchet, $signal) = @_;
	kill($signal, $ratchet->{pid});
	delete $started{ $ratchet->{pid} };
	$ratchet->{run}->finish;
	my $status = $ratchet->{run}->full_result(0);
	return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

sub ratchet_log
{
	my ($ratchet) = @_;
	return slurp_file($ratchet->{log});
}

# Waits until the code returns something true, and returns that.
sub wait_for
{
	my ($what, $code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $end = time() + $RatchetTest::deadline;
	while (time() < $end)
	{
		my $result = $code->();
		return $result if $result;
		usleep(50_000);
	}
	fail($what);
	die "gave up waiting\n";
}

# A receiver of test/tap/programs, which writes its port, and what it gets as a line of JSON each.
sub receiver
{
	my ($program, @arguments) = @_;
	$number++;
	my $of_receiver = "$dir/receiver-$number";
	mkdir $of_receiver or croak "cannot make $of_receiver: $!";
	my $run = IPC::Run::start([ '/usr/bin/python3', "$FindBin::RealBin/programs/$program", $of_receiver, @arguments ], '<', \undef, '>', "$of_receiver/out", '2>', "$of_receiver/err");
	my $pid = $run->{KIDS}[0]{PID};
	$started{$pid} = $run;
	my $port = wait_for("$program listens", sub { -s "$of_receiver/port" && slurp_file("$of_receiver/port") });
	return { run => $run, pid => $pid, dir => $of_receiver, port => $port + 0 };
}

sub received
{
	my ($receiver) = @_;
	my $text = -e "$receiver->{dir}/received" ? slurp_file("$receiver->{dir}/received") : '';
	my @received = map { JSON::PP->new->utf8->decode($_) } grep { /\}$/ } split /\n/, $text;
	return @received;
}

# The first of what was received for which the code is true.
sub wait_received
{
	my ($receiver, $what, $code) = @_;
	return wait_for($what, sub { my ($found) = grep { $code->() } received($receiver); return $found });
}

# A server with a role for senders, ratchet_sender.
sub sender_node
{
	my ($name, %option) = @_;
	ratchet_program();
	my $node = new_node($name, %option);
	value($node, 'CREATE ROLE ratchet_sender LOGIN');
	value($node, q{SELECT ratchet.grant_sender('ratchet_sender')});
	return $node;
}

# The folder of secrets, with one more in it.
sub secret
{
	my ($name, $value) = @_;
	my $folder = "$dir/secrets";
	mkdir $folder, 0700;
	write_text("$folder/$name", "$value\n", 0600) if defined $name;
	return $folder;
}

# A certificate for these names, signed by itself, and its key.
sub certificate
{
	my ($for) = @_;
	$number++;
	my $path = "$dir/certificate-$number";
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=pg_ratchet test',
		'-addext', "subjectAltName=$for", '-keyout', "$path.key", '-out', "$path.pem" ], '>', \$out, '2>', \$err) or croak "no certificate: $err";
	return ("$path.pem", "$path.key");
}

# What became of a delivery.
sub ended
{
	my ($node, $delivery) = @_;
	return row($node, "SELECT status, attempts, code, error FROM ratchet.deliveries WHERE delivery_id = $delivery");
}

sub wait_ended
{
	my ($node, $delivery) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT status IN ('delivered', 'failed') FROM ratchet.deliveries WHERE delivery_id = $delivery");
	return ended($node, $delivery);
}

sub write_text
{
	my ($path, $text, $mode) = @_;
	open(my $file, '>', $path) or croak "cannot write $path: $!";
	print $file $text;
	close($file);
	chmod($mode, $path) if defined $mode;
	return $path;
}

END
{
	my $status = $?;
	for my $pid (keys %started)
	{
		kill('KILL', $pid);
		eval { $started{$pid}->finish };
	}
	$? = $status;
}

1;
