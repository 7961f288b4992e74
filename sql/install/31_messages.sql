-- Messages: channels, and what is sent through them.

CREATE FUNCTION ratchet.create_channel(channel_name text, kind text, config jsonb)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_create_channel';
COMMENT ON FUNCTION ratchet.create_channel IS
    'defines where messages go: kind is email, slack, teams, webhook, pagerduty, healthchecks, alertmanager or statsd; secrets are named in config, as {"secret": "name"}; returns channel_id';

CREATE FUNCTION ratchet.alter_channel(channel_name text, config jsonb DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_alter_channel';
COMMENT ON FUNCTION ratchet.alter_channel IS
    'gives a channel another configuration, and lets messages go to it again when it was dead; without one it does only that';

CREATE FUNCTION ratchet.drop_channel(channel_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_drop_channel';
COMMENT ON FUNCTION ratchet.drop_channel IS
    'drops a channel with the messages that wait for it; not while an alert or the heartbeat of a job sends to it';

CREATE FUNCTION ratchet.send(
    channel_name text,
    subject      text,
    body         text  DEFAULT NULL,
    details      jsonb DEFAULT NULL,
    unique_key   text  DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_send';
COMMENT ON FUNCTION ratchet.send IS
    'sends a message once the transaction has committed; a second one with the same unique_key is not sent, and is that one; returns delivery_id';

CREATE FUNCTION ratchet.test_channel(channel_name text)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_test_channel';
COMMENT ON FUNCTION ratchet.test_channel IS
    'sends a message that says that it is a test, also to a channel that is dead; returns delivery_id';

-- For senders: the roles that ratchet.grant_sender() names, and superusers ---------------------------

CREATE FUNCTION ratchet.claim_deliveries(
    sender          text,
    max_deliveries  integer  DEFAULT 32,
    lease           interval DEFAULT '1 minute',
    wait            interval DEFAULT '0',
    client_version  text     DEFAULT NULL,
    missing_secrets text[]   DEFAULT NULL,
    OUT delivery_id  bigint,
    OUT token        bigint,
    OUT message_id   uuid,
    OUT channel_name text,
    OUT kind         text,
    OUT config       jsonb,
    OUT message      jsonb,
    OUT attempt      integer,
    OUT created_at   timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 32 SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_claim_deliveries';
COMMENT ON FUNCTION ratchet.claim_deliveries IS
    'for senders: takes messages that are to be delivered for as long as lease, and waits for some if there are none; tells the server who delivers';

CREATE FUNCTION ratchet.end_delivery(
    delivery_id bigint,
    token       bigint,
    outcome     text,
    code        integer  DEFAULT NULL,
    error       text     DEFAULT NULL,
    retry_in    interval DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_end_delivery';
COMMENT ON FUNCTION ratchet.end_delivery IS
    'for senders: what became of a message that was claimed: delivered, retry, or failed for good; an error when it is not in the caller''s hands any more';

CREATE FUNCTION ratchet.end_deliveries(
    delivery_ids bigint[],
    tokens       bigint[],
    outcomes     text[],
    codes        integer[]  DEFAULT NULL,
    errors       text[]     DEFAULT NULL,
    retry_ins    interval[] DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_end_deliveries';
COMMENT ON FUNCTION ratchet.end_deliveries IS
    'as ratchet.end_delivery() does for one, for several messages: all of them or none';

CREATE FUNCTION ratchet.extend_delivery(delivery_id bigint, token bigint, lease interval)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_extend_delivery';
COMMENT ON FUNCTION ratchet.extend_delivery IS
    'for senders: a message that was claimed stays in the caller''s hands for this long from now';

CREATE FUNCTION ratchet.sender_config()
RETURNS jsonb
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_sender_config';
COMMENT ON FUNCTION ratchet.sender_config IS
    'for senders: the channels, and the queues whose tasks are requests; "changed" is another number when something of it has changed';

REVOKE EXECUTE ON FUNCTION
    ratchet.claim_deliveries(text, integer, interval, interval, text, text[]),
    ratchet.end_delivery(bigint, bigint, text, integer, text, interval),
    ratchet.end_deliveries(bigint[], bigint[], text[], integer[], text[], interval[]),
    ratchet.extend_delivery(bigint, bigint, interval),
    ratchet.sender_config()
FROM PUBLIC;

-- What a role may do is what its privileges are: pg_dump takes them along, and nothing else keeps them.
CREATE FUNCTION ratchet.grant_sender(role regrole) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA ratchet TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION'
        ' ratchet.claim_deliveries(text, integer, interval, interval, text, text[]),'
        ' ratchet.end_delivery(bigint, bigint, text, integer, text, interval),'
        ' ratchet.end_deliveries(bigint[], bigint[], text[], integer[], text[], interval[]),'
        ' ratchet.extend_delivery(bigint, bigint, interval),'
        ' ratchet.sender_config() TO %s', role);
END $$;
COMMENT ON FUNCTION ratchet.grant_sender IS
    'lets a role deliver messages, and do the tasks of queues that are requests: what ratchet send needs, and nothing else';

CREATE FUNCTION ratchet.revoke_sender(role regrole) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('REVOKE EXECUTE ON FUNCTION'
        ' ratchet.claim_deliveries(text, integer, interval, interval, text, text[]),'
        ' ratchet.end_delivery(bigint, bigint, text, integer, text, interval),'
        ' ratchet.end_deliveries(bigint[], bigint[], text[], integer[], text[], interval[]),'
        ' ratchet.extend_delivery(bigint, bigint, interval),'
        ' ratchet.sender_config() FROM %s', role);
END $$;
COMMENT ON FUNCTION ratchet.revoke_sender IS
    'takes back what ratchet.grant_sender() has given, but for USAGE on schema ratchet, which the role may have for something else';

REVOKE EXECUTE ON FUNCTION ratchet.grant_sender(regrole), ratchet.revoke_sender(regrole) FROM PUBLIC;
