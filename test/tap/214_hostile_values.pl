# Values at their limits and beyond: encodings, instants and intervals, numbers, long and deep texts, bytes
# that nobody has written, and what of it reaches the log of the server. See docs/security.md.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => 'ratchet.log_runs = all');

value($node, q{
	CREATE ROLE alice LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO alice});

# In each of these databases: a job whose name, command, payload and error are in its encoding.
my %encodings = (
	LATIN1    => { text => q{convert_from('\xe9e8fc'::bytea, 'LATIN1')},   bytes => 'e9e8fc' },
	EUC_JP    => { text => q{convert_from('\xc6fccbdc'::bytea, 'EUC_JP')}, bytes => 'c6fccbdc' },
	SQL_ASCII => { text => q{E'\\xe9\\xff\\xa1'},                          bytes => 'e9ffa1' },
	UTF8      => { text => q{U&'\00e9\65e5\+01F600'},                      bytes => 'c3a9e697a5f09f9880' });

for my $encoding (sort keys %encodings)
{
	promise "names, commands, payloads and errors in a database in $encoding" => sub {
		my ($text, $bytes) = @{ $encodings{$encoding} }{qw(text bytes)};
		my $db = lc $encoding;
		value($node, "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
		value($node, 'CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO PUBLIC', db => $db);
		my $json = $encoding eq 'SQL_ASCII' ? 'NULL' : "jsonb_build_object('k', $text)";
		my $run = value($node, qq{
			SELECT ratchet.schedule('job ' || $text, '\@manual', format('SELECT %L AS said', $text), payload => $json,
				mutex => 'm' || $text, comment => $text, tags => ARRAY[$text]) \\g /dev/null
			SELECT ratchet.trigger('job ' || $text)}, db => $db, user => 'alice');
		wait_run($node, $run, 'succeeded', 'it runs', db => $db);
		is(value($node, "SELECT encode(convert_to(substr(job_name, 5), '$encoding'), 'hex') FROM ratchet.runs WHERE run_id = $run", db => $db), $bytes, 'its name is kept');
		is(value($node, "SELECT encode(convert_to(result, '$encoding'), 'hex') LIKE '%$bytes%' FROM ratchet.runs WHERE run_id = $run", db => $db), 't', 'and what it returns');
		$run = value($node, qq{
			SELECT ratchet.schedule('fails ' || $text, '\@manual', format('DO \$d\$BEGIN RAISE EXCEPTION %L; END\$d\$', repeat($text, 5000))) \\g /dev/null
			SELECT ratchet.trigger('fails ' || $text)}, db => $db, user => 'alice');
		wait_run($node, $run, 'failed', 'another one fails', db => $db);
		is(value($node, "SELECT length(error) > 1000 AND starts_with(repeat($text, 5000), error) FROM ratchet.runs WHERE run_id = $run", db => $db), 't',
			'its long error is cut between two characters') unless $encoding eq 'SQL_ASCII';
		# A name that fills its place in shared memory, cut in the middle of a character.
		$run = value($node, qq{
			SELECT ratchet.schedule('n' || repeat($text, 200 / octet_length($text)), '\@manual', 'SELECT pg_sleep(600)') \\g /dev/null
			SELECT ratchet.trigger('n' || repeat($text, 200 / octet_length($text)))}, db => $db, user => 'alice');
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.running WHERE run_id = $run", 'a long name in shared memory is text', db => $db);
		# Other databases have other encodings, and pg_stat_activity shows all of them.
		psql_ok($node, 'SELECT application_name, query, datname FROM pg_stat_activity', "it can be read in $_ ", db => $_) for ('postgres', $db);
		is(value($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '[^ -~]'}), 0, 'application_name is ASCII');
		psql_ok($node, 'SELECT * FROM ratchet.running', 'the other databases show their own', db => 'postgres');
		value($node, "SELECT ratchet.cancel($run)", db => $db);
		wait_run($node, $run, 'canceled', 'it is canceled', db => $db);
	};
}

promise 'what is no text in the encoding of the database is refused' => sub {
	psql_fails($node, qq{SELECT ratchet.schedule(E'a\\xff', '\@manual', 'SELECT 1')}, qr/ERROR:  22021/, 'as a name', user => 'alice');
	psql_fails($node, qq{SELECT ratchet.schedule('a', '\@manual', E'SELECT 1 /* \\xff */')}, qr/ERROR:  22021/, 'as a command', user => 'alice');
};

promise 'nobody writes lines of their own into the log of the server by a name, an error or a command' => sub {
	my $forged = '2026-01-01 00:00:00.000 UTC [1] postgres FATAL:  forged';
	my $run = run_job($node, 'forger', qq{DO \$d\$BEGIN RAISE EXCEPTION E'innocent\\n$forged\\r$forged' USING DETAIL = E'\\n$forged', HINT = E'\\n$forged'; END\$d\$ /*\n$forged\n*/}, undef, user => 'alice');
	is($run->{status}, 'failed', 'a job fails with an error of several lines');
	psql_fails($node, qq{SELECT ratchet.schedule(E'$_', '\@manual', 'SELECT 1')}, qr/22023/, "a name with $_", user => 'alice') for ('a\\nb', 'a\\rb', 'a\\x1b[2J');
	psql_fails($node, qq{SELECT ratchet.schedule('x', '\@manual', 'SELECT 1', $_)}, qr/22023.*control characters/s, "$_ with a line end", user => 'alice')
	  for (q{mutex => E'a\nb'}, q{calendar => E'a\nb'});
	wait_log($node, qr/job "forger" run/, 'the log tells of the run');
	is(scalar(grep { /^\Q$forged\E/ } split /\n/, slurp_file($node->logfile)), 0, 'no line of the log begins as the job would like');
};

promise 'instants at the ends of time' => sub {
	my @instants = ("'4713-01-01 BC'", "'4713-11-24 00:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'", "'infinity'", "'-infinity'", "'epoch'", "'1999-12-31 23:59:59.999999+00'");
	for my $schedule ('1 day', '1 month', '250 ms', '5 4 * * *', '* * * * * *', 'RRULE:FREQ=MONTHLY;BYDAY=-1FR', '@continuous', '5 minutes after completion', 'H 3 29 2 *')
	{
		for my $at (@instants)
		{
			for my $option ('start_at', 'end_at', 'backfill_from')
			{
				my ($status, $out, $err) = $node->psql('postgres',
					"SET statement_timeout = '60s'; SELECT ratchet.schedule('ends', '$schedule', 'SELECT 1', $option => $at, enabled => false)", extra_params => [ '-U', 'alice' ]);
				ok($status == 0 || $err =~ /must be finite|no occurrence|must not|must be|not be before|later than|cannot be used/, "$schedule, $option => $at")
				  or diag($err);
			}
			my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '60s'; SELECT count(*) FROM ratchet.next_runs('$schedule', 'UTC', 100, $at)");
			ok($status == 0 || $err =~ /finite/, "next_runs of $schedule after $at") or diag($err);
		}
	}
	for my $at (@instants)
	{
		my ($status, $out, $err) = $node->psql('postgres', "SELECT ratchet.trigger('ends', run_at => $at)", extra_params => [ '-U', 'alice' ]);
		ok($status == 0 || $err =~ /finite/, "run_at => $at") or diag($err);
	}
	value($node, q{SELECT ratchet.cancel(run_id) FROM ratchet.runs WHERE job_name = 'ends' AND status = 'queued'});
	psql_ok($node, q{SELECT * FROM ratchet.jobs; SELECT * FROM ratchet.job_health; SELECT * FROM ratchet.backfills}, 'the views can be read');
	value($node, q{SELECT ratchet.unschedule('ends')}, user => 'alice');
	is_run(run_job($node, 'alive', 'SELECT 1'), { status => 'succeeded' }, 'the scheduler goes on');
};

promise 'every interval and every number of every function, at its limits' => sub {
	my @intervals = ("'178000000 years'", "'-178000000 years'", "'2147483647 days'", "'-2147483648 days'", "'2562047788 hours'", "'1 microsecond'", "'-1 microsecond'",
		"'100 years'", "'178000000 years -2147483647 days'");
	push @intervals, "'infinity'", "'-infinity'" if value($node, 'SHOW server_version_num') >= 170000;
	my %limits = (
		interval           => \@intervals,
		'double precision' => [ "'NaN'", "'Infinity'", "'-Infinity'", '1e308', '-1e308', '1e-320', '-0.0' ],
		integer            => [ '2147483647', '-2147483648', '0', '-1' ]);
	my $said = qr/must|too|cannot|no occurrence|out of range|is for|does not|none|batch/;
	for my $argument (split /\n/, value($node, q{
		SELECT DISTINCT concat_ws('|', proname, a.name, format_type(a.type, NULL))
		FROM pg_proc p CROSS JOIN LATERAL unnest(proargnames[:pronargs], proargtypes::oid[]) a (name, type)
		WHERE pronamespace = 'ratchet'::regnamespace AND proname IN ('schedule', 'schedule_batch')
			AND a.type IN ('interval'::regtype, 'float8'::regtype, 'int4'::regtype)}))
	{
		my ($function, $name, $type) = split /\|/, $argument;
		for my $value (@{ $limits{$type} })
		{
			my $what = $function eq 'schedule' ? q{'SELECT 1/0'} : q{'SELECT 1 AS n', 'SELECT 1/($1-1)'};
			my $options = "$name => $value" . ($name =~ /^max_attempts|^backoff/ || $function eq 'schedule_batch' ? '' : ', max_attempts => 2');
			my $job = "limit $function $name " . ($value =~ tr/'//dr);
			my ($status, $out, $err) = $node->psql('postgres', "SELECT ratchet.$function('$job', '\@manual', $what, $options)",
				extra_params => [ '-U', 'alice' ]);
			ok($status == 0 || $err =~ $said, "$function: $name => $value") or diag($err);
		}
	}
	# Those that were accepted run, and fail: so that each back-off is counted, too.
	my $runs = value($node, q{SELECT string_agg(ratchet.trigger(job_name)::text, ', ') FROM ratchet.jobs WHERE job_name LIKE 'limit %'});
	wait_until($node, "SELECT count(*) = 0 FROM ratchet.runs WHERE run_id IN ($runs) AND status IN ('queued', 'running')", 'what was accepted runs');
	psql_ok($node, 'SELECT * FROM ratchet.jobs; SELECT * FROM ratchet.job_health; SELECT * FROM ratchet.stat_jobs; SELECT ratchet.export_jobs()', 'the views can be read');
	for my $sql (map { my $i = $_; (
			"SELECT ratchet.wait(1, timeout => $i)", "CALL ratchet.wait_for(1, timeout => $i)",
			"CREATE TEMP TABLE t (n int); SELECT ratchet.trigger_on_change('pg_temp.t', 'alive', debounce => $i)") } @intervals)
	{
		my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '30s'; $sql");
		ok($status == 0 || $err =~ /does not exist|must|temporary|too long|out of range/, $sql) or diag($err);
	}
	value($node, q{SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs WHERE job_name LIKE 'limit %'});
};

promise 'internal functions that are handed what nobody has written' => sub {
	# Numbers of seven bits to a byte, as job_day.cpp reads them, at their limits and at random.
	my @bytes = ('', '01', '00', 'ff', '0101', '01' . 'ff' x 100, '0100' x 50,
		# One hour: its number, a duration of -2^63 (or 2^63 - 1), then lags, then -1 (or 0, or 2^31 - 1) runs.
		map { my $runs = $_; map { "0101" . "ccea1b" . $_ . '00' x 4 . $runs . '00' . '0000' x 2 } ('80808080808080808001', 'ffffffffffffffff7f') }
		  ('ffffffffffffffffff01', '00', '01', 'ffffffff07', '8080808008'));
	my $hours = join ', ', map { "'\\x$_'::bytea" } @bytes;
	psql_ok($node, "SELECT ratchet._job_day(b, t) FROM unnest(ARRAY[$hours]) b, unnest('{infinity,-infinity,now,4714-11-24 BC,294276-12-31}'::timestamptz[]) t",
		'_job_day of bytes at the limits', user => 'alice');
	psql_ok($node, q{SELECT count(ratchet._job_day('\x01'::bytea || substr(decode(md5(i::text) || md5((-i)::text), 'hex'), 1, i % 33), now())) FROM generate_series(1, 20000) i},
		'_job_day of random bytes', user => 'alice');
	for my $schedule ('1 ms', '* * * * * *', '*/7 3-5 * * *', '@yearly', 'RRULE:FREQ=SECONDLY', 'RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU', '1 month', 'x')
	{
		my ($status, $out, $err) = $node->psql('postgres', qq{
			SET statement_timeout = '20s';
			SELECT ratchet._occurrences('x', '$schedule', 'Europe/Paris', NULL, NULL, '4714-11-24 BC', NULL, NULL, '4714-11-24 BC', '294276-12-31', 9223372036854775807);
			SELECT ratchet._occurrences('x', '$schedule', 'Europe/Paris', 'Mon-Fri 02:15-02:45', NULL, now(), NULL, NULL, now(), now() + interval '100 years', 9223372036854775807);
			SELECT ratchet._occurrences('x', '$schedule', 'nowhere', 'x', 'x', 'infinity', '-infinity', '-infinity', 'infinity', '-infinity', -1)},
			extra_params => [ '-U', 'alice' ], timeout => 120);
		ok($status == 0 || $err =~ /statement timeout/, "_occurrences of $schedule comes to an end") or diag($err);
	}
};

promise 'texts that are long or deep are refused or run, and end nothing but themselves' => sub {
	my $before = value($node, q{SELECT pg_postmaster_start_time()});
	my %texts = (
		'1 MB of list'           => q{'SELECT ' || repeat('1, ', 350000) || '1'},
		'deep parentheses'       => q{'SELECT ' || repeat('(', 100000) || '1' || repeat(')', 100000)},
		'deep negation'          => q{'SELECT ' || repeat('- ', 200000) || '1'},
		'a million semicolons'   => q{repeat(';', 1000000) || 'SELECT 1'},
		'many statements'        => q{repeat('SELECT 1;', 20000)},
		'a long name'            => q{'SELECT 1 AS "' || repeat('x', 1000000) || '"'},
		'an open comment'        => q{repeat('/* ', 300000)},
		'endless recursion'      => q{'WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT count(*) FROM r'},
		'a function that calls itself' => q{'SELECT public.itself(1)'});
	value($node, q{CREATE FUNCTION itself(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN public.itself(n + 1); END$$});
	for my $what (sort keys %texts)
	{
		for my $transaction ('single', 'per_statement')
		{
			my ($status, $out, $err) = $node->psql('postgres',
				"SELECT ratchet.schedule('long', '\@manual', $texts{$what}, transaction => '$transaction', timeout => '5 s', max_attempts => 1)", extra_params => [ '-U', 'alice' ]);
			if ($status != 0)
			{
				like($err, qr/(stack depth|memory exhausted|must not be empty|unterminated|syntax error|at most|too)/, "$what, $transaction: refused");
				next;
			}
			my $run = value($node, q{SELECT ratchet.trigger('long')}, user => 'alice');
			wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run");
			like(run_status($node, $run), qr/^(succeeded|failed|timed_out)$/, "$what, $transaction: runs");
		}
		my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '30s'; SELECT ratchet.schedule('long', '\@manual', 'SELECT 1', only_if => $texts{$what})", extra_params => [ '-U', 'alice' ]);
		ok($status == 0 || $err =~ /ERROR/, "$what, as only_if") or diag($err);
		($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '30s'; SELECT ratchet.schedule_batch('long batch', '\@manual', $texts{$what}, $texts{$what})", extra_params => [ '-U', 'alice' ]);
		ok($status == 0 || $err =~ /ERROR/, "$what, as source and action") or diag($err);
	}
	for my $schedule (q{repeat('1,', 500000) || '1 * * * *'}, q{repeat('*', 1000000)}, q{'RRULE:FREQ=DAILY;BYHOUR=' || repeat('1,', 500000) || '1'},
		q{'RRULE:FREQ=DAILY' || repeat(' EXDATE:19970904T090000', 40000)}, q{'RRULE:FREQ=DAILY' || repeat(' RDATE:19970904T090000', 40000)},
		q{'every ' || repeat('9', 1000000) || ' days'}, q{repeat('1 day ', 200000)}, q{'at ' || repeat('2', 1000000)}, q{'H(' || repeat('(', 100000)}, q{repeat('@', 100000)},
		q{'RRULE:FREQ=SECONDLY;INTERVAL=2147483647'}, q{'RRULE:FREQ=YEARLY;COUNT=2147483647'}, q{'RRULE:FREQ=YEARLY;INTERVAL=-1'})
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"SET statement_timeout = '30s'; SELECT octet_length(ratchet.describe_schedule($schedule)), (SELECT count(*) FROM ratchet.next_runs($schedule))", extra_params => [ '-U', 'alice' ]);
		ok($status == 0 || $err =~ /ERROR:  (.*schedule|.*statement timeout)/, "schedule $schedule") or diag(substr($err, 0, 500));
	}
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.schedule('long', '1 day', 'SELECT 1', active_window => repeat('Mon 10:00-11:00, ', 60000) || 'Mon 10:00-11:00')}, extra_params => [ '-U', 'alice' ]);
	ok($status == 0 || $err =~ /active.window .* is too long/, 'a window of 1 MB') or diag(substr($err, 0, 500));
	psql_fails($node, q{SELECT ratchet.schedule('long', '@manual', 'SELECT 1', payload => (repeat('[', 100000) || repeat(']', 100000))::jsonb)}, qr/54001/, 'a deep payload is none', user => 'alice');
	is(value($node, q{SELECT pg_postmaster_start_time()}), $before, 'the server is the same');
	is_run(run_job($node, 'alive', 'SELECT 1'), { status => 'succeeded' }, 'the scheduler goes on');
};

finish();
