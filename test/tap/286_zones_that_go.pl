# The time zone database changes under the jobs: a zone is gone after an upgrade of the system and comes back,
# rules change while the server runs, and a schedule cannot be read any more. See docs/operations.md, "Time
# zones".

use strict;
use warnings;

use File::Copy qw(move);
use File::Temp ();
use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

# A server of its own with a time zone database of its own. Where the server was built for that of the system,
# the path is in the program, which is copied: the new one must not be longer.
my $path = own_installation("$PostgreSQL::Test::Utils::tmp_check/installation_zones");
my ($system) = pg_config('configure') =~ /--with-system-tzdata=([^' ]+)/;
my $base = File::Temp->newdir('/tmp/rz.XXXX');
chmod 0755, "$base";
my $from = $system // pg_config('sharedir', $path) . '/timezone';
my $zones = defined $system ? "$base/z" : $from;
if (defined $system)
{
	die "the path of the copy is too long\n" if length($zones) > length($system);
	system('cp', '-rL', $system, $zones) == 0 or die "cannot copy $system\n";
	my $program = slurp_file("$path/bin/postgres");
	my $patched = $zones . '/' x (length($system) - length($zones));
	$program =~ s/\0\Q$system\E\0/\0$patched\0/g or die "the path of the time zones is not in the program\n";
	open(my $file, '>:raw', "$path/bin/postgres.new") or die $!;
	print $file $program;
	close $file;
	chmod 0755, "$path/bin/postgres.new";
	rename "$path/bin/postgres.new", "$path/bin/postgres";
}

# Systems that have left the old names out still have what they stood for.
mkdir "$zones/US";
-e "$zones/US/Pacific" or system('cp', '-L', "$zones/America/Los_Angeles", "$zones/US/Pacific") == 0 or die $!;

sub take_away { my ($zone) = @_; move("$zones/$zone", "$zones/gone") or die $!; return; }
sub put_back { my ($zone) = @_; move("$zones/gone", "$zones/$zone") or die $!; return; }

# As a package manager does: another file takes the place of the old one.
sub replace
{
	my ($zone, $by) = @_;
	system('cp', '-L', "$zones/$by", "$zones/new") == 0 && rename("$zones/new", "$zones/$zone") or die $!;
	return;
}

my $node = new_node('main', install_path => $path, conf => "log_timezone = 'Asia/Tokyo'\n");
value($node, q{
	CREATE TABLE effect (job text, at timestamptz DEFAULT clock_timestamp());
	SELECT ratchet.schedule(job, schedule, format('INSERT INTO effect VALUES (%L)', job), time_zone => 'US/Pacific',
	                        active_window => open)
	  FROM (VALUES ('hourly', '0 * * * *', NULL), ('daily', '1 day', NULL), ('in a window', '200 ms', '00:00-24:00'),
	               ('each', '200 ms', NULL), ('after', '200 ms after completion', NULL), ('on and on', '@continuous', NULL),
	               ('asked', '@manual', NULL)) j (job, schedule, open);
	SELECT ratchet.schedule('child', '@manual', $$INSERT INTO effect VALUES ('child')$$, time_zone => 'US/Pacific',
	                        depends_on => '{each}');
	SELECT ratchet.schedule('noon in Berlin', '0 12 * * *', 'SELECT 1', time_zone => 'Europe/Berlin')});
my @go_on = ('each', 'after', 'on and on', 'child');
wait_until($node, q{SELECT count(DISTINCT job) = 5 FROM effect}, 'jobs run');

sub go_on
{
	my ($what, @jobs) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	value($node, 'TRUNCATE effect');
	wait_until($node, "SELECT count(DISTINCT job) = $#jobs + 1 FROM effect WHERE job IN ('" . join("', '", @jobs) . "')", $what);
	return;
}

sub standing_still
{
	return value($node, q{SELECT string_agg(job_name, ', ' ORDER BY job_name) FROM ratchet.job_health
		WHERE color = 'red' AND why LIKE 'its schedule stands still: %'});
}

my $status = q{SELECT state || ': ' || detail FROM ratchet.status() WHERE component = '%s'};
my $records = q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'hourly' AND status = 'failed'};

promise 'a zone is gone after a restart' => sub {
	$node->stop;
	take_away('US/Pacific');
	$node->start;
	wait_until($node, qq{SELECT EXISTS ($records HAVING count(*) > 0)}, 'there is a record');
	is_run(
		row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'hourly' ORDER BY run_id DESC LIMIT 1}),
		{ status => 'failed', sqlstate => '22023', error => 'time zone "US/Pacific" is not known',
			reason => 'its schedule stands still', started_at => undef },
		'it says why');
	like(value($node, q{SELECT error_hint FROM ratchet.runs WHERE job_name = 'hourly' ORDER BY run_id DESC LIMIT 1}),
		qr/time_zone =>/, 'and what to do');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.job_health WHERE color = 'red'}, 'what needs the zone is red');
	is(standing_still(), 'daily, hourly, in a window', 'and says why');
	is(value($node, q{SELECT next_run_at FROM ratchet.jobs WHERE job_name = 'hourly'}), '', 'it has no next run');
	is(value($node, sprintf $status, 'schedules'),
		'standing still: 3 jobs with a schedule or time zone that cannot be read', 'ratchet.status() says so');
	go_on('what needs no zone goes on', @go_on);
	wait_run($node, value($node, q{SELECT ratchet.trigger('asked')}), 'succeeded', 'what is asked for runs');
	wait_run($node, value($node, q{SELECT ratchet.trigger('hourly')}), 'succeeded', 'also of a job that stands still');
	is(standing_still(), 'daily, hourly, in a window', 'which stays red');
	is(value($node, q{SELECT next_run_at > now() FROM ratchet.jobs WHERE job_name = 'noon in Berlin'}), 't', 'other zones are there');
	psql_ok($node, q{SELECT ratchet.alter_job('each', schedule => '300 ms')}, 'what needs no zone can be altered');
	psql_ok($node, q{SELECT ratchet.alter_job('daily', schedule => '200 ms')}, 'to which another job may change');
	go_on('and goes on', 'daily');
};

promise 'it is told once' => sub {
	my $before = value($node, $records);
	terminate_ratchet($node, 'scheduler', 'postgres');
	go_on('another scheduler is there', @go_on);
	value($node, q{SELECT ratchet.alter_job('hourly', comment => 'still there')});
	go_on('it has looked at the job', @go_on);
	is(value($node, $records), $before, 'no further record');
};

promise 'jobs go on when the zone is back' => sub {
	put_back('US/Pacific');
	$node->reload;
	go_on('without further help', @go_on, 'in a window');
	wait_until($node, q{SELECT next_run_at > now() FROM ratchet.jobs WHERE job_name = 'hourly'}, 'the next run is known');
	is(standing_still(), '', 'nothing is red because of it');
	is(value($node, sprintf $status, 'schedules'), '', 'ratchet.status() has nothing to say');
	my $later = value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'in a window' AND cause = 'schedule' AND status = 'succeeded'});
	cmp_ok($later, '>', 0, 'what was missed went by its misfire policy');
};

promise 'what was under way when the server stopped goes on when the zone is back' => sub {
	value($node, q{
		CREATE TABLE part (id uuid PRIMARY KEY, n int NOT NULL DEFAULT 0);
		INSERT INTO part SELECT md5(i::text)::uuid FROM generate_series(1, 30) i;
		CREATE TABLE gate (closed boolean);
		INSERT INTO gate VALUES (true);
		CREATE FUNCTION at_gate(k uuid) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			WHILE k > '8fffffff-ffff-ffff-ffff-ffffffffffff' AND EXISTS (SELECT FROM gate) LOOP
				PERFORM pg_sleep(0.01);
			END LOOP;
			UPDATE part SET n = n + 1 WHERE id = k;
		END $$;
		SELECT ratchet.schedule_batch('walk', '0 0 1 1 *', 'SELECT id FROM part', 'SELECT at_gate($1)', batch_size => 3, time_zone => 'US/Pacific')});
	my $run = value($node, q{SELECT ratchet.trigger('walk')});
	wait_until($node, "SELECT items_done > 0 FROM ratchet.running WHERE run_id = $run");
	$node->stop('immediate');
	take_away('US/Pacific');
	$node->start;
	wait_run($node, $run, 'crashed');
	value($node, 'TRUNCATE gate');
	like(standing_still(), qr/walk/, 'its job stands still');
	put_back('US/Pacific');
	$node->reload;
	wait_until($node, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $run", 'the run is taken up');
	is(value($node, 'SELECT min(n), max(n) FROM part'), '1|1', 'each item is done once');
};

promise 'rules change while the server runs' => sub {
	value($node, q{
		SELECT ratchet.schedule('noon', '0 12 * * *', 'SELECT 1', time_zone => 'America/Vancouver');
		SELECT ratchet.schedule('reads', '@manual', $$SELECT (timestamptz '2020-01-01 12:00+00' AT TIME ZONE 'America/Vancouver')::text AS local$$)});
	wait_until($node, q{SELECT next_run_at IS NOT NULL FROM ratchet.job_state JOIN ratchet.job USING (job_id) WHERE job_name = 'noon'},
		'the scheduler has read the zone');
	my $result = sub { my $run = value($node, q{SELECT ratchet.trigger('reads')}); wait_run($node, $run, 'succeeded'); return run_record($node, $run)->{result} };
	is($result->(), '{"local":"2020-01-01 04:00:00"}', 'so has a worker');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	replace('America/Vancouver', 'Asia/Tokyo');
	$node->reload;
	wait_until($node, qq{SELECT scheduler.pid <> $scheduler FROM pg_stat_activity scheduler
		WHERE backend_type = 'pg_ratchet scheduler' AND datname = 'postgres'}, 'another scheduler takes over');
	wait_until($node, q{SELECT s.next_run_at = (SELECT * FROM ratchet.next_runs('0 12 * * *', 'America/Vancouver', 1))
		FROM ratchet.job_state s JOIN ratchet.job USING (job_id) WHERE job_name = 'noon'}, 'it says what new sessions say');
	is($result->(), '{"local":"2020-01-01 21:00:00"}', 'workers are new ones, too');
	go_on('jobs go on', @go_on);
};

promise 'what the postmaster has read needs a restart' => sub {
	is(value($node, sprintf $status, 'time zones'), '', 'so far nothing is outdated');
	my ($scheduler) = ratchet_pids($node, 'scheduler', 'postgres');
	replace('Asia/Tokyo', 'Etc/GMT+7');
	$node->reload;
	wait_until($node, "SELECT EXISTS (" . sprintf($status, 'time zones') . ")", 'ratchet.status() says so');
	is(value($node, sprintf $status, 'time zones'),
		'outdated: the rules of Asia/Tokyo have changed since the server started, which has read them for all its processes', 'what and why');
	go_on('jobs go on', @go_on);
	is((ratchet_pids($node, 'scheduler', 'postgres'))[0], $scheduler, 'no scheduler leaves in vain');
	$node->restart;
	is(value($node, sprintf $status, 'time zones'), '', 'the restart helps');
};

promise 'a schedule that the library cannot read' => sub {
	value($node, q{UPDATE ratchet.job SET schedule = '61 of the clock' WHERE job_name = 'each'});
	wait_until($node, q{SELECT color = 'red' FROM ratchet.job_health WHERE job_name = 'each'}, 'is red');
	like(value($node, q{SELECT why FROM ratchet.job_health WHERE job_name = 'each'}), qr/^its schedule stands still: .*61 of the clock/, 'and says why');
	go_on('other jobs go on', 'after', 'on and on');
	value($node, q{SELECT ratchet.alter_job('each', schedule => '200 ms')});
	go_on('it does when it has another one', @go_on);
	is(standing_still(), '', 'and is not red for that any more');
};

finish();
