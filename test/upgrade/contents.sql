-- What is in the extension, a line for each fact, in an order that does not depend on how it came about: an
-- upgraded installation must be the same as a fresh one (test/tap/290_upgrade.pl).
--
--   psql -XAtq -f test/upgrade/contents.sql
SET search_path = pg_catalog;
WITH
member AS (
    SELECT d.classid, d.objid
      FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_ratchet'),
rel AS (
    SELECT c.*, c.oid::regclass::text AS name
      FROM pg_class c
     WHERE c.oid IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
        -- indexes, identity sequences and TOAST tables are not members themselves
        OR EXISTS (SELECT FROM pg_depend d JOIN member m ON m.classid = d.refclassid AND m.objid = d.refobjid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                      AND d.refclassid = 'pg_class'::regclass)
        OR EXISTS (SELECT FROM pg_depend d JOIN pg_constraint k ON k.oid = d.refobjid
                                           JOIN member m ON m.objid = k.conrelid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_constraint'::regclass AND m.classid = 'pg_class'::regclass)),
rights AS (  -- as a set: GRANT and REVOKE leave them in the order in which they were made
    SELECT object, string_agg(r, ' ' ORDER BY r) AS list
      FROM (SELECT 'relation ' || name AS object, unnest(relacl)::text AS r FROM rel
            UNION ALL
            SELECT 'function ' || p.oid::regprocedure, unnest(p.proacl)::text
              FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
            UNION ALL
            SELECT 'schema ' || nspname, unnest(nspacl)::text FROM pg_namespace WHERE nspname = 'ratchet'
            UNION ALL  -- what pg_dump takes for granted
            SELECT 'initial ' || (pg_identify_object(i.classoid, i.objoid, i.objsubid)).identity, unnest(i.initprivs)::text
              FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid) a
     GROUP BY object)
SELECT fact FROM (
SELECT 'member ' || (pg_identify_object(classid, objid, 0)).type || ' ' || (pg_identify_object(classid, objid, 0)).identity AS fact
  FROM member
UNION ALL
SELECT format('comment on %s: %s', (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity, d.description)
  FROM pg_description d JOIN member m ON m.classid = d.classoid AND m.objid = d.objoid
UNION ALL
SELECT 'rights ' || object || ': ' || list FROM rights
UNION ALL
SELECT format('extension %s %s schema=%s relocatable=%s', extname, extversion, extnamespace::regnamespace, extrelocatable)
  FROM pg_extension WHERE extname = 'pg_ratchet'
UNION ALL
SELECT format('dumped %s where "%s"', c.name::regclass, c.condition)
  FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS c (name, condition) WHERE e.extname = 'pg_ratchet'
UNION ALL
SELECT format('relation %s %s persistence=%s access=%s options=%s rls=%s,%s replica=%s', name, relkind, relpersistence,
              (SELECT amname FROM pg_am a WHERE a.oid = relam), (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o),
              relrowsecurity, relforcerowsecurity, relreplident)
  FROM rel WHERE relnamespace <> 'pg_toast'::regnamespace  -- named by OIDs
UNION ALL
SELECT format('column %s %s %s %s%s default=%s identity=%s generated=%s storage=%s compression=%s collation=%s statistics=%s rights=%s',
              r.name, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
              pg_get_expr(f.adbin, f.adrelid), a.attidentity, a.attgenerated, a.attstorage, a.attcompression,
              nullif(a.attcollation, 0)::regcollation, nullif(a.attstattarget, -1), a.attacl)
  FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
             LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
 WHERE r.relkind NOT IN ('i', 'I', 't')
UNION ALL
SELECT format('constraint %s on %s: %s', k.conname, r.name, pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN rel r ON r.oid = k.conrelid
UNION ALL
SELECT format('index: %s, valid=%s', pg_get_indexdef(i.indexrelid), i.indisvalid)
  FROM pg_index i JOIN rel r ON r.oid = i.indrelid WHERE r.relkind = 'r'
UNION ALL
SELECT format('view %s: %s', name, pg_get_viewdef(oid)) FROM rel WHERE relkind = 'v'
UNION ALL
SELECT format('rule %s on %s: %s', u.rulename, r.name, pg_get_ruledef(u.oid))
  FROM pg_rewrite u JOIN rel r ON r.oid = u.ev_class WHERE r.relkind <> 'v'
UNION ALL
SELECT format('trigger on %s: %s enabled=%s', r.name, pg_get_triggerdef(t.oid), t.tgenabled)
  FROM pg_trigger t JOIN rel r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('policy %s on %s for %s permissive=%s to %s using %s check %s', p.polname, r.name, p.polcmd, p.polpermissive,
              (SELECT string_agg(o::regrole::text, ',' ORDER BY o::regrole::text) FROM unnest(p.polroles) o),
              pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN rel r ON r.oid = p.polrelid
UNION ALL
SELECT format('sequence %s: %s', r.name, (s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle))
  FROM pg_sequence s JOIN rel r ON r.oid = s.seqrelid
UNION ALL
SELECT format('function: %s', CASE WHEN p.prokind = 'a' THEN p.oid::regprocedure::text ELSE pg_get_functiondef(p.oid) END)
  FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
UNION ALL
SELECT format('type %s %s base=%s default=%s labels=%s', t.oid::regtype, t.typtype, nullif(t.typbasetype, 0)::regtype, t.typdefault,
              (SELECT string_agg(l.enumlabel, ',' ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid))
  FROM pg_type t JOIN member m ON m.objid = t.oid AND m.classid = 'pg_type'::regclass
) facts
ORDER BY fact COLLATE "C";
