# How tasks get from who enqueues them into the hands of a handler: with the commit, when their time comes, in the order
# of their keys, within the limits of their queue, and once, whatever dies.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 4\nmax_worker_processes = 16\nmax_prepared_transactions = 2\n");
$node->safe_psql('postgres', <<'SQL');
-- What was done, in its order.
CREATE TABLE done (n bigserial, mail int, task_id bigint, customer text, began timestamptz, ended timestamptz, pid int);
-- How often a mail is to fail before it goes well.
CREATE TABLE trouble (mail int PRIMARY KEY, failures int);
CREATE FUNCTION send(mail jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
	IF ratchet.task_attempt() <= (SELECT t.failures FROM trouble t WHERE t.mail = (send.mail->>'mail')::int) THEN
		RAISE EXCEPTION 'no connection to %', mail->>'to';
	END IF;
	PERFORM pg_sleep((mail->>'seconds')::float8);
	INSERT INTO done (mail, task_id, customer, began, ended, pid)
		VALUES ((mail->>'mail')::int, ratchet.task_id(), mail->>'to', began, clock_timestamp(), pg_backend_pid());
END $$;
SELECT ratchet.create_queue('mails', 'SELECT send($1)', backoff => '10 ms', max_attempts => 3);
SQL

my $n = 0;

# A number for a mail, and its payload.
sub mail
{
	my (%with) = @_;
	$n++;
	my $to = $with{to} // 'anna@example.org';
	my $seconds = $with{seconds} // 0;
	return ($n, qq({"mail": $n, "to": "$to", "seconds": $seconds}));
}

sub is_done
{
	my ($mail, $what) = @_;
	wait_until($node, "SELECT count(*) = 1 FROM done WHERE mail = $mail", $what);
	return;
}

# So many mails in one statement; returns their first number.
sub enqueue_many
{
	my ($count, %with) = @_;
	my $first = $n + 1;
	$n += $count;
	my $queue = $with{queue} // 'mails';
	my $to = $with{to} // q('anna@example.org');
	my $seconds = $with{seconds} // 0;
	my $more = $with{more} // '';
	value($node, qq{SELECT ratchet.enqueue_many('$queue', array_agg(jsonb_build_object('mail', i, 'to', $to, 'seconds', $seconds) ORDER BY i)$more)
		FROM generate_series($first, $n) AS i});
	return $first;
}

sub each_done_once
{
	my ($first, $count, $what) = @_;
	my $last = $first + $count - 1;
	wait_until($node, "SELECT count(DISTINCT mail) = $count FROM done WHERE mail BETWEEN $first AND $last", "$what: all are done");
	is(value($node, "SELECT count(*) FROM done WHERE mail BETWEEN $first AND $last"), $count, "$what: each of them once");
	return;
}

promise 'a task is there exactly if the transaction that has enqueued it commits' => sub {
	my ($kept, $payload) = mail();
	my ($lost, $other) = mail();
	my ($undone, $third) = mail();
	my $session = session($node);
	$session->query_safe("BEGIN; SELECT ratchet.enqueue('mails', '$payload')");
	$session->query_safe("SAVEPOINT s; SELECT ratchet.enqueue('mails', '$third'); ROLLBACK TO s");
	value($node, "BEGIN; SELECT ratchet.enqueue('mails', '$other'); ROLLBACK");
	my ($later, $fourth) = mail();
	value($node, "SELECT ratchet.enqueue('mails', '$fourth')");
	is_done($later, 'one that was enqueued later, and has committed before');
	is(value($node, "SELECT count(*) FROM done WHERE mail IN ($kept, $lost, $undone)"), 0, 'before the commit nothing is done');
	$session->query_safe('COMMIT');
	$session->quit;
	is_done($kept, 'after it, it is');
	is(value($node, "SELECT count(*) FROM done WHERE mail IN ($lost, $undone)"), 0, 'what was rolled back is not');
};

promise 'tasks of a prepared transaction are done when that commits' => sub {
	my ($mail, $payload) = mail();
	value($node, "BEGIN; SELECT ratchet.enqueue('mails', '$payload'); PREPARE TRANSACTION 'mails'");
	value($node, q{COMMIT PREPARED 'mails'});
	is_done($mail, 'it is done');
};

promise 'a handler of a batch gets payloads and numbers of many tasks' => sub {
	value($node, q{
		CREATE TABLE counted (task_id bigint, mail int, of_batch int);
		SELECT ratchet.create_queue('counts', $$INSERT INTO counted
			SELECT id, (payload->>'mail')::int, cardinality($1) FROM unnest($1, $2) AS t (payload, id)$$, per => 'batch')});
	my $first = enqueue_many(1000, queue => 'counts');
	wait_until($node, 'SELECT count(*) = 1000 FROM counted', 'all are done');
	is(value($node, "SELECT count(DISTINCT mail) || ' ' || count(DISTINCT task_id) || ' ' || (max(of_batch) > 1) FROM counted"),
		'1000 1000 true', 'each of them once, and several at a time');
};

promise 'a task that fails is tried again after a rest, and is dead after max_attempts' => sub {
	my ($once, $good) = mail();
	my ($always, $bad) = mail(to => 'nobody@example.org');
	value($node, "INSERT INTO trouble VALUES ($once, 1), ($always, 1000)");
	value($node, "SELECT ratchet.enqueue('mails', '$good'), ratchet.enqueue('mails', '$bad')");
	is_done($once, 'the second attempt has gone well');
	wait_until($node, "SELECT count(*) = 1 FROM ratchet.tasks WHERE state = 'dead' AND (payload->>'mail')::int = $always",
		'the other one is dead');
	is_deeply(row($node, "SELECT attempts, crashes, error FROM ratchet.tasks WHERE (payload->>'mail')::int = $always"),
		{ attempts => 3, crashes => 0, error => 'no connection to nobody@example.org' }, 'after three attempts, and says why');
	wait_until($node, "SELECT dead = 1 FROM ratchet.queues WHERE queue_name = 'mails'", 'its queue counts it');
	value($node, "DELETE FROM trouble WHERE mail = $always");
	is(value($node, q{SELECT ratchet.redrive('mails')}), 1, 'it is sent back');
	is_done($always, 'and is done');
};

promise 'a delayed task is done when its time has come, and not before' => sub {
	my ($soon, $payload) = mail();
	my ($never, $other) = mail();
	my $at = value($node, "SELECT clock_timestamp() + '1 second'");
	value($node, "SELECT ratchet.enqueue('mails', '$payload', run_at => '$at'), ratchet.enqueue('mails', '$other', delay => '1 day')");
	wait_until($node, "SELECT scheduled = 2 FROM ratchet.queues WHERE queue_name = 'mails'", 'both wait');
	is_done($soon, 'the first one is done');
	is(value($node, "SELECT began >= '$at' FROM done WHERE mail = $soon"), 't', 'not before its time');
	is(value($node, "SELECT count(*) FROM done WHERE mail = $never"), 0, 'the other one waits');
	value($node, "SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE (payload->>'mail')::int = $never");
};

promise 'of one ordering key one task is done at a time, in the order of enqueuing, also after a failure' => sub {
	my $first = $n + 1;
	value($node, sprintf('INSERT INTO trouble VALUES (%d, 1), (%d, 2)', $first + 2, $first + 7));
	value($node, q{SELECT ratchet.pause_queue('mails')});
	enqueue_many(60, to => q((i % 3)::text), seconds => 0.005, more => ', ordering_keys => array_agg((i % 3)::text ORDER BY i)');
	wait_until($node, "SELECT blocked = 57 AND ready = 3 FROM ratchet.queues WHERE queue_name = 'mails'", 'who waits for another one is counted');
	value($node, q{SELECT ratchet.resume_queue('mails')});
	each_done_once($first, 60, 'of three keys');
	is(value($node, "SELECT count(*) FROM (SELECT mail < lag(mail) OVER w AS out_of_order, began < lag(ended) OVER w AS at_once
		FROM done WHERE mail BETWEEN $first AND $n WINDOW w AS (PARTITION BY customer ORDER BY n)) d WHERE out_of_order OR at_once"),
		0, 'none has passed another one of its key');
};

# The most that were under way at a moment.
sub most_at_once
{
	my ($first, $partition) = @_;
	return value($node, "SELECT max(c) FROM (SELECT count(*) AS c FROM done a JOIN done b
		ON b.began <= a.began AND a.began < b.ended AND $partition WHERE a.mail >= $first AND b.mail >= $first GROUP BY a.n) t");
}

promise 'concurrency and concurrency_per_key are never exceeded' => sub {
	value($node, q{SELECT ratchet.alter_queue('mails', concurrency => 2, batch_size => 1)});
	my $first = enqueue_many(40, seconds => 0.05);
	each_done_once($first, 40, 'with two workers');
	is(most_at_once($first, 'true'), 2, 'two were at work at a time');
	value($node, q{SELECT ratchet.alter_queue('mails', concurrency_per_key => 1, reset => '{concurrency}')});
	$first = enqueue_many(40, seconds => 0.05, to => q((i % 4)::text), more => q(, group_keys => array_agg((i % 4)::text)));
	each_done_once($first, 40, 'of four customers');
	is(most_at_once($first, 'a.customer = b.customer'), 1, 'one of each at a time');
	ok(most_at_once($first, 'true') > 1, 'of several customers at the same time');
	value($node, q{SELECT ratchet.alter_queue('mails', reset => '{concurrency_per_key,batch_size}')});
};

promise 'a rate is never exceeded, in whichever span' => sub {
	value($node, q{SELECT ratchet.alter_queue('mails', rate => 10, rate_period => '500 ms')});
	my $first = enqueue_many(35);
	each_done_once($first, 35, 'at ten per half a second');
	is(value($node, "SELECT count(*) FROM (SELECT began - lag(began, 10) OVER (ORDER BY began) AS span FROM done
		WHERE mail BETWEEN $first AND $n) t WHERE span < '500 ms'"), 0, 'no half second has more than ten');
	value($node, q{SELECT ratchet.alter_queue('mails', reset => '{rate}')});
};

promise 'a customer with thousands of tasks leaves others their turn' => sub {
	value($node, q{SELECT ratchet.pause_queue('mails')});
	my $first = enqueue_many(2000, seconds => 0.001, more => q(, group_keys => array_fill('many'::text, ARRAY[2000])));
	my ($one, $payload) = mail(to => 'ben@example.org');
	value($node, "SELECT ratchet.enqueue('mails', '$payload', group_key => 'ben')");
	value($node, q{SELECT ratchet.resume_queue('mails')});
	is_done($one, 'the only one of another customer is done');
	cmp_ok(value($node, "SELECT count(*) FROM done d WHERE mail >= $first AND n < (SELECT n FROM done WHERE mail = $one)"), '<', 1000,
		'long before those of the first');
	each_done_once($first, 2000, 'of the first customer');
};

promise 'after the loss of the scheduler, of a worker and of the server each task is done once' => sub {
	my $first = enqueue_many(1500, seconds => 0.002);
	my $reaches = sub {
		my ($count) = @_;
		wait_until($node, "SELECT count(*) >= $count FROM done WHERE mail >= $first", "$count are done");
	};
	$reaches->(100);
	terminate_ratchet($node, 'scheduler');
	$reaches->(300);
	terminate_ratchet($node, 'worker');
	$reaches->(500);
	my $worker;
	wait_until($node, q{SELECT EXISTS (SELECT FROM ratchet.running WHERE cause = 'queue')}, 'work goes on')
	  until defined($worker = (ratchet_pids($node, 'worker'))[0]);
	kill_and_wait($node, $worker);
	$reaches->(700);
	$node->stop('immediate');
	$node->start;
	each_done_once($first, 1500, 'whatever died');
	wait_until($node, 'SELECT count(*) = 0 FROM ratchet.task_claim', 'no claim is left');
	is(value($node, 'SELECT count(*) FROM ratchet.task'), 0, 'and no task');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE cause = 'queue' AND status = 'skipped'}), 0, 'a stretch that found nothing to do has no record');
};

finish();
