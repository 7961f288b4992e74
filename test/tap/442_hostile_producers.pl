# What producers may put into a queue, and how: payloads and keys at their limits, subtransactions that abort, prepared
# transactions over a crash, times that never come; and handlers whose table goes, or has no partition for what comes.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 5\n");
value($node, q{
	CREATE TABLE got (task_id bigint, size int, hash text, payload_type text);
	SELECT ratchet.create_queue('values', $$INSERT INTO got VALUES ($2, length($1::text), md5($1::text), jsonb_typeof($1))$$, backoff => '100 ms', max_attempts => 100);
	SELECT ratchet.create_queue('kept')});

sub is_done
{
	my ($task, $what) = @_;
	wait_until($node, "SELECT count(*) = 1 FROM got WHERE task_id = $task", $what);
	return;
}

promise 'payloads of every size and shape reach the handler as they are, and what is too large is refused' => sub {
	my %payload = (
		'of almost a megabyte'        => q{to_jsonb(repeat('x', 1000000))},
		'that compresses badly'       => q{(SELECT jsonb_agg(md5(i::text || clock_timestamp())) FROM generate_series(1, 20000) i)},
		'nested two thousand deep'    => q{(repeat('[', 2000) || repeat(']', 2000))::jsonb},
		'with keys that are hostile'  => q{jsonb_build_object('', 1, '$1', 2, E'\n\t"''\\\\', 3, repeat('k', 100000), 4)},
		'with characters of any kind' => q{jsonb_build_object('name', U&'\0416\+01F600\200F\FFFD')},
		'that is a number'            => q{'1e1000'::jsonb},
		'that is null in JSON'        => q{'null'::jsonb},
		'that is null'                => 'NULL');
	my %task;
	for my $what (sort keys %payload)
	{
		$task{$what} = value($node, "SELECT ratchet.enqueue('values', $payload{$what})");
	}
	for my $what (sort keys %payload)
	{
		is_done($task{$what}, "one $what");
		next if $what eq 'that compresses badly';
		is(value($node, "SELECT (hash IS NOT DISTINCT FROM md5(($payload{$what})::text)) FROM got WHERE task_id = $task{$what}"), 't', "$what: as it was");
	}
	psql_fails($node, q{SELECT ratchet.enqueue('values', to_jsonb(repeat('x', 1100000)))}, qr/ERROR:  54000/, 'too large');
	psql_fails($node, q{SELECT ratchet.enqueue_many('values', ARRAY['1', to_jsonb(repeat('x', 1100000))])}, qr/ERROR:  54000/, 'among others: none of them');
};

promise 'keys at their limit are keys' => sub {
	# é has two bytes.
	my @keys = (q{repeat('é', 500)}, q{repeat('x', 1000)}, q{E' \t\n'}, q{''''}, q{U&'\FEFF'});
	for my $key (@keys)
	{
		my $task = value($node, "SELECT ratchet.enqueue('kept', '1', unique_key => $key, ordering_key => $key, group_key => $key)");
		is(value($node, "SELECT ratchet.enqueue('kept', '2', unique_key => $key, ordering_key => $key, group_key => $key)"), $task, "the same task: $key");
		is(value($node, "SELECT unique_key = $key AND ordering_key = $key AND group_key = $key FROM ratchet.tasks WHERE task_id = $task"), 't', 'the same keys');
	}
	psql_fails($node, "SELECT ratchet.enqueue('kept', $_ => repeat('é', 501))", qr/ERROR:  54000/, "too long: $_") for qw(unique_key ordering_key group_key);
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'kept'});
};

promise 'of a transaction with more subtransactions than the server remembers, those tasks are there whose subtransactions were not aborted' => sub {
	value($node, q{TRUNCATE got;
		CREATE TABLE told (task_id bigint, kept boolean);
		DO $$
		DECLARE task bigint;
		BEGIN
			FOR i IN 1 .. 400 LOOP
				BEGIN
					task := ratchet.enqueue('values', to_jsonb(i), unique_key => 'number ' || i % 150);
					IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
					INSERT INTO told VALUES (task, true);
				EXCEPTION WHEN division_by_zero THEN
					INSERT INTO told VALUES (task, false);
				END;
			END LOOP;
		END $$});
	wait_until($node, 'SELECT count(*) = (SELECT count(DISTINCT task_id) FROM told WHERE kept) FROM got', 'those are done');
	is(value($node, 'SELECT count(*) FROM got WHERE task_id NOT IN (SELECT task_id FROM told WHERE kept)'), 0, 'and no others');
	is(value($node, 'SELECT count(*) = count(DISTINCT task_id) FROM got'), 't', 'each once');
};

promise 'tasks of a prepared transaction outlive a crash with it, and are there when it commits' => sub {
	value($node, q{TRUNCATE got});
	my ($kept, $gone);
	($kept) = split /\n/, value($node, q{BEGIN; SELECT ratchet.enqueue('values', '1', unique_key => 'kept'); PREPARE TRANSACTION 'kept'});
	($gone) = split /\n/, value($node, q{BEGIN; SELECT ratchet.enqueue('values', '2', unique_key => 'gone'); PREPARE TRANSACTION 'gone'});
	$node->stop('immediate');
	$node->start;
	my $after = value($node, q{SELECT ratchet.enqueue('values', '3')});
	is_done($after, 'one of after the crash');
	is(value($node, 'SELECT count(*) FROM got'), 1, 'those that are prepared wait');
	value($node, q{COMMIT PREPARED 'kept'});
	value($node, q{ROLLBACK PREPARED 'gone'});
	is_done($kept, 'the one that commits is done');
	isnt(my $again = value($node, q{SELECT ratchet.enqueue('values', '4', unique_key => 'gone')}), $gone, 'the key of the other one is free');
	is_done($again, 'and done');
	is(value($node, "SELECT count(*) FROM got WHERE task_id = $gone"), 0, 'what was rolled back is not');
};

promise 'what fails at the very end of a transaction takes its tasks with it' => sub {
	value($node, q{TRUNCATE got; CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)});
	psql_fails($node, q{BEGIN; INSERT INTO child VALUES (1); SELECT ratchet.enqueue('values', '1'); COMMIT}, qr/23503/, 'a deferred constraint');
	my $task = value($node, q{SELECT ratchet.enqueue('values', '2')});
	is_done($task, 'a later one is done');
	is(value($node, 'SELECT count(*) FROM got'), 1, 'and that alone');
};

promise 'times and priorities at the ends of their ranges do no harm to others' => sub {
	my @never;
	for my $when (q{run_at => 'infinity'}, q{run_at => '294276-12-31'}, q{delay => '100000 years'})
	{
		my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT ratchet.enqueue('values', '1', $when)", on_error_stop => 1);
		ok($status == 0 || $err =~ /ERROR:  22/, "$when: waits, or is refused") or diag($err);
		push @never, $out if $status == 0;
	}
	my @soon = map { value($node, "SELECT ratchet.enqueue('values', '1', $_)") } q{priority => 2147483647}, q{priority => -2147483648}, q{run_at => '4713-01-01 BC'};
	is_done($_, "task $_ is done") for @soon;
	psql_fails($node, "SELECT ratchet.enqueue('values', '1', $_)", qr/ERROR:  22/, "$_: is no time") for q{run_at => '-infinity'}, q{expires_at => 'infinity'}, q{expires_at => now() - interval '1 day'};
	value($node, q{SELECT ratchet.pause_queue('values')});
	my $late = value($node, q{SELECT ratchet.enqueue('values', '1', expires_at => clock_timestamp() + interval '200 ms')});
	value($node, q{SELECT pg_sleep_until(expires_at) FROM ratchet.tasks WHERE expires_at IS NOT NULL; SELECT ratchet.resume_queue('values')});
	wait_until($node, "SELECT state = 'expired' FROM ratchet.tasks WHERE task_id = $late", 'one whose time is over is not done any more');
	$node->restart;
	is_done(value($node, q{SELECT ratchet.enqueue('values', '1')}), 'after a restart, others are done');
	value($node, "SELECT ratchet.cancel_task($_)") for @never;
};

promise 'a handler whose table is dropped while it is at work fails, and goes on when the table is back' => sub {
	my $create = q{CREATE TABLE ledger (task_id bigint NOT NULL, customer int NOT NULL, made_at timestamptz NOT NULL DEFAULT clock_timestamp()) PARTITION BY RANGE (customer);
		CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES FROM (0) TO (100)};
	value($node, qq{$create;
		CREATE FUNCTION enter(payload jsonb, task bigint) RETURNS void LANGUAGE plpgsql AS
			\$\$BEGIN PERFORM pg_sleep(0.003); INSERT INTO ledger VALUES (task, (payload->>'customer')::int); END\$\$;
		SELECT ratchet.create_queue('ledger', 'SELECT enter(\$1, \$2)', backoff => '200 ms', backoff_factor => 1, max_attempts => 1000, batch_size => 20);
		CREATE TABLE archive (LIKE ledger)});
	my $count = 300;
	value($node, "SELECT ratchet.enqueue_many('ledger', array_agg(jsonb_build_object('customer', i % 150))) FROM generate_series(1, $count) i");
	wait_until($node, 'SELECT count(*) > 20 FROM ledger', 'some are done');
	value($node, 'BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE; INSERT INTO archive SELECT * FROM ledger; DROP TABLE ledger; COMMIT');
	# A few fail by themselves; where all of a batch do, it is not they who are to blame, and their run fails.
	wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.tasks WHERE queue_name = 'ledger' AND sqlstate = '42P01')
		OR EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'queue ledger' AND sqlstate = '42P01')}, 'it is said that there is no table');
	value($node, $create);
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.tasks WHERE queue_name = 'ledger' AND (payload->>'customer')::int < 100}, 'when it is back, they are done');
	is(value($node, q{SELECT count(*) > 0 FROM ratchet.tasks WHERE queue_name = 'ledger' AND state <> 'dead'}), 't', 'those without a partition wait');
	value($node, 'CREATE TABLE ledger_2 PARTITION OF ledger FOR VALUES FROM (100) TO (200)');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.tasks WHERE queue_name = 'ledger'}, 'until there is one');
	is(value($node, 'SELECT count(*), count(DISTINCT task_id) FROM (SELECT task_id FROM ledger UNION ALL SELECT task_id FROM archive) l'), "$count|$count", 'each is done once');
};

finish();
