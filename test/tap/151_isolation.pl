# A bad item fails alone: its neighbours are done, it is recorded with what was wrong. What is not an item's
# fault is not blamed on it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.lock_timeout = '100 ms'\n");
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION fresh(rows int, bad text DEFAULT 'false') RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
BEGIN
	DROP TABLE IF EXISTS item CASCADE;
	CREATE TABLE item (id int PRIMARY KEY, label text, bad bool NOT NULL, n int NOT NULL DEFAULT 0, note text DEFAULT '', top xid8);
	EXECUTE format('INSERT INTO item SELECT id, ''item '' || id, %s FROM generate_series(1, %s) id', bad, rows);
	ANALYZE item;
END $$;
SQL

my $jobs = 0;

# Defines a batch job over the table and triggers it. Returns name and run.
sub begin_walk
{
	my ($action, $options, %option) = @_;
	my $job = 'job ' . ++$jobs;
	$options = defined $options && $options ne '' ? ", $options" : '';
	my $source = $option{source} // 'SELECT id, label FROM item';
	my $run = psql_ok($node, <<"SQL", undef, %option);
SELECT ratchet.schedule_batch('$job', '\@manual', \$source\$$source\$source\$, \$action\$$action\$action\$$options) \\g /dev/null
SELECT ratchet.trigger('$job')
SQL
	die "no run of $job\n" unless defined $run && $run =~ /^\d+$/;
	return ($job, $run);
}

sub end_walk
{
	my ($run) = @_;
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run");
	return run_record($node, $run);
}

sub again
{
	my ($job) = @_;
	return end_walk(value($node, "SELECT ratchet.trigger('$job')"));
}

# Every good row once, every bad one never; every bad one is listed once, with all that there is to say.
sub failed_alone
{
	my ($run, $sqlstate, $message, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( value(
			$node,
			"SELECT count(*) FROM item FULL JOIN (SELECT * FROM ratchet.failed_items WHERE run_id = $run->{run_id}) f ON (f.key ->> 'id')::int = id
			  WHERE id IS NULL OR n <> CASE WHEN bad THEN 0 ELSE 1 END OR bad IS DISTINCT FROM (f.key IS NOT NULL)
			     OR (bad AND (f.key, f.item, f.sqlstate, f.attempts) IS DISTINCT FROM
			                 (jsonb_build_object('id', id), jsonb_build_object('id', id, 'label', label), '$sqlstate', 1)
			          OR f.error !~ '$message' OR f.resolved_at IS NOT NULL)"),
		0,
		"$what: who is done, who is not");
	my ($good, $bad) = split /\|/, value($node, 'SELECT count(*) FILTER (WHERE NOT bad), count(*) FILTER (WHERE bad) FROM item');
	is_run($run, { status => 'succeeded', items_done => $good, items_failed => $bad, sqlstate => undef }, "$what: the record");
	return;
}

# No item has been blamed, and each row is done as the rule says.
sub nobody_blamed
{
	my ($run, $done, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, "SELECT count(*) FROM item WHERE n <> CASE WHEN $done THEN 1 ELSE 0 END"), 0, "$what: what is done");
	is(value($node, "SELECT count(*) FROM ratchet.failed_items WHERE run_id = $run->{run_id}"), 0, "$what: no item is blamed");
	return;
}

my %rate = (0 => 'false', 0.1 => 'id % 1000 = 500', 1 => 'id % 100 = 51', 5 => 'id % 20 = 7', 50 => 'id % 2 = 0', 100 => 'true');
my %where = (item => 'id = $1', batch => 'id = ANY ($1)');

for my $per (qw(item batch))
{
	for my $rate (sort { $a <=> $b } keys %rate)
	{
		promise "$rate % of the items fail, per $per" => sub {
			value($node, "SELECT fresh(2000, '$rate{$rate}')");
			# All of them: in test/tap/163_brake.pl that ends the run.
			my ($job, $run_id) = begin_walk("UPDATE item SET n = n + 1 / (NOT bad)::int, top = pg_current_xact_id() WHERE $where{$per}",
				"per => '$per', settings => '{\"ratchet.max_same_failures\": 0}'");
			failed_alone(end_walk($run_id), '22012', '^division by zero$', "$rate %");
			# xmin is the subtransaction that wrote the row, top the transaction that it was in.
			cmp_ok(value($node, 'SELECT coalesce(max(s), 0) FROM (SELECT count(DISTINCT xmin::text) AS s FROM item WHERE n > 0 GROUP BY top) t'),
				'<=', 64, 'a transaction has few subtransactions that write');
		};
	}
}

# Each makes the update of a bad row fail. note gets null, slot and ref get what others have, or nobody.
$node->safe_psql('postgres', <<'SQL');
CREATE DOMAIN filled AS text CONSTRAINT filled_in CHECK (VALUE IS NOT NULL);
CREATE TABLE target (id int PRIMARY KEY);
INSERT INTO target VALUES (1);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.bad THEN
		RAISE EXCEPTION 'no % today', NEW.label USING ERRCODE = TG_ARGV[0], DETAIL = 'Come back tomorrow.';
	END IF;
	RETURN NEW;
END $$;
SQL
my %fault = (
	'a check' => [ 'ALTER TABLE item ADD CONSTRAINT not_bad CHECK (n = 0 OR NOT bad)', '23514', 'violates check constraint "not_bad"' ],
	'not null' => [ 'ALTER TABLE item ALTER note SET NOT NULL', '23502', 'null value in column "note"' ],
	'a division by zero' => [
		'ALTER TABLE item ADD quotient int GENERATED ALWAYS AS (1 / (CASE WHEN bad AND n > 0 THEN 0 ELSE 1 END)) STORED',
		'22012', '^division by zero$'
	],
	'a domain' => [ 'ALTER TABLE item ALTER note TYPE filled', '23514', 'value for domain filled violates check constraint "filled_in"' ],
	'a unique constraint' => [ 'ALTER TABLE item ADD UNIQUE (slot)', '23505', 'duplicate key value violates unique constraint' ],
	'a BEFORE trigger' => [ "CREATE TRIGGER refuse BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION refuse('P0001')", 'P0001', '^no item \d+ today$' ],
	'an AFTER trigger' => [ "CREATE TRIGGER refuse AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION refuse('MY001')", 'MY001', '^no item \d+ today$' ],
	'a deferred unique constraint' =>
	  [ 'ALTER TABLE item ADD UNIQUE (slot) DEFERRABLE INITIALLY DEFERRED', '23505', 'duplicate key value violates unique constraint' ],
	'a deferred foreign key' => [
		'ALTER TABLE item ADD FOREIGN KEY (ref) REFERENCES target DEFERRABLE INITIALLY DEFERRED',
		'23503', 'violates foreign key constraint'
	],
	'a deferred constraint trigger' => [
		"CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('MY002')",
		'MY002', '^no item \d+ today$'
	]);

for my $per (qw(item batch))
{
	for my $name (sort keys %fault)
	{
		my ($ddl, $sqlstate, $message) = @{ $fault{$name} };
		promise "the error comes from $name, per $per" => sub {
			# Two next to each other, the first and the last one among the bad ones.
			value($node, <<"SQL");
SELECT fresh(60, 'id IN (1, 17, 18, 40, 60)');
ALTER TABLE item ADD slot int, ADD ref int;
UPDATE item SET slot = -id;
INSERT INTO item (id, label, bad, n, slot) VALUES (0, 'nobody''s', false, 1, 0);
$ddl
SQL
			my ($job, $run_id) = begin_walk(<<"SQL", "per => '$per', batch_size => 25", source => 'SELECT id, label FROM item WHERE id > 0');
UPDATE item SET n = n + 1, note = CASE WHEN bad THEN NULL ELSE 'done' END,
       slot = CASE WHEN bad THEN 0 ELSE id END, ref = CASE WHEN bad THEN 2 ELSE 1 END
 WHERE $where{$per}
SQL
			value($node, 'DELETE FROM item WHERE id = 0') if end_walk($run_id);
			failed_alone(run_record($node, $run_id), $sqlstate, $message, $name);
			is(value($node, "SELECT DISTINCT error_detail FROM ratchet.failed_items WHERE run_id = $run_id"), 'Come back tomorrow.', 'with its detail')
			  if $name =~ /trigger/;
		};
	}
}

promise 'what an item did before it failed is undone' => sub {
	for my $per (qw(item batch))
	{
		value($node, q{SELECT fresh(200, 'id IN (3, 4, 150)'); DROP TABLE IF EXISTS done; CREATE TABLE done (id int)});
		my $ids = $per eq 'item' ? '$1' : 'unnest($1)';
		my ($job, $run_id) = begin_walk(<<"SQL", "per => '$per', batch_size => 70");
INSERT INTO done SELECT $ids;
UPDATE item SET n = n + 1 / (NOT bad)::int WHERE $where{$per};
INSERT INTO done SELECT -id FROM item WHERE $where{$per};
SQL
		failed_alone(end_walk($run_id), '22012', '^division by zero$', "per $per");
		is(value($node, 'SELECT count(*) FROM done FULL JOIN (SELECT id FROM item WHERE NOT bad UNION ALL SELECT -id FROM item WHERE NOT bad) i USING (id) WHERE done IS NULL OR i IS NULL'),
			0, 'the good ones did all of it, once');
		is(value($node, 'SELECT count(*) FROM done'), 2 * 197, 'and nothing is left of the others');
	}
};

promise 'many items change the same row' => sub {
	value($node, q{SELECT fresh(300, 'id % 10 = 0'); DROP TABLE IF EXISTS total; CREATE TABLE total (id int PRIMARY KEY, n int); INSERT INTO total VALUES (1, 0)});
	my ($job, $run_id) = begin_walk('UPDATE total SET n = n + 1 / (SELECT (NOT bad)::int FROM item WHERE item.id = $1)');
	is_run(end_walk($run_id), { status => 'succeeded', items_done => 270, items_failed => 30 }, 'a subquery');
	is(value($node, 'SELECT n FROM total'), 270, 'all of them count');
	($job, $run_id) = begin_walk('UPDATE total SET n = n + ($1 % 10) / ($1 % 10)', 'batch_size => 45');
	is_run(end_walk($run_id), { status => 'succeeded', items_done => 270, items_failed => 30 }, 'a plain update');
	is(value($node, 'SELECT n FROM total'), 540, 'all of them count');
	($job, $run_id) = begin_walk('INSERT INTO total VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET n = total.n + ($1 % 10) / ($1 % 10)');
	is_run(end_walk($run_id), { status => 'succeeded', items_done => 270, items_failed => 30 }, 'an upsert');
	is(value($node, 'SELECT n FROM total'), 810, 'all of them count');
};

promise 'a poison item is not tried for ever' => sub {
	value($node, q{SELECT fresh(600); DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;
CREATE OR REPLACE FUNCTION work(i int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE item SET n = n + 1 WHERE id = i;
	IF i = 400 THEN
		RAISE EXCEPTION 'try number %', nextval('tries');
	END IF;
END $$});
	for my $per (qw(item batch))
	{
		value($node, q{UPDATE item SET n = 0; UPDATE item SET bad = true WHERE id = 400; SELECT setval('tries', 1, false)});
		my ($job, $run_id) = begin_walk($per eq 'item' ? 'SELECT work($1)' : 'SELECT work(id) FROM unnest($1) id', "per => '$per'");
		failed_alone(end_walk($run_id), 'P0001', '^try number \d+$', "per $per");
		cmp_ok(value($node, 'SELECT last_value FROM tries'), '<=', 10, 'after a few tries it is left alone');
	}
};

promise 'the number of failed items is limited' => sub {
	# 20 is the first one, every twentieth follows.
	for my $per (qw(item batch))
	{
		for my $limit (0, 3, 4)
		{
			value($node, q{SELECT fresh(300, 'id % 20 = 0')});
			my ($job, $run_id) = begin_walk("UPDATE item SET n = n + 1 / (NOT bad)::int WHERE $where{$per}",
				"per => '$per', max_failed_items => $limit, batch_size => 50");
			my $run = end_walk($run_id);
			my $last = ($limit + 1) * 20;
			is_run(
				$run,
				{ status => 'failed', sqlstate => '54000', error => "more than $limit items have failed", items_failed => $limit + 1 },
				"per $per: more than $limit of them stop the run");
			my $done = value($node, 'SELECT count(*) FROM item WHERE n = 1');
			is($run->{items_done}, $done, 'the record knows what was done');
			is(value($node, 'SELECT max(id) FROM item WHERE n = 1'), $last - 1, 'all that was before the last one of them');
			is(value($node, "SELECT string_agg(key ->> 'id', ' ' ORDER BY item_id) FROM ratchet.failed_items WHERE run_id = $run_id"),
				join(' ', map { 20 * $_ } 1 .. $limit + 1), 'they are listed');
			is_deeply($run->{checkpoint_to}, { id => $last }, 'the next run goes on behind it');
			value($node, 'UPDATE item SET bad = false');
			is_run(again($job), { status => 'succeeded', checkpoint_from => { id => $last }, items_done => 300 - $last, items_failed => 0 }, 'as it does');
			is(value($node, 'SELECT count(*) FROM item WHERE n <> 1'), $limit + 1, 'and does what is left');
		}
	}
};

promise 'a lock is in the way while the items before a bad one are done again' => sub {
	# The first item behind the first bad one that is done a second time, once. Bad ones are so rare that a slice has
	# several items also where one costs much more than a savepoint.
	value($node, q{SELECT fresh(1700, 'id IN (30, 400, 800, 1200, 1600)'); CREATE SEQUENCE locked;
SELECT format('CREATE SEQUENCE tries_%s', i) FROM generate_series(1, 1700) i WHERE i > 30 AND i % 400 > 390 \gexec
CREATE OR REPLACE FUNCTION work(i int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF i > 30 AND i % 400 > 390 THEN
		IF nextval('tries_' || i) = 2 AND nextval('locked') = 1 THEN
			RAISE lock_not_available;
		END IF;
	END IF;
	UPDATE item SET n = n + 1 / (NOT bad)::int WHERE id = i;
END $$});
	my ($job, $run_id) = begin_walk('SELECT work($1)', 'batch_size => 2000');
	my $run = end_walk($run_id);
	failed_alone($run, '22012', '^division by zero$', 'a bad one is counted once');
	is(value($node, 'SELECT is_called FROM locked'), 't', 'there was a lock in the way');
	cmp_ok($run->{batches}, '>', 1, 'and what was done before it was committed');
};

# ---- What is not an item's fault -----------------------------------------------------------------

sub lock_timeout
{
	my ($value) = @_;
	value($node, "ALTER SYSTEM SET ratchet.lock_timeout = '$value'");
	value($node, 'SELECT pg_reload_conf()');
	return;
}

# A session that has changed a row and not committed it.
sub hold_row
{
	my ($id) = @_;
	my $session = session($node);
	$session->query_safe("BEGIN; UPDATE item SET note = 'held' WHERE id = $id");
	return $session;
}

# The run waits for the lock of another transaction.
sub wait_blocked
{
	my ($run_id) = @_;
	wait_until($node,
		"SELECT EXISTS (SELECT FROM ratchet.running r JOIN pg_stat_activity a USING (pid) WHERE r.run_id = $run_id AND a.wait_event_type = 'Lock')");
	return;
}

promise 'a row is locked for a while' => sub {
	for my $per (qw(item batch))
	{
		value($node, 'SELECT fresh(300)');
		my $session = hold_row(150);
		my ($job, $run_id) = begin_walk("UPDATE item SET n = n + 1 WHERE $where{$per}", "per => '$per', batch_size => 100");
		wait_until($node, "SELECT EXISTS (SELECT FROM ratchet.running WHERE run_id = $run_id AND waits_for = 'lock')", "per $per: the batch gives way");
		# What it held is free while it waits.
		$session->query_safe(q{UPDATE item SET note = 'held too' WHERE id = 101});
		$session->query_safe('COMMIT');
		$session->quit;
		my $run = end_walk($run_id);
		is_run($run, { status => 'succeeded', items_done => 300, items_failed => 0 }, 'then all is done');
		nobody_blamed($run, 'true', 'a lock time-out');
		is(value($node, q{SELECT string_agg(note, ', ' ORDER BY id) FROM item WHERE note <> ''}), 'held too, held', 'beside what others did');
	}
};

# More executions than items: some were done again.
$node->safe_psql('postgres', 'CREATE SEQUENCE executions');
my $counted = q{UPDATE item SET n = n + 1 + 0 * nextval('executions') WHERE id = $1};

sub was_done_again
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok(value($node, 'SELECT last_value FROM executions'), '>', value($node, 'SELECT count(*) FROM item'), $what);
	value($node, q{SELECT setval('executions', 1, false)});
	return;
}

promise 'a deadlock with an application that waits first' => sub {
	value($node, <<'SQL');
SELECT fresh(300);
CREATE FUNCTION wait_for_gate() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		EXIT WHEN pg_try_advisory_xact_lock_shared(1);
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
SQL
	lock_timeout('20 s');
	my $gate = lock_session($node, 1);
	my $session = hold_row(150);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my ($job, $run_id) = begin_walk("$counted; SELECT wait_for_gate() WHERE \$1 = 120", 'batch_size => 100');
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type LIKE 'pg_ratchet worker%')});
	$session->query_until(qr/begun/, "\\echo begun\nUPDATE item SET note = 'crossed' WHERE id = 110;\n");
	wait_until($node, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
	$gate->quit;
	like($session->query(q{SELECT note FROM item WHERE id = 110}), qr/^crossed$/, 'the application gets its row');
	$session->query_safe('COMMIT');
	$session->quit;
	my $run = end_walk($run_id);
	is_run($run, { status => 'succeeded', items_done => 300, items_failed => 0 }, 'then all is done');
	nobody_blamed($run, 'true', 'a deadlock');
	was_done_again('the batch has given way');
};

promise 'a deadlock with an application that waits later' => sub {
	lock_timeout('500 ms');
	value($node, 'SELECT fresh(300)');
	my $session = hold_row(150);
	my ($job, $run_id) = begin_walk($counted, 'batch_size => 100');
	wait_blocked($run_id);
	like($session->query(q{UPDATE item SET note = 'crossed' WHERE id = 110 RETURNING note}), qr/^crossed$/, 'the application gets its row');
	$session->query_safe('COMMIT');
	$session->quit;
	my $run = end_walk($run_id);
	is_run($run, { status => 'succeeded', items_done => 300, items_failed => 0 }, 'then all is done');
	nobody_blamed($run, 'true', 'a deadlock');
	was_done_again('the batch has given way');
};

for my $level ('repeatable read', 'serializable')
{
	promise "a conflict under $level" => sub {
		lock_timeout('20 s');
		value($node, 'SELECT fresh(300)');
		my $session = hold_row(150);
		my ($job, $run_id) = begin_walk($counted, qq{batch_size => 100, settings => '{"default_transaction_isolation": "$level"}'});
		wait_blocked($run_id);
		$session->query_safe('COMMIT');
		$session->quit;
		my $run = end_walk($run_id);
		is_run($run, { status => 'succeeded', items_done => 300, items_failed => 0 }, 'it is done again');
		nobody_blamed($run, 'true', 'a serialization failure');
		was_done_again('there was a conflict');
	};
}

promise 'a conflict that shows at the commit' => sub {
	# The run and the session each read what the other one writes.
	lock_timeout('20 s');
	value($node, 'SELECT fresh(100); DROP TABLE IF EXISTS total; CREATE TABLE total (n int); INSERT INTO total VALUES (0)');
	my $gate = lock_session($node, 1);
	my ($job, $run_id) = begin_walk(<<'SQL', q{settings => '{"default_transaction_isolation": "serializable"}'});
UPDATE item SET n = n + 1 + (SELECT 0 * sum(n) FROM total) + 0 * nextval('executions') WHERE id = $1;
SELECT pg_advisory_xact_lock_shared(1) WHERE $1 = 100
SQL
	wait_blocked($run_id);
	my $session = session($node);
	$session->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE total SET n = (SELECT sum(n) FROM item)');
	$session->query_safe('COMMIT');
	$session->quit;
	$gate->quit;
	my $run = end_walk($run_id);
	is_run($run, { status => 'succeeded', items_done => 100, items_failed => 0 }, 'it is done again');
	nobody_blamed($run, 'true', 'a serialization failure');
	was_done_again('there was a conflict');
};

promise 'a run that is canceled' => sub {
	lock_timeout('20 s');
	value($node, 'SELECT fresh(300)');
	my $session = hold_row(250);
	my ($job, $run_id) = begin_walk('UPDATE item SET n = n + 1 WHERE id = $1', 'batch_size => 100');
	wait_blocked($run_id);
	value($node, "SELECT ratchet.cancel($run_id)");
	my $run = end_walk($run_id);
	is_run($run, { status => 'canceled', items_done => 200, items_failed => 0, checkpoint_to => { id => 200 } }, 'what had committed stays');
	nobody_blamed($run, 'id <= 200', 'a cancel');
	$session->quit;
	is_run(again($job), { status => 'succeeded', items_done => 100, checkpoint_from => { id => 200 } }, 'the next run does the rest');
};

promise 'a column is dropped while the walk is under way' => sub {
	lock_timeout('500 ms');
	value($node, 'SELECT fresh(300); ALTER TABLE item ADD extra int');
	my $session = hold_row(250);
	my ($job, $run_id) = begin_walk('UPDATE item SET n = n + 1, extra = 1 WHERE id = $1', 'batch_size => 100');
	wait_blocked($run_id);
	$session->query_safe('ALTER TABLE item DROP COLUMN extra');
	$session->query_safe('COMMIT');
	$session->quit;
	my $run = end_walk($run_id);
	is($run->{status}, 'failed', 'the run fails');
	is($run->{sqlstate}, '42703', 'it says why');
	like($run->{error}, qr/column "extra" of relation "item" does not exist/, 'and which column');
	my $done = $run->{items_done};
	nobody_blamed($run, "id <= $done", 'an undefined column');
	cmp_ok($done, '>=', 200, 'what had committed stays');
	value($node, 'ALTER TABLE item ADD extra int');
	is_run(again($job), { status => 'succeeded', items_done => 300 - $done }, 'the next run does the rest');
	is(value($node, 'SELECT count(*) FROM item WHERE n <> 1'), 0, 'each row once');
};

$node->safe_psql('postgres', q{CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA ratchet TO plain; GRANT ALL ON SCHEMA public TO plain});
my %trouble = (
	'an undefined column' => [ q{EXECUTE 'SELECT missing FROM item'}, '42703' ],
	'a missing privilege' => [ 'PERFORM FROM pg_authid', '42501' ],
	'a statement time-out' => [ 'PERFORM pg_sleep(60)', '57014', q{settings => '{"statement_timeout": "3 s"}'} ],
	'out of memory' => [ 'RAISE out_of_memory', '53200' ],
	'an internal error' => [ 'RAISE internal_error', 'XX000' ],
	'a feature that is missing' => [ 'RAISE feature_not_supported', '0A000' ],
	'an isolation level that cannot be set any more' => [ 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', '25001' ]);
for my $name (sort keys %trouble)
{
	my ($statement, $sqlstate, $options) = @{ $trouble{$name} };
	for my $per (qw(item batch))
	{
		promise "$name, per $per" => sub {
			value($node, <<"SQL");
SELECT fresh(300, 'id = 20');
ALTER TABLE item OWNER TO plain;
CREATE OR REPLACE FUNCTION work(i int) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	UPDATE item SET n = n + 1 / (NOT bad)::int WHERE id = i;
	IF i = 250 THEN
		$statement;
	END IF;
END \$\$;
SQL
			my ($job, $run_id) = begin_walk(
				$per eq 'item' ? 'SELECT work($1)' : 'SELECT work(id) FROM unnest($1) id',
				join(', ', "per => '$per', batch_size => 100", $options // ()),
				user => 'plain');
			my $run = end_walk($run_id);
			my $at = $run->{checkpoint_to}{id};
			is_run($run, { status => 'failed', sqlstate => $sqlstate, items_done => $at - 1, items_failed => 1 }, 'the run ends');
			ok($at >= 100 && $at < 250, 'at the batch that met it');
			is(value($node, "SELECT count(*) FROM item WHERE n <> CASE WHEN id <= $at AND NOT bad THEN 1 ELSE 0 END"), 0, 'what had committed stays, and no more');
			is(value($node, "SELECT string_agg(key ->> 'id', ' ') FROM ratchet.failed_items WHERE run_id = $run_id"), '20', 'the item that did fail is listed');
		};
	}
}

promise 'walk after walk' => sub {
	value($node, q{SELECT fresh(50, 'id IN (5, 25)')});
	my ($job, $first_id) = begin_walk('UPDATE item SET n = n + 1 / (NOT bad)::int WHERE id = $1', 'batch_size => 20');
	my $first = end_walk($first_id);
	my $items = sub {
		my ($run) = @_;
		return value($node,
			"SELECT string_agg(concat_ws(' ', key ->> 'id', attempts, coalesce(resolved_by::text, 'open')), ', ' ORDER BY item_id)
			   FROM ratchet.failed_items WHERE run_id = $run->{run_id} AND (resolved_at IS NULL) = (resolved_by IS NULL)");
	};
	is($items->($first), '5 1 open, 25 1 open', 'two fail');
	my $second = again($job);
	my $by = $second->{run_id};
	is($items->($second), '5 2 open, 25 2 open', 'they fail again, and it is counted');
	is($items->($first), "5 1 $by, 25 1 $by", 'the earlier failures are settled by that');
	value($node, 'UPDATE item SET bad = false WHERE id = 5; DELETE FROM item WHERE id = 25');
	my $third = again($job);
	$by = $third->{run_id};
	is_run($third, { status => 'succeeded', items_done => 49, items_failed => 0 }, 'one is mended, the other one is gone');
	is($items->($second), "5 2 $by, 25 2 $by", 'that settles both');
	value($node, 'UPDATE item SET bad = true WHERE id = 5');
	is($items->(again($job)), '5 1 open', 'a failure after a success is the first one again');
};

finish();
