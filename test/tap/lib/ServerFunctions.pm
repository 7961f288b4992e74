# For tests that need functions in C, which do to the server's process what SQL cannot.
package ServerFunctions;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;
use RatchetTest;

our @EXPORT = qw(compile);

# Makes a library of functions from test/tap/programs/$name.c. Returns where it is, or undef without a compiler or
# the headers of the server.
sub compile
{
	my ($name) = @_;
	# The headers stay where they are when the programs are copied.
	my ($headers) = grep { -e "$_/postgres.h" } map { ($_, s/^.*?(?=\/usr\/include)//r) } pg_config('includedir-server');
	my $library = PostgreSQL::Test::Utils::tempdir() . "/$name.so";
	return unless defined $headers;
	my @command = ('cc', '-shared', '-fPIC', "-I$headers", '-o', $library, "$FindBin::RealBin/programs/$name.c");
	return system(@command) == 0 ? $library : undef;
}

1;
