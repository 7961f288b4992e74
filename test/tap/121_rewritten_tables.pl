# Somebody rewrites the tables of the extension (VACUUM FULL, CLUSTER) while runs wait and are under way:
# rows then are in other places than the scheduler has left them.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 8\n");
$node->safe_psql('postgres', 'CREATE TABLE effect (job text, run_id bigint)');

# Rows of which the first ones are dead versions go to other places when the table is rewritten.
sub rewrite
{
	my ($table) = @_;
	my $before = value($node, "SELECT string_agg(t.ctid::text, ' ' ORDER BY t.ctid) FROM ratchet.$table t");
	$node->safe_psql('postgres', "VACUUM FULL ratchet.$table");
	isnt(value($node, "SELECT string_agg(t.ctid::text, ' ' ORDER BY t.ctid) FROM ratchet.$table t"), $before, "rows of $table have moved");
	return;
}

# The scheduler has read where the job stands when it claimed the run, and writes it when it has ended.
promise 'job_state, by a job' => sub {
	run_job($node, 'sweep', 'SELECT 1');
	run_job($node, "state$_", 'SELECT 1') for 1 .. 6;
	run_job($node, 'sweep', 'SELECT 1');
	run_job($node, "state$_", 'SELECT 1') for 1 .. 6;
	is_run(run_job($node, 'sweep', 'VACUUM FULL ratchet.job_state'), { status => 'succeeded' }, 'a job rewrites the table');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.job_state s WHERE last_run_id <> (SELECT max(run_id) FROM ratchet.run_log r WHERE r.job_id = s.job_id)},
		'each row tells of the last run');
	is(value($node, q{SELECT string_agg(format('%s of %s', n, job_name), ', ') FROM ratchet.job,
			LATERAL (SELECT count(*) AS n FROM ratchet.job_state s WHERE s.job_id = job.job_id) s WHERE n <> 1}), '', 'each job has one');
	unlike(slurp_file($node->logfile), qr/ERROR/, 'without an error of the scheduler');
};

promise 'run_queue, while runs wait' => sub {
	$node->safe_psql('postgres', define_job('later', q{INSERT INTO effect VALUES ('later', ratchet.run_id())}, q{overlap => 'allow'}));
	my @runs = split /\n/, value($node, q{SELECT ratchet.trigger('later', jsonb_build_object('n', n), run_at => now() + interval '2 seconds')
		FROM generate_series(1, 8) n});
	# Each of them comes to a place where another one was.
	value($node, "SELECT ratchet.cancel($_)") for @runs[ 0, 2, 4, 6 ];
	my @left = @runs[ 1, 3, 5, 7 ];
	rewrite('run_queue');
	wait_run($node, $_, 'succeeded') for @left;
	is(value($node, q{SELECT string_agg(run_id::text, ' ' ORDER BY run_id) FROM effect WHERE job = 'later'}), join(' ', @left),
		'each of them has run once');
	is(value($node, 'SELECT count(*) FROM ratchet.run_queue'), 0, 'and none is left');
};

promise 'backfill, while backfills are under way' => sub {
	my $lock = lock_session($node, 1);
	for my $i (1 .. 4)
	{
		$node->safe_psql('postgres', qq{
			SELECT ratchet.schedule('past$i', '1 hour', start_at => '2020-01-01', command =>
				\$\$INSERT INTO effect VALUES ('past$i', ratchet.run_id()); SELECT pg_advisory_xact_lock_shared(1)\$\$);
			SELECT ratchet.backfill('past$i', '2020-01-01', '2020-01-01 03:00')});
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE job_name = 'past$i'");
	}
	rewrite('backfill');
	$lock->quit;
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.backfills', 'they come to their end');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.runs WHERE status IN ('queued', 'running')});
	is(value($node, q{SELECT string_agg(job || ' ' || n, ', ' ORDER BY job) FROM (SELECT job, count(*) AS n FROM effect WHERE job LIKE 'past%' GROUP BY 1) e}),
		'past1 4, past2 4, past3 4, past4 4', 'each occurrence has run once');
};

finish();
