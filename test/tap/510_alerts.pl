# What alerts find of runs, queues and the server, and what they say: the scheduler is real, and who sends is this test.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.environment = 'test'\n");
value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE other LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	GRANT USAGE ON SCHEMA ratchet TO shop, other, watcher;
	CREATE SCHEMA AUTHORIZATION shop;
	CREATE TABLE shop.switch (name text PRIMARY KEY, broken boolean);
	GRANT ALL ON shop.switch TO shop});
value($node, q{
	SELECT ratchet.create_channel('ops', 'webhook', '{"url": "https://hooks.example.org/x"}');
	SELECT ratchet.create_channel('beats', 'healthchecks', '{"url": "https://hc.example.org/ping/x"}')}, user => 'shop');

# A job that fails as long as its switch says so.
sub define
{
	my ($name, $more) = @_;
	value($node, qq{INSERT INTO shop.switch VALUES ('$name', true);
		SELECT ratchet.schedule('$name', '\@manual', \$cmd\$DO \$do\$ BEGIN IF (SELECT broken FROM shop.switch WHERE name = '$name') THEN RAISE EXCEPTION 'broken: %', E'a\\n"b" <c>' USING ERRCODE = '22012'; END IF; END \$do\$\$cmd\$}
		. ($more ? ", $more" : '') . ')', user => 'shop');
	return;
}

sub run
{
	my ($name, $broken) = @_;
	value($node, "UPDATE shop.switch SET broken = $broken WHERE name = '$name'");
	my $run = value($node, "SELECT ratchet.trigger('$name')", user => 'shop');
	wait_until($node, "SELECT last_run_id >= $run FROM ratchet.job_state JOIN ratchet.job USING (job_id) WHERE job_name = '$name'");
	return $run;
}

sub wait_said
{
	my ($alert, $expected, $name) = @_;
	wait_until($node, "SELECT coalesce(string_agg(notice, ' ' ORDER BY delivery_id), '') = '$expected' FROM ratchet.deliveries WHERE message ->> 'alert' = '$alert'", $name);
	return;
}

sub said
{
	my ($alert) = @_;
	return value($node, "SELECT coalesce(string_agg(notice, ' ' ORDER BY delivery_id), '') FROM ratchet.deliveries WHERE message ->> 'alert' = '$alert'");
}

promise 'a job that fails is told of once, and its end once, with what there is to know' => sub {
	define('nightly', q{tags => '{money}'});
	value($node, q{SELECT ratchet.create_alert('a', '{ops}', jobs => '{nightly}', group_wait => '0')}, user => 'shop');
	my $run = run('nightly', 'true');
	wait_said('a', 'opened', 'a message');
	my $message = row($node, q{SELECT message, message_id::text FROM ratchet.deliveries WHERE message ->> 'alert' = 'a'});
	my $incident = $message->{message}{incidents}[0];
	is($message->{message}{subject}, '[test] job nightly failed', 'its subject');
	is_deeply([ @{ $incident }{qw(event job queue run_id status sqlstate failures_in_a_row owner)} ], [ 'failed', 'nightly', undef, $run, 'failed', '22012', 1, 'shop' ], 'of which run');
	is($incident->{error}, qq{broken: a\n"b" <c>}, 'its error, as it is');
	is($incident->{inspect}, "SELECT * FROM ratchet.runs WHERE run_id = $run", 'where to look');
	is_deeply([ @{ $message->{message} }{qw(type notice number severity database environment)} ], [ 'incident', 'opened', 1, 'error', 'postgres', 'test' ], 'and where from');
	run('nightly', 'true') for 1 .. 3;
	is(said('a'), 'opened', 'three more failures say nothing');
	is(value($node, q{SELECT concat_ws(' ', event, subject, state, occurrences) FROM ratchet.incidents}, user => 'shop'), 'failed nightly notified 4', 'the incident');
	run('nightly', 'false');
	wait_said('a', 'opened resolved', 'its end');
	my $end = row($node, q{SELECT message FROM ratchet.deliveries WHERE message ->> 'notice' = 'resolved'});
	is($end->{message}{episode}, $message->{message}{episode}, 'of the same episode');
	like($end->{message}{subject}, qr/^\[test\] resolved after \S+: job nightly failed \(4 in a row\)$/, 'with its duration');
	cmp_ok($end->{message}{duration_s}, '>', 0, 'in seconds, too');
	is(value($node, q{SELECT state || ' ' || (duration > '0') FROM ratchet.incidents}, user => 'shop'), 'resolved true', 'it is over');
	value($node, q{SELECT ratchet.drop_alert('a')}, user => 'shop');
};

promise 'after_failures waits for so many in a row' => sub {
	value($node, q{SELECT ratchet.create_alert('third', '{ops}', tags => '{money}', after_failures => 3, group_wait => '0')}, user => 'shop');
	run('nightly', 'true') for 1 .. 2;
	is(said('third'), '', 'two are none');
	run('nightly', 'false');
	run('nightly', 'true') for 1 .. 3;
	wait_said('third', 'opened', 'the third in a row is one');
	run('nightly', 'false');
	wait_said('third', 'opened resolved', 'and its end');
	value($node, q{SELECT ratchet.drop_alert('third')}, user => 'shop');
};

promise 'many jobs are one message, and a blip is none' => sub {
	define("many $_", q{tags => '{many}'}) for 1 .. 30;
	value($node, q{SELECT ratchet.create_alert('many', '{ops}', tags => '{many}', group_wait => '3 seconds')}, user => 'shop');
	value($node, q{SELECT ratchet.create_alert('blip', '{ops}', jobs => '{many 1}', group_wait => '1 hour')}, user => 'shop');
	value($node, q{SELECT count(ratchet.trigger('many ' || i)) FROM generate_series(1, 30) AS i}, user => 'shop');
	wait_said('many', 'opened', 'one message');
	my $message = row($node, q{SELECT message FROM ratchet.deliveries WHERE message ->> 'alert' = 'many'})->{message};
	is($message->{subject}, '[test] 30 jobs: failed', 'of thirty jobs');
	is(scalar @{ $message->{incidents} }, 20, 'twenty are named');
	is($message->{more}, 10, 'and ten counted');
	value($node, q{UPDATE shop.switch SET broken = false});
	value($node, q{SELECT count(ratchet.trigger('many ' || i)) FROM generate_series(1, 29) AS i}, user => 'shop');
	wait_until($node, q{SELECT count(*) = 29 FROM ratchet.incidents WHERE alert_name = 'many' AND state = 'resolved'}, '29 are well again');
	is(said('many'), 'opened', 'which says nothing yet');
	run('many 30', 'false');
	wait_said('many', 'opened resolved', 'with the last one it is over');
	is(said('blip'), '', 'what was over before its time was a blip');
	is(value($node, q{SELECT count(*) FROM ratchet.incidents WHERE alert_name = 'blip' AND notified_at IS NULL AND resolved_at IS NOT NULL}), 1, 'and can be seen');
	value($node, qq{SELECT ratchet.drop_alert('$_')}, user => 'shop') for 'many', 'blip';
};

promise 'a restart of the server between a failure and its message loses nothing, and says nothing twice' => sub {
	value($node, q{SELECT ratchet.create_alert('restart', '{ops}', jobs => '{nightly}', group_wait => '0')}, user => 'shop');
	run('nightly', 'true');
	wait_said('restart', 'opened', 'told');
	$node->stop('immediate');
	$node->start;
	run('nightly', 'true');
	is(said('restart'), 'opened', 'not twice');
	run('nightly', 'false');
	wait_said('restart', 'opened resolved', 'over');
	value($node, q{SELECT ratchet.drop_alert('restart')}, user => 'shop');
};

promise 'a silence holds first messages and ends back, and is over by itself' => sub {
	value($node, q{SELECT ratchet.create_alert('quiet', '{ops}', jobs => '{nightly,many 1}', group_wait => '0')}, user => 'shop');
	run('many 1', 'true');
	wait_said('quiet', 'opened', 'one is told of');
	my $silence = value($node, q{SELECT ratchet.silence(now() + '1 hour', 'maintenance', jobs => '{nightly}', tags => '{many}')}, user => 'shop');
	run('nightly', 'true');
	run('many 1', 'false');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.incidents WHERE alert_name = 'quiet' AND state = 'resolved'}, 'it is over');
	is(said('quiet'), 'opened', 'neither the end of one nor the beginning of the other is told');
	is(value($node, q{SELECT reason || in_force FROM ratchet.silences}, user => 'shop'), 'maintenancetrue', 'it is in force');
	value($node, "SELECT ratchet.unsilence($silence)", user => 'shop');
	wait_until($node, q{SELECT count(*) = 3 FROM ratchet.deliveries WHERE message ->> 'alert' = 'quiet'}, 'behind it, both are');
	run('nightly', 'false');
	wait_until($node, q{SELECT count(*) = 4 FROM ratchet.deliveries WHERE message ->> 'alert' = 'quiet'}, 'and the end of the other');
	psql_fails($node, q{SELECT ratchet.silence(now() - interval '1 second', 'r')}, qr/ERROR:  22023: until must be in the future/, 'it has an end in the future', user => 'shop');
	psql_fails($node, q{SELECT ratchet.silence('infinity', 'r')}, qr/ERROR:  22023: until must be finite/, 'always', user => 'shop');
	psql_fails($node, q{SELECT ratchet.silence(now() + '1 hour', 'r', jobs => '{nightly}')}, qr/ERROR:  42501: /, 'nobody silences the jobs of others', user => 'other');
	value($node, q{SELECT ratchet.silence(now() + '1 hour', 'mine')}, user => 'other');
	run('nightly', 'true');
	wait_until($node, q{SELECT count(*) = 5 FROM ratchet.deliveries WHERE message ->> 'alert' = 'quiet'}, 'nor all of them');
	run('nightly', 'false');
	value($node, q{SELECT ratchet.drop_alert('quiet')}, user => 'shop');
};

promise 'reminders come until somebody acknowledges' => sub {
	value($node, q{SELECT ratchet.create_alert('again', '{ops}', jobs => '{nightly}', group_wait => '0', repeat_every => '1 second')}, user => 'shop');
	run('nightly', 'true');
	wait_until($node, q{SELECT count(*) >= 3 FROM ratchet.deliveries WHERE message ->> 'alert' = 'again'}, 'reminders');
	my $incident = value($node, q{SELECT incident_id FROM ratchet.incidents WHERE alert_name = 'again'});
	psql_fails($node, "SELECT ratchet.acknowledge($incident)", qr/ERROR:  42501: must be owner of incident/, 'not by anybody', user => 'other');
	psql_fails($node, 'SELECT ratchet.acknowledge(666)', qr/ERROR:  42704: /, 'there is no such one', user => 'other');
	value($node, "SELECT ratchet.acknowledge($incident)", user => 'shop');
	is(value($node, "SELECT state || ' ' || acknowledged_by FROM ratchet.incidents WHERE incident_id = $incident"), 'acknowledged shop', 'somebody looks at it');
	run('many 2', 'false');    # the scheduler has heard of it by then
	my $count = value($node, q{SELECT count(*) FROM ratchet.deliveries WHERE message ->> 'alert' = 'again'});
	run('nightly', 'true');
	wait_until($node, "SELECT clock_timestamp() > acknowledged_at + '3 seconds' FROM ratchet.incidents WHERE incident_id = $incident");
	is(value($node, q{SELECT count(*) FROM ratchet.deliveries WHERE message ->> 'alert' = 'again'}), $count, 'there are no more');
	run('nightly', 'false');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.deliveries WHERE message ->> 'alert' = 'again' AND notice = 'resolved'}, 'its end is told');
	value($node, q{SELECT ratchet.drop_alert('again')}, user => 'shop');
};

promise 'what comes and goes is flapping, and said once' => sub {
	value($node, q{SELECT ratchet.create_alert('flap', '{ops}', jobs => '{nightly}', group_wait => '20 seconds')}, user => 'shop');
	for (1 .. 6) { run('nightly', 'true'); run('nightly', 'false'); }
	wait_said('flap', 'flapping', 'once');
	run('nightly', 'false') for 1 .. 4;
	wait_said('flap', 'flapping resolved', 'and its end, when it was good for a while');
	value($node, q{SELECT ratchet.drop_alert('flap')}, user => 'shop');
};

promise 'a job that succeeds again, one that times out, and one that leaves failed items' => sub {
	value($node, q{SELECT ratchet.create_alert('back', '{ops}', '{recovered}', group_wait => '0')}, user => 'shop');
	value($node, q{SELECT ratchet.create_alert('slow', '{ops}', '{timed_out}', group_wait => '0')}, user => 'shop');
	value($node, q{SELECT ratchet.create_alert('items', '{ops}', '{failed_items}', group_wait => '0')}, user => 'shop');
	run('nightly', 'true');
	run('nightly', 'false');
	wait_said('back', 'opened', 'it has recovered');
	value($node, q{SELECT ratchet.schedule('sleeper', '@manual', 'SELECT pg_sleep(60)', timeout => '200 milliseconds');
		SELECT ratchet.trigger('sleeper')}, user => 'shop');
	wait_said('slow', 'opened', 'it has timed out');
	value($node, q{SELECT ratchet.schedule_batch('walk', '@manual', 'SELECT i FROM generate_series(1, 3) AS i', 'SELECT 1 / ($1 - 2)');
		SELECT ratchet.trigger('walk')}, user => 'shop');
	wait_said('items', 'opened', 'it has left failed items');
	value($node, qq{SELECT ratchet.drop_alert('$_')}, user => 'shop') for 'back', 'slow', 'items';
};

promise 'a run that has not ended by its deadline is late, and one that was not started as well' => sub {
	value($node, q{SELECT ratchet.create_alert('late', '{ops}', '{late}', group_wait => '0')}, user => 'shop');
	value($node, q{SELECT ratchet.schedule('long', '@manual', 'SELECT pg_advisory_lock_shared(7)', deadline => '1 second')}, user => 'shop');
	is(value($node, q{SELECT deadline FROM ratchet.jobs WHERE job_name = 'long'}), '00:00:01', 'its deadline');
	my $lock = session($node);
	$lock->query_safe('SELECT pg_advisory_lock(7)');
	my $run = value($node, q{SELECT ratchet.trigger('long')}, user => 'shop');
	wait_said('late', 'opened', 'it is late');
	is(value($node, q{SELECT message ->> 'subject' FROM ratchet.deliveries WHERE message ->> 'alert' = 'late'}), '[test] job long is late', 'which is said');
	$lock->query_safe('SELECT pg_advisory_unlock(7)');
	wait_run($node, $run, 'succeeded', 'it has ended');
	wait_said('late', 'opened resolved', 'until it has ended');
	value($node, q{SELECT ratchet.pause_all()});
	value($node, q{SELECT ratchet.schedule('waits', '@manual', 'SELECT 1', deadline => '1 second'); SELECT ratchet.trigger('waits')}, user => 'shop');
	wait_said('late', 'opened resolved opened', 'one that does not start is late, too');
	value($node, q{SELECT ratchet.resume_all()});
	wait_said('late', 'opened resolved opened resolved', 'until it has run');
	$lock->quit;
	value($node, q{SELECT ratchet.unschedule('long'); SELECT ratchet.unschedule('waits'); SELECT ratchet.drop_alert('late')}, user => 'shop');
};

promise 'a heartbeat tells of start, success and failure of each run' => sub {
	psql_fails($node, q{SELECT ratchet.schedule('heard', '@manual', 'SELECT 1', heartbeat => 'nowhere')}, qr/ERROR:  42704: channel "nowhere" does not exist/, 'of a channel that is there', user => 'shop');
	psql_fails($node, q{SELECT ratchet.schedule('heard', '@manual', 'SELECT 1', heartbeat => 'beats')}, qr/ERROR:  42501: must be owner of channel/, 'and one may use', user => 'other');
	define('heard', q{heartbeat => 'beats'});
	run('heard', 'false');
	run('heard', 'true');
	my $beats = value($node, q{SELECT string_agg(message ->> 'notice', ' ' ORDER BY delivery_id) FROM ratchet.deliveries WHERE channel_name = 'beats'});
	is($beats, 'start success start failure', 'each of them');
	is(value($node, q{SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM ratchet.deliveries WHERE channel_name = 'beats' GROUP BY message ->> 'rid') t}), '2 2', 'start and end have one rid');
	is(value($node, q{SELECT count(DISTINCT message_id) FROM ratchet.deliveries WHERE channel_name = 'beats'}), 4, 'and numbers of their own');
	is(value($node, q{SELECT message ->> 'exit_code' || (message ->> 'body') FROM ratchet.deliveries WHERE notice = 'heartbeat' AND message ->> 'notice' = 'failure'}), qq{1broken: a\n"b" <c>}, 'with its error');
	psql_fails($node, q{SELECT ratchet.drop_channel('beats')}, qr/ERROR:  2BP01: .*heartbeat of job "heard"/, 'its channel stays', user => 'shop');
};

promise 'a queue that backs up, and one with dead tasks' => sub {
	value($node, q{SELECT ratchet.create_queue('mail', enabled => false, max_attempts => 1); SELECT ratchet.create_queue('poison', 'SELECT 1 / ($1::integer - 1)', max_attempts => 1);
		SELECT ratchet.create_alert('queues', '{ops}', '{backlog,dead}', group_wait => '0', backlog => '1 second')}, user => 'shop');
	value($node, q{SELECT ratchet.enqueue('mail')}, user => 'shop');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.incidents WHERE event = 'backlog' AND subject = 'mail' AND state = 'notified'}, 'it backs up');
	value($node, q{SELECT ratchet.enqueue('poison', '1')}, user => 'shop');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.incidents WHERE event = 'dead' AND subject = 'poison' AND state = 'notified'}, 'there are dead tasks');
	value($node, q{SELECT ratchet.cancel_task(task_id) FROM ratchet.tasks WHERE queue_name = 'mail'}, user => 'shop');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.incidents WHERE event = 'backlog' AND subject = 'mail' AND state = 'resolved'}, 'it does no more');
	value($node, q{SELECT ratchet.drop_queue('poison', force => true); SELECT ratchet.drop_alert('queues')}, user => 'shop');
};

promise 'who may watch what' => sub {
	psql_fails($node, q{SELECT ratchet.create_alert('x', '{ops}', jobs => '{nightly}')}, qr/ERROR:  42501: must be owner of job/, 'not the jobs of others', user => 'other');
	psql_fails($node, q{SELECT ratchet.create_alert('x', '{ops}')}, qr/ERROR:  42501: must be owner of channel/, 'nor by their channels', user => 'other');
	value($node, q{SELECT ratchet.create_channel('others', 'slack', '{"url": {"secret": "s"}}')}, user => 'other');
	psql_fails($node, q{SELECT ratchet.create_alert('x', '{others}', '{sender_down}')}, qr/ERROR:  42501: permission denied for event/, 'nor the server', user => 'other');
	value($node, q{SELECT ratchet.create_alert('all', '{others}', group_wait => '0')}, user => 'other');
	value($node, q{SELECT ratchet.create_alert('mine', '{ops}', group_wait => '0')}, user => 'shop');
	run('nightly', 'true');
	wait_said('mine', 'opened', 'all jobs are those that one may manage');
	is(said('all'), '', 'and no others');
	is(value($node, q{SELECT count(*) FROM ratchet.incidents}, user => 'other'), 0, 'who may not manage it does not see it');
	is(value($node, q{SELECT count(*) FROM ratchet.deliveries WHERE channel_name = 'ops'}, user => 'other'), 0, 'nor what was sent');
	is(value($node, q{SELECT count(*) > 0 FROM ratchet.incidents}, user => 'watcher'), 't', 'pg_monitor does');
	psql_fails($node, q{SELECT ratchet.drop_channel('ops')}, qr/ERROR:  2BP01: cannot drop channel "ops" because alert "mine" sends to it/, 'a channel in use stays', user => 'shop');
	run('nightly', 'false');
};

finish();
