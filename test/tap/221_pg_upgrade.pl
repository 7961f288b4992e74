# pg_upgrade: definitions, history, standing, checkpoints and what waits come along, the new server runs on
# without being told to, and nothing runs while it is made. Both sides are of one version, which pg_upgrade
# allows, or the old one is the server whose installation is RATCHET_OLDER: script/check makes it.
# PG_TEST_PG_UPGRADE_MODE=--link moves the files instead of copying them, as in the server's own test.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils ();
use RatchetTest;
use Test::More;

my @shop = (db => 'shop');

# Releases differ in whether initdb turns checksums on, and pg_upgrade wants both sides alike.
my %alike = (init => [ extra => ['--data-checksums'] ]);
my $old = new_node('old', extension => 0, %alike, $ENV{RATCHET_OLDER} ? (install_path => $ENV{RATCHET_OLDER}) : ());
my $new = new_node('new', extension => 0, %alike);
$new->stop;
diag('from PostgreSQL ' . value($old, 'SHOW server_version') . ' to ' . $new->config_data('--version'));

# A role that is only on the old side gives the later ones numbers that they would not have by chance.
value($old, 'CREATE ROLE gone; CREATE ROLE bob LOGIN; CREATE ROLE alice LOGIN; DROP ROLE gone; CREATE DATABASE shop');
value(
	$old, q{
	CREATE TABLE first_of_all (id int);
	CREATE EXTENSION pg_ratchet;
	GRANT USAGE ON SCHEMA ratchet TO alice, bob;
	GRANT CREATE ON SCHEMA public TO alice, bob;
	DROP TABLE first_of_all;

	CREATE TABLE seen (at timestamptz DEFAULT clock_timestamp());
	SELECT ratchet.schedule('tick', '250 ms', 'INSERT INTO seen DEFAULT VALUES');
	CREATE TABLE item (id bigint PRIMARY KEY, done int NOT NULL DEFAULT 0, bad bool NOT NULL DEFAULT false);
	INSERT INTO item SELECT i, 0, i = 7 FROM generate_series(1, 20) AS i;
	SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT id, bad FROM item',
		'UPDATE item SET done = done + 1 / (1 - $2::int) WHERE id = $1', key => '{id}', batch_size => 5);

	SELECT ratchet.schedule('parent', '@manual', 'SELECT 1');
	SELECT ratchet.schedule('child', '@manual', 'SELECT 2', depends_on => '{parent}');
	CREATE TABLE changed (id int);
	SELECT ratchet.schedule('look', '@manual', 'SELECT count(*) FROM changed');
	SELECT ratchet.trigger_on_change('changed', 'look', debounce => '50 ms');
	CREATE TABLE watched (id int);
	SELECT ratchet.schedule('watch', '200 ms', 'SELECT count(*) FROM watched', watch => '{watched}');
	INSERT INTO ratchet.calendar_days VALUES ('holidays', '2099-12-24', 'an eve');
	SELECT ratchet.schedule('daily', '0 9 * * *', 'SELECT ratchet.scheduled_at()', calendar => 'holidays');
	SELECT ratchet.schedule('paused', '1 second', 'SELECT 1', enabled => false);
	SELECT ratchet.schedule('saves', '@manual', $$DO 'BEGIN PERFORM ratchet.save_checkpoint(''{"at": 42}'');
		COMMIT; RAISE ''cut off''; END'$$)},
	@shop);
for my $owner ('alice', 'bob')
{
	value(
		$old, qq{
		CREATE TABLE ${owner}_did (who text, what text);
		CREATE TABLE ${owner}_item (id bigint PRIMARY KEY, done int NOT NULL DEFAULT 0);
		INSERT INTO ${owner}_item SELECT generate_series(1, 20);
		SELECT ratchet.schedule('$owner notes', '\@manual',
			'INSERT INTO ${owner}_did VALUES (session_user, ratchet.payload() ->> ''what'')');
		SELECT ratchet.schedule_batch('$owner walks', '\@manual', 'SELECT id FROM ${owner}_item',
			'UPDATE ${owner}_item SET done = done + 1 FROM (SELECT CASE WHEN \$1 = 11 THEN pg_advisory_xact_lock(7) END) wait
			WHERE id = \$1', key => '{id}', batch_size => 5)},
		@shop, user => $owner);
}

sub succeeded
{
	my ($job) = @_;
	return "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'";
}

# ---- What comes along ------------------------------------------------------------------------------

my $walk = value($old, q{SELECT ratchet.trigger('walk')}, @shop);
wait_run($old, $walk, 'succeeded', 'a batch job has run', @shop);
is(value($old, 'SELECT item FROM ratchet.failed_items', @shop), '{"id": 7, "bad": true}', 'with one failed item');
wait_run($old, value($old, q{SELECT ratchet.trigger('saves')}, @shop), 'failed', 'one has failed behind its checkpoint', @shop);
value($old, q{
	SELECT ratchet.create_channel('ops', 'webhook', '{"url": "https://hooks.example.org/x"}');
	SELECT ratchet.create_alert('saving', '{ops}', jobs => '{boom}', group_wait => '0');
	SELECT ratchet.schedule('boom', '@manual', 'SELECT 1 / 0');
	SELECT ratchet.silence(now() + '1 hour', 'an upgrade', jobs => '{daily}')}, @shop);
wait_run($old, value($old, q{SELECT ratchet.trigger('boom')}, @shop), 'failed', 'one fails', @shop);
wait_until($old, q{SELECT count(*) = 1 FROM ratchet.deliveries}, 'which is to be told', @shop);
value($old, q{SELECT ratchet.trigger('parent')}, @shop);
wait_until($old, "SELECT (${\ succeeded('child')}) = 1", 'one that follows has run', @shop);
wait_until($old, "SELECT (${\ succeeded('watch')}) > 0 AND last_not_needed_at IS NOT NULL FROM ratchet.jobs WHERE job_name = 'watch'",
	'one that watches a table has run, and was not needed any more', @shop);
wait_until($old, "SELECT (${\ succeeded('tick')}) >= 3", 'jobs run', @shop);

# One walk ends in the middle because it is canceled, one because the server stops.
my $gate = lock_session($old, 7, @shop);
my %begun;
for my $owner ('alice', 'bob')
{
	$begun{$owner} = value($old, "SELECT ratchet.trigger('$owner walks')", @shop, user => $owner);
	wait_until($old, qq{SELECT count(*) = 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
			WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND NOT l.granted AND a.usename = '$owner'},
		"a walk of $owner is in the middle", @shop);
}
value($old, "SELECT ratchet.cancel($begun{alice})", @shop);
wait_run($old, $begun{alice}, 'canceled', 'one is canceled', @shop);
$old->stop('fast');
$gate->quit;

# ---- As it is when nothing of ours runs ------------------------------------------------------------

# What is preloaded by a server. It has to be stopped.
sub preload
{
	my ($node, $libraries) = @_;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
	return;
}

# All tables and sequences of the extension, row by row. Numbers of roles and tables as well as their names.
sub contents
{
	my ($node) = @_;
	my @relations = split /\n/, value($node, q{
		SELECT c.oid::regclass FROM pg_class AS c
		WHERE c.relnamespace = 'ratchet'::regnamespace AND c.relkind IN ('r', 'S') ORDER BY 1}, @shop);
	my %contents = map {
		my $rows = /_seq$/ ? "SELECT last_value, is_called FROM $_" : "TABLE $_";
		$_ => [ split /\n/, value($node, "SELECT r::text FROM ($rows) AS r ORDER BY 1", @shop) ];
	} @relations;
	$contents{numbers} = [ split /\n/, value(
			$node, q{
			SELECT concat_ws(' ', job_name, owner, owner::oid, watch, watch::oid[]) FROM ratchet.job
			UNION ALL
			SELECT concat_ws(' ', table_name, table_name::oid, job_name) FROM ratchet.change_triggers
			UNION ALL
			SELECT DISTINCT concat_ws(' ', job_name, owner::regrole, owner) FROM ratchet.run_log
			ORDER BY 1}, @shop) ];
	return \%contents;
}

preload($old, '');
$old->start;
# These wait for a server that has the library.
my $soon = value($old, q{SELECT ratchet.trigger('bob notes', payload => '{"what": "it''s ü"}')}, @shop, user => 'bob');
value($old, q{SELECT ratchet.trigger('bob notes', run_at => '2199-01-01', payload => '{"what": "later"}')}, @shop, user => 'bob');
value($old, q{
	CREATE TABLE parcel (task_id bigint, who text, what text);
	SELECT ratchet.create_queue('bob parcels', 'INSERT INTO parcel VALUES ($2, session_user, $1 ->> ''what'')', retention => '1 day')}, @shop, user => 'bob');
my ($parcel, $no_parcel) = map { value($old, qq{SELECT ratchet.enqueue('bob parcels', '{"what": "$_"}', unique_key => '$_')}, @shop, user => 'bob') } 'ü', 'none';
value($old, "SELECT ratchet.cancel_task($no_parcel)", @shop, user => 'bob');
is(value($old, q{SELECT ratchet.backfill('daily', '2020-01-01', '2020-01-05')}, @shop), 4, 'a backfill waits');
my $last = value($old, 'SELECT last_value FROM ratchet.run_id_seq', @shop);
my $stopped_at = value($old, 'SELECT clock_timestamp()');
my $expected   = contents($old);
for my $table (split /\n/, value($old, q{SELECT relname FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r'}, @shop))
{
	next if $table eq 'task_claim';    # where a server has been stopped in order nobody has a task in hand
	cmp_ok(scalar @{ $expected->{"ratchet.$table"} }, '>', 0, "there is something in ratchet.$table");
}
my $checkpoints = value($old, q{SELECT string_agg(concat(job_name, c.value), ', ' ORDER BY job_name)
	FROM ratchet.job_checkpoint AS c JOIN ratchet.job USING (job_id)}, @shop);
# The stop has ended the session that kept the batch of the other one waiting, and that came to its end, or had
# given way just then, after which it is smaller.
my ($bob_at) = $checkpoints =~ /^alice walks\{"id": 10\}, bob walks\{"id": (1[0-5])\}, saves\{"at": 42\}$/;
ok($bob_at, 'there are checkpoints') or diag($checkpoints);
$old->stop;
preload($old, 'pg_ratchet');

# ---- pg_upgrade ------------------------------------------------------------------------------------

promise 'pg_upgrade' => sub {
	chdir PostgreSQL::Test::Utils::tempdir() or die;
	$new->command_ok(
		[
			'pg_upgrade', split(' ', $ENV{PG_TEST_PG_UPGRADE_MODE} // ''), '--retain', '-U', (getpwuid($>))[0],
			'-b', $old->config_data('--bindir'), '-B', $new->config_data('--bindir'), '-d', $old->data_dir, '-D', $new->data_dir,
			'-p', $old->port, '-P', $new->port, '-s', PostgreSQL::Test::Utils::tempdir_short()
		],
		'pg_upgrade');
	my @logs = map { glob($new->data_dir . "/pg_upgrade_output.d/$_") } '*/log/pg_upgrade_server.log', 'log/*server.log';
	cmp_ok(scalar @logs, '>', 0, 'the servers have written logs');
	my $ours = join('|', process_kinds());
	unlike(PostgreSQL::Test::Utils::slurp_file($_), qr/pg_ratchet ($ours)/, 'no process of ours was there') for @logs;
};

promise 'all is there' => sub {
	preload($new, '');
	$new->start;
	my $is = contents($new);
	is_deeply([ sort keys %$is ], [ sort keys %$expected ], 'the tables');
	is_deeply($is->{$_}, $expected->{$_}, "what is in $_") for sort keys %$expected;
	is(value($new, "SELECT count(*) FROM seen WHERE at > '$stopped_at'", @shop), 0, 'nothing has run');
	$new->stop;
	preload($new, 'pg_ratchet');
};

$new->start;
my $started_at = value($new, 'SELECT pg_postmaster_start_time()');

promise 'jobs run on by themselves' => sub {
	wait_until($new, qq{
			SELECT count(*) >= 2 FROM ratchet.runs
			WHERE job_name = 'tick' AND status = 'succeeded' AND run_id > $last AND started_at > '$started_at'},
		'on schedule, with numbers that go on', @shop);
	is(value($new, qq{SELECT count(*) FROM seen WHERE at BETWEEN '$stopped_at' AND '$started_at'}, @shop), 0,
		'none ran meanwhile');
	is(value($new, q{SELECT count(*) FROM ratchet.status() WHERE state = 'quarantined'}, @shop), 0, 'nothing is quarantined');
	is(value($new, q{SELECT count(*) FROM ratchet.run_log JOIN ratchet.job USING (job_id) WHERE job.job_name = 'paused'}, @shop),
		0, 'one that was paused stays so');
};

promise 'what waited runs, once' => sub {
	wait_run($new, $soon, 'succeeded', 'a run that was asked for before', @shop);
	is(value($new, 'SELECT concat_ws(\' \', who, what) FROM bob_did', @shop), q{bob it's ü}, 'as its owner, with its payload');
	is(value($new, q{SELECT string_agg(status, ',') FROM ratchet.runs WHERE scheduled_at = '2199-01-01'}, @shop), 'queued',
		'one whose time has not come waits');
	wait_until($new, q{SELECT count(*) = 4 FROM ratchet.runs WHERE cause = 'backfill' AND status = 'succeeded'}, 'a backfill', @shop);
	is(value($new, q{SELECT string_agg(scheduled_at::date::text, ' ' ORDER BY run_id) FROM ratchet.runs WHERE cause = 'backfill'},
		@shop), '2020-01-01 2020-01-02 2020-01-03 2020-01-04', 'each day in turn');
};

promise 'a task that waited is done, once' => sub {
	wait_until($new, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $parcel", 'by itself', @shop);
	is(value($new, q{SELECT string_agg(concat_ws(' ', task_id, who, what), ', ') FROM parcel}, @shop), "$parcel bob ü", 'as the owner, with its payload');
	is(value($new, "SELECT state FROM ratchet.tasks WHERE task_id = $no_parcel", @shop), 'canceled', 'one that was canceled is not');
};

promise 'walks go on behind their checkpoints' => sub {
	wait_until($new, succeeded('bob walks') =~ s/count\(\*\)/count(*) = 1/r, 'by itself, where the server had stopped', @shop);
	is(value($new, "SELECT status FROM ratchet.runs WHERE run_id = $begun{bob}", @shop), 'partial', 'which had stopped behind its batch');
	my $goes_on = value($new, q{SELECT ratchet.trigger('alice walks')}, @shop, user => 'alice');
	wait_run($new, $goes_on, 'succeeded', 'when it is asked to, where it was canceled', @shop);
	my %from = (alice => 10, bob => $bob_at);
	for my $owner (sort keys %from)
	{
		is(value($new, "SELECT concat_ws(' ', min(done), max(done)) FROM ${owner}_item", @shop), '1 1', "each item of $owner is done once");
		is( value($new, qq{SELECT checkpoint_from FROM ratchet.runs WHERE job_name = '$owner walks' AND status = 'succeeded'}, @shop),
			qq({"id": $from{$owner}}), 'the rest of them now');
	}
	value($new, 'UPDATE item SET bad = false', @shop);
	my $replay = value($new, "SELECT ratchet.replay($walk, only_failed => true)", @shop);
	wait_run($new, $replay, 'succeeded', 'what had failed runs again', @shop);
	is(value($new, 'SELECT count(*) FROM item WHERE done = 1', @shop), 20, 'each item is done once');
};

promise 'what asks for runs still does' => sub {
	value($new, 'INSERT INTO changed VALUES (1)', @shop);
	wait_until($new, q{SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = 'look' AND result::json ->> 'count' = '1'},
		'a change of a table', @shop);
	value($new, q{SELECT ratchet.trigger('parent')}, @shop);
	wait_until($new, "SELECT (${\ succeeded('child')}) = 2", 'the success of another job', @shop);

	# Its statistics have not come along: it runs once to be on the safe side.
	my $not_needed = qq{SELECT last_not_needed_at > last_run_at AND last_run_at > '$started_at'
		FROM ratchet.jobs WHERE job_name = 'watch'};
	wait_until($new, $not_needed, 'a table that is watched: it is looked at once', @shop);
	my $runs = value($new, succeeded('watch'), @shop);
	value($new, 'INSERT INTO watched VALUES (1)', @shop);
	wait_until($new, "SELECT (${\ succeeded('watch')}) = $runs + 1", 'and again when it has changed', @shop);
};

promise 'the extension is what a new one is' => sub {
	my @views = split /\n/, value($new, q{
		SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'v'}, @shop);
	psql_ok($new, "SELECT count(*) FROM $_", "$_ can be read", @shop) for @views;
	psql_ok($new, q{SELECT ratchet.schedule('another', '@manual', 'SELECT 1')}, 'new jobs can be defined', @shop);
	is(value($new, q{SELECT job_id > ALL (SELECT job_id FROM ratchet.job WHERE job_name <> 'another') FROM ratchet.job
			WHERE job_name = 'another'}, @shop), 't', 'with a number of their own');

	value($new, 'CREATE DATABASE fresh');
	value($new, 'CREATE EXTENSION pg_ratchet', db => 'fresh');
	my %facts = map {
		my $db = $_;
		my ($out, $err) = PostgreSQL::Test::Utils::run_command(
			[
				$new->installed_command('psql'), '-XAtq', '-d', $new->connstr($db),
				'-f', "$FindBin::RealBin/../upgrade/contents.sql"
			]);
		is($err, '', "$db can be read");
		# Who may use it was granted to roles of this test. Rights that are what they would be anyway do not
		# come along as those with which the schema began.
		$db => [ map { s/ (alice|bob)=U\/\S+//gr } grep { !/^rights initial ratchet: ("?)[^" ]+\g1=UC\/\S+$/ } split /\n/, $out ];
	} ('shop', 'fresh');
	cmp_ok(scalar @{ $facts{fresh} }, '>', 500, 'there is a lot to compare');
	is_deeply($facts{shop}, $facts{fresh}, 'it has the same objects');
	psql_ok($new, 'DROP EXTENSION pg_ratchet CASCADE; CREATE EXTENSION pg_ratchet', 'and goes, with all of them', @shop);
};

finish();
