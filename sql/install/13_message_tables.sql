-- The tables of messages: where they go (channel), what is worth one (alert), what is not for now (silence), what has
-- happened (incident), and what is on its way (delivery). Written as those of jobs are (10_tables.sql).

CREATE SEQUENCE ratchet.channel_id_seq AS bigint;
CREATE TABLE ratchet.channel (
    channel_id   bigint      NOT NULL,
    channel_name text        NOT NULL,
    owner        regrole     NOT NULL,
    kind         text        NOT NULL,
    config       jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    failures     integer     NOT NULL,
    rests_until  timestamptz,
    dead_since   timestamptz,
    last_error   text,
    tokens       float8      NOT NULL,
    tokens_at    timestamptz,
    seal         bigint,
    PRIMARY KEY (channel_id)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX channel_name_key ON ratchet.channel (channel_name);
COMMENT ON TABLE ratchet.channel IS
    'where messages go, one row each; read it through the view ratchet.channels';
COMMENT ON COLUMN ratchet.channel.config IS 'secrets are in it by their names only';
COMMENT ON COLUMN ratchet.channel.failures IS 'attempts to deliver that have failed in a row';
COMMENT ON COLUMN ratchet.channel.dead_since IS 'its receiver takes no message any more: nothing is sent before the channel is altered or tested';
COMMENT ON COLUMN ratchet.channel.tokens IS 'messages that could be sent at tokens_at, where it has a rate';

CREATE SEQUENCE ratchet.alert_id_seq AS bigint;
CREATE TABLE ratchet.alert (
    alert_id       bigint      NOT NULL,
    alert_name     text        NOT NULL,
    owner          regrole     NOT NULL,
    channels       text[]      NOT NULL,
    events         text[]      NOT NULL,
    jobs           text[],
    tags           text[],
    queues         text[],
    after_failures integer     NOT NULL CHECK (after_failures >= 1),
    group_wait     interval    NOT NULL,
    repeat_every   interval,
    resolved       boolean     NOT NULL,
    backlog        interval    NOT NULL,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    seal           bigint,
    PRIMARY KEY (alert_id)
);
CREATE UNIQUE INDEX alert_name_key ON ratchet.alert (alert_name);
COMMENT ON TABLE ratchet.alert IS
    'which events are worth a message, and in which channels; read it through the view ratchet.alerts';
COMMENT ON COLUMN ratchet.alert.repeat_every IS 'null: there are no reminders';

CREATE SEQUENCE ratchet.silence_id_seq AS bigint;
CREATE TABLE ratchet.silence (
    silence_id bigint      NOT NULL,
    owner      regrole     NOT NULL,
    until      timestamptz NOT NULL,
    reason     text        NOT NULL,
    jobs       text[],
    tags       text[],
    created_at timestamptz NOT NULL,
    PRIMARY KEY (silence_id)
);
COMMENT ON TABLE ratchet.silence IS
    'for how long there are no messages of which jobs; read it through the view ratchet.silences';

CREATE SEQUENCE ratchet.incident_id_seq AS bigint;
CREATE TABLE ratchet.incident (
    incident_id     bigint      NOT NULL,
    alert_id        bigint      NOT NULL,
    alert_name      text        NOT NULL,
    owner           oid         NOT NULL,
    event           text        NOT NULL,
    job_id          bigint,
    subject         text        NOT NULL,
    opened_at       timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    resolved_at     timestamptz,
    notified_at     timestamptz,
    notices         integer     NOT NULL,
    episode         uuid,
    episode_at      timestamptz,
    flapping        boolean     NOT NULL,
    good_in_a_row   integer     NOT NULL,
    recent          bigint      NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    run_id          bigint,
    occurrences     bigint      NOT NULL,
    details         jsonb,
    closed          boolean     NOT NULL,
    PRIMARY KEY (incident_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX incident_last_idx ON ratchet.incident (last_at);
COMMENT ON TABLE ratchet.incident IS
    'what alerts have found, one row for each time that it was so; read it through the view ratchet.incidents';
COMMENT ON COLUMN ratchet.incident.job_id IS 'of the job, or of the queue; null: it is about the server';
COMMENT ON COLUMN ratchet.incident.notices IS 'messages of its episode so far';
COMMENT ON COLUMN ratchet.incident.episode IS 'of all incidents that are told of in the same messages';
COMMENT ON COLUMN ratchet.incident.recent IS 'the last results, one bit each, by which it is seen to flap';
COMMENT ON COLUMN ratchet.incident.closed IS 'nothing more is to be said of it';

CREATE SEQUENCE ratchet.delivery_id_seq AS bigint;
CREATE TABLE ratchet.delivery (
    delivery_id  bigint      NOT NULL,
    message_id   uuid        NOT NULL,
    channel_id   bigint      NOT NULL,
    channel_name text        NOT NULL,
    owner        oid         NOT NULL,
    notice       text        NOT NULL,
    unique_key   text,
    message      jsonb       NOT NULL,
    status       text        NOT NULL CHECK (status IN ('waiting', 'sending', 'delivered', 'failed')),
    attempts     integer     NOT NULL,
    created_at   timestamptz NOT NULL,
    next_try_at  timestamptz,
    claimed_by   text,
    token        bigint,
    code         integer,
    error        text,
    ended_at     timestamptz,
    tries        jsonb,
    PRIMARY KEY (delivery_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
CREATE UNIQUE INDEX delivery_unique_key_idx ON ratchet.delivery (channel_id, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX delivery_next_try_idx ON ratchet.delivery (channel_id, next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX delivery_ended_idx ON ratchet.delivery (ended_at) WHERE ended_at IS NOT NULL;
COMMENT ON TABLE ratchet.delivery IS
    'messages on their way to a channel, and those that have been delivered or given up; read it through the view ratchet.deliveries';
COMMENT ON COLUMN ratchet.delivery.owner IS 'of the alert or of the job that it is about, or who has sent it';
COMMENT ON COLUMN ratchet.delivery.next_try_at IS 'not before; of one that is being sent: when its sender is given up; null: it has ended';
COMMENT ON COLUMN ratchet.delivery.tries IS 'each attempt: when it has ended, with which code and error';

COMMENT ON SEQUENCE ratchet.channel_id_seq IS 'numbers of channels';
COMMENT ON SEQUENCE ratchet.alert_id_seq IS 'numbers of alerts';
COMMENT ON SEQUENCE ratchet.silence_id_seq IS 'numbers of silences';
COMMENT ON SEQUENCE ratchet.incident_id_seq IS 'numbers of incidents';
COMMENT ON SEQUENCE ratchet.delivery_id_seq IS 'numbers of deliveries';

ALTER TABLE ratchet.channel ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.silence ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.delivery ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_channels ON ratchet.channel FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY own_alerts ON ratchet.alert FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY own_silences ON ratchet.silence FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY own_incidents ON ratchet.incident FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_deliveries ON ratchet.delivery FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));

GRANT SELECT ON ratchet.channel, ratchet.alert, ratchet.silence, ratchet.incident, ratchet.delivery TO PUBLIC;
-- pg_dump reads them, as those of jobs.
GRANT SELECT ON SEQUENCE ratchet.channel_id_seq, ratchet.alert_id_seq, ratchet.silence_id_seq TO PUBLIC;

-- pg_dump carries what was defined. What was written about it, and is on its way, belongs to this server: another
-- one that sent it again would tell of what has not happened there.
SELECT pg_catalog.pg_extension_config_dump('ratchet.channel',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) channel.owner)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.alert',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) alert.owner)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.silence',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) silence.owner)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.channel_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ratchet.alert_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ratchet.silence_id_seq', '');
