# pg_upgrade: definitions, history and standing come along, the new server runs on without being told to,
# and no job runs while it is made. Both sides are of one version, which pg_upgrade allows.

use strict;
use warnings;

use PostgreSQL::Test::Utils ();
use RatchetTest;
use Test::More;

my $old = new_node('old');
value($old, 'CREATE DATABASE shop');
value(
	$old, q{
	CREATE EXTENSION pg_ratchet;
	CREATE TABLE seen (at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE item (id bigint PRIMARY KEY, done int NOT NULL DEFAULT 0, bad bool NOT NULL DEFAULT false);
	INSERT INTO item SELECT i, 0, i = 7 FROM generate_series(1, 20) AS i;
	SELECT ratchet.schedule('tick', '250 ms', 'INSERT INTO seen DEFAULT VALUES');
	SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT id, bad FROM item',
		'UPDATE item SET done = done + 1 / (1 - $2::int) WHERE id = $1',
		key => '{id}', batch_size => 5)},
	db => 'shop');
my $walk = value($old, q{SELECT ratchet.trigger('walk')}, db => 'shop');
wait_run($old, $walk, 'succeeded', 'a batch job has run', db => 'shop');
is(value($old, 'SELECT item FROM ratchet.failed_items', db => 'shop'), '{"id": 7, "bad": true}', 'with one failed item');
wait_until($old, q{SELECT count(*) >= 3 FROM ratchet.runs WHERE job_name = 'tick' AND status = 'succeeded'},
	'jobs run', db => 'shop');
my @copied = (
	'SELECT string_agg(j::text, E\'\n\' ORDER BY job_id) FROM ratchet.job AS j',
	"SELECT r::text FROM ratchet.runs AS r WHERE run_id = $walk",
	'SELECT f::text FROM ratchet.failed_items AS f');
my @expected = map { value($old, $_, db => 'shop') } @copied;
my $last = value($old, 'SELECT max(run_id) FROM ratchet.runs', db => 'shop');
$old->stop;

my $new = new_node('new', extension => 0);
my $stopped_at = value($new, 'SELECT clock_timestamp()');
$new->stop;

promise 'pg_upgrade' => sub {
	my $bin = $new->config_data('--bindir');
	chdir PostgreSQL::Test::Utils::tempdir() or die;
	$new->command_ok(
		[
			'pg_upgrade', '--retain', '-U', (getpwuid($>))[0],
			'-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir,
			'-p', $old->port, '-P', $new->port, '-s', PostgreSQL::Test::Utils::tempdir_short()
		],
		'pg_upgrade');
	my @logs = map { glob($new->data_dir . "/pg_upgrade_output.d/$_") } '*/log/pg_upgrade_server.log', 'log/*server.log';
	cmp_ok(scalar @logs, '>', 0, 'the servers have written logs');
	unlike(PostgreSQL::Test::Utils::slurp_file($_), qr/pg_ratchet (launcher|scheduler|worker)/, 'no process of ours was there')
	  for @logs;
	$new->start;
	my $started_at = value($new, 'SELECT pg_postmaster_start_time()');

	is(value($new, $copied[$_], db => 'shop'), $expected[$_], "the same: $copied[$_]") for 0 .. $#copied;
	wait_until($new, qq{
			SELECT count(*) >= 2 FROM ratchet.runs
			WHERE job_name = 'tick' AND status = 'succeeded' AND run_id > $last AND started_at > '$started_at'},
		'jobs run on by themselves', db => 'shop');
	is(value($new, qq{SELECT count(*) FROM seen WHERE at BETWEEN '$stopped_at' AND '$started_at'}, db => 'shop'), 0,
		'none ran meanwhile');
	is(value($new, q{SELECT count(*) FROM ratchet.status() WHERE state = 'quarantined'}, db => 'shop'), 0,
		'nothing is quarantined');

	value($new, 'UPDATE item SET bad = false', db => 'shop');
	my $replay = value($new, "SELECT ratchet.replay($walk, only_failed => true)", db => 'shop');
	wait_run($new, $replay, 'succeeded', 'what had failed runs again', db => 'shop');
	is(value($new, 'SELECT count(*) FROM item WHERE done = 1', db => 'shop'), 20, 'each item is done once');
	psql_ok($new, q{SELECT ratchet.schedule('another', '@manual', 'SELECT 1')}, 'new jobs can be defined', db => 'shop');
};

finish();
