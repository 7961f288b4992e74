# Logical replication of all tables between two servers that both have the extension and run jobs: tables of
# people flow, and the jobs of the subscriber stay its own. See docs/operations.md, "Logical replication".

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $publisher = new_node('publisher', init => [ allows_streaming => 'logical' ]);
my $subscriber = new_node('subscriber', init => [ allows_streaming => 'logical' ],
	conf => "wal_retrieve_retry_interval = 200ms\n");

promise 'each table has a replica identity' => sub {
	is( value(
			$publisher, q{
			SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c
			 WHERE c.relnamespace = 'ratchet'::regnamespace AND c.relkind IN ('r', 'p')
			   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
			                    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)}),
		'', 'none lacks one');
};

# The same names and numbers on both, with other meanings.
for my $node ($publisher, $subscriber)
{
	value($node, q{
		CREATE TABLE item (id uuid PRIMARY KEY, n int);
		CREATE TABLE note (id serial PRIMARY KEY, job text, run_id bigint);
		CREATE TABLE tick (server text DEFAULT current_setting('ratchet.node'), run_id bigint)});
}
value($publisher, q{
	INSERT INTO item SELECT gen_random_uuid(), n FROM generate_series(1, 100) n;
	ALTER SYSTEM SET ratchet.node = 'publisher';
	SELECT pg_reload_conf();
	SELECT ratchet.schedule('ticks', '50 ms', 'INSERT INTO note (job, run_id) VALUES (''ticks'', ratchet.run_id())');
	SELECT ratchet.schedule_batch('walk', '@continuous', 'SELECT id FROM item', 'UPDATE item SET n = n + 1 WHERE id = $1', batch_size => 10);
	SELECT ratchet.schedule('of the publisher', '@manual', 'SELECT 1')});
value($subscriber, q{
	CREATE TABLE own (run_id bigint PRIMARY KEY);
	SELECT ratchet.schedule('ticks of its own', '100 ms', 'INSERT INTO own VALUES (ratchet.run_id())')});
wait_until($publisher, q{SELECT count(*) > 3 FROM ratchet.runs WHERE status = 'succeeded'}, 'jobs run on the publisher');
wait_until($subscriber, 'SELECT count(*) > 3 FROM own', 'and on the subscriber');

my $home = value($subscriber, 'SELECT h::text FROM ratchet.home h');
value($publisher, 'CREATE PUBLICATION everything FOR ALL TABLES');
# All but "own" is there on both.
value($subscriber, q{CREATE SUBSCRIPTION all_of_it CONNECTION '} . $publisher->connstr . q{ dbname=postgres' PUBLICATION everything});

promise 'tables of people flow, however much the jobs do' => sub {
	wait_until($subscriber, q{SELECT NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')},
		'all tables are synchronized');
	value($publisher, q{INSERT INTO item SELECT gen_random_uuid(), -1000000 FROM generate_series(1, 20)});
	wait_until($subscriber, 'SELECT count(*) = 120 FROM item', 'rows arrive');
	my $notes = value($publisher, 'SELECT max(id) FROM note');
	wait_until($publisher, "SELECT max(id) > $notes + 10 FROM note", 'jobs go on at the publisher');
	$notes = value($publisher, 'SELECT max(id) FROM note');
	wait_until($subscriber, "SELECT max(id) >= $notes FROM note", 'what they do arrives');
	value($publisher, q{
		SELECT ratchet.unschedule('of the publisher');
		SELECT ratchet.stat_reset();
		SELECT ratchet.alter_job('ticks', schedule => '60 ms');
		DELETE FROM item WHERE n < 0});
	$notes = value($publisher, 'SELECT max(id) FROM note');
	wait_until($subscriber, "SELECT max(id) > $notes FROM note", 'so it does after changes of jobs');
};

promise 'the jobs of the subscriber are its own' => sub {
	is(value($subscriber, q{SELECT string_agg(job_name, ', ') FROM ratchet.jobs}), 'ticks of its own', 'no other came');
	is(value($subscriber, q{SELECT string_agg(DISTINCT job_name, ', ') FROM ratchet.runs}), 'ticks of its own', 'nor runs');
	is(value($subscriber, 'SELECT h::text FROM ratchet.home h'), $home, 'it is at home where it was');
	my $runs = value($subscriber, 'SELECT count(*) FROM own');
	wait_until($subscriber, "SELECT count(*) > $runs + 3 FROM own", 'it runs on');
	value($subscriber, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'});
	$runs = value($subscriber, 'SELECT count(*) FROM own');
	wait_until($subscriber, "SELECT count(*) > $runs + 3 FROM own", 'also when everything has been read anew');
	is( value($subscriber, q{
			SELECT count(*) FROM own o FULL JOIN (SELECT * FROM ratchet.runs WHERE status = 'succeeded') r USING (run_id)
			 WHERE (o.run_id IS NULL OR r.run_id IS NULL) AND run_id < (SELECT max(run_id) - 20 FROM ratchet.runs)}),
		0, 'its log agrees with what they did');
	is(value($subscriber, q{SELECT count(*) FROM ratchet.runs WHERE status = 'crashed' AND reason NOT LIKE '%scheduler%'}), 0, 'nothing crashed');
};

promise 'ratchet.status() says so on both sides' => sub {
	is(value($subscriber, q{SELECT state || ': ' || detail FROM ratchet.status() WHERE component = 'replication'}),
		q{left out: subscription "all_of_it" brings rows of the extension's tables: jobs here are those of this database},
		'the subscriber');
	is(value($publisher, q{SELECT state || ': ' || detail FROM ratchet.status() WHERE component = 'replication'}),
		q{published: publication "everything" has the extension's tables: subscribers leave their rows out}, 'the publisher');
	is(value($subscriber, q{SELECT state FROM ratchet.status() WHERE component = 'scheduler'}), 'active', 'nothing is quarantined');
};

promise 'days that are left out are replicated, and noticed' => sub {
	value($subscriber, q{SELECT ratchet.schedule('noon', '0 12 * * *', 'SELECT 1', time_zone => 'UTC', calendar => 'holidays')});
	my $next = value($subscriber, q{SELECT date(next_run_at AT TIME ZONE 'UTC') FROM ratchet.jobs WHERE job_name = 'noon'});
	value($publisher, qq{INSERT INTO ratchet.calendar_days VALUES ('holidays', '$next')});
	wait_until($subscriber,
		qq{SELECT next_run_at > date '$next' + 1 FROM ratchet.job_state JOIN ratchet.job USING (job_id) WHERE job_name = 'noon'},
		'the next run is put off');
};

promise 'what other kinds of replication bring is left out, too' => sub {
	my ($status, $out, $said) = $subscriber->psql('postgres', q{
		SELECT pg_replication_origin_create('elsewhere');
		SELECT pg_replication_origin_session_setup('elsewhere');
		INSERT INTO ratchet.job SELECT (j).* FROM (SELECT j FROM ratchet.job j) j;
		UPDATE ratchet.job SET command = 'SELECT 2';
		DELETE FROM ratchet.job});
	is($status, 0, 'it goes on');
	like($said, qr/NOTICE:  rows of table "job" are left out/, 'and a session is told');
	is(value($subscriber, q{SELECT string_agg(job_name || ' ' || (command = 'SELECT 2'), ', ' ORDER BY job_name) FROM ratchet.jobs}),
		'noon false, ticks of its own false', 'the jobs are what they were');
};

promise 'a TRUNCATE does not take the jobs of the subscriber' => sub {
	my $offset = -s $subscriber->logfile;
	value($publisher, 'TRUNCATE ratchet.job_stat');
	$subscriber->wait_for_log(qr/ERROR:  table "job_stat" is not truncated by a subscription/, $offset);
	is(value($subscriber, 'SELECT count(*) FROM ratchet.jobs'), 2, 'they are there');
	value($publisher, q{
		DROP PUBLICATION everything;
		CREATE PUBLICATION of_people FOR TABLES IN SCHEMA public});
	# What was decoded with the old publication is skipped as a whole.
	value($subscriber, q{
		ALTER SUBSCRIPTION all_of_it DISABLE;
		ALTER SUBSCRIPTION all_of_it SET (slot_name = none);
		DROP SUBSCRIPTION all_of_it;
		TRUNCATE item, note, tick});
	value($publisher, q{SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active});
	value($subscriber, q{CREATE SUBSCRIPTION of_people CONNECTION '} . $publisher->connstr . q{ dbname=postgres' PUBLICATION of_people});
	wait_until($subscriber, 'SELECT count(*) = 100 FROM item', 'a publication of schemas has what people need');
	is(value($subscriber, q{SELECT count(*) FROM ratchet.status() WHERE component = 'replication'}), 0, 'and nothing to be left out');
};

# How often the job has run, once the subscriber has what the publisher has done, and has told the scheduler.
sub runs_after_all_is_there
{
	my $mark = value($publisher, 'INSERT INTO note (job) VALUES (NULL) RETURNING id');
	wait_until($subscriber, "SELECT max(id) >= $mark FROM note");
	my $marked = value($subscriber, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'marks'});
	value($subscriber, 'INSERT INTO marker DEFAULT VALUES');
	wait_until($subscriber, "SELECT count(*) > $marked FROM ratchet.runs WHERE job_name = 'marks'");
	wait_until($subscriber, q{SELECT count(*) = 0 FROM ratchet.runs WHERE job_name = 'looks' AND status IN ('queued', 'running')});
	return value($subscriber, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'looks'});
}

promise 'a change trigger does not hear of changes that arrive, unless it is made to' => sub {
	value($subscriber, q{
		CREATE TABLE marker ();
		SELECT ratchet.schedule('marks', '@manual', 'SELECT 1');
		SELECT ratchet.schedule('looks', '@manual', 'SELECT 1');
		SELECT ratchet.trigger_on_change('marker', 'marks', debounce => '0');
		SELECT ratchet.trigger_on_change('item', 'looks', debounce => '0')});
	value($publisher, 'INSERT INTO item VALUES (gen_random_uuid(), 1)');
	value($publisher, 'TRUNCATE item');
	is(runs_after_all_is_there(), 0, 'neither rows nor TRUNCATE');
	my $trigger = value($subscriber, q{SELECT trigger_name FROM ratchet.change_triggers WHERE job_name = 'looks'});
	for my $mode ('ALWAYS', 'REPLICA')
	{
		my $before = runs_after_all_is_there();
		value($subscriber, qq{
			ALTER TABLE item ENABLE $mode TRIGGER $trigger;
			SELECT ratchet.trigger_on_change('item', 'looks', debounce => '} . ($mode eq 'ALWAYS' ? 1 : 2) . q{ ms')});
		value($publisher, 'INSERT INTO item VALUES (gen_random_uuid(), 1)');
		is(runs_after_all_is_there(), $before, "ENABLE $mode: not for rows");
		value($publisher, 'TRUNCATE item');
		is(runs_after_all_is_there(), $before + 1, 'for TRUNCATE');
	}
	my $before = runs_after_all_is_there();
	value($publisher, 'CREATE TABLE copied AS SELECT 1 AS id');
	value($subscriber, q{
		CREATE TABLE copied (id int);
		SELECT ratchet.trigger_on_change('copied', 'looks', debounce => '0')});
	value($subscriber, qq{
		ALTER TABLE copied ENABLE ALWAYS TRIGGER $trigger;
		ALTER SUBSCRIPTION of_people REFRESH PUBLICATION});
	wait_until($subscriber, 'SELECT count(*) = 1 FROM copied');
	wait_until($subscriber, qq{SELECT count(*) > $before FROM ratchet.runs WHERE job_name = 'looks'}, 'for the initial copy');
};

value($subscriber, 'DROP SUBSCRIPTION of_people');
finish();
