package Chaos::Faults;

# What happens to the server of a Chaos::World: each fault is a name, how often it is taken, what the
# world has to have for it (needs), and what it does. Something that lasts puts its end into $world->{undo}.
# Dice are cast first, and equally often whatever is found: so that a seed gives the same faults again.

use strict;
use warnings;

use RatchetTest;
use Time::HiRes qw(sleep);

my @kinds = ('pg_ratchet worker', 'pg_ratchet worker', 'pg_ratchet worker', 'pg_ratchet scheduler', 'pg_ratchet launcher', 'client backend');

sub pid_of
{
	my ($world, $type) = @_;
	my $number = $world->{dice}->upto(1_000_000);
	my @pids = split /\n/, $world->try_sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '$type%' AND pid <> pg_backend_pid() ORDER BY pid") // '';
	return @pids ? $pids[ $number % @pids ] : undef;
}

sub kill_one
{
	my ($world, $type) = @_;
	my $pid = pid_of($world, $type) // return 'nobody';
	kill('KILL', $pid) == 1 or return 'nobody';
	$world->{killed} = 1;
	return "$type $pid";
}

sub signal_one
{
	my ($world, $signal) = @_;
	my $type = $world->{dice}->pick(@kinds);
	my $pid = pid_of($world, $type) // return 'nobody';
	kill($signal, $pid);
	return "$type $pid";
}

sub restart
{
	my ($world, $mode) = @_;
	if ($mode eq 'smart')
	{
		$world->end_traffic;
		$world->end_sessions;
	}
	$world->bring_up;
	$world->node->stop($mode, fail_ok => 1);
	sleep($world->{dice}->between(0, 2));
	$world->bring_up;
	$world->begin_traffic if $mode eq 'smart';
	return $mode;
}

sub set_for_a_round
{
	my ($world, $name, $value) = @_;
	$world->try_sql("ALTER SYSTEM SET $name = $value") // return 'not set';
	$world->try_sql('SELECT pg_reload_conf()');
	push @{ $world->{undo} }, sub {
		value($world->node, "ALTER SYSTEM RESET $name");
		value($world->node, 'SELECT pg_reload_conf()');
	};
	return "$name = $value";
}

# A table or a row that jobs need is locked for a while.
sub lock_for_a_while
{
	my ($world) = @_;
	my $table = $world->{dice}->pick(
		map({ "ratchet.$_ IN ACCESS EXCLUSIVE MODE" } qw(job job_state run_queue run_log job_checkpoint failed_item job_version job_stat queue task task_claim finished_task)),
		map({ "chaos.$_ IN ACCESS EXCLUSIVE MODE" } qw(effect done item event changed switch did sent)));
	my $for = $world->{dice}->between(0.2, 3);
	$world->begin_session([ "BEGIN; LOCK TABLE $table; SELECT pg_sleep($for)" ], db => $world->{dice}->pick($world->databases));
	return $table;
}

sub rewrite_table
{
	my ($world) = @_;
	my $what = $world->{dice}->pick(map { ("VACUUM FULL ratchet.$_", "REINDEX TABLE ratchet.$_", "VACUUM ratchet.$_") } qw(job_state run_queue job_stat job_checkpoint run_log failed_item task task_claim finished_task));
	$world->begin_session([ "SET lock_timeout = '5s'", $what ], db => $world->{dice}->pick($world->databases));
	return $what;
}

sub old_snapshot
{
	my ($world) = @_;
	$world->begin_session([ 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chaos.effect; SELECT pg_sleep(60)' ],
		db => $world->{dice}->pick($world->databases));
	return 'for the round';
}

# A change that is committed later, by another session, perhaps after a crash.
sub prepare_transaction
{
	my ($world) = @_;
	my $database = $world->{dice}->pick($world->databases);
	my $name = 'later' . ++$world->{serial};
	my $end = $world->{dice}->pick('COMMIT', 'COMMIT', 'ROLLBACK');
	$world->try_sql("BEGIN; INSERT INTO chaos.changed (what) VALUES ('$name'); SELECT count(chaos.send(queue)) FROM chaos.queue WHERE kind IN ('mail', 'bulk'); PREPARE TRANSACTION '$name'", db => $database) // return 'not prepared';
	push @{ $world->{undo} }, sub { value($world->node, "$end PREPARED '$name'", db => $database) };
	return "$name, $end";
}

sub take_connections
{
	my ($world) = @_;
	my $for = $world->{dice}->between(0.5, 2);
	$world->begin_session([ "SELECT pg_sleep($for)" ]) for 1 .. 40;
	return 'all';
}

# Parallel queries take the places of workers.
sub take_worker_slots
{
	my ($world) = @_;
	my $for = $world->{dice}->between(0.5, 2);
	$world->begin_session(
		[
			'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers = 64; SET max_parallel_workers_per_gather = 64',
			'CREATE TEMP TABLE t AS SELECT 1', "ALTER TABLE chaos.crowd SET (parallel_workers = 60)",
			"SELECT count(pg_sleep($for / 20)) FROM chaos.crowd"
		],
		db => $world->{dice}->pick($world->databases));
	return "for $for s";
}

sub fill_disk
{
	my ($world) = @_;
	my $path = "$world->{small_disk}/ballast";
	system("dd if=/dev/zero of='$path' bs=64k 2>/dev/null");
	push @{ $world->{undo} }, sub { unlink $path };
	return $path;
}

# The WAL has a small file system of its own: the server panics, and comes back when there is room.
sub fill_wal
{
	my ($world) = @_;
	my $path = "$world->{small_wal}/ballast";
	system("dd if=/dev/zero of='$path' bs=64k 2>/dev/null");
	$world->try_sql('SELECT pg_switch_wal()') for 1 .. 3;
	sleep($world->{dice}->between(1, 4));
	unlink $path;
	$world->{panicked} = 1;
	$world->bring_up;
	return $path;
}

sub move_clock
{
	my ($world) = @_;
	my $by = $world->{dice}->pick(1, 30, 600, 3600, 7200, -1, -30, -600, -3000);
	$world->set_clock($world->{clock} + $by);
	return "$by s";
}

# A database with jobs comes and goes.
sub short_database
{
	my ($world) = @_;
	my $dice = $world->{dice};
	my $name = 'short' . ++$world->{serial};
	$world->try_sql("CREATE DATABASE $name");
	$world->try_sql(q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('tick', '50 ms', 'SELECT 1');
		SELECT ratchet.schedule('slow ' || n, '@manual', 'SELECT pg_sleep(0.2)', overlap => 'allow') FROM generate_series(1, 3) n;
		SELECT ratchet.trigger('slow ' || n, payload => to_jsonb(m)) FROM generate_series(1, 3) n, generate_series(1, 10) m}, db => $name);
	sleep($dice->between(0, 0.5));
	my $end = $dice->pick('DROP EXTENSION', 'AGAIN', 'AGAIN', 'RENAME', 'TEMPLATE', 'nothing');
	$world->try_sql('DROP EXTENSION pg_ratchet', db => $name) if $end eq 'DROP EXTENSION';
	my $again = $end eq 'AGAIN' && defined $world->try_sql(q{DROP EXTENSION pg_ratchet; CREATE EXTENSION pg_ratchet;
		SELECT ratchet.schedule('again', '50 ms', 'SELECT 1')}, db => $name);
	$world->try_sql("ALTER DATABASE $name RENAME TO ${name}_renamed; ALTER DATABASE ${name}_renamed RENAME TO $name") if $end eq 'RENAME';
	$world->try_sql("CREATE DATABASE ${name}_copy TEMPLATE $name") if $end eq 'TEMPLATE';
	push @{ $world->{undo} }, sub {
		$world->check_copy("${name}_copy") if $end eq 'TEMPLATE';
		$world->check_again($name) if $again;
		value($world->node, "DROP DATABASE IF EXISTS $_ WITH (FORCE)") for $name, "${name}_copy", "${name}_renamed";
	};
	$world->try_sql("DROP DATABASE $name WITH (FORCE)") if $dice->chance(0.3);
	return "$name, $end";
}

sub short_role
{
	my ($world) = @_;
	my $name = 'short_role' . ++$world->{serial};
	my $database = $world->{dice}->pick($world->databases);
	$world->try_sql("CREATE ROLE $name LOGIN");
	$world->try_sql("SELECT ratchet.schedule('$name', '100 ms', 'SELECT 1', run_as => '$name')", db => $database);
	sleep($world->{dice}->between(0, 0.5));
	$world->try_sql("DROP ROLE $name");
	push @{ $world->{undo} }, sub { value($world->node, "SELECT ratchet.unschedule('$name', true)", db => $database) };
	return $name;
}

sub no_login
{
	my ($world) = @_;
	my $role = 'chaos' . (1 + $world->{dice}->upto(3));
	$world->try_sql("ALTER ROLE $role NOLOGIN");
	push @{ $world->{undo} }, sub { value($world->node, "ALTER ROLE $role LOGIN") };
	return $role;
}

sub connection_limit
{
	my ($world) = @_;
	my $role = 'chaos' . (1 + $world->{dice}->upto(3));
	$world->try_sql("ALTER ROLE $role CONNECTION LIMIT 0");
	push @{ $world->{undo} }, sub { value($world->node, "ALTER ROLE $role CONNECTION LIMIT -1") };
	return $role;
}

sub kill_postmaster
{
	my ($world) = @_;
	$world->bring_up;
	my $pid = $world->node->{_pid};
	kill('KILL', $pid);
	waitpid($pid, 0);
	sleep($world->{dice}->between(0, 1));
	$world->bring_up;
	return $pid;
}

sub stop_for_a_while
{
	my ($world) = @_;
	my $type = $world->{dice}->pick(@kinds);
	my $for = $world->{dice}->between(0.2, 1.5);
	my $pid = pid_of($world, $type) // return 'nobody';
	kill('STOP', $pid);
	sleep($for);
	kill('CONT', $pid);
	return "$type $pid";
}

sub cancel_runs
{
	my ($world) = @_;
	$world->try_sql('SELECT ratchet.cancel(run_id) FROM ratchet.running', db => $world->{dice}->pick($world->databases));
	return 'all of a database';
}

sub all
{
	return (
		{ name => 'kill -9 worker',      weight => 4, do => sub { kill_one($_[0], 'pg_ratchet worker') } },
		{ name => 'kill -9 scheduler',   weight => 2, do => sub { kill_one($_[0], 'pg_ratchet scheduler') } },
		{ name => 'kill -9 launcher',    weight => 1, do => sub { kill_one($_[0], 'pg_ratchet launcher') } },
		{ name => 'kill -9 session',     weight => 1, do => sub { kill_one($_[0], 'client backend') } },
		{ name => 'kill -9 walwriter',   weight => 1, do => sub { kill_one($_[0], 'walwriter') } },
		{ name => 'kill -9 postmaster',  weight => 2, do => \&kill_postmaster },
		{ name => 'terminate',           weight => 4, do => sub { signal_one($_[0], 'TERM') } },
		{ name => 'cancel',              weight => 4, do => sub { signal_one($_[0], 'INT') } },
		{ name => 'stand still',         weight => 3, do => \&stop_for_a_while },
		{ name => 'cancel runs',         weight => 2, do => \&cancel_runs },
		{ name => 'restart immediate',   weight => 2, do => sub { restart($_[0], 'immediate') } },
		{ name => 'restart fast',        weight => 2, do => sub { restart($_[0], 'fast') } },
		{ name => 'restart smart',       weight => 1, do => sub { restart($_[0], 'smart') } },
		{ name => 'enabled off',         weight => 1, do => sub { set_for_a_round($_[0], 'ratchet.enabled', 'off') } },
		{ name => 'idle workers leave',  weight => 1, do => sub { set_for_a_round($_[0], 'ratchet.worker_idle_timeout', q{'1 ms'}) } },
		{ name => 'no grace',            weight => 1, do => sub { set_for_a_round($_[0], 'ratchet.cancel_grace', q{'1 ms'}) } },
		{ name => 'no temporary files',  weight => 1, do => sub { set_for_a_round($_[0], 'temp_file_limit', q{'64 kB'}) } },
		{ name => 'statement_timeout',   weight => 1, do => sub { set_for_a_round($_[0], 'statement_timeout', q{'300 ms'}) } },
		{ name => 'lock',                weight => 3, do => \&lock_for_a_while },
		{ name => 'rewrite',             weight => 3, do => \&rewrite_table },
		{ name => 'old snapshot',        weight => 1, do => \&old_snapshot },
		{ name => 'prepared transaction', weight => 2, do => \&prepare_transaction },
		{ name => 'connections',         weight => 2, do => \&take_connections },
		{ name => 'worker slots',        weight => 2, do => \&take_worker_slots },
		{ name => 'short database',      weight => 2, do => \&short_database },
		{ name => 'short role',          weight => 1, do => \&short_role },
		{ name => 'no login',            weight => 1, do => \&no_login },
		{ name => 'connection limit',    weight => 1, do => \&connection_limit },
		{ name => 'full disk',           weight => 2, do => \&fill_disk,  needs => 'small_disk' },
		{ name => 'full WAL disk',       weight => 4, do => \&fill_wal,   needs => 'small_wal' },
		{ name => 'clock',               weight => 4, do => \&move_clock, needs => 'own_clock' },
	);
}

# One of those that this world can have, by weight.
sub choose
{
	my ($world) = @_;
	my @bag = map { ($_) x $_->{weight} } grep { !$_->{needs} || $world->{ $_->{needs} } } all();
	return $world->{dice}->pick(@bag);
}

sub strike
{
	my ($world) = @_;
	my $fault = choose($world);
	my $what = $fault->{do}->($world);
	$world->{did}{ $fault->{name} }++;
	return "$fault->{name}: $what";
}

1;
