-- Changes of jobs and queues: append only. As the history of runs, pg_dump leaves them out.

CREATE SEQUENCE ratchet.job_change_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.job_change_id_seq IS 'numbers of changes of jobs and queues';

CREATE TABLE ratchet.job_change (
    change_id  bigint      NOT NULL,
    job_id     bigint      NOT NULL,
    job_name   text        NOT NULL,
    owner      oid         NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,
    action     text        NOT NULL,
    old_values jsonb,
    new_values jsonb,
    PRIMARY KEY (change_id)
);
CREATE INDEX job_change_job_idx ON ratchet.job_change (job_id, change_id);
COMMENT ON TABLE ratchet.job_change IS
    'who has defined, altered or dropped which job or queue, append only; read it through the view ratchet.changes';
COMMENT ON COLUMN ratchet.job_change.owner IS 'whose the job was, and so who sees the row';
COMMENT ON COLUMN ratchet.job_change.changed_by IS
    'the name of the role that did so, as it was then';

ALTER TABLE ratchet.job_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_jobs ON ratchet.job_change FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
GRANT SELECT ON ratchet.job_change TO PUBLIC;
