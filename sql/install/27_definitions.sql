-- Job definitions as data.

CREATE FUNCTION ratchet.export_jobs() RETURNS jsonb
LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ratchet_export_jobs';
COMMENT ON FUNCTION ratchet.export_jobs IS
    'the definitions of all jobs and queues that the caller may manage, by name, with the options that are not at their defaults: what ratchet.apply_jobs() takes';

CREATE FUNCTION ratchet.apply_jobs(
    jobs    jsonb,
    prune   boolean DEFAULT false,
    dry_run boolean DEFAULT false,
    OUT job_name text, OUT change text, OUT detail text)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 20 AS 'MODULE_PATHNAME', 'ratchet_apply_jobs';
COMMENT ON FUNCTION ratchet.apply_jobs IS
    'defines each job of the document as ratchet.schedule() does, and each queue as ratchet.create_queue() does; prune drops the jobs that the caller may manage and that are not in it; dry_run changes nothing; tells for each job whether it was created, changed, dropped or unchanged, and which options have changed';

-- The jobs of pg_cron ---------------------------------------------------------------------------

CREATE FUNCTION ratchet._from_pg_cron(schedule text, OUT converted text, OUT remark text)
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields text[] := regexp_split_to_array(btrim(schedule, E' \t\n'), '\s+');
    remarks text[] := '{}';
BEGIN
    IF schedule ~* '^\s*[1-9][0-9]?\s+seconds?\s*$' THEN
        converted := lower(array_to_string(fields, ' '));
        RETURN;
    END IF;
    IF fields[1] LIKE '@%' THEN
        converted := CASE fields[1]
            WHEN '@reboot' THEN '@startup' WHEN '@restart' THEN '@startup'
            WHEN '@annually' THEN '@yearly' WHEN '@midnight' THEN '@daily' ELSE fields[1] END;
        RETURN;
    END IF;
    IF cardinality(fields) > 5 THEN
        remarks := remarks || format('pg_cron reads five fields and ignores "%s", and so does this',
                                     array_to_string(fields[6:], ' '));
        fields := fields[1:5];
    END IF;
    IF fields[3] LIKE '%$%' THEN
        fields[3] := replace(fields[3], '$', 'L');
        remarks := remarks || 'the last day of the month is "L" here'::text;
    END IF;
    IF array_to_string(fields, ' ') ~ '(^|[ ,])[0-9]+/' THEN
        remarks := remarks || 'a step without a range, such as 5/10, goes from there to the end of the field; pg_cron does not know it'::text;
    END IF;
    IF fields[5] ~* '-(sun|0)' THEN
        remarks := remarks || 'a range of days that ends with Sunday means those days; pg_cron has no clear meaning for it'::text;
    END IF;
    converted := array_to_string(fields, ' ');
    remark := nullif(array_to_string(remarks, '; '), '');
END $$;
COMMENT ON FUNCTION ratchet._from_pg_cron IS
    'internal: a schedule of pg_cron as one of ours, and where the two are read differently';

CREATE FUNCTION ratchet._search_path_of(role name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT substr(setting, length('search_path=') + 1)
           FROM pg_db_role_setting s
          CROSS JOIN LATERAL unnest(s.setconfig) setting
          WHERE setting LIKE 'search\_path=%'
            AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = role))
          ORDER BY s.setrole = 0, s.setdatabase = 0
          LIMIT 1),
        (SELECT boot_val FROM pg_settings WHERE name = 'search_path'))
$$;
COMMENT ON FUNCTION ratchet._search_path_of IS
    'internal: the search_path with which a session of the role begins in this database';

CREATE FUNCTION ratchet.import_pg_cron(
    dry_run    boolean DEFAULT false,
    deactivate boolean DEFAULT false,
    OUT jobid bigint, OUT job_name text, OUT result text, OUT detail text, OUT next_step text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cron_table oid;
    trusted    boolean;
    cron_zone  text := coalesce(nullif(current_setting('cron.timezone', true), ''), 'GMT');
    alter_job  boolean;
    job        record;
    sched      record;
    call       text;
    elsewhere  text;
    message    text;
    hint       text;
BEGIN
    SELECT c.oid, r.rolsuper OR r.rolname = current_user
           OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                         AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'pg_cron')
      INTO cron_table, trusted
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
     WHERE n.nspname = 'cron' AND c.relname = 'job' AND c.relkind = 'r';
    IF cron_table IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = 'there is no table cron.job in this database',
            HINT = 'The jobs of pg_cron are in the database that its setting cron.database_name names.';
    END IF;
    -- Its rows become commands that run as the roles that they name.
    IF NOT trusted THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'table cron.job is not that of pg_cron',
            HINT = 'It belongs neither to the extension nor to a superuser nor to you.';
    END IF;
    alter_job := EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                           JOIN pg_roles r ON r.oid = p.proowner
                          WHERE n.nspname = 'cron' AND p.proname = 'alter_job' AND r.rolsuper);
    BEGIN
        -- Early versions have no jobname. Where there is none the inner name is that of the outer row.
        FOR job IN EXECUTE format(
            $query$SELECT j.jobid, j.schedule, j.command, j.nodename, j.nodeport, j.database, j.username, j.active,
                          coalesce(nullif((SELECT jobname FROM (SELECT j.*) AS fields)::text, ''), 'pg_cron_job_' || j.jobid) AS name,
                          'pg_cron_job_' || j.jobid AS tag
                     FROM (SELECT NULL::text AS jobname) AS nameless, %s j ORDER BY j.jobid$query$, cron_table::regclass)
        LOOP
            sched := ratchet._from_pg_cron(job.schedule);
            jobid := job.jobid;
            job_name := job.name;
            result := 'not taken over';
            next_step := NULL;
            elsewhere := CASE WHEN job.active THEN format(' Then, here: SELECT cron.alter_job(%s, active := false);', job.jobid) ELSE '' END;
            call := format(
                'SELECT ratchet.schedule(%L, %L, %L, time_zone => %L, misfire => ''skip'', run_as => %L, enabled => %L, '
                'tags => %L, settings => %L);',
                job.name, sched.converted, job.command, cron_zone, quote_ident(job.username), job.active,
                ARRAY[job.tag], jsonb_build_object('search_path', ratchet._search_path_of(job.username)));
            IF job.database <> current_database() THEN
                detail := format('it runs in database "%s"', job.database);
                next_step := format('connected to that database: %s%s', call, elsewhere);
            ELSIF job.nodename NOT IN ('', 'localhost', '127.0.0.1', '::1') AND job.nodename NOT LIKE '/%'
                  AND job.nodename IS DISTINCT FROM current_setting('cron.host', true)
                  OR job.nodeport <> current_setting('port')::integer THEN
                detail := format('it runs on another server: %s, port %s', job.nodename, job.nodeport);
                next_step := format('connected to that server: %s%s', call, elsewhere);
            ELSE
                SELECT j.job_name INTO message FROM ratchet.job j WHERE j.tags @> ARRAY[job.tag];
                IF FOUND THEN
                    result := 'unchanged';
                    detail := format('taken over before, as job "%s"', message);
                ELSIF EXISTS (SELECT FROM ratchet.job j WHERE j.job_name = job.name) THEN
                    detail := format('there is another job "%s"', job.name);
                    next_step := format('with another name: %s', call);
                ELSE
                    BEGIN
                        PERFORM ratchet.schedule(
                            job.name, sched.converted, job.command, time_zone => cron_zone, misfire => 'skip',
                            run_as => quote_ident(job.username)::regrole, enabled => job.active, tags => ARRAY[job.tag],
                            settings => jsonb_build_object('search_path', ratchet._search_path_of(job.username)));
                        result := 'taken over';
                    EXCEPTION
                        WHEN OTHERS THEN
                            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
                            detail := concat_ws(' ', message || '.', nullif(hint, ''));
                            next_step := format('when that is mended: %s', call);
                    END;
                    IF result = 'taken over' THEN
                        detail := concat_ws('; ', format('%s, time zone %s%s',
                            ratchet.describe_schedule(sched.converted), cron_zone,
                            CASE WHEN NOT job.active THEN ', not enabled, as in pg_cron' ELSE '' END), sched.remark,
                            CASE WHEN job.command ~* 'cron\.job_run_details'
                                 THEN 'not needed: runs are purged by keep_history, and it fails once pg_cron is gone' END);
                    END IF;
                END IF;
                -- The same work must not be done twice.
                IF result <> 'not taken over' AND job.active THEN
                    IF deactivate AND NOT dry_run THEN
                        IF alter_job THEN
                            EXECUTE 'SELECT cron.alter_job($1, active := false)' USING job.jobid;
                        ELSE
                            EXECUTE format('UPDATE %s SET active = false WHERE jobid = $1', cron_table::regclass)
                              USING job.jobid;
                        END IF;
                        detail := detail || '; not active in pg_cron any more';
                    ELSE
                        next_step := format('SELECT cron.alter_job(%s, active := false);', job.jobid);
                    END IF;
                END IF;
            END IF;
            RETURN NEXT;
        END LOOP;
        IF dry_run THEN
            RAISE EXCEPTION USING ERRCODE = 'RD000';  -- undoes what was done, not what was said
        END IF;
    EXCEPTION
        WHEN SQLSTATE 'RD000' THEN
            RETURN;
    END;
END $$;
COMMENT ON FUNCTION ratchet.import_pg_cron IS
    'defines jobs for those that pg_cron has for this database, and says for each what became of it; deactivate ends the ones that were taken over in pg_cron, in the same transaction; dry_run changes nothing; run again it leaves alone what it has taken over before';
