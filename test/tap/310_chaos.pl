# Jobs and queues of all kinds of several roles in several databases, while processes are killed, the server is
# restarted, disks, connections and worker slots run out, clocks are set, databases and roles come and
# go. After each round the system is brought to rest, and the promises are checked from the data alone:
# lib/Chaos/Checks.pm.
#
# Here short, with one seed. test/soak/chaos runs it for long, by these variables:
#   CHAOS_MINUTES CHAOS_SEED CHAOS_SCALE CHAOS_DATABASES CHAOS_SMALL_DISK CHAOS_SMALL_WAL

use strict;
use warnings;

use RatchetTest;
use Chaos::Checks ();
use Chaos::Dice;
use Chaos::Faults ();
use Chaos::World;
use Test::More;
use Time::HiRes qw(sleep time);

my $minutes = $ENV{CHAOS_MINUTES};
my $seed = $ENV{CHAOS_SEED} // 456;
my $dice = Chaos::Dice->new($seed);
my $end = time() + 60 * ($minutes // 0);
my $rounds_of_world = $minutes ? 8 : 2;
my %did;
my ($all_runs, $all_tasks, $all_rounds) = (0, 0, 0);

sub new_world
{
	my ($number) = @_;
	my $own = $dice->another("world $number");
	my %has;
	# In some worlds only: what a faked clock and small disks make different is not to hide the rest.
	$has{own_clock} = $own->chance(0.5) if $minutes;
	if ($ENV{CHAOS_SMALL_DISK} && $own->chance(0.5))
	{
		$has{small_disk} = $ENV{CHAOS_SMALL_DISK};
		system("rm -rf '$has{small_disk}'/*; mkdir '$has{small_disk}/space'");
	}
	if ($ENV{CHAOS_SMALL_WAL} && $own->chance(0.4))
	{
		$has{small_wal} = $ENV{CHAOS_SMALL_WAL};
		system("rm -rf '$has{small_wal}'/*");
	}
	return Chaos::World->new(
		"world$number",
		dice      => $own,
		scale     => $ENV{CHAOS_SCALE}     // 1,
		databases => $ENV{CHAOS_DATABASES} // 2,
		workers   => $own->pick(4, 6, 8, 12),
		%has);
}

sub round
{
	my ($world) = @_;
	my $own = $world->{dice};
	$world->begin_traffic;
	for (1 .. ($minutes ? 3 + $own->upto(5) : 4))
	{
		sleep($own->between(0.05, 1.5));
		my $said = Chaos::Faults::strike($world);
		note("seed $seed, round $world->{round}: $said");
	}
	my @left = $world->rest;
	is(join("\n", @left), '', "seed $seed, round $world->{round}: the system comes to rest") or $world->{failed} = 1;
	my @broken = $world->check;
	is(join("\n", @broken), '', "seed $seed, round $world->{round}: the promises are kept") or $world->{failed} = 1;
	return;
}

my $number = 0;
do
{
	my $world = new_world(++$number);
	for my $round (1 .. $rounds_of_world)
	{
		round($world);
		last if $minutes && time() > $end || $world->{failed};
		$world->go_on if $round < $rounds_of_world;
	}
	if ($number == 1)
	{
		my @unable = Chaos::Checks::unable($world->node, 'db1');
		is(join("\n", @unable), '', 'each check sees what is planted for it');
	}
	$did{$_} += $world->{did}{$_} for keys %{ $world->{did} };
	$all_runs += $world->runs;
	$all_tasks += $world->tasks;
	$all_rounds += $world->{round};
	expect_crash($world->node, qr/was terminated by signal 9/) if $world->{killed};
	# The process that panics aborts, whichever it is.
	expect_crash($world->node, qr/PANIC: .*(No space left|could not)|was terminated by signal 6/) if $world->{panicked};
	$world->node->stop('fast', fail_ok => 1);
} while ($minutes && time() < $end);

diag("seed $seed: $number worlds, $all_rounds rounds, $all_runs runs, $all_tasks tasks; " . join(', ', map { "$_ $did{$_}" } sort keys %did)) if $minutes;
finish();
