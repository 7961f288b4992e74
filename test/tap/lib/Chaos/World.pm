package Chaos::World;

# A server with jobs of all kinds, for the chaos test, and how it is brought to rest.
#
#   my $world = Chaos::World->new('name', dice => $dice, scale => 2, databases => 3, ...);
#   $world->begin_traffic;  ...faults...  $world->rest;  $world->check;  $world->go_on;

use strict;
use warnings;

use FindBin;
use IPC::Run ();
use RatchetTest;
use Chaos::Checks ();
use PostgreSQL::Test::Utils ();
use ServerFaults;
use Test::More;
use Time::HiRes qw(sleep time);

my $sources = "$FindBin::RealBin/chaos";
my $roles = 3;

# Options: dice, scale (jobs of each kind in each database), databases, workers; own_clock: true for a
# server whose clock can be set; small_disk, small_wal: directories in small file systems of their own.
sub new
{
	my ($class, $name, %option) = @_;
	my $self = bless {
		names     => [ map { "db$_" } 1 .. $option{databases} ],
		undo      => [],
		sessions  => [],
		broken    => [],
		did       => {},
		round     => 0,
		clock     => 0,
		clock_max => 0,
		%option
	}, $class;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	$self->{dir} = $dir;
	chmod 0755, $dir;
	$self->make_clock if $self->{own_clock};
	my @wal = $option{small_wal} ? ("--waldir=$option{small_wal}/wal") : ();
	$self->{node} = new_node($name, start => 0, init => [ extra => [ '--encoding=UTF8', '--no-locale', @wal ] ],
		conf => $self->settings . ($option{small_wal} ? "min_wal_size = '32MB'\nmax_wal_size = '64MB'\n" : ''));
	$self->start_server or die "the server does not start\n";
	$self->define;
	return $self;
}

sub settings
{
	my ($self) = @_;
	my $workers = $self->{workers} // 4;
	my $slots = $workers + @{ $self->{names} } + 4;
	return <<"CONF";
ratchet.max_workers = $workers
ratchet.log_runs = none
ratchet.keep_history = '3000d'
ratchet.cancel_grace = '500 ms'
max_worker_processes = $slots
max_connections = 40
log_statement = none
log_min_messages = warning
log_min_error_statement = panic
CONF
}

sub node { return $_[0]->{node}; }

sub databases { return @{ $_[0]->{names} }; }

sub define
{
	my ($self) = @_;
	my $node = $self->node;
	value($node, 'CREATE ROLE chaos_crowd');
	value($node, "CREATE ROLE chaos$_ LOGIN; GRANT chaos_crowd TO chaos$_; ALTER ROLE chaos$_ SET synchronous_commit = " . ($_ == 2 ? 'off' : 'on'))
	  for 1 .. $roles;
	for my $database ($self->databases)
	{
		value($node, "CREATE DATABASE $database");
		for my $file ('objects.sql', 'jobs.sql', 'tasks.sql', 'traffic.sql')
		{
			open(my $in, '<', "$sources/$file") or die "cannot read $file: $!";
			local $/ = undef;
			my $text = <$in>;
			close($in);
			value($node, $text, db => $database);
		}
		# The more jobs there are, the more slowly each goes: it is their number that counts.
		my $pace = $self->{scale} * $self->databases;
		$pace = $pace > 4 ? $pace / 2 : 2;
		value($node, "CALL chaos.define_jobs($self->{scale}, $pace); CALL chaos.define_queues($self->{scale})", db => $database);
	}
	$self->define_on_small_disk if $self->{small_disk};
	$self->prologue;
	return;
}

# A table that the disk is too small for, now and then.
sub define_on_small_disk
{
	my ($self) = @_;
	value($self->node, "CREATE TABLESPACE small LOCATION '$self->{small_disk}/space'");
	for my $database ($self->databases)
	{
		value($self->node, q{
			CREATE TABLE chaos.bulk (run_id bigint, filler text) TABLESPACE small;
			GRANT INSERT, DELETE, SELECT ON chaos.bulk TO PUBLIC;
			SELECT chaos.plan('disk', 'disk', '700 ms', $$INSERT INTO chaos.bulk SELECT ratchet.run_id(), repeat(md5(g::text), 30) FROM generate_series(1, 200) g;
				DELETE FROM chaos.bulk WHERE run_id < ratchet.run_id() - 200; SELECT chaos.work('disk')$$, 1, ', max_attempts => 5')}, db => $database);
	}
	return;
}

# One of everything that is left to chance later on, so that there is something to look at.
sub prologue
{
	my ($self) = @_;
	for my $database ($self->databases)
	{
		value($self->node, q{
			INSERT INTO chaos.changed (what) VALUES ('prologue');
			INSERT INTO chaos.event (bad) SELECT g = 3 FROM generate_series(1, 10) g;
			INSERT INTO chaos.wanted VALUES ('2020-01-01', '2020-01-01 00:02');
			SELECT ratchet.backfill('past_1', '2020-01-01', '2020-01-01 00:02');
			SELECT chaos.ask('asked_1', true);
			SELECT count(chaos.send(queue)) FROM chaos.queue, generate_series(1, 10)}, db => $database);
		wait_until($self->node, q{SELECT count(*) > 2 FROM ratchet.runs WHERE job_name IN ('heart', 'asked_1') AND status = 'succeeded'}, undef, db => $database);
		value($self->node, q{INSERT INTO chaos.asked SELECT ratchet.replay(min(run_id)), 'heart' FROM ratchet.runs
			WHERE job_name = 'heart' AND status = 'succeeded'}, db => $database);
	}
	$self->begin_round;
	return;
}

# ---- Running SQL while everything may break -------------------------------------------------------

# Returns what it printed, or undef when it failed for whatever reason.
sub try_sql
{
	my ($self, $sql, %option) = @_;
	my ($out, $err) = ('', '');
	my $database = $option{db} // 'postgres';
	local $ENV{PGCONNECT_TIMEOUT} = 10;
	my $done = eval {
		IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->node->connstr($database), '-f', '-' ],
			'<', \$sql, '>', \$out, '2>', \$err, IPC::Run::timeout($option{timeout} // 20));
	};
	$self->{said} = $err . ($@ // '');
	chomp $out;
	return $done ? $out : undef;
}

# A psql that goes on by itself; it ends at the end of the round, at the latest.
sub begin_session
{
	my ($self, $sql, %option) = @_;
	my ($out, $err) = ('', '');
	my $harness = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $self->node->connstr($option{db} // 'postgres'), map { ('-c', $_) } @$sql ],
		'<', \undef, '>', \$out, '2>', \$err);
	push @{ $self->{sessions} }, $harness;
	return $harness;
}

sub end_sessions
{
	my ($self) = @_;
	for my $harness (splice @{ $self->{sessions} })
	{
		eval { $harness->kill_kill(grace => 2); 1 };
	}
	return;
}

# ---- Traffic ---------------------------------------------------------------------------------------

sub begin_traffic
{
	my ($self) = @_;
	$self->{stop} = "$self->{dir}/stop";
	unlink $self->{stop};
	my $dice = $self->{dice}->another("traffic $self->{round}");
	for my $database ($self->databases)
	{
		my $loop = 'n=0; while [ ! -e "$0" ]; do n=$((n + 1)); psql -Xq -d "$1" -U "$2" -v seed="0.$3$n" -f "$4" >>"$5" 2>&1; sleep 0.1; done';
		for my $kind ('traffic', 'consumer', 'consumer')
		{
			my $role = 'chaos' . (1 + $dice->upto($roles));
			push @{ $self->{traffic} }, IPC::Run::start(
				[ 'bash', '-c', $loop, $self->{stop}, $self->node->connstr($database), $role, $dice->upto(100000), "$sources/${kind}_of_role.sql", "$self->{dir}/${kind}_$database" ],
				'<', \undef);
		}
	}
	return;
}

sub end_traffic
{
	my ($self) = @_;
	return unless @{ $self->{traffic} // [] };
	open(my $file, '>', $self->{stop}) or die;
	close($file);
	for my $harness (splice @{ $self->{traffic} })
	{
		eval { $harness->finish; 1 };
	}
	return;
}

# ---- The server ------------------------------------------------------------------------------------

sub start_server
{
	my ($self) = @_;
	my $node = $self->node;
	local %ENV = %ENV;
	if ($self->{own_clock})
	{
		$ENV{LD_PRELOAD} = "$self->{dir}/clock.so";
		$ENV{CHAOS_CLOCK} = "$self->{dir}/clock";
	}
	for my $try (1 .. 40)
	{
		$node->{_pid} = undef;
		return 1 if $node->start(fail_ok => 1);
		sleep(0.5);    # processes of before may still be there
	}
	return 0;
}

sub make_clock
{
	my ($self) = @_;
	system('cc', '-shared', '-fPIC', '-O2', '-o', "$self->{dir}/clock.so", "$sources/clock.c", '-ldl') == 0
	  or die "clock.c cannot be compiled\n";
	open(my $file, '>', "$self->{dir}/clock") or die "cannot write the clock: $!";
	print $file pack('q', 0);
	close($file);
	return;
}

# Seconds by which the server's clock is ahead. In place: its processes have mapped the file.
sub write_clock
{
	my ($self) = @_;
	open(my $file, '+<', "$self->{dir}/clock") or die "cannot write the clock: $!";
	syswrite($file, pack('q', $self->{clock})) == 8 or die "cannot write the clock: $!";
	close($file);
	return;
}

sub set_clock
{
	my ($self, $seconds) = @_;
	$self->{clock_back} = 1 if $seconds < $self->{clock};
	$self->{clock_moved} = 1;
	$self->{clock} = $seconds;
	$self->{clock_max} = $seconds if $seconds > $self->{clock_max};
	$self->write_clock;
	return;
}

# Waits until the server answers, and starts it when it is down.
sub bring_up
{
	my ($self) = @_;
	my $end = time() + 120;
	while (time() < $end)
	{
		return 1 if defined $self->try_sql('SELECT 1', timeout => 10);
		my $pid = $self->node->{_pid};
		$self->start_server if !defined $pid || !kill(0, $pid);
		sleep(0.2);
	}
	die "the server does not come up: $self->{said}\n";
}

# ---- Rounds ----------------------------------------------------------------------------------------

# Occurrences are counted from here on.
sub begin_round
{
	my ($self) = @_;
	$self->{round}++;
	$self->{clock_back} = 0;
	for my $database ($self->databases)
	{
		value($self->node, qq{
			UPDATE chaos.account a SET since = s.last_scheduled_at FROM ratchet.job_state s WHERE s.job_id = a.job_id AND s.last_scheduled_at IS NOT NULL;
			INSERT INTO chaos.round SELECT $self->{round}, nextval('chaos.ticket')}, db => $database);
	}
	return;
}

# Undoes what faults have left, waits until everything that was asked for has ended, and lets nothing
# more start. Returns what did not come to an end.
sub rest
{
	my ($self) = @_;
	$self->bring_up;
	for my $undo (reverse splice @{ $self->{undo} })
	{
		# Runs may hold what is to be undone for a moment.
		my $done = 0;
		for my $try (1 .. 5)
		{
			$self->bring_up;
			last if $done = eval { $undo->(); 1 };
			sleep(1);
		}
		die "cannot be undone: $@" unless $done;
	}
	$self->set_clock($self->{clock_max} + 60) if $self->{clock_back};
	$self->end_traffic;
	$self->end_sessions;
	$self->bring_up;
	my @left;
	for my $database ($self->databases)
	{
		push @left, map { "$database: $_" } $self->wait_settled($database);
	}
	for my $database ($self->databases)
	{
		value($self->node, q{UPDATE chaos.round SET quiet = nextval('chaos.ticket') WHERE n = (SELECT max(n) FROM chaos.round)}, db => $database);
		my $end = time() + 30;
		sleep(0.1) until time() > $end || value($self->node, q{SELECT count(*) >= 2 FROM chaos.effect WHERE job = 'heart' AND t0 > (SELECT max(quiet) FROM chaos.round)}, db => $database) eq 't';
	}
	value($self->node, 'ALTER SYSTEM SET ratchet.enabled = off');
	value($self->node, 'SELECT pg_reload_conf()');
	for my $database ($self->databases)
	{
		my $quiet = 0;
		my $end = time() + 30;
		while ($quiet < 3 && time() < $end)
		{
			sleep(0.1);
			$quiet = value($self->node, 'SELECT count(*) FROM ratchet.run_queue WHERE claimed_at IS NOT NULL', db => $database) == 0 ? $quiet + 1 : 0;
		}
		push @left, "$database: runs do not end" if $quiet < 3;
	}
	return @left;
}

sub wait_settled
{
	my ($self, $database) = @_;
	open(my $in, '<', "$sources/pending.sql") or die "cannot read pending.sql: $!";
	my $pending = do { local $/ = undef; <$in> };
	close($in);
	my ($ticket, $run) = split /\|/, value($self->node, q{SELECT nextval('chaos.ticket'), last_value FROM ratchet.run_id_seq}, db => $database);
	$pending =~ s/:ticket/$ticket/g;
	$pending =~ s/:run\b/$run/g;
	my $end = time() + ($self->{patience} // 120);
	my $left = 'not asked';
	while ($left ne '' && time() < $end)
	{
		sleep(0.25);
		# Nobody else consumes any more.
		value($self->node, 'CALL chaos.consume(10)', db => $database);
		$left = value($self->node, $pending, db => $database);
	}
	return split /\n/, $left;
}

sub go_on
{
	my ($self) = @_;
	$self->begin_round;
	value($self->node, 'ALTER SYSTEM RESET ratchet.enabled');
	value($self->node, 'SELECT pg_reload_conf()');
	return;
}

# P10: jobs of a copy of a database hold still.
sub check_copy
{
	my ($self, $database) = @_;
	my $runs = 'SELECT count(*) FROM ratchet.runs';
	my $before = $self->try_sql($runs, db => $database) // return;
	sleep(0.5);
	my $after = $self->try_sql($runs, db => $database);
	push @{ $self->{broken} }, "$database: P10 a copy holds still: $before, then $after runs" if defined $after && $before != $after;
	return;
}

# Nothing of the extension that was dropped runs in the one that was created next.
sub check_again
{
	my ($self, $database) = @_;
	my $others = $self->try_sql(q{SELECT string_agg(DISTINCT job_name, ', ') FROM ratchet.runs WHERE job_name <> 'again'}, db => $database);
	push @{ $self->{broken} }, "$database: runs of an earlier extension: $others" if defined $others && $others ne '';
	return;
}

# What is broken, a line each.
sub check
{
	my ($self) = @_;
	my @broken = splice @{ $self->{broken} };
	my ($failed, $violations, $error) = board_violations($self->node);
	push @broken, map { "the board: $_" } split /\n/, $failed ? $error : $violations;
	for my $database ($self->databases)
	{
		push @broken, map { "$database: $_" } Chaos::Checks::broken($self->node, $database, clock_back => $self->{clock_back}, clock_moved => $self->{clock_moved});
	}
	return @broken;
}

sub runs
{
	my ($self) = @_;
	my $runs = 0;
	$runs += value($self->node, q{SELECT count(*) FROM ratchet.run_log WHERE status <> 'skipped'}, db => $_) for $self->databases;
	return $runs;
}

sub tasks
{
	my ($self) = @_;
	my $tasks = 0;
	$tasks += value($self->node, 'SELECT count(*) FROM chaos.did', db => $_) for $self->databases;
	return $tasks;
}

1;
