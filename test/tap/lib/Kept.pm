package Kept;

# Processes of a test that are no servers of Cluster: each in a group of its own. A keeper, a process that outlives the
# test, ends what is left of them when the test ends, however it does.
#
#   my $pid = begin_process($log, 'sleep', 1000);
#   end_process($pid);             # kill -9 of its group
#   wait_for_end($pid);            # who ends by itself: returns $?
#   keep_directory($data);         # whatever works in a directory, such as a server that somebody else starts

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IO::Handle;
use POSIX ();
use Time::HiRes qw(usleep);

our @EXPORT = qw(begin_process end_process wait_for_end keep_directory);

my $keeper;

# Its standard input is empty, and what it prints goes to the end of a file. Returns its process id.
sub begin_process
{
	my ($log, @command) = @_;
	$keeper //= begin_keeper();
	my $pid = fork() // croak "cannot fork: $!";
	if ($pid == 0)
	{
		setpgrp(0, 0);
		delete $ENV{$_} for grep { /^(PATRONI|ETCD)/ } keys %ENV;
		open(STDIN,  '<',  '/dev/null');
		open(STDOUT, '>>', $log);
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or POSIX::_exit(127);
	}
	tell_keeper("group $pid");
	return $pid;
}

sub end_process
{
	my ($pid) = @_;
	kill('KILL', -$pid);
	return wait_for_end($pid);
}

sub wait_for_end
{
	my ($pid) = @_;
	waitpid($pid, 0);
	my $status = $?;
	tell_keeper("ended $pid");
	return $status;
}

sub keep_directory
{
	my ($directory) = @_;
	$keeper //= begin_keeper();
	return tell_keeper("directory $directory");
}

# It listens until the test is gone, and then ends what it was told of.
sub begin_keeper
{
	pipe(my $from, my $to) or croak "no pipe: $!";
	my $pid = fork() // croak "cannot fork: $!";
	if ($pid == 0)
	{
		close($to);
		POSIX::setsid();
		$SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
		my (%groups, %directories);
		while (my $line = <$from>)
		{
			my ($what, $which) = $line =~ /^(\w+) (.*)$/;
			$groups{$which}      = 1 if $what eq 'group';
			$directories{$which} = 1 if $what eq 'directory';
			delete $groups{$which} if $what eq 'ended';
		}
		kill('KILL', map { -$_ } keys %groups) if %groups;
		# A server is whatever works in its data directory.
		for my $round (1 .. 100)
		{
			my @left = grep { $directories{ readlink("/proc/$_/cwd") // '' } } map { m{/(\d+)$} } glob('/proc/[0-9]*');
			last unless @left;
			kill($round < 50 ? 'QUIT' : 'KILL', @left) if $round % 50 == 1;
			usleep(100_000);
		}
		POSIX::_exit(0);
	}
	close($from);
	$to->autoflush(1);
	return { pid => $pid, pipe => $to, test => $$ };
}

sub tell_keeper { my ($line) = @_; return print { $keeper->{pipe} } "$line\n"; }

END
{
	my $exit_code = $?;
	if (defined $keeper && $keeper->{test} == $$)
	{
		close($keeper->{pipe});
		waitpid($keeper->{pid}, 0);
	}
	$? = $exit_code;
}

1;
