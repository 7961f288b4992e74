package RatchetTest;

# Servers with the extension for tests, on top of PostgreSQL::Test::Cluster.
#
#   use RatchetTest;
#   my $node = new_node('main');
#   my $run = psql_ok($node, "SELECT ratchet.trigger('tick')", 'triggered');
#   wait_run($node, $run, 'succeeded');
#   finish();
#
# finish() takes the place of done_testing(): it also looks whether what all servers have in shared memory
# agrees with itself, and through their logs for crashes, and fails the test if there is one that was not
# announced by expect_crash().

use strict;
use warnings;

use Carp;
use Exporter 'import';
use File::Basename;
use FindBin;
use InitdbOnce;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ServerFaults;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  new_node psql_ok psql_fails value row wait_until run_status wait_run run_job run_record is_run
  starts_within begin_run define_job run_batch begin_batch define_batch lock_session wait_log ratchet_pids kill_ratchet kill_and_wait
  terminate_ratchet process_kinds expect_crash finish
  watch_log check_board session promise within own_installation install_version pg_config
);

# For how long to wait for what should come at once. Long, because the machine may be busy: a test
# that passes never waits that long.
our $deadline = $ENV{PG_TEST_TIMEOUT_DEFAULT} || 180;

# How much is more time than a server should take that is this slow: script/cassert says.
our $slowness = $ENV{RATCHET_SLOWNESS} || 1;

my $test_dir = "$FindBin::RealBin/..";
sub read_file_of
{
	my ($path) = @_;
	open(my $file, '<', $path) or croak "cannot read $path: $!";
	local $/ = undef;
	my $text = <$file>;
	close($file);
	return $text;
}

# A server that runs, with the library preloaded and the extension in database postgres. Options:
#   conf         more lines of postgresql.conf
#   init         arrayref of arguments of Cluster->init
#   start        0: leave it stopped
#   extension    0: without CREATE EXTENSION
#   install_path of the server's programs (see own_installation)
sub new_node
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		defined $option{install_path} ? (install_path => $option{install_path}) : ());
	initialize($node, @{ $option{init} // [] });
	$node->append_conf('postgresql.conf', read_file_of("$test_dir/regress.conf"));
	# Cluster turns this off; servers in use have it on, and what follows a crash is what we test.
	$node->append_conf('postgresql.conf', 'restart_after_crash = on');
	$node->append_conf('postgresql.conf', $option{conf}) if defined $option{conf};
	watch_log($node);
	return $node if defined $option{start} && !$option{start};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_ratchet')
	  unless defined $option{extension} && !$option{extension};
	return $node;
}

# A copy of the installation in which a test may change the extension's files. Returns the install_path for
# new_node().
sub own_installation
{
	my ($to) = @_;
	my ($bin, $share) = (pg_config('bindir'), pg_config('sharedir'));
	# What both have in common is where they begin: programs find the rest by where they are.
	my ($root) = "$bin\n$share" =~ /^(.*)\/.*\n\1\//;
	system('cp', '-a', $root, $to) == 0 or croak "cannot copy $root to $to";
	return $to . substr($bin, length($root), -length('/bin'));
}

# Puts the extension's files into such a copy, as a package manager does, without touching a file that a
# server has open: those of the version that is tested, or those in lib and extension of another directory.
sub install_version
{
	my ($path, $from) = @_;
	my %from = (
		pkglibdir => defined $from ? "$from/lib" : pg_config('pkglibdir'),
		sharedir  => defined $from ? "$from/extension" : pg_config('sharedir') . '/extension');
	my %to = (
		pkglibdir => pg_config('pkglibdir', $path),
		sharedir  => pg_config('sharedir',  $path) . '/extension');
	for my $part (keys %from)
	{
		for my $file (glob "$from{$part}/pg_ratchet*")
		{
			my $as = "$to{$part}/" . basename($file);
			system('cp', $file, "$as.new") == 0 && rename("$as.new", $as)
			  or croak "cannot install $file";
		}
	}
	return;
}

sub pg_config
{
	my ($what, $path) = @_;
	my $program = defined $path ? "$path/bin/pg_config" : 'pg_config';
	my $value = qx{$program --$what};
	chomp $value;
	return $value;
}

# A bound on seconds, for what has to be done within them.
sub within { return $_[0] * $slowness; }

# Runs SQL that has to succeed; returns what it prints. Without $what it is no test of its own.
sub psql_ok
{
	my ($node, $sql, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) =
	  $node->psql($option{db} // 'postgres', $sql, extra_params => user_params(%option));
	if ($status != 0)
	{
		fail($what // 'SQL succeeds');
		diag("$sql\n$err");
	}
	elsif (defined $what)
	{
		pass($what);
	}
	return $out;
}

# Runs SQL that has to fail with a message that matches. The SQLSTATE is part of what is matched.
sub psql_fails
{
	my ($node, $sql, $pattern, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) = $node->psql(
		$option{db} // 'postgres',
		"\\set VERBOSITY verbose\n$sql",
		on_error_stop => 1,
		extra_params => user_params(%option));
	isnt($status, 0, "$what: fails");
	like($err, $pattern, $what);
	return $err;
}

# As whom: user, a role; or via, a connection string of whatever is between psql and the server.
sub user_params
{
	my (%option) = @_;
	return [ '-d', $option{via} ] if defined $option{via};
	return defined $option{user} ? [ '-U', $option{user} ] : [];
}

# One value, quietly: for use inside of other tests.
sub value
{
	my ($node, $sql, %option) = @_;
	return $node->safe_psql($option{db} // 'postgres', $sql, extra_params => user_params(%option));
}

# A session that stays, for what needs more than one psql: its ->query, ->query_safe and ->query_until
# run SQL, ->quit ends it.
sub session
{
	my ($node, %option) = @_;
	my $session = $node->background_psql(
		$option{db} // 'postgres',
		on_error_stop => 0,
		extra_params  => user_params(%option));
	return bless $session, 'RatchetTest::Session';
}

# In older minor releases (16.2) an answer ends with the end of its line.
{
	package RatchetTest::Session;
	our @ISA = ('PostgreSQL::Test::BackgroundPsql');

	sub query
	{
		my ($self, @arguments) = @_;
		my ($answer, $failed) = $self->SUPER::query(@arguments);
		$answer =~ s/\n\z//;
		return wantarray ? ($answer, $failed) : $answer;
	}
}

# One row, as a hash by column.
sub row
{
	my ($node, $sql, %option) = @_;
	my $json = value($node, "SELECT row_to_json(r) FROM ($sql) r", %option);
	return $json eq '' ? undef : JSON::PP->new->decode($json);
}

# Waits until the query's first column is true; dies when it is not in time, because what follows
# would only fail in ways that say less. The server may be restarted or crash meanwhile.
#
# The server does the polling, in one session, in a transaction per look, so that it neither costs a
# process per look nor holds a snapshot for others to wait for. Where a look takes long, the next one comes later:
# they are not to keep the server from what is waited for.
sub wait_until
{
	my ($node, $sql, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $end = time() + ($option{timeout} // $deadline);
	my $said = '';
	while ((my $left = $end - time()) > 0)
	{
		my $poll = <<"SQL";
DO \$wait_until\$
DECLARE reached boolean; began pg_catalog.timestamptz; -- a test may have hostile types in the path
BEGIN
	FOR look IN 1 .. 1000000000 LOOP
		began := clock_timestamp();
		EXECUTE \$query\$$sql\$query\$ INTO reached;
		EXIT WHEN reached OR clock_timestamp() - statement_timestamp() > make_interval(secs => $left);
		COMMIT;
		PERFORM pg_sleep(greatest(0.02, 2 * extract(epoch FROM clock_timestamp() - began)));
	END LOOP;
	IF reached IS NOT TRUE THEN
		RAISE EXCEPTION 'not within the deadline';
	END IF;
END \$wait_until\$;
SQL
		my ($out, $err) = ('', '');
		IPC::Run::run(
			[
				$node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
				$node->connstr($option{db} // 'postgres'), '-f', '-'
			],
			'<', \$poll, '>', \$out, '2>', \$err);
		my $exit = $? >> 8;
		$said = $err;
		if ($exit == 0)
		{
			pass($what) if defined $what;
			return 1;
		}
		last if $exit == 3 && $err !~ /^psql:.*(FATAL|server closed)/m;
		usleep(100_000);    # no connection: the server is down or starts
	}
	fail($what // 'wait_until');
	diag("waited for: $sql\n$said");
	diag(recent_runs($node, %option));
	die "gave up waiting\n";
}

# What happened lately, for the log of a failed test.
sub recent_runs
{
	my ($node, %option) = @_;
	my ($status, $out) = $node->psql(
		$option{db} // 'postgres',
		"SELECT run_id, job_name, cause, status, attempt, sqlstate, left(error, 200), reason
		   FROM ratchet.runs ORDER BY run_id DESC LIMIT 20");
	return $status == 0 ? "the last runs:\n$out" : 'the last runs cannot be read';
}

sub run_status
{
	my ($node, $run_id, %option) = @_;
	return value($node, "SELECT status FROM ratchet.runs WHERE run_id = $run_id", %option);
}

# Waits until the run has ended, and checks how.
sub wait_run
{
	my ($node, $run_id, $status, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node,
		"SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run_id",
		undef, %option);
	my $is = run_status($node, $run_id, %option);
	is($is, $status, $what // "run $run_id: $status");
	diag(recent_runs($node, %option)) if $is ne $status;
	return $is;
}

# Waits until the run has succeeded, and checks that it had waited for a worker for less than so many seconds.
sub starts_within
{
	my ($node, $run_id, $seconds, $what, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_run($node, $run_id, 'succeeded', $what, %option);
	cmp_ok(value($node, "SELECT extract(epoch FROM started_at - queued_at) FROM ratchet.runs WHERE run_id = $run_id", %option),
		'<', within($seconds), "... within $seconds s");
	return;
}

# Defines a job that runs when it is asked to, or redefines it. Options are SQL, as "timeout => '1 s'".
sub define_job
{
	my ($name, $command, $options) = @_;
	$options = defined $options ? ", $options" : '';
	return "SELECT ratchet.schedule('$name', '\@manual', \$command\$$command\$command\$$options) \\g /dev/null\n";
}

# Runs a command once, as job $name, waits for the end, and returns the record.
sub run_job
{
	my ($node, $name, $command, $options, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run_id = begin_run($node, $name, $command, $options, %option);
	wait_until($node,
		"SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run_id",
		undef, %option);
	return run_record($node, $run_id, %option);
}

# The same without waiting: returns the run's id.
sub begin_run
{
	my ($node, $name, $command, $options, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $sql = define_job($name, $command, $options) . "SELECT ratchet.trigger('$name')";
	my $run_id = psql_ok($node, $sql, undef, %option);
	die "job $name cannot be run\n" unless defined $run_id && $run_id =~ /^\d+$/;
	return $run_id;
}

# The same for a batch job. One that exists already goes on behind its checkpoint.
sub run_batch
{
	my ($node, $name, $source, $action, $options, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $run_id = begin_batch($node, $name, $source, $action, $options, %option);
	wait_until($node,
		"SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run_id",
		undef, %option);
	return run_record($node, $run_id, %option);
}

sub begin_batch
{
	my ($node, $name, $source, $action, $options, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $sql = define_batch($name, $source, $action, $options) . "SELECT ratchet.trigger('$name')";
	my $run_id = psql_ok($node, $sql, undef, %option);
	die "batch job $name cannot be run\n" unless defined $run_id && $run_id =~ /^\d+$/;
	return $run_id;
}

sub define_batch
{
	my ($name, $source, $action, $options) = @_;
	$options = defined $options ? ", $options" : '';
	return "SELECT ratchet.schedule_batch('$name', '\@manual', \$source\$$source\$source\$, \$action\$$action\$action\$$options) \\g /dev/null\n";
}

# What ratchet.runs says about a run.
sub run_record
{
	my ($node, $run_id, %option) = @_;
	return row($node, "SELECT * FROM ratchet.runs WHERE run_id = $run_id", %option);
}

# Checks some columns of a run's record.
sub is_run
{
	my ($run, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %is = map { $_ => $run->{$_} } keys %$expected;
	is_deeply(\%is, $expected, $what) or diag(explain($run));
	return;
}

# A session that holds an advisory lock, for which the commands of jobs wait.
sub lock_session
{
	my ($node, $key, %option) = @_;
	my $session = $node->background_psql($option{db} // 'postgres');
	$session->query_safe("SELECT pg_advisory_lock($key)");
	return $session;
}

# Waits until the server's log has a line that matches.
sub wait_log
{
	my ($node, $pattern, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $end = time() + $deadline;
	my @found;
	until (@found || time() > $end)
	{
		@found = grep { /$pattern/ } split /\n/, read_file_of($node->logfile);
		usleep(50_000) unless @found;
	}
	ok(scalar(@found), $what);
	return @found;
}

# The kinds of our processes: launcher, scheduler, worker.
sub process_kinds
{
	return read_file_of("$test_dir/../src/board/process_kind.h") =~ /^\s*\{"(\w+)", OnePer::/gm;
}

# Process ids of one kind: of one database, or of all of them.
sub ratchet_pids
{
	my ($node, $kind, $database) = @_;
	croak "no such kind of process: $kind" unless grep { $_ eq $kind } process_kinds();
	my $where = defined $database ? "AND datname = '$database'" : '';
	return split /\n/,
	  $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet $kind%' $where ORDER BY pid");
}

# kill -9, after which the postmaster restarts the whole server: that crash is then expected.
sub kill_ratchet
{
	my ($node, $kind, $database) = @_;
	my @pids = ratchet_pids($node, $kind, $database);
	croak "there is no $kind to kill" unless @pids;
	expect_crash($node, qr/was terminated by signal 9/);
	kill('KILL', $pids[0]) == 1 or croak "cannot kill $kind $pids[0]: $!";
	return $pids[0];
}

# kill -9 of a process, and waits until the server has restarted. False when it was gone already.
sub kill_and_wait
{
	my ($node, $pid) = @_;
	my $restarts = sub { scalar(() = read_file_of($node->logfile) =~ /is ready to accept connections/g) };
	my $before = $restarts->();
	return 0 unless kill('KILL', $pid) == 1;
	expect_crash($node, qr/\(PID $pid\) was terminated by signal 9/);
	my $end = time() + $deadline;
	usleep(20_000) while $restarts->() == $before && time() < $end;
	return 1;
}

# pg_terminate_backend, which ends that process only.
sub terminate_ratchet
{
	my ($node, $kind, $database) = @_;
	my @pids = ratchet_pids($node, $kind, $database);
	croak "there is no $kind to terminate" unless @pids;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($_)") for @pids;
	return @pids;
}

# A subtest for one promise. When it gives up, the next one still has its chance.
sub promise
{
	my ($name, $code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return subtest $name => sub {
		eval { $code->(); 1 } or fail("gave up: $@");
	};
}

# Ends the test: stops all servers, so that what goes wrong while they stop is seen too.
sub finish
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $node (watched_nodes())
	{
		check_board($node) if defined $node->{_pid};
		$node->stop('fast', fail_ok => 1) if defined $node->{_pid};
		check_log($node);
	}
	done_testing();
	return;
}

# Runs before the END of Cluster, which gives up all other tests too when a server that it wants to
# stop is dead already.
END
{
	my $exit_code = $?;
	for my $node (watched_nodes())
	{
		$node->{_pid} = undef if defined $node->{_pid} && !kill(0, $node->{_pid});
	}
	$? = $exit_code;
}

1;
