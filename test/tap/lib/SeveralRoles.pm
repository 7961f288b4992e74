# For tests in which jobs of several roles meet.
package SeveralRoles;

use strict;
use warnings;

use Exporter 'import';
use RatchetTest;
use Test::More;

our @EXPORT = qw(run_asked_for ticks_go_on);

# Asks for a run of a job that is there, as the role in %option, waits for the end, and returns the record.
sub run_asked_for
{
	my ($node, $name, $status, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run = value($node, "SELECT ratchet.trigger('$name')", %option);
	wait_run($node, $run, $status, $what);
	return run_record($node, $run);
}

# A job that writes to the table public.ticks does so $n times (3) from now on.
sub ticks_go_on
{
	my ($node, $what, $n) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $since = value($node, 'SELECT clock_timestamp()');
	$n //= 3;
	wait_until($node, "SELECT count(*) >= $n FROM public.ticks WHERE at > '$since'", $what);
	return;
}

1;
