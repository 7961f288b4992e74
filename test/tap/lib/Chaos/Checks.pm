package Chaos::Checks;

# The promises, checked from the data alone: each check is a query for rows that break it. It looks at a
# system at rest (Chaos::World::rest), in one snapshot for all checks of a database.
#
#   Chaos::Checks::broken($node, $database, %about)   what is broken, a line each
#   Chaos::Checks::unable($node, $database)           checks that do not see what is planted for them
#
# A check may say `unless`: what makes it meaningless: clock_back, the clock was set back in this round;
# clock_moved, it was set at all in this world, so that instants do not say what came first.
#
# What the data cannot say is not here: P8 (what things cost) is measured by bench/; of P10 the standby
# is test/tap/320_promotion.pl, and that a restored copy keeps still is seen in the copy (check_copy).

use strict;
use warnings;

use Exporter 'import';
use Chaos::Checks::Effects     ();
use Chaos::Checks::Occurrences ();
use Chaos::Checks::Jobs        ();
use Chaos::Checks::Tasks       ();
use RatchetTest;

our @EXPORT_OK = qw(broken unable);

sub all
{
	return (Chaos::Checks::Effects::checks(), Chaos::Checks::Occurrences::checks(), Chaos::Checks::Jobs::checks(), Chaos::Checks::Tasks::checks());
}

sub names { return map { "$_->{promise} $_->{name}" } all(); }

# What several checks look at.
my $prepared = "SET LOCAL jit = off;\nSET LOCAL work_mem = '64MB';\n"
  . join '', map { "CREATE TEMPORARY TABLE $_ ON COMMIT DROP AS SELECT * FROM chaos.$_;\nANALYZE $_;\n" } qw(lineage walk walked);

sub query_of
{
	my ($check) = @_;
	my $title = "$check->{promise} $check->{name}";
	return "SELECT '$title: ' || coalesce(what, 'null') FROM ($check->{rows}) AS broken (what) LIMIT 5;\n";
}

sub broken
{
	my ($node, $database, %about) = @_;
	my $sql = "ANALYZE;\nBEGIN ISOLATION LEVEL REPEATABLE READ;\n$prepared";
	for my $check (all())
	{
		next if defined $check->{unless} && $about{ $check->{unless} };
		$sql .= query_of($check);
	}
	return split /\n/, value($node, "$sql COMMIT;", db => $database);
}

# Plants what each check is to find, one after the other, and takes it back.
sub unable
{
	my ($node, $database) = @_;
	my @unable;
	for my $check (all())
	{
		my $title = "$check->{promise} $check->{name}";
		my ($status, $out, $err) = $node->psql($database, "BEGIN;\n$check->{plant};\n$prepared" . query_of($check) . 'ROLLBACK;', on_error_stop => 1);
		value($node, $check->{stays}, db => $database) if defined $check->{stays};
		push @unable, "$title: $err" if $status != 0 || $out !~ /^\Q$title\E: /m;
	}
	return @unable;
}

1;
