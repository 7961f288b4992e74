-- What the tables would give away, or have held up, beside privileges and row-level security.
--
-- EXPLAIN estimates for everybody by the same statistics, and tells what is in them to who compares often enough.
-- So there are none of what jobs and runs say: of texts only those of names of jobs, and of words of the library.
-- Days are for everybody to read.
--
-- USAGE on the row types of the tables stays with everybody, as it is by default: revoked by the script of an
-- extension, it would have pg_dump 15 warn of an "unsupported pg_init_privs entry" for each of them, in every dump.

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', c.oid::regclass, a.attname)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'ratchet'::regnamespace AND c.relkind = 'r' AND c.relname <> 'calendar_days'
           AND a.attnum > 0 AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype, 'bytea'::regtype, 'regclass[]'::regtype)
           AND a.attname NOT IN ('job_name', 'status', 'cause')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
