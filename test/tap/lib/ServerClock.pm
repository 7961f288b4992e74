# A server whose wall clock the test sets: chaos/clock.c stands before the library's functions, and adds what
# is in a file.
package ServerClock;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(set_clock with_clock);

my $dir = PostgreSQL::Test::Utils::tempdir;
system('cc', '-shared', '-fPIC', '-O2', '-o', "$dir/clock.so", "$FindBin::RealBin/chaos/clock.c", '-ldl') == 0
  or die "clock.c cannot be compiled\n";

# By so many seconds the server's clock is ahead. In place: its processes have mapped the file.
sub set_clock
{
	my ($ahead) = @_;
	my $mode = -e "$dir/clock" ? '+<' : '>';
	open(my $file, $mode, "$dir/clock") or die "cannot write the clock: $!";
	syswrite($file, pack('q', $ahead)) == 8 or die "cannot write the clock: $!";
	close($file);
	return;
}

set_clock(0);

# Calls the code; a server that it starts has the clock.
sub with_clock
{
	my ($code) = @_;
	local $ENV{LD_PRELOAD} = "$dir/clock.so";
	local $ENV{CHAOS_CLOCK} = "$dir/clock";
	return $code->();
}

1;
