# Locks of others on the extension's tables: who may not have them does not get in the way of anybody while
# it is found out. See docs/security.md.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use SeveralRoles;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 5\nratchet.max_workers = 4\nratchet.cancel_grace = '200 ms'");

value($node, q{
	CREATE ROLE victim LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE writer LOGIN IN ROLE pg_read_all_data, pg_write_all_data;
	CREATE ROLE dbo LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	GRANT CREATE ON DATABASE postgres TO mallory;
	GRANT CREATE ON SCHEMA public TO mallory, writer, dbo;
	CREATE TABLE ticks (at timestamptz DEFAULT clock_timestamp());
	GRANT ALL ON ticks TO victim});
value($node, q{SELECT ratchet.schedule('victims', '200 ms', 'INSERT INTO public.ticks DEFAULT VALUES')}, user => 'victim');
value($node, q{
	CREATE TABLE parts (run_id bigint) PARTITION BY LIST (run_id);
	CREATE INDEX parts_idx ON parts (run_id);
	CREATE TABLE mine (run_id bigint);
	CREATE TABLE "Odd Name" (run_id bigint);
	CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'}, user => 'mallory');

# The job of another role runs $n times from now on.
sub others_go_on
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ticks_go_on($node, @_);
}

# Refused by the right, and not by a lock that is waited for. An answer that comes too late has another SQLSTATE.
sub refused
{
	my ($sql, $user, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $code = $option{code} // '42501';
	my $before = $option{before} // '';
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET lock_timeout = '2 s';\n$before\n$sql",
		on_error_stop => 1, extra_params => [ '-U', $user ]);
	like($err, qr/ERROR:  $code/, "$sql: refused at once");
	return $err;
}

# A transaction that has read everything, and stays open: whoever wants a strong lock waits for it.
sub reader
{
	my ($user) = @_;
	my $session = session($node, user => $user);
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT count(*) FROM ratchet.$_")
	  for qw(run_log run_queue job job_state jobs runs), 'run_log WHERE run_id = 1';
	$session->query_safe('SELECT last_value FROM ratchet.job_id_seq');
	return $session;
}

others_go_on('at first');

my @statements = (
	'CREATE RULE r AS ON INSERT TO ratchet.run_log DO INSTEAD NOTHING',
	'CREATE RULE r AS ON UPDATE TO ratchet.jobs DO INSTEAD NOTHING',
	'CREATE RULE r AS ON DELETE TO "ratchet"."run_queue" WHERE false DO NOTHING',
	'CREATE TRIGGER t AFTER INSERT ON ratchet.run_queue EXECUTE FUNCTION noticed()',
	'CREATE TRIGGER t INSTEAD OF INSERT ON ratchet.runs FOR EACH ROW EXECUTE FUNCTION noticed()',
	'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON ratchet.job DEFERRABLE FOR EACH ROW EXECUTE FUNCTION noticed()',
	'ALTER TABLE parts ATTACH PARTITION ratchet.job FOR VALUES IN (1)',
	'ALTER TABLE parts ATTACH PARTITION ratchet.run_log DEFAULT',
	'ALTER TABLE parts DETACH PARTITION ratchet.run_log',
	'ALTER INDEX parts_idx ATTACH PARTITION ratchet.run_log_pkey',
	'ALTER TABLE mine INHERIT ratchet.run_log',
	'ALTER TABLE mine NO INHERIT ratchet.run_log',
	'ALTER TABLE mine ADD FOREIGN KEY (run_id) REFERENCES ratchet.run_log (run_id)',
	'ALTER TABLE mine ADD COLUMN another bigint REFERENCES ratchet.run_log',
	'ALTER TABLE mine ADD COLUMN harmless int, ADD CONSTRAINT c FOREIGN KEY (run_id) REFERENCES ratchet.job',
	'CREATE TABLE child (run_id bigint REFERENCES ratchet.run_log)',
	'CREATE TABLE child (run_id bigint, FOREIGN KEY (run_id) REFERENCES ratchet.run_log)',
	'CREATE TABLE child () INHERITS (mine, ratchet.run_log)',
	'CREATE TABLE child PARTITION OF ratchet.run_log DEFAULT',
	'CREATE SCHEMA of_mallory CREATE TABLE child (run_id bigint REFERENCES ratchet.run_log)',
	'CREATE STATISTICS s ON run_id, job_id FROM ratchet.run_log',
	'CREATE INDEX ON ratchet.run_log (run_id)',
	'CREATE POLICY p ON ratchet.run_log',
	'CREATE PUBLICATION p FOR TABLE mine, ratchet.run_log',
	'ALTER TABLE ratchet.run_log ADD COLUMN x int',
	'ALTER TABLE ratchet.run_log RENAME TO x',
	'ALTER TABLE ratchet.run_log SET SCHEMA public',
	'ALTER TABLE ratchet.run_log DISABLE TRIGGER ALL',
	'ALTER VIEW ratchet.jobs RENAME COLUMN job_name TO x',
	'ALTER INDEX ratchet.run_log_pkey DEPENDS ON EXTENSION plpgsql',
	'ALTER INDEX ratchet.run_log_pkey SET (fillfactor = 50)',
	'ALTER SEQUENCE ratchet.run_id_seq RESTART',
	q{COMMENT ON TABLE ratchet.run_log IS 'mine'},
	q{COMMENT ON COLUMN ratchet.run_log.run_id IS 'mine'},
	q{COMMENT ON INDEX ratchet.run_log_pkey IS 'mine'},
	'LOCK TABLE ratchet.run_log',
	'LOCK TABLE mine, ratchet.run_queue IN SHARE MODE',
	'LOCK TABLE ratchet.runs IN EXCLUSIVE MODE',
	'CLUSTER ratchet.run_log USING run_log_pkey',
	'REINDEX TABLE ratchet.run_log',
	'REINDEX INDEX ratchet.run_log_pkey',
	'REINDEX SCHEMA ratchet',
	'TRUNCATE mine, ratchet.run_log',
	'DROP TABLE ratchet.run_log',
	'DROP INDEX ratchet.run_log_pkey',
	'DROP VIEW ratchet.jobs CASCADE');

promise 'an ordinary role that asks for a lock on a relation of ours is refused before it waits, whatever the statement' => sub {
	my $reader = reader('mallory');
	refused(/LOCK/ ? "BEGIN; $_" : $_, 'mallory') for @statements;
	others_go_on('the job of another role runs');
	$reader->quit;
};

promise 'nor by another way to the same relation' => sub {
	my $reader = reader('mallory');
	my $rule = 'CREATE RULE r AS ON INSERT TO run_log DO INSTEAD NOTHING';
	refused($rule, 'mallory', before => 'SET search_path = ratchet;');
	refused($rule, 'mallory', before => 'SET search_path = public, "ratchet", pg_temp;');
	refused('CREATE RULE r AS ON INSERT TO postgres.ratchet.run_log DO INSTEAD NOTHING', 'mallory');
	refused("DO \$\$BEGIN EXECUTE '$rule'; END\$\$", 'mallory', before => 'SET search_path = ratchet;');
	value($node, q{
		CREATE FUNCTION by_the_way(what text) RETURNS void LANGUAGE plpgsql SET search_path = ratchet AS
			'BEGIN EXECUTE what; EXCEPTION WHEN insufficient_privilege THEN RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM; END'}, user => 'mallory');
	refused("SELECT public.by_the_way('$rule')", 'mallory');
	refused('ALTER TABLE public.mine ADD FOREIGN KEY (run_id) REFERENCES run_log', 'mallory', before => 'SET search_path = ratchet;');
	refused($rule, 'mallory', before => 'BEGIN; SET LOCAL search_path = ratchet; SAVEPOINT s;');
	my $toast = value($node, q{SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'ratchet.run_log'::regclass});
	refused("REINDEX TABLE $toast", 'mallory');
	refused("ALTER INDEX ${toast}_index DEPENDS ON EXTENSION plpgsql", 'mallory');
	others_go_on('the job of another role runs');
	$reader->quit;
};

promise 'a name that comes to mean a relation of ours while its statement waits locks none' => sub {
	value($node, 'CREATE TABLE public.run_log (run_id bigint)', user => 'mallory');
	my $reader = reader('mallory');
	my $dropper = session($node, user => 'mallory');
	$dropper->query_safe('BEGIN');
	$dropper->query_safe('DROP TABLE public.run_log');
	my $waiter = session($node, user => 'mallory');
	$waiter->query_safe(q{SET lock_timeout = '60 s'});
	$waiter->query_safe('SET search_path = public, ratchet');
	$waiter->query_until(qr/asks/, "\\echo asks\nCREATE RULE r AS ON INSERT TO run_log DO INSTEAD NOTHING;\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE RULE%'}, 'it waits for a table of its own');
	$dropper->query_safe('COMMIT');
	wait_until($node, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE RULE%'}, 'which is gone: that is all');
	others_go_on('the job of another role runs');
	$_->quit for $dropper, $waiter, $reader;
};

promise 'thousands of statements that are refused do not slow the jobs of others' => sub {
	my $reader = reader('mallory');
	my $noise = session($node, user => 'mallory');
	$noise->query_until(qr/begins/, q{
		\echo begins
		DO $$BEGIN FOR i IN 1..1000000 LOOP
			BEGIN CREATE RULE r AS ON INSERT TO ratchet.run_log DO INSTEAD NOTHING; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
		END LOOP; END$$;
	});
	my $begun = value($node, 'SELECT clock_timestamp()');
	others_go_on('the job of another role runs', 10);
	cmp_ok(value($node, "SELECT extract(epoch FROM clock_timestamp() - '$begun')"), '<', within(10), 'as often as ever');
	value($node, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%CREATE RULE%' AND pid <> pg_backend_pid()});
	$_->quit for $noise, $reader;
};

promise 'who may write all tables locks none of ours in a mode that keeps others out' => sub {
	my $reader = reader('writer');
	value($node, q{CREATE VIEW looks AS SELECT run_id FROM ratchet.run_log; CREATE VIEW looks_again AS SELECT * FROM (SELECT * FROM looks) l}, user => 'writer');
	for my $mode ('SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE')
	{
		refused("BEGIN; LOCK TABLE $_ IN $mode MODE", 'writer')
		  for qw(ratchet.run_log ratchet.job ratchet.jobs looks looks_again), 'ticks, ratchet.run_queue';
	}
	psql_ok($node, "BEGIN; LOCK TABLE ratchet.run_log, looks IN $_ MODE; COMMIT", "$_ is in nobody's way", user => 'writer')
	  for 'ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE';
	psql_ok($node, 'BEGIN; LOCK TABLE ticks; COMMIT', 'nor is a table of somebody else', user => 'writer');
	$reader->quit;
};

# What no privilege gives to ordinary roles: the lock comes from a function of a superuser.
value($node, q{
	CREATE FUNCTION lend_a_lock(relation text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
		$$BEGIN EXECUTE 'LOCK TABLE ' || relation || ' IN ACCESS EXCLUSIVE MODE'; END$$});

# Whether the session is still there. Asks no table of ours.
sub is_there
{
	my ($pid) = @_;
	return value($node, "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid");
}

promise 'who is in the way is named, canceled, and terminated if that does not help' => sub {
	for my $relation (qw(ratchet.run_log ratchet.run_queue ratchet.job_state))
	{
		my $holder = session($node, user => 'mallory');
		my $pid = $holder->query_safe('SELECT pg_backend_pid()');
		$holder->query_safe('BEGIN');
		$holder->query_safe("SELECT lend_a_lock('$relation')");
		wait_log($node, qr/process $pid of role "mallory" holds AccessExclusiveLock on \Q$relation\E, and is in the way/, "$relation: the log says who");
		wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 'it is terminated, as it is idle in its transaction');
		others_go_on('the job of another role runs');
		eval { $holder->quit };
	}
	my $busy = session($node, user => 'mallory');
	my $pid = $busy->query_safe('SELECT pg_backend_pid()');
	$busy->query_until(qr/begins/, "\\echo begins\nSELECT lend_a_lock('ratchet.run_queue'), pg_sleep(600);\n");
	wait_until($node, "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid", 'of one that is at work the statement is canceled');
	others_go_on('the job of another role runs');
	is(is_there($pid), 1, 'and its session is left alone');
	eval { $busy->quit };
};

promise 'who only waits for a lock that nobody else gets past is in the way, too' => sub {
	my $reader = reader('mallory');
	my $waiter = session($node, user => 'mallory');
	$waiter->query_until(qr/begins/, "\\echo begins\nSELECT lend_a_lock('ratchet.run_log');\n");
	wait_log($node, qr/process \d+ of role "mallory" waits for AccessExclusiveLock on ratchet\.run_log, and is in the way/, 'it is found');
	others_go_on('the job of another role runs');
	is($reader->query_safe('SELECT 1'), 1, 'who reads is left alone');
	eval { $_->quit } for $reader, $waiter;
};

promise 'nor do the functions of others wait for it' => sub {
	for my $holds ('ratchet.job', 'ratchet.job_version, ratchet.job')
	{
		my $holder = session($node, user => 'mallory');
		my $pid = $holder->query_safe('SELECT pg_backend_pid()');
		$holder->query_safe('BEGIN');
		$holder->query_safe("SELECT lend_a_lock('$holds')");
		psql_ok($node, q{SELECT ratchet.alter_job('victims', comment => 'x'); SELECT ratchet.schedule('another', '@manual', 'SELECT 1'); SELECT ratchet.unschedule('another')},
			"$holds: others define jobs", user => 'victim');
		is(is_there($pid), 0, 'who is idle with a lock on the definitions is terminated');
		eval { $holder->quit };
	}
	others_go_on('the job of another role runs');
};

promise 'a superuser who has a lock is named and left alone' => sub {
	for my $relation (qw(ratchet.run_queue ratchet.job_state))
	{
		my $holder = session($node);
		my $pid = $holder->query_safe('SELECT pg_backend_pid()');
		$holder->query_safe('BEGIN');
		$holder->query_safe("LOCK TABLE $relation IN ACCESS EXCLUSIVE MODE");
		wait_until($node, "SELECT count(*) = 1 FROM ratchet.status() WHERE component = 'scheduler' AND state = 'failing'
				AND detail LIKE '%process $pid of role % holds AccessExclusiveLock on $relation%'", "$relation: ratchet.status() says who");
		wait_log($node, qr/process $pid of role ".*" holds AccessExclusiveLock on \Q$relation\E, and is in the way/, 'so does the log');
		is(value($node, q{SELECT color || ': ' || substring(why FROM '^nothing starts: pid \d+, since .*: process ') FROM ratchet.job_health WHERE job_name = 'victims'}) =~ /^amber: nothing starts/, 1,
			'and ratchet.job_health that nothing starts') if $relation eq 'ratchet.run_queue';
		$holder->query_safe('SELECT pg_sleep(3)');
		is($holder->query_safe('SELECT 1'), 1, 'its transaction goes on');
		$holder->query_safe('COMMIT');
		others_go_on('the job of another role runs again');
		wait_until($node, q{SELECT state = 'active' FROM ratchet.status() WHERE component = 'scheduler'}, 'and all is well');
		$holder->quit;
	}
	value($node, q{BEGIN; LOCK TABLE ratchet.run_queue; PREPARE TRANSACTION 'held'});
	wait_until($node, q{SELECT detail LIKE '%a prepared transaction holds AccessExclusiveLock on ratchet.run_queue%' FROM ratchet.status() WHERE component = 'scheduler'},
		'a prepared transaction is nobody that could be ended');
	value($node, q{ROLLBACK PREPARED 'held'});
	others_go_on('the job of another role runs again');
};

promise 'a run whose record has to wait is seen to wait, and what it has done is taken back by a cancel or a time-out' => sub {
	value($node, q{CREATE TABLE effect (name text)});
	my %run;
	value($node, "SELECT ratchet.schedule('$_', '\@manual', 'INSERT INTO effect VALUES (''$_'')', timeout => '" . ($_ eq 'late' ? '4 s' : '10 min') . q{')})
	  for qw(late canceled patient);
	# What has no place in the log, such as an occurrence that is skipped, lets the scheduler claim nothing more.
	value($node, q{SELECT ratchet.pause_job('victims')});
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet._live_runs()}, 'nothing else runs');
	my $holder = session($node);
	my $pid = $holder->query_safe('SELECT pg_backend_pid()');
	$holder->query_safe('BEGIN');
	$holder->query_safe('LOCK TABLE ratchet.run_log IN ACCESS EXCLUSIVE MODE');
	$run{$_} = value($node, "SELECT ratchet.trigger('$_')") for qw(late canceled patient);
	wait_until($node, "SELECT count(*) = 2 FROM ratchet._live_runs() WHERE run_id IN ($run{canceled}, $run{patient}) AND waits_for = 'lock, which process $pid has or waits for'",
		'two of them wait in plain sight, and it is said for whom');
	value($node, "SELECT ratchet.cancel($run{canceled})");
	wait_until($node, "SELECT count(*) = 0 FROM ratchet._live_runs() WHERE run_id = $run{canceled} AND state = 'running'", 'one is canceled, and gives its worker back');
	wait_until($node, "SELECT count(*) = 0 FROM ratchet._live_runs() WHERE run_id = $run{late} AND state = 'running'", 'another one is late, and ends');
	$holder->query_safe('COMMIT');
	$holder->quit;
	wait_run($node, $run{canceled}, 'canceled', 'it is recorded as canceled');
	wait_run($node, $run{late}, 'timed_out', 'the other one as timed out');
	wait_run($node, $run{patient}, 'succeeded', 'and the third one goes on');
	is(value($node, 'SELECT string_agg(name, $$ $$) FROM effect'), 'patient', 'each with its effects or without');
	value($node, q{SELECT ratchet.resume_job('victims')});
	others_go_on('the job of another role runs');
};

promise 'what reads is not refused' => sub {
	psql_ok($node, $_, $_, user => 'mallory')
	  for 'BEGIN; LOCK TABLE ratchet.run_log, ratchet.jobs IN ACCESS SHARE MODE; COMMIT',
	  'COPY (SELECT * FROM ratchet.run_log) TO STDOUT',
	  'CREATE TABLE like_ours (LIKE ratchet.run_log)',
	  'CREATE VIEW of_ours AS SELECT * FROM ratchet.jobs',
	  'SET search_path = public, ratchet; ALTER TABLE mine ADD COLUMN job bigint; COMMENT ON TABLE mine IS $$x$$; CREATE INDEX ON mine (job)',
	  'CREATE TABLE public.job (id int PRIMARY KEY); SET search_path = public, ratchet; CREATE RULE r AS ON INSERT TO job DO ALSO NOTHING; CREATE TABLE other (id int REFERENCES job); DROP TABLE other, job';
};

promise 'VACUUM FULL of the owner of the database does its own tables and leaves ours alone' => sub {
	value($node, 'ALTER DATABASE postgres OWNER TO dbo');
	value($node, 'CREATE TABLE of_dbo AS SELECT generate_series(1, 10) n; CREATE MATERIALIZED VIEW m_of_dbo AS SELECT * FROM of_dbo', user => 'dbo');
	my $files = q{SELECT string_agg(relname || ' ' || relfilenode, ', ' ORDER BY relname) FROM pg_class c
		WHERE relnamespace = 'ratchet'::regnamespace OR oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = 'ratchet'::regnamespace)};
	my $own = q{SELECT relfilenode FROM pg_class WHERE relname IN ('of_dbo', 'm_of_dbo') ORDER BY relname};
	my $ours = value($node, $files);
	my $before = value($node, $own);
	my $reader = reader('dbo');
	for my $sql ('VACUUM FULL', 'VACUUM (FULL, ANALYZE)', 'VACUUM (FULL) of_dbo, ratchet.run_log, m_of_dbo', 'VACUUM FULL of_dbo, m_of_dbo')
	{
		my ($status, undef, $err) = $node->psql('postgres', "SET lock_timeout = '5 s'; SET client_min_messages = warning;\n$sql", extra_params => [ '-U', 'dbo' ]);
		is($status, 0, $sql);
		unlike($err, qr/lock timeout/, 'it does not wait');
		like($err, qr/WARNING:  skipping .*its owner|WARNING:  skipping .*their owner/, 'says what it leaves out') if $sql !~ /of_dbo, m_of_dbo/;
		isnt(value($node, $own), $before, 'and does the others');
		$before = value($node, $own);
	}
	for my $sql ('VACUUM FULL ratchet.run_log', 'BEGIN; ANALYZE ratchet.run_log, ratchet.job; COMMIT', 'BEGIN; ANALYZE; COMMIT', 'VACUUM ratchet.run_log', 'ANALYZE', 'VACUUM')
	{
		my ($status, $out, $err) = $node->psql('postgres', "SET lock_timeout = '5 s';\n$sql", extra_params => [ '-U', 'dbo' ]);
		is($status, 0, $sql);
		like($err, qr/WARNING:  skipping/, 'says that it leaves ours out') if $sql =~ /FULL|BEGIN/;
	}
	is(value($node, $files), $ours, 'nothing of ours was rewritten');
	$node->command_ok([ 'vacuumdb', '--full', '-U', 'dbo', 'postgres' ], 'vacuumdb --full, which names each table');
	is(value($node, $files), $ours, 'nor by that');
	others_go_on('the job of another role runs');
	$reader->quit;
	psql_ok($node, 'VACUUM FULL ratchet.run_log; VACUUM FULL', 'a superuser may');
	isnt(value($node, $files), $ours, 'and does');
};

promise 'REINDEX DATABASE of the owner of the database gives way to jobs' => sub {
	my $reader = session($node, user => 'dbo');
	$reader->query_safe('BEGIN');
	$reader->query_safe('SELECT count(*) FROM ratchet.run_log WHERE run_id = 1');
	my $session = session($node, user => 'dbo');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/begins/, "\\echo begins\nREINDEX DATABASE postgres;\n");
	wait_log($node, qr/process $pid of role "dbo" holds ShareLock on ratchet\.\w+, and is in the way/, 'it is in the way');
	others_go_on('and the job of another role runs');
	eval { $_->quit } for $reader, $session;
};

finish();
