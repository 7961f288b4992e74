-- Views of messages: for the owner and members of that, superusers and pg_monitor.

CREATE FUNCTION ratchet._is_channel_held(channel_id bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_is_channel_held';
COMMENT ON FUNCTION ratchet._is_channel_held IS 'internal: whether a channel that the caller may see is held back until ratchet.adopt()';
CREATE FUNCTION ratchet._is_alert_held(alert_id bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'ratchet_is_alert_held';
COMMENT ON FUNCTION ratchet._is_alert_held IS 'internal: whether an alert that the caller may see is held back until ratchet.adopt()';

CREATE VIEW ratchet.channels WITH (security_invoker = true) AS
SELECT c.channel_id, c.channel_name, c.owner, c.kind,
       CASE WHEN ratchet._is_channel_held(c.channel_id) THEN 'held back'
            WHEN c.dead_since IS NOT NULL THEN 'dead'
            WHEN c.rests_until > clock_timestamp() THEN 'resting'
            WHEN c.failures > 0 THEN 'failing'
            ELSE 'working' END AS state,
       CASE c.kind
            WHEN 'email' THEN coalesce((SELECT string_agg(t.address, ', ') FROM jsonb_array_elements_text(
                CASE jsonb_typeof(c.config -> 'to') WHEN 'array' THEN c.config -> 'to' END) AS t (address)), c.config ->> 'to')
            WHEN 'statsd' THEN c.config ->> 'host'
            ELSE CASE WHEN jsonb_typeof(c.config -> 'url') = 'string'
                      THEN substring(c.config ->> 'url' FROM '^[A-Za-z]+://[^/?#]*')
                      ELSE 'secret ' || coalesce(c.config #>> '{url,secret}', c.config #>> '{routing_key,secret}') END
       END AS target,
       (SELECT count(*) FROM ratchet.delivery d WHERE d.channel_id = c.channel_id AND d.next_try_at IS NOT NULL) AS waiting,
       c.failures, c.rests_until, c.dead_since, c.last_error, c.created_at, c.changed_at
  FROM ratchet.channel c;
COMMENT ON VIEW ratchet.channels IS 'where messages go, without what is secret about it';
COMMENT ON COLUMN ratchet.channels.state IS
    'working; failing: the last message was not taken; resting: nothing is sent for a while, because several were not; dead: nothing is sent before it is altered or tested; held back until ratchet.adopt()';
COMMENT ON COLUMN ratchet.channels.target IS 'of a URL the host alone, for the rest of it may be a secret';
COMMENT ON COLUMN ratchet.channels.waiting IS 'messages that are to be delivered';
COMMENT ON COLUMN ratchet.channels.failures IS 'attempts to deliver that have failed in a row';

CREATE VIEW ratchet.alerts WITH (security_invoker = true) AS
SELECT a.alert_id, a.alert_name, a.owner, a.channels, a.events, a.jobs, a.tags, a.queues, a.after_failures,
       a.group_wait, a.repeat_every, a.resolved, a.backlog,
       (SELECT count(*) FROM ratchet.incident i WHERE i.alert_id = a.alert_id AND NOT i.closed AND i.resolved_at IS NULL) AS open_incidents,
       ratchet._is_alert_held(a.alert_id) AS quarantined, a.created_at, a.changed_at
  FROM ratchet.alert a;
COMMENT ON VIEW ratchet.alerts IS 'which events are worth a message, and in which channels';
COMMENT ON COLUMN ratchet.alerts.jobs IS 'null, with tags and queues null: all that its owner may manage';
COMMENT ON COLUMN ratchet.alerts.repeat_every IS 'null: there are no reminders';
COMMENT ON COLUMN ratchet.alerts.quarantined IS 'held back until ratchet.adopt(): it was restored, or written by hand';

CREATE VIEW ratchet.silences WITH (security_invoker = true) AS
SELECT s.silence_id, s.owner, s.until, s.reason, s.jobs, s.tags, s.until > clock_timestamp() AS in_force, s.created_at
  FROM ratchet.silence s;
COMMENT ON VIEW ratchet.silences IS 'of which jobs there are no messages for now';

CREATE VIEW ratchet.incidents WITH (security_invoker = true) AS
SELECT i.incident_id, i.alert_name, i.event, i.subject,
       CASE WHEN i.resolved_at IS NOT NULL THEN 'resolved'
            WHEN i.flapping THEN 'flapping'
            WHEN i.acknowledged_at IS NOT NULL THEN 'acknowledged'
            WHEN i.notices > 0 THEN 'notified'
            ELSE 'open' END AS state,
       i.opened_at, i.notified_at, i.acknowledged_at, i.acknowledged_by, i.resolved_at,
       coalesce(i.resolved_at, clock_timestamp()) - i.opened_at AS duration,
       i.last_at, i.occurrences, i.notices, i.flapping, i.run_id, i.job_id, i.details, i.episode,
       i.owner::regrole AS owner
  FROM ratchet.incident i;
COMMENT ON VIEW ratchet.incidents IS 'what alerts have found, one row each time, from when it began until it was over';
COMMENT ON COLUMN ratchet.incidents.state IS
    'open: nobody was told; notified; acknowledged: there are no reminders; flapping: it comes and goes; resolved';
COMMENT ON COLUMN ratchet.incidents.notified_at IS 'of the last message about it; null: it was over before one was due, or is silenced';
COMMENT ON COLUMN ratchet.incidents.occurrences IS 'how often it was found';
COMMENT ON COLUMN ratchet.incidents.notices IS 'messages of its episode so far, in each channel';
COMMENT ON COLUMN ratchet.incidents.run_id IS 'the last run in which it was found';
COMMENT ON COLUMN ratchet.incidents.episode IS 'the same in all messages about it, and for all incidents that are told of together';

CREATE VIEW ratchet.deliveries WITH (security_invoker = true) AS
SELECT d.delivery_id, d.channel_name, d.notice, d.status, d.message ->> 'subject' AS subject,
       d.attempts, d.code, d.error, d.created_at,
       CASE WHEN d.status = 'waiting' THEN d.next_try_at END AS next_try_at,
       CASE WHEN d.status = 'sending' THEN d.claimed_by END AS sender,
       d.ended_at, d.tries, d.message_id, d.unique_key, d.message, d.owner::regrole AS owner
  FROM ratchet.delivery d;
COMMENT ON VIEW ratchet.deliveries IS 'messages on their way to a channel, and those that were delivered or given up of late';
COMMENT ON COLUMN ratchet.deliveries.status IS 'waiting, sending, delivered or failed';
COMMENT ON COLUMN ratchet.deliveries.error IS 'of the last attempt';
COMMENT ON COLUMN ratchet.deliveries.tries IS 'each attempt that has ended: when, with which code and error';
COMMENT ON COLUMN ratchet.deliveries.message_id IS 'by which the receiver knows it: the same in all attempts';
COMMENT ON COLUMN ratchet.deliveries.owner IS 'of the alert, or of the job that it is about, or who has sent it';

GRANT SELECT ON ratchet.channels, ratchet.alerts, ratchet.silences, ratchet.incidents, ratchet.deliveries TO PUBLIC;
