-- Who may write the tables. Their rows say which command runs as which role: whoever wrote them could run
-- anything as anybody. GRANT and row-level security keep ordinary roles out, but not a role with
-- pg_write_all_data that bypasses row-level security, as one that loads data may. So these triggers ask
-- for a superuser, such as one that restores a dump. The library writes below the executor, and fires
-- none of them. ALWAYS: also where session_replication_role is "replica".
--
-- And for subscriptions: what another server has written of its jobs is left out here.

CREATE FUNCTION ratchet._superusers_only() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_superusers_only';
COMMENT ON FUNCTION ratchet._superusers_only IS
    'internal: refuses what anybody but a superuser writes to the tables by hand, and leaves out what a subscription brings';
REVOKE EXECUTE ON FUNCTION ratchet._superusers_only() FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    -- All tables but that in which people write themselves.
    FOR name IN SELECT c.relname FROM pg_catalog.pg_class c
                 WHERE c.relnamespace OPERATOR(pg_catalog.=) 'ratchet'::pg_catalog.regnamespace
                   AND c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relname OPERATOR(pg_catalog.<>) 'calendar_days'
                 ORDER BY c.oid LOOP
        EXECUTE format('CREATE TRIGGER superusers_only BEFORE INSERT OR UPDATE OR DELETE ON ratchet.%1$I '
                       'FOR EACH ROW EXECUTE FUNCTION ratchet._superusers_only(); '
                       'CREATE TRIGGER superusers_truncate BEFORE TRUNCATE ON ratchet.%1$I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ratchet._superusers_only(); '
                       'ALTER TABLE ratchet.%1$I ENABLE ALWAYS TRIGGER superusers_only, '
                       'ENABLE ALWAYS TRIGGER superusers_truncate', name);
    END LOOP;
END $$;
