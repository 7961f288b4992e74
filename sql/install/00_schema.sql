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
