-- A member of the extension: CREATE EXTENSION fails if somebody else made a schema of this name.
CREATE SCHEMA ratchet;

-- Every script begins with this: a server that still has the library of an earlier version goes on with the
-- extension as it is. @VERSION@ is the version that the script makes.
CREATE FUNCTION ratchet._require_library(version text) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ratchet_require_library';
REVOKE EXECUTE ON FUNCTION ratchet._require_library(text) FROM PUBLIC;
COMMENT ON FUNCTION ratchet._require_library IS
    'internal: an error if the loaded library is of an earlier version than the one that a script makes';
SELECT ratchet._require_library('@VERSION@');

-- Who owns the language could drop it, and by CASCADE what is written in it and the jobs of all. It is a trusted
-- extension: where there is none, whoever owns the database may make it.
DO $$
DECLARE
    owner name := (SELECT r.rolname FROM pg_catalog.pg_extension AS e
                     JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) e.extowner
                    WHERE e.extname OPERATOR(pg_catalog.=) 'plpgsql' AND NOT r.rolsuper);
BEGIN
    IF owner IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('extension "plpgsql" belongs to role "%s", which is no superuser', owner),
            DETAIL = 'That role could drop it, and pg_ratchet with the jobs of all by CASCADE.',
            HINT = pg_catalog.format('Have a superuser own it: by DROP EXTENSION and CREATE EXTENSION, or by REASSIGN OWNED BY %I.', owner);
    END IF;
END $$;
