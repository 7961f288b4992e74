# Copies of a whole server: one that is restored from a backup, or whose files were copied, holds still until
# somebody says that its jobs run there. A standby that is promoted takes over at once, and so does a server
# whose files were moved.

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use RatchetTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $origin = new_node('origin', init => [ allows_streaming => 1, has_archiving => 1 ],
	conf => "ratchet.log_runs = none\nlog_statement = none\nmax_wal_senders = 8\nfsync = off\nwal_log_hints = on\nfull_page_writes = on\nwal_keep_size = 512MB\n");
$origin->safe_psql('postgres', q{
	CREATE TABLE effect (port text);
	SELECT ratchet.schedule('tick', '200 ms', $$INSERT INTO effect VALUES (current_setting('port'))$$);
});
$origin->safe_psql('postgres', 'CREATE DATABASE empty');
$origin->safe_psql('empty', 'CREATE EXTENSION pg_ratchet');

sub state_of { my ($node, $db) = @_; return row($node, q{SELECT state, detail FROM ratchet.status() WHERE component = 'scheduler'}, db => $db // 'postgres'); }

sub effects { my ($node) = @_; return value($node, 'SELECT count(*) FROM effect WHERE port = ' . "'" . $node->port . "'"); }

sub runs_here
{
	my ($node, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = effects($node);
	wait_until($node, "SELECT count(*) > $before + 1 FROM effect WHERE port = '" . $node->port . "'", $what);
	return;
}

# Until it is told otherwise, and over a restart.
sub holds_still
{
	my ($node, $why) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $start ('at first', 'after a restart')
	{
		wait_until($node, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, "$start: it is quarantined");
		like(state_of($node)->{detail}, $why, "$start: it says why");
		wait_until($node, q{SELECT state = 'active' FROM ratchet.status() WHERE component = 'scheduler'}, "$start: a database without jobs is not", db => 'empty');
		wait_until($node, q{SELECT count(*) = 0 FROM ratchet.jobs WHERE next_run_at IS NOT NULL}, "$start: it has no next run");
		# What would run is due five times a second.
		value($node, 'SELECT pg_sleep(0.5)');
		is(effects($node), 0, "$start: nothing has run");
		$node->restart if $start eq 'at first';
	}
	value($node, 'SELECT ratchet.adopt()');
	runs_here($node, 'it runs when it is told to');
	$node->restart;
	runs_here($node, 'and after a crash');
	return;
}

sub copy_of
{
	my ($name, $from) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	make_path($copy->basedir);
	system('cp', '-a', $from->data_dir, $copy->data_dir) == 0 or die "cannot copy\n";
	unlink($copy->data_dir . '/postmaster.pid');
	$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\n");
	watch_log($copy);
	return $copy;
}

runs_here($origin, 'the origin runs');
$origin->backup('base');

promise 'a server that is restored up to a point in time' => sub {
	my $point = value($origin, q{SELECT pg_create_restore_point('here')});
	value($origin, 'SELECT pg_switch_wal()');
	my $restored = PostgreSQL::Test::Cluster->new('restored');
	$restored->init_from_backup($origin, 'base', has_restoring => 1, standby => 0);
	$restored->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_action = 'promote'\narchive_mode = off\n");
	watch_log($restored);
	$restored->start;
	holds_still($restored, qr/restored from a backup/);
	is(value($restored, 'SELECT copy_id <> 0 FROM ratchet.home'), 't', 'it is remembered');

	# It has a standby, which is promoted.
	$restored->backup('again');
	my $standby = PostgreSQL::Test::Cluster->new('restored_standby');
	$standby->init_from_backup($restored, 'again', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "recovery_target_name = ''\n");
	watch_log($standby);
	$standby->start;
	$restored->stop('immediate');
	$standby->promote;
	runs_here($standby, 'a standby of what was adopted takes over');
	$standby->stop;
};

promise 'a base backup that is started beside its origin' => sub {
	my $copy = PostgreSQL::Test::Cluster->new('beside');
	$copy->init_from_backup($origin, 'base');
	$copy->append_conf('postgresql.conf', "archive_mode = off\n");
	watch_log($copy);
	$copy->start;
	holds_still($copy, qr/base backup/);
	$copy->stop;
	runs_here($origin, 'the origin runs on');
};

promise 'a standby that is promoted, and the former primary as its standby' => sub {
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($origin, 'base', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "archive_mode = off\n");
	watch_log($standby);
	$standby->start;
	$origin->wait_for_catchup($standby, 'replay', $origin->lsn('flush'));
	$origin->stop('fast');
	$standby->promote;
	runs_here($standby, 'it takes over at once');
	is(state_of($standby)->{state}, 'active', 'it is no copy');
	$standby->restart;
	runs_here($standby, 'nor is it one after a restart');

	# pg_rewind brings along the mark of where it copies from, and a backup_label.
	value($standby, 'CHECKPOINT');
	$origin->command_ok([ 'pg_rewind', '--no-sync', '-D', $origin->data_dir, '--source-server', $standby->connstr('postgres') ], 'the former primary is rewound');
	$origin->set_standby_mode;
	$origin->append_conf('postgresql.conf', sprintf("primary_conninfo = '%s'\nport = %d\n", $standby->connstr, $origin->port));
	$origin->start;
	my $done = effects($standby);
	wait_until($origin, "SELECT count(*) > $done FROM effect WHERE port = '" . $standby->port . "'", 'the former primary follows');
	$standby->stop('fast');
	$origin->promote;
	runs_here($origin, 'and takes over again');
};

promise 'files that are copied while the server is down' => sub {
	$origin->stop;
	my $copy = copy_of('cold', $origin);
	$copy->start;
	$origin->start;
	runs_here($origin, 'the origin runs on');
	holds_still($copy, qr/data directory is a copy/);
	$copy->stop;
};

promise 'files that are moved' => sub {
	$origin->stop;
	my $elsewhere = copy_of('elsewhere', $origin);
	remove_tree($origin->data_dir);
	$elsewhere->start;
	runs_here($elsewhere, 'to another disk: jobs run on');
	is(state_of($elsewhere)->{state}, 'active', 'it is no copy');
	$elsewhere->stop;
	rename($elsewhere->data_dir, $elsewhere->data_dir . '.moved') or die;
	symlink($elsewhere->data_dir . '.moved', $elsewhere->data_dir) or die;
	$elsewhere->start;
	runs_here($elsewhere, 'by another name: jobs run on');
	$elsewhere->stop;
};

finish();
