-- Days that jobs leave out (option "calendar"): holidays, say. Who may write them is a matter of GRANT.

CREATE TABLE ratchet.calendar_days (
    calendar text NOT NULL,
    day      date NOT NULL,
    comment  text,
    PRIMARY KEY (calendar, day)
);
COMMENT ON TABLE ratchet.calendar_days IS
    'days on which no occurrence is due of the jobs that name the calendar, in the time zone of the job';
COMMENT ON COLUMN ratchet.calendar_days.calendar IS 'the name that jobs give in their option calendar';
COMMENT ON COLUMN ratchet.calendar_days.comment IS 'what the day is';

-- Everybody's days; GRANT decides who writes them.
ALTER TABLE ratchet.calendar_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON ratchet.calendar_days USING (true) WITH CHECK (true);
GRANT SELECT ON ratchet.calendar_days TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('ratchet.calendar_days', '');

CREATE TRIGGER tables_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ratchet.calendar_days
    FOR EACH STATEMENT EXECUTE FUNCTION ratchet._tables_changed();
-- For those that a subscription brings, which fires no other triggers of statements.
CREATE TRIGGER tables_changed_elsewhere
    AFTER INSERT OR UPDATE OR DELETE ON ratchet.calendar_days
    FOR EACH ROW EXECUTE FUNCTION ratchet._tables_changed();
ALTER TABLE ratchet.calendar_days ENABLE REPLICA TRIGGER tables_changed_elsewhere;
