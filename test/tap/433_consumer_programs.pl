# The consumers of docs/consumers.md, as they are printed there, in Python, JavaScript and the shell: each beside a
# second one of its kind, behind PgBouncer where that is there. They are stopped, killed and frozen, lose their connections in
# the middle of a COMMIT, and see the server restarted: each label is printed once.

use strict;
use warnings;

use File::Basename qw(dirname);
use IPC::Run ();
use Kept;
use PgBouncer;
use PostgreSQL::Test::Utils qw(slurp_file);
use RatchetTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $docs = dirname(__FILE__) . '/../../docs';
my %command = (
	py => [ '/usr/bin/python3', '-c', 'import psycopg' ],
	js => [ 'node',             '-e', 'require("pg")' ],
	sh => [ 'bash',             '-c', 'true' ]);
my @kinds = grep { my $kind = $_; eval { IPC::Run::run($command{$kind}, '>', '/dev/null', '2>', '/dev/null') } or !diag("not tested, for what it needs is not here: consumer.$kind") } qw(py js sh);

promise 'the page has the programs that are tested' => sub {
	my $page = slurp_file("$docs/consumers.md");
	for my $kind (sort keys %command)
	{
		my $program = slurp_file("$docs/examples/consumer.$kind");
		ok(index($page, "\n$program```\n") >= 0, "consumer.$kind");
	}
};

my $node = new_node('main', conf => "max_wal_senders = 2\nwal_level = replica\nsynchronous_commit = local\n");
value($node, q{
	CREATE ROLE robot LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO robot;
	CREATE TABLE label (parcel uuid NOT NULL, label text NOT NULL, printed_at timestamptz NOT NULL DEFAULT clock_timestamp());
	GRANT INSERT ON label TO robot;
	-- A COMMIT whose answer is lost: it waits for a standby that is not there, or before it has committed.
	CREATE SEQUENCE cut;
	GRANT USAGE ON SEQUENCE cut TO robot;
	CREATE FUNCTION wait_for_standby() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN PERFORM set_config('synchronous_commit', 'on', true); RETURN new; END$$;
	CREATE TRIGGER lost BEFORE INSERT ON label FOR EACH ROW WHEN (new.label LIKE '%Lost Street%') EXECUTE FUNCTION wait_for_standby();
	CREATE FUNCTION wait_for_ever() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF nextval('cut') <= 3 THEN PERFORM pg_sleep(3600); END IF; RETURN NULL; END$$;
	CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON label DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (new.label LIKE '%Cut Street%') EXECUTE FUNCTION wait_for_ever()});
value($node, qq{SELECT ratchet.create_queue('$_', consumers => '{robot}', max_attempts => 2, backoff => '10 ms', max_crashes => 100, retention => '1 day')})
  for @kinds;

my $pool = defined PgBouncer::version() ? PgBouncer->new($node, users => { robot => 'secret' }, size => 20) : undef;
diag('not tested behind PgBouncer, which is not here') unless defined $pool;
my %environment = (
	PGHOST => defined $pool ? '127.0.0.1' : $node->host, PGPORT => defined $pool ? $pool->{port} : $node->port,
	PGDATABASE => 'postgres', PGUSER => 'robot', PGPASSWORD => 'secret', LEASE => 3);

# ---- Programs ------------------------------------------------------------------------------------

my %running;    # kind => list of hashes

sub begin_program
{
	my ($kind) = @_;
	local %ENV = (%ENV, %environment);
	my $log = "$PostgreSQL::Test::Utils::log_path/433_consumer_$kind.log";
	my $program = { kind => $kind, log => $log, pid => begin_process($log, $command{$kind}[0], "$docs/examples/consumer.$kind", $kind) };
	push @{ $running{$kind} }, $program;
	return $program;
}

sub all_programs { return map { @$_ } values %running; }

# Asks all of them to.
sub end_all
{
	my @programs = all_programs();
	kill('TERM', map { $_->{pid} } @programs);
	is(wait_for_end($_->{pid}), 0, "$_->{kind} has ended") for @programs;
	%running = ();
	return;
}

# ---- Parcels -------------------------------------------------------------------------------------

# So many tasks for each kind of program; returns their common street, for which labels are counted.
my $streets = 0;

sub enqueue
{
	my ($count, %with) = @_;
	my $street = $with{street} // 'Rue ' . ++$streets;
	my $seconds = $with{seconds} // 0;
	value($node, qq{SELECT ratchet.enqueue_many('$_', array_agg(jsonb_build_object('parcel', gen_random_uuid(), 'address', i || ', $street', 'seconds', $seconds)))
		FROM generate_series(1, $count) i}) for @kinds;
	return $street;
}

sub of_street { my ($kind, $street) = @_; return "queue_name = '$kind' AND payload->>'address' LIKE '%$street'"; }

sub all_printed
{
	my ($count, $street, $what) = @_;
	for my $kind (@kinds)
	{
		wait_until($node, "SELECT count(*) = $count FROM ratchet.tasks WHERE state = 'completed' AND " . of_street($kind, $street), "$what: $kind has done all");
	}
	is(value($node, "SELECT count(*), count(DISTINCT parcel) FROM label WHERE label LIKE '%$street'"), join('|', (@kinds * $count) x 2), "$what: each label is printed once");
	return;
}

sub under_way
{
	my ($street) = @_;
	wait_until($node, "SELECT count(*) > 0 FROM ratchet.tasks WHERE state = 'running' AND " . of_street($_, $street), "$_ is at work") for @kinds;
	return;
}

promise 'labels are printed once, work that takes longer than the lease included, and what cannot be is dead and says why' => sub {
	begin_program($_) for @kinds, @kinds;
	my $long = enqueue(1, seconds => 5);
	my $short = enqueue(30, seconds => 0.01);
	value($node, qq{SELECT ratchet.enqueue('$_', jsonb_build_object('parcel', gen_random_uuid()))}) for @kinds;
	all_printed(30, $short, 'short ones');
	for my $kind (@kinds)
	{
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.tasks WHERE queue_name = '$kind' AND state = 'dead'", "$kind: one is dead");
		like(value($node, "SELECT attempts || ' ' || error FROM ratchet.tasks WHERE queue_name = '$kind' AND state = 'dead'"), qr/^2 .*has no address/, "$kind: after two attempts");
	}
	all_printed(1, $long, 'long ones');
	is(value($node, "SELECT max(crashes) FROM ratchet.tasks WHERE payload->>'address' LIKE '%$long'"), 0, 'their leases were prolonged');
};

promise 'asked to end, they finish what they have in hand, and take nothing else' => sub {
	my $street = enqueue(4, seconds => 1);
	under_way($street);
	end_all();
	is(value($node, "SELECT count(*) FROM ratchet.tasks WHERE state = 'running'"), 0, 'none is in hand');
	is(value($node, "SELECT count(*) FROM label WHERE label LIKE '%$street'"), value($node, "SELECT count(*) FROM ratchet.tasks WHERE state = 'completed' AND payload->>'address' LIKE '%$street'"),
		'what was done is completed');
	begin_program($_) for @kinds;
	all_printed(4, $street, 'another one does the rest');
};

promise 'one that is frozen for longer than its lease cannot complete, and what it has written is rolled back' => sub {
	my $street = enqueue(1, seconds => 1);
	under_way($street);
	my @frozen = map { $running{$_}[0] } @kinds;
	kill('STOP', -$_->{pid}) for @frozen;
	begin_program($_) for @kinds;
	all_printed(1, $street, 'others');
	kill('CONT', -$_->{pid}) for @frozen;
	for my $program (@frozen)
	{
		my $end = time() + $RatchetTest::deadline;
		usleep(50_000) until time() > $end || slurp_file($program->{log}) =~ /is not in the hands|55000/;
		like(slurp_file($program->{log}), qr/is not in the hands|55000/, "$program->{kind} is told");
	}
	is(value($node, "SELECT count(*) FROM label WHERE label LIKE '%$street'"), scalar(@kinds), 'still one label each');
};

promise 'what one that is killed had in hand, another one does' => sub {
	my $street = enqueue(1, seconds => 1);
	under_way($street);
	end_process($_->{pid}) for all_programs();
	%running = ();
	begin_program($_) for @kinds;
	all_printed(1, $street, 'after the kill');
};

# The sessions in the middle of a COMMIT of each kind of program.
sub cut_commits
{
	my ($event) = @_;
	my $in_commit = "FROM pg_stat_activity WHERE usename = 'robot' AND wait_event = '$event'";
	wait_until($node, 'SELECT count(*) = ' . @kinds . " $in_commit", 'all are in a COMMIT');
	value($node, "SELECT count(pg_terminate_backend(pid)) $in_commit");
	return;
}

promise 'a COMMIT whose answer was lost is asked for: one that has committed is not done again, and one that has not is' => sub {
	value($node, $_) for "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", 'SELECT pg_reload_conf()';
	my $lost = enqueue(1, street => 'Lost Street');
	cut_commits('SyncRep');
	all_printed(1, $lost, 'committed');
	value($node, $_) for 'ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()';
	my $cut = enqueue(1, street => 'Cut Street');
	cut_commits('PgSleep');
	all_printed(1, $cut, 'not committed');
	is(value($node, q{SELECT max(crashes + attempts) FROM ratchet.tasks WHERE payload->>'address' LIKE ANY ('{%Lost Street,%Cut Street}') AND state = 'completed'}),
		0, 'by the same attempt');
};

promise 'they go on by themselves after a restart of the server' => sub {
	$node->restart;
	all_printed(5, enqueue(5), 'after the restart');
	end_all();
};

$pool->stop if defined $pool;
finish();
