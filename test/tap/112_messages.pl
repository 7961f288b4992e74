# What a run says (NOTICE, WARNING, INFO) is kept with it, within bounds, and neither fails nor slows it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE clerk LOGIN;
CREATE ROLE guest LOGIN;
GRANT ALL ON SCHEMA public TO clerk;
GRANT USAGE ON SCHEMA ratchet TO clerk, guest;
CREATE TABLE watched (n int);
CREATE FUNCTION tell_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'late: %', new.n; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER tell_late AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION tell_late();
CREATE TABLE invoice (id int PRIMARY KEY, customer text NOT NULL, amount numeric NOT NULL);
INSERT INTO invoice SELECT i, 'Müller & Söhne ' || i, i * 1.5 FROM generate_series(1, 20) i;
CREATE TABLE booked (id int);
CREATE FUNCTION book(id int, amount numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO booked VALUES (book.id);
	IF book.id % 5 = 0 THEN
		RAISE WARNING 'invoice %: amount % is rounded', id, amount USING errcode = '01RND';
	END IF;
	IF book.id = 7 THEN
		RAISE NOTICE 'no such account';
		RAISE EXCEPTION 'invoice % cannot be booked', id;
	END IF;
END $$;
SQL

# The texts of what was said, in order; what is left out as a number.
sub texts { my ($run) = @_; return [ map { $_->{left_out} // $_->{text} } @{ $run->{messages} // [] } ]; }

sub log_size { return -s $node->logfile; }

sub log_since
{
	my ($from) = @_;
	open my $log, '<', $node->logfile or die $!;
	seek $log, $from, 0;
	local $/ = undef;
	return scalar <$log>;
}

promise 'what a run says is kept with it' => sub {
	my $from = log_size();
	my $run = run_job($node, 'talk', <<'SQL');
DO $$ BEGIN
	RAISE NOTICE '% invoices', 3;
	RAISE WARNING 'rate of % is old', 'CHF' USING errcode = '01F0R', detail = 'of last May', hint = 'Load a newer one.';
	RAISE INFO 'at last';
	RAISE LOG 'for the log';
	RAISE DEBUG 'for nobody';
	PERFORM pg_sleep(0.02);
	RAISE NOTICE USING errcode = 'P0042', message = 'done';
END $$
SQL
	is_run($run, { status => 'succeeded' }, 'a run that talks');
	my @messages = map { my %m = %$_; delete $m{time}; \%m } @{ $run->{messages} };
	is_deeply(
		\@messages,
		[
			{ level => 'NOTICE', sqlstate => '00000', text => '3 invoices' },
			{ level => 'WARNING', sqlstate => '01F0R', text => 'rate of CHF is old', detail => 'of last May', hint => 'Load a newer one.' },
			{ level => 'INFO', sqlstate => '00000', text => 'at last' },
			{ level => 'NOTICE', sqlstate => 'P0042', text => 'done' }
		],
		'level, SQLSTATE and text of each');
	is( value($node, "
		SELECT bool_and(at BETWEEN started_at AND finished_at) AND max(at) - min(at) >= '20 ms'
		  FROM (SELECT started_at, finished_at, (jsonb_array_elements(messages) ->> 'time')::timestamptz AS at FROM ratchet.runs WHERE run_id = $run->{run_id}) m"),
		't', 'and when it was said');
	my $log = log_since($from);
	unlike($log, qr/(NOTICE|INFO|DEBUG1):/, 'the log of the server has what it had before');
	like($log, qr/WARNING:  rate of CHF is old.*for the log/s, 'and nothing less');

	is(run_job($node, 'silent', 'SELECT 1')->{messages}, undef, 'a run that says nothing has nothing');
	is_deeply(texts(run_job($node, 'talk again', q{DO $$ BEGIN RAISE NOTICE 'another'; END $$})), ['another'], 'and the next one of the worker has its own only');
	my $skipped = run_job($node, 'vacuum', 'VACUUM pg_catalog.pg_authid', q{run_as => 'clerk'});
	is($skipped->{status} . ' ' . $skipped->{messages}[0]{level}, 'succeeded WARNING', 'a table that VACUUM skips');
	like($skipped->{messages}[0]{text}, qr/pg_authid/, 'by its name');
};

promise 'a run that fails keeps what it said' => sub {
	my $run = run_job($node, 'failing', q{DO $$ BEGIN RAISE NOTICE 'before'; RAISE EXCEPTION 'the error'; END $$});
	is_run($run, { status => 'failed', error => 'the error' }, 'a run that fails');
	is_deeply(texts($run), ['before'], 'and its error is not among it');
	$run = run_job($node, 'handled', <<'SQL');
DO $$ BEGIN
	FOR i IN 1 .. 3 LOOP
		BEGIN
			RAISE NOTICE 'try %', i;
			PERFORM 1 / (i - 2);
		EXCEPTION WHEN division_by_zero THEN
			RAISE WARNING 'failed: %', sqlerrm;
		END;
	END LOOP;
END $$
SQL
	is_deeply(texts($run), [ 'try 1', 'try 2', 'failed: division by zero', 'try 3' ], 'what was said in an exception block stays');
	is_run($run, { status => 'succeeded' }, 'whatever it has caught');
	$run = run_job($node, 'timed', q{DO $$ BEGIN RAISE NOTICE 'good night'; PERFORM pg_sleep(1000); END $$}, q{timeout => '2 s'});
	is_run($run, { status => 'timed_out' }, 'a run that is too slow');
	is_deeply(texts($run), ['good night'], 'keeps it, too');
};

promise 'statements, conditions and deferred triggers' => sub {
	my $run = run_job($node, 'each', q{DO $$ BEGIN RAISE NOTICE 'one'; END $$; DROP TABLE IF EXISTS no_such; DO $$ BEGIN RAISE NOTICE 'three'; END $$},
		q{transaction => 'per_statement'});
	is_deeply(texts($run), [ 'one', 'table "no_such" does not exist, skipping', 'three' ], 'each statement of several');
	is($run->{messages}[1]{sqlstate}, '00000', 'those of the server as well');
	$run = run_job($node, 'late', 'INSERT INTO watched VALUES (4), (5)');
	is_deeply(texts($run), [ 'late: 4', 'late: 5' ], 'triggers that fire at the commit');
	$node->safe_psql('postgres', q{CREATE FUNCTION ask(answer boolean) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'asked'; RETURN answer; END $$});
	$run = run_job($node, 'gated', q{DO $$ BEGIN RAISE NOTICE 'did'; END $$}, q{only_if => 'SELECT ask(true)'});
	is_deeply(texts($run), [ 'asked', 'did' ], 'the query only_if');
	$run = run_job($node, 'closed', 'SELECT 1', q{only_if => 'SELECT ask(false)'});
	is_run($run, { status => 'skipped' }, 'also of a run that is not needed');
	is_deeply(texts($run), ['asked'], 'which somebody asked for');
	$run = run_job($node, 'dry', q{DO $$ BEGIN RAISE NOTICE 'tried'; END $$});
	my $dry = value($node, "SELECT ratchet.replay($run->{run_id}, dry_run => true)");
	wait_run($node, $dry, 'succeeded');
	is_deeply(texts(run_record($node, $dry)), ['tried'], 'a dry run');
};

promise 'of many messages the first and the last are kept' => sub {
	my $from = log_size();
	my $run = run_job($node, 'chatter', q{DO $$ BEGIN FOR i IN 1 .. 100000 LOOP RAISE NOTICE 'row %', i; END LOOP; END $$});
	is_run($run, { status => 'succeeded' }, 'a hundred thousand of them');
	is_deeply(texts($run), [ (map { "row $_" } 1 .. 50), 99_900, (map { "row $_" } 99_951 .. 100_000) ], 'fifty, how many are left out, and fifty');
	cmp_ok(log_size() - $from, '<', 100_000, 'the log does not grow by them');
	$run = run_job($node, 'few', q{DO $$ BEGIN FOR i IN 1 .. 10 LOOP RAISE NOTICE '%', i; END LOOP; END $$}, q{settings => '{"ratchet.keep_messages": 3}'});
	is_deeply(texts($run), [ 1, 2, 7, 10 ], 'a job may keep less');
	$run = run_job($node, 'none', q{DO $$ BEGIN RAISE NOTICE 'unheard'; END $$}, q{settings => '{"ratchet.keep_messages": 0}'});
	is($run->{messages}, undef, 'or nothing');
	$run = run_job($node, 'more', q{DO $$ BEGIN FOR i IN 1 .. 150 LOOP RAISE NOTICE '%', i; END LOOP; END $$}, q{settings => '{"ratchet.keep_messages": 1000}'});
	is(scalar @{ $run->{messages} }, 150, 'or more');
	$run = run_job($node, 'bounded', q{DO $$ BEGIN FOR i IN 1 .. 10000 LOOP RAISE NOTICE '% %', i, repeat('x', 1000); END LOOP; END $$}, q{settings => '{"ratchet.keep_messages": 100000}'});
	cmp_ok(value($node, "SELECT octet_length(messages::text) FROM ratchet.runs WHERE run_id = $run->{run_id}"), '<=', 65_536, 'as far as the administrator lets it');
	my @kept = @{ texts($run) };
	like($kept[-1], qr/^10000 x+$/, 'the last one is the last one');
	is((grep { /^\d+$/ } @kept)[0] + @kept - 1, 10_000, 'and all others are counted');
	psql_fails($node, q{SELECT ratchet.alter_job('bounded', settings => '{"ratchet.max_message_memory": "64MB"}')},
		qr/55P02.*ratchet\.max_message_memory/, 'that bound is not for jobs');
};

promise 'what a client would be told' => sub {
	my $talk = q{DO $$ BEGIN RAISE DEBUG 'debug'; RAISE LOG 'log'; RAISE NOTICE 'notice'; RAISE WARNING 'warning'; RAISE INFO 'info'; END $$};
	is_deeply(texts(run_job($node, 'level', $talk, q{settings => '{"client_min_messages": "warning"}'})), [ 'warning', 'info' ], 'the job says by client_min_messages what it wants to hear');
	is_deeply(texts(run_job($node, 'level', $talk, q{settings => '{"client_min_messages": "error"}'})), ['info'], 'INFO is always told');
	my @all = grep { /^(debug|log|notice|warning|info)$/ } @{ texts(run_job($node, 'level', $talk, q{settings => '{"client_min_messages": "debug1"}'})) };
	is_deeply(\@all, [qw(debug log notice warning info)], 'down to DEBUG');
	is_deeply(
		texts(run_job($node, 'level', q{DO $$ BEGIN SET LOCAL client_min_messages = error; RAISE NOTICE 'hushed'; RESET client_min_messages; RAISE NOTICE 'told'; END $$})),
		['told'], 'also in the middle');
	my $run = run_job($node, 'setup', 'SELECT 1', q{settings => '{"application_name": "mine"}'});
	is($run->{messages}, undef, 'what we set for the run says nothing');
	is_deeply(texts(run_job($node, 'verbose', 'VACUUM (VERBOSE, TRUNCATE false) booked'))->[0] =~ /booked/ ? 1 : 0, 1, 'what VACUUM (VERBOSE) says');
};

promise 'texts that are long, or of other encodings' => sub {
	my $run = run_job($node, 'long', q{DO $$ BEGIN RAISE NOTICE '%', repeat(U&'\20AC', 3500000); RAISE NOTICE 'short'; END $$});
	is_run($run, { status => 'succeeded' }, '10 MB');
	is($run->{messages}[0]{cut}, JSON::PP::true, 'are cut, which is said');
	is( value($node, "SELECT octet_length(t) BETWEEN 1000 AND 8000 AND t = repeat(U&'\\20AC', length(t)) FROM (SELECT messages -> 0 ->> 'text' AS t FROM ratchet.runs WHERE run_id = $run->{run_id}) m"),
		't', 'between two characters');
	is($run->{messages}[1]{text}, 'short', 'and others go on');
	$run = run_job($node, 'controls', q{DO $$ BEGIN RAISE NOTICE E'\x01\x02\t"\\\\"\r\n\x1f\x7f'; RAISE NOTICE ''; END $$});
	is_deeply(texts($run), [ "\x01\x02\t\"\\\"\r\n\x1f\x7f", '' ], 'control characters and nothing at all');
	my $say = q{RAISE NOTICE '%', U&'\20AC';};
	for my $settings ('{"client_encoding": "LATIN1"}', '{"client_encoding": "EUC_JP"}', '{"client_encoding": "SQL_ASCII"}')
	{
		$run = run_job($node, 'latin', "DO \$\$ BEGIN $say RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN $say END \$\$; SELECT pg_client_encoding()", "settings => '$settings'");
		is_run($run, { status => 'succeeded' }, "with $settings a run does not fail for a character that only the server knows");
		is_deeply(texts($run), [ '€', '€' ], 'which is kept as it is');
		like($settings, qr/\Q@{[ value($node, "SELECT result::jsonb ->> 'pg_client_encoding' FROM ratchet.runs WHERE run_id = $run->{run_id}") ]}\E/, 'and the encoding stays what it was');
	}
	$run = run_job($node, 'latin2', "SET client_encoding = 'LATIN2'; DO \$\$ BEGIN $say END \$\$; SELECT pg_client_encoding()");
	is_run($run, { status => 'succeeded' }, 'when it is set by the way, neither');
	is_deeply(texts($run), ['€'], 'it is kept');
	$node->safe_psql('postgres', q{CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'});
	$node->safe_psql('postgres', q{CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
	$node->safe_psql($_, 'CREATE EXTENSION pg_ratchet') for qw(ascii latin1);
	for my $client (qw(UTF8 SQL_ASCII))
	{
		begin_run($node, "bytes $client", q{DO $r$ BEGIN RAISE NOTICE E'caf\\xe9 \\xff'; END $r$}, qq{settings => '{"client_encoding": "$client"}'}, db => 'ascii');
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'bytes $client' AND status = 'succeeded'", "any bytes in a database without an encoding, for $client", db => 'ascii');
		is(value($node, "SELECT encode((messages -> 0 ->> 'text')::bytea, 'hex') FROM ratchet.runs WHERE job_name = 'bytes $client'", db => 'ascii'), '636166e920ff', 'are kept as they are');
	}
	run_job($node, 'cafe', q{DO $$ BEGIN RAISE NOTICE '%', chr(233); END $$}, q{settings => '{"client_encoding": "UTF8"}'}, db => 'latin1');
	is(value($node, q{SELECT convert_to(messages -> 0 ->> 'text', 'UTF8') FROM ratchet.runs WHERE job_name = 'cafe'}, db => 'latin1'), '\xc3a9', 'and LATIN1');
};

promise 'parallel workers' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE big AS SELECT generate_series(1, 2000) AS n;
CREATE FUNCTION tell(n int) RETURNS boolean LANGUAGE plpgsql PARALLEL SAFE COST 10000 AS $$ BEGIN IF n = 1000 THEN RAISE NOTICE 'met %', n; END IF; RETURN true; END $$;
SQL
	my $from = log_size();
	my $run = run_job($node, 'parallel', 'SELECT count(*) FROM big WHERE tell(n)',
		q{settings => '{"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0, "parallel_leader_participation": false}'});
	is_run($run, { status => 'succeeded', result => '{"count":2000}' }, 'a query with parallel workers');
	is_deeply(texts($run), ['met 1000'], 'what they say is said by the run');
	unlike(log_since($from), qr/met 1000/, 'and not to the log');
};

promise 'batch jobs say of which batch and item' => sub {
	my $run = run_batch($node, 'book', 'SELECT id, amount FROM invoice', 'SELECT book($1, $2)', 'batch_size => 8');
	is_run($run, { status => 'succeeded', items_done => 19, items_failed => 1, batches => 3 }, 'one item at a time');
	my @warnings = map { "$_->{batch} $_->{item}{id} $_->{text}" } grep { $_->{level} eq 'WARNING' && !$_->{rolled_back} } @{ $run->{messages} };
	is_deeply(\@warnings,
		[ '1 5 invoice 5: amount 7.5 is rounded', '2 10 invoice 10: amount 15.0 is rounded', '2 15 invoice 15: amount 22.5 is rounded', '3 20 invoice 20: amount 30.0 is rounded' ],
		'what was said of items that are done');
	my ($failed) = grep { $_->{text} eq 'no such account' } @{ $run->{messages} };
	is_deeply([ $failed->{batch}, $failed->{item}, $failed->{rolled_back} ], [ 1, { id => 7 }, JSON::PP::true ], 'and of one that failed, with what was rolled back');

	$run = run_batch($node, 'all', 'SELECT id, amount FROM invoice', q{SELECT count(pg_notice(format('%s items', cardinality($1))))}, q{per => 'batch', batch_size => 8})
		if $node->safe_psql('postgres', q{CREATE FUNCTION pg_notice(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', t; RETURN t; END $$}) eq '';
	is_deeply([ map { "$_->{batch} $_->{text}" . ($_->{item} ? ' item' : '') } @{ $run->{messages} } ], [ '1 8 items', '2 8 items', '3 4 items' ], 'a whole batch at once, of no item');

	$node->safe_psql('postgres', 'CREATE TABLE locked (id int PRIMARY KEY); ' . define_batch('retried', 'SELECT id, customer FROM invoice WHERE id <= 2', q{WITH s AS MATERIALIZED (SELECT pg_notice('have ' || $2) AS t) INSERT INTO locked SELECT $1 FROM s}));
	my $lock = session($node);
	$lock->query_safe('BEGIN; INSERT INTO locked VALUES (2)');
	my $id = value($node, q{SELECT ratchet.trigger('retried')});
	wait_until($node, "SELECT messages @> '[{\"batch\": 1, \"text\": \"have Müller & Söhne 2\"}]' FROM ratchet.running WHERE run_id = $id", 'while a batch waits for a lock, it can be read');
	wait_until($node, "SELECT waits_for = 'lock' FROM ratchet.running WHERE run_id = $id", 'it gives way');
	$lock->query_safe('ROLLBACK');
	$lock->quit;
	wait_run($node, $id, 'succeeded');
	$run = run_record($node, $id);
	my @said = @{ $run->{messages} };
	is_deeply([ map { [ $_->{text}, $_->{item} ] } @said[ -2, -1 ] ], [ map { [ "have Müller & Söhne $_", { id => $_ } ] } 1, 2 ], 'the attempt that commits');
	is($said[0]{rolled_back}, JSON::PP::true, 'and the one before, which was rolled back');
	ok(!$said[-1]{rolled_back}, 'as only that one was');

	$run = run_batch($node, 'stops', 'SELECT id FROM invoice', q{SELECT pg_notice('at ' || $1), 1 / ($1 - 11)}, 'batch_size => 4, max_failed_items => 0');
	is_run($run, { status => 'failed' }, 'a walk that fails');
	is((grep { $_->{text} eq 'at 11' } @{ $run->{messages} })[0]{item}{id}, 11, 'says where it was');
};

promise 'a run in the foreground tells both' => sub {
	my ($status, $out, $err) = $node->psql('postgres', define_job('front', q{DO $$ BEGIN RAISE NOTICE 'hello %', U&'\20AC'; RAISE WARNING 'there'; END $$}) . q{CALL ratchet.run('front')});
	is($status, 0, 'a run in the foreground');
	like($err, qr/NOTICE:  hello .*WARNING:  there/s, 'the client is told as ever');
	my $run = row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'front'});
	is_deeply(texts($run), [ 'hello €', 'there' ], 'and it is kept');
	($status, $out, $err) = $node->psql('postgres', define_job('front', q{DO $$ BEGIN RAISE NOTICE 'bonjour'; RAISE EXCEPTION 'non'; END $$}) . q{CALL ratchet.run('front')});
	like($err, qr/NOTICE:  bonjour.*ERROR:  non/s, 'one that fails');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'front' AND status = 'failed'});
	is_deeply(texts(row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'front' AND status = 'failed'})), ['bonjour'], 'keeps it as well');
	($status, $out, $err) = $node->psql('postgres', q{SET client_encoding = 'LATIN1'; DO $$ BEGIN RAISE NOTICE 'not of a run'; END $$; } . define_job('front', q{DO $$ BEGIN RAISE NOTICE 'caf%', chr(233); END $$}) . q{CALL ratchet.run('front'); DO $$ BEGIN RAISE NOTICE 'nor this'; END $$});
	$run = row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'front' ORDER BY run_id DESC LIMIT 1});
	is_deeply(texts($run), [ 'café' ], 'in the encoding of the database, and nothing of what the session says by itself');
	($status, $out, $err) = $node->psql('postgres', define_batch('front_walk', 'SELECT id, amount FROM invoice WHERE id < 6', 'SELECT book($1, $2)') . q{CALL ratchet.run('front_walk')});
	like($err, qr/WARNING:  invoice 5/, 'a batch job tells the client, too');
	is_deeply([ map { [ $_->{batch}, $_->{item}, $_->{sqlstate} ] } @{ row($node, q{SELECT * FROM ratchet.runs WHERE job_name = 'front_walk'})->{messages} } ], [ [ 1, { id => 5 }, '01RND' ] ], 'and keeps it with batch and item');
};

promise 'what a run says can be read while it runs' => sub {
	my $lock = lock_session($node, 77);
	my $id = begin_run($node, 'live', q{DO $$ BEGIN FOR i IN 1 .. 1000 LOOP RAISE NOTICE 'step % %', i, repeat('.', i % 300); END LOOP; RAISE WARNING 'now waiting'; PERFORM pg_advisory_lock(77); END $$}, q{run_as => 'clerk'});
	wait_until($node, "SELECT messages @> '[{\"text\": \"now waiting\"}]' FROM ratchet.running WHERE run_id = $id", 'in ratchet.running');
	my $live = row($node, "SELECT * FROM ratchet.running WHERE run_id = $id");
	my @messages = @{ $live->{messages} };
	cmp_ok($messages[0]{left_out}, '>', 900, 'only the last of it');
	is($messages[0]{left_out} + @messages - 1, 1001, 'with how many were before');
	is_deeply([ map { $_->{level} } @messages[ -2, -1 ] ], [ 'NOTICE', 'WARNING' ], 'in order');
	is(value($node, "SELECT jsonb_array_length(messages) FROM ratchet.runs WHERE run_id = $id"), scalar(@messages), 'and in ratchet.runs');
	is(value($node, "SELECT count(*) FROM ratchet.running WHERE messages IS NOT NULL", user => 'guest'), 0, 'not for others');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE messages IS NOT NULL", user => 'guest'), 0, 'nor afterwards');
	cmp_ok(value($node, "SELECT count(*) FROM ratchet.runs WHERE messages IS NOT NULL", user => 'clerk'), '>', 0, 'but for the owner');
	value($node, "SELECT ratchet.cancel($id)");
	wait_run($node, $id, 'canceled');
	my $run = run_record($node, $id);
	is(texts($run)->[-1], 'now waiting', 'a run that is canceled keeps it');
	like(texts($run)->[0], qr/^step 1 /, 'from the beginning');

	$id = begin_run($node, 'ended', q{DO $$ BEGIN RAISE NOTICE 'famous last words'; PERFORM pg_advisory_lock(77); END $$}, q{on_crash => 'next'});
	wait_until($node, "SELECT messages IS NOT NULL FROM ratchet.running WHERE run_id = $id");
	value($node, "SELECT pg_terminate_backend(pid) FROM ratchet.running WHERE run_id = $id");
	wait_run($node, $id, 'crashed');
	is_deeply(texts(run_record($node, $id)), ['famous last words'], 'one whose process is ended by somebody, the last of it');

	$id = begin_run($node, 'killed', q{DO $$ BEGIN RAISE NOTICE 'unheard of'; PERFORM pg_advisory_lock(77); END $$}, q{on_crash => 'next'});
	wait_until($node, "SELECT messages IS NOT NULL FROM ratchet.running WHERE run_id = $id");
	my $pid = value($node, "SELECT pid FROM ratchet.running WHERE run_id = $id");
	$lock->{run}->finish if $lock->{run};
	kill_and_wait($node, $pid);
	wait_until($node, "SELECT status = 'crashed' FROM ratchet.runs WHERE run_id = $id", 'one that is killed, with all of the memory that is shared');
	is(run_record($node, $id)->{messages}, undef, 'has nothing left');
	is_deeply(texts(run_job($node, 'after', q{DO $$ BEGIN RAISE NOTICE 'on again'; END $$})), ['on again'], 'and others go on');
};

finish();
