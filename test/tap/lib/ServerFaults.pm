package ServerFaults;

# What must be wrong with no server, whatever the test is about: a crash in its log, and a board in shared
# memory that does not agree with itself.

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(watched_nodes watch_log expect_crash check_log check_board board_violations);

my $test_dir = "$FindBin::RealBin/..";
my @nodes;
my %expected_faults;    # by node name: patterns

# Servers at which finish() looks.
sub watched_nodes { return @nodes; }

# Has finish() look at a server that new_node() did not make, such as a standby.
sub watch_log
{
	my ($node) = @_;
	push @nodes, $node;
	$expected_faults{ $node->name } = [];
	return;
}

# Announces faults in this server's log: every line of a fault has to match one of the patterns,
# and every pattern has to match a line.
sub expect_crash
{
	my ($node, $pattern) = @_;
	push @{ $expected_faults{ $node->name } }, $pattern // qr/was terminated by signal/;
	return;
}

sub check_log
{
	my ($node) = @_;
	my @expected = @{ $expected_faults{ $node->name } };
	my $faults = join '|', split /\n/, slurp_file("$test_dir/server_log_faults");
	my $log = -e $node->logfile ? slurp_file($node->logfile) : '';
	my @lines = grep { /$faults/ } split /\n/, $log;
	my @unexpected;
	for my $line (@lines)
	{
		push @unexpected, $line unless grep { $line =~ $_ } @expected;
	}
	ok(!@unexpected, 'no crash in the log of server ' . $node->name);
	diag($_) for @unexpected[ 0 .. ($#unexpected < 19 ? $#unexpected : 19) ];
	for my $pattern (@expected)
	{
		ok((grep { $_ =~ $pattern } @lines) > 0, "the expected crash is in the log: $pattern");
	}
	return;
}

# The function of the library itself, in a database in which no test does anything: whatever there is of
# the extension elsewhere. One board is that of all databases.
sub board_violations
{
	my ($node) = @_;
	return $node->psql('template1', q{
		CREATE FUNCTION pg_temp.board_check() RETURNS SETOF text LANGUAGE c AS 'pg_ratchet', 'ratchet_board_check';
		SELECT pg_temp.board_check()}, on_error_stop => 1);
}

# Of a server that runs; what has crashed or does not answer is for the log to tell, and a standby's board is
# empty.
sub check_board
{
	my ($node, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $recovery) = $node->psql('template1', 'SELECT pg_is_in_recovery()');
	return if $status != 0 || $recovery ne 'f';
	my ($failed, $violations, $error) = board_violations($node);
	is($failed == 0 ? $violations : $error, '', ($what // 'the board of server ' . $node->name) . ' agrees with itself');
	return;
}

1;
