# Queues when their server or their database goes: a standby is promoted, a database is dropped by force while its tasks are in
# hand, and made again. What was done before is not done again, and who has a token still has it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use RatchetTest;
use Test::More;

my $primary = new_node('primary', init => [ allows_streaming => 1 ], conf => "log_statement = none\nwal_receiver_status_interval = 1\n");
my $define = q{
	CREATE TABLE sent (parcel uuid NOT NULL, attempt int NOT NULL);
	SELECT ratchet.create_queue('parcels', $$INSERT INTO sent SELECT ($1->>'id')::uuid, ratchet.task_attempt() FROM pg_sleep(0.003)$$, batch_size => 20);
	SELECT ratchet.create_queue('letters', retention => '1 day')};
my $enqueue = q{SELECT ratchet.enqueue_many('parcels', array_agg(jsonb_build_object('id', gen_random_uuid()))) FROM generate_series(1, 600)};
value($primary, $define);

promise 'a synchronous standby that is promoted goes on behind the last batch, and knows the tokens' => sub {
	$primary->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($primary, 'copy', has_streaming => 1);
	watch_log($standby);
	$standby->start;
	$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
	$primary->reload;
	wait_until($primary, q{SELECT sync_state = 'sync' FROM pg_stat_replication}, 'the standby is synchronous');
	psql_fails($standby, $_, qr/25006/, "not on a standby: $_") for q{SELECT ratchet.enqueue('letters')}, q{SELECT * FROM ratchet.claim('letters')}, q{SELECT ratchet.complete(1, 1)};
	value($primary, q{SELECT ratchet.enqueue_many('letters', '{1,2,3}')});
	my %token = map { split /\|/ } split /\n/, value($primary, q{SELECT task_id, token FROM ratchet.claim('letters', 3, lease => '1 hour')});
	my ($done, $in_hand, $failed) = sort { $a <=> $b } keys %token;
	value($primary, "SELECT ratchet.complete($done, $token{$done})");
	value($primary, $enqueue);
	wait_until($primary, 'SELECT count(*) > 100 FROM sent', 'some are done');
	$primary->stop('immediate');
	$standby->promote;
	wait_until($standby, 'SELECT count(*) >= 600 FROM sent', 'the rest is done there');
	wait_until($standby, q{SELECT count(*) = 0 FROM ratchet.tasks WHERE queue_name = 'parcels'}, 'all have ended');
	is(value($standby, 'SELECT count(*), count(DISTINCT parcel), max(attempt) FROM sent'), '600|600|1', 'each once, at the first attempt');
	is(value($standby, q{SELECT count(*) FROM ratchet.claim('letters', 3)}), 0, 'what consumers have in hand is given to nobody else');
	value($standby, "SELECT ratchet.complete($in_hand, $token{$in_hand}), ratchet.fail($failed, $token{$failed}, 'no stamp', discard => true)");
	psql_fails($standby, "SELECT ratchet.complete($done, $token{$done})", qr/55000/, 'what was done is done there as well');
	is(value($standby, q{SELECT string_agg(state, ' ' ORDER BY task_id) FROM ratchet.tasks WHERE queue_name = 'letters'}), 'completed completed dead', 'they complete and fail by their tokens');
	$standby->stop('fast');
};

promise 'a database with tasks in hand is dropped by force, and begins anew under its name' => sub {
	$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
	$primary->start;
	wait_until($primary, q{SELECT count(*) = 0 FROM ratchet.tasks WHERE queue_name = 'parcels'}, 'the queue of another database is at rest');
	for my $round (1, 2)
	{
		value($primary, 'CREATE DATABASE shop');
		value($primary, "CREATE EXTENSION pg_ratchet; $define; $enqueue", db => 'shop');
		value($primary, q{SELECT ratchet.enqueue('letters', '1')}, db => 'shop');
		my ($claimed, $waiting) = map { session($primary, db => 'shop') } 1, 2;
		is($claimed->query_safe(q{BEGIN; SELECT count(*) FROM ratchet.claim('letters', wait => '1 minute')}), 1, "round $round: one is claimed");
		$waiting->query_until(qr/waiting/, "\\echo waiting\nSELECT * FROM ratchet.claim('letters', wait => '1 hour');\n");
		wait_until($primary, 'SELECT count(*) > 20 FROM sent', "round $round: some are done", db => 'shop');
		value($primary, 'DROP DATABASE shop WITH (FORCE)');
		check_board($primary, "round $round: the board");
		eval { $_->quit } for $waiting, $claimed;
	}
	value($primary, "TRUNCATE sent; $enqueue");
	wait_until($primary, 'SELECT count(*) = 600 FROM sent', 'the other database goes on');
};

promise 'an extension that is dropped with tasks in hand leaves nothing to the next one' => sub {
	value($primary, $enqueue);
	wait_until($primary, 'SELECT count(*) > 650 FROM sent', 'some are done');
	value($primary, q{DROP EXTENSION pg_ratchet; TRUNCATE sent; CREATE EXTENSION pg_ratchet});
	value($primary, q{SELECT ratchet.create_queue('parcels', $$INSERT INTO sent VALUES (($1->>'id')::uuid, ratchet.task_attempt())$$)});
	value($primary, $enqueue);
	wait_until($primary, 'SELECT count(*) >= 600 FROM sent', 'the new ones are done');
	wait_until($primary, 'SELECT count(*) = 0 FROM ratchet.task', 'none is left');
	is(value($primary, 'SELECT count(*), count(DISTINCT parcel) FROM sent'), '600|600', 'each once, and none of the old ones');
};

finish();
