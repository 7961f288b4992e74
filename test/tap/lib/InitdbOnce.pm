package InitdbOnce;

# Each test's first server is a copy of one that initdb has made for all tests. Further ones are made anew: servers of one
# test must not be taken for copies of one another, which have the same system identifier.

use strict;
use warnings;

use Carp;
use Exporter 'import';
use Fcntl qw(:flock);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(initialize);

my $has_copy = 0;
sub initialize
{
	my ($node, @options) = @_;
	# Not what the caller's LANG makes of it: without one, a server would be SQL_ASCII.
	my @init = (extra => [ '--encoding=UTF8', '--no-locale' ], @options);
	return $node->init(@init) if $has_copy || @options || defined $node->{_install_path};
	$has_copy = 1;
	my $run = \&PostgreSQL::Test::Utils::system_or_bail;
	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		my ($program, @arguments) = @_;
		return $run->(@_) if $program ne 'initdb';
		my $template = "$ENV{TESTDIR}/template";
		open(my $lock, '>', "$template.lock") or croak "cannot write $template.lock: $!";
		flock($lock, LOCK_EX) or croak "cannot lock $template.lock: $!";
		if (!-d $template)
		{
			$run->($program, map { $_ eq $node->data_dir ? "$template.new" : $_ } @arguments);
			rename("$template.new", $template) or croak "cannot rename $template.new: $!";
		}
		return $run->('cp', '-a', $template, $node->data_dir);
	};
	return $node->init(@init);
}

1;
