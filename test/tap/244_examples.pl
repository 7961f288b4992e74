# Each example of README and docs runs as it is written: all blocks of a page, one after the other, in one session and in
# a database that has the tables of the examples. What is no SQL, such as the signature of a function, is in a
# block of another kind; what an older server does not know begins with "-- PostgreSQL 19 and later".

use strict;
use warnings;

use File::Basename qw(dirname);
use RatchetTest;
use Test::More;

my $node = new_node('main', extension => 0, conf => 'max_worker_processes = 16');
my $top = dirname(__FILE__) . "/../..";

# Where each begins, and its text.
sub examples
{
	my ($page) = @_;
	my $text = PostgreSQL::Test::Utils::slurp_file("$top/$page");
	my @found;
	while ($text =~ /^```sql\n(.*?)^```$/msg)
	{
		my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
		push @found, [ "$page:$line", $1 ];
	}
	return @found;
}

sub is_for_this_server
{
	my ($example) = @_;
	return $example !~ /^-- PostgreSQL (\d+) and later$/m || $node->pg_version >= $1;
}

# A table as that of pg_cron, for its page.
my $pg_cron = q{CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text NOT NULL, command text NOT NULL,
	nodename text NOT NULL DEFAULT 'localhost', nodeport int NOT NULL DEFAULT 5432, database text NOT NULL DEFAULT current_database(),
	username text NOT NULL DEFAULT current_user, active boolean NOT NULL DEFAULT true, jobname text);
	INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES (1, '5 2 * * *', 'DELETE FROM event', 'purge');};

my ($roles, $tables) = map { $_->[1] } grep { $_->[1] =~ /^CREATE (ROLE app|SCHEMA app)/ } examples('docs/reference.md');
value($node, $roles);

# Before an example that is for when a job does not run.
my $at_rest = q{DO $$BEGIN FOR look IN 1 .. 500 LOOP EXIT WHEN NOT EXISTS (SELECT FROM ratchet.runs WHERE status IN ('queued', 'running')); COMMIT; PERFORM pg_sleep(0.02); END LOOP; END$$;} . "\n";

for my $page ('README.md', map { s{^\Q$top\E/}{}r } sort glob "$top/docs/*.md")
{
	my @examples = grep { $_->[1] ne $roles && $_->[1] ne $tables && is_for_this_server($_->[1]) } examples($page);
	next unless @examples;
	promise "the examples of $page run as they are written" => sub {
		my $db = $page =~ s/\W/_/gr;
		value($node, qq{CREATE DATABASE "$db"});
		value($node, "CREATE EXTENSION pg_ratchet; $tables", db => $db);
		value($node, $pg_cron, db => $db) if $page =~ /pg_cron/;
		my $script = join '', map { "\\echo example $_->[0]\n" . ($_->[1] =~ /reset_checkpoint/ ? $at_rest : '') . "$_->[1]\n" } @examples;
		my ($status, $out, $err) = $node->psql($db, $script, on_error_stop => 1);
		is($status, 0, scalar(@examples) . ' examples');
		my @begun = $out =~ /^example (\S+)$/mg;
		diag("$begun[-1]: $err") if $status != 0;
		unlike($err, qr/WARNING: .*cannot be planned/, 'nothing that they name is missing') or diag($err);
		value($node, q{SELECT ratchet.unschedule(job_name) FROM ratchet.jobs; SELECT ratchet.cancel(run_id) FROM ratchet.runs WHERE status IN ('queued', 'running')}, db => $db);
	};
}

finish();
