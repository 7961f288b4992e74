# Who may do what with queues and their tasks, by attacking them.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE carol LOGIN IN ROLE alice;    -- a member of alice
	CREATE ROLE shop LOGIN;
	CREATE ROLE till LOGIN IN ROLE shop;      -- a member of shop
	CREATE ROLE robot LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	CREATE ROLE outsider LOGIN;
	CREATE ROLE boss LOGIN SUPERUSER;
	GRANT USAGE ON SCHEMA ratchet TO alice, bob, carol, shop, robot, watcher;
	CREATE SCHEMA AUTHORIZATION alice;
	CREATE TABLE note (who text, session text, what jsonb);
	GRANT INSERT, SELECT ON note TO PUBLIC});

# Paused, so that its tasks stay.
value($node, q{
	SELECT ratchet.create_queue('alices', 'INSERT INTO public.note VALUES (current_user, session_user, $1)', enabled => false,
		producers => '{shop}', consumers => '{robot}', retention => '1 day');
	SELECT ratchet.create_queue('open')}, user => 'alice');
value($node, q{SELECT ratchet.create_queue('roots', 'SELECT $1', enabled => false)}, user => 'boss');
my $task = value($node, q{SELECT ratchet.enqueue('alices', '{"order": 1}', unique_key => 'one')}, user => 'alice');
my $dead = value($node, q{SELECT ratchet.enqueue('alices', '{"order": 2}')}, user => 'alice');
value($node, "SELECT ratchet.cancel_task($dead)", user => 'alice');

sub contents
{
	return value($node, q{
		SELECT (SELECT md5(string_agg(q::text, '' ORDER BY queue_id)) FROM ratchet.queue q)
			|| (SELECT md5(string_agg(j::text, '' ORDER BY job_id)) FROM ratchet.job j WHERE is_queue)
			|| (SELECT md5(string_agg(t::text, '' ORDER BY task_id)) FROM ratchet.task t)
			|| (SELECT md5(string_agg(f::text, '' ORDER BY task_id)) FROM ratchet.finished_task f)});
}

my @definition = (
	q{SELECT ratchet.create_queue('alices', 'SELECT 666')},
	q{SELECT ratchet.create_queue('alices')},
	q{SELECT ratchet.alter_queue('alices', handler => 'SELECT 666')},
	q{SELECT ratchet.alter_queue('alices', run_as => current_user::regrole)},
	q{SELECT ratchet.alter_queue('alices', new_name => 'stolen')},
	q{SELECT ratchet.alter_queue('alices', producers => ARRAY[current_user::regrole])},
	q{SELECT ratchet.alter_queue('alices', reset => '{handler}')},
	q{SELECT ratchet.pause_queue('alices')},
	q{SELECT ratchet.resume_queue('alices')},
	q{SELECT ratchet.drop_queue('alices', force => true)},
	q{SELECT ratchet.drop_queue('alices', if_exists => true, force => true)},
	q{SELECT ratchet.apply_jobs('[{"queue_name": "alices", "handler": "SELECT 666"}]')},
	q{SELECT ratchet.redrive('alices')});
my @enqueue = (
	q{SELECT ratchet.enqueue('alices', '666')},
	q{SELECT ratchet.enqueue('alices', '666', unique_key => 'one', on_conflict => 'replace')},
	q{SELECT ratchet.enqueue_many('alices', '{666,667}')});
my @claim = (q{SELECT * FROM ratchet.claim('alices')});
my @tasks = (
	"SELECT ratchet.cancel_task($task)",
	"SELECT ratchet.retry_task($dead)");
my @tables = (
	"INSERT INTO ratchet.task (task_id, queue_id, priority, enqueued_at, attempts, crashes, alone) SELECT 666, queue_id, 0, now(), 0, 0, false FROM ratchet.queue",
	q{UPDATE ratchet.queue SET producers = ARRAY[current_user::regrole]},
	q{UPDATE ratchet.task SET payload = '666'},
	q{DELETE FROM ratchet.task},
	q{DELETE FROM ratchet.finished_task},
	q{INSERT INTO ratchet.task_claim VALUES (1, 1, '{1}')},
	q{TRUNCATE ratchet.task},
	q{SELECT setval('ratchet.task_id_seq', 1)},
	q{SELECT nextval('ratchet.task_id_seq')});

promise 'who is neither owner nor named can do nothing with a queue' => sub {
	my $before = contents();
	for my $user ('bob', 'watcher')
	{
		psql_fails($node, $_, qr/ERROR:  (42501|42710)/, "$user: $_", user => $user) for @definition, @enqueue, @claim;
		# That there is such a task is nobody else's business.
		psql_fails($node, $_, $user eq 'bob' ? qr/ERROR:  42704/ : qr/ERROR:  42501/, "$user: $_", user => $user) for @tasks;
		psql_fails($node, $_, qr/ERROR:  42501/, "$user: $_", user => $user) for @tables;
	}
	psql_fails($node, $_, qr/ERROR:  42501/, "outsider: $_", user => 'outsider') for @definition, @enqueue, @claim, @tasks;
	is(contents(), $before, 'nothing has changed');
};

promise 'producers can enqueue, and nothing else' => sub {
	my $own = value($node, q{SELECT ratchet.enqueue('alices', '{"order": 3}')}, user => 'shop');
	cmp_ok(value($node, q{SELECT ratchet.enqueue_many('alices', '{4,5}')}, user => 'till'), '==', 2, 'members of a producer, too');
	my $before = contents();
	psql_fails($node, $_, qr/ERROR:  (42501|42710)/, "shop: $_", user => 'shop') for @definition, @claim, @tables;
	psql_fails($node, $_, qr/ERROR:  42704/, "shop: $_", user => 'shop') for @tasks;
	is(contents(), $before, 'nothing has changed');
	is(value($node, "SELECT ratchet.cancel_task($own)", user => 'shop'), 't', 'a task of their own they can cancel');
	is(value($node, 'SELECT count(*) FROM ratchet.tasks', user => 'shop'), 0, 'they see none');
};

promise 'consumers can claim, and nothing else' => sub {
	my $before = contents();
	psql_fails($node, $_, qr/ERROR:  (42501|42710)/, "robot: $_", user => 'robot') for @definition, @enqueue, @tables;
	psql_fails($node, $_, qr/ERROR:  42704/, "robot: $_", user => 'robot') for @tasks;
	psql_fails($node, "SELECT ratchet.complete($task, 1)", qr/ERROR:  55000/, 'robot: a task that was not claimed', user => 'robot');
	is(contents(), $before, 'nothing has changed');
	is(value($node, 'SELECT count(*) FROM ratchet.tasks', user => 'robot'), 0, 'they see no tasks but those that they claim');
};

promise 'a task is tried by the owner of its queue alone, in a session of its own' => sub {
	my $before = contents();
	is(value($node, "SELECT ratchet.try_task($task)->>'outcome'", user => 'alice'), 'completed', 'the owner tries it');
	is(value($node, 'SELECT count(*) FROM note'), 0, 'nothing of that stays');
	for my $user ('bob', 'shop', 'robot')
	{
		psql_fails($node, "SELECT ratchet.try_task($_)", qr/ERROR:  42704/, "$user: task $_ is not there", user => $user) for $task, $dead, 666;
	}
	# A handler may do what it likes with the session: so with that of a superuser, or of another role.
	for my $session ([ 'watcher', '' ], [ 'carol', '' ], [ 'boss', '' ], [ 'carol', 'SET ROLE alice; ' ], [ 'boss', 'SET SESSION AUTHORIZATION alice; ' ])
	{
		my ($user, $set) = @$session;
		psql_fails($node, "${set}SELECT ratchet.try_task($task)", qr/ERROR:  42501: only the owner can try tasks/, "$user: $set", user => $user);
	}
	value($node, q{
		CREATE FUNCTION alice.lend(task bigint) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS 'SELECT ratchet.try_task(task)';
		GRANT USAGE ON SCHEMA alice TO PUBLIC}, user => 'alice');
	psql_fails($node, "SELECT alice.lend($task)", qr/ERROR:  42501: only the owner can try tasks/, 'a function of the owner that somebody else calls', user => 'bob');
	is(contents(), $before, 'nothing has changed');
};

promise 'code in a handler that does not have the rights of the owner hears nothing of its task, and decides nothing' => sub {
	value($node, q{
		CREATE FUNCTION pry() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
			SELECT concat_ws(',', current_user, coalesce(ratchet.task_id()::text, 'no task'), coalesce(ratchet.task_attempt()::text, 'no attempt'),
				ratchet.snooze('1 hour')::text || 'snoozed', ratchet.discard('666')::text || 'discarded') $$;
		CREATE FUNCTION own() RETURNS text LANGUAGE sql AS $$
			SELECT concat_ws(',', current_user, coalesce(ratchet.task_id()::text, 'no task'), coalesce(ratchet.task_attempt()::text, 'no attempt')) $$;
		ALTER FUNCTION pry() OWNER TO bob;
		GRANT EXECUTE ON FUNCTION pry(), own() TO PUBLIC});
	value($node, q{SELECT ratchet.create_queue('asks', $$INSERT INTO public.note VALUES (public.pry(), public.own(), $1)$$, retention => '1 day')},
		user => 'alice');
	my $asked = value($node, q{SELECT ratchet.enqueue('asks', '{"who": "asks"}')}, user => 'alice');
	wait_until($node, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $asked", 'the task is done, neither snoozed nor discarded');
	is(value($node, q{SELECT who FROM note WHERE what->>'who' = 'asks'}), 'bob,no task,no attempt', 'code of somebody else is in no task');
	is(value($node, q{SELECT session FROM note WHERE what->>'who' = 'asks'}), "alice,$asked,1", 'code of the owner is');
	value($node, q{DELETE FROM note; SELECT ratchet.drop_queue('asks')});
};

promise 'queues and tasks are seen by their owner, members of it, superusers and pg_monitor' => sub {
	my %sees = (alice => 2, carol => 2, boss => 3, watcher => 3, bob => 0, shop => 0, robot => 0);
	for my $user (sort keys %sees)
	{
		my @user = (user => $user);
		is(value($node, 'SELECT count(*) FROM ratchet.queues', @user), $sees{$user}, "$user: queues");
		is(value($node, 'SELECT count(*) > 0 FROM ratchet.tasks', @user), $sees{$user} ? 't' : 'f', "$user: tasks");
		for my $from ('queue', 'task', 'finished_task', 'task_claim', '_queue_counters()', '_tasks_in_hand()')
		{
			is(value($node, "SELECT count(*) FROM ratchet.$from", @user), 0, "$user: $from") if !$sees{$user};
		}
	}
};

promise 'near names of queues are told to those only who could use them' => sub {
	psql_fails($node, q{SELECT ratchet.enqueue('alicse', '1')}, qr/42704.*HINT:  Perhaps you mean queue "alices"/s, 'the producer is told', user => 'shop');
	my $err = psql_fails($node, q{SELECT ratchet.enqueue('alicse', '1')}, qr/42704/, 'somebody else gets the error', user => 'bob');
	unlike($err, qr/alices/, 'and no name');
};

promise 'the queue of a superuser is for superusers' => sub {
	value($node, 'GRANT boss TO carol');
	for my $statement (q{SELECT ratchet.alter_queue('roots', handler => 'SELECT 666')}, q{SELECT ratchet.enqueue('roots', '1')},
		q{SELECT * FROM ratchet.claim('roots')}, q{SELECT ratchet.drop_queue('roots')}, q{SELECT ratchet.create_queue('mine', run_as => 'boss')})
	{
		psql_fails($node, $statement, qr/ERROR:  42501/, "a member of a superuser: $statement", user => 'carol');
	}
	value($node, 'REVOKE boss FROM carol');
};

promise 'a role that was dropped is on no list, whoever gets its number' => sub {
	value($node, q{CREATE ROLE passing LOGIN});
	value($node, q{SELECT ratchet.alter_queue('open', producers => '{shop,passing}', consumers => '{passing}')}, user => 'alice');
	value($node, 'DROP ROLE passing');
	wait_until($node, q{SELECT producers = '{shop}' AND consumers IS NULL FROM ratchet.queues WHERE queue_name = 'open'}, 'it is taken off');
	is(value($node, q{SELECT NOT quarantined FROM ratchet.queues WHERE queue_name = 'open'}), 't', 'the queue is not held back by that');
	cmp_ok(value($node, q{SELECT ratchet.enqueue('open', '1')}, user => 'shop'), '>', 0, 'others stay on it');
};

promise 'a queue that was written by hand is held back, and so are its lists' => sub {
	value($node, q{UPDATE ratchet.queue SET producers = '{bob}', consumers = '{bob}' WHERE queue_name = 'open'});
	psql_fails($node, q{SELECT ratchet.enqueue('open', '1')}, qr/ERROR:  42501/, 'bob is no producer', user => 'bob');
	psql_fails($node, q{SELECT * FROM ratchet.claim('open')}, qr/ERROR:  42501/, 'and no consumer', user => 'bob');
	value($node, 'SELECT * FROM ratchet.adopt()');
	cmp_ok(value($node, q{SELECT ratchet.enqueue('open', '1')}, user => 'bob'), '>', 0, 'until a superuser has adopted it');
};

finish();
