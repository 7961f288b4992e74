-- Alerts, silences and incidents.

CREATE FUNCTION ratchet.create_alert(
    alert_name     text,
    channels       text[],
    events         text[]   DEFAULT '{failed,crashed,timed_out,late,missed}',
    jobs           text[]   DEFAULT NULL,
    tags           text[]   DEFAULT NULL,
    queues         text[]   DEFAULT NULL,
    after_failures integer  DEFAULT 1,
    group_wait     interval DEFAULT '30 seconds',
    repeat_every   interval DEFAULT '4 hours',
    resolved       boolean  DEFAULT true,
    backlog        interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_create_alert';
COMMENT ON FUNCTION ratchet.create_alert IS
    'defines which events are worth a message and in which channels: of the jobs and queues that are named, or have one of the tags, or of all that the caller may manage; returns alert_id';

CREATE FUNCTION ratchet.alter_alert(
    alert_name     text,
    channels       text[]   DEFAULT NULL,
    events         text[]   DEFAULT NULL,
    jobs           text[]   DEFAULT NULL,
    tags           text[]   DEFAULT NULL,
    queues         text[]   DEFAULT NULL,
    after_failures integer  DEFAULT NULL,
    group_wait     interval DEFAULT NULL,
    repeat_every   interval DEFAULT NULL,
    resolved       boolean  DEFAULT NULL,
    backlog        interval DEFAULT NULL,
    reset          text[]   DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_alter_alert';
COMMENT ON FUNCTION ratchet.alter_alert IS
    'changes what is given and leaves the rest of an alert as it is; reset names what is to be none: jobs, tags, queues, repeat_every';

CREATE FUNCTION ratchet.drop_alert(alert_name text)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_drop_alert';
COMMENT ON FUNCTION ratchet.drop_alert IS 'drops an alert; of what it has found nothing more is said';

CREATE FUNCTION ratchet.silence(until timestamptz, reason text, jobs text[] DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_silence';
COMMENT ON FUNCTION ratchet.silence IS
    'holds all messages of alerts back until then, of the jobs that are named or have one of the tags, or of all that the caller may manage; returns silence_id';

CREATE FUNCTION ratchet.unsilence(silence_id bigint)
RETURNS boolean
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_unsilence';
COMMENT ON FUNCTION ratchet.unsilence IS 'ends a silence; false: there is none of this number';

CREATE FUNCTION ratchet.acknowledge(incident_id bigint)
RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_acknowledge';
COMMENT ON FUNCTION ratchet.acknowledge IS 'somebody looks at an incident: there are no more reminders of it, and its end is still told';
