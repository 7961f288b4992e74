-- Channels, alerts, silences and messages: what is taken and what is refused.
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
CREATE ROLE ratchet_ops LOGIN;
CREATE ROLE ratchet_ops_member LOGIN IN ROLE ratchet_ops;
CREATE ROLE ratchet_stranger LOGIN;
GRANT USAGE ON SCHEMA ratchet TO ratchet_ops, ratchet_ops_member, ratchet_stranger;
SET SESSION AUTHORIZATION ratchet_ops;

-- A channel of each kind.
SELECT ratchet.create_channel('mail', 'email', '{"to": ["ops@example.org", "boss@example.org"], "from": "db@example.org", "host": "mail.example.org", "user": "db", "password": {"secret": "smtp"}}') > 0 AS created;
SELECT ratchet.create_channel('slack', 'slack', '{"url": {"secret": "slack_ops"}}') > 0 AS created;
SELECT ratchet.create_channel('teams', 'teams', '{"url": {"secret": "teams_ops"}}') > 0 AS created;
SELECT ratchet.create_channel('hook', 'webhook', '{"url": "https://hooks.example.org/a/very/secret/path?key=1", "secret": [{"secret": "new"}, {"secret": "old"}]}') > 0 AS created;
SELECT ratchet.create_channel('pager', 'pagerduty', '{"routing_key": {"secret": "pd"}}') > 0 AS created;
SELECT ratchet.create_channel('hc', 'healthchecks', '{"url": "https://hc.example.org/ping/0b8f", "create": true}') > 0 AS created;
SELECT ratchet.create_channel('am', 'alertmanager', '{"url": "http://am.example.org:9093", "labels": {"team": "db"}}') > 0 AS created;
SELECT ratchet.create_channel('stats', 'statsd', '{"host": "127.0.0.1", "port": 8125, "dogstatsd": true}') > 0 AS created;
-- Nothing that may be a secret is shown.
SELECT channel_name, owner, kind, state, target, waiting, failures FROM ratchet.channels ORDER BY channel_name;

-- What is refused.
SELECT ratchet.create_channel('mail', 'slack', '{"url": {"secret": "x"}}');
SELECT ratchet.create_channel('x', 'smoke', '{}');
SELECT ratchet.create_channel('x', 'slack', NULL);
SELECT ratchet.create_channel('x', 'slack', '[]');
SELECT ratchet.create_channel('x', 'slack', '{}');
SELECT ratchet.create_channel('x', 'slack', '{"url": "https://hooks.slack.com/services/T0/B0/xyz"}');
SELECT ratchet.create_channel('x', 'slack', '{"url": {"secret": "../etc/passwd"}}');
SELECT ratchet.create_channel('x', 'slack', '{"url": {"secret": "s"}, "uri": 1}');
SELECT ratchet.create_channel('x', 'email', '{"to": "a@b@c", "from": "d@e.example", "host": "h"}');
SELECT ratchet.create_channel('x', 'email', '{"to": "a@b.example\r\nBcc: c@d.example", "from": "d@e.example", "host": "h"}');
SELECT ratchet.create_channel('x', 'webhook', '{"url": "ftp://a.example"}');
SELECT ratchet.create_channel('x', 'webhook', '{"url": "https://user:pass@a.example"}');
SELECT ratchet.create_channel('x', 'webhook', '{"url": "https://a.example", "headers": {"Authorization": "Bearer x"}}');
SELECT ratchet.create_channel('x', 'webhook', '{"url": "https://a.example", "rate": "often"}');
SELECT ratchet.create_channel(E'a\nb', 'slack', '{"url": {"secret": "x"}}');
SELECT ratchet.alter_channel('hook', '{"url": "nowhere"}');
SELECT ratchet.alter_channel('nothing');

-- Messages of one's own.
SELECT ratchet.send('hook', 'hello', 'a line', '{"a": 1}') > 0 AS sent;
SELECT ratchet.send('hook', 'once', unique_key => 'k') = ratchet.send('hook', 'twice', unique_key => 'k') AS same;
SELECT ratchet.test_channel('hook') > 0 AS sent;
SELECT channel_name, notice, status, subject, attempts, unique_key, message ->> 'body' AS body, message -> 'details' AS details FROM ratchet.deliveries ORDER BY delivery_id;
SELECT ratchet.send('hook', E'two\nlines');
SELECT ratchet.send('hook', '');
SELECT ratchet.send('hook', repeat('x', 501));
SELECT ratchet.send('hook', 'x', repeat('x', 300000));
SELECT ratchet.send('nothing', 'x');
BEGIN TRANSACTION READ ONLY;
SELECT ratchet.send('hook', 'x');
ROLLBACK;

-- Alerts.
SELECT ratchet.create_alert('all', '{hook,slack}') > 0 AS created;
SELECT ratchet.create_alert('some', '{mail}', '{failed,slow,backlog}', jobs => '{nightly}', tags => '{money}', queues => '{mails}', after_failures => 3,
    group_wait => '1 minute', repeat_every => '1 day', resolved => false, backlog => '10 minutes') > 0 AS created;
SELECT alert_name, owner, channels, events, jobs, tags, queues, after_failures, group_wait, repeat_every, resolved, backlog, open_incidents, quarantined FROM ratchet.alerts ORDER BY alert_id \gx
SELECT ratchet.alter_alert('some', channels => '{slack}', reset => '{tags,repeat_every}');
SELECT channels, tags, repeat_every FROM ratchet.alerts WHERE alert_name = 'some';
SELECT ratchet.create_alert('all', '{hook}');
SELECT ratchet.create_alert('x', '{}');
SELECT ratchet.create_alert('x', '{nothing}');
SELECT ratchet.create_alert('x', '{hook}', '{exploded}');
SELECT ratchet.create_alert('x', '{hook}', '{}');
SELECT ratchet.create_alert('x', '{hook}', after_failures => 0);
SELECT ratchet.create_alert('x', '{hook}', group_wait => '-1 second');
SELECT ratchet.create_alert('x', '{hook}', jobs => '{}');
SELECT ratchet.create_alert('x', '{hook}', '{horizon}');
SELECT ratchet.alter_alert('some', reset => '{channels}');
SELECT ratchet.drop_channel('slack');

-- Silences.
SELECT ratchet.silence('2020-01-01', 'the past');
SELECT ratchet.silence(now() + '2 years', 'for ever');
SELECT ratchet.silence(now() + '1 hour', '');
SELECT ratchet.silence(now() + '1 hour', 'x', jobs => '{nothing}');
SELECT ratchet.silence(now() + '1 hour', 'maintenance', tags => '{money}') AS silence \gset
SELECT owner, reason, jobs, tags, in_force FROM ratchet.silences;
SELECT ratchet.unsilence(:silence), ratchet.unsilence(:silence);

-- Queues whose tasks are requests.
SELECT ratchet.create_queue('crm', http => '{"url": "https://crm.example.org/v1", "method": "POST", "timeout": "10 s", "secret_headers": {"Authorization": "crm_token"}}') > 0 AS created;
SELECT queue_name, handler, http FROM ratchet.queues WHERE queue_name = 'crm';
SELECT ratchet.create_queue('x', 'SELECT $1', http => '{"url": "https://a.example"}');
SELECT ratchet.create_queue('x', http => '{"url": "a.example"}');
SELECT ratchet.create_queue('x', http => '{"url": "https://a.example", "method": "FETCH"}');
SELECT ratchet.create_queue('x', http => '{"url": "https://a.example", "headers": {"Cookie": "a=b"}}');

-- Members may use what is the role's; strangers see and do nothing.
SET SESSION AUTHORIZATION ratchet_ops_member;
SELECT ratchet.send('hook', 'from a member') > 0 AS sent;
SELECT count(*) FROM ratchet.channels;
SET SESSION AUTHORIZATION ratchet_stranger;
SELECT ratchet.send('hook', 'from a stranger');
SELECT ratchet.alter_channel('hook', '{"url": "https://evil.example"}');
SELECT ratchet.drop_channel('hook');
SELECT ratchet.test_channel('hook');
SELECT ratchet.drop_alert('all');
SELECT ratchet.alter_alert('all', channels => '{hook}');
SELECT ratchet.create_alert('x', '{hook}');
SELECT (SELECT count(*) FROM ratchet.channels) + (SELECT count(*) FROM ratchet.alerts) + (SELECT count(*) FROM ratchet.deliveries)
     + (SELECT count(*) FROM ratchet.incidents) + (SELECT count(*) FROM ratchet.silences) AS seen;
SELECT * FROM ratchet.claim_deliveries('x');
SELECT ratchet.end_delivery(1, 1, 'delivered');
SELECT ratchet.sender_config();
SELECT ratchet.grant_sender('ratchet_stranger');

RESET SESSION AUTHORIZATION;
-- The rest of the tests has no channels.
SELECT ratchet.drop_alert(alert_name) FROM ratchet.alerts WHERE alert_name IN ('all', 'some');
SELECT ratchet.drop_channel(channel_name) FROM ratchet.channels WHERE owner = 'ratchet_ops'::regrole;
SELECT ratchet.drop_queue('crm');
REVOKE ALL ON SCHEMA ratchet FROM ratchet_ops, ratchet_ops_member, ratchet_stranger;
DROP ROLE ratchet_ops_member, ratchet_stranger, ratchet_ops;
