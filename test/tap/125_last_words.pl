# A process that dies, and a commit that fails, say why in the record of the run, also when the server's log leaves
# it out.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "log_min_messages = panic\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE seat (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO seat VALUES (7);
SELECT ratchet.schedule('double', '@manual', 'INSERT INTO seat VALUES (7)');
SELECT ratchet.schedule('ends', '@manual', 'SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)', on_crash => 'next');
SQL

promise 'a run whose worker dies' => sub {
	my %dies = (
		'SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)' =>
		  [ '57P01', 'terminating background worker "pg_ratchet worker" due to administrator command' ],
		'SET exit_on_error = on; SELECT 1 / 0' => [ '22012', 'division by zero' ]);
	for my $command (sort keys %dies)
	{
		# Of what a run says, all is heard, or nothing.
		for my $kept (0, 100)
		{
			my $run = run_job($node, 'dies', $command,
				qq{on_crash => 'next', max_attempts => 1, settings => '{"ratchet.keep_messages": $kept}'});
			my ($sqlstate, $error) = @{ $dies{$command} };
			is_run($run, { status => 'crashed', sqlstate => $sqlstate, error => $error }, "$command, keep_messages = $kept");
		}
	}
};

sub last_in_the_foreground
{
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.running)});
	return row($node, q{SELECT * FROM ratchet.runs WHERE cause = 'foreground' ORDER BY run_id DESC LIMIT 1});
}

promise 'a foreground run whose session ends' => sub {
	my ($status) = $node->psql('postgres', q{CALL ratchet.run('ends')});
	isnt($status, 0, 'the session is gone');
	is_run(last_in_the_foreground(), { status => 'crashed', sqlstate => '57P01', error => 'terminating connection due to administrator command' },
		'the record says why');
};

promise 'a foreground run whose commit fails' => sub {
	for my $level ('panic', 'fatal', 'warning')
	{
		psql_fails($node, qq{SET log_min_messages = $level; CALL ratchet.run('double')}, qr/ERROR:  23505/, "log_min_messages = $level");
		is_run(
			last_in_the_foreground(),
			{
				status => 'failed', sqlstate => '23505', error_detail => 'Key (id)=(7) already exists.',
				error => 'duplicate key value violates unique constraint "seat_id_key"'
			},
			'the record has its error');
	}
	is(value($node, 'SELECT count(*) FROM seat'), 1, 'nothing was done');
};

finish();
