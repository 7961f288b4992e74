# What somebody can do who has stolen the password of the role that delivers messages.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE postman LOGIN;
	CREATE ROLE was_postman LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO shop;
	SELECT ratchet.grant_sender('postman'), ratchet.grant_sender('was_postman');
	SELECT ratchet.revoke_sender('was_postman');
	CREATE TABLE shop_secret (what text)});
value($node, q{
	SELECT ratchet.create_channel('ops', 'webhook', '{"url": "https://hooks.example.org/x"}');
	SELECT ratchet.create_alert('all', '{ops}');
	SELECT ratchet.schedule('job', '@manual', 'SELECT 1');
	SELECT ratchet.create_queue('plain');
	SELECT ratchet.create_queue('crm', http => '{"url": "https://crm.example.org"}');
	SELECT ratchet.enqueue('plain', '1'), ratchet.enqueue('crm', '2');
	SELECT ratchet.send('ops', 'hello')}, user => 'shop');

promise 'it does its work' => sub {
	my @postman = (user => 'postman');
	is(value($node, q{SELECT c ->> 'channel_name' FROM ratchet.sender_config() AS s, jsonb_array_elements(s -> 'channels') AS c}, @postman), 'ops', 'it knows the channels');
	is(value($node, q{SELECT q ->> 'queue_name' FROM ratchet.sender_config() AS s, jsonb_array_elements(s -> 'http_queues') AS q}, @postman), 'crm', 'and the queues that are requests');
	my $before = value($node, q{SELECT ratchet.sender_config() ->> 'changed'}, @postman);
	is(value($node, q{SELECT ratchet.sender_config() ->> 'changed'}, @postman), $before, 'nothing has changed');
	value($node, q{SELECT ratchet.alter_channel('ops', '{"url": "https://hooks.example.org/y"}')}, user => 'shop');
	isnt(value($node, q{SELECT ratchet.sender_config() ->> 'changed'}, @postman), $before, 'now something has');
	value($node, q{SELECT ratchet.end_delivery(delivery_id, token, 'delivered') FROM ratchet.claim_deliveries('p')}, @postman);
	is(value($node, q{SELECT status FROM ratchet.deliveries}), 'delivered', 'it delivers');
	is(value($node, q{SELECT payload FROM ratchet.claim('crm')}, @postman), '2', 'and claims requests');
	psql_fails($node, q{SELECT * FROM ratchet.claim('plain')}, qr/ERROR:  42501: permission denied for queue/, 'but no other tasks', @postman);
};

promise 'it does nothing else' => sub {
	my @attempts = (
		[ q{SELECT ratchet.create_channel('evil', 'webhook', '{"url": "https://evil.example"}')}, qr/42501: .*delivers messages, and may define nothing/ ],
		[ q{SELECT ratchet.create_alert('evil', '{ops}')}, qr/42501/ ],
		[ q{SELECT ratchet.schedule('evil', '1 second', 'SELECT 1')}, qr/42501: .*delivers messages, and may define nothing/ ],
		[ q{SELECT ratchet.create_queue('evil', 'SELECT $1')}, qr/42501: .*delivers messages, and may define nothing/ ],
		[ q{SELECT ratchet.silence(now() + '1 hour', 'hush')}, qr/42501/ ],
		[ q{SELECT ratchet.alter_channel('ops', '{"url": "https://evil.example"}')}, qr/42501: must be owner of channel/ ],
		[ q{SELECT ratchet.drop_channel('ops')}, qr/42501: must be owner of channel/ ],
		[ q{SELECT ratchet.test_channel('ops')}, qr/42501: must be owner of channel/ ],
		[ q{SELECT ratchet.send('ops', 'spam')}, qr/42501: must be owner of channel/ ],
		[ q{SELECT ratchet.drop_alert('all')}, qr/42501: must be owner of alert/ ],
		[ q{SELECT ratchet.trigger('job')}, qr/42501/ ],
		[ q{SELECT ratchet.enqueue('crm')}, qr/42501/ ],
		[ q{SELECT ratchet.alter_queue('crm', http => '{"url": "https://evil.example"}')}, qr/42501/ ],
		[ q{SELECT ratchet.grant_sender('shop')}, qr/42501/ ],
		[ q{SELECT ratchet.revoke_sender('postman')}, qr/42501/ ],
		[ q{SELECT ratchet.adopt()}, qr/42501/ ],
		[ q{UPDATE ratchet.channel SET config = '{}'}, qr/42501/ ],
		[ q{DELETE FROM ratchet.delivery}, qr/42501/ ],
		[ q{INSERT INTO ratchet.delivery SELECT * FROM ratchet.delivery}, qr/42501/ ],
		[ q{SELECT * FROM shop_secret}, qr/42501/ ]);
	psql_fails($node, $_->[0], $_->[1], $_->[0], user => 'postman') for @attempts;
	value($node, q{GRANT EXECUTE ON FUNCTION ratchet.claim_deliveries TO shop}, user => 'postman');
	psql_fails($node, q{SELECT * FROM ratchet.claim_deliveries('p')}, qr/ERROR:  42501: permission denied for function/, 'what it has it cannot give on', user => 'shop');
	is(value($node, q{SELECT (SELECT count(*) FROM ratchet.jobs) + (SELECT count(*) FROM ratchet.channels) + (SELECT count(*) FROM ratchet.alerts)
		+ (SELECT count(*) FROM ratchet.deliveries) + (SELECT count(*) FROM ratchet.tasks) + (SELECT count(*) FROM ratchet.delivery)
		+ (SELECT count(*) FROM ratchet.channel) + (SELECT count(*) FROM ratchet.queue)}, user => 'postman'), 0, 'and sees no table');
};

promise 'what was taken from a role it has no more, and jobs of it are possible again' => sub {
	psql_fails($node, q{SELECT * FROM ratchet.claim_deliveries('p')}, qr/ERROR:  42501: permission denied for function/, 'it claims nothing', user => 'was_postman');
	psql_fails($node, q{SELECT * FROM ratchet.claim('crm')}, qr/ERROR:  42501: permission denied for queue/, 'nor requests', user => 'was_postman');
	ok(value($node, q{SELECT ratchet.schedule('mine', '@manual', 'SELECT 1')}, user => 'was_postman'), 'and may define a job');
};

promise 'a dump has the grant by its name, and the definitions, and neither incidents nor deliveries' => sub {
	my $dump = $node->basedir . '/dump.sql';
	$node->command_ok([ $node->installed_command('pg_dump'), '-f', $dump, '-d', $node->connstr('postgres') ], 'a dump');
	my $text = PostgreSQL::Test::Utils::slurp_file($dump);
	like($text, qr/GRANT ALL ON FUNCTION ratchet\.claim_deliveries\(.*\) TO postman;/, 'the grant');
	unlike($text, qr/claim_deliveries\(.*\) TO was_postman;/, 'and no other');
	unlike($text, qr/^COPY ratchet\.(delivery|incident) /m, 'neither deliveries nor incidents');
	$node->safe_psql('postgres', 'CREATE DATABASE copy');
	$node->command_ok([ $node->installed_command('psql'), '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'is restored');
	is(value($node, q{SELECT channel_name || ' ' || state FROM ratchet.channels}, db => 'copy'), 'ops held back', 'its channels are held back');
	is(value($node, q{SELECT alert_name || ' ' || quarantined FROM ratchet.alerts}, db => 'copy'), 'all true', 'and its alerts');
	value($node, q{SELECT ratchet.send('ops', 'from the copy')}, db => 'copy', user => 'shop');
	is(value($node, q{SELECT count(*) FROM ratchet.claim_deliveries('p')}, db => 'copy', user => 'postman'), 0, 'it sends nothing');
	value($node, 'SELECT count(*) FROM ratchet.adopt()', db => 'copy');
	is(value($node, q{SELECT channel_name || ' ' || state FROM ratchet.channels}, db => 'copy'), 'ops working', 'before it is adopted');
	is(value($node, q{SELECT message ->> 'subject' FROM ratchet.claim_deliveries('p')}, db => 'copy', user => 'postman'), 'from the copy', 'then it does');
};

promise 'a copy of a database sends nothing of what waits in it' => sub {
	value($node, q{SELECT ratchet.send('ops', 'only here')}, user => 'shop');
	$node->safe_psql('template1', 'CREATE DATABASE twin TEMPLATE postgres');
	is(value($node, q{SELECT count(*) FROM ratchet.claim_deliveries('p')}, db => 'twin', user => 'postman'), 0, 'nothing');
	value($node, 'SELECT count(*) FROM ratchet.adopt()', db => 'twin');
	is(value($node, q{SELECT count(*) FROM ratchet.claim_deliveries('p')}, db => 'twin', user => 'postman'), 0, 'nor when it is adopted');
	is(value($node, q{SELECT status || ' ' || error FROM ratchet.deliveries WHERE subject = 'only here'}, db => 'twin'), 'failed it was written where this copy was taken from', 'which is said');
	is(value($node, q{SELECT message ->> 'subject' FROM ratchet.claim_deliveries('p')}, user => 'postman'), 'only here', 'it is sent where it was written');
};

finish();
