# The postmaster starts the launcher again a second after its death, by the wall clock: when that is set back
# meanwhile, a scheduler starts one that stands in for it.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use RatchetTest;
use ServerClock;
use Test::More;

my $node = with_clock(sub { new_node('main', conf => "ratchet.log_runs = none\n") });
my $launchers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet launcher'};
my $launcher = q{SELECT state FROM ratchet.status() WHERE component = 'launcher'};
value($node, q{SELECT ratchet.schedule('each', '1 second', 'SELECT 1')});
wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.runs WHERE status = 'succeeded')}, 'it runs');

sub lose_launcher
{
	value($node, q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet launcher'});
	return;
}

promise 'the clock is set back while the launcher is away: another one stands in for it' => sub {
	# Before it is terminated, so that the server finds it dead at a time that comes in hours.
	set_clock(7200);
	lose_launcher();
	set_clock(0);
	wait_log($node, 'another one stands in for it', 'a scheduler starts one');
	wait_until($node, "SELECT ($launcher) = 'running'", 'status() says so');
	# What only a launcher does.
	value($node, 'CREATE DATABASE second');
	value($node, q{CREATE EXTENSION pg_ratchet; SELECT ratchet.schedule('there', '1 second', 'SELECT 1')}, db => 'second');
	wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.runs WHERE status = 'succeeded')}, 'it starts schedulers', db => 'second');
};

promise 'when it comes back, there is one launcher' => sub {
	set_clock(7300);
	terminate_ratchet($node, 'scheduler', 'second');  # a process that dies lets the server look
	wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.runs WHERE status = 'succeeded' AND started_at > now() - interval '5 seconds')},
		'jobs go on', db => 'second');
	wait_until($node, "SELECT ($launchers) = 1 AND ($launcher) = 'running'", 'one');
	set_clock(0);
};

promise 'the one that stands in dies, too' => sub {
	lose_launcher();
	wait_until($node, "SELECT ($launchers) = 1 AND ($launcher) = 'running'", 'one again');
};

finish();
