# Who asks for too much: others still get their turn, and what is too much ends as a failure of its own.
# See docs/security.md.

use strict;
use warnings;

use RatchetTest;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nratchet.cancel_grace = '200 ms'");

value($node, q{
	CREATE ROLE victim LOGIN;
	CREATE ROLE guest LOGIN;
	CREATE ROLE writer LOGIN IN ROLE pg_read_all_data, pg_write_all_data;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE TABLE ticks (at timestamptz DEFAULT clock_timestamp());
	GRANT ALL ON ticks TO victim});
value($node, q{SELECT ratchet.schedule('victims', '200 ms', 'INSERT INTO public.ticks DEFAULT VALUES')}, user => 'victim');

# The job of another role runs $n times from now on.
sub others_go_on
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ticks_go_on($node, @_);
}

others_go_on('at first');

promise 'ten thousand jobs of a guest that are due each second do not keep others from running' => sub {
	value($node, q{SELECT count(ratchet.schedule('g' || n, '1 second', 'SELECT 1')) FROM generate_series(1, 10000) n}, user => 'guest');
	wait_until($node, q{SELECT count(*) > 2000 FROM ratchet.run_log WHERE owner = 'guest'::regrole});
	others_go_on('the job of another role runs', 10);
	my $run = value($node, q{SELECT ratchet.schedule('once', '@manual', 'SELECT 1') \g /dev/null
		SELECT ratchet.trigger('once')}, user => 'victim');
	wait_run($node, $run, 'succeeded', 'so does what it asks for');
	cmp_ok(value($node, q{SELECT count(*) FROM ratchet.running WHERE owner = 'guest'::regrole}), '<=', 4, 'within the workers that there are');
	value($node, q{SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs}, user => 'guest');
	others_go_on('afterwards');
};

promise 'a hundred thousand triggers of a guest wait in a line of their own' => sub {
	value($node, q{SELECT ratchet.schedule('crowd', '@manual', 'SELECT pg_sleep(0.01)')}, user => 'guest');
	value($node, q{SELECT count(ratchet.trigger('crowd', "coalesce" => false)) FROM generate_series(1, 100000)}, user => 'guest');
	others_go_on('the job of another role runs', 10);
	my $run = value($node, q{SELECT ratchet.trigger('once')}, user => 'victim');
	wait_run($node, $run, 'succeeded', 'so does what it asks for');
	cmp_ok(value($node, q{SELECT count(*) FROM ratchet.run_queue WHERE owner = 'guest'::regrole}), '>', 1000, 'while the line is still long');
	value($node, q{SELECT ratchet.unschedule('crowd')}, user => 'guest');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.run_queue WHERE owner = 'guest'::regrole}, 'whoever unschedules the job ends the line');
	others_go_on('afterwards');
};

promise 'commands that do not end, do not listen or say too much are failures of their own' => sub {
	my %commands = (
		'loops'      => [ 'DO $$BEGIN LOOP NULL; END LOOP; END$$',                                                   'timed_out' ],
		'swallows'   => [ 'DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$', 'timed_out' ],
		'recurses'   => [ 'SELECT public.itself(1)',                                                                 'failed' ],
		'says a lot' => [ q{DO $$BEGIN FOR i IN 1..200 LOOP RAISE NOTICE '%', repeat('x', 1000000); END LOOP; END$$}, 'succeeded' ],
		'fails a lot' => [ q{DO $$BEGIN RAISE EXCEPTION USING MESSAGE = repeat('x', 50000000), DETAIL = repeat('y', 50000000); END$$}, 'failed' ],
		'returns a lot' => [ q{SELECT repeat('x', 100000000) FROM generate_series(1, 3)},                            'succeeded' ],
		'ends itself' => [ 'SELECT pg_terminate_backend(pg_backend_pid())',                                          'crashed' ]);
	value($node, q{CREATE FUNCTION itself(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN public.itself(n + 1); END$$});
	for my $what (sort keys %commands)
	{
		my ($command, $status) = @{ $commands{$what} };
		my $timeout = $status eq 'timed_out' ? '1 s' : '60 s';
		my $run = run_job($node, "guest $what", $command, "timeout => '$timeout', on_crash => 'next'", user => 'guest');
		is($run->{status}, $status, "a command that $what: $status");
		cmp_ok(length($run->{error} // ''), '<=', 10000, 'its record is short');
	}
	others_go_on('the job of another role runs');
};

promise 'many large payloads are kept, and hold up nobody' => sub {
	value($node, q{SELECT ratchet.schedule('heavy', '@manual', 'SELECT length(ratchet.payload()::text)')}, user => 'guest');
	my $runs = value($node, q{SELECT string_agg(ratchet.trigger('heavy', payload => jsonb_build_object('n', n, 'x', repeat('x', 1000000)), "coalesce" => false)::text, ', ') FROM generate_series(1, 50) n}, user => 'guest');
	others_go_on('the job of another role runs');
	wait_until($node, "SELECT count(*) = 50 FROM ratchet.runs WHERE run_id IN ($runs) AND status = 'succeeded'", 'all of them run');
};

promise 'a transaction that is left open with changed jobs holds up its own jobs at most' => sub {
	my $session = session($node, user => 'guest');
	$session->query_safe(q{BEGIN});
	$session->query_safe(q{SELECT ratchet.schedule('open', '@manual', 'SELECT 1')});
	$session->query_safe(q{SELECT ratchet.alter_job('heavy', comment => 'x')});
	$session->query_safe(q{SELECT ratchet.trigger('heavy')});
	$session->query_safe(q{LOCK TABLE ratchet.job, ratchet.run_log, ratchet.run_queue, ratchet.job_state IN ACCESS SHARE MODE});
	others_go_on('the job of another role runs');
	psql_ok($node, q{SELECT ratchet.alter_job('victims', comment => 'x'); SELECT ratchet.schedule('another', '@manual', 'SELECT 1'); SELECT ratchet.unschedule('another')},
		'others define jobs', user => 'victim');
	psql_fails($node, q{SELECT ratchet.schedule('open', '@manual', 'SELECT 1')}, qr/ERROR:  42710/, 'only the name itself is taken, which is said at once', user => 'victim');
	$session->quit;
};

promise 'only superusers can lock a table, and the scheduler goes on when the lock is gone' => sub {
	for my $table (split /\n/, value($node, q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace AND relkind = 'r'}))
	{
		for my $mode ('ROW SHARE', 'ROW EXCLUSIVE', 'SHARE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE')
		{
			for my $user ('guest', $mode =~ /ROW/ ? () : 'writer')
			{
				my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; LOCK TABLE $table IN $mode MODE NOWAIT", on_error_stop => 1, extra_params => [ '-U', $user ]);
				like($err, qr/42501/, "$table, $mode: refused to $user");
			}
		}
	}
	for my $table (qw(run_log run_queue job_state))
	{
		my $session = session($node);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_safe("BEGIN");
		$session->query_safe("LOCK TABLE ratchet.$table IN ACCESS EXCLUSIVE MODE");
		wait_log($node, qr/process $pid of role ".*" holds AccessExclusiveLock on ratchet\.$table, and is in the way/, "work waits for ratchet.$table");
		$session->query_safe('ROLLBACK');
		$session->quit;
		others_go_on("and goes on when ratchet.$table is free");
	}
};

promise 'numbers of runs that are set back go on behind those that were given, and nothing is done without a record' => sub {
	value($node, q{CREATE TABLE effect (run_id bigint); GRANT INSERT ON effect TO victim});
	value($node, q{SELECT ratchet.schedule('counted', '50 ms', 'INSERT INTO effect VALUES (ratchet.run_id())')}, user => 'victim');
	wait_until($node, q{SELECT count(*) > 5 FROM effect});
	value($node, q{SELECT setval('ratchet.run_id_seq', last_value - 5) FROM ratchet.run_id_seq}, user => 'writer');
	wait_log($node, qr/sequence "ratchet\.run_id_seq" was behind: it is set forward/, 'that is noticed');
	my $most = value($node, 'SELECT max(run_id) FROM effect');
	wait_until($node, "SELECT count(*) > 5 FROM effect WHERE run_id > $most", 'later ones are not, and the job runs');
	value($node, q{SELECT ratchet.unschedule('counted')}, user => 'victim');
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'counted' AND status IN ('queued', 'running'))});
	is(value($node, q{SELECT count(*) FROM effect e FULL JOIN (SELECT run_id FROM ratchet.run_log WHERE job_name = 'counted' AND status = 'succeeded') r
			USING (run_id) WHERE e.run_id IS NULL OR r.run_id IS NULL}), 0, 'each effect has its record, and each record its effect');
};

finish();
