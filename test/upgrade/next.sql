-- What a next version may change, for the rehearsal (script/next-version): the install script of that version
-- has this in it, and the upgrade script is this.

-- A table that the library reads gets a column, and there is a new table with a sequence of its own.
ALTER TABLE ratchet.run_log ADD COLUMN remark text;
COMMENT ON COLUMN ratchet.run_log.remark IS 'what somebody has said about the run';

CREATE TABLE ratchet.remark_author (
    author_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    author    regrole NOT NULL UNIQUE CHECK (author <> 0)
);
ALTER TABLE ratchet.remark_author ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON ratchet.remark_author FOR SELECT USING (true);
GRANT SELECT ON ratchet.remark_author TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('ratchet.remark_author', '');

-- A view gets a column, an internal function another body, and one that is called other arguments.
CREATE OR REPLACE VIEW ratchet.failed_items WITH (security_invoker = true) AS
SELECT f.run_id, f.job_name, coalesce(f.item, f.key) AS item, f.sqlstate, f.error, f.attempts, f.failed_at, f.resolved_at,
       f.error_detail, f.key, f.job_id, f.item_id, f.resolved_by, f.owner::regrole AS owner,
       pg_catalog.now() OPERATOR(pg_catalog.-) f.failed_at AS age
  FROM ratchet.failed_item f;

CREATE OR REPLACE FUNCTION ratchet._search_path_of(role name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$SELECT pg_catalog.concat('"$user", public', role OPERATOR(pg_catalog.||) '')$$;

DROP FUNCTION ratchet.describe_schedule(text);
CREATE FUNCTION ratchet.describe_schedule(schedule text, time_zone text DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_describe_schedule';
COMMENT ON FUNCTION ratchet.describe_schedule IS 'a schedule in words, such as "at 09:00 on Monday"';
